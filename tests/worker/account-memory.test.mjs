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

let gate;
let sessions;
before(async () => {
  const accounts = { secrets: [{ id: 1, secret: 'ACCOUNTS_SECRET' }], hash: { memory_kib: HASH_MIB * 1024, iterations: 1 } };
  gate = await start([tellingMemory(sessionWorker({ policy: sessionPolicy({ accounts }) }))]);
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
