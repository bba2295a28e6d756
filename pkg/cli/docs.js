// The page for those who call an API: how to authenticate, what they may do, what refusals mean. It is made from the policy alone.
//
// It says only what a caller has to know. What the operator keeps to itself is never read: names of secrets, upstreams, networks and other lists of callers, stores,
// clients, values that claims have to have. A route that is open to certain networks alone is left out, and so are issuers, scopes and
// prefixes of keys that no other route takes.

import { html, markdown, oneLine } from './docs-render.js';
import { REFUSALS } from './refusals.js';

const OPTIONS = ['title', 'baseUrl', 'words'];
/** Where the operator's own words may stand. */
const WORDS = ['introduction', 'keys', 'tokens', 'limits', 'support'];

const c = (text) => ({ code: String(text) });
const h2 = (heading) => ({ heading, level: 2 });
const h3 = (heading) => ({ heading, level: 3 });
const p = (...text) => ({ text });

/**
 * @param policy the policy as an object, or as JSON; one that a gate takes
 * @param options `title`; `baseUrl`, where callers reach the API; `words`, the operator's own by place (`introduction`, `keys`, `tokens`, `limits`, `support`)
 * @returns `{markdown, html}`
 */
export function callersPage(policy, options = {}) {
  const document = typeof policy === 'string' ? JSON.parse(policy) : policy;
  if (typeof document !== 'object' || document === null || Array.isArray(document)) throw new TypeError('the policy: expected an object');
  checkNames(options, OPTIONS, 'an option');
  checkNames(options.words ?? {}, WORDS, 'a place for words');
  const api = factsOf(document, options);
  const title = options.title ?? 'How to call this API';
  const blocks = [
    { heading: title, level: 1 }, ...introduction(api), ...authentication(api), ...keys(api), ...tokens(api), ...scopes(api), ...limits(api), ...errors(api),
    ...practice(api), ...support(api),
  ];
  return { markdown: markdown(blocks), html: html(title, blocks) };
}

function checkNames(object, names, what) {
  for (const name of Object.keys(object)) {
    if (!names.includes(name)) throw new TypeError(`${name} is not ${what}, expected one of ${names.join(', ')}`);
  }
}

// ---- what the policy says to callers ----

const list = (value) => (value === undefined || value === null ? [] : [value].flat());

function factsOf(policy, { baseUrl, words = {} }) {
  const routes = list(policy.routes).filter((route) => route.ips === undefined && route.answer === undefined);
  const needing = routes.filter(({ auth }) => auth !== 'none');
  const isOfAll = list(policy.routes).length === 0;
  const accepts = (kind, test) => isOfAll || needing.some((route) => (route.accept === undefined || route.accept.includes(kind)) && test(route));
  const takes = ({ issuer }) => accepts('jwt', (route) => route.issuers === undefined || route.issuers.includes(issuer));
  const issuers = list(policy.issuers).filter(takes);
  const sessions = policy.sessions && takes(policy.sessions) ? policy.sessions : undefined;
  return {
    policy,
    routes,
    issuers,
    sessions,
    // Who asks for an issuer takes no keys.
    apiKeys: accepts('api_key', (route) => route.issuers === undefined) ? policy.api_keys : undefined,
    scopes: isOfAll ? undefined : scopesFor(policy, needing),
    takesAnyKey: accepts('api_key', ({ issuers: some, scopes: wanted = {} }) => some === undefined && scopesOf(wanted).length === 0),
    keyHeader: policy.api_keys?.header ?? 'X-API-Key',
    hasTokens: issuers.length > 0 || sessions !== undefined,
    limits: usedLimits(policy, routes),
    words,
    baseUrl: (baseUrl ?? policy.origin ?? 'https://api.example.com').replace(/\/+$/, ''),
    prefix: policy.auth_prefix ?? '/auth',
  };
}

const scopesOf = ({ all, any }) => [...list(all), ...list(any)];

/** The scopes that these routes name, and those that include one of them. */
function scopesFor(policy, routes) {
  const found = new Set(routes.flatMap((route) => scopesOf(route.scopes ?? {})));
  const including = Object.entries(policy.scope_includes ?? {});
  for (let before = -1; before !== found.size;) {
    before = found.size;
    for (const [scope, others] of including) if (list(others).some((one) => found.has(one))) found.add(scope);
  }
  return found;
}

const told = ({ scopes: some }, names) => list(names).filter((name) => some === undefined || some.has(name));

function usedLimits(policy, routes) {
  const used = new Set(routes.flatMap((route) => list(route.limits)));
  return list(policy.limits).filter(({ name }) => used.has(name));
}

/** The operator's words: paragraphs. */
const said = ({ words }, place) => (words[place] ?? '').split(/\n\s*\n/).map((text) => text.replace(/\s+/g, ' ').trim()).filter(Boolean).map((text) => p(text));

// ---- examples ----

const quoted = (text) => `'${oneLine(text).replaceAll("'", "'\\''")}'`;

/** A path that the pattern takes. */
const pathOf = (pattern) => pattern.replace(/\{[^}]*\}/g, '1').replace(/\/\*$/, '/example');

/** A route to show, if there is one: it needs a credential, and can be asked with GET. */
function shown({ routes }, kind) {
  const usable = routes.filter(({ auth, accept }) => auth !== 'none' && (accept === undefined || accept.includes(kind)));
  const reads = usable.filter(({ methods }) => methods === undefined || methods.includes('GET'));
  return (reads.find(({ path }) => !path.includes('*')) ?? reads[0])?.path ?? '/';
}

const curl = (api, header, kind) => ({ code: `curl -H ${header} ${quoted(api.baseUrl + pathOf(shown(api, kind)))}` });

// ---- sections ----

function introduction(api) {
  const kinds = [api.apiKeys && 'an API key', api.hasTokens && 'an access token'].filter(Boolean);
  const needs = kinds.length > 0 ? `A request needs ${kinds.join(' or ')}, unless its path is open.` : 'Requests need no credential.';
  return [...said(api, 'introduction'), p('The API is at ', c(api.baseUrl), '. ', needs)];
}

function authentication(api) {
  if (!api.apiKeys && !api.hasTokens) return [];
  const rows = [];
  if (api.apiKeys) {
    rows.push(['an API key', [c(`${api.keyHeader}: <key>`)]]);
    rows.push(['an API key, as user with an empty password', [c('Authorization: Basic <base64 of key:>')]]);
    rows.push(['an API key', [c('Authorization: Bearer <key>')]]);
  }
  if (api.hasTokens) rows.push(['an access token', [c('Authorization: Bearer <token>')]]);
  if (isBound(api)) rows.push(['an access token that is bound to your key', [c('Authorization: DPoP <token>'), ' and ', c('DPoP: <proof>')]]);
  const examples = [];
  if (api.apiKeys) examples.push(curl(api, `"${shellHeader(api.keyHeader)}: $API_KEY"`, 'api_key'));
  if (api.hasTokens) examples.push(curl(api, '"Authorization: Bearer $TOKEN"', 'jwt'));
  return [
    h2('Authenticate'),
    p('Send exactly one credential with each request. Two are refused, even if both are good.'),
    { table: { head: ['credential', 'header'], rows } },
    ...examples,
    ...(api.policy.https ? [p('Use https. Requests over plain http are not admitted, and a credential that was sent so has to be replaced.')] : []),
    ...browsers(api),
  ];
}

/** A name of a header has no letter that a shell reads; others are left out of commands. */
const shellHeader = (name) => name.replace(/[^A-Za-z0-9-]/g, '');

const isBound = ({ issuers, sessions }) => sessions !== undefined || issuers.some(({ dpop }) => dpop === 'required' || dpop === undefined || dpop === 'optional');

function browsers({ policy, sessions, apiKeys }) {
  const told = [];
  if (sessions?.cookies) told.push(p('Pages of this site need no header: after sign-in the browser has cookies. A request that changes something has to come from a page of this site.'));
  else if (policy.cookie) told.push(p('A browser may carry the token in a cookie. A request that changes something has to come from a page of this site.'));
  if (policy.cors) told.push(p('Pages of registered origins may read answers. Ask for yours to be registered.'));
  if (apiKeys && told.length > 0) told.push(p('Never put an API key into a page or an app that others can read.'));
  return told;
}

function keys(api) {
  const { apiKeys, words } = api;
  if (!apiKeys) return [];
  const own = list(apiKeys.prefixes).filter(({ format, scopes: most }) => format !== 'imported' && (most === undefined || api.takesAnyKey || told(api, most).length > 0));
  const rows = own.map(({ prefix, scopes: most }) => [[c(`${prefix}_${apiKeys.environment}_…`)], most ? scopeWords(told(api, most)) : 'the scopes that it was created with']);
  return [
    h2('API keys'),
    h3('Get a key'),
    ...(words.keys ? said(api, 'keys') : [p('The operator of this API creates keys. Say what the key is for, which scopes it needs, and when it may expire.')]),
    p('A key is shown once, when it is created. Save it at once; nobody can show it again.'),
    ...(rows.length > 0 ? [{ table: { head: ['a key begins with', 'it may do at most'], rows } }] : []),
    p('This is the environment ', c(apiKeys.environment), '. Keys of another environment are refused.'),
    h3('Rotate a key'),
    {
      list: [
        'Ask for a successor of the key. It has the same rights, and the old key goes on for as long as you ask for.',
        'Put the new key everywhere, and watch that the old one is not used any more.',
        'Have the old key revoked. If a key has leaked, have it revoked first.',
      ],
    },
    ...(api.limits.length > 0 ? [p('A key and its successor share one allowance: a rotation gives no new one.')] : []),
  ];
}

function tokens(api) {
  if (!api.hasTokens) return [];
  const rows = api.issuers.map((issuer) => [[c(issuer.issuer)], audienceOf(issuer), joined(issuer.algorithms), lifetimeOf(issuer)]);
  if (api.sessions) rows.push([[c(api.sessions.issuer)], joined(api.sessions.audience), joined(api.sessions.algorithm ?? 'ES256'), `${api.sessions.access_secs ?? 900} s`]);
  return [
    h2('Access tokens'),
    ...said(api, 'tokens'),
    p('A token is a JSON Web Token (RFC 7519), signed by one of these issuers:'),
    { table: { head: ['issuer', 'it has to be for', 'signed with', 'life'], rows } },
    h3('Claims'),
    { table: { head: ['claim', 'what it has to be'], rows: claimRows(api) } },
    ...api.issuers.filter(({ dpop }) => dpop === 'required').map(({ issuer }) => p('Tokens of ', c(issuer), ' have to be bound to a key of yours. Send a proof by that key with each request (DPoP, RFC 9449).')),
    ...refresh(api),
  ];
}

const joined = (values) => (list(values).length === 0 ? 'what its keys are for' : list(values).flatMap((value, index) => (index === 0 ? [c(value)] : [', ', c(value)])));

function audienceOf({ audience, audience_claim: claim }) {
  const names = joined(audience);
  return claim ? [c(claim), ': ', ...names] : names;
}

function lifetimeOf({ max_token_age_secs: age, require_exp: ends }) {
  if (age !== undefined) return `at most ${age} s from iat`;
  return ends === false ? 'until exp, if it has one' : 'until exp';
}

function claimRows({ issuers, sessions }) {
  const every = (test) => issuers.length > 0 && issuers.every(test);
  const rows = [
    [[c('iss')], 'the issuer, letter by letter'],
    [[c(every(({ audience_claim: claim }) => claim) ? issuers[0].audience_claim : 'aud')], 'the audience of the table, or a list with it'],
    [[c('exp')], `when the token ends, in seconds since 1970${every(({ require_exp: ends }) => ends === false) && !sessions ? '; it may be absent' : ''}`],
    [[c('nbf'), ', ', c('iat')], 'not in the future, if they are there'],
  ];
  const scopesIn = [...new Set(issuers.flatMap((issuer) => list(issuer.scope_claims ?? issuer.scope_claim ?? ['scope', 'scp'])))];
  rows.push([joined(scopesIn.length > 0 ? scopesIn : ['scope']), 'what the token may do: see Scopes']);
  const types = [...new Set(issuers.flatMap(({ typ, profile }) => list(typ ?? (profile === 'access-token' ? 'at+jwt' : undefined))))];
  if (types.length > 0) rows.push([[c('typ'), ' in the header'], joined(types)]);
  const required = [...new Set(issuers.flatMap((issuer) => list(issuer.required_claims)))];
  if (required.length > 0) rows.push([joined(required), 'has to be there']);
  if (issuers.some(({ max_auth_age_secs: age }) => age !== undefined)) rows.push([[c('auth_time')], 'a sign-in that is recent enough; else the person has to sign in again']);
  return rows;
}

function refresh({ sessions, baseUrl, prefix }) {
  if (!sessions) return [];
  const machine = list(sessions.clients).some(({ grants }) => list(grants).includes('client_credentials'));
  return [
    h3('Renew a token'),
    p('Exchange the refresh token before the access token ends. The answer has both anew; save the new refresh token before you use the new access token.'),
    { code: `curl -H 'Content-Type: application/json' -d "{\\"refreshToken\\": \\"$REFRESH\\"}" ${quoted(`${baseUrl}${prefix}/refresh`)}` },
    p('If no answer comes, ask again with the same refresh token. One that was used long ago ends the session.'),
    ...(machine ? [p('A registered machine gets tokens without a user (RFC 6749 §4.4):'), { code: `curl -u "$CLIENT_ID:$CLIENT_SECRET" -d grant_type=client_credentials ${quoted(`${baseUrl}${prefix}/token`)}` }] : []),
    p('To sign out, send ', c(`POST ${prefix}/logout`), ' with the access token.'),
  ];
}

const scopeWords = (names, word = ', ') => {
  const all = list(names);
  return all.length === 0 ? 'nothing' : all.flatMap((name, index) => (index === 0 ? [c(name)] : [word, c(name)]));
};

function needsOf(route) {
  if (route.auth === 'none') return 'open to everybody';
  const { all, any } = route.scopes ?? {};
  const parts = [];
  if (list(all).length > 0) parts.push(scopeWords(all, ' and '));
  if (list(any).length > 0) parts.push([...(list(any).length > 1 ? ['one of '] : []), ...scopeWords(any)]);
  const needed = parts.length === 0 ? ['any good credential'] : parts.flatMap((part, index) => (index === 0 ? part : ['; ', ...part]));
  const kinds = route.accept?.length === 1 ? [route.accept[0] === 'jwt' ? ', with a token' : ', with an API key'] : [];
  const optional = route.auth === 'optional' ? [' (or no credential)'] : [];
  return [...needed, ...kinds, ...optional, ...conditionsOf(route)];
}

/** Only those that name a part of the path: a fixed value is the operator's. */
function conditionsOf({ claims = {} }) {
  return Object.entries(claims).flatMap(([claim, value]) => {
    const parameter = /^\{\w+\}$/.test(value) ? value : undefined;
    return parameter === undefined ? [] : ['; ', c(parameter), ' is your ', c(claim)];
  });
}

function scopes(api) {
  const rows = api.routes.map((route) => [route.methods ? route.methods.join(', ') : 'any', [c(route.path)], needsOf(route)]);
  if (rows.length === 0) return [];
  const includes = Object.entries(api.policy.scope_includes ?? {}).map(([scope, others]) => [scope, told(api, others)]).filter(([, others]) => others.length > 0);
  return [
    h2('Scopes'),
    p('The first line that fits method and path counts.'),
    { table: { head: ['method', 'path', 'what it needs'], rows } },
    ...(includes.length > 0 ? [{ list: includes.map(([scope, others]) => [c(scope), ' includes ', ...scopeWords(others), '.']) }] : []),
  ];
}

const COUNTED = { caller: 'caller', subject: 'user', api_key: 'API key', ip: 'address', issuer: 'issuer', route: 'path' };
const UNITS = [[86_400, 'day'], [3600, 'hour'], [60, 'minute'], [1, 'second']];

function windowOf({ window_secs: secs, window }) {
  if (window !== undefined) return `calendar ${window}, in UTC`;
  const [unit, name] = UNITS.find(([length]) => secs % length === 0) ?? [1, 'second'];
  const count = secs / unit;
  return count === 1 ? name : `${count} ${name}s`;
}

function limits(api) {
  const blocks = [h2('Limits'), ...said(api, 'limits')];
  if (api.limits.length > 0) {
    const pathsOf = (name) => api.routes.filter((route) => list(route.limits).includes(name));
    const rows = api.limits.map((limit) => [
      [c(limit.name)],
      `${limit.requests} in each ${windowOf(limit)}${limit.burst ? `, ${limit.burst} at once` : ''}, for each ${list(limit.by ?? 'caller').map((by) => COUNTED[by] ?? 'caller').join(' and ')}`,
      pathsOf(limit.name).flatMap(({ path, cost = 1 }, index) => [...(index === 0 ? [] : [', ']), c(path), ...(cost === 1 ? [] : [` (counts ${cost})`])]),
    ]);
    blocks.push({ table: { head: ['limit', 'requests', 'paths'], rows } });
    blocks.push(p('Answers have ', c('RateLimit'), ': how many requests are left (', c('r'), ') and in how many seconds there are more (', c('t'), '). ',
      c('RateLimit-Policy'), ' has the limit itself. Slow down before nothing is left.'));
  }
  const { failed_authentication: failures } = api.policy;
  if (failures?.enabled !== false && (api.apiKeys || api.hasTokens)) {
    blocks.push(p('Too many wrong credentials from one address block that address for a while, also for good ones. Do not try a refused credential again.'));
  }
  if (blocks.length === 1) return [];
  blocks.push(p('A refusal with status 429 has ', c('Retry-After'), ': wait as many seconds, then try again.'));
  return blocks;
}

// ---- errors ----

/** Which refusals this policy can give to callers. Those of the gate's own endpoints and of a faulty policy are not theirs. */
function codesOf({ policy, issuers, sessions, apiKeys, hasTokens, routes, limits: used }) {
  const credentials = Boolean(apiKeys) || hasTokens;
  const some = (test) => routes.some(test);
  const cookies = Boolean(policy.cookie || sessions?.cookies);
  const needs = {
    MISSING_CREDENTIALS: credentials,
    LOGIN_REQUIRED: policy.login,
    INVALID_TOKEN: hasTokens,
    TOKEN_EXPIRED: hasTokens,
    TOKEN_NOT_YET_VALID: hasTokens,
    TOKEN_REVOKED: hasTokens && policy.revocation,
    STEP_UP_REQUIRED: [...issuers, ...(policy.routes ?? [])].some(({ max_auth_age_secs: age, acr_values: classes }) => age !== undefined || classes),
    INVALID_API_KEY: apiKeys,
    API_KEY_EXPIRED: apiKeys,
    API_KEY_REVOKED: apiKeys,
    WRONG_ENVIRONMENT: apiKeys,
    INVALID_REFRESH_TOKEN: sessions,
    INVALID_CREDENTIALS: policy.accounts,
    MFA_REQUIRED: policy.accounts,
    MFA_SETUP_REQUIRED: policy.accounts?.mfa === 'required',
    TOO_MANY_ATTEMPTS: policy.accounts,
    INSUFFICIENT_SCOPE: some(({ scopes: wanted }) => wanted),
    NOT_ALLOWED: credentials,
    CONNECT_REQUIRED: policy.routes?.some(({ grant }) => grant),
    CSRF_REFUSED: cookies && policy.csrf !== 'off',
    HTTPS_REQUIRED: policy.https,
    RATE_LIMITED: used.length > 0 || credentials,
    INVALID_REQUEST: true,
    MULTIPLE_CREDENTIALS: credentials,
    STORE_UNAVAILABLE: used.length > 0 || policy.revocation || apiKeys,
    KEYS_UNAVAILABLE: hasTokens,
    UPSTREAM_ERROR: true,
    UPSTREAM_TIMEOUT: true,
  };
  return Object.keys(REFUSALS).filter((code) => needs[code]);
}

function errors(api) {
  const rows = codesOf(api).map((code) => {
    const { status, title, hint } = REFUSALS[code];
    return [[c(code)], String(status), title, hint.replaceAll('X-API-Key', api.keyHeader)];
  });
  return [
    h2('Errors'),
    p('A refusal is JSON with three fields: ', c('error'), ' for people, ', c('code'), ' for programs, ', c('hint'), ' says what to do. Decide by ', c('code'),
      '. With ', c('Accept: application/problem+json'), ' it has the form of RFC 9457.'),
    { table: { head: ['code', 'status', 'what happened', 'what to do'], rows } },
    p('Try again by yourself only after 429, 502, 503 and 504: after as many seconds as ', c('Retry-After'), ' says, or else after one second, then two, four, eight. All else needs a change first.'),
  ];
}

function practice(api) {
  if (!api.apiKeys && !api.hasTokens) return [];
  return [
    h2('Good practice'),
    {
      list: [
        'Keep credentials in a secret manager or in the environment: never in code, in a repository, in a URL or in a log.',
        ...(api.apiKeys ? ['Use one key for each application and environment, with the fewest scopes that it needs, and give it an end.', 'Rotate keys at fixed times, not only after an accident.'] : []),
        ...(api.hasTokens ? ['Keep a token until shortly before it ends, and use it for many requests. Do not ask for one for each request.', 'Do not read meaning into a token that is not yours to read: its form may change.'] : []),
        'If a credential may have leaked, have it revoked at once, and ask later.',
        'Call over https, and check the certificate.',
      ],
    },
  ];
}

function support(api) {
  const blocks = said(api, 'support');
  return blocks.length === 0 ? [] : [h2('Help'), ...blocks];
}
