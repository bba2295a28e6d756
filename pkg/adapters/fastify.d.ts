import type { FastifyPluginAsync, FastifyRequest } from 'fastify';
import type { Gate, Identity, Verifier } from '../index.js';

export interface FastifyGuardOptions {
  /**
   * Returns the client's address if a proxy stands in front, for instance `(request) => request.ip` with Fastify's `trustProxy` set to that
   * proxy. Default: the header that the policy names in `client_ip_header`, else the socket's address. `X-Forwarded-For` is not read.
   */
  clientIp?: ((request: FastifyRequest) => string | undefined) | undefined;
  /**
   * The origin by which callers know this service, such as `https://api.example.com`. Tokens with a proof of possession (DPoP) need it,
   * since the proof names the URL. Default: none, and such tokens are refused. `Host` does not count, since the caller chooses it.
   */
  origin?: string | undefined;
}

/**
 * A plugin that asks the gate, or a verifier, about each request of its instance, in the `onRequest` hook before the body is read. Register
 * it before the routes and plugins that it has to guard: `await app.register(guard(gate))`. It answers refusals as the gate says, and puts
 * the caller's identity into `request.auth`. The path that counts is the one that Fastify routes by, with `rewriteUrl` the rewritten one. A
 * target that Fastify and the policy could read in two ways is refused with 400. Register it before hooks that write to `request.raw.url`.
 * If another framework calls Fastify and has changed the URL before, as Express does behind `app.use('/path', …)`, every request is an
 * error: put the guard there. Cookies of the gate's own sessions are removed from the request. Errors that are not the caller's fault go to
 * the error handler.
 *
 * The claims of `request.auth` are those of `IdentityClaims` in `edgegate`, to which you add yours.
 *
 * A verifier alone takes `Authorization: Bearer` on every path. It has no scopes and no limits.
 * @throws {TypeError} for unknown or wrong options; when it is registered, for a policy that tells `/a` from `/A` while Fastify does not.
 */
export function guard(gate: Gate | Verifier, options?: FastifyGuardOptions): FastifyPluginAsync;

declare module 'fastify' {
  interface FastifyRequest {
    /** Who is calling. It is `null` until `guard` of edgegate lets the request through. */
    auth: Identity;
  }
}
