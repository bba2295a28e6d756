/**
 * The built Worker: the gate, and its Durable Objects by the names that `wrangler.toml` binds. It is for wrangler, and runs in Workers
 * alone. A Worker of yours is these two lines, and a policy in `wrangler.toml`:
 *
 * ```js
 * export { default } from 'edgegate/worker';
 * export * from 'edgegate/worker';
 * ```
 */
declare const gate: {
  fetch(request: Request, env: unknown, context: { waitUntil(promise: Promise<unknown>): void }): Promise<Response>;
};
export default gate;

/** What the platform calls of a Durable Object. */
declare class GateObject {
  constructor(state: unknown, env: unknown);
  fetch(request: Request): Promise<Response>;
  alarm(): Promise<void>;
}

/** Exact counters. */
export class CounterObject extends GateObject {}
/** The ledger of revocations. */
export class RevocationLedger extends GateObject {}
/** The sessions of a subject. */
export class SessionObject extends GateObject {}
/** The keys that sign the tokens of sessions. */
export class KeyRingObject extends GateObject {}
/** The tokens that providers have given, of one owner. */
export class GrantObject extends GateObject {}
/** What the gate has counted, its alerts, and what waits to be delivered. */
export class WatchObject extends GateObject {}
/** Accounts with passwords, and guesses at them, of a part of all names or addresses. */
export class LoginObject extends GateObject {}
