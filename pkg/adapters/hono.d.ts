import type { Context, MiddlewareHandler } from 'hono';
import type { Gate, Identity, IdentityClaims, Verifier } from '../index.js';

export interface HonoGuardOptions {
  /**
   * Returns the client's address if a proxy stands in front. Default: the header that the policy names in `client_ip_header`, else in
   * Workers `CF-Connecting-IP` and on Node the socket's address. `X-Forwarded-For` is not read. Other platforms need it: `(c) =>
   * getConnInfo(c).remote.address`.
   */
  clientIp?: ((context: Context) => string | undefined) | undefined;
  /**
   * The origin by which callers know this service, such as `https://api.example.com`. Tokens with a proof of possession (DPoP) need it,
   * since the proof names the URL. Default in Workers: the origin of the request, since Cloudflare calls a Worker only under its own host
   * names (say it if you run workerd yourself). Default on other platforms: none, and such tokens are refused. `Host` does not count, since
   * the caller chooses it.
   */
  origin?: string | undefined;
}

/**
 * Middleware that asks the gate, or a verifier, about each request: `app.use(guard(gate))`. It answers refusals as the gate says, and puts
 * the caller's identity into `c.var.auth` (`c.get('auth')`). The path that counts is the one that Hono routes by, `c.req.path`. The body is
 * not touched. Cookies of the gate's own sessions are removed from `c.req.raw`; if its headers cannot be changed, it is a new request.
 * Errors that are not the caller's fault are thrown, for `app.onError`.
 *
 * `Claims` are those of your tokens, for handlers that are chained to it: `app.use(guard<MyClaims>(gate)).get(…)`. See also
 * {@link IdentityClaims}.
 *
 * A verifier alone takes `Authorization: Bearer` on every path. It has no scopes and no limits.
 * @throws {TypeError} for unknown or wrong options.
 */
export function guard<Claims = IdentityClaims>(
  gate: Gate | Verifier, options?: HonoGuardOptions,
): MiddlewareHandler<{ Variables: { auth: Identity<Claims> } }>;

declare module 'hono' {
  interface ContextVariableMap {
    /** Who is calling, once `guard` of edgegate has let the request through. */
    auth: Identity;
  }
}
