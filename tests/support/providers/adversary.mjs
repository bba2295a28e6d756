// A provider that is right but for one thing. Each behaviour has the name of the OpenID Foundation's test for relying parties
// (https://gitlab.com/openid/conformance-suite, src/main/java/net/openid/conformance), or says which attack it is.
//
// `expected` is what a login has to come to: `in`, `out` (no session), `either` (the test allows both), or `unasked` (out, or in without the
// userinfo endpoint being asked). `library` is the same for openid-client where that differs, by `why`.

import { makeKey, publicJwk, signed } from './keys.mjs';

/** Changes claims of the ID token; one that is `undefined` is left out. */
const claims = (change) => (provider) => {
  provider.tamper.idToken = (token, grant) => ({ ...token, claims: { ...token.claims, ...change(token.claims, grant, provider) } });
};

const header = (change) => (provider) => {
  provider.tamper.idToken = (token) => ({ ...token, header: { ...token.header, ...change(token, provider) } });
};

/** Changes the ID token as it is on the wire. */
const token = (change) => (provider) => {
  provider.tamper.idToken = (right) => change(right, provider);
};

const metadata = (change) => (provider) => {
  provider.tamper.metadata = (document) => ({ ...document, ...change(document, provider) });
};

const callback = (change) => (provider) => {
  provider.tamper.callback = (parameters) => change(parameters, provider);
};

const answer = (change) => (provider) => {
  provider.tamper.answer = (body, grant) => change(body, grant, provider);
};

const keySet = (change) => (provider) => {
  provider.tamper.keySet = (set) => change(set, provider);
};

/** Answers of the token endpoint that are no JSON of the standard. */
const raw = (reply) => (provider) => {
  provider.tamper.request = (call) => (call.path === provider.kind.paths.token ? reply(call, provider) : undefined);
};

const nothing = () => {};
const none = (right) => signed({ ...right, header: { alg: 'none' } });
/** With one bit of the signature changed: the last letter stands for fewer bits than it has. */
const broken = (jwt) => `${jwt.slice(0, -10)}${jwt.at(-10) === 'A' ? 'B' : 'A'}${jwt.slice(-9)}`;
const DAY = 86_400;

const BASIC = 'OIDF Basic RP';
const CONFIG = 'OIDF Config RP';
const FORM = 'OIDF Form Post Basic RP';
const CORE = 'OIDF RP, further';
const FAPI = 'OIDF FAPI 2.0 client';

const one = (plan, name, expected, set, more = {}) => ({ plan, name, expected, set, ...more });

export const LOGINS = [
  one(BASIC, 'oidcc-client-test', 'in', nothing),
  one(BASIC, 'oidcc-client-test-invalid-iss', 'out', claims(({ iss }) => ({ iss: `${iss}/other` }))),
  one(BASIC, 'oidcc-client-test-missing-sub', 'out', claims(() => ({ sub: undefined }))),
  one(BASIC, 'oidcc-client-test-invalid-aud', 'out', claims(() => ({ aud: 'another-client' }))),
  one(BASIC, 'oidcc-client-test-missing-iat', 'out', claims(() => ({ iat: undefined }))),
  one(BASIC, 'oidcc-client-test-kid-absent-single-jwks', 'in', header(() => ({ kid: undefined }))),
  one(BASIC, 'oidcc-client-test-kid-absent-multiple-jwks', 'either', (provider) => {
    header(() => ({ kid: undefined }))(provider);
    keySet((set) => ({ keys: [publicJwk(makeKey()), ...set.keys].map((jwk) => ({ ...jwk, kid: undefined })) }))(provider);
  }),
  one(BASIC, 'oidcc-client-test-idtoken-sig-rs256', 'in', nothing),
  one(BASIC, 'oidcc-client-test-idtoken-sig-none', 'out', token(none)),
  one(BASIC, 'oidcc-client-test-invalid-sig-rs256', 'out', token((right) => broken(signed(right)))),
  one(BASIC, 'oidcc-client-test-userinfo-invalid-sub', 'unasked', (provider) => {
    provider.tamper.userinfo = (body) => ({ ...body, sub: `${body.sub}invalid` });
  }),
  one(BASIC, 'oidcc-client-test-nonce-invalid', 'out', claims(({ nonce }) => ({ nonce: `${nonce}invalid` }))),
  // The claims of the scopes are at the userinfo endpoint alone (OpenID Connect Core 1.0 §5.4).
  one(BASIC, 'oidcc-client-test-scope-userinfo-claims', 'in', claims(() => ({ name: undefined, email: undefined, email_verified: undefined, groups: undefined })), { needsEmail: true }),
  one(BASIC, 'oidcc-client-test-client-secret-basic', 'in', nothing),

  one(CONFIG, 'oidcc-client-test-discovery-openid-config', 'in', nothing),
  one(CONFIG, 'oidcc-client-test-discovery-jwks-uri-keys', 'in', nothing),
  one(CONFIG, 'oidcc-client-test-discovery-issuer-mismatch', 'out', metadata(({ issuer }) => ({ issuer: `${issuer}/mismatch` }))),
  one(CONFIG, 'oidcc-client-test-idtoken-sig-none', 'out', token(none)),
  one(CONFIG, 'oidcc-client-test-signing-key-rotation-just-before-signing', 'in', (provider) => {
    provider.tamper.callback = (parameters) => {
      provider.rotateKeys();
      return parameters;
    };
  }),
  one(CONFIG, 'oidcc-client-test-signing-key-rotation', 'in', (provider) => provider.rotateKeys(), {
    isSecondLogin: true, library: 'out', why: 'asks for keys once a minute at most',
  }),

  one(FORM, 'oidcc-client-test (form_post)', 'in', nothing, { mode: 'form_post' }),
  one(FORM, 'oidcc-client-test-form-post-error', 'out', (provider) => { provider.denies = 'login_required'; }, { mode: 'form_post' }),

  one(CORE, 'oidcc-client-test-missing-aud', 'out', claims(() => ({ aud: undefined }))),
  one(CORE, 'oidcc-client-test-invalid-athash', 'out', claims(() => ({ at_hash: 'AAAAAAAAAAAAAAAAAAAAAA' })),
    { library: 'in', why: 'looks at at_hash only where a token comes by the browser' }),
  one(CORE, 'oidcc-client-test-missing-athash', 'in', claims(() => ({ at_hash: undefined }))),
  one(CORE, 'oidcc-client-test-invalid-sig-hs256', 'out', token((right, { client }) => broken(signed({ ...right, header: { alg: 'HS256' }, secret: client.secret })))),
  one(CORE, 'oidcc-client-test-invalid-sig-es256', 'out', token((right) => {
    const key = makeKey('ES256');
    return signed({ ...right, header: { ...right.header, alg: 'ES256' }, key });
  })),
  one(CORE, 'oidcc-client-test-ignores-unparseable-key-in-jwks', 'in', keySet((set) => ({
    keys: [{ kty: 'AKP', alg: 'ML-DSA-99', kid: 'pq', pub: 'AAAA', use: 'sig' }, { kty: 'made-up', kid: 'odd' }, ...set.keys],
  }))),

  one(FAPI, 'invalid-authorization-response-iss', 'out', callback((parameters, { issuer }) => ({ ...parameters, iss: `${issuer}/1` }))),
  one(FAPI, 'remove-authorization-response-iss', 'out', callback((parameters) => ({ ...parameters, iss: undefined }))),
  one(FAPI, 'ensure-authorization-response-with-invalid-state-fails', 'out', callback((parameters) => ({ ...parameters, state: `${parameters.state}1` }))),
  one(FAPI, 'ensure-authorization-response-with-invalid-missing-state-fails', 'out', callback((parameters) => ({ ...parameters, state: undefined }))),
  one(FAPI, 'token-type-case-insensitivity', 'in', answer((body) => ({ ...body, token_type: 'bEAreR' }))),
  one(FAPI, 'token-endpoint-response-without-expires_in', 'in', answer((body) => ({ ...body, expires_in: undefined }))),
  one(FAPI, 'no-scope-in-token-endpoint-response', 'in', answer((body) => ({ ...body, scope: undefined }))),
  one(FAPI, 'valid-aud-as-array', 'in', claims(({ aud }) => ({ aud: [aud] }))),
  one(FAPI, 'invalid-secondary-aud', 'out', claims(({ aud }) => ({ aud: [aud, 'another-client'] }))),
  one(FAPI, 'invalid-null-alg', 'out', header(() => ({ alg: null }))),
  one(FAPI, 'invalid-alternate-alg', 'out', header(() => ({ alg: 'RS384' }))),
  one(FAPI, 'invalid-expired-exp', 'out', claims(({ iat }) => ({ iat: iat - 2 * DAY, exp: iat - DAY }))),
  one(FAPI, 'invalid-missing-exp', 'out', claims(() => ({ exp: undefined }))),
  one(FAPI, 'invalid-missing-iss', 'out', claims(() => ({ iss: undefined }))),
  one(FAPI, 'invalid-missing-nonce', 'out', claims(() => ({ nonce: undefined }))),
  one(FAPI, 'iat-is-week-in-past', 'out', claims(({ iat }) => ({ iat: iat - 7 * DAY })), { library: 'in', why: 'the test allows both; a login is minutes old' }),
];

const ATTACK = 'attack';

/** What a provider, or whoever sits between, can do beside the Foundation's list. */
export const ATTACKS = [
  // alg: none in other letters; a header that brings its own key; HMAC by the public key.
  one(ATTACK, 'alg-none-in-other-letters', 'out', token((right) => none(right).replace(/^[^.]+/, Buffer.from('{"alg":"nOnE"}').toString('base64url')))),
  one(ATTACK, 'key-in-the-header', 'out', token((right) => {
    const key = makeKey();
    return signed({ ...right, key, header: { ...right.header, jwk: publicJwk(key), kid: key.kid } });
  })),
  one(ATTACK, 'jku-in-the-header', 'out', token((right, { origin }) => {
    const key = makeKey();
    return signed({ ...right, key, header: { ...right.header, jku: `${origin}/evil`, kid: key.kid } });
  })),
  one(ATTACK, 'hmac-by-the-public-key', 'out', token((right, { keys }) => {
    const pem = keys[0].publicKey.export({ format: 'pem', type: 'spki' });
    return signed({ ...right, header: { ...right.header, alg: 'HS256' }, secret: pem });
  })),
  one(ATTACK, 'hmac-by-the-client-secret', 'out', token((right, { client }) => signed({ ...right, header: { alg: 'HS256' }, secret: client.secret }))),
  one(ATTACK, 'wrong-kid', 'out', header(() => ({ kid: 'unknown' }))),
  one(ATTACK, 'unknown-crit', 'out', header(() => ({ crit: ['exp'] }))),
  one(ATTACK, 'payload-of-another-token', 'out', token((right) => {
    const [first, , last] = signed(right).split('.');
    return [first, Buffer.from(JSON.stringify({ ...right.claims, sub: 'root' })).toString('base64url'), last].join('.');
  })),
  one(ATTACK, 'no-id-token', 'out', answer((body) => ({ ...body, id_token: undefined }))),
  one(ATTACK, 'access-token-as-id-token', 'out', header(() => ({ typ: 'at+jwt' })), { library: 'in', why: 'does not look at typ' }),
  one(ATTACK, 'logout-token-as-id-token', 'out', header(() => ({ typ: 'logout+jwt' })), { library: 'in', why: 'does not look at typ' }),
  one(ATTACK, 'empty-sub', 'out', claims(() => ({ sub: '' }))),
  // Names of Auth0 have one. It is not a name of another provider all the same.
  one(ATTACK, 'sub-of-another-provider', 'in', (provider) => { provider.user = { ...provider.user, sub: 'google|1' }; }),
  one(ATTACK, 'azp-of-another-client', 'out', claims(() => ({ azp: 'another-client' })), { library: 'in', why: 'looks at azp only where aud has several' }),
  one(ATTACK, 'token-of-tomorrow', 'out', claims(({ iat, exp }) => ({ iat: iat + DAY, exp: exp + DAY })), { library: 'in', why: 'does not compare iat' }),
  // Who asks the userinfo endpoint has to compare `sub` (OpenID Connect Core 1.0 §5.3.2).
  one(ATTACK, 'userinfo-of-somebody-else', 'out', (provider) => {
    claims(() => ({ email: undefined, email_verified: undefined }))(provider);
    provider.tamper.userinfo = (body) => ({ ...body, sub: 'somebody-else' });
  }, { needsEmail: true }),
  one(ATTACK, 'userinfo-vouches-for-the-address-of-the-token', 'out', (provider) => {
    claims(() => ({ email: 'ceo@corp.example', email_verified: undefined }))(provider);
    provider.tamper.userinfo = ({ sub }) => ({ sub, email: 'me@evil.example', email_verified: true });
  }, { needsEmail: true, library: 'in', why: 'leaves addresses to its user' }),
  one(ATTACK, 'nonce-of-nobody', 'out', claims(() => ({ nonce: '' }))),
  one(ATTACK, 'token-type-mac', 'out', answer((body) => ({ ...body, token_type: 'mac' }))),
  one(ATTACK, 'token-type-dpop', 'out', answer((body) => ({ ...body, token_type: 'DPoP' })), { library: 'in', why: 'can prove possession' }),
  one(ATTACK, 'access-token-that-breaks-a-header', 'out', answer((body) => ({ ...body, access_token: 'a\r\nX-Admin: 1' }))),
  one(ATTACK, 'error-with-a-token', 'out', answer((body) => ({ ...body, error: 'invalid_grant' })), { library: 'in', why: 'reads errors of a 4xx only' }),
  one(ATTACK, 'twice-access-token', 'out', raw(() => ({
    status: 200, headers: { 'Content-Type': 'application/json' }, body: '{"access_token":"a","access_token":"b","token_type":"Bearer"}',
  }))),
  one(ATTACK, 'token-answer-as-a-form', 'out', raw(() => ({
    status: 200, headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: 'access_token=a&token_type=bearer',
  }))),
  one(ATTACK, 'token-answer-as-a-page', 'out', raw(() => ({ status: 200, headers: { 'Content-Type': 'text/html' }, body: '<html>' }))),
  one(ATTACK, 'token-answer-without-end', 'out', raw(() => ({
    status: 200, headers: { 'Content-Type': 'application/json' }, body: `{"access_token":"${'a'.repeat(1_000_000)}","token_type":"Bearer"}`,
  }))),
  // Whoever follows it hands the code and the secret on.
  one(ATTACK, 'token-endpoint-redirects', 'out', raw((call, { origin }) => ({ status: 307, headers: { Location: `${origin}/stolen` }, body: '' })), { stolen: '/stolen' }),
  one(ATTACK, 'document-redirects', 'out', (provider) => {
    provider.tamper.request = (call) => (call.path.endsWith('/.well-known/openid-configuration')
      ? { status: 302, headers: { Location: `${provider.origin}/stolen` }, body: '' }
      : undefined);
  }, { stolen: '/stolen' }),
  one(ATTACK, 'token-endpoint-is-down', 'out', raw(() => ({ status: 503, headers: {}, body: '' }))),
  one(ATTACK, 'token-endpoint-breaks-off', 'out', (provider) => {
    provider.tamper.request = (call, response) => { if (call.path === provider.kind.paths.token) response.destroy(); };
  }),
  // Places that an attacker would like to be asked, or to have browsers sent to.
  one(ATTACK, 'document-names-a-token-endpoint-without-tls', 'out', metadata(() => ({ token_endpoint: 'http://169.254.169.254/token' }))),
  one(ATTACK, 'document-names-an-authorization-endpoint-of-javascript', 'out', metadata(() => ({ authorization_endpoint: 'javascript:alert(1)' }))),
  one(ATTACK, 'document-without-a-token-endpoint', 'out', metadata(() => ({ token_endpoint: undefined }))),
  one(ATTACK, 'document-without-end', 'out', metadata(() => ({ padding: 'x'.repeat(2_000_000) })), { library: 'in', why: 'has no bound' }),
  one(ATTACK, 'key-set-of-nobody', 'out', keySet(() => ({ keys: [] }))),
  one(ATTACK, 'key-set-with-a-shared-secret', 'out', (provider) => {
    keySet(() => ({ keys: [{ kty: 'oct', k: Buffer.from('a secret that everybody knows, so to say').toString('base64url'), kid: 'x', alg: 'HS256' }] }))(provider);
    token((right) => signed({ ...right, header: { alg: 'HS256', kid: 'x' }, secret: 'a secret that everybody knows, so to say' }))(provider);
  }),
  one(ATTACK, 'code-and-error-together', 'out', callback((parameters) => ({ ...parameters, error: 'access_denied' }))),
  one(ATTACK, 'two-codes', 'out', callback((parameters) => [...Object.entries(parameters), ['code', 'another']])),
  one(ATTACK, 'two-states', 'out', callback((parameters) => [...Object.entries(parameters), ['state', parameters.state]])),
  one(ATTACK, 'two-issuers', 'out', callback((parameters) => [...Object.entries(parameters), ['iss', 'https://evil.example']])),
  one(ATTACK, 'code-that-breaks-a-line', 'out', callback((parameters) => ({ ...parameters, code: 'a\r\nb' }))),
  one(ATTACK, 'code-without-end', 'out', callback((parameters) => ({ ...parameters, code: 'c'.repeat(5000) }))),
  one(ATTACK, 'state-without-end', 'out', callback((parameters) => ({ ...parameters, state: 's'.repeat(5000) }))),
  one(ATTACK, 'parameters-that-nobody-knows', 'in', callback((parameters) => ({ ...parameters, scope: 'a b', authuser: '0', session_state: 'x' }))),
];

const REFRESH = 'OIDF RP refresh token';

/** What comes with a refresh (OpenID Connect Core 1.0 §12.2). */
const refreshed = (change) => (provider) => {
  provider.tamper.idToken = (right, grant, isRefresh) => (isRefresh ? { ...right, claims: { ...right.claims, ...change(right.claims) } } : right);
};

export const REFRESHES = [
  one(REFRESH, 'oidcc-client-test-refresh-token', 'in', nothing),
  one(REFRESH, 'oidcc-client-test-refresh-token-invalid-issuer', 'out', refreshed(({ iss }) => ({ iss: `${iss}/other` }))),
  one(REFRESH, 'oidcc-client-test-refresh-token-invalid-sub', 'out', refreshed(({ sub }) => ({ sub: `${sub}1` })), { library: 'in', why: 'leaves the comparison of sub to its user' }),
  one(REFRESH, 'oidcc-client-test-refresh-token-invalid-aud', 'out', refreshed(() => ({ aud: 'another-client' }))),
  one(REFRESH, 'oidcc-client-test-refresh-token-invalid-azp', 'out', refreshed(() => ({ azp: 'another-client' })), { library: 'in', why: 'looks at azp only where aud has several' }),
];

const BACK = 'OIDF Back-Channel Logout RP';
const BACKCHANNEL = 'oidcc-client-test-rp-backchannel-rpinitlogout';
const logout = (change) => (right) => ({ ...right, claims: { ...right.claims, ...change(right.claims) } });

/** Logout tokens: `change` makes one of a right one. */
export const LOGOUT_TOKENS = [
  one(BACK, BACKCHANNEL, 'in', (right) => right),
  one(BACK, `${BACKCHANNEL}-alg-none`, 'out', (right) => ({ ...right, header: { alg: 'none' } })),
  one(BACK, `${BACKCHANNEL}-wrong-alg`, 'out', (right) => ({ ...right, header: { alg: 'HS256' }, secret: 'x'.repeat(32) })),
  one(BACK, `${BACKCHANNEL}-wrong-aud`, 'out', logout(() => ({ aud: 'another-client' }))),
  one(BACK, `${BACKCHANNEL}-wrong-iss`, 'out', logout(({ iss }) => ({ iss: `${iss}/other` }))),
  one(BACK, `${BACKCHANNEL}-wrong-event`, 'out', logout(() => ({ events: { 'http://schemas.openid.net/event/other': {} } }))),
  one(BACK, `${BACKCHANNEL}-no-event`, 'out', logout(() => ({ events: undefined }))),
  one(BACK, `${BACKCHANNEL}-with-nonce`, 'out', logout(() => ({ nonce: 'n' }))),
  one(ATTACK, 'logout-token-without-jti', 'out', logout(() => ({ jti: undefined }))),
  one(ATTACK, 'logout-token-without-iat', 'out', logout(() => ({ iat: undefined }))),
  one(ATTACK, 'logout-token-of-yesterday', 'out', logout(({ iat }) => ({ iat: iat - DAY }))),
  one(ATTACK, 'logout-token-of-nobody', 'out', logout(() => ({ sub: undefined, sid: undefined }))),
  one(ATTACK, 'id-token-as-logout-token', 'out', ({ header: own, claims: { events, ...rest }, key }) => ({ header: own, claims: { ...rest, nonce: 'n' }, key })),
  one(ATTACK, 'logout-token-by-a-key-of-its-own', 'out', (right) => ({ ...right, key: makeKey() })),
];
