//! Reading a body that has to be small.

use wasm_bindgen::JsCast as _;
use web_sys::{ReadableStream, ReadableStreamDefaultReader};
use worker::{Result, js_sys, wasm_bindgen_futures::JsFuture};

/// The whole body, or `None` as soon as it turns out to have more than `limit` bytes.
pub(super) async fn read_at_most(stream: &ReadableStream, limit: usize) -> Result<Option<Vec<u8>>> {
    let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
    let mut body = Vec::new();
    loop {
        let piece = JsFuture::from(reader.read()).await?;
        let value = js_sys::Reflect::get(&piece, &"value".into())?;
        if value.is_undefined() {
            return Ok(Some(body));
        }
        let piece = js_sys::Uint8Array::new(&value);
        let length = usize::try_from(piece.length()).unwrap_or(usize::MAX);
        if body.len().saturating_add(length) > limit {
            // Nobody reads the rest; a failure to say so changes nothing.
            drop(JsFuture::from(reader.cancel()).await);
            return Ok(None);
        }
        body.extend(piece.to_vec());
    }
}
