// The owner of an account is told by mail of each change of what lets somebody in.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';

import { shown } from './authenticator.mjs';
import { SECRETS, refused, start, until } from './harness.mjs';
import { Mailer } from './mailer.mjs';
import { Authenticator } from './passkey-authenticator.mjs';
import { Sessions, sessionPolicy, sessionWorker } from './sessions.mjs';

const PASSWORD = 'quiet river, late boat';
const ANOTHER = 'seven slow bicycles';

let mailer;
let gate;
let sessions;
let mail;
const policyOf = (sent) => sessionPolicy({ accounts: { secrets: [{ id: 1, secret: 'ACCOUNTS_SECRET' }], passkeys: {}, ...sent } });
before(async () => {
  mailer = await new Mailer().listen();
  const secrets = { ...SECRETS, HOOK_SECRET: `whsec_${randomBytes(32).toString('base64')}` };
  mail = { kind: 'webhook', url: `${mailer.origin}/hook`, secret: 'HOOK_SECRET' };
  gate = await start([
    sessionWorker({ secrets, policy: policyOf({ mail, registration: 'open' }) }),
    sessionWorker({ name: 'kv', secrets, policy: { source: 'kv', reload_secs: 1 } }),
  ], { secrets });
  sessions = new Sessions(gate);
});
after(async () => {
  await gate?.dispose();
  mailer?.close();
});

let last = 0;
const freshEmail = () => `owner-${++last}-${randomBytes(4).toString('hex')}@example.com`;
const ok = (answer) => {
  assert.ok([200, 201, 202].includes(answer.status), answer.text);
  return answer.json();
};
const logIn = async (email, at = sessions) => ok(await at.post('/auth/login', { body: { email, password: PASSWORD } })).access_token;
const typesTo = (email) => mailer.to(email).map(({ type }) => type);
async function created(at = sessions) {
  const email = freshEmail();
  return { email, ...ok(await at.admin('POST', '/accounts', { email, password: PASSWORD })) };
}

/** What the owner was told, in this order. */
async function told(email, types) {
  await mailer.next(email, types.length);
  assert.deepEqual(typesTo(email), types);
}

test('each change of a factor is told its owner, with no link and nothing that could be used', async () => {
  const { email } = await created();
  let token = await logIn(email);
  const body = { password: PASSWORD };
  const types = [];
  const next = async (type, answer) => {
    ok(answer);
    types.push(type);
    await told(email, types);
  };
  const { secret } = ok(await sessions.post('/auth/mfa/totp', { token }));
  assert.deepEqual(typesTo(email), [], 'it counts from its first code on');
  const confirmed = await sessions.post('/auth/mfa/totp/confirm', { token, body: { code: shown(secret, sessions.ahead), ...body } });
  await next('account.totp_added', confirmed);
  const { recovery_codes: codes } = confirmed.json();
  const { mfa_token } = (await sessions.post('/auth/login', { body: { email, ...body } })).json();
  refused(await sessions.post('/auth/mfa', { body: { mfa_token, recovery_code: codes[0].replace(/^./, (one) => (one === '0' ? '1' : '0')) } }), 'INVALID_CREDENTIALS');
  const opened = await sessions.post('/auth/mfa', { body: { mfa_token, recovery_code: codes[0] } });
  await next('account.recovery_code_used', opened);
  token = opened.json().access_token;
  await next('account.recovery_codes_made', await sessions.post('/auth/mfa/recovery-codes', { token, body }));
  const authenticator = new Authenticator();
  const options = ok(await sessions.post('/auth/mfa/passkeys/options', { token }));
  const made = await sessions.post('/auth/mfa/passkeys', { token, body: { credential: authenticator.create(options), ...body } });
  await next('account.passkey_added', made);
  await next('account.totp_removed', await sessions.request('DELETE', '/auth/mfa/totp', { token, body }));
  await next('account.passkey_removed', await sessions.request('DELETE', `/auth/mfa/passkeys/${made.json().id}`, { token, body }));
  for (const { link, expires_in: secs, subject, text, html, bytes } of mailer.to(email)) {
    assert.deepEqual([link, secs], [undefined, undefined]);
    assert.ok(text.includes('api.example.com') && text.includes('If it was not you'), text);
    assert.ok(!/https?:|href|token/.test(bytes), bytes);
    assert.ok(subject.length < 60 && html.startsWith('<p>'));
    assert.ok(!codes.some((code) => bytes.includes(code)) && !bytes.includes(secret));
  }
});

test('a new password is told its owner, whoever sets it; what comes to nothing is not', async () => {
  const { email, id } = await created();
  const token = await logIn(email);
  const change = (password, new_password) => sessions.post('/auth/password', { token, body: { password, new_password } });
  refused(await change('another password', ANOTHER), 'INVALID_CREDENTIALS');
  ok(await change(PASSWORD, ANOTHER));
  const types = ['account.password_changed'];
  await told(email, types);
  const administer = (body) => sessions.admin('PATCH', `/accounts/${id}`, body);
  ok(await administer({ scopes: ['read:posts'], disabled: true }));
  ok(await administer({ password: PASSWORD, disabled: false }));
  await told(email, [...types, 'account.password_changed']);
  ok(await administer({ drop_factors: true }));
  await told(email, [...types, 'account.password_changed', 'account.factors_removed']);
});

test('whoever registered, or was invited, is told too; the address is kept sealed, and goes with the account', async () => {
  const email = freshEmail();
  ok(await sessions.post('/auth/register', { body: { email, password: PASSWORD } }));
  const [{ link }] = await mailer.next(email);
  ok(await sessions.post('/auth/verify-email', { body: { token: link.split('#token=')[1], password: PASSWORD } }));
  const invited = freshEmail();
  ok(await sessions.admin('POST', '/accounts/invite', { email: invited }));
  const [{ link: invitation }] = await mailer.next(invited);
  ok(await sessions.post('/auth/register', { body: { email: invited, password: PASSWORD, invitation: invitation.split('#token=')[1] } }));
  for (const one of [email, invited]) {
    const token = await logIn(one);
    ok(await sessions.post('/auth/password', { token, body: { password: PASSWORD, new_password: ANOTHER } }));
    const [, notice] = await mailer.next(one, 2);
    assert.equal(notice.type, 'account.password_changed');
    const { id } = ok(await sessions.admin('POST', '/accounts/find', { email: one }));
    const shard = `names/${Buffer.from(id, 'base64url').readUInt16BE(0)}`;
    const rows = async () => (await sessions.object('EDGEGATE_LOGINS', shard, 'X-Dump')).text;
    const kept = await rows();
    assert.match(kept, /\\"address\\":\\"/);
    assert.ok(!kept.includes(one) && !kept.includes('example.com'));
    ok(await sessions.admin('DELETE', `/accounts/${id}`));
    assert.doesNotMatch(await rows(), /\\"address\\":\\"/);
  }
});

test('an account from before there were mails is told once its owner has logged in', async () => {
  const at = new Sessions(gate, 'kv');
  const namespace = await gate.mf.getKVNamespace('EDGEGATE_KV', 'kv');
  const put = async (policy, is) => {
    await namespace.put('policy/v1', JSON.stringify(policy));
    await until(async () => is(await at.post('/auth/reset', { body: {} })));
  };
  await put(policyOf({}), ({ status }) => status === 404);
  const { email } = await created(at);
  const { email: another, id } = await created(at);
  await put(policyOf({ mail }), ({ status }) => status === 400);
  await at.wait(2);
  const token = await logIn(email, at);
  // It is kept behind the answer of the login.
  await until(async () => {
    ok(await at.post('/auth/password', { token, body: { password: PASSWORD, new_password: PASSWORD } }));
    return typesTo(email).length > 0;
  });
  assert.equal(typesTo(email)[0], 'account.password_changed');
  ok(await at.admin('PATCH', `/accounts/${id}`, { password: ANOTHER }));
  assert.deepEqual(typesTo(another), [], 'nobody knows where to');
});
