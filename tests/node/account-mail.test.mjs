// Mails of accounts in the npm package: by a function of the application and by a webhook, over memory and over a real Redis.

import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { guard as guardLambda } from '../../pkg/wasm/lambda.js';
import { memoryStore, redisStore } from '../../pkg/wasm/node.js';
import { SECRETS, freshIp } from '../worker/harness.mjs';
import { accountPolicy } from './account-gate.mjs';
import { gateOf } from './gate.mjs';
import { CLIENTS, startRedis } from './redis-server.mjs';
import { sessionSecrets } from './session-gate.mjs';

const PASSWORD = 'quiet river, late boat';
const ANOTHER = 'seven slow bicycles';
const SAME_ORIGIN = { 'sec-fetch-site': 'same-origin' };
const HOOK_SECRET = `whsec_${randomBytes(32).toString('base64')}`;
const FUNCTION = { kind: 'function', from: 'Example <no-reply@example.com>' };
const secrets = { ...sessionSecrets(), ACCOUNTS_SECRET: SECRETS.ACCOUNTS_SECRET, HOOK_SECRET };

let last = 0;
const freshEmail = () => `person-${++last}-${randomBytes(4).toString('hex')}@example.com`;

/** Keeps mails, as somebody's mailer does. `fails` of them are not taken first. */
class Mailer {
  taken = [];
  tried = [];
  fails = 0;

  send = async (mail) => {
    this.tried.push(mail);
    if (this.fails > 0) {
      this.fails -= 1;
      throw new Error('is on fire');
    }
    this.taken.push(mail);
  };

  to(email) {
    return this.taken.filter(({ to }) => to === email);
  }

  async next(email, count = 1) {
    for (let tries = 0; tries < 400; tries += 1) {
      if (this.to(email).length >= count) return this.to(email);
      await sleep(10);
    }
    throw new Error(`no mail to ${email}: ${JSON.stringify(this.tried.slice(-5))}`);
  }
}

const CHANGES = { registration: 'open', magic_link: true };

/** A gate that sends mails by a function, unless `mail` says how else. */
function mailGate({ mail = FUNCTION, accounts = CHANGES, stores = {}, mailer = new Mailer(), now, ...rest } = {}) {
  const made = gateOf({
    policy: accountPolicy({}, { mail, ...accounts }), secrets, ...(mail.kind === 'function' && { mail: mailer.send }),
    stores: { sessions: memoryStore(), accounts: memoryStore(), ...stores }, ...(now && { now }), ...rest,
  });
  const ask = async (path, body, { headers = {}, ip = freshIp(), method = 'POST' } = {}) => {
    const asked = { method, url: `https://api.example.com${path}`, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
    const { status, headers: fields, body: text } = await made.gate.handle(asked, { clientIp: ip });
    return { status, headers: fields, text, json: () => JSON.parse(text) };
  };
  const created = async (more = {}) => {
    const email = freshEmail();
    return { email, ...await made.gate.accounts.create({ email, password: PASSWORD, verified: true, ...more }) };
  };
  return { ...made, mailer, ask, created, logIn: (email, password = PASSWORD, options = {}) => ask('/auth/login', { email, password }, options) };
}

const codeOf = (answer) => `${answer.status} ${answer.json().code}`;
const refused = (answer, code) => assert.equal(codeOf(answer), code, answer.text);
const done = (answer) => assert.ok([200, 201, 202].includes(answer.status), answer.text);
const tokenOf = ({ link }) => link.split('#token=')[1];
const cookiesIn = ({ headers }) => headers.filter(([name]) => name === 'Set-Cookie').map(([, value]) => value.split(';')[0]).join('; ');
const isOver = (answer) => {
  refused(answer, '400 INVALID_REQUEST');
  assert.deepEqual(answer.json().details, [{ field: 'token', message: 'This link is not good, or not any more' }]);
};
const counted = (answers) => {
  const counts = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
};

/** What holds over any store. `make` makes a gate over the same one. */
function flows(make) {
  test('who has forgotten the password sets a new one by a link, once, and is told', async () => {
    const { ask, created, logIn, mailer } = make();
    const { email } = await created();
    const opened = (await logIn(email)).json();
    done(await ask('/auth/reset', { email }));
    const [mail] = await mailer.next(email);
    assert.deepEqual([mail.type, mail.from, mail.expiresIn, mail.subject], ['account.reset', 'Example <no-reply@example.com>', 900, 'Set a new password']);
    assert.match(mail.id, /^mail_[\w-]{22}$/);
    assert.match(mail.link, /^https:\/\/api\.example\.com\/auth\/reset\/confirm#token=/);
    assert.ok(mail.text.includes(mail.link) && mail.html.includes(mail.link));
    done(await ask('/auth/reset/confirm', { token: tokenOf(mail), password: ANOTHER }));
    isOver(await ask('/auth/reset/confirm', { token: tokenOf(mail), password: 'another new password' }));
    assert.equal((await mailer.next(email, 2))[1].type, 'account.password_changed');
    refused(await ask('/auth/refresh', { refreshToken: opened.refresh_token }), '401 INVALID_REFRESH_TOKEN');
    refused(await logIn(email), '401 INVALID_CREDENTIALS');
    assert.equal((await logIn(email, ANOTHER)).status, 200);
  });

  test('the owner is told of each change of what lets somebody in, and of nothing that came to nothing', async () => {
    const { gate, ask, created, logIn, mailer } = make();
    const { email, id } = await created();
    const headers = { authorization: `Bearer ${(await logIn(email)).json().access_token}` };
    refused(await ask('/auth/password', { password: 'another password', new_password: ANOTHER }, { headers }), '401 INVALID_CREDENTIALS');
    done(await ask('/auth/password', { password: PASSWORD, new_password: ANOTHER }, { headers }));
    const [mail] = await mailer.next(email);
    assert.deepEqual([mail.type, mail.link, mail.expiresIn], ['account.password_changed', undefined, undefined]);
    await gate.accounts.update(id, { dropFactors: true });
    assert.equal((await mailer.next(email, 2))[1].type, 'account.factors_removed');
    assert.equal(mailer.to(email).length, 2);
  });

  test('people register, and an address that has an account is told of it', async () => {
    const { ask, logIn, mailer } = make();
    const email = freshEmail();
    const asked = await ask('/auth/register', { email, password: PASSWORD });
    refused(await logIn(email), '401 INVALID_CREDENTIALS');
    const [mail] = await mailer.next(email);
    assert.equal(mail.type, 'account.verify');
    done(await ask('/auth/verify-email', { token: tokenOf(mail), password: PASSWORD }));
    assert.equal((await logIn(email)).status, 200);
    const again = await ask('/auth/register', { email, password: ANOTHER });
    assert.deepEqual([again.status, again.headers, again.text], [asked.status, asked.headers, asked.text]);
    const [, exists] = await mailer.next(email, 2);
    assert.deepEqual([exists.type, exists.link, exists.expiresIn], ['account.exists', undefined, undefined]);
  });

  test('who is invited registers by the link', async () => {
    const { ask, gate, logIn, mailer } = make();
    const email = freshEmail();
    const invited = await gate.accounts.invite({ email, scopes: ['write:posts'] });
    assert.deepEqual([invited.invited, invited.scopes], [true, ['write:posts']]);
    const [mail] = await mailer.next(email);
    assert.equal(mail.type, 'account.invitation');
    done(await ask('/auth/register', { email, password: PASSWORD, invitation: tokenOf(mail) }));
    assert.equal((await logIn(email)).status, 200);
    assert.equal((await gate.accounts.find(email)).id, invited.id);
  });

  test('a link logs in the browser that has asked for it, and no other', async () => {
    const { ask, created, mailer } = make();
    const { email } = await created();
    const asked = await ask('/auth/magic-link', { email }, { headers: SAME_ORIGIN });
    done(asked);
    const token = tokenOf((await mailer.next(email))[0]);
    refused(await ask('/auth/magic-link/confirm', { token }, { headers: SAME_ORIGIN }), '400 INVALID_REQUEST');
    const headers = { ...SAME_ORIGIN, cookie: cookiesIn(asked) };
    const opened = await ask('/auth/magic-link/confirm', { token }, { headers });
    assert.equal(opened.status, 200, opened.text);
    assert.match(cookiesIn(opened), /__Host-edgegate-rt=/);
    isOver(await ask('/auth/magic-link/confirm', { token }, { headers }));
  });

  test('of a hundred that use a link at once one does', async () => {
    const { ask, created, mailer } = make();
    const { email } = await created();
    done(await ask('/auth/reset', { email }));
    const token = tokenOf((await mailer.next(email))[0]);
    const all = await Promise.all(Array.from({ length: 100 }, () => ask('/auth/reset/confirm', { token, password: ANOTHER })));
    const counts = counted(all);
    assert.equal((counts[200] ?? 0) + (counts[202] ?? 0), 1, JSON.stringify(counts));
    assert.deepEqual(Object.keys(counts).filter((status) => !['200', '202', '400', '503'].includes(status)), []);
    await mailer.next(email, 2);
    await sleep(100);
    assert.deepEqual(mailer.to(email).map(({ type }) => type), ['account.reset', 'account.password_changed']);
  });

  test('an address that nobody has is answered byte by byte as one that somebody has, and written as much', async () => {
    const { ask, created, mailer } = make();
    const { email } = await created();
    for (const path of ['/auth/reset', '/auth/magic-link']) {
      const cookieless = ({ status, headers, text }) => [status, headers.filter(([name]) => name !== 'Set-Cookie'), text];
      const [known, nobody] = [await ask(path, { email }), await ask(path, { email: freshEmail() })];
      assert.equal(known.status, 202);
      assert.deepEqual(cookieless(nobody), cookieless(known));
      assert.deepEqual(nobody.headers.map(([name]) => name), known.headers.map(([name]) => name));
    }
    await mailer.next(email, 2);
    await sleep(50);
    assert.equal(mailer.tried.length, 2);
  });
}

describe('over memory', () => {
  flows(() => mailGate());

  test('one that was not taken is tried again, later each time, and the log does not say to whom', async () => {
    const { gate, ask, clock, created, events, mailer } = mailGate();
    const { email } = await created();
    mailer.fails = 2;
    done(await ask('/auth/reset', { email }));
    const tried = async (times) => {
      for (let waits = 0; mailer.tried.length < times && waits < 100; waits += 1) await sleep(10);
      // Nobody tries it too early.
      await sleep(30);
      assert.equal(mailer.tried.length, times);
    };
    // Any step of the account finds what is due.
    const later = async (secs) => {
      clock.now += secs;
      await gate.accounts.find(email);
    };
    await tried(1);
    await later(9);
    await tried(1);
    await later(2);
    await tried(2);
    await later(29);
    await tried(2);
    await later(2);
    await tried(3);
    assert.equal(mailer.taken.length, 1);
    assert.equal(new Set(mailer.tried.map(({ id }) => id)).size, 1);
    assert.equal(mailer.taken[0].expiresIn, 900 - 42);
    const faults = events.filter(({ event }) => event === 'fault').map(({ detail }) => detail);
    assert.deepEqual(faults, Array(2).fill('accounts: the mail account.reset was not taken: it failed'));
    await later(3600);
    await tried(3);
  });

  test('one that is never taken is given up when its link is over', async () => {
    const { gate, ask, clock, created, events, mailer } = mailGate();
    const { email } = await created();
    mailer.fails = Infinity;
    done(await ask('/auth/reset', { email }));
    for (let step = 0; step < 40; step += 1) {
      await sleep(10);
      clock.now += 60;
      await gate.accounts.find(email);
    }
    await sleep(20);
    assert.equal(mailer.tried.length, 5);
    assert.equal(events.filter(({ detail }) => detail === 'accounts: the mail account.reset is given up').length, 1);
    assert.ok(!JSON.stringify(events).includes(email));
  });

  test('a program that ends sends what it has asked for first', async () => {
    const { gate, mailer } = mailGate();
    const email = freshEmail();
    await gate.accounts.invite({ email });
    await gate.close();
    assert.equal(mailer.to(email).length, 1);
  });

  test('a platform that waits behind an answer waits for its mail, and the answer does not', async () => {
    const { gate, created, mailer } = mailGate();
    const { email } = await created();
    const waits = [];
    const asked = { method: 'POST', url: 'https://api.example.com/auth/reset', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ email }) };
    const answer = await gate.handle(asked, { clientIp: freshIp(), waitUntil: (promise) => waits.push(promise) });
    assert.deepEqual([answer.status, mailer.tried.length], [202, 0]);
    await Promise.all(waits);
    assert.equal(mailer.to(email).length, 1);
  });

  test('a function of Lambda sends a mail before it stops, and its answer waits as long for one to nobody', async () => {
    let slow = 0;
    const mailer = new Mailer();
    const { gate, created } = mailGate({ mailer: Object.assign(mailer, { send: async (mail) => { await sleep(slow); mailer.taken.push(mail); } }) });
    const { email } = await created();
    const handler = guardLambda(gate, async () => ({ statusCode: 404 }));
    const ask = async (to) => {
      const begun = performance.now();
      const { statusCode } = await handler({
        version: '2.0', rawPath: '/auth/reset', rawQueryString: '', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ email: to }),
        requestContext: { http: { method: 'POST', path: '/auth/reset', sourceIp: freshIp() } },
      }, {});
      assert.equal(statusCode, 202);
      return Math.round((performance.now() - begun) / 500);
    };
    assert.equal(await ask(email), 2);
    assert.equal(mailer.to(email).length, 1);
    slow = 3000;
    assert.deepEqual([await ask(freshEmail()), await ask(email)], [2, 2]);
  });

  test('whoever asks for one too many is told nothing, and the log is', async () => {
    const { ask, created, events, mailer } = mailGate();
    const { email } = await created();
    const answers = [];
    for (let count = 0; count < 4; count += 1) answers.push(await ask('/auth/reset', { email }));
    assert.equal(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size, 1);
    await mailer.next(email, 3);
    await sleep(50);
    assert.equal(mailer.to(email).length, 3);
    assert.equal(events.filter(({ event, reason }) => event === 'refused' && reason === 'too_many_mails').length, 1, JSON.stringify(events));
  });

  test('neither the stores nor the log have an address or a token while a mail waits', async () => {
    const store = memoryStore();
    const { ask, created, events, mailer } = mailGate({ stores: { accounts: store, sessions: store } });
    const { email } = await created();
    mailer.fails = 1;
    done(await ask('/auth/reset', { email }));
    for (let waits = 0; mailer.tried.length < 1 && waits < 100; waits += 1) await sleep(10);
    const { keys } = await store.list('', { limit: 1000 });
    const texts = [...keys, ...await store.get(keys), JSON.stringify(events)].join('\n');
    assert.match(texts, /"mail\//);
    assert.ok(!texts.includes(email) && !texts.includes(tokenOf(mailer.tried[0]).slice(-20)));
  });

  test('a policy without mail has no links', async () => {
    const { gate } = gateOf({ policy: accountPolicy(), secrets, stores: { sessions: memoryStore(), accounts: memoryStore() } });
    const answer = await gate.handle({ method: 'POST', url: 'https://api.example.com/auth/reset', headers: {}, body: '{"email":"ada@example.com"}' });
    assert.equal(answer.status, 404);
    await assert.rejects(gate.accounts.invite({ email: freshEmail() }), ({ code, path }) => code === 'CONFIG_ERROR' && path === 'accounts.registration');
  });
});

describe('by a webhook', () => {
  let server;
  let hook;
  const taken = [];
  let statuses = [];
  before(async () => {
    server = http.createServer(async (request, response) => {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      taken.push({ headers: request.headers, text: Buffer.concat(chunks).toString() });
      const status = statuses.shift() ?? 202;
      response.writeHead(status, status === 302 ? { location: '/elsewhere' } : {}).end();
    });
    await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
    hook = { kind: 'webhook', url: `http://127.0.0.1:${server.address().port}/secret-path`, secret: 'HOOK_SECRET' };
  });
  after(() => server.close());

  test('a mail is signed, tried again after 500, a redirect and none, and given up after 410', async () => {
    const { gate, ask, clock, created, events } = mailGate({ mail: hook });
    const { email } = await created();
    statuses = [500, 302, 202, 410];
    const count = async (times) => {
      for (let waits = 0; taken.length < times && waits < 200; waits += 1) await sleep(10);
      await sleep(30);
      assert.equal(taken.length, times);
    };
    done(await ask('/auth/reset', { email }));
    await count(1);
    for (const [secs, times] of [[11, 2], [31, 3], [3000, 3]]) {
      clock.now += secs;
      await gate.accounts.find(email);
      await count(times);
    }
    for (const { headers, text } of taken) {
      assert.equal(JSON.parse(text).to, email);
      const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${text}`;
      const expected = createHmac('sha256', Buffer.from(HOOK_SECRET.slice(6), 'base64')).update(signed).digest('base64');
      assert.equal(headers['webhook-signature'], `v1,${expected}`);
    }
    assert.equal(new Set(taken.map(({ headers }) => headers['webhook-id'])).size, 1);
    done(await ask('/auth/reset', { email }));
    await count(4);
    const faults = events.filter(({ event }) => event === 'fault').map(({ detail }) => detail.replace('accounts: the mail account.reset ', ''));
    assert.deepEqual(faults, ['was not taken: status 500', 'was not taken: status 302', 'was not taken: status 410', 'is given up']);
    assert.ok(!JSON.stringify(events).includes('secret-path'));
  });
});

describe('over Redis', () => {
  let redis;
  let client;
  let close;
  before(async () => {
    redis = await startRedis();
    ({ client, close } = await CLIENTS.redis(redis.port));
  });
  after(async () => {
    await close?.();
    await redis?.stop();
  });

  const storesOf = (prefix) => {
    const store = redisStore(client, { prefix });
    return { sessions: store, accounts: store, revocation: store, counters: store, keys: store };
  };

  flows(() => mailGate({ stores: storesOf(`${++last}:`) }));

  test('of several gates that share a store one sends a mail', async () => {
    const stores = storesOf('several:');
    const mailer = new Mailer();
    const gates = Array.from({ length: 4 }, () => mailGate({ stores, mailer }));
    const people = await Promise.all(Array.from({ length: 5 }, () => gates[0].created()));
    // Each gate hears of what waits, by steps of the same rows.
    await Promise.all(people.map(({ email }, index) => gates[index % 4].ask('/auth/reset', { email })));
    await Promise.all(gates.flatMap(({ gate }) => people.map(({ email }) => gate.accounts.find(email))));
    for (const { email } of people) await mailer.next(email);
    await sleep(200);
    assert.equal(mailer.tried.length, people.length);
  });

  test('a mail that a gate has taken and never sent is sent by another', async () => {
    const stores = storesOf('dead:');
    const stuck = mailGate({ stores, mailer: Object.assign(new Mailer(), { send: () => new Promise(() => {}) }) });
    const { email } = await stuck.created();
    done(await stuck.ask('/auth/reset', { email }));
    await sleep(200);
    const other = mailGate({ stores });
    await other.gate.accounts.find(email);
    await sleep(100);
    assert.equal(other.mailer.tried.length, 0);
    other.clock.now += 31;
    await other.gate.accounts.find(email);
    await other.mailer.next(email);
  });
});
