// Lists of passwords that nobody may choose, in the npm package: the file of `npx edgegate passwords build`.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { memoryStore } from '../../pkg/wasm/node.js';
import { SECRETS, freshIp } from '../worker/harness.mjs';
import { accountPolicy } from './account-gate.mjs';
import { gateOf } from './gate.mjs';
import { sessionSecrets } from './session-gate.mjs';

const FILE = new URL('../vectors/password-list.egp', import.meta.url);
const LISTED = 'Harbour lights 2026';
const FREE = 'quiet river, late boat';
const secrets = { ...sessionSecrets(), ACCOUNTS_SECRET: SECRETS.ACCOUNTS_SECRET };

let last = 0;
const freshEmail = () => `person-${++last}-${randomBytes(4).toString('hex')}@example.com`;

const listedGate = (passwords) => gateOf({
  policy: accountPolicy({}, { password_list: 'kv' }), secrets, passwords, stores: { sessions: memoryStore(), accounts: memoryStore() },
});
const create = (gate, password) => gate.accounts.create({ email: freshEmail(), password }).then(() => 'made', ({ code, message }) => `${code}: ${message}`);

const FORMS = {
  'bytes of Node': () => readFileSync(FILE),
  'an ArrayBuffer': () => new Uint8Array(readFileSync(FILE)).buffer,
  'a function that reads a file': () => () => readFile(FILE),
};

for (const [name, passwords] of Object.entries(FORMS)) {
  test(`${name}: nobody chooses a password that is on the list, as it is or in small letters`, async () => {
    const { gate } = listedGate(passwords());
    for (const listed of [LISTED.toLowerCase(), LISTED]) assert.match(await create(gate, listed), /^INVALID_REQUEST: password: This password is on lists/);
    assert.equal(await create(gate, FREE), 'made');
  });
}

test('who changes a password is told of the field, and guesses nothing by it', async () => {
  const { gate } = listedGate(readFileSync(FILE));
  const email = freshEmail();
  await gate.accounts.create({ email, password: FREE });
  const ask = async (path, body, token) => {
    const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
    const answer = await gate.handle({ method: 'POST', url: `https://api.example.com${path}`, headers, body: JSON.stringify(body) }, { clientIp: freshIp() });
    return { status: answer.status, json: () => JSON.parse(answer.body) };
  };
  const { access_token: token } = (await ask('/auth/login', { email, password: FREE })).json();
  const refused = await ask('/auth/password', { password: FREE, new_password: LISTED }, token);
  assert.equal(refused.status, 400);
  assert.deepEqual(refused.json().details.map(({ field }) => field), ['new_password']);
});

test('it is read once an hour, and two gates have each its own', async () => {
  const read = [];
  const reading = (name, bytes) => async () => {
    read.push(name);
    return bytes;
  };
  const list = readFileSync(FILE);
  const [first, second] = [listedGate(reading('first', list)), listedGate(reading('second', list))];
  const both = await Promise.all([create(first.gate, LISTED), create(second.gate, FREE)]);
  assert.match(both[0], /^INVALID_REQUEST/);
  assert.equal(both[1], 'made');
  for (let count = 0; count < 3; count += 1) await create(first.gate, FREE);
  assert.deepEqual(read.sort(), ['first', 'second']);
  first.clock.now += 3601;
  await create(first.gate, FREE);
  assert.deepEqual(read.sort(), ['first', 'first', 'second']);
});

test('without a list that can be read no password is taken, and what is wrong is in the log', async () => {
  const damaged = Buffer.from(readFileSync(FILE));
  damaged[0] ^= 1;
  for (const [passwords, problem] of [
    [damaged, /password_list/],
    [new Uint8Array(), /password_list/],
    [async () => 'text', /passwords: expected bytes/],
    [async () => { throw new Error('ENOENT'); }, /ENOENT/],
    [new Uint8Array((32 << 20) + 1), /more than 33554432 bytes/],
  ]) {
    const { gate } = listedGate(passwords);
    const answer = await create(gate, FREE);
    assert.match(answer, /^STORE_UNAVAILABLE/);
    assert.match(answer, problem);
    assert.match(await create(gate, 'short'), /^INVALID_REQUEST/);
  }
});

test('a list that can be read later is read then', async () => {
  let fails = true;
  const { gate } = listedGate(async () => {
    if (fails) throw new Error('not there yet');
    return readFileSync(FILE);
  });
  assert.match(await create(gate, FREE), /^STORE_UNAVAILABLE/);
  fails = false;
  assert.equal(await create(gate, FREE), 'made');
});
