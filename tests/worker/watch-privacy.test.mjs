// Nothing of who calls is told: a string that is nowhere else in each thing that a request can bring, and none of them in what the gate
// tells of it, with the settings as they are by default. What the operator has written is told, which shows that the scan sees all of it.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { SECRETS, apiKey, start, token } from './harness.mjs';
import { Intakes } from './intakes.mjs';
import { Sessions, sessionPolicy, sessionWorker } from './sessions.mjs';

const KEYS = { sentry: randomBytes(16).toString('hex'), datadog: randomBytes(16).toString('hex'), otlp: `Bearer ${randomBytes(16).toString('hex')}` };
/** Small letters and digits: whatever is done to a URL or the name of a header, they stay as they are. */
const canary = () => `cn${randomBytes(10).toString('hex')}`;

/** What each request brings. */
const sent = Object.fromEntries([
  'path', 'query', 'header', 'agent', 'referer', 'cookie name', 'cookie', 'body', 'forwarded', 'request id', 'forged subject', 'forged claim', 'forged kid',
  'subject', 'claim', 'jti', 'session id', 'key name', 'owner', 'forged key', 'password', 'email', 'guessed email', 'guessed password',
  'refresh token', 'proof', 'administrator', 'revoked subject', 'method', 'basic',
].map((name) => [name, canary()]));

/** Where callers are: in documents' networks, so that nobody is meant. */
const ADDRESSES = { 'address': '203.0.113.77', 'another address': '198.51.100.91', 'address of version 6': '2001:db8:77:88:99:aa:bb:cc' };

/** The event log is the operator's own, and says from where a refused request came; with `log = "all"` also who was let in (SECURITY.md). */
const IN_LOG = ['address', 'another address'];

/** A word of the policy. */
const PLANTED = canary();

/** The forms in which a string may be there. */
function forms(text) {
  const base64 = [0, 1, 2].map((shift) => Buffer.from(' '.repeat(shift) + text).toString('base64').slice(shift === 0 ? 0 : 4).replace(/=+$/, '').slice(0, -2));
  return [text, text.toUpperCase(), encodeURIComponent(text), Buffer.from(text).toString('hex'), ...base64, ...base64.map((one) => one.replaceAll('+', '-').replaceAll('/', '_'))];
}

/** What is found of these strings, with the place. */
function scan(places, strings) {
  return Object.entries(places).flatMap(([place, text]) => Object.entries(strings)
    .filter(([, string]) => forms(string).some((form) => text.includes(form)))
    .map(([what]) => `${what} in ${place}`));
}

let intakes;
let gate;
/** What was told, by place. */
let told;
/** Whole credentials, which the gate made. */
const credentials = {};

before(async () => {
  intakes = await new Intakes(KEYS).listen();
  const { origin, host } = intakes;
  const secrets = {
    ...SECRETS, HOOK_SECRET: randomBytes(32).toString('hex'), DD_KEY: KEYS.datadog, OTLP_AUTH: KEYS.otlp,
    SENTRY_DSN: `http://${KEYS.sentry}@${host}/42`, CHAT_URL: `${origin}/services/T0/B0/x`,
  };
  const watched = sessionPolicy({
    failed_authentication: { requests: 100_000, window_secs: 60 },
    accounts: { secrets: [{ id: 1, secret: 'ACCOUNTS_SECRET' }], scopes: ['read:posts'] },
    watch: {
      sinks: [
        { name: 'hook', kind: 'webhook', url: `${origin}/hook`, secret: 'HOOK_SECRET' },
        { name: 'chat', kind: 'slack', url_secret: 'CHAT_URL' },
        { name: 'otel', kind: 'otlp', url: `${origin}/v1/logs`, secret: 'OTLP_AUTH' },
        { name: 'dd', kind: 'datadog', url: `${origin}/api/v2/logs`, secret: 'DD_KEY' },
        { name: 'errors', kind: 'sentry', url_secret: 'SENTRY_DSN' },
        { name: 'own', kind: 'queue', binding: 'ALERTS' },
      ],
      rules: [{ name: 'failures', above: 20, group: 'route' }, { name: 'by-network', kind: 'count', of: 'failures', above: 20, group: 'network' }],
    },
    routes: [{ path: `/${PLANTED}/*`, scopes: { all: ['write:posts'] } }, { path: '/v1/*', methods: ['GET', 'POST'], scopes: { all: ['read:posts'] } }],
  });
  const consumer = `export default { async fetch() { return new Response(); }, async queue({ messages }, { TO }) {
    for (const { body } of messages) await fetch(TO, { method: 'POST', body: JSON.stringify(body) });
  } };`;
  gate = await start([
    sessionWorker({ policy: watched, secrets, worker: { queueProducers: { ALERTS: 'alerts' } } }),
    { name: 'consumer', modules: true, script: consumer, bindings: { TO: `${origin}/queue` }, queueConsumers: { alerts: { maxBatchTimeout: 0 } } },
  ], { secrets });
  await call();
  await gate.admin('GET', '/watch');
  for (const rule of ['failures', 'by-network', 'use-after-revocation']) {
    for (const url of ['/hook', '/services/T0/B0/x', '/v1/logs', '/api/v2/logs', '/api/42/envelope/', '/queue']) {
      await intakes.find((one) => one.url === url && one.body.includes(rule));
    }
  }
  told = await everything();
});
after(async () => {
  await gate?.dispose();
  intakes?.close();
});

/** Requests with all of it, admitted and refused, at the gate's own endpoints too. */
async function call() {
  const { address: ip, 'another address': elsewhere, 'address of version 6': ip6 } = ADDRESSES;
  const headers = {
    'User-Agent': `curl/8.5.0 ${sent.agent}`, 'X-Custom': sent.header, Referer: `https://${sent.referer}.example/`, Cookie: `${sent['cookie name']}=1; b=${sent.cookie}`,
    'X-Forwarded-For': `${sent.forwarded}, 192.0.2.200`, 'X-Request-Id': sent['request id'],
  };
  const target = (route) => `${route}/${sent.path}?q=${sent.query}`;
  const ask = (method, route, options) => gate.request(method, target(route), { headers, ip, body: method === 'POST' ? { text: sent.body } : undefined, ...options });
  const good = { sub: sent.subject, jti: sent.jti, name: sent.claim, sid: sent['session id'], scope: 'read:posts' };
  credentials.token = token(good);
  const forged = token({ sub: sent['forged subject'], other: sent['forged claim'] }, { secret: 'x'.repeat(32), header: { kid: sent['forged kid'] } });
  for (const method of ['GET', 'POST']) {
    for (const address of [ip, ip6]) {
      await ask(method, '/v1', { token: credentials.token, ip: address });
      await ask(method, `/${PLANTED}`, { token: credentials.token, ip: address });
      for (let at = 0; at < 12; at += 1) await ask(method, `/${PLANTED}`, { token: forged, ip: address });
    }
  }
  const key = await gate.mint({ name: sent['key name'], owner: sent.owner });
  credentials.key = key.key;
  await ask('GET', '/v1', { key: credentials.key });
  await ask('GET', `/${PLANTED}`, { key: credentials.key });
  await ask('GET', '/v1', { key: sent['forged key'] });
  await ask('GET', '/v1', { key: apiKey({ secret: 'y'.repeat(32) }) });
  await ask(sent.method.toUpperCase(), '/v1', {});
  await ask('GET', '/v1', { basic: sent.basic });
  await ask('GET', '/v1', { token: credentials.token, headers: { ...headers, DPoP: sent.proof } });

  const email = `${sent.email}@example.com`;
  await gate.admin('POST', '/accounts', { email, password: `${sent.password} long enough` });
  await gate.admin('POST', '/accounts/find', { email });
  const opened = await gate.post('/auth/login', { body: { email, password: `${sent.password} long enough` }, ip, headers });
  assert.equal(opened.status, 200, opened.text);
  credentials.access = opened.json().access_token;
  credentials.refresh = opened.json().refresh_token;
  await gate.post('/auth/login', { body: { email, password: sent['guessed password'] }, ip, headers });
  await gate.post('/auth/login', { body: { email: `${sent['guessed email']}@example.com`, password: sent['guessed password'] }, ip, headers });
  await gate.post('/auth/refresh', { body: { refreshToken: sent['refresh token'] }, ip, headers });
  await gate.post('/auth/refresh', { body: { refreshToken: credentials.refresh }, ip, headers });
  await gate.get(`/auth/admin/keys?q=${sent.query}`, { token: sent.administrator.padEnd(40, 'x'), ip, headers });
  await gate.admin('GET', `/sessions?subject=${sent.subject}`);
  await gate.admin('DELETE', `/sessions?subject=${sent['revoked subject']}`);
  await gate.admin('POST', '/explain', { method: 'GET', path: target('/v1'), headers: { Authorization: `Bearer ${credentials.token}` } });
  // Revoked, and then used from two places: a phone that changes networks may be as quick as half a minute.
  await gate.admin('POST', '/revocations', { iss: 'https://edgegate.local/', jti: sent.jti, exp: Math.floor(Date.now() / 1000) + 600 });
  for (const address of [ip, elsewhere]) {
    await ask('GET', '/v1', { token: credentials.token, ip: address });
    await gate.admin('GET', '/watch');
    await new Sessions(gate).wait(31);
  }
}

async function everything() {
  const places = {};
  for (const { url, headers, body } of intakes.taken) places[url] = `${places[url] ?? ''}${JSON.stringify(headers)}${body}\n`;
  for (const window of ['1m', '15m', '24h', '7d']) places[`/admin/watch?window=${window}`] = (await gate.admin('GET', `/watch?window=${window}`)).text;
  places['/metrics'] = (await gate.get('/auth/metrics', { token: SECRETS.ADMIN_TOKEN })).text;
  places['/health'] = (await gate.get('/auth/health')).text;
  places.console = gate.output.lines.join('\n');
  return places;
}

describe('what the gate tells', () => {
  test('has nothing that a caller has brought, and no credential, with the settings as they are by default', () => {
    const { console: log, ...places } = told;
    const all = { ...sent, ...ADDRESSES };
    assert.deepEqual(scan(places, all), []);
    assert.deepEqual(scan({ console: log }, all).sort(), IN_LOG.map((name) => `${name} in console`));
    // The end of each: of a token its signature, of a key its checksum.
    const ends = Object.fromEntries(Object.entries(credentials).map(([name, text]) => [name, text.slice(-20)]));
    assert.deepEqual(scan(told, ends), []);
  });

  test('has each alert, in the words of each sink, and groups callers by what names nobody', () => {
    const hook = JSON.parse(`[${told['/hook'].split('\n').filter(Boolean).map((line) => line.slice(line.indexOf('}{') + 1)).join(',')}]`).map(({ data }) => data);
    const firing = hook.filter(({ event }) => event === 'firing');
    assert.deepEqual([...new Set(firing.map(({ rule, group = '' }) => `${rule} ${group}`))].sort(), [
      'by-network 2001:db8:77::/48', 'by-network 203.0.113.0/24', `failures /${PLANTED}/*`, 'use-after-revocation ',
    ]);
  });

  test('is seen by the scan: what the operator has written is found wherever it is', () => {
    const found = scan(told, { planted: PLANTED });
    assert.deepEqual(found.sort(), Object.keys(told).filter((place) => place !== '/health').map((place) => `planted in ${place}`).sort());
  });

  test('and the scan sees a leak in whatever form', () => {
    for (const form of [PLANTED, PLANTED.toUpperCase(), ...[0, 1, 2, 3, 4].map((shift) => Buffer.from(`${'a'.repeat(shift)}${PLANTED}bcd`).toString('base64url')), Buffer.from(PLANTED).toString('hex')]) {
      assert.deepEqual(scan({ somewhere: `x${form}y` }, { planted: PLANTED }), ['planted in somewhere'], form);
    }
  });
});
