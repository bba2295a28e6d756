import { HeadersRead, textsOf } from './gate-request.js';
import { ACCEPT, AUTHORIZATION, CHALLENGE, PROBLEM_JSON, REFUSING_WEIGHTS, RETRY_UNAVAILABLE_SECS, WIRE } from './protocol.js';

const HEADERS = new HeadersRead();

/** A verifier as a gate: `Authorization: Bearer`, on every path, and nothing else. */
export const bearerGate = (verifier) => ({
  async check(request) {
    const { [AUTHORIZATION]: authorization, [ACCEPT]: accept } = textsOf(request, {}, HEADERS);
    try {
      return { ok: true, identity: await verifier.identify(authorization), route: '', headers: {}, forward: {} };
    } catch (error) {
      // Other errors are not about the token. They are for the operator.
      if (error?.name !== 'EdgegateError' || !Object.hasOwn(WIRE, error.code) || error.reason === 'trapped') throw error;
      return refusal(error, accept);
    }
  },
});

function refusal({ code, reason, message }, accept) {
  const { status, title, hint, type, error } = WIRE[code];
  const problem = prefersProblem(accept);
  const body = problem
    ? { type, title, status, detail: hint, code }
    : { error: title, code, hint };
  const headers = { 'Content-Type': problem ? PROBLEM_JSON : 'application/json', 'Cache-Control': 'no-store' };
  if (status === 401) {
    headers['WWW-Authenticate'] = code === 'MISSING_CREDENTIALS' ? CHALLENGE : `${CHALLENGE}, error="${error}", error_description="${title}"`;
  }
  if (status === 503) headers['Retry-After'] = `${RETRY_UNAVAILABLE_SECS}`;
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
  return type === PROBLEM_JSON && !parameters.some((parameter) => REFUSING_WEIGHTS.includes(parameter));
});
