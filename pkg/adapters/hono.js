import { adapter } from '../lib/adapter.js';

/** `guard` of hono.d.ts. */
export function guard(gate, options = {}) {
  const { check } = adapter(gate, options);
  return async function edgegate(context, next) {
    // On Node there is a socket; in Workers the gate reads what the platform says.
    const fallback = context.env?.incoming?.socket?.remoteAddress;
    const decision = await check(context.req.raw, [context], { fallback, waitUntil: waitUntilOf(context) });
    if (!decision.ok) return decision.response();
    context.set('auth', decision.identity);
    await next();
    for (const [name, value] of Object.entries(decision.headers)) context.header(name, value);
    return undefined;
  };
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
