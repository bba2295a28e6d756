//! An answer on its way out of the gate.

use wasm_bindgen::JsValue;
use web_sys::Response;

/// An answer, and whether something is left to do with it.
pub(crate) enum Answered {
    /// The gate's own.
    Own(Response),
    /// A response, or the promise of one, in which a plan has been carried out.
    Finished(JsValue),
}
