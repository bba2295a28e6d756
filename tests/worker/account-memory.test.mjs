// What hashes of passwords take of the memory of an isolate: 128 MB, of which a module gives nothing back.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';

import { start } from './harness.mjs';
import { moduleMemory, tellingMemory } from './module-memory.mjs';
import { Sessions, sessionPolicy, sessionWorker } from './sessions.mjs';

const PASSWORD = 'quiet river, late boat';
/** The most that a policy may ask for. */
const HASH_MIB = 64;
/** What the module has besides. */
const REST_MIB = 8;

/** Of each kind that takes memory, the dearest that a policy takes. Nobody has these. */
const IMPORTS = [
  `$argon2id$v=19$m=${HASH_MIB * 1024},t=1,p=1$c29tZXNhbHQxMjM0NTY3OA$xlfAYOhPIAawVaSsXIlNPpwdDLphKW7Fp3R4WTHSYg4`,
  '$scrypt$ln=16,r=8,p=1$c2FsdHNhbHRzYWx0$PS4C2ithVilAcKBGNT/61y4yRLjBUqNwIUb8f3BUYoQ',
  '$scrypt$ln=15,r=9,p=1$c2FsdHNhbHRzYWx0$PS4C2ithVilAcKBGNT/61y4yRLjBUqNwIUb8f3BUYoQ',
];

const accounts = (changes) => ({ accounts: { secrets: [{ id: 1, secret: 'ACCOUNTS_SECRET' }], ...changes } });
const telling = (name, changes) => tellingMemory(sessionWorker({ name, policy: sessionPolicy(accounts(changes)) }));

let gate;
let sessions;
before(async () => {
  gate = await start([
    telling('gate', { hash: { memory_kib: HASH_MIB * 1024, iterations: 1 } }),
    telling('imports', { imports: IMPORTS, earlier_hashes: [{ memory_kib: 47_104, iterations: 1 }] }),
  ]);
  sessions = new Sessions(gate);
});
after(() => gate?.dispose());

test('the dearest hash of a policy takes its memory once, whatever happens between two log-ins', async () => {
  assert.ok(await moduleMemory(sessions) < REST_MIB);
  const logIn = (email, password) => sessions.post('/auth/login', { body: { email, password } });
  for (let round = 0; round < 3; round += 1) {
    await Promise.all(Array.from({ length: 10 }, async () => {
      assert.equal((await logIn(`nobody-${randomBytes(4).toString('hex')}@example.com`, PASSWORD)).status, 401);
    }));
    const email = `person-${round}@example.com`;
    assert.equal((await sessions.admin('POST', '/accounts', { email, password: PASSWORD })).status, 201);
    assert.equal((await logIn(email, PASSWORD)).status, 200);
    await sessions.open();
  }
  const memory = await moduleMemory(sessions);
  assert.ok(memory >= HASH_MIB && memory < HASH_MIB + REST_MIB, `${memory} MiB`);
});

test('hashes of several kinds take their memory one after the other, not together', async () => {
  const imports = new Sessions(gate, 'imports');
  assert.ok(await moduleMemory(imports) < REST_MIB);
  // The first hash is the least of all, and what comes behind it in memory must not keep the others from its room.
  for (let round = 0; round < 3; round += 1) {
    const email = `imported-${round}@example.com`;
    assert.equal((await imports.admin('POST', '/accounts', { email, password: PASSWORD })).status, 201);
    await imports.open();
    for (const [name, status] of [[email, 200], [`nobody-${round}@example.com`, 401]]) {
      assert.equal((await imports.post('/auth/login', { body: { email: name, password: PASSWORD } })).status, status);
    }
  }
  const memory = await moduleMemory(imports);
  assert.ok(memory >= HASH_MIB && memory < HASH_MIB + REST_MIB, `${memory} MiB`);
});
