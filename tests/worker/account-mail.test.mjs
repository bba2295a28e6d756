// Accounts by mail: links to set a new password, and who carries them.

import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { shown } from './authenticator.mjs';
import { SECRETS, admitted, freshIp, refused, start, until } from './harness.mjs';
import { Mailer } from './mailer.mjs';
import { Authenticator } from './passkey-authenticator.mjs';
import { AT, Browser, SAME_ORIGIN, Sessions, cookiesOf, sessionPolicy, sessionWorker } from './sessions.mjs';

const PASSWORD = 'quiet river, late boat';
const ANOTHER = 'seven slow bicycles';
const ORIGIN = 'https://api.example.com';
const HOOK_SECRET = `whsec_${randomBytes(32).toString('base64')}`;

let mailer;
let gate;
let sessions;
/** The gate where links log in. */
let linked;

const accounts = (mail, changes = {}) => ({ secrets: [{ id: 1, secret: 'ACCOUNTS_SECRET' }], scopes: ['read:posts'], ...(mail && { mail }), ...changes });
const mailPolicy = (mail, changes, policy) => sessionPolicy({ accounts: accounts(mail, changes), ...policy }, { origins: ['https://app.example.com'] });

/** What a consumer of a queue, or a Worker that is bound, does with a mail: it tells the mailer. */
const CARRIER = `
export default {
  async fetch(request, env) {
    const id = request.headers.get('webhook-id');
    return fetch(env.MAILER_URL + '/service', { method: 'POST', headers: { 'webhook-id': id }, body: await request.text() });
  },
  async queue(batch, env) {
    for (const { body } of batch.messages) await fetch(env.MAILER_URL + '/queue', { method: 'POST', body: JSON.stringify(body) });
  },
};
`;

before(async () => {
  mailer = await new Mailer().listen();
  const secrets = { ...SECRETS, HOOK_SECRET };
  const webhook = { kind: 'webhook', url: `${mailer.origin}/hook`, secret: 'HOOK_SECRET', from: 'Example <no-reply@example.com>' };
  const links = { reset: 'https://app.example.com/new-password?step=2' };
  gate = await start([
    sessionWorker({ secrets, policy: mailPolicy(webhook) }),
    sessionWorker({ name: 'queue', secrets, policy: mailPolicy({ kind: 'queue', binding: 'MAILS' }), worker: { queueProducers: { MAILS: 'mails' } } }),
    sessionWorker({
      name: 'service',
      secrets,
      policy: mailPolicy({ kind: 'service', binding: 'CARRIER', links }),
      worker: { serviceBindings: { CARRIER: 'carrier' } },
    }),
    sessionWorker({ name: 'open', secrets, policy: mailPolicy(webhook, { registration: 'open' }) }),
    sessionWorker({ name: 'invited', secrets, policy: mailPolicy(webhook, { registration: 'invitation' }) }),
    sessionWorker({ name: 'by-link', secrets, policy: mailPolicy(webhook, { magic_link: true, passkeys: {} }) }),
    sessionWorker({ name: 'none', secrets, policy: mailPolicy(undefined) }),
    sessionWorker({ name: 'tokens', secrets, policy: sessionPolicy({ accounts: accounts(webhook, { magic_link: true, registration: 'open' }) }, { cookies: false }) }),
    sessionWorker({ name: 'listed', secrets, policy: mailPolicy(webhook, { registration: 'open', password_list: 'kv' }) }),
    {
      name: 'carrier',
      modules: true,
      script: CARRIER,
      compatibilityDate: '2024-09-02',
      bindings: { MAILER_URL: mailer.origin },
      queueConsumers: { mails: { maxBatchTimeout: 0 } },
    },
  ]);
  sessions = new Sessions(gate);
  linked = new Sessions(gate, 'by-link');
});
after(async () => {
  await gate.dispose();
  mailer.close();
});

let last = 0;
const freshEmail = () => `person-${++last}-${randomBytes(4).toString('hex')}@example.com`;

/** An account with a new address. */
async function created(body = {}, at = sessions) {
  const email = freshEmail();
  const answer = await at.admin('POST', '/accounts', { email, password: PASSWORD, verified: true, ...body });
  assert.equal(answer.status, 201, answer.text);
  return { email, ...answer.json() };
}

const logIn = (email, password = PASSWORD, options = {}, at = sessions) => at.post('/auth/login', { body: { email, password }, ...options });
const askReset = (email, options = {}, at = sessions) => at.post('/auth/reset', { body: { email }, ...options });
const confirm = (token, password = ANOTHER, options = {}, at = sessions) => at.post('/auth/reset/confirm', { body: { token, password }, ...options });
const tokenOf = ({ link }) => link.split('#token=')[1];
const bytesOf = ({ status, text, rawHeaders }) => [status, text, rawHeaders.filter((_, index) => !/^date$/i.test(rawHeaders[index - (index % 2)]))];

/** A form that is refused, with what is wrong of which field. */
function isNotValid(answer, details) {
  assert.equal(answer.status, 400, answer.text);
  const refusal = answer.json();
  assert.deepEqual([refusal.error, refusal.code], ['Validation failed', 'INVALID_REQUEST']);
  assert.deepEqual(refusal.details.map(({ field, message }) => [field, message]), details);
}
const isOver = (answer) => isNotValid(answer, [['token', 'This link is not good, or not any more']]);

/** Asks for a link to a new password, and returns its token. */
async function linkTo(email, count = 1) {
  assert.equal((await askReset(email)).status, 202);
  const mails = await mailer.links(email, count);
  return tokenOf(mails.at(-1));
}

/** The object that has the row of an account. */
const shardOf = (id) => `names/${Buffer.from(id, 'base64url').readUInt16BE(0)}`;

test('a link to a new password comes by a signed webhook, is good for once, and ends all sessions', async () => {
  const { email, id, subject } = await created();
  const opened = (await logIn(email)).json();
  const known = await logIn(email, PASSWORD, { headers: SAME_ORIGIN });
  const device = `__Host-edgegate-d=${cookiesOf(known)['__Host-edgegate-d']}`;
  const asked = await askReset(email.toUpperCase());
  assert.deepEqual([asked.status, asked.text], [202, '{"accepted":true}']);
  assert.match(asked.headers['cache-control'], /no-store/);
  const [mail] = await mailer.next(email);
  const { 'webhook-id': name, 'webhook-timestamp': timestamp, 'webhook-signature': signature } = mail.headers;
  const key = Buffer.from(HOOK_SECRET.slice('whsec_'.length), 'base64');
  assert.equal(signature, `v1,${createHmac('sha256', key).update(`${name}.${timestamp}.${mail.bytes}`).digest('base64')}`);
  assert.deepEqual(Object.keys(JSON.parse(mail.bytes)), ['type', 'to', 'from', 'link', 'expires_in', 'subject', 'text', 'html']);
  assert.deepEqual([mail.type, mail.from, mail.subject], ['account.reset', 'Example <no-reply@example.com>', 'Set a new password']);
  assert.ok(mail.expires_in > 890 && mail.expires_in <= 900);
  assert.ok(mail.link.startsWith(`${ORIGIN}/auth/reset/confirm#token=`), mail.link);
  assert.ok(mail.text.includes(mail.link) && mail.html.includes(`<a href="${mail.link}">`));
  const token = tokenOf(mail);
  assert.match(token, /^[\w-]{65}$/);

  // A password that is refused uses nothing up.
  isNotValid(await confirm(token, 'short'), [['password', 'Use at least 8 characters']]);
  admitted(await sessions.get('/v1/posts', { token: opened.access_token }), { subject });
  const done = await confirm(token);
  assert.equal(done.status, 200, done.text);
  assert.deepEqual(done.json(), { ended: 2 });
  assert.equal(done.headers['set-cookie'], undefined);
  refused(await sessions.post('/auth/refresh', { body: { refreshToken: opened.refresh_token } }), 'INVALID_REFRESH_TOKEN');
  refused(await logIn(email), 'INVALID_CREDENTIALS');
  assert.equal((await logIn(email, ANOTHER)).status, 200);
  isOver(await confirm(token, 'yet another password'));
  // Browsers that were known are strangers: they share the five guesses that all have.
  for (let guess = 0; guess < 4; guess += 1) refused(await logIn(email, 'wrong password'), 'INVALID_CREDENTIALS');
  refused(await logIn(email, ANOTHER, { headers: { ...SAME_ORIGIN, Cookie: device } }), 'TOO_MANY_ATTEMPTS');
  const changed = (await mailer.next(email, 2))[1];
  assert.deepEqual([changed.type, changed.link], ['account.password_changed', undefined]);
  assert.notEqual(changed.headers['webhook-id'], name);
  assert.ok(id);
});

test('of whom an administrator asks for a new password nobody logs in until it is set by a link', async () => {
  const { email, id } = await created();
  const { access_token: token } = (await logIn(email)).json();
  const change = (body, at = sessions, of = id) => at.admin('PATCH', `/accounts/${of}`, body);
  const waiting = await change({ require_reset: true });
  assert.ok([200, 202].includes(waiting.status), waiting.text);
  assert.deepEqual([waiting.json().reset_required, waiting.json().disabled], [true, false]);
  await until(async () => (await gate.get('/v1/posts', { token })).status === 401);
  refused(await logIn(email), 'NOT_ALLOWED');
  refused(await logIn(email, 'not its password'), 'INVALID_CREDENTIALS');
  assert.equal((await confirm(await linkTo(email))).status, 200);
  assert.equal((await logIn(email, ANOTHER)).status, 200);
  assert.equal((await sessions.admin('GET', `/accounts/${id}`)).json().reset_required, undefined);

  // One that is disabled would be enabled with the password that nobody should have any more.
  assert.ok([200, 202].includes((await change({ disabled: true })).status));
  const about = (answer) => assert.match(answer.text, /require_reset/);
  for (const body of [{ require_reset: true }, { require_reset: true, disabled: true }, { require_reset: true, password: PASSWORD }]) {
    const answer = await change(body);
    assert.equal(answer.status, 400, JSON.stringify(body));
    about(answer);
  }
  assert.equal((await sessions.admin('GET', `/accounts/${id}`)).json().disabled, true);
  assert.ok([200, 202].includes((await change({ disabled: false, require_reset: true })).status));
  refused(await logIn(email, ANOTHER), 'NOT_ALLOWED');

  const none = new Sessions(gate, 'none');
  const other = await created({}, none);
  const answer = await change({ require_reset: true }, none, other.id);
  assert.equal(answer.status, 400, 'no link leads out of it');
  about(answer);
});

test('a new password lets its owner in from that browser while strangers guess', async () => {
  const person = await created();
  const browser = new Browser(sessions);
  for (let guess = 0; guess < 5; guess += 1) refused(await logIn(person.email, 'wrong password'), 'INVALID_CREDENTIALS');
  const token = await linkTo(person.email);
  const done = await browser.post('/auth/reset/confirm', { body: { token, password: ANOTHER } });
  assert.equal(done.status, 200, done.text);
  assert.deepEqual(Object.keys(browser.jar), ['__Host-edgegate-d']);
  refused(await logIn(person.email, ANOTHER), 'TOO_MANY_ATTEMPTS');
  const opened = await browser.post('/auth/login', { body: { email: person.email, password: ANOTHER } });
  assert.equal(opened.status, 200, opened.text);
  // A link that is not good makes no browser known.
  const other = new Browser(sessions);
  isOver(await other.post('/auth/reset/confirm', { body: { token, password: ANOTHER } }));
  assert.deepEqual(other.jar, {});
});

test('whoever has just confirmed an address, or come by an invitation, gets in from that browser while strangers guess', async () => {
  const guessAt = async (name, email) => {
    for (let guess = 0; guess < 5; guess += 1) refused(await logIn(email, 'wrong password', {}, at(name)), 'INVALID_CREDENTIALS');
  };
  const registered = new Browser(at('open'));
  const email = freshEmail();
  assert.equal((await registered.post('/auth/register', { body: { email, password: PASSWORD } })).status, 202);
  const [mail] = await mailer.next(email);
  await guessAt('open', email);
  assert.equal((await registered.post('/auth/verify-email', { body: { token: tokenOf(mail) } })).status, 200);
  assert.equal((await registered.post('/auth/login', { body: { email, password: PASSWORD } })).status, 200);

  const invited = new Browser(at('invited'));
  const guest = freshEmail();
  await at('invited').admin('POST', '/accounts/invite', { email: guest });
  const [invitation] = await mailer.next(guest);
  await guessAt('invited', guest);
  assert.equal((await invited.post('/auth/register', { body: { email: guest, password: PASSWORD, invitation: tokenOf(invitation) } })).status, 200);
  assert.equal((await invited.post('/auth/login', { body: { email: guest, password: PASSWORD } })).status, 200);
});

test('nobody learns who has an account: answers have the same bytes, and as much is written', async () => {
  const { email } = await created();
  const nobody = freshEmail();
  const rows = [];
  const answers = [];
  for (const name of [email, nobody]) {
    // Both have a row, in an object that has its table.
    refused(await logIn(name, 'wrong password'), 'INVALID_CREDENTIALS');
    const before = await sessions.counts();
    answers.push(await askReset(name));
    await sleep(500);
    const counts = await sessions.counts();
    rows.push([counts.rows - before.rows, counts.logins - before.logins]);
  }
  assert.deepEqual(bytesOf(answers[0]), bytesOf(answers[1]));
  // The row of the name, and the mail, which goes again.
  assert.deepEqual(rows, [[3, 1], [3, 1]]);
  await mailer.next(email);
  assert.equal(mailer.to(nobody).length, 0);
});

test('links are of the origin of the policy, whatever a header says', async () => {
  const { email } = await created();
  const headers = { 'X-Forwarded-Host': 'evil.example', 'X-Forwarded-Proto': 'http', Forwarded: 'host=evil.example', 'X-Original-URL': 'https://evil.example/' };
  const asked = await askReset(email, { headers });
  assert.equal(asked.status, 202, asked.text);
  const [mail] = await mailer.next(email);
  assert.ok(mail.link.startsWith(`${ORIGIN}/auth/reset/confirm#`));
  assert.ok(!mail.bytes.includes('evil'));
});

test('of a hundred who use a link at once one does', async () => {
  const { email } = await created();
  const token = await linkTo(email);
  const answers = await Promise.all(Array.from({ length: 100 }, (_, number) => confirm(token, `new password number ${number}`, { ip: freshIp() })));
  const done = answers.flatMap(({ status }, number) => (status === 200 ? [number] : []));
  assert.equal(done.length, 1, JSON.stringify(answers.map(({ status }) => status)));
  for (const answer of answers.filter(({ status }) => status !== 200)) isOver(answer);
  assert.equal((await logIn(email, `new password number ${done[0]}`)).status, 200);
  assert.equal((await mailer.next(email, 2)).filter(({ type }) => type === 'account.password_changed').length, 1);
});

test('a link is over when it is too old, when the password was changed, and when the account is disabled or gone', async () => {
  const old = await created();
  const token = await linkTo(old.email);
  await sessions.wait(901);
  isOver(await confirm(token));

  const changed = await created();
  const before = await linkTo(changed.email);
  await sessions.admin('PATCH', `/accounts/${changed.id}`, { password: 'set by somebody else' });
  isOver(await confirm(before));

  const disabled = await created();
  const meanwhile = await linkTo(disabled.email);
  await sessions.admin('PATCH', `/accounts/${disabled.id}`, { disabled: true });
  isOver(await confirm(meanwhile));
  const { length } = mailer.taken;
  assert.equal((await askReset(disabled.email)).status, 202);
  await sleep(500);
  assert.equal(mailer.taken.length, length, 'one that is disabled gets none');

  const gone = await created();
  const last = await linkTo(gone.email);
  await sessions.admin('DELETE', `/accounts/${gone.id}`);
  isOver(await confirm(last));
  // Of somebody else's account, cut, or made up.
  const own = await linkTo(changed.email, 2);
  for (const wrong of [gone.id + own.slice(22), own.slice(0, 64), `${own}=`, 'x'.repeat(65), '']) isOver(await confirm(wrong, ANOTHER, { ip: freshIp() }));
  assert.equal((await confirm(own)).status, 200);
});

test('a name gets three mails while their links are good, and an address asks for ten in an hour; nobody is told, and the log is', async () => {
  const { email } = await created();
  const from = gate.output.lines.length;
  const answers = [];
  for (let asked = 0; asked < 5; asked += 1) answers.push(await askReset(email));
  for (const answer of answers) assert.deepEqual(bytesOf(answer), bytesOf(answers[0]));
  await mailer.next(email, 3);
  await sleep(300);
  assert.equal(mailer.to(email).length, 3);
  const ip = freshIp();
  const others = [];
  for (let asked = 0; asked < 12; asked += 1) others.push(await created());
  for (const other of others) assert.deepEqual(bytesOf(await askReset(other.email, { ip })), bytesOf(answers[0]));
  await mailer.next(others[9].email);
  await sleep(300);
  assert.deepEqual(others.map((other) => mailer.to(other.email).length), [...Array.from({ length: 10 }, () => 1), 0, 0]);
  const lines = gate.output.lines.slice(from).filter((line) => line.includes('"too_many_mails"'));
  assert.equal(lines.length, 4);
  assert.ok(lines.every((line) => !line.includes('@')));
  // The third is good until the next may be sent.
  await sessions.wait(880);
  const token = tokenOf(mailer.to(email).at(-1));
  isNotValid(await confirm(token, 'short'), [['password', 'Use at least 8 characters']]);
  await sessions.wait(30);
  const next = await linkTo(email, 4);
  isOver(await confirm(token));
  assert.equal((await confirm(next)).status, 200);
});

test('strangers use up the mails that strangers have, and a browser that is known still gets some', async () => {
  const browser = new Browser(sessions);
  const { email: own } = await created();
  assert.equal((await browser.post('/auth/login', { body: { email: own, password: PASSWORD } })).status, 200);
  const [stranger, later, ...others] = await Promise.all(Array.from({ length: 13 }, async () => (await created()).email));
  // Mails come back with time.
  await sessions.test('stopped?value=true');
  try {
    const answers = await Promise.all(Array.from({ length: 90 }, () => askReset(freshEmail())));
    for (const answer of [...answers, await askReset(stranger)]) assert.deepEqual(bytesOf(answer), bytesOf(answers[0]));
    // It has as many as an address has: beyond, it is a stranger.
    for (const email of others) assert.equal((await browser.post('/auth/reset', { body: { email } })).status, 202);
  } finally {
    await sessions.test('stopped?value=false');
  }
  await mailer.next(others[9]);
  await sleep(300);
  assert.deepEqual([stranger, ...others].map((email) => mailer.to(email).length), [0, ...Array.from({ length: 10 }, () => 1), 0]);
  await sessions.wait(61);
  await linkTo(later);
});

test('strangers who ask for links keep the owner’s browser from none', async () => {
  const { email } = await created();
  const owner = new Browser(sessions);
  await owner.post('/auth/login', { body: { email, password: PASSWORD } });
  for (let asked = 0; asked < 4; asked += 1) await askReset(email, { ip: freshIp() });
  await mailer.next(email, 3);
  const from = gate.output.lines.length;
  assert.deepEqual(bytesOf(await owner.post('/auth/reset', { body: { email } }))[1], '{"accepted":true}');
  const mails = await mailer.next(email, 4);
  assert.equal((await confirm(tokenOf(mails[3]))).status, 200);
  // Another name is strange to this browser, which is told nothing of it.
  const { email: other } = await created();
  for (let asked = 0; asked < 4; asked += 1) assert.equal((await owner.post('/auth/reset', { body: { email: other } })).status, 202);
  await mailer.next(other, 3);
  assert.ok(gate.output.lines.slice(from).some((line) => line.includes('"too_many_mails"')));
  assert.equal(mailer.to(other).length, 3);
});

test('links that are tried are counted for each address', async () => {
  const ip = freshIp();
  const wrong = Buffer.alloc(16).toString('base64url') + randomBytes(32).toString('base64url');
  const answers = await Promise.all(Array.from({ length: 40 }, () => confirm(wrong, ANOTHER, { ip })));
  const counts = Object.groupBy(answers, ({ status }) => status);
  assert.deepEqual(Object.entries(counts).map(([status, some]) => [status, some.length]), [['400', 30], ['429', 10]]);
  refused(counts[429][0], 'TOO_MANY_ATTEMPTS', { hint: /^Please try again in 1\d minutes$/ });
});

test('a list of passwords is read only for a form and a link that may be good', async () => {
  const listed = new Sessions(gate, 'listed');
  isNotValid(await confirm('x', ANOTHER, {}, listed), [['token', 'This link is not good, or not any more']]);
  for (const path of ['/auth/reset/confirm', '/auth/register', '/auth/verify-email']) assert.equal((await listed.post(path, { body: 'x' })).status, 400, path);
  // There is none.
  const token = Buffer.alloc(16).toString('base64url') + randomBytes(32).toString('base64url');
  refused(await confirm(token, ANOTHER, {}, listed), 'STORE_UNAVAILABLE');
});

test('another site asks for nothing', async () => {
  const { email } = await created();
  for (const headers of [{ 'Sec-Fetch-Site': 'cross-site' }, { Origin: 'https://evil.example' }]) {
    refused(await askReset(email, { headers }), 'CSRF_REFUSED');
    refused(await confirm('x', ANOTHER, { headers }), 'CSRF_REFUSED');
  }
  const listed = await askReset(email, { headers: { 'Sec-Fetch-Site': 'cross-site', Origin: 'https://app.example.com' } });
  assert.equal(listed.status, 202);
  assert.equal(listed.headers['access-control-allow-origin'], 'https://app.example.com');
});

test('nor where the policy has no cookies: no mail is sent, and no browser is noted as the one that has asked', async () => {
  const tokens = at('tokens');
  const { email } = await created({}, tokens);
  const before = await tokens.counts();
  for (const headers of [{ 'Sec-Fetch-Site': 'cross-site' }, { 'Sec-Fetch-Site': 'same-site' }, { Origin: 'https://evil.example' }, { Origin: 'null' }]) {
    for (const path of ['/auth/reset', '/auth/magic-link', '/auth/register']) {
      // As a form of any page writes it.
      const written = { ...headers, 'Content-Type': 'text/plain' };
      refused(await tokens.post(path, { body: `{"email":"${email}","password":"${PASSWORD}"}`, headers: written }), 'INVALID_REQUEST');
      const asked = await tokens.post(path, { body: { email, ...(path.endsWith('register') && { password: PASSWORD }) }, headers });
      refused(asked, 'CSRF_REFUSED');
      assert.equal(asked.headers['set-cookie'], undefined);
    }
  }
  // A browser that says nothing of its page.
  refused(await tokens.post('/auth/magic-link', { body: `{"email":"${email}"}`, headers: { 'Content-Type': 'text/plain' } }), 'INVALID_REQUEST');
  await sleep(300);
  assert.deepEqual([mailer.to(email), (await tokens.counts()).logins], [[], before.logins]);
  // The page of its own origin does, and so does a program.
  for (const headers of [{ 'Sec-Fetch-Site': 'same-origin' }, {}]) {
    assert.equal((await tokens.post('/auth/magic-link', { body: { email }, headers })).status, 202);
  }
  await mailer.next(email, 2);
});

test('a form is refused field by field', async () => {
  for (const [path, body, details] of [
    ['/auth/reset', {}, [['email', 'Required']]],
    ['/auth/reset', { email: 'nobody' }, [['email', 'Invalid email']]],
    ['/auth/reset/confirm', {}, [['token', 'Required'], ['password', 'Required']]],
  ]) {
    isNotValid(await sessions.post(path, { body }), details);
  }
  const none = new Sessions(gate, 'none');
  refused(await askReset(freshEmail(), {}, none), 'NOT_FOUND');
  refused(await confirm('x', ANOTHER, {}, none), 'NOT_FOUND');
});

test('a mail that is not taken is tried again by its name, and no store and no log has an address or a token', async () => {
  const { email, id } = await created();
  mailer.status = 503;
  const token = await linkTo(email);
  const rows = (await sessions.object('EDGEGATE_LOGINS', shardOf(id), 'X-Dump')).text;
  assert.match(rows, /mail\//);
  for (const secret of [email, email.split('@')[0], token, token.slice(22)]) {
    assert.ok(!rows.includes(secret), secret);
    assert.ok(!gate.output.lines.some((line) => line.includes(secret)), secret);
  }
  assert.ok(gate.output.lines.some((line) => line.includes('the mail account.reset was not taken: status 503')));
  mailer.status = 202;
  await sessions.wait(11);
  await sessions.object('EDGEGATE_LOGINS', shardOf(id), 'X-Alarm');
  const [first, second] = await mailer.next(email, 2);
  assert.equal(first.headers['webhook-id'], second.headers['webhook-id']);
  assert.equal(first.link, second.link);
  assert.doesNotMatch((await sessions.object('EDGEGATE_LOGINS', shardOf(id), 'X-Dump')).text, /mail\//);
  assert.equal((await confirm(token)).status, 200);

  // One that is refused for good is told once.
  const other = await created();
  mailer.status = 400;
  await linkTo(other.email);
  await sleep(200);
  mailer.status = 202;
  assert.ok(gate.output.lines.some((line) => line.includes('the mail account.reset is given up')));
  assert.doesNotMatch((await sessions.object('EDGEGATE_LOGINS', shardOf(other.id), 'X-Dump')).text, /mail\//);
});

test('a mail whose link is over is not sent', async () => {
  const { email, id } = await created();
  mailer.status = 503;
  await linkTo(email);
  mailer.status = 202;
  await sessions.wait(901);
  const from = gate.output.lines.length;
  await sessions.object('EDGEGATE_LOGINS', shardOf(id), 'X-Alarm');
  await until(() => gate.output.lines.slice(from).some((line) => line.includes('the mail account.reset is given up')));
  assert.equal(mailer.to(email).length, 1);
  assert.doesNotMatch((await sessions.object('EDGEGATE_LOGINS', shardOf(id), 'X-Dump')).text, /mail\//);
});

test('a queue and another Worker carry mails too; links open the page of the policy', async () => {
  for (const [name, page] of [['queue', `${ORIGIN}/auth/reset/confirm`], ['service', 'https://app.example.com/new-password?step=2']]) {
    const at = new Sessions(gate, name);
    const { email } = await created({}, at);
    assert.equal((await askReset(email, {}, at)).status, 202);
    const [mail] = await mailer.next(email);
    assert.deepEqual([mail.url, mail.type, mail.from], [`/${name}`, 'account.reset', undefined]);
    assert.equal(mail.link.split('#')[0], page);
    assert.equal((await confirm(tokenOf(mail), ANOTHER, {}, at)).status, 200);
    assert.equal((await mailer.next(email, 2))[1].type, 'account.password_changed');
  }
});

// ---- registration ----

const register = (body, options = {}) => sessions.post('/auth/register', { gate: 'open', body, ...options });
const verify = (body, options = {}) => sessions.post('/auth/verify-email', { gate: 'open', body, ...options });
const at = (name) => new Sessions(gate, name);
const asker = (answer) => `__Host-edgegate-a=${cookiesOf(answer)['__Host-edgegate-a']}`;

test('whoever registers confirms the address in the same browser, and logs in with that password', async () => {
  const email = freshEmail();
  const answer = await register({ email, password: PASSWORD }, { headers: SAME_ORIGIN });
  assert.deepEqual([answer.status, answer.text], [202, '{"accepted":true}']);
  assert.match(answer.headers['set-cookie'][0], /^__Host-edgegate-a=[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict; Max-Age=86400$/);
  const [mail] = await mailer.next(email);
  assert.deepEqual([mail.type, mail.subject], ['account.verify', 'Confirm your address']);
  assert.ok(mail.link.startsWith(`${ORIGIN}/auth/verify-email#token=`) && mail.text.includes('It is good for 24 hours'));
  // Before that there is no account.
  refused(await logIn(email, PASSWORD, {}, at('open')), 'INVALID_CREDENTIALS');
  refused(await at('open').admin('POST', '/accounts/find', { email }), 'NOT_FOUND');
  const done = await verify({ token: tokenOf(mail) }, { headers: { ...SAME_ORIGIN, Cookie: asker(answer) } });
  assert.deepEqual([done.status, done.text], [200, '{"registered":true}']);
  // Strangers who guess keep this browser out of nothing.
  assert.deepEqual(Object.keys(cookiesOf(done)), ['__Host-edgegate-d']);
  const account = (await at('open').admin('POST', '/accounts/find', { email })).json();
  assert.deepEqual([account.is_verified, account.scopes], [true, []]);
  const opened = (await logIn(email, PASSWORD, {}, at('open'))).json();
  admitted(await at('open').get('/v1/posts', { token: opened.access_token }), { subject: account.subject });
  isOver(await verify({ token: tokenOf(mail) }, { headers: { ...SAME_ORIGIN, Cookie: asker(answer) } }));
});

test('whoever registers an address of somebody else has no password there: its owner sets one by the link', async () => {
  const email = freshEmail();
  const attacker = await register({ email, password: 'known to the attacker' }, { headers: SAME_ORIGIN });
  const [mail] = await mailer.next(email);
  for (const headers of [{}, SAME_ORIGIN, { ...SAME_ORIGIN, Cookie: `__Host-edgegate-a=${randomBytes(32).toString('base64url')}` }]) {
    isNotValid(await verify({ token: tokenOf(mail) }, { headers }), [['password', 'Required']]);
  }
  isNotValid(await verify({ token: tokenOf(mail), password: 'short' }), [['password', 'Use at least 8 characters']]);
  assert.equal((await verify({ token: tokenOf(mail), password: ANOTHER })).status, 200);
  refused(await logIn(email, 'known to the attacker', {}, at('open')), 'INVALID_CREDENTIALS');
  assert.equal((await logIn(email, ANOTHER, {}, at('open'))).status, 200);
  isOver(await verify({ token: tokenOf(mail) }, { headers: { ...SAME_ORIGIN, Cookie: asker(attacker) } }));
});

test('registrations of others are in nobody’s way, and the first that is confirmed ends them', async () => {
  const email = freshEmail();
  await register({ email, password: 'known to the attacker' });
  await register({ email, password: PASSWORD });
  const [first, second] = await mailer.next(email, 2);
  const answers = await Promise.all([first, second, second, second].map((mail) => verify({ token: tokenOf(mail), password: ANOTHER })));
  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
  for (const answer of answers.filter(({ status }) => status !== 200)) isOver(answer);
});

test('who registers learns nothing of who has an account, whose owner is told', async () => {
  const { email } = await created({}, at('open'));
  const nobody = freshEmail();
  const answers = [];
  for (const name of [email, nobody]) answers.push(await register({ email: name, password: ANOTHER }));
  assert.deepEqual(bytesOf(answers[0]), bytesOf(answers[1]));
  const [exists] = await mailer.next(email);
  assert.deepEqual([exists.type, exists.link, exists.expires_in], ['account.exists', undefined, undefined]);
  assert.equal((await mailer.next(nobody))[0].type, 'account.verify');
  refused(await logIn(email, ANOTHER, {}, at('open')), 'INVALID_CREDENTIALS');
  assert.equal((await logIn(email, PASSWORD, {}, at('open'))).status, 200);
});

test('the link of one use is none of another, and a registration waits a day', async () => {
  const email = freshEmail();
  await register({ email, password: PASSWORD });
  const [mail] = await mailer.next(email);
  isOver(await sessions.post('/auth/reset/confirm', { gate: 'open', body: { token: tokenOf(mail), password: ANOTHER } }));
  isNotValid(await register({ email, password: ANOTHER, invitation: tokenOf(mail) }), [['invitation', 'This link is not good, or not any more']]);
  const { email: other } = await created({}, at('open'));
  await sessions.post('/auth/reset', { gate: 'open', body: { email: other } });
  const [reset] = await mailer.next(other);
  isOver(await verify({ token: tokenOf(reset), password: ANOTHER }));
  const open = at('open');
  await open.wait(86_401);
  isOver(await verify({ token: tokenOf(mail), password: ANOTHER }));
});

test('an administrator invites: the link sets the password of this address alone, once', async () => {
  const invited = at('invited');
  const invite = (body, options) => invited.admin('POST', '/accounts/invite', body, options);
  const email = freshEmail();
  const made = await invite({ email, scopes: ['write:posts'] });
  assert.equal(made.status, 201, made.text);
  assert.deepEqual([made.json().invited, made.json().disabled, made.json().is_verified], [true, false, false]);
  const [mail] = await mailer.next(email);
  assert.deepEqual([mail.type, mail.link.split('#')[0]], ['account.invitation', `${ORIGIN}/auth/register`]);
  assert.ok(mail.text.includes('It is good for 7 days'));
  const accept = (body, options = {}) => invited.post('/auth/register', { body, ...options });
  isNotValid(await accept({ email, password: PASSWORD }), [['invitation', 'Required']]);
  isNotValid(await accept({ email: freshEmail(), password: PASSWORD, invitation: tokenOf(mail) }), [['invitation', 'This link is not good, or not any more']]);
  refused(await logIn(email, PASSWORD, {}, invited), 'INVALID_CREDENTIALS');
  const answers = await Promise.all(Array.from({ length: 20 }, () => accept({ email, password: PASSWORD, invitation: tokenOf(mail) })));
  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
  const opened = (await logIn(email, PASSWORD, {}, invited)).json();
  admitted(await invited.get('/v1/posts', { token: opened.access_token }), { scopes: ['read:posts', 'write:posts'] });
  const account = (await invited.admin('GET', `/accounts/${made.json().id}`)).json();
  assert.deepEqual([account.invited, account.is_verified], [undefined, true]);
  refused(await invite({ email }), 'INVALID_REQUEST', { hint: 'email: has an account already' });
  // Once more, for one who has not come: the first link goes on.
  const late = freshEmail();
  await invite({ email: late });
  const again = await invite({ email: late, scopes: ['write:posts'] });
  assert.deepEqual(again.json().scopes, ['write:posts']);
  const [first] = await mailer.next(late, 2);
  assert.equal((await accept({ email: late, password: PASSWORD, invitation: tokenOf(first) })).status, 200);
  const stranger = await invited.post('/auth/admin/accounts/invite', { body: { email: freshEmail() }, token: 'x'.repeat(64) });
  refused(stranger, 'INVALID_TOKEN');
});

test('where registration is closed nobody registers and nobody is invited', async () => {
  refused(await sessions.post('/auth/register', { body: { email: freshEmail(), password: PASSWORD } }), 'NOT_FOUND');
  refused(await sessions.post('/auth/verify-email', { body: { token: 'x' } }), 'NOT_FOUND');
  refused(await sessions.admin('POST', '/accounts/invite', { email: freshEmail() }), 'NOT_FOUND');
});

// ---- logins by a link ----

const askLink = (email, options = {}) => sessions.post('/auth/magic-link', { gate: 'by-link', body: { email }, ...options });
const byLink = (body, options = {}) => sessions.post('/auth/magic-link/confirm', { gate: 'by-link', body, ...options });
const elsewhere = [['token', 'Open this link in the browser that asked for it']];
const claimsOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));

/** Asks for a link as a browser does, and returns its token, and what this browser sends. */
async function magicLink(email, headers = SAME_ORIGIN, count = 1) {
  const asked = await askLink(email, { headers });
  assert.deepEqual([asked.status, asked.text], [202, '{"accepted":true}']);
  const mails = await mailer.links(email, count);
  return { token: tokenOf(mails.at(-1)), mail: mails.at(-1), headers: { ...headers, Cookie: asker(asked) } };
}

test('a link logs in the browser that has asked for it, once', async () => {
  const { email, subject } = await created({}, linked);
  const { token, mail, headers } = await magicLink(email);
  assert.deepEqual([mail.type, mail.subject, mail.link.split('#')[0]], ['account.magic_link', 'Log in', `${ORIGIN}/auth/magic-link/confirm`]);
  assert.ok(mail.expires_in > 890 && mail.expires_in <= 900);
  const answers = await Promise.all(Array.from({ length: 30 }, () => byLink({ token }, { headers, ip: freshIp() })));
  const done = answers.filter(({ status }) => status === 200);
  assert.equal(done.length, 1, JSON.stringify(answers.map(({ status }) => status)));
  for (const answer of answers.filter(({ status }) => status !== 200)) isOver(answer);
  const { [AT]: access } = cookiesOf(done[0]);
  admitted(await linked.get('/v1/posts', { headers: { Cookie: `${AT}=${access}`, ...SAME_ORIGIN } }), { subject });
  // Links of other uses log nobody in.
  const reset = await sessions.post('/auth/reset', { gate: 'by-link', body: { email } });
  assert.equal(reset.status, 202);
  isOver(await byLink({ token: tokenOf((await mailer.next(email, 2))[1]) }, { headers }));
});

test('a link has with it where it leads, if that is a path of this origin', async () => {
  for (const [return_to, behind] of [
    ['/v1/posts?page=2', '&return_to=%2Fv1%2Fposts%3Fpage%3D2'],
    ['https://evil.example/', ''], ['//evil.example', ''], ['/auth/logout', ''], [`/${'a'.repeat(1100)}`, ''],
  ]) {
    const { email } = await created({}, linked);
    const asked = await askLink(email, { body: { email, return_to }, headers: SAME_ORIGIN });
    assert.deepEqual([asked.status, asked.text], [202, '{"accepted":true}']);
    const [{ link }] = await mailer.next(email, 1);
    assert.equal(link.replace(/^[^#]*#token=[\w-]+/, ''), behind, return_to);
  }
});

test('a program keeps the cookie too, and no password is said to be shown', async () => {
  const { email, subject } = await created({}, linked);
  const { token, headers } = await magicLink(email, {});
  const { access_token } = (await byLink({ token }, { headers })).json();
  admitted(await linked.get('/v1/posts', { token: access_token }), { subject });
  const { amr, acr, auth_time } = claimsOf(access_token);
  assert.deepEqual([amr, acr, typeof auth_time], [undefined, undefined, 'number']);
});

test('in another browser a link logs nobody in, and stays good', async () => {
  const { email } = await created({}, linked);
  const { token, headers } = await magicLink(email);
  const other = { ...SAME_ORIGIN, Cookie: `__Host-edgegate-a=${randomBytes(32).toString('base64url')}` };
  const twice = { ...SAME_ORIGIN, Cookie: `${headers.Cookie}; ${headers.Cookie}` };
  for (const wrong of [{}, SAME_ORIGIN, other, twice]) {
    const answer = await byLink({ token }, { headers: wrong });
    isNotValid(answer, elsewhere);
    assert.equal(answer.headers['set-cookie'], undefined);
  }
  // Nor does it say of a link that is made up where it was asked for.
  isOver(await byLink({ token: token.slice(0, 22) + randomBytes(32).toString('base64url') }, { headers: other }));
  refused(await byLink({ token }, { headers: { 'Sec-Fetch-Site': 'cross-site', Cookie: headers.Cookie } }), 'CSRF_REFUSED');
  refused(await askLink(email, { headers: { 'Sec-Fetch-Site': 'cross-site' } }), 'CSRF_REFUSED');
  assert.equal((await byLink({ token }, { headers })).status, 200);
});

test('a link is over when it is too old, and when the account is another one', async () => {
  const { email, id } = await created({}, linked);
  const old = await magicLink(email);
  await linked.wait(901);
  isOver(await byLink({ token: old.token }, { headers: old.headers }));
  const before = await magicLink(email, SAME_ORIGIN, 2);
  await linked.admin('PATCH', `/accounts/${id}`, { password: ANOTHER });
  isOver(await byLink({ token: before.token }, { headers: before.headers }));
  const meanwhile = await magicLink(email, SAME_ORIGIN, 3);
  await linked.admin('PATCH', `/accounts/${id}`, { disabled: true });
  isOver(await byLink({ token: meanwhile.token }, { headers: meanwhile.headers }));
});

test('who is nobody, not confirmed or disabled gets none, and the answer is the same', async () => {
  const [known, strange, disabled] = [await created({}, linked), await created({ verified: false }, linked), await created({}, linked)];
  await linked.admin('PATCH', `/accounts/${disabled.id}`, { disabled: true });
  const headers = { Cookie: `__Host-edgegate-a=${randomBytes(32).toString('base64url')}` };
  const answers = [];
  for (const email of [known.email, strange.email, disabled.email, freshEmail()]) answers.push(await askLink(email, { headers }));
  for (const answer of answers) assert.deepEqual(bytesOf(answer), bytesOf(answers[0]));
  await mailer.next(known.email);
  await sleep(500);
  assert.deepEqual([strange, disabled].map(({ email }) => mailer.to(email).length), [0, 0]);
});

test('a link asks for the second factor as a password does', async () => {
  const { email } = await created({}, linked);
  const opened = (await logIn(email, PASSWORD, {}, linked)).json();
  const { secret } = (await linked.post('/auth/mfa/totp', { token: opened.access_token, body: {} })).json();
  const confirmed = await linked.post('/auth/mfa/totp/confirm', { token: opened.access_token, body: { code: shown(secret, linked.ahead), password: PASSWORD } });
  assert.equal(confirmed.status, 200, confirmed.text);
  const { recovery_codes: codes } = confirmed.json();
  for (const [count, factor, amr] of [
    [1, () => ({ code: shown(secret, linked.ahead + 30_000) }), ['otp', 'mfa']],
    [2, () => ({ recovery_code: codes[0] }), ['mfa']],
  ]) {
    const { token, headers } = await magicLink(email, {}, count);
    const answer = await byLink({ token }, { headers });
    refused(answer, 'MFA_REQUIRED');
    const { mfa_token } = answer.json();
    isOver(await byLink({ token }, { headers }));
    const done = await linked.post('/auth/mfa', { body: { mfa_token, ...factor() } });
    assert.equal(done.status, 200, done.text);
    const claims = claimsOf(done.json().access_token);
    assert.deepEqual([claims.amr, claims.acr], [amr, 'mfa']);
  }
});

test('a passkey after a link is what it is alone', async () => {
  const { email } = await created({}, linked);
  const { access_token: token } = (await logIn(email, PASSWORD, {}, linked)).json();
  const authenticator = new Authenticator();
  const creation = (await linked.post('/auth/mfa/passkeys/options', { token, body: { name: email } })).json();
  const added = await linked.post('/auth/mfa/passkeys', { token, body: { credential: authenticator.create(creation), password: PASSWORD } });
  assert.ok([201, 202].includes(added.status), added.text);
  const { token: link, headers } = await magicLink(email, {});
  const { mfa_token, methods } = (await byLink({ token: link }, { headers })).json();
  assert.deepEqual(methods, ['recovery_code', 'passkey']);
  const passkey = authenticator.get((await linked.post('/auth/passkey/options')).json());
  const done = await linked.post('/auth/mfa', { body: { mfa_token, passkey } });
  assert.equal(done.status, 200, done.text);
  assert.deepEqual(claimsOf(done.json().access_token).amr, ['pop', 'user', 'mfa']);
});

test('where the policy does not say so nobody logs in by a link', async () => {
  refused(await sessions.post('/auth/magic-link', { body: { email: freshEmail() } }), 'NOT_FOUND');
  refused(await sessions.post('/auth/magic-link/confirm', { body: { token: 'x' } }), 'NOT_FOUND');
  isNotValid(await askLink('nobody'), [['email', 'Invalid email']]);
  isNotValid(await byLink({}), [['token', 'Required']]);
});
test('an invitation that is over opens nothing, and a link to a new password does not in its place', async () => {
  const invited = at('invited');
  const email = freshEmail();
  assert.equal((await invited.admin('POST', '/accounts/invite', { email })).status, 201);
  const [invitation] = await mailer.next(email);
  await invited.wait(7 * 86_400 + 1);
  const late = await invited.post('/auth/register', { body: { email, password: PASSWORD, invitation: tokenOf(invitation) } });
  isNotValid(late, [['invitation', 'This link is not good, or not any more']]);
  assert.equal((await askReset(email, {}, invited)).status, 202);
  await sleep(500);
  assert.deepEqual(mailer.to(email).map(({ type }) => type), ['account.invitation']);
  refused(await logIn(email, PASSWORD, {}, invited), 'INVALID_CREDENTIALS');
});

test('where registration is closed nobody registers and nobody is invited', async () => {
  refused(await sessions.post('/auth/register', { body: { email: freshEmail(), password: PASSWORD } }), 'NOT_FOUND');
  refused(await sessions.post('/auth/verify-email', { body: { token: 'x' } }), 'NOT_FOUND');
  refused(await sessions.admin('POST', '/accounts/invite', { email: freshEmail() }), 'NOT_FOUND');
});
