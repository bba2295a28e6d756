import type { Gate, Identity, IdentityClaims, Verifier } from '../index.js';

/** What is read of an event: of API Gateway (REST and HTTP APIs, payload 1.0 and 2.0), a function URL, or a load balancer. */
export type LambdaEvent = LambdaHttpEvent | LambdaProxyEvent;

export interface LambdaHttpEvent {
  readonly rawPath: string;
  readonly requestContext: { readonly http: { readonly method: string; readonly sourceIp: string } };
  readonly headers: Readonly<Record<string, string | undefined>>;
}

export interface LambdaProxyEvent {
  readonly httpMethod: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | undefined>> | null | undefined;
  readonly multiValueHeaders?: Readonly<Record<string, readonly string[] | undefined>> | null | undefined;
  readonly requestContext: object;
}

export interface LambdaGuardOptions<Event = any> {
  /**
   * The client's address, where a proxy (a CDN) stands in front. Default: what the policy says in `client_ip_header`, else the address
   * that API Gateway or the function URL gives, or the last one of `X-Forwarded-For` behind a load balancer,
   * which has to append to it (its default).
   */
  clientIp?: ((event: Event) => string | undefined) | undefined;
  /**
   * How callers know this service, such as `https://api.example.com`: for tokens with a proof of possession (DPoP), whose proof names
   * the URL. Default: none, and such tokens are refused.
   */
  origin?: string | undefined;
}

/**
 * A Lambda handler that asks the gate, or a verifier, first: `export const handler = guard(gate, async (event, auth, context) => …)`. A refusal is
 * answered as the gate says; else the handler is called with the event, who is calling, and the context. The limits and what caches have to
 * know are put into its result.
 *
 * The path that counts is the one that the event has, `rawPath` or `path`: with the stage, if that is in it. One that the platform has
 * decoded to a path with `?`, `#` or a blank at its end is refused with 400: a URL made of it would be another path. A load balancer has to give
 * multi-value headers where the policy has `sessions`, since an answer then has several cookies. Whoever may invoke
 * the function past the gateway can write any event: that is for IAM to say.
 *
 * With a verifier alone: `Authorization: Bearer` on every path, no scopes and no limits.
 * @throws {TypeError} for options that are none; when it is called, for another event.
 */
export function guard<Claims = IdentityClaims, Event extends LambdaEvent = any, Context = any, Result = any>(
  gate: Gate | Verifier,
  handler: (event: Event, auth: Identity<Claims>, context: Context) => Result | Promise<Result>,
  options?: LambdaGuardOptions<Event>,
): (event: Event, context: Context) => Promise<any>;
