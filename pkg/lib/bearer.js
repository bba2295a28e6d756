import { factsOf } from './gate-request.js';

const REALM = 'Bearer realm="edgegate"';
const RETRY_UNAVAILABLE_SECS = '5';

/** Status, title and hint: as src/http/reply.rs has them, for what a verifier alone can refuse. */
const WIRE = {
  MISSING_CREDENTIALS: [401, 'Authentication required', "Send a token as 'Authorization: Bearer <token>'"],
  INVALID_TOKEN: [401, 'Invalid token', 'Get a new token from the issuer and send it unchanged'],
  TOKEN_EXPIRED: [401, 'Token expired', 'Get a new token or refresh the session'],
  TOKEN_NOT_YET_VALID: [401, 'Token not yet valid', 'Check the clock of the system that issued the token'],
  MULTIPLE_CREDENTIALS: [400, 'More than one credential', 'Send exactly one token or API key'],
  KEYS_UNAVAILABLE: [503, 'Keys of the issuer unavailable', 'Try again after as many seconds as Retry-After says'],
};

/** A verifier as a gate: `Authorization: Bearer`, on every path, and nothing else. */
export const bearerGate = (verifier) => ({
  async check(request) {
    const { authorization, accept } = factsOf(request);
    try {
      return { ok: true, identity: await verifier.identify(authorization), route: '', headers: {}, forward: {} };
    } catch (error) {
      // What is not the token's fault is the operator's to see.
      if (error?.name !== 'EdgegateError' || !Object.hasOwn(WIRE, error.code) || error.reason === 'trapped') throw error;
      return refusal(error, accept);
    }
  },
});

function refusal({ code, reason, message }, accept) {
  const [status, title, hint] = WIRE[code];
  const problem = prefersProblem(accept);
  const body = problem
    ? { type: `urn:edgegate:error:${code.toLowerCase().replaceAll('_', '-')}`, title, status, detail: hint, code }
    : { error: title, code, hint };
  const headers = { 'Content-Type': problem ? 'application/problem+json' : 'application/json', 'Cache-Control': 'no-store' };
  if (status === 401) {
    headers['WWW-Authenticate'] = code === 'MISSING_CREDENTIALS' ? REALM : `${REALM}, error="invalid_token", error_description="${title}"`;
  }
  if (status === 503) headers['Retry-After'] = RETRY_UNAVAILABLE_SECS;
  return {
    ok: false, code, reason, message, status, route: '', headers, body: `${JSON.stringify(body)}\n`,
    response() {
      return new Response(this.body, { status: this.status, headers: this.headers });
    },
  };
}

/** RFC 9110 §12.5.1; a weight of 0 refuses it. */
const prefersProblem = (accept = '') => accept.toLowerCase().split(',').some((range) => {
  const [type, ...parameters] = range.split(';').map((part) => part.trim());
  return type === 'application/problem+json' && !parameters.some((parameter) => /^q=0(?:\.0{0,3})?$/.test(parameter));
});
