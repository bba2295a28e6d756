import type { Gate, Identity, IdentityClaims, Verifier } from '../index.js';

export interface FetchGuardOptions<Rest extends unknown[]> {
  /**
   * Returns the client's address. It gets the arguments of the handler. Deno: `(_, info) => info.remoteAddr.hostname`; Bun: `(request,
   * server) => server.requestIP(request)?.address`. Default: the header that the policy names in `client_ip_header`, else in Workers
   * `CF-Connecting-IP`. On other platforms the address is not known without this.
   */
  clientIp?: ((request: Request, ...rest: Rest) => string | undefined) | undefined;
  /**
   * The origin by which callers know this service, such as `https://api.example.com`. Tokens with a proof of possession (DPoP) need it,
   * since the proof names the URL. Default in Workers: the origin of the request, since Cloudflare calls a Worker only under its own host
   * names (say it if you run workerd yourself). Default on other platforms: none, and such tokens are refused. `Host` does not count, since
   * the caller chooses it.
   */
  origin?: string | undefined;
}

/**
 * A `fetch` handler that asks the gate, or a verifier, first: `export default { fetch: guard(gate, handler) }`. It answers refusals as the
 * gate says. Otherwise it calls the handler with the request, the caller's identity, and the platform's other arguments (`env`, `ctx`). The
 * handler's answer gets the headers of the limits. The body is not touched. Cookies of the gate's own sessions are removed from the request;
 * if its headers cannot be changed, the handler gets a new request. Errors that are not the caller's fault are thrown.
 *
 * `Claims` are those of your tokens: `(request, auth: Identity<MyClaims>) => …`.
 *
 * A verifier alone takes `Authorization: Bearer` on every path. It has no scopes and no limits.
 * @throws {TypeError} for unknown or wrong options.
 */
export function guard<Claims = IdentityClaims, Rest extends unknown[] = []>(
  gate: Gate | Verifier,
  handler: (request: Request, auth: Identity<Claims>, ...rest: Rest) => Response | Promise<Response>,
  options?: FetchGuardOptions<Rest>,
): (request: Request, ...rest: Rest) => Promise<Response>;
