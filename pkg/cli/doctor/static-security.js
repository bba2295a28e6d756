// The section Security of the checklist, by the policy alone. Files beside it are looked at in `static-project.js`.

import { fail, pass, skip, unknown, warn } from './checklist.js';
import { isLoopback, list, upstreamsOf } from './policy-facts.js';

const MINUTES_15 = 900;
const DAYS_7 = 604_800;
const DAY = 86_400;

/** Of the guide. */
const ATTEMPTS = 5;

const duration = (secs) => {
  const [size, unit] = [[DAY, 'days'], [3600, 'hours'], [60, 'minutes'], [1, 'seconds']].find(([length]) => secs % length === 0 && secs >= length) ?? [1, 'seconds'];
  return `${secs / size} ${secs === size ? unit.slice(0, -1) : unit}`;
};

/** Verdicts by the id of their line: one, or several. */
export const SECURITY = {
  https: ({ policy }) => [
    policy.https
      ? pass(`https = "${policy.https}"${policy.https === 'redirect' ? '' : ': plain http is refused, and nothing is redirected'}`)
      : fail('plain http is as good as https', { path: 'https', fix: 'https = "redirect"' }),
    ...(policy.https && policy.hsts === false ? [warn('no Strict-Transport-Security', { path: 'hsts', fix: 'leave hsts out: it is on with https' })] : []),
    ...inTheClear(policy),
  ],
  passwords: ({ policy: { accounts, issuers, login } }) => {
    const verdicts = accounts === undefined ? [] : [ofPasswords(accounts)];
    if (issuers.length > 0 || login !== undefined) {
      verdicts.push(unknown(`${accounts === undefined ? 'the gate keeps none; whoever' : 'whoever else'} issues tokens may keep some`, { kind: 'none', fix: 'look there, and attest it in doctor.toml' }));
    }
    return verdicts.length > 0 ? verdicts : skip('nobody logs in with a password');
  },
  'api-keys': ({ policy: { api_keys: keys } }) => {
    if (keys === undefined) return skip('the policy takes no API keys');
    const imported = keys.prefixes.some(({ format }) => format === 'imported');
    return imported
      ? warn('keys of the gate are not kept at all; imported ones are kept as their SHA-256, which protects random keys alone', { path: 'api_keys.prefixes', fix: 'import no key that a person has chosen; replace them by keys of the gate (keys mint)' })
      : pass('no record holds a key, nor anything that a key could be made of (STORAGE.md)');
  },
  'access-tokens': ({ policy }) => {
    const { issuers, sessions } = policy;
    const verdicts = issuers.map(lifeOf);
    if (sessions) verdicts.push(ofSessions(sessions));
    return verdicts.length > 0 ? verdicts : skip('the policy takes no tokens');
  },
  'refresh-tokens': ({ policy: { sessions, issuers } }) => {
    const others = issuers.length > 0 ? [unknown('refresh tokens of the issuers are theirs', { kind: 'none', fix: 'look there, and attest it in doctor.toml' })] : [];
    if (sessions === undefined) return others.length > 0 ? others : skip('the policy takes no tokens');
    const { idle_secs: idle, absolute_secs: absolute } = sessions;
    const told = `one that is not used ends after ${duration(idle)}, each after ${duration(absolute)}`;
    return [idle <= DAYS_7 ? pass(told) : warn(told, { path: 'sessions.idle_secs', fix: `idle_secs = ${DAYS_7}` }), ...others];
  },
  attempts: ({ policy: { failed_authentication: failures, accounts } }) => [
    ofAttempts(failures, { path: 'failed_authentication', fix: 'delete the section failed_authentication: the default is 5 in 15 minutes', who: 'for each address' }),
    ...(accounts === undefined ? [] : [ofAttempts(
      { enabled: true, requests: accounts.attempts, window_secs: accounts.window_secs },
      { path: 'accounts.attempts', fix: 'delete attempts and window_secs of accounts: the default is 5 in 15 minutes', who: 'at each name, and by each address' },
    )]),
  ],
  cors: ({ policy }) => {
    const given = [['cors', policy.cors, true], ...policy.routes.map((route, at) => [`routes[${at}].cors`, route.cors, route.auth !== 'none'])].filter(([, cors]) => cors !== undefined);
    const open = given.filter(([, cors]) => cors.origins.includes('*'));
    if (open.length > 0) {
      return open.map(([path, , guarded]) => (guarded ? fail : warn)(
        `pages of all origins may read answers${guarded ? '' : ' of an open route'}`, { path, fix: 'origins = ["https://app.example.com"]' },
      ));
    }
    const passed = [policy.preflight, ...policy.routes.map(({ preflight }) => preflight)].includes('pass');
    if (passed) return warn('preflights pass: the service behind says which origins may read', { path: 'preflight', fix: 'cors = { origins = […] }, without preflight = "pass"' });
    return pass(given.length === 0 ? 'no page of another origin may read answers' : `only ${given.flatMap(([, cors]) => cors.origins).join(', ')}`);
  },
  headers: ({ policy: { security_headers: headers } }) => {
    if (!headers) return fail('nothing is added to what the service sets', { path: 'security_headers', fix: 'security_headers = true' });
    const off = headers === true ? [] : Object.entries(headers).filter(([, value]) => value === false).map(([name]) => name);
    return off.length === 0 ? pass('those of helmet, where the service sets none') : warn(`left out: ${off.join(', ')}`, { path: 'security_headers' });
  },
  'constant-time': () => unknown('by construction: tags, secrets and MACs are compared by subtle and hmac. Over a network no measurement shows it', { kind: 'none', fix: 'read SECURITY.md, and attest it in doctor.toml' }),
  cookies: ({ policy: { sessions, cookie } }) => [
    ...(sessions?.cookies ? [pass('sessions are in cookies __Host-…, HttpOnly, Secure, SameSite')] : []),
    ...(cookie ? [unknown(`whoever sets the cookie ${cookie} says whether it is HttpOnly`, { kind: 'none', fix: 'look at the answer that sets it, and attest it in doctor.toml' })] : []),
    ...(!sessions?.cookies && !cookie ? [skip('the gate takes no cookies: credentials come in headers')] : []),
  ],
  csrf: ({ policy: { cookie, csrf, sessions, login, origin } }) => {
    if (!cookie && !sessions?.cookies) return skip('no cookie carries a credential, so a page of others has none to use');
    const told = [];
    if (cookie && csrf === 'off') told.push(fail(`requests of all pages count with the cookie ${cookie}`, { path: 'csrf', fix: 'csrf = "on"' }));
    else told.push(pass('a request that changes something has to come from a page of this origin'));
    if (origin === undefined) told.push(warn('without origin only a loopback host is the gate\'s own: pages can change nothing', { path: 'origin', fix: 'origin = "https://api.example.com"' }));
    if (login) told.push(pass('logins have a state that is bound to the browser, and PKCE'));
    return told;
  },
  csp: ({ policy: { security_headers: headers, sessions, login, cookie } }) => {
    const pages = Boolean(sessions?.cookies || login || cookie);
    const own = typeof headers === 'object' && headers !== null ? headers.content_security_policy : undefined;
    const path = 'security_headers';
    if (!headers || own === false) {
      const told = own === false ? 'content_security_policy is off' : 'the service\'s own answers have the policy that it sets';
      return (pages || own === false ? fail : warn)(told, { path, fix: 'security_headers = true' });
    }
    const loose = typeof own === 'string' && looseScripts(own);
    return loose ? fail(`scripts: ${loose}`, { path: `${path}.content_security_policy`, fix: "script-src 'self'" }) : pass('scripts of this origin alone');
  },
  'oauth-tokens': ({ policy }) => (policy.routes.some(({ grant }) => grant) || list(policy.login?.providers).some((one) => one.connect_only)
    ? pass('tokens of providers are sealed by sessions.secret, each for its owner (STORAGE.md)')
    : skip('the gate keeps no tokens of providers')),
};

function inTheClear(policy) {
  const plain = upstreamsOf(policy).filter(({ url }) => url.startsWith('http:') && !isLoopback(url));
  const lenient = [...policy.issuers.map((one, at) => [`issuers[${at}]`, one]), ...list(policy.login?.providers).map((one, at) => [`login.providers[${at}]`, one])].filter(([, one]) => one.allow_http);
  return [
    ...plain.map(({ path }) => warn('what was admitted goes on over plain http', { path, fix: 'an https URL, or a service binding' })),
    ...lenient.map(([path]) => warn('is asked over plain http', { path: `${path}.allow_http`, fix: 'an https URL' })),
  ];
}

function lifeOf({ issuer, max_token_age_secs: age, require_exp: ends }, at) {
  const path = `issuers[${at}].max_token_age_secs`;
  const fix = `max_token_age_secs = ${MINUTES_15}`;
  if (age === undefined && ends === false) return fail(`tokens of ${issuer} need no end`, { path: `issuers[${at}].require_exp`, fix });
  if (age === undefined) return warn(`tokens of ${issuer} live as long as it says`, { path, fix });
  return age <= MINUTES_15 ? pass(`tokens of ${issuer}: ${duration(age)} at most`) : warn(`tokens of ${issuer}: ${duration(age)}`, { path, fix });
}

function ofSessions({ access_secs: life }) {
  const told = `tokens of the gate's sessions: ${duration(life)}`;
  return life <= MINUTES_15 ? pass(told) : warn(told, { path: 'sessions.access_secs', fix: `access_secs = ${MINUTES_15}` });
}

/** What a Content-Security-Policy lets scripts be that an attacker could have put there. */
export function looseScripts(policy) {
  const directives = new Map(policy.split(';').map((one) => one.trim().split(/\s+/)).map(([name, ...values]) => [name.toLowerCase(), values]));
  const scripts = directives.get('script-src') ?? directives.get('default-src');
  if (scripts === undefined) return 'no script-src and no default-src';
  const strict = scripts.some((one) => /^'(nonce|sha\d+)-/.test(one));
  return scripts.find((one) => ['*', 'http:', 'https:', 'data:', "'unsafe-eval'"].includes(one) || (one === "'unsafe-inline'" && !strict));
}

/** The guide asks for bcrypt; argon2id is what OWASP asks for first. A policy cannot ask for less than OWASP does. */
function ofPasswords({ hash, imports }) {
  const told = `argon2id with ${hash.memory_kib / 1024} MiB, ${hash.iterations} iterations and a pepper`;
  return imports.length === 0
    ? pass(told)
    : warn(`${told}; those who were imported keep the hash that they came with until they log in`, { path: 'accounts.imports', fix: 'set a date from which they get a new password (accounts change), then delete imports' });
}

function ofAttempts({ enabled, requests, window_secs: window }, { path, fix, who }) {
  if (!enabled) return fail('nothing bounds guesses', { path, fix });
  // In a shorter window a caller begins anew.
  const attempts = Math.ceil(window >= MINUTES_15 ? requests : requests * (MINUTES_15 / window));
  const told = `${requests} in ${duration(window)} ${who}`;
  return attempts <= ATTEMPTS ? pass(told) : fail(`${told}: up to ${attempts} in 15 minutes`, { path, fix });
}
