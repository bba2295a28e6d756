//! How text and numbers pass between the shell and the engine.
//!
//! The shell writes the text of a call to the input buffer. A call leaves numbers in slots; two of them have the
//! address and the length of its text. All of this is valid until the next call.

use std::cell::RefCell;

use serde::Serialize;

use edgegate::error::{Error, TokenPart};
use edgegate::time::UnixMillis;

use super::protocol::{KEPT_INPUT, SLOTS};
pub(super) use super::protocol::{Slot, Status};

struct Output {
    slots: Box<[f64; SLOTS]>,
    /// The text that the slots point to.
    text: Vec<u8>,
    key_id: String,
}

thread_local! {
    static INPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static OUTPUT: RefCell<Output> =
        RefCell::new(Output { slots: Box::new([0.0; SLOTS]), text: Vec::new(), key_id: String::new() });
}

/// The address of a buffer of this length at least. It stays there until it is asked for again.
pub(super) fn input(length: usize) -> usize {
    INPUT.with_borrow_mut(|buffer| {
        if buffer.len() < length || buffer.len() > KEPT_INPUT.max(length) {
            *buffer = vec![0; length];
        }
        buffer.as_ptr().addr()
    })
}

pub(super) fn output() -> usize {
    OUTPUT.with_borrow(|output| output.slots.as_ptr().addr())
}

/// Calls `step` with the text of the call.
pub(super) fn with_text<T>(length: usize, step: impl FnOnce(&str) -> T) -> Result<T, Error> {
    INPUT.with_borrow(|buffer| {
        let text = buffer.get(..length).and_then(|bytes| core::str::from_utf8(bytes).ok());
        text.map(step).ok_or(Error::MalformedToken { part: TokenPart::Token, problem: "not UTF-8" })
    })
}

/// The same for text that may hold secrets: it is wiped afterwards.
pub(super) fn with_secret_text<T>(
    length: usize,
    step: impl FnOnce(&str) -> Result<T, Error>,
) -> Result<T, Error> {
    let result = with_text(length, step);
    // Not the vector, which would become empty: the shell writes the next text to the same place.
    INPUT.with_borrow_mut(|buffer| zeroize::Zeroize::zeroize(buffer.as_mut_slice()));
    result?
}

/// Turns the result of a call into a number, and leaves an error as text.
pub(super) fn run(call: impl FnOnce() -> Result<Status, Error>) -> u32 {
    let status = call().unwrap_or_else(|error| {
        leave_text(describe(&error));
        Status::Refused
    });
    status as u32
}

pub(super) fn leave_text(text: impl AsRef<[u8]>) {
    OUTPUT.with_borrow_mut(|output| {
        output.text.clear();
        output.text.extend_from_slice(text.as_ref());
        output.point_to_text();
    });
}

/// The same for a text that need not be copied.
#[cfg(feature = "gate")]
pub(super) fn leave_own_text(text: String) {
    OUTPUT.with_borrow_mut(|output| {
        output.text = text.into_bytes();
        output.point_to_text();
    });
}

pub(super) fn leave_key_id(key_id: Option<&str>) {
    OUTPUT.with_borrow_mut(|output| {
        output.key_id.clear();
        output.key_id.push_str(key_id.unwrap_or_default());
        output.point_to_key_id();
    });
}

/// The claims of a token, where the key's name stands otherwise.
#[cfg(feature = "gate")]
pub(super) fn leave_claims(claims: Option<String>) {
    OUTPUT.with_borrow_mut(|output| {
        output.key_id = claims.unwrap_or_default();
        output.point_to_key_id();
    });
}

pub(super) fn leave_handle(handle: usize) {
    leave(Slot::Issuer, handle);
}

pub(super) fn leave(slot: Slot, number: usize) {
    OUTPUT.with_borrow_mut(|output| output.set(slot, number));
}

/// Leaves a time in seconds. Above 2^53 it is rounded; no clock gets there.
pub(super) fn leave_time(slot: Slot, secs: i64) {
    OUTPUT.with_borrow_mut(|output| output.put(slot, secs as f64));
}

/// The time that a call was given.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates, and the shell has refused what is not finite"
)]
pub(super) const fn millis(millis: f64) -> UnixMillis {
    UnixMillis::from_millis(millis as u64)
}

impl Output {
    fn point_to_text(&mut self) {
        let (address, length) = (self.text.as_ptr().addr(), self.text.len());
        let ascii = self.text.is_ascii();
        self.set(Slot::Text, address);
        self.set(Slot::TextLength, length);
        self.set(Slot::Flag, usize::from(ascii));
    }

    fn point_to_key_id(&mut self) {
        let (address, length) = (self.key_id.as_ptr().addr(), self.key_id.len());
        self.set(Slot::KeyId, address);
        self.set(Slot::KeyIdLength, length);
    }

    /// Addresses and lengths of wasm32 have 32 bits, so they are exact.
    fn set(&mut self, slot: Slot, number: usize) {
        self.put(slot, number as f64);
    }

    fn put(&mut self, slot: Slot, number: f64) {
        if let Some(place) = self.slots.get_mut(slot as usize) {
            *place = number;
        }
    }
}

#[derive(Serialize)]
struct Refusal<'a> {
    code: &'a str,
    reason: &'a str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
}

fn describe(error: &Error) -> String {
    let claim = match error {
        Error::MissingClaim { claim }
        | Error::WrongClaimType { claim, .. }
        | Error::UnexpectedClaim { claim } => Some(claim.as_str()),
        Error::TokenExpired { .. } => Some("exp"),
        Error::TokenTooOld { .. } => Some("iat"),
        Error::AuthenticationTooOld { .. } => Some("auth_time"),
        _ => None,
    };
    let path = match error {
        Error::Config { path, .. } | Error::InvalidField { path, .. } if !path.is_empty() => {
            Some(path.as_str())
        }
        _ => None,
    };
    let refusal = Refusal {
        code: error.code().as_str(),
        reason: error.reason(),
        message: error.to_string(),
        claim,
        path,
    };
    serde_json::to_string(&refusal).unwrap_or_default()
}
