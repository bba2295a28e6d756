// What requests to a running gate show that change nothing. Two of them have a wrong credential: five block an address.

import { createHash, randomBytes } from 'node:crypto';

import { ask, codeOf, json } from './http-request.js';
import { fail, pass, skip, unknown, warn } from './checklist.js';
import { isLoopback, list, needsCredential, pathOf, upstreamsOf } from './policy-facts.js';
import { looseScripts } from './static-security.js';

const EVIL = 'https://evil.example';
const YEAR_SECS = 31_536_000;
const MAX_ROUTES = 10;
/** Two clocks that are kept differ by less; a date of HTTP has whole seconds. */
const CLOCK_SECS = 5;

/** Without it every browser guesses, frames and tells. */
const NEEDED_HEADERS = ['content-security-policy', 'x-content-type-options', 'x-frame-options', 'referrer-policy'];

const NO_PATH = 'no path is known that needs a credential';
const SAY_POLICY = { fix: 'say --policy FILE' };

/** What only the inside of a program says. */
const TRACES = /\bat \S+:\d+:\d+|panicked at|wasm-function|RuntimeError|stack backtrace|node_modules/;

/** The headers of a credential that nobody has issued, another one each time. It names an issuer of the gate, so that its keys are looked for. */
export function forged(policy) {
  const { issuers = [], sessions, own } = policy ?? {};
  const issuer = issuers[0]?.issuer ?? sessions?.issuer;
  if (issuer !== undefined || own?.api_keys === undefined) return { Authorization: `Bearer ${forgedToken(issuer ?? 'https://issuer.invalid/')}` };
  const { header = 'X-API-Key', prefixes, environment } = own.api_keys;
  return { [header]: `${prefixes[0].prefix}_${environment}_${randomBytes(29).toString('hex')}` };
}

function forgedToken(issuer) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + 600;
  return `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ iss: issuer, sub: 'edgegate-doctor', exp })}.${randomBytes(32).toString('base64url')}`;
}

/**
 * @param at `{url, origin, policy}`: the gate's own endpoints, where it is, and the policy if it is known
 */
export function liveChecks({ url, origin, policy }) {
  const isLocal = new URL(origin).protocol === 'http:';
  const paths = [...new Set((policy?.routes ?? []).map((route) => pathOf(route.path)))].slice(0, MAX_ROUTES);
  const guarded = pathOf(policy?.routes.find((route) => needsCredential(route) && (route.methods ?? ['GET']).includes('GET'))?.path ?? '/');
  const seen = [];
  const get = async (target, options) => {
    const answer = await ask(target, options);
    seen.push(answer);
    return answer;
  };
  const health = once(() => get(`${url}/health`));
  const refusal = once(() => get(`${origin}${guarded}`));
  /** Without the policy nobody knows which paths need a credential. */
  const isGuarded = async () => policy !== undefined || [401, 403].includes((await refusal()).status);

  return {
    https: async () => {
      if (isLocal) return skip('the gate is on this machine, over plain http');
      const plain = await get(origin.replace(/^https:/, 'http:') + guarded);
      return [overPlainHttp(plain), transport((await health()).headers)];
    },
    cors: async () => {
      const asked = await Promise.all((paths.length > 0 ? paths : ['/']).flatMap((path) => [
        get(origin + path, { method: 'OPTIONS', headers: { Origin: EVIL, 'Access-Control-Request-Method': 'GET', 'Access-Control-Request-Headers': 'authorization' } }),
        get(origin + path, { headers: { Origin: EVIL } }),
      ]));
      if (asked.every(({ failed }) => failed)) return unknown(`no answer: ${asked[0].failed}`);
      const open = asked.filter((answer) => ['*', EVIL].includes(answer.headers?.get('access-control-allow-origin')));
      return open.length === 0
        ? pass(`${asked.length} requests of ${EVIL}: it may read none of the answers`)
        : fail(`${EVIL} may read ${open.length} of ${asked.length} answers`, { path: 'cors', fix: 'origins = ["https://app.example.com"]; with preflight = "pass" at the service' });
    },
    headers: async () => {
      const { headers, failed } = await refusal();
      if (failed) return unknown(`no answer: ${failed}`);
      const missing = NEEDED_HEADERS.filter((name) => !headers.has(name));
      return missing.length === 0 ? pass(`a refusal has ${NEEDED_HEADERS.join(', ')}`) : fail(`a refusal lacks ${missing.join(', ')}`, { path: 'security_headers', fix: 'security_headers = true' });
    },
    validation: async () => {
      if (!(await isGuarded())) return unknown(NO_PATH, SAY_POLICY);
      const bad = badRequests({ url, origin, guarded, policy });
      const answers = await Promise.all(bad.map(async ([what, target, options]) => ({ what, ...(await get(target, options)) })));
      const wrong = answers.filter(({ status }) => status === undefined || status < 400 || status > 499);
      return wrong.length === 0
        ? pass(`${answers.length} malformed requests: ${answers.map(({ what, status }) => `${what} ${status}`).join(', ')}`)
        : fail(wrong.map(({ what, status, failed }) => `${what}: ${failed ?? status}`).join(', '), { fix: 'tell those who make edgegate: SECURITY.md' });
    },
    csrf: async () => {
      const provider = list(policy?.login?.providers).find((one) => !one.connect_only);
      if (provider === undefined) return skip('the policy has no logins');
      const answer = await get(`${url}/login/${provider.id}`);
      if (![302, 303].includes(answer.status)) return unknown(`a login with ${provider.id} does not begin: ${answer.failed ?? codeOf(answer) ?? answer.status}`);
      const sent = new URL(answer.headers.get('location'), url).searchParams;
      const lacks = ['state', 'code_challenge'].filter((name) => !sent.get(name));
      return lacks.length === 0 ? pass(`a login with ${provider.id} begins with state and code_challenge`) : fail(`a login with ${provider.id} begins without ${lacks.join(', ')}`);
    },
    csp: async () => {
      const page = policy?.login ? await get(`${url}/login`, { headers: { Accept: 'text/html' } }) : await refusal();
      if (page.failed) return unknown(`no answer: ${page.failed}`);
      const found = page.headers.get('content-security-policy');
      const loose = found === null ? 'there is none' : looseScripts(found);
      return loose ? fail(`Content-Security-Policy: ${loose}`, { path: 'security_headers', fix: 'security_headers = true' }) : pass('an answer has a policy for scripts that names none of others');
    },
    errors: async () => {
      if (!(await isGuarded())) return unknown(NO_PATH, SAY_POLICY);
      const [one, other] = [await get(origin + guarded, { headers: forged(policy) }), await get(origin + guarded, { headers: forged(policy) })];
      if (one.failed) return unknown(`no answer: ${one.failed}`);
      const body = json(one);
      if (one.status < 400 || typeof body?.code !== 'string') return fail(`a forged credential gets ${one.status}, and no refusal of a gate`, { fix: 'is this the URL of the gate?' });
      if (one.status === 429) return unknown('this address is blocked for now', { fix: 'ask again later, or from elsewhere' });
      const more = Object.keys(body).filter((name) => !['error', 'code', 'hint', 'login_url'].includes(name));
      if (more.length > 0 || TRACES.test(one.text)) return fail(`a refusal says more than error, code and hint: ${more.join(', ') || 'a trace of the program'}`);
      return digest(one.text) === digest(other.text) ? pass(`two forged credentials get the same ${one.status} ${body.code}: error, code and hint`) : fail('two forged credentials get different answers');
    },
    dashboard: async () => {
      const answer = await get(`${url}/admin/dashboard`, { headers: { Accept: 'text/html' } });
      if (answer.status !== 200) return skip('the gate has no page for it; Prometheus and npx edgegate watch read the numbers');
      const loose = looseScripts(answer.headers.get('content-security-policy') ?? '');
      return loose ? fail(`/auth/admin/dashboard: scripts: ${loose}`) : pass('/auth/admin/dashboard is there, with a policy for scripts');
    },
    administration: async () => {
      const answer = await get(`${url}/admin/keys`);
      if (answer.failed) return pass(`no answer: ${answer.failed}`);
      const code = codeOf(answer);
      if (code === 'NOT_FOUND') return pass('the gate has none');
      if (answer.status < 300) return fail('it answers without a secret', { fix: 'is this the URL of the gate?' });
      return code === undefined
        ? pass(`something before the gate answers ${answer.status}`)
        : warn(`everybody can try the secret from where this runs (${answer.status} ${code})`, { fix: 'Cloudflare Access or a firewall rule before /auth/admin' });
    },
    around: async () => {
      const open = upstreamsOf(policy ?? { routes: [] }).filter(({ url: target }) => !isLoopback(target));
      if (open.length === 0) return skip(policy === undefined ? 'the policy is not here' : 'there is no address to ask');
      const answers = await Promise.all(open.map(async ({ path, url: target }) => ({ path, ...(await ask(target.replace(/\/$/, '') + guarded)) })));
      return answers.map(({ path, status, failed }) => {
        if (failed) return pass(`no answer from here: ${failed}`, { path });
        return [401, 403].includes(status)
          ? pass(`it refuses who comes from here (${status})`, { path })
          : fail(`it answers ${status} to a request that did not pass the gate`, { path, fix: 'a service binding, a tunnel, mTLS, or identity = "jwt" and a service that checks it: docs/deployment.md' });
      });
    },
    clock: async () => {
      const began = Date.now();
      const { headers, failed } = await health();
      const date = Date.parse(headers?.get('date') ?? '');
      if (failed || Number.isNaN(date)) return unknown(failed ? `no answer: ${failed}` : 'the answer has no Date');
      const apart = Math.round(Math.abs(date - began) / 1000);
      return apart <= CLOCK_SECS ? pass(`${apart} s apart`) : warn(`${apart} s apart: tokens seem to be expired, or not yet valid`, { fix: 'set this clock by NTP' });
    },
    // The last one: it looks at all that was answered.
    cookies: async () => {
      const lines = seen.flatMap(({ setCookies = [] }) => setCookies);
      if (lines.length === 0) return skip('no answer has set a cookie');
      const bad = lines.filter((line) => !/;\s*httponly/i.test(line) || !/;\s*samesite=(lax|strict)/i.test(line) || (!isLocal && !/;\s*secure/i.test(line)));
      return bad.length === 0 ? pass(`${lines.length} cookies: HttpOnly, Secure, SameSite`) : fail(`not HttpOnly, Secure and SameSite: ${bad.map((line) => line.split('=')[0]).join(', ')}`);
    },
  };
}

const once = (make) => {
  let made;
  return () => (made ??= make());
};

const digest = (text) => createHash('sha256').update(text).digest('hex');

/** What came back over plain http. A temporary redirect is asked again each time, in the clear. */
export function overPlainHttp({ status, headers, failed, ...answer }) {
  if (failed) return pass(`nothing answers over plain http: ${failed}`);
  const location = headers.get('location') ?? '';
  if ([301, 308].includes(status) && location.startsWith('https://')) return pass(`plain http is sent to https (${status})`);
  return codeOf(answer) === 'HTTPS_REQUIRED' ? pass('plain http is refused (HTTPS_REQUIRED)') : fail(`plain http is answered: ${status}`, { path: 'https', fix: 'https = "redirect"' });
}

export function transport(headers) {
  const [, age] = /max-age=(\d+)/.exec(headers?.get('strict-transport-security') ?? '') ?? [];
  if (age === undefined) return fail('no Strict-Transport-Security', { path: 'hsts', fix: 'https = "redirect", without hsts = false' });
  return Number(age) >= YEAR_SECS ? pass(`Strict-Transport-Security: ${age} s`) : warn(`Strict-Transport-Security: ${age} s, less than a year`, { path: 'hsts', fix: `hsts = { max_age_secs = ${YEAR_SECS} }` });
}

/** `[what, url, options]` each. None is a wrong credential, which would count. */
function badRequests({ url, origin, guarded, policy }) {
  const target = origin + guarded;
  const post = (type, body) => ({ method: 'POST', headers: { 'Content-Type': type }, body });
  return [
    ['no credential', target],
    ...(policy?.own.api_keys && policy.issuers.length > 0 ? [['two credentials', target, { headers: { Authorization: 'Bearer a', [policy.own.api_keys.header ?? 'X-API-Key']: 'b' } }]] : []),
    ['no token behind Bearer', target, { headers: { Authorization: 'Bearer' } }],
    ['another scheme', target, { headers: { Authorization: 'Negotiate a' } }],
    ['another method', `${url}/health`, { method: 'DELETE' }],
    ...(policy?.sessions ? [
      ['/token with a body that is none', `${url}/token`, post('application/json', '{"grant_type":')],
      ['/refresh with a body that is none', `${url}/refresh`, post('application/json', '[')],
      ['/session/start with a body that is none', `${url}/session/start`, post('application/json', 'null')],
    ] : []),
  ];
}
