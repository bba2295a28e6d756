//! Small checks that the sections share, and how a fault gets its path.

use std::collections::BTreeSet;

use super::{Secrets, types::CacheSecs};
use crate::{error::Error, jose::scopes::is_scope, secret::Secret};

/// HMAC-SHA-256 secrets and the administrator's: as long as the hash (RFC 7518 §3.2).
const MIN_SECRET_LENGTH: usize = 32;

/// The secret of that name. White space at its ends is none of it: it comes of a file with a line break at its end, and no
/// signature would verify.
pub(super) fn secret_named(path: &str, name: &str, secrets: &dyn Secrets) -> Result<Secret, Error> {
    let secret = secrets
        .secret(name)
        .ok_or_else(|| Error::config(path, format!("there is no secret named {name}")))?;
    if is_padded_text(secret.expose_secret()) {
        let problem = format!(
            "the secret named {name} has white space at its ends, such as the line break of a file"
        );
        return Err(Error::config(path, problem));
    }
    Ok(secret)
}

/// Whether this is text with white space at an end. Random bytes are no text: some of them look like white space too.
fn is_padded_text(bytes: &[u8]) -> bool {
    core::str::from_utf8(bytes).is_ok_and(|text| {
        let inner = text.trim();
        inner.len() != text.len() && !inner.chars().any(char::is_control)
    })
}

pub(super) fn secret_of(path: &str, name: &str, secrets: &dyn Secrets) -> Result<Secret, Error> {
    let secret = secret_named(path, name, secrets)?;
    secret.require_length(MIN_SECRET_LENGTH).map_err(|fault| at(path, &fault))?;
    Ok(secret)
}

/// A name that can stand in a header or a structured field as it is (RFC 9110 §5.6.2, `token`).
pub(super) fn token(path: &str, text: &str) -> Result<String, Error> {
    let plain = (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if plain {
        Ok(text.to_owned())
    } else {
        Err(Error::config(path, "expected 1 to 64 letters, digits, '-', '_' or '.'"))
    }
}

/// Whether this is the name of a header field (RFC 9110 §5.1), in the characters that are in use.
pub(super) fn is_header_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// A list of scopes.
pub(super) fn scope_list(path: &str, scopes: &[String]) -> Result<(), Error> {
    for (index, scope) in scopes.iter().enumerate() {
        if !is_scope(scope) {
            return Err(Error::config(
                format!("{path}[{index}]"),
                "expected a scope like read:posts",
            ));
        }
    }
    Ok(())
}

/// Maps a list, telling each step its place (`limits[2]`).
pub(super) fn each<T, U>(
    path: &str,
    items: impl Iterator<Item = T>,
    mut step: impl FnMut(&str, T) -> Result<U, Error>,
) -> Result<Vec<U>, Error> {
    // A loop: to collect results takes adapters of iterators, compiled for each list.
    let mut all = Vec::new();
    for (index, item) in items.enumerate() {
        all.push(step(&element(path, index), item)?);
    }
    Ok(all)
}

/// The place of an element. Not put into the loops, of which each list has its own.
#[inline(never)]
fn element(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}

/// Puts a fault of a part (a key, a limit) at its place in the policy.
pub(super) fn at(path: &str, fault: &Error) -> Error {
    match fault {
        Error::Config { path: inner, problem } if !inner.is_empty() => {
            Error::config(format!("{path}.{inner}"), problem)
        }
        other => Error::config(path, other.to_string()),
    }
}

/// An hour of staleness is more than any revocation should wait for.
pub(super) fn cache_secs(path: &str, CacheSecs(secs): CacheSecs) -> Result<(), Error> {
    if secs > 3600 { Err(Error::config(path, "expected at most 3600 seconds")) } else { Ok(()) }
}

/// Names that are given twice, for lists whose members have to differ.
pub(super) fn first_repeated<'a>(names: impl Iterator<Item = &'a str>) -> Option<usize> {
    // Owned strings, so that `BTreeSet<String>` is compiled only once.
    let mut seen = BTreeSet::new();
    names.enumerate().find_map(|(index, name)| (!seen.insert(name.to_owned())).then_some(index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_at_the_ends_of_a_text_is_found_and_random_bytes_are_left_alone() {
        for padded in ["secret\n", "secret\r\n", " secret", "\tsecret", "se cret "] {
            assert!(is_padded_text(padded.as_bytes()), "{padded:?}");
        }
        for plain in ["secret", "se cret", "", "z\u{fc}rich"] {
            assert!(!is_padded_text(plain.as_bytes()), "{plain:?}");
        }
        assert!(!is_padded_text(&[b'\n', 1, 2, 3]));
        assert!(!is_padded_text(&[b'\n', 0xff, b'a', b' ']));
    }
}
