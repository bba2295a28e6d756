//! How a sealed text is written where browsers carry it: the id of the secret, and what AES-256-GCM made of the plain text.

/// The id of a secret, and what was sealed by it in base64url, with a dot between.
#[must_use]
pub(super) fn write(key_id: u8, sealed: &str) -> String {
    format!("{key_id}.{sealed}")
}

/// The same taken apart; `None` for anything that is not written so, or is longer than `most`.
#[must_use]
pub(super) fn parse(text: &str, most: usize) -> Option<(u8, &str)> {
    if text.len() > most {
        return None;
    }
    let (id, sealed) = text.split_once('.')?;
    let is_number = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    let is_shortest = id == "0" || !id.starts_with('0');
    let is_sealed =
        sealed.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    (is_number && is_shortest && is_sealed && !sealed.is_empty())
        .then(|| id.parse().ok().map(|id| (id, sealed)))
        .flatten()
}
