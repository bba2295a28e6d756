// The gate's endpoints, asked with the secret. The secret is in this closure and nowhere else: no storage, no cookie, no address has it.

/** What is before `/admin/dashboard`: `auth_prefix` of the policy. */
const PREFIX = location.pathname.replace(/\/admin\/dashboard\/?$/, '');

const PATIENCE_MILLIS = 20_000;

/** The gate said no. */
export class Refused extends Error {
  constructor(status, { code, error, hint } = {}, retryAfter = undefined) {
    super(error ?? `status ${status}`);
    const wait = Number(retryAfter);
    this.status = status;
    this.code = code;
    this.title = error ?? `The gate answered with status ${status}`;
    this.hint = wait > 0 ? `Try again in ${wait} s.` : (hint ?? '');
    this.waitSecs = wait > 0 ? wait : 0;
  }
}

/** There was no answer, or none of a gate. */
export class Away extends Error {
  title = 'The gate does not answer';
  hint = 'Check the network. If something stands in front of the gate, such as Cloudflare Access, load the page again to sign in there.';
}

/** A secret goes into a header: no other characters can. */
export const isSecret = (text) => /^[\x21-\x7e]{1,4096}$/.test(text);

export function connect(secret) {
  let held = secret;
  return {
    forget() { held = undefined; },

    /** Asks, and gives what is answered. */
    async ask(method, path, { query = {}, body } = {}) {
      if (held === undefined) throw new Away('locked');
      const named = Object.entries(query).filter(([, value]) => value !== undefined && value !== '');
      const search = named.length > 0 ? `?${new URLSearchParams(named)}` : '';
      const headers = { Authorization: `Bearer ${held}`, Accept: 'application/json' };
      if (body !== undefined) headers['Content-Type'] = 'application/json';
      let answer;
      let text;
      try {
        answer = await fetch(`${PREFIX}${path}${search}`, {
          method, headers, body: body === undefined ? undefined : JSON.stringify(body),
          cache: 'no-store', redirect: 'error', referrerPolicy: 'no-referrer', signal: AbortSignal.timeout(PATIENCE_MILLIS),
        });
        text = await answer.text();
      } catch {
        throw new Away('no answer');
      }
      const told = parsed(text);
      if (!answer.ok) throw new Refused(answer.status, told, answer.headers.get('Retry-After'));
      if (told === undefined && text !== '') throw new Away('no answer of a gate');
      return told;
    },
  };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** An id in a path. */
export const segment = (id) => encodeURIComponent(id);
