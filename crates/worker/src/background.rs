//! Work that goes on after the answer.

use core::future::Future;

use futures_util::{FutureExt as _, future::LocalBoxFuture};
use worker::Context;

/// Keeps the request's context alive until the work is done.
///
/// Boxed: what `worker` compiles for each type of future (a promise, its closures, their tables) is then there once.
pub(super) fn run(context: &Context, work: impl Future<Output = ()> + 'static) {
    let work: LocalBoxFuture<'static, ()> = Box::pin(work);
    context.wait_until(work);
}

/// The output of work that goes on though the client of this request leaves, or the request waits for it no longer: for
/// what other requests wait for too.
pub(super) fn outlive<T: Clone + 'static>(
    context: &Context,
    work: impl Future<Output = T> + 'static,
) -> impl Future<Output = T> {
    let work = work.boxed_local().shared();
    run(context, work.clone().map(drop));
    work
}
