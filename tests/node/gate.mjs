// What the gate's tests share: the policy, secrets and credentials of the Worker's tests, and a time that stands still.

import { createGate, memoryStore } from '../../pkg/wasm/node.js';
import { AUDIENCE, ISSUER, SECRETS, policy } from '../worker/harness.mjs';
import { signHmac } from '../worker/token.mjs';

export { CODES, ISSUER, SECRETS, apiKey, policy } from '../worker/harness.mjs';
export { keyIdOf } from '../worker/api-key.mjs';

export const NOW = 1_800_000_000;

/** A token of the example issuer. */
export const token = (claims = {}, options = {}) =>
  signHmac({ iss: ISSUER, aud: AUDIENCE, sub: 'alice', exp: NOW + 600, ...claims }, { secret: SECRETS.JWT_SECRET, ...options });

export const bearer = (value) => ({ authorization: `Bearer ${value}` });

export const request = (path, headers = {}, method = 'GET') => new Request(`https://gate.test${path}`, { headers, method });

/** A gate with the example policy over memory. The test has its clock and stores. */
export function gateOf({ policy: given = policy(), stores = {}, create = createGate, ...rest } = {}) {
  const clock = { now: NOW };
  const now = () => clock.now;
  const all = { revocation: memoryStore({ now }), keys: memoryStore({ now }), counters: memoryStore({ now }), ...stores };
  const events = [];
  const gate = create(given, { secrets: SECRETS, stores: all, now, log: (event) => events.push(event), ...rest });
  return { gate, clock, stores: all, events };
}

/** The record of a key as the Worker writes it. */
export const record = (id, rest = {}) => JSON.stringify({
  v: 1, id, name: 'n', owner: 'alice', prefix: 'sk', scopes: ['read:posts'], created_at: NOW - 100, disabled: false, ...rest,
});
