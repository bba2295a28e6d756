//! Code that few requests need, kept out of the code that all of them run.
//!
//! WebAssembly is compiled a function at a time, when it is called first. A compiler that optimises for size puts a function
//! that has one caller into that caller: then the first request of an isolate waits for code that it does not run. A
//! function that is not inlined is compiled by the first request that needs it; for futures, this does the same.

use core::{
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll},
};

/// The output of a future whose code is compiled when it is first polled. Nothing is allocated for it.
pub async fn cold<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|context| poll(future.as_mut(), context)).await
}

#[inline(never)]
fn poll<F: Future>(future: Pin<&mut F>, context: &mut Context<'_>) -> Poll<F::Output> {
    future.poll(context)
}
