/**
 * Options of `fetch` that keep the host from answering by itself. Next.js 13 and 14 keep what a fetch has got, by POST too, and some of it for
 * as long as the application is deployed: neither a revocation nor a withdrawn key would be seen. Workers before November 2024 refuse the
 * member, and have no property of that name in `Request`.
 */
export const uncached = () => ('cache' in (globalThis.Request?.prototype ?? {}) ? { cache: 'no-store' } : {});
