import { adapter, isPromise } from '../lib/adapter.js';
import { tellCaches } from '../lib/caching.js';
import { setCookies, withoutSessionCookies } from '../lib/cookies.js';
import { pathOf } from '../lib/gate-request.js';

/** `guard` of hono.d.ts. */
export function guard(gate, options = {}) {
  const { decide, handle, urlOfRequest } = adapter(gate, options);
  return async function edgegate(context, next) {
    // On Node there is a socket. In Workers the gate reads the platform's header.
    const incoming = context.env?.incoming;
    const { method, url, headers } = context.req.raw;
    const request = { method, url: urlOfRequest(url), headers, socket: incoming?.socket };
    const path = routedPath(context.req);
    const waitUntil = waitUntilOf(context);
    const handled = handle({ ...request, body: context.req.raw.body }, [context], path, waitUntil);
    const own = handled && await handled;
    if (own !== undefined) return own.response();
    const decided = decide(request, [context], path, waitUntil);
    const decision = isPromise(decided) ? await decided : decided;
    if (!decision.ok) return decision.response();
    context.set('auth', decision.identity);
    context.req.raw = withoutSessionCookies(context.req.raw, decision);
    await next();
    for (const [name, value] of Object.entries(decision.headers)) context.header(name, value);
    const set = (name, value) => context.header(name, value);
    tellCaches(decision.caching, (name) => context.res.headers.get(name), set, (name) => set(name, undefined));
    setCookies(decision.cookies, { append: (name, value) => context.header(name, value, { append: true }), set });
    return undefined;
  };
}

/** Returns the path that Hono routes by, in the spelling of a URL. It may differ from the URL's own path (`getPath`). */
function routedPath({ path, raw }) {
  const [asked] = pathOf(raw.url).split(/[?#]/, 1);
  try {
    decodeURI(asked);
  } catch {
    // Hono routes by a similar path. The gate refuses this one.
    return asked;
  }
  // Hono has decoded everything but separators and `%` itself. What is still encoded stays so.
  return encodeURI(path).replaceAll('%25', '%').replace(/[?#]/g, encodeURIComponent);
}

function waitUntilOf(context) {
  try {
    const { executionCtx } = context;
    return (promise) => executionCtx.waitUntil(promise);
  } catch {
    // This platform has none.
    return undefined;
  }
}
