// What a password may be, and how long it is one.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';

import { refused, start } from './harness.mjs';
import { Sessions, sessionPolicy, sessionWorker } from './sessions.mjs';

const TEN_YEARS_SECS = 10 * 365 * 86_400;

let gate;
let sessions;
before(async () => {
  gate = await start([sessionWorker({ policy: sessionPolicy({ accounts: { secrets: [{ id: 1, secret: 'ACCOUNTS_SECRET' }] } }) })]);
  sessions = new Sessions(gate);
});
after(() => gate?.dispose());

async function created(password) {
  const email = `person-${randomBytes(6).toString('hex')}@example.com`;
  const answer = await sessions.admin('POST', '/accounts', { email, password });
  assert.equal(answer.status, 201, answer.text);
  return email;
}

const logIn = (email, password) => sessions.post('/auth/login', { body: { email, password } });

test('a password has 1,024 bytes at most, and each of them counts', async () => {
  const longest = randomBytes(512).toString('hex');
  const email = await created(longest);
  assert.equal((await logIn(email, longest)).status, 200);
  for (const wrong of [longest.slice(0, -1), `${longest.slice(0, -1)}x`, longest.slice(0, 64)]) refused(await logIn(email, wrong), 'INVALID_CREDENTIALS');
  const tooLong = await sessions.admin('POST', '/accounts', { email: 'long@example.com', password: `${longest}x` });
  assert.equal(tooLong.status, 400, tooLong.text);
});

test('no password ends by time', async () => {
  const password = 'quiet river, late boat';
  const email = await created(password);
  await sessions.wait(TEN_YEARS_SECS);
  assert.equal((await logIn(email, password)).status, 200);
  refused(await logIn(email, 'another password'), 'INVALID_CREDENTIALS');
});
