//! Polls the future of a request at once. If it waits for nothing, the answer needs no promise, whose turns of the event
//! loop take longer than most verdicts.

use core::{
    future::poll_fn,
    task::{Context, Poll, Waker},
};
use std::{sync::Arc, task::Wake};

use futures_util::task::AtomicWaker;
use wasm_bindgen::JsValue;
use worker::wasm_bindgen_futures::future_to_promise;

/// Wakes the task that polls the future now. Timers keep the waker that they are first polled with, so it has to be
/// good for the whole life of the future.
#[derive(Default)]
struct Relay(AtomicWaker);

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.0.wake();
    }
}

/// The answer, or a promise of it.
pub(super) fn run(future: impl Future<Output = JsValue> + 'static) -> JsValue {
    let relay = Arc::new(Relay::default());
    let waker = Waker::from(Arc::clone(&relay));
    let mut future = Box::pin(future);
    match future.as_mut().poll(&mut Context::from_waker(&waker)) {
        Poll::Ready(answer) => answer,
        // The first poll in there sees what was woken meanwhile.
        Poll::Pending => future_to_promise(poll_fn(move |outer| {
            relay.0.register(outer.waker());
            future.as_mut().poll(&mut Context::from_waker(&waker)).map(Ok)
        }))
        .into(),
    }
}
