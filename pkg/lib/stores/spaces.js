/**
 * The beginnings of the names that requests write: exact counters and used proofs (src/store/shared.rs, src/jose/dpop.rs). Callers decide how
 * many there are. Everything else is as much as administrators, issuers and genuine keys make of it, and may have to be
 * remembered for the gate to refuse; so the room for it is never taken by these.
 */
export const REQUEST_SPACES = ['count/v1/', 'dpop/v1/'];
