//! Work that goes on after the answer.

use core::future::Future;

use futures_util::future::LocalBoxFuture;
use worker::Context;

/// Keeps the request's context alive until the work is done.
///
/// Boxed: what `worker` compiles for each type of future (a promise, its closures, their tables) is then there once.
pub(super) fn run(context: &Context, work: impl Future<Output = ()> + 'static) {
    let work: LocalBoxFuture<'static, ()> = Box::pin(work);
    context.wait_until(work);
}
