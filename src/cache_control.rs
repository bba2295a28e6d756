//! `Cache-Control` (RFC 9111 §5.2), read.

/// The directives, one pass and no copies. What stands in quotes is part of a value: `ext="a, max-age=1"` is one
/// directive.
pub(crate) fn directives(text: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = text.split(move |character| {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' => return !quoted,
            _ => {}
        }
        false
    });
    parts.map(str::trim)
}

/// Whether this directive is there, without an argument: `private="Set-Cookie"` is about one header only (§5.2.2.7).
pub(crate) fn says(text: &str, directive: &str) -> bool {
    // Most answers say nothing.
    !text.is_empty() && directives(text).any(|given| given.eq_ignore_ascii_case(directive))
}
