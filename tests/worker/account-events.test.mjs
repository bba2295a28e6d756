// What has become of accounts is told: each login with what was shown, each change of what lets somebody in, by whom; never an address.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';

import { shown } from './authenticator.mjs';
import { SECRETS, freshIp, start } from './harness.mjs';
import { Mailer } from './mailer.mjs';
import { Authenticator } from './passkey-authenticator.mjs';
import { Browser, Sessions, sessionPolicy, sessionWorker } from './sessions.mjs';

const PASSWORD = 'quiet river, late boat';
const ANOTHER = 'seven slow bicycles';

let mailer;
let gate;
let sessions;
before(async () => {
  mailer = await new Mailer().listen();
  const secrets = { ...SECRETS, HOOK_SECRET: `whsec_${randomBytes(32).toString('base64')}` };
  const mail = { kind: 'webhook', url: `${mailer.origin}/hook`, secret: 'HOOK_SECRET' };
  const accounts = { secrets: [{ id: 1, secret: 'ACCOUNTS_SECRET' }], mail, magic_link: true, registration: 'open', passkeys: {} };
  gate = await start([
    sessionWorker({ secrets, policy: sessionPolicy({ accounts, watch: {} }) }),
    sessionWorker({ name: 'silent', secrets, policy: sessionPolicy({ accounts, watch: {}, log: 'none' }) }),
    sessionWorker({ name: 'required', secrets, policy: sessionPolicy({ accounts: { ...accounts, mfa: 'required' } }) }),
  ], { secrets });
  sessions = new Sessions(gate);
});
after(async () => {
  await gate?.dispose();
  mailer?.close();
});

let last = 0;
const freshEmail = () => `events-${++last}-${randomBytes(4).toString('hex')}@example.com`;
/** The token of the last link of this kind, once there is one. */
async function linkOf(email, type) {
  await mailer.until(() => mailer.to(email).some((mail) => mail.type === type));
  return mailer.to(email).findLast((mail) => mail.type === type).link.split('#token=')[1];
}

/** The lines of accounts since `from`. */
const linesSince = (from) => gate.output.lines.slice(from).filter((line) => line.includes('"event":"account"')).map((line) => JSON.parse(line.slice(line.indexOf('{'))));
const briefly = ({ action, methods }) => [action, ...(methods ? [methods] : [])].join(': ');

/** What is told while something is done, once there are so many lines. */
async function told(count, what) {
  const from = gate.output.lines.length;
  const done = await what();
  for (let tries = 0; tries < 100 && linesSince(from).length < count; tries += 1) await new Promise((resolve) => { setTimeout(resolve, 20); });
  return { done, lines: linesSince(from) };
}

const ok = (answer) => {
  assert.ok([200, 201, 202].includes(answer.status), answer.text);
  return answer.json();
};

async function created(at = sessions) {
  const email = freshEmail();
  return { email, ...ok(await at.admin('POST', '/accounts', { email, password: PASSWORD, verified: true })) };
}

const logIn = (email, options = {}, at = sessions) => at.post('/auth/login', { body: { email, password: PASSWORD }, ...options });

test('a login is told with what was shown, by whom and from where, and names nobody', async () => {
  const { email, subject } = await created();
  const ip = '203.0.113.77';
  const { done, lines } = await told(1, () => logIn(email, { ip }));
  ok(done);
  const [{ at, ...line }, ...more] = lines;
  assert.deepEqual(more, []);
  assert.ok(Math.abs(at - Date.now()) < 60_000);
  assert.deepEqual(line, { event: 'account', action: 'logged_in', methods: 'password', method: 'POST', route: '/auth/login', subject, client: ip });
  // A wrong one is a refusal, and opens nothing.
  const wrong = await told(0, () => sessions.post('/auth/login', { body: { email, password: ANOTHER } }));
  assert.equal(wrong.done.status, 401);
  assert.deepEqual(wrong.lines, []);
});

test('each step of an owner is told: factors, codes, passkeys, passwords, links', async () => {
  const { email, subject } = await created();
  const { lines } = await told(14, async () => {
    let token = ok(await logIn(email)).access_token;
    const password = PASSWORD;
    const { secret } = ok(await sessions.post('/auth/mfa/totp', { token }));
    const { recovery_codes: codes } = ok(await sessions.post('/auth/mfa/totp/confirm', { token, body: { code: shown(secret, sessions.ahead), password } }));
    const begun = async () => (await logIn(email)).json().mfa_token;
    token = ok(await sessions.post('/auth/mfa', { body: { mfa_token: await begun(), recovery_code: codes[0] } })).access_token;
    await sessions.wait(31);
    token = ok(await sessions.post('/auth/mfa', { body: { mfa_token: await begun(), code: shown(secret, sessions.ahead) } })).access_token;
    ok(await sessions.post('/auth/mfa/recovery-codes', { token, body: { password } }));
    const authenticator = new Authenticator();
    const options = ok(await sessions.post('/auth/mfa/passkeys/options', { token }));
    const { id } = ok(await sessions.post('/auth/mfa/passkeys', { token, body: { credential: authenticator.create(options), password } }));
    token = ok(await sessions.post('/auth/passkey', { body: { credential: authenticator.get(ok(await sessions.post('/auth/passkey/options'))) } })).access_token;
    ok(await sessions.request('DELETE', '/auth/mfa/totp', { token, body: { password } }));
    const proof = authenticator.get(ok(await sessions.post('/auth/passkey/options')));
    token = ok(await sessions.post('/auth/mfa', { body: { mfa_token: await begun(), passkey: proof } })).access_token;
    ok(await sessions.request('DELETE', `/auth/mfa/passkeys/${id}`, { token, body: { password } }));
    ok(await sessions.post('/auth/password', { token, body: { password, new_password: ANOTHER } }));
    const browser = new Browser(sessions);
    ok(await browser.post('/auth/magic-link', { body: { email } }));
    ok(await browser.post('/auth/magic-link/confirm', { body: { token: await linkOf(email, 'account.magic_link') } }));
  });
  assert.deepEqual(lines.map(briefly), [
    'logged_in: password', 'totp_added', 'recovery_codes_made',
    'recovery_code_used', 'logged_in: password recovery_code', 'logged_in: password totp',
    'recovery_codes_made', 'passkey_added', 'logged_in: passkey', 'totp_removed', 'logged_in: password passkey', 'passkey_removed',
    'password_changed', 'logged_in: magic_link',
  ]);
  for (const line of lines) assert.deepEqual([line.subject, line.actor], [subject, undefined]);
});

test('a passkey that is made at the login is told as any other, after a password and after a link', async () => {
  const required = new Sessions(gate, 'required');
  for (const first of ['password', 'magic_link']) {
    const { email } = await created(required);
    const browser = new Browser(required);
    const { lines } = await told(3, async () => {
      let begun;
      if (first === 'password') begun = await browser.post('/auth/login', { body: { email, password: PASSWORD } });
      else {
        ok(await browser.post('/auth/magic-link', { body: { email } }));
        begun = await browser.post('/auth/magic-link/confirm', { body: { token: await linkOf(email, 'account.magic_link') } });
      }
      const { code, mfa_token, methods } = begun.json();
      assert.deepEqual([code, methods], ['MFA_SETUP_REQUIRED', ['totp', 'passkey']]);
      const credential = new Authenticator().create(ok(await browser.post('/auth/mfa/passkeys/options', { body: { mfa_token } })));
      ok(await browser.post('/auth/mfa/passkeys', { body: { mfa_token, credential } }));
    });
    assert.deepEqual(lines.map(briefly), ['passkey_added', 'recovery_codes_made', `logged_in: ${first} passkey`]);
    const amr = first === 'password' ? ['pwd', 'pop', 'user', 'mfa'] : ['pop', 'user', 'mfa'];
    assert.deepEqual((await browser.get('/auth/session')).json().amr, amr);
    await mailer.until(() => mailer.to(email).some((mail) => mail.type === 'account.passkey_added'));
  }
});

test('registrations, invitations and resets are told', async () => {
  const email = freshEmail();
  const { lines } = await told(3, async () => {
    ok(await sessions.post('/auth/register', { body: { email, password: PASSWORD } }));
    ok(await sessions.post('/auth/verify-email', { body: { token: await linkOf(email, 'account.verify'), password: PASSWORD } }));
    ok(await sessions.post('/auth/reset', { body: { email } }));
    ok(await sessions.post('/auth/reset/confirm', { body: { token: await linkOf(email, 'account.reset'), password: ANOTHER } }));
  });
  assert.deepEqual(lines.map(briefly), ['registered', 'email_verified', 'password_reset']);
  assert.equal(lines[0].subject, undefined);
  assert.match(lines[1].subject, /^account\|/);
  assert.equal(lines[2].subject, lines[1].subject);

  const other = freshEmail();
  const invited = await told(2, async () => {
    ok(await sessions.admin('POST', '/accounts/invite', { email: other }));
    const invitation = await linkOf(other, 'account.invitation');
    ok(await sessions.post('/auth/register', { body: { email: other, password: PASSWORD, invitation } }));
  });
  assert.deepEqual(invited.lines.map(briefly), ['invited', 'registered']);
  assert.deepEqual(invited.lines.map(({ actor }) => actor), ['admin', undefined]);
});

test('what an administrator does is told with who it was, change by change', async () => {
  const { done: account, lines: made } = await told(1, () => created());
  const change = (body) => sessions.admin('PATCH', `/accounts/${account.id}`, body);
  const { lines } = await told(6, async () => {
    ok(await change({ disabled: true }));
    ok(await change({ disabled: false, scopes: ['write:posts'] }));
    ok(await change({ password: ANOTHER, drop_factors: true }));
    ok(await sessions.admin('DELETE', `/accounts/${account.id}`));
    assert.equal((await change({ disabled: true })).status, 404);
  });
  assert.deepEqual([...made, ...lines].map(briefly), ['created', 'disabled', 'scopes_changed', 'enabled', 'password_set', 'factors_removed', 'deleted']);
  for (const { actor, subject, route } of [...made, ...lines]) assert.deepEqual([actor, subject, route], ['admin', account.subject, '/auth/admin']);
});

test('the watch counts each, has it among its events by the pseudonym that requests have, and for Prometheus', async () => {
  const { email, subject } = await created();
  const { access_token: token } = ok(await logIn(email, { ip: freshIp() }));
  await sessions.get('/v1/posts', { token });
  const { accounts, events, decisions } = ok(await sessions.admin('GET', '/watch?window=15m'));
  const logins = accounts.find(({ action, methods }) => action === 'logged_in' && methods === 'password');
  assert.ok(logins.n > 0);
  const login = events.find(({ event, action }) => event === 'account' && action === 'logged_in');
  assert.match(login.subject, /^s[0-9a-f]{16}$/);
  assert.ok(!JSON.stringify({ accounts, events }).includes(subject));
  const request = events.find(({ event, identity, subject: who }) => event !== 'account' && identity === 'jwt' && who === login.subject);
  assert.ok(request, 'a request of the account has the same pseudonym');
  // It is no decision about a request.
  assert.ok(decisions.admitted < 100);
  const metrics = await sessions.get('/auth/metrics', { token: SECRETS.ADMIN_TOKEN });
  assert.match(metrics.text, /^edgegate_account_events_total\{action="logged_in",methods="password"\} \d+$/m);
});

test('log = "none" says nothing of accounts either, and the watch counts all the same', async () => {
  const silent = new Sessions(gate, 'silent');
  const { lines } = await told(0, async () => {
    const { email } = await created(silent);
    ok(await logIn(email, {}, silent));
    const { accounts } = ok(await silent.admin('GET', '/watch?window=15m'));
    assert.deepEqual(accounts.map(briefly).sort(), ['created', 'logged_in: password']);
  });
  assert.deepEqual(lines, []);
});

test('no line of an account has an address, a code or a token', () => {
  const lines = gate.output.lines.filter((line) => line.includes('"event":"account"'));
  assert.ok(lines.length > 20);
  for (const line of lines) assert.ok(!line.includes('@') && !line.includes(PASSWORD) && !line.includes('#token'), line);
});
