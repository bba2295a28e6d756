import type { Gate, Identity, IdentityClaims, Verifier } from '../index.js';

/** The parts of a request that are read: of Express 4 and 5, of Connect, and of Node's own. */
export interface ExpressRequest<Claims = IdentityClaims> {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly rawHeaders: string[];
  /** Who is calling. It is set when the guard lets the request through. */
  auth?: Identity<Claims> | undefined;
}

export interface ExpressGuardOptions<Request extends ExpressRequest = any> {
  /**
   * Returns the client's address if a proxy stands in front, for instance `(request) => request.ip` with Express's `trust proxy` set to
   * that proxy. Default: the header that the policy names in `client_ip_header`, else the socket's address. `X-Forwarded-For` is not read.
   */
  clientIp?: ((request: Request) => string | undefined) | undefined;
  /**
   * Says that every router of the application has `caseSensitive: true`, which is not Express's default. If one has not, the policy must
   * say `path_case: "insensitive"`. Otherwise its route for `/admin` would not be asked about `/ADMIN`.
   */
  caseSensitive?: boolean | undefined;
  /**
   * The origin by which callers know this service, such as `https://api.example.com`. Tokens with a proof of possession (DPoP) need it,
   * since the proof names the URL. Default: none, and such tokens are refused. `Host` does not count, since the caller chooses it.
   */
  origin?: string | undefined;
}

/**
 * Middleware that asks the gate, or a verifier, about each request: `app.use(guard(gate))`. It answers refusals as the gate says, and puts
 * the caller's identity into `request.auth`. The path that counts is the one that Express routes by (`baseUrl` and `url`) when the guard is
 * asked. A target that Express and the policy could read in two ways is refused with 400. A route that Express finds later by another path
 * or method is not entered. The body is not touched. Cookies of the gate's own sessions are removed from `headers` and `rawHeaders`. Errors
 * that are not the caller's fault go to `next`.
 *
 * The claims of `request.auth` are {@link IdentityClaims}, to which you add yours.
 *
 * A verifier alone takes `Authorization: Bearer` on every path. It has no scopes and no limits.
 * @throws {TypeError} for unknown or wrong options, and see {@link ExpressGuardOptions.caseSensitive}.
 */
export function guard(
  gate: Gate | Verifier, options?: ExpressGuardOptions,
): (request: any, response: any, next: (error?: any) => void) => Promise<void>;

declare global {
  namespace Express {
    interface Request {
      /** Who is calling. It is set when `guard` of edgegate lets the request through. */
      auth?: Identity | undefined;
    }
  }
}
