import type { Gate, Identity, Verifier } from '../index.js';

export interface FetchGuardOptions<Rest extends unknown[]> {
  /**
   * The client's address, by what the handler is called with. Default: what the policy says in `client_ip_header`, else in Workers
   * `CF-Connecting-IP`; elsewhere it is not known without this. Deno: `(_, info) => info.remoteAddr.hostname`; Bun:
   * `(request, server) => server.requestIP(request)?.address`.
   */
  clientIp?: ((request: Request, ...rest: Rest) => string | undefined) | undefined;
  /**
   * How callers know this service, such as `https://api.example.com`: for tokens with a proof of possession (DPoP), whose proof names
   * the URL. Default: in Workers the URL of the request, since Cloudflare asks them under their own names only (workerd elsewhere may not:
   * say it there); on all other platforms none, and such tokens are refused: what `Host` says is the caller's choice.
   */
  origin?: string | undefined;
}

/**
 * A `fetch` handler that asks the gate, or a verifier, first: `export default { fetch: guard(gate, handler) }`. A refusal is answered as
 * the gate says; else the handler is called with the request, who is calling, and what else the platform gives (`env`, `ctx`).
 * The limits are told in the handler's answer. The body is not touched. What is not the caller's fault is thrown.
 *
 * With a verifier alone: `Authorization: Bearer` on every path, no scopes and no limits.
 * @throws {TypeError} for options that are none.
 */
export function guard<Rest extends unknown[] = []>(
  gate: Gate | Verifier,
  handler: (request: Request, auth: Identity, ...rest: Rest) => Response | Promise<Response>,
  options?: FetchGuardOptions<Rest>,
): (request: Request, ...rest: Rest) => Promise<Response>;
