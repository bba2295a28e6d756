import type { Gate, Identity, Verifier } from '../index.js';

/** What is read of the request: Express 4 and 5, Connect, and Node's own. */
export interface ExpressRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly rawHeaders: string[];
  /** Who is calling, once the guard has let the request through. */
  auth?: Identity | undefined;
}

export interface ExpressGuardOptions<Request extends ExpressRequest = any> {
  /**
   * The client's address, where a proxy stands in front: for instance `(request) => request.ip` with Express's `trust proxy` set
   * to that proxy. Default: what the policy says in `client_ip_header`, else the socket's address; `X-Forwarded-For` is not read.
   */
  clientIp?: ((request: Request) => string | undefined) | undefined;
  /**
   * That every router of the application has `caseSensitive: true`, which is not Express's default. Where one has not, the policy
   * has to say `path_case: "insensitive"`, else its route for `/admin` would not be asked about `/ADMIN`.
   */
  caseSensitive?: boolean | undefined;
  /**
   * How callers know this service, such as `https://api.example.com`: for tokens with a proof of possession (DPoP), whose proof names
   * the URL. Default: none, and such tokens are refused: what `Host` says is the caller's choice.
   */
  origin?: string | undefined;
}

/**
 * Middleware that asks the gate, or a verifier, about each request: `app.use(guard(gate))`. A refusal is answered as the gate says; the
 * identity of who passes is in `request.auth`. The path that counts is the one that Express routes by (`baseUrl` and `url`), as it is
 * when the guard is asked; a target that Express and the policy could read in two ways is refused with 400. A route that Express finds
 * by another path or method afterwards is not entered. The body is not touched. What is not the caller's fault goes to `next`.
 *
 * With a verifier alone: `Authorization: Bearer` on every path, no scopes and no limits.
 * @throws {TypeError} for options that are none, and see {@link ExpressGuardOptions.caseSensitive}.
 */
export function guard(
  gate: Gate | Verifier, options?: ExpressGuardOptions,
): (request: any, response: any, next: (error?: any) => void) => Promise<void>;

declare global {
  namespace Express {
    interface Request {
      /** Who is calling, once `guard` of edgegate has let the request through. */
      auth?: Identity | undefined;
    }
  }
}
