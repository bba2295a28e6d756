import { adapter } from '../lib/adapter.js';

/** `guard` of fetch.d.ts. */
export function guard(gate, handler, options = {}) {
  if (typeof handler !== 'function') throw new TypeError('edgegate: handler: expected a function');
  const { check, origin, urlOf } = adapter(gate, options);
  return async function edgegate(request, ...rest) {
    const context = rest.find((one) => typeof one?.waitUntil === 'function');
    const waitUntil = context && ((promise) => context.waitUntil(promise));
    const { method, url, headers } = request;
    const decision = await check({ method, url: origin ? urlOf(url) : url, headers }, [request, ...rest], { waitUntil });
    if (!decision.ok) return decision.response();
    return withHeaders(await handler(request, decision.identity, ...rest), decision.headers);
  };
}

function withHeaders(response, headers) {
  const all = Object.entries(headers);
  // A response that hands over a socket cannot be made anew.
  if (all.length === 0 || response.status === 101) return response;
  try {
    for (const [name, value] of all) response.headers.set(name, value);
    return response;
  } catch {
    // What `fetch` or `Response.redirect` gave cannot be changed.
    const copy = new Response(response.body, response);
    for (const [name, value] of all) copy.headers.set(name, value);
    return copy;
  }
}
