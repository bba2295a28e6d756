//! A transaction over the rows of a Durable Object.

use wasm_bindgen::{JsCast as _, JsValue, prelude::wasm_bindgen};
use worker::{Result, State};

#[wasm_bindgen]
extern "C" {
    /// The storage of the object. `worker` has no name for its synchronous transactions.
    type SyncStorage;

    #[wasm_bindgen(method, catch, js_name = transactionSync)]
    fn transaction_sync(
        this: &SyncStorage,
        step: &mut dyn FnMut() -> core::result::Result<JsValue, JsValue>,
    ) -> core::result::Result<JsValue, JsValue>;
}

/// Runs a step without waiting for anything, so that no other request comes between. If it fails, no row has changed.
///
/// # Errors
/// Those of the step, and of the platform.
pub(super) fn run<T>(state: &State, mut step: impl FnMut() -> Result<T>) -> Result<T> {
    let mut done = None;
    run_step(state, &mut || {
        done = Some(step()?);
        Ok(())
    })?;
    done.ok_or_else(|| "the transaction did not run".into())
}

/// What is the same for all steps, so that it is compiled once.
fn run_step(state: &State, step: &mut dyn FnMut() -> Result<()>) -> Result<()> {
    let storage = state.storage();
    let storage: &SyncStorage = storage.as_raw().unchecked_ref();
    storage.transaction_sync(&mut || {
        step().map_err(JsValue::from)?;
        Ok(JsValue::UNDEFINED)
    })?;
    Ok(())
}
