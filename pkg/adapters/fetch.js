import { adapter, isPromise } from '../lib/adapter.js';
import { tellCaches } from '../lib/caching.js';
import { setCookies, withoutSessionCookies } from '../lib/cookies.js';

/** `guard` of fetch.d.ts. */
export function guard(gate, handler, options = {}) {
  if (typeof handler !== 'function') throw new TypeError('edgegate: handler: expected a function');
  const { decide, handle, urlOfRequest } = adapter(gate, options);
  return async function edgegate(request, ...rest) {
    const context = rest.find((one) => typeof one?.waitUntil === 'function');
    const waitUntil = context && ((promise) => context.waitUntil(promise));
    const { method, url, headers } = request;
    const { body } = request;
    const asked = { method, url: urlOfRequest(url), headers };
    const handled = handle({ ...asked, body }, [request, ...rest], undefined, waitUntil);
    const own = handled && await handled;
    if (own !== undefined) return own.response();
    const decided = decide(asked, [request, ...rest], undefined, waitUntil);
    const decision = isPromise(decided) ? await decided : decided;
    if (!decision.ok) return decision.response();
    return told(await handler(withoutSessionCookies(request, decision), decision.identity, ...rest), decision);
  };
}

/** Returns the handler's response with the headers of limits, caches and cookies. */
function told(response, { headers, caching = {}, cookies }) {
  const nothing = cookies === undefined && Object.keys(headers).length === 0 && Object.keys(caching).length === 0;
  // A response that hands over a socket cannot be copied.
  if (nothing || response.status === 101) return response;
  const tell = (answer) => {
    for (const [name, value] of Object.entries(headers)) answer.headers.set(name, value);
    const own = answer.headers;
    tellCaches(caching, (name) => own.get(name), (name, value) => own.set(name, value), (name) => own.delete(name));
    setCookies(cookies, { append: (name, value) => own.append(name, value), set: (name, value) => own.set(name, value) });
    return answer;
  };
  try {
    return tell(response);
  } catch {
    // The headers of a response of `fetch` or `Response.redirect` cannot be changed.
    return tell(new Response(response.body, response));
  }
}
