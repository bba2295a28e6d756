import { adapter, isPromise } from '../lib/adapter.js';
import { tellCaches } from '../lib/caching.js';
import { setCookies } from '../lib/cookies.js';
import { pathOf } from '../lib/gate-request.js';

/** `guard` of hono.d.ts. */
export function guard(gate, options = {}) {
  const { decide, handle, urlOfRequest } = adapter(gate, options);
  return async function edgegate(context, next) {
    // On Node there is a socket; in Workers the gate reads what the platform says.
    const incoming = context.env?.incoming;
    const { method, url, headers } = context.req.raw;
    const request = { method, url: urlOfRequest(url), headers, socket: incoming?.socket };
    const path = routedPath(context.req);
    const handled = handle({ ...request, body: context.req.raw.body }, [context], path);
    const own = handled && await handled;
    if (own !== undefined) return own.response();
    const decided = decide(request, [context], path, waitUntilOf(context));
    const decision = isPromise(decided) ? await decided : decided;
    if (!decision.ok) return decision.response();
    context.set('auth', decision.identity);
    await next();
    for (const [name, value] of Object.entries(decision.headers)) context.header(name, value);
    const set = (name, value) => context.header(name, value);
    tellCaches(decision.caching, (name) => context.res.headers.get(name), set, (name) => set(name, undefined));
    setCookies(decision.cookies, { append: (name, value) => context.header(name, value, { append: true }), set });
    return undefined;
  };
}

/** The path that Hono routes by, which may be another than that of the URL (`getPath`), as a URL would have it. */
function routedPath({ path, raw }) {
  const [asked] = pathOf(raw.url).split(/[?#]/, 1);
  try {
    decodeURI(asked);
  } catch {
    // Hono routes by something near it; the gate refuses it.
    return asked;
  }
  // Hono has decoded all but what separates, and `%` itself: what is still encoded stays as it is.
  return encodeURI(path).replaceAll('%25', '%').replace(/[?#]/g, encodeURIComponent);
}

function waitUntilOf(context) {
  try {
    const { executionCtx } = context;
    return (promise) => executionCtx.waitUntil(promise);
  } catch {
    // There is none on this platform.
    return undefined;
  }
}
