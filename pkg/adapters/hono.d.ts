import type { Context, MiddlewareHandler } from 'hono';
import type { Gate, Identity, Verifier } from '../index.js';

export interface HonoGuardOptions {
  /**
   * The client's address, where a proxy stands in front. Default: what the policy says in `client_ip_header`, else in Workers
   * `CF-Connecting-IP`, on Node the socket's address; `X-Forwarded-For` is not read. Elsewhere say it:
   * `(c) => getConnInfo(c).remote.address`.
   */
  clientIp?: ((context: Context) => string | undefined) | undefined;
  /**
   * How callers know this service, such as `https://api.example.com`: for tokens with a proof of possession (DPoP), whose proof names
   * the URL. Default: in Workers the URL of the request, since Cloudflare asks them under their own names only (workerd elsewhere may not:
   * say it there); on all other platforms none, and such tokens are refused: what `Host` says is the caller's choice.
   */
  origin?: string | undefined;
}

/**
 * Middleware that asks the gate, or a verifier, about each request: `app.use(guard(gate))`. A refusal is answered as the gate says; the
 * identity of who passes is `c.get('auth')`, or `c.var.auth`. The path that counts is the one that Hono routes by, `c.req.path`. The
 * body is not touched. What is not the caller's fault is thrown, for `app.onError`.
 *
 * With a verifier alone: `Authorization: Bearer` on every path, no scopes and no limits.
 * @throws {TypeError} for options that are none.
 */
export function guard(
  gate: Gate | Verifier, options?: HonoGuardOptions,
): MiddlewareHandler<{ Variables: { auth: Identity } }>;
