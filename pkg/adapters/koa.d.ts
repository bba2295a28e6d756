import type { Gate, Identity, IdentityClaims, Verifier } from '../index.js';

/** What is read of Koa's context. */
export interface KoaContext<Claims = IdentityClaims> {
  readonly originalUrl: string;
  readonly req: { readonly rawHeaders: string[] };
  readonly res: object;
  /** `state.auth` says who is calling, once the guard has let the request through. */
  state: { auth?: Identity<Claims> };
}

export interface KoaGuardOptions<Context = any> {
  /**
   * The client's address, where a proxy stands in front: for instance `(context) => context.ip` with `app.proxy` set and one proxy that
   * overwrites `X-Forwarded-For`. Default: what the policy says in `client_ip_header`, else the socket's address; `X-Forwarded-For` is not read.
   */
  clientIp?: ((context: Context) => string | undefined) | undefined;
  /**
   * That every router of the application is case-sensitive (`new Router({ sensitive: true })`), which is not the default of `@koa/router`. Where
   * one is not, the policy has to say `path_case: "insensitive"`, else its route for `/admin` would not be asked about `/ADMIN`.
   */
  caseSensitive?: boolean | undefined;
  /**
   * How callers know this service, such as `https://api.example.com`: for tokens with a proof of possession (DPoP), whose proof names
   * the URL. Default: none, and such tokens are refused: what `Host` says is the caller's choice.
   */
  origin?: string | undefined;
}

/**
 * Middleware for Koa 2 and 3 that asks the gate, or a verifier, about each request: `app.use(guard(gate))`, before routes. A refusal is answered as
 * the gate says; the identity of who passes is `context.state.auth`. The path that counts is that of `context.url`, as it is when the guard
 * is asked; a target that Koa and the policy could read in two ways is refused with 400. Within an application that is mounted (koa-mount) that is
 * what the mount has left, so put the guard before the mount. Behind the guard the URL and the method cannot be
 * changed, but by a mount: it is an error, and so is `newRouterPath` of @koa/router, before the guard too. Not seen are the option
 * `routerPath` of a router, and `context.routerPath`, by which routers before @koa/router 12.0.2 go. The body is not touched. What is not the caller's fault is thrown.
 *
 * With a verifier alone: `Authorization: Bearer` on every path, no scopes and no limits.
 * @throws {TypeError} for options that are none, and see {@link KoaGuardOptions.caseSensitive}.
 */
export function guard(
  gate: Gate | Verifier, options?: KoaGuardOptions,
): (context: any, next: () => Promise<any>) => Promise<void>;
