/**
 * The prefixes of the names that requests write: exact counters and used proofs (src/store/shared.rs, src/jose/dpop.rs). Callers decide how
 * many there are, so they never take the room of other names. Those are made by administrators, issuers and genuine keys, and the gate may
 * need them to refuse a request.
 */
export const REQUEST_SPACES = ['count/v1/', 'dpop/v1/'];
