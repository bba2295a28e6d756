// Passwords that the tools of others have hashed, at the cost that each has of itself: their owners log in by them, and the gate's own hash
// takes their place.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { argon2Sync, pbkdf2Sync, randomBytes, scryptSync } from 'node:crypto';
import { after, before, test } from 'node:test';

import { freshIp, refused, start } from '../worker/harness.mjs';
import { Sessions, sessionPolicy, sessionWorker } from '../worker/sessions.mjs';
import { Counterparts } from './counterparts.mjs';

const PASSWORD = 'quiet river, late boat';
/** In each of these Django says what it is, and costs more than the gate reads. */
const TOO_DEAR = ['Django: argon2 of 100 MiB'];

const base64 = (bytes) => bytes.toString('base64').replace(/=+$/, '');
const byPhp = (algorithm) => execFileSync('php', ['-r', `echo password_hash($argv[1], ${algorithm});`, '--', PASSWORD], { encoding: 'utf8' });

/** As docs/accounts.md says how to write what Node's functions return. */
function byNode() {
  const salt = randomBytes(16);
  const argon2 = argon2Sync('argon2id', { message: PASSWORD, nonce: salt, parallelism: 1, tagLength: 32, memory: 65_536, passes: 3 });
  return {
    'Node: scrypt': `$scrypt$ln=14,r=8,p=1$${base64(salt)}$${base64(scryptSync(PASSWORD, salt, 64))}`,
    'Node: PBKDF2': `$pbkdf2-sha512$i=210000,l=64$${base64(salt)}$${base64(pbkdf2Sync(PASSWORD, salt, 210_000, 64, 'sha512'))}`,
    'Node: argon2id': `$argon2id$v=19$m=65536,t=3,p=1$${base64(salt)}$${base64(argon2)}`,
  };
}

let gate;
let hashes;
before(async () => {
  const others = new Counterparts();
  const made = await others.ask('hashed', { password: PASSWORD });
  others.end();
  hashes = { ...made, ...byNode(), 'PHP: bcrypt': byPhp('PASSWORD_BCRYPT'), 'PHP: argon2id': byPhp('PASSWORD_ARGON2ID'), 'PHP: argon2i': byPhp('PASSWORD_ARGON2I') };
  const workers = Object.entries(hashes).filter(([name]) => !TOO_DEAR.includes(name)).map(([name, hash]) => sessionWorker({
    name, policy: sessionPolicy({ accounts: { secrets: [{ id: 1, secret: 'ACCOUNTS_SECRET' }], imports: [hash] } }),
  }));
  gate = await start([...workers, sessionWorker({ name: 'none', policy: sessionPolicy({ accounts: { secrets: [{ id: 1, secret: 'ACCOUNTS_SECRET' }] } }) })]);
});
after(() => gate?.dispose());

test('each is taken, checked and replaced at the first login', async (t) => {
  for (const [name, hash] of Object.entries(hashes).filter(([one]) => !TOO_DEAR.includes(one))) {
    await t.test(name, async () => {
      const at = new Sessions(gate, name);
      const email = `person-${randomBytes(4).toString('hex')}@example.com`;
      const logIn = (password) => at.post('/auth/login', { body: { email, password }, ip: freshIp() });
      const made = await at.admin('POST', '/accounts', { email, password_hash: hash });
      assert.deepEqual([made.status, made.json().imported], [201, true], made.text);
      refused(await logIn(`${PASSWORD}.`), 'INVALID_CREDENTIALS');
      assert.equal((await logIn(PASSWORD)).status, 200);
      const { imported } = (await at.admin('GET', `/accounts/${made.json().id}`)).json();
      assert.equal(imported, false);
      assert.equal((await logIn(PASSWORD)).status, 200);
    });
  }
});

test('one that costs more than an isolate has is not taken', async () => {
  const at = new Sessions(gate, 'none');
  for (const name of TOO_DEAR) {
    refused(await at.admin('POST', '/accounts', { email: 'dear@example.com', password_hash: hashes[name] }), 'INVALID_REQUEST', { hint: /^password_hash: expected a hash/ });
  }
});
