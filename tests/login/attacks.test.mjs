// What others can do to a login: pages of other sites, whoever sees a URL on its way, a second browser, a second provider.
// Each test names where the fault was seen in the field.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';

import { ANN } from '../support/providers/provider.mjs';
import { signed } from '../support/providers/keys.mjs';
import { AT, BINDING, LoginGate, ORIGIN, RT } from './gate.mjs';
import { CookieJar } from './browser.mjs';

const MALLORY = Object.freeze({ ...ANN, sub: 'mallory', email: 'mallory@evil.example' });
const EVIL = 'https://evil.example';

/** Who is signed in at the providers. Each test has somebody new: a person may log in 30 times an hour. */
let ann = ANN;
let people = 0;
const somebodyNew = () => {
  people += 1;
  ann = { ...ANN, sub: `ann-${people}` };
  for (const provider of Object.values(gate.providers)) provider.user = ann;
};

let gate;
before(async () => {
  gate = await LoginGate.start({
    one: { kind: 'oidc', policy: { scopes: { default: ['read:posts'], groups: { admins: ['write:posts'] } } } },
    two: { kind: 'oidc' },
    quiet: { kind: 'gitlab' },
    corp: { kind: 'oidc', policy: { allow: { email_domains: ['corp.example'] } } },
  }, { login: { return_to: ['https://app.example.com'] }, changes: { cors: { origins: ['https://app.example.com'], credentials: true } } });
});
after(() => gate.close());
beforeEach(somebodyNew);

/** Runs with somebody else signed in at a provider. */
async function as(id, user, run) {
  const provider = gate.providers[id];
  const before = provider.user;
  provider.user = user;
  try {
    return await run();
  } finally {
    provider.user = before;
  }
}

/** Goes as far as the callback, and returns its URL unvisited. */
async function callbackUrl(id, { browser = gate.browser(), query = '' } = {}) {
  const tab = browser.tab();
  const answer = await tab.open(`${ORIGIN}/auth/login/${id}${query}`, { until: ({ url }) => !url.startsWith(ORIGIN) });
  assert.equal(answer.status, 302, answer.text);
  return { browser, url: answer.headers.location };
}

const subjectOf = async (browser) => {
  if (!browser.jar.get(AT)) return undefined;
  const { text } = await browser.send(`${ORIGIN}/auth/session`, { from: `${ORIGIN}/`, mode: 'cors', dest: 'empty' });
  return JSON.parse(text).subject;
};

async function visit(browser, url, options) {
  const tab = browser.tab();
  await tab.open(url, options);
  return { tab, subject: await subjectOf(browser) };
}

const changed = (url, change) => {
  const target = new URL(url);
  change(target.searchParams);
  return target.href;
};

/** oauth2-proxy CVE-2020-4037, Red Hat oauth-proxy CVE-2026-83589, mod_auth_openidc CVE-2022-23527, authorizer CVE-2026-54072 */
test('a return URL leads to this origin or a listed one', async () => {
  for (const target of [
    '//evil.example', '/\\evil.example', '\\\\evil.example', '/\t/evil.example', '/\n/evil.example', '/%09/evil.example', '/./\\evil.example', '/%5cevil.example',
    '/;@evil.example', '///evil.example', '/..//evil.example', 'https://evil.example', 'https:evil.example', 'http:///evil.example', 'https://api.example.com@evil.example',
    'https://app.example.com@evil.example', 'https://app.example.com.evil.example', 'https://app.example.com:8443/', 'https://app.example.com\\@evil.example', 'https://APP.example.com./',
    'javascript:alert(1)', 'data:text/html,x', '/\r\nLocation: https://evil.example', '/%0d%0aSet-Cookie: a=b', '/\u2215\u2215evil.example', '/\uff0fevil.example', 'https://evil\u3002example', '/auth/logout', '/auth/login/one', 'x'.repeat(3000),
  ]) {
    somebodyNew();
    const { tab, isIn } = await gate.logIn('one', { query: `?return_to=${encodeURIComponent(target)}`, until: ({ url, headers }) => new URL(url).pathname.startsWith('/auth/callback') && headers.location !== undefined });
    assert.ok(isIn, target);
    const at = new URL(tab.page.headers.location, ORIGIN);
    assert.ok([ORIGIN, 'https://app.example.com'].includes(at.origin), `${target} → ${at}`);
    assert.ok(!at.pathname.startsWith('/auth/'), `${target} → ${at}`);
    assert.equal(tab.page.headers['set-cookie'].every((line) => line.startsWith('__Host-')), true);
  }
  const { tab } = await gate.logIn('one', { query: '?return_to=https://app.example.com/a', until: ({ headers }) => headers.location === 'https://app.example.com/a' });
  assert.equal(tab.page.status, 303);
});

/** fastapi-users CVE-2025-68481, Authlib CVE-2025-68158 and CVE-2026-41425, Langfuse CVE-2025-65107: login CSRF */
test("a callback that another browser began does not log this one in as whoever began it", async () => {
  const { url } = await as('one', MALLORY, () => callbackUrl('one', { query: '?return_to=/chosen-by-mallory' }));
  const fresh = await visit(gate.browser(), url);
  assert.notEqual(fresh.subject, 'one|mallory');
  // One that has a binding of its own.
  const { browser } = await callbackUrl('one');
  const bound = await visit(browser, url);
  assert.notEqual(bound.subject, 'one|mallory');
  assert.ok(!bound.tab.url.includes('chosen-by-mallory'), 'nor sends it where that one chose');
  // One that is logged in stays who it is.
  const { browser: known } = await gate.logIn('one');
  const still = await visit(known, url);
  assert.equal(still.subject, `one|${ann.sub}`);
});

/** Code injection (RFC 9700 §4.5): the victim's attempt with the attacker's code. */
test("a code of another attempt is of no use", async () => {
  const theirs = await as('one', MALLORY, () => callbackUrl('one'));
  const code = new URL(theirs.url).searchParams.get('code');
  const own = await callbackUrl('one');
  const injected = await visit(own.browser, changed(own.url, (query) => query.set('code', code)));
  assert.notEqual(injected.subject, 'one|mallory');
});

/** Auth.js CVE-2026-73419 (GHSA-x445), next-auth CVE-2023-27490, RFC 9207: mix-up */
test('an answer of one provider is none at the callback of another', async () => {
  const { browser, url } = await callbackUrl('one');
  for (const other of ['two', 'quiet']) {
    const { subject } = await visit(browser, url.replace('/callback/one', `/callback/${other}`));
    assert.equal(subject, undefined, other);
  }
  // The code went nowhere: it is still good at its own.
  assert.equal((await visit(browser, url)).subject, `one|${ann.sub}`);
  // A provider that never names itself, and now an answer with a name.
  const quiet = await callbackUrl('quiet');
  const named = await visit(quiet.browser, changed(quiet.url, (query) => query.set('iss', gate.providers.one.issuer)));
  assert.equal(named.subject, undefined);
});

/** Envoy CVE-2023-27496 and GHSA-8vc2, Auth.js GHSA-xmf8, mod_auth_openidc CVE-2024-24814, CVE-2023-28625 */
test('odd callbacks are answered, and let nobody in', async () => {
  const { browser, url } = await callbackUrl('one');
  const { searchParams } = new URL(url);
  const [code, state] = [searchParams.get('code'), searchParams.get('state')];
  const e = encodeURIComponent;
  for (const query of [
    '', '?', '?state', `?state=${e(state)}`, `?code=${e(code)}`, '?state=&code=', `?code=${e(code)}&state=${e(state)}&state=${e(state)}`, `?code=${e(code)}&code=x&state=${e(state)}`,
    `?code=${e(code)}&state=${e(state)}&error=access_denied`, '?code=%ff&state=%ff', '?code=a&state=%', '?code=a&state=1.%00', `?code=a&state=${'1.'.repeat(100)}`, `?code=a&state=${'s'.repeat(8000)}`,
    '?state=null&code=null', '?sealed=x', '?sealed=1.AAAA', `?sealed=${e(state)}`, '?error=<script>alert(1)</script>&state=x', '?__proto__=1&state=1.AA&code=a', `?${'a=b&'.repeat(1000)}`,
  ]) {
    const { status, text, headers } = await browser.send(`${ORIGIN}/auth/callback/one${query}`);
    assert.ok(status < 500, `${status} ${query.slice(0, 80)}`);
    assert.doesNotMatch(text, /<script>alert|panicked/);
    assert.match(headers['cache-control'], /no-store/);
    assert.equal(browser.jar.get(AT), undefined, query.slice(0, 80));
  }
  for (const body of ['', 'code=a', `state=${e(state)}`, 'x'.repeat(100_000), `code=${e(code)}&state=${e(state)}&state=x`]) {
    const { status } = await browser.send(`${ORIGIN}/auth/callback/one`, { method: 'POST', body, from: EVIL });
    assert.ok(status < 500, `${status} ${body.slice(0, 40)}`);
    assert.equal(browser.jar.get(AT), undefined);
  }
  for (const path of ['/auth/callback/', '/auth/callback/none', '/auth/callback/one/x', '/auth/login/none', '/auth/callback/%2e%2e', '/auth/callback/one%00']) {
    const { status } = await browser.send(ORIGIN + path);
    assert.ok([400, 404].includes(status), `${status} ${path}`);
  }
  assert.equal((await visit(browser, url)).subject, `one|${ann.sub}`, 'and the real one still counts');
});

/** Envoy CVE-2026-47775 (unauthenticated encryption), CVE-2023-35941 (fields without separators) */
test('no letter of state can be changed', async () => {
  const { browser, url } = await callbackUrl('one');
  const state = new URL(url).searchParams.get('state');
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const step = Math.ceil(state.length / 60);
  for (let index = 0; index < state.length; index += step) {
    const other = letters[(letters.indexOf(state[index]) + 1) % 64];
    const forged = state.slice(0, index) + other + state.slice(index + 1);
    await browser.send(changed(url, (query) => query.set('state', forged)));
    assert.equal(browser.jar.get(AT), undefined, `letter ${index}`);
  }
  for (const forged of [state.slice(0, -1), `${state}A`, state.slice(0, -22), `0${state}`, state.replace('.', '..'), `${state}=`, state.toUpperCase()]) {
    await browser.send(changed(url, (query) => query.set('state', forged)));
    assert.equal(browser.jar.get(AT), undefined, forged.slice(-30));
  }
  assert.equal((await visit(browser, url)).subject, `one|${ann.sub}`);
});

/** Envoy CVE-2022-29226, authentik CVE-2026-25748, Auth.js CVE-2026-73421 */
test('tokens of the provider, and cookies that are none, open nothing', async () => {
  const provider = gate.providers.one;
  await gate.logIn('one');
  const now = provider.now();
  const key = provider.keys[0];
  const idToken = signed({ header: { alg: key.alg, kid: key.kid }, key, claims: { iss: provider.issuer, sub: ann.sub, aud: provider.client.id, iat: now, exp: now + 600, scope: 'read:posts write:posts' } });
  assert.equal((await gate.gate.get('/v1/posts', { token: idToken })).status, 401);
  assert.equal((await gate.gate.get('/v1/posts', { token: 'provider-access-token' })).status, 401);
  for (const cookie of [`${AT}=x`, `${AT}=${idToken}`, `${AT}=; ${RT}=`, `${BINDING}=AAAAAAAAAAAAAAAAAAAAAA`, `${RT}=edgegate_rt_x`]) {
    const answer = await gate.gate.get('/v1/posts', { headers: { Cookie: cookie, 'Sec-Fetch-Site': 'same-origin' } });
    assert.equal(answer.status, 401, cookie);
  }
});

/** Envoy CVE-2025-55162, nextjs-auth0 #2651 */
test('after a logout no cookie of the session is left', async () => {
  const { browser, tab } = await gate.logIn('one', { query: '?return_to=/public/x' });
  const answer = await tab.fetch(`${ORIGIN}/auth/logout`, { method: 'POST', body: '' });
  assert.ok([200, 202].includes(answer.status), answer.text);
  assert.deepEqual(browser.jar.all.map(({ name }) => name).filter((name) => name !== BINDING), []);
});

/** oauth2-proxy GHSA-f24x-5g9q-753f, mod_auth_openidc 2026-08-07: session fixation */
test('a login makes a session of its own, whatever the browser brings', async () => {
  const mallory = await as('one', MALLORY, () => gate.logIn('one'));
  const victim = gate.browser();
  for (const name of [AT, RT, BINDING]) victim.jar.set(`${name}=${mallory.browser.jar.get(name).value}; Path=/; Secure; HttpOnly`, ORIGIN);
  const { session } = await gate.logIn('one', { browser: victim });
  assert.equal(session.subject, `one|${ann.sub}`);
  assert.notEqual(session.session_id, mallory.session.session_id);
  assert.notEqual(victim.jar.get(AT).value, mallory.browser.jar.get(AT).value);
  assert.notEqual(await subjectOf(mallory.browser), session.subject, 'and the cookies that were brought are not of it');
});

/** oauth2-proxy CVE-2026-40574, Auth.js CVE-2026-73420, nOAuth */
test('an address counts as one reading of it, and only if somebody vouches for it', async () => {
  for (const email of [
    'a@evil.example@corp.example', 'a@corp.example@evil.example', 'a@notcorp.example', 'a@corp.example.evil.example', 'a@x.corp.example', 'a\uff20corp.example', 'a@c\u043erp.example', 'a@corp.example\u0000.evil.example',
    '"a@evil.example"@corp.example', 'a(@evil.example)@corp.example', 'a@corp.example.', '@corp.example', 'corp.example', ' a@corp.example', 'a@corp.example\n', ['a@corp.example'], null,
  ]) {
    const { seen } = await as('corp', { ...ann, email }, () => gate.logIn('corp'));
    assert.match(seen, /^403 NOT_ALLOWED/, JSON.stringify(email));
  }
  for (const email_verified of [false, 'false', undefined, null, 1, ['true'], 'yes']) {
    const { seen } = await as('corp', { ...ann, email_verified }, () => gate.logIn('corp'));
    assert.match(seen, /^403 NOT_ALLOWED/, JSON.stringify(email_verified));
  }
  assert.equal((await as('corp', { ...ann, email: 'Ann@CORP.example' }, () => gate.logIn('corp'))).seen, 'in');
});

/** pomerium#2796: known, but not allowed, is no loop */
test('who may not come in gets a page, and no session', async () => {
  const { tab, isIn, status } = await as('corp', MALLORY, () => gate.logIn('corp'));
  assert.deepEqual([isIn, status], [false, 403]);
  assert.ok(tab.trail.length <= 4);
});

/** better-auth GHSA-g38m, authorizer#503 */
test('the same address at two providers, and the same name, are two people', async () => {
  const [first, second] = [await gate.logIn('one'), await gate.logIn('two')];
  assert.deepEqual([first.session.subject, second.session.subject], [`one|${ann.sub}`, `two|${ann.sub}`]);
});

/** pomerium GO-2024-2965, mod_auth_openidc 2026-08, oauth2-proxy#3264 */
test('no token, code, verifier or secret of a login is in a page, a header, a cookie or the log', async () => {
  const provider = gate.providers.one;
  const from = provider.requests.length;
  const given = [];
  provider.tamper.answer = (body) => {
    given.push(body.access_token, body.id_token, body.id_token.split('.')[2]);
    return body;
  };
  const { tab, browser } = await gate.logIn('one');
  provider.tamper = {};
  const token = provider.requests.slice(from).find((one) => one.path === '/token');
  const secrets = [...given, token.form.get('code_verifier'), provider.client.secret, token.headers.authorization.slice(6)];
  const own = tab.trail.filter(({ url }) => url.startsWith(ORIGIN));
  const shown = [...own.map(({ headers, text }) => JSON.stringify(headers) + text), ...browser.jar.all.map(({ value }) => value), ...gate.gate.output.lines, ...tab.trail.map(({ url }) => url)].join('\n');
  for (const secret of secrets) {
    for (const form of [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64'), Buffer.from(secret).toString('base64url')]) assert.ok(!shown.includes(form), 'a secret is shown');
  }
  // The code is in the address of the callback alone, and in no answer or line of the log.
  const code = token.form.get('code');
  assert.ok(![...own.map(({ headers, text }) => JSON.stringify(headers) + text), ...gate.gate.output.lines].join('\n').includes(code));
});

/** pomerium CVE-2021-41230 */
test('what a person may do is what the last login says', async () => {
  const browser = gate.browser();
  const first = await gate.logIn('one', { browser });
  assert.deepEqual([...first.session.scopes].sort(), ['read:posts', 'write:posts']);
  const second = await as('one', { ...ann, groups: [] }, () => gate.logIn('one', { browser }));
  assert.deepEqual(second.session.scopes, ['read:posts']);
});

/** mod_auth_openidc 2026-08-07 */
test('nothing that a caller adds reaches the provider', async () => {
  const added = '?scope=admin&redirect_uri=https://evil.example&prompt=none&acr_values=x&max_age=0&state=1&nonce=1&response_mode=fragment&client_id=x&code_challenge=y&response_type=token&login_hint=a&request_uri=z';
  const provider = gate.providers.one;
  await gate.logIn('one', { query: added });
  const asked = provider.requests.filter((one) => one.path === '/authorize').at(-1);
  if (asked === undefined) return;
  const { scope, redirect_uri: uri, response_type: type, client_id: id, ...rest } = Object.fromEntries(asked.query);
  assert.deepEqual([scope, uri, type, id], ['openid profile email', `${ORIGIN}/auth/callback/one`, 'code', provider.client.id]);
  assert.deepEqual(Object.keys(rest).sort(), ['code_challenge', 'code_challenge_method', 'nonce', 'state']);
});

/** mod_auth_openidc 2026-08-12: a storm of key sets */
test('a token with an unknown key makes the gate ask for keys once', async () => {
  const provider = gate.providers.two;
  await gate.logIn('two');
  const asked = provider.count('/jwks');
  provider.tamper.idToken = (token) => ({ ...token, header: { ...token.header, kid: `unknown-${Math.random()}` } });
  try {
    for (let count = 0; count < 8; count += 1) assert.equal((await gate.logIn('two')).isIn, false);
  } finally {
    provider.tamper = {};
  }
  // Only the provider itself can hand over such a token, at a login of its own.
  assert.ok(provider.count('/jwks') - asked <= 8, `${provider.count('/jwks') - asked} times`);
});

/** mod_auth_openidc CVE-2025-31492, GHSA-59jp: `prompt=none` loops */
test('a provider that refuses, and refuses again, is no loop', async () => {
  for (const word of ['login_required', 'access_denied', 'temporarily_unavailable', 'server_error', 'invalid_scope', 'interaction_required', 'unheard_of', '<b>']) {
    gate.providers.one.denies = word;
    try {
      const { isIn, tab, status, seen } = await gate.logIn('one');
      assert.equal(isIn, false, word);
      // A word for a client that is not set up as the provider has it is a fault of the policy.
      assert.ok(status >= 400 && (status !== 500 || seen.includes('CONFIG_ERROR')), `${word}: ${seen}`);
      assert.ok(tab.trail.length <= 4, `${word}: ${tab.trail.length} steps`);
      assert.doesNotMatch(tab.page.text, /<b>/);
    } finally {
      gate.providers.one.denies = undefined;
    }
  }
});

/** RFC 9700 §2.1.1; better-auth GHSA-7w99 */
test('a code counts once, and its verifier is never seen in front', async () => {
  const { browser, url } = await callbackUrl('one');
  const first = await visit(browser, url);
  assert.equal(first.subject, `one|${ann.sub}`);
  const before = gate.providers.one.count('/token');
  // Reload: whoever is logged in goes on.
  const again = await visit(browser, url);
  assert.equal(again.subject, `one|${ann.sub}`);
  // Somebody who has read the URL and the cookie of the binding, but has no session.
  const thief = gate.browser();
  thief.jar.set(`${BINDING}=${browser.jar.get(BINDING).value}; Path=/; Secure; HttpOnly`, ORIGIN);
  const replay = await thief.send(url);
  assert.equal(thief.jar.get(AT), undefined, replay.text);
  assert.equal(gate.providers.one.count('/token'), before, 'the provider is not asked again');
  const { code_challenge_method: method } = Object.fromEntries(gate.providers.one.requests.filter((one) => one.path === '/authorize').at(-1).query);
  assert.equal(method, 'S256');
});

/** mod_auth_openidc, Envoy: a callback is a way to make the gate ask. Ten failures in five minutes, for a /64. */
test('guessed codes reach the provider ten times, from one network', async () => {
  const before = gate.providers.corp.count('/token');
  const statuses = [];
  for (let count = 0; count < 14; count += 1) {
    const browser = gate.browser({ ip: `2001:db8:1:1::${count + 1}` });
    const { url } = await callbackUrl('corp', { browser });
    const { status } = await browser.send(changed(url, (query) => query.set('code', `guess-${count}`)));
    statuses.push(status);
  }
  assert.equal(gate.providers.corp.count('/token') - before, 10, statuses.join());
  assert.deepEqual(statuses.slice(-4), [429, 429, 429, 429]);
  // Others log in as before.
  assert.equal((await gate.logIn('corp', { browser: gate.browser({ ip: '2001:db8:1:2::1' }) })).seen, 'in');
});

/** oauth2-proxy: a provider that hangs holds up its callers */
test('a provider that does not answer is given up after ten seconds', async () => {
  gate.providers.quiet.tamper.request = (call) => (call.path === '/oauth/token' ? new Promise(() => {}) : undefined);
  try {
    const began = Date.now();
    const { isIn, seen } = await gate.logIn('quiet');
    assert.equal(isIn, false);
    assert.match(seen, /^50[24] /);
    assert.ok(Date.now() - began < 30_000, `${Date.now() - began} ms`);
  } finally {
    gate.providers.quiet.tamper = {};
  }
});

/** Ten at once: once means once. */
test('one callback ten times at once redeems the code once', async () => {
  const { browser, url } = await callbackUrl('two');
  const before = gate.providers.two.count('/token');
  const answers = await Promise.all(Array.from({ length: 10 }, () => browser.send(url)));
  assert.equal(gate.providers.two.count('/token') - before, 1);
  assert.ok(answers.every(({ status }) => status < 500), answers.map(({ status }) => status).join());
  assert.equal(answers.filter(({ headers }) => (headers['set-cookie'] ?? []).some((line) => line.startsWith(AT))).length, 1);
});

/** The README of cors; oauth2-proxy#822 */
test('a fetch of another site is told nothing; of a listed one, where to log in', async () => {
  const ask = (from) => gate.browser().send(`${ORIGIN}/v1/posts`, { from, mode: 'cors', dest: 'empty' });
  const evil = await ask(`${EVIL}/`);
  assert.equal(evil.status, 401);
  assert.equal(evil.headers['access-control-allow-origin'], undefined);
  const app = await ask('https://app.example.com/');
  assert.deepEqual([app.status, JSON.parse(app.text).code], [401, 'LOGIN_REQUIRED']);
  assert.equal(app.headers['access-control-allow-origin'], 'https://app.example.com');
  assert.match(app.headers.vary, /Origin/i);
  assert.equal(JSON.parse(app.text).login_url, `${ORIGIN}/auth/login`);
});

/** The IETF's draft-ietf-oauth-browser-based-apps, pattern-bff-csrf */
test("a page of another site neither logs out nor plants cookies", async () => {
  const { browser, tab } = await gate.logIn('one');
  const out = await browser.send(`${ORIGIN}/auth/logout`, { method: 'POST', body: '', from: EVIL });
  assert.equal(out.headers['set-cookie'], undefined, out.text);
  await tab.open(`${ORIGIN}/auth/logout`);
  assert.equal(await subjectOf(browser), `one|${ann.sub}`, 'nor does a GET');
  const jar = new CookieJar();
  assert.equal(jar.set(`${BINDING}=AAAAAAAAAAAAAAAAAAAAAA; Domain=example.com; Path=/; Secure`, 'https://sibling.example.com/'), false);
  // A browser without prefixes, or a proxy, brings two.
  const { url, browser: two } = await callbackUrl('two');
  const { value } = two.jar.get(BINDING);
  two.jar.drop(BINDING);
  const planted = await two.send(url, { headers: { Cookie: `${BINDING}=AAAAAAAAAAAAAAAAAAAAAA; ${BINDING}=${value}` } });
  assert.equal((planted.headers['set-cookie'] ?? []).some((line) => line.startsWith(AT)), false);
});

/** A page of another site that begins a login: it ends as a login of whoever is at the provider, and goes where this site allows. */
test('another site may begin a login, and gains nothing by it', async () => {
  const browser = gate.browser();
  const tab = browser.tab();
  await tab.open(`${ORIGIN}/public/x`);
  const answer = await browser.send(`${ORIGIN}/auth/login/one?return_to=/v1/posts`, { from: EVIL });
  assert.equal(answer.status, 303);
  assert.equal(new URL(answer.headers.location).origin, gate.providers.one.origin);
});

test('any number of logins under way needs one cookie, and each comes to its end', async () => {
  const browser = gate.browser();
  const urls = [];
  for (let count = 0; count < 30; count += 1) urls.push((await callbackUrl(count % 2 ? 'one' : 'two', { browser, query: `?return_to=/v1/posts%3Fn=${count}` })).url);
  assert.deepEqual(browser.jar.all.map(({ name }) => name), [BINDING]);
  for (const [count, url] of urls.entries()) {
    const { tab } = await visit(browser, url);
    assert.ok(tab.url.endsWith(`/v1/posts?n=${count}`), tab.url);
  }
});

test('a browser that has lost its cookie logs in all the same, once begun again, and keeps its way', async () => {
  const { browser, url } = await callbackUrl('one', { query: '?return_to=/v1/posts%3Fkept' });
  browser.jar.drop(BINDING);
  const { tab, subject } = await visit(browser, url);
  assert.equal(subject, `one|${ann.sub}`);
  assert.ok(tab.url.endsWith('?kept'), tab.url);
  // One that keeps no cookies at all gets a page, not a loop.
  const other = await callbackUrl('one');
  other.browser.jar.set = () => true;
  other.browser.jar.drop(BINDING);
  const stopped = await visit(other.browser, other.url);
  assert.ok(stopped.tab.page.status >= 400 && stopped.tab.trail.length <= 6, `${stopped.tab.page.status}, ${stopped.tab.trail.length} steps`);
});
