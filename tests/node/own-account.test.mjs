// The page of whoever is logged in, in the npm package: the same pages and forms as the Worker's, by `gate.handle`.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { generateSync } from 'otplib';

import { memoryStore } from '../../pkg/wasm/node.js';
import { SECRETS, freshIp } from '../worker/harness.mjs';
import { accountPolicy } from './account-gate.mjs';
import { gateOf } from './gate.mjs';
import { sessionSecrets } from './session-gate.mjs';

const PASSWORD = 'quiet river, late boat';
const ANOTHER = 'seven slow bicycles';
const secrets = { ...sessionSecrets(), ACCOUNTS_SECRET: SECRETS.ACCOUNTS_SECRET };

/** A browser that keeps cookies, and a gate with pages. */
function browser() {
  const { gate, clock } = gateOf({ policy: accountPolicy({}, { pages: true }), secrets, stores: { sessions: memoryStore(), accounts: memoryStore() } });
  const jar = new Map();
  const ip = freshIp();
  const ask = async (method, path, form) => {
    const headers = { accept: 'text/html', 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0' };
    if (form) headers['content-type'] = 'application/x-www-form-urlencoded';
    if (jar.size) headers.cookie = [...jar].map((pair) => pair.join('=')).join('; ');
    const asked = { method, url: `https://api.example.com${path}`, headers, body: form && new URLSearchParams(form).toString() };
    const { status, headers: fields, body: text } = await gate.handle(asked, { clientIp: ip });
    for (const [name, value] of fields) {
      if (name !== 'Set-Cookie') continue;
      const [, key, held] = /^([^=]+)=([^;]*)/.exec(value);
      if (held && !/max-age=0/i.test(value)) jar.set(key, held);
      else jar.delete(key);
    }
    return { status, text, to: fields.find(([name]) => name === 'Location')?.[1], type: fields.find(([name]) => name === 'Content-Type')?.[1] };
  };
  return { gate, clock, get: (path) => ask('GET', path), post: (path, form) => ask('POST', path, form) };
}

test('who is not logged in is sent to log in, and the forms do what the requests of programs do', async () => {
  const { gate, clock, get, post } = browser();
  const email = 'own@example.com';
  await gate.accounts.create({ email, password: PASSWORD });
  const away = await get('/auth/account?do=password');
  assert.deepEqual([away.status, away.to], [303, '/auth/login?return_to=%2Fauth%2Faccount%3Fdo%3Dpassword']);
  const login = await get(away.to);
  assert.match(login.text, /Log in to see how you log in/);
  const entered = await post('/auth/login', { email, password: PASSWORD, return_to: '/auth/account?do=password' });
  assert.deepEqual([entered.status, entered.to], [303, '/auth/account?do=password'], entered.text);
  assert.match((await get(entered.to)).text, /action="\/auth\/password"/);

  const wrong = await post('/auth/password', { password: 'not the password', new_password: ANOTHER });
  assert.deepEqual([wrong.status, /Wrong password/.test(wrong.text)], [401, true]);
  const changed = await post('/auth/password', { password: PASSWORD, new_password: ANOTHER });
  assert.deepEqual([changed.status, /Your password is changed/.test(changed.text)], [200, true]);

  const page = await get('/auth/account');
  assert.deepEqual([page.status, page.type], [200, 'text/html; charset=utf-8']);
  for (const shown of ['Firefox · Linux', 'This device', 'Authenticator app']) assert.ok(page.text.includes(shown), shown);
  assert.ok(!page.text.includes('Passkeys'), 'this policy has none');

  const secret = /<code>([A-Z2-7 ]+)<\/code>/.exec((await post('/auth/mfa/totp', { label: email })).text)[1].replaceAll(' ', '');
  const code = generateSync({ secret, epoch: clock.now });
  const kept = await post('/auth/mfa/totp/confirm', { code, password: ANOTHER });
  assert.equal(kept.text.match(/<li><code>/g)?.length, 10, kept.text);
  assert.match((await get('/auth/account')).text, /10<\/bdi> left/);
  const refused = await post('/auth/account', { do: 'drop-totp', password: 'not the password' });
  assert.deepEqual([refused.status, /Wrong password/.test(refused.text)], [401, true]);
  const dropped = await post('/auth/account', { do: 'drop-totp', password: ANOTHER });
  assert.deepEqual([dropped.status, dropped.to], [303, '/auth/account'], dropped.text);
  assert.doesNotMatch((await get('/auth/account')).text, /<\/bdi> left/);

  const out = await post('/auth/account', { do: 'log-out' });
  assert.deepEqual([out.status, out.to], [303, '/auth/login']);
  assert.equal((await get('/auth/account')).status, 303);
});

test('a policy without pages has none', async () => {
  const { gate } = gateOf({ policy: accountPolicy(), secrets, stores: { sessions: memoryStore(), accounts: memoryStore() } });
  const { status } = await gate.handle({ method: 'GET', url: 'https://api.example.com/auth/account', headers: { accept: 'text/html' } }, { clientIp: freshIp() });
  assert.equal(status, 404);
});
