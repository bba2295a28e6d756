/**
 * A policy before it counts, for tests: what it would say to requests, and why. In Node, Deno and Bun.
 */
import type { Explanation, Policy, RequestLike, KeyAdministration, RevocationAdministration, SessionAdministration } from './index.js';

export interface RehearsalOptions {
  /** Secrets by name, as those of a gate. Something stands in for each that is missing. */
  secrets?: Readonly<Record<string, unknown>> | undefined;
  /**
   * `stand-in`, the default: each issuer has a key of the rehearsal in place of its own, so that {@link Rehearsal.token} can sign for it.
   * Nothing is fetched. `own`: the keys of the policy, for tokens that are real.
   */
  keys?: 'stand-in' | 'own' | undefined;
  /** The time in seconds since 1970. Default: the system's clock. */
  now?: (() => number) | undefined;
}

/** A token of an issuer. */
export interface RehearsedToken {
  /** The issuer, as the policy has it. Default: the first one. */
  issuer?: string | undefined;
  /** In the claim in which this issuer has them. */
  scopes?: readonly string[] | undefined;
  /** Over what the policy wants of the issuer's tokens. `null` leaves a claim out. */
  claims?: Readonly<Record<string, unknown>> | undefined;
  /** Default 600; below zero, it has expired. */
  expiresInSecs?: number | undefined;
  /** `typ` of the header. Default: what the policy wants. */
  typ?: string | undefined;
}

/** Explains requests, and admits none. Its stores are its own and begin empty. */
export interface Rehearsal {
  /**
   * What a gate with this policy would say to the request: `gate.explain`. Also of what the Worker alone has: `https`, and limits in any store. Revocations are looked
   * up as entries, whatever the mode.
   */
  explain(
    request: RequestLike,
    options?: { clientIp?: string | undefined; path?: string | undefined; waitUntil?: ((promise: Promise<unknown>) => void) | undefined },
  ): Promise<Explanation>;
  /**
   * A token that the policy takes, if the claims are as it wants them.
   * @throws {EdgegateError} `CONFIG_ERROR` if the policy has no such issuer, or with `keys: 'own'`
   */
  token(token?: RehearsedToken): Promise<string>;
  readonly keys: KeyAdministration;
  readonly revocations: RevocationAdministration;
  readonly sessions: SessionAdministration;
  /** Another policy over the same stores, keys and clock: a credential of one is the same for the other. */
  beside(policy: Policy | string): Promise<Rehearsal>;
}

/**
 * @throws {EdgegateError} `CONFIG_ERROR` with the `path` of the fault
 */
export function createRehearsal(policy: Policy | string, options?: RehearsalOptions): Promise<Rehearsal>;
