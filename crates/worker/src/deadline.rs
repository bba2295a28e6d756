//! A bound on waiting: a store that stalls is a store that failed.

use core::{future::Future, pin::pin, time::Duration};

use futures_util::future::{Either, select};
use worker::Delay;

/// How long a request waits for KV, a Durable Object or a rate-limiting binding. KV answers within
/// tens of milliseconds when warm and within some hundred when cold; a Durable Object on another
/// continent within about 300 ms. Beyond two seconds the caller is better off with an answer.
pub(super) const STORE: Duration = Duration::from_secs(2);

/// How long the ledger waits for KV to take what it publishes, up to 2.5 MB: nobody waits for that.
pub(super) const PUBLISH: Duration = Duration::from_secs(20);

/// How long a background refresh of the snapshot may take, and how long administration waits for a bulk, or for the
/// body of a request.
pub(super) const LONG: Duration = Duration::from_secs(15);

/// How long the gate waits for the keys of an issuer.
pub(super) const JWKS: Duration = Duration::from_secs(5);

/// The future's output, or `None` once the time is up.
pub(super) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    match select(pin!(future), pin!(Delay::from(limit))).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(((), _)) => None,
    }
}
