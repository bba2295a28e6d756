import type { FastifyPluginAsync, FastifyRequest } from 'fastify';
import type { Gate, Identity, Verifier } from '../index.js';

export interface FastifyGuardOptions {
  /**
   * The client's address, where a proxy stands in front: for instance `(request) => request.ip` with Fastify's `trustProxy` set to
   * that proxy. Default: what the policy says in `client_ip_header`, else the socket's address; `X-Forwarded-For` is not read.
   */
  clientIp?: ((request: FastifyRequest) => string | undefined) | undefined;
  /**
   * How callers know this service, such as `https://api.example.com`: for tokens with a proof of possession (DPoP), whose proof names
   * the URL. Default: none, and such tokens are refused: what `Host` says is the caller's choice.
   */
  origin?: string | undefined;
}

/**
 * A plugin that asks the gate, or a verifier, about each request of the instance it is registered in, in the `onRequest` hook, before
 * the body is read: `await app.register(guard(gate))`, before routes and other plugins that are to be guarded. A refusal is
 * answered as the gate says; the identity of who passes is in `request.auth`. The path that counts is the one that Fastify routes by,
 * with `rewriteUrl` the rewritten one; a target that Fastify and the policy could read in two ways is refused with 400. Register it
 * before hooks that write to `request.raw.url`. Where something else calls Fastify and has changed the URL before, as Express does behind
 * `app.use('/path', …)`, every request is an error: guard there. What is not the caller's fault goes to the error handler.
 *
 * With a verifier alone: `Authorization: Bearer` on every path, no scopes and no limits.
 * @throws {TypeError} for options that are none; when it is registered, for a policy that tells `/a` from `/A` while Fastify does not.
 */
export function guard(gate: Gate | Verifier, options?: FastifyGuardOptions): FastifyPluginAsync;

declare module 'fastify' {
  interface FastifyRequest {
    /** Who is calling, once `guard` of edgegate has let the request through; `null` before. */
    auth: Identity;
  }
}
