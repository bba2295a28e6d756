// Why a gate has decided as it has: the steps on the way of a request, of which the last one that counts is the gate's own word.
// Nothing is decided here.

/** The steps in the order in which the guard takes them, with the codes and reasons by which each refuses. */
const STEPS = [
  { step: 'route', codes: ['INVALID_REQUEST'] },
  { step: 'preflight', reasons: ['preflight_not_passed'] },
  { step: 'address', reasons: ['address_not_allowed'] },
  { step: 'credential', codes: ['MISSING_CREDENTIALS', 'MULTIPLE_CREDENTIALS', 'CSRF_REFUSED'], reasons: ['token_not_accepted', 'api_key_not_accepted'] },
  { step: 'token', codes: ['INVALID_TOKEN', 'TOKEN_EXPIRED', 'TOKEN_NOT_YET_VALID', 'STEP_UP_REQUIRED', 'KEYS_UNAVAILABLE'] },
  { step: 'API key', codes: ['INVALID_API_KEY', 'API_KEY_EXPIRED', 'WRONG_ENVIRONMENT'] },
  { step: 'revocation', codes: ['TOKEN_REVOKED', 'API_KEY_REVOKED'] },
  { step: 'scopes', codes: ['INSUFFICIENT_SCOPE'] },
  { step: 'conditions', reasons: ['issuer_not_allowed', 'claim_not_allowed', 'client_not_allowed', 'subject_disabled'] },
  { step: 'limits', codes: ['RATE_LIMITED', 'STORE_UNAVAILABLE'] },
];

/** The step that refuses: a reason tells more than a code, which several steps may have. */
function refusing({ code, reason }) {
  const byReason = STEPS.findIndex(({ reasons = [] }) => reasons.includes(reason));
  return byReason === -1 ? STEPS.findIndex(({ codes = [] }) => codes.includes(code)) : byReason;
}

const takes = (route, method) => route.methods === undefined || route.methods.includes(method);

function routeOf(policy, pattern, method) {
  const routes = policy.routes ?? [];
  const index = routes.findIndex((route) => route.path === pattern && takes(route, method));
  return index === -1 ? { route: {}, at: '' } : { route: routes[index], at: `routes[${index}]` };
}

const words = (list) => (list.length > 0 ? list.join(', ') : 'none');

function wanted({ all = [], any = [] }) {
  return [all.length > 0 ? `all of ${words(all)}` : '', any.length > 0 ? `one of ${words(any)}` : ''].filter(Boolean).join(' and ');
}

/** What a step that was passed has seen; nothing for one that this route does not have. */
const SEEN = {
  route: ({ at, pattern }) => [at === '' ? 'no route matches, so any good credential will do' : pattern, at],
  address: ({ route, at }) => route.ips && [`among ${words(route.ips)}`, `${at}.ips`],
  credential: ({ route, at, identity, event }) => {
    if (route.auth === 'none') return ['the route asks for none', `${at}.auth`];
    if (identity.method === 'anonymous') return ['there is none, and the route does not need one', `${at}.auth`];
    return event?.carrier && [`in ${CARRIERS[event.carrier]}`];
  },
  token: ({ identity }) => identity.method === 'jwt' && [identity.issuer ? `of ${identity.issuer}, subject ${identity.subject ?? 'nobody'}` : 'genuine', 'issuers'],
  'API key': ({ identity }) => identity.method === 'api_key' && [identity.subject ? `of ${identity.subject}` : 'genuine', 'api_keys'],
  revocation: ({ policy, identity }) => policy.revocation && ['jwt', 'api_key'].includes(identity.method) && ['not revoked', 'revocation'],
  scopes: ({ route, at, identity }) => route.scopes && [`wants ${wanted(route.scopes)}${identity.scopes ? `; has ${words(identity.scopes)}` : ''}`, `${at}.scopes`],
  conditions: ({ route, at }) => (route.claims || route.issuers) && ['claims and issuer are as the route wants', `${at}.${route.claims ? 'claims' : 'issuers'}`],
  limits: ({ route, at, headers }) => route.limits && [headers.RateLimit ?? words(route.limits), `${at}.limits`],
};

const CARRIERS = {
  bearer: 'Authorization: Bearer', dpop: 'Authorization: DPoP', basic: 'Authorization: Basic', api_key_header: 'the header for API keys', cookie: 'a cookie',
  credential_header: 'a header of another proxy',
};

/** Where in the policy a refusal comes from. */
const PLACES = {
  address: 'ips', credential: 'auth', token: 'issuers', 'API key': 'api_keys', revocation: 'revocation', scopes: 'scopes', conditions: 'claims', limits: 'limits',
};
const OF_POLICY = ['issuers', 'api_keys', 'revocation'];

function refusal(step, { message }, { at }) {
  const place = PLACES[step];
  const path = place === undefined || OF_POLICY.includes(place) ? place : at && `${at}.${place}`;
  return { step, verdict: 'refused', detail: message, policy_path: path || at };
}

/** Who was refused after the credential was found good: no more is known than what was sent. */
const METHODS = { token: 'jwt', key: 'api_key' };

function passed(step, seen) {
  const found = SEEN[step]?.(seen);
  return found ? [{ step, verdict: 'passed', detail: found[0], policy_path: found[1] }] : [];
}

/**
 * `{route, steps: [{step, verdict, detail, policy_path}], outcome: {status, code, reason}}` for a decision of `createGate`'s gate, by
 * the policy that it has. `event` is what the gate has logged about it, `sent` the credential: `token`, `key`, or something else.
 */
export function explain(decision, { policy, method, event, sent }) {
  const pattern = decision.route;
  const seen = { policy, pattern, event, ...routeOf(policy, pattern, method) };
  const outcome = { status: decision.ok ? 200 : decision.status, code: decision.code, reason: decision.reason };
  if (decision.code !== undefined) {
    const last = refusing(decision);
    const before = STEPS.slice(0, Math.max(last, 0)).flatMap(({ step }) => passed(step, { ...seen, identity: { method: METHODS[sent] }, headers: decision.headers }));
    return { route: seen.at, steps: [...before, refusal(STEPS[last]?.step ?? 'gate', decision, seen)], outcome };
  }
  if (!decision.ok) return { route: seen.at, steps: [{ step: 'route', verdict: 'answered', detail: 'the gate answers itself', policy_path: seen.at }], outcome };
  const steps = STEPS.flatMap(({ step }) => passed(step, { ...seen, identity: decision.identity, headers: decision.headers }));
  return { route: seen.at, steps, outcome };
}
