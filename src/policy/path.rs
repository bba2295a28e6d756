//! Request paths: one spelling each, so that the gate and the service behind it see the same resource.
//!
//! A gate that matches `/public/*` as open while the service decodes `/public/..%2fadmin` to `/admin`
//! protects nothing. So whatever servers are known to read in two ways is refused before any route is
//! looked at: encoded separators, dot segments in any encoding, doubled slashes, path parameters
//! (`;`), control characters, and broken or non-UTF-8 percent-encoding (RFC 3986 §2.1, §3.3, §6.2.2).

use crate::byte_search;
use crate::error::Error;

/// The longest path that is looked at. Servers commonly stop at 8 KiB for a whole request line.
const MAX_LENGTH: usize = 8 * 1024;

/// A path with one meaning, split into decoded segments.
///
/// A single trailing slash is ignored: most services treat `/v1/posts/` as `/v1/posts`, so a route for
/// one must hold for the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestPath {
    segments: Vec<String>,
}

impl RequestPath {
    /// Reads the path of a request. The query is not looked at, but that it has no blank: two headers of one name that
    /// say which request is asked about arrive as one, and the second would hide in the query of the first.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for every path that could be read in two ways.
    pub fn parse(target: &str) -> Result<Self, Error> {
        let end = target.bytes().position(|byte| matches!(byte, b'?' | b'#'));
        let path = target.get(..end.unwrap_or(target.len())).unwrap_or_default();
        if path.len() > MAX_LENGTH {
            return Err(Error::InvalidRequest("path is longer than 8192 bytes"));
        }
        let Some(rest) = path.strip_prefix('/') else {
            return Err(Error::InvalidRequest("path does not begin with a slash"));
        };
        let query = target.get(path.len()..).unwrap_or_default();
        if query.bytes().any(|byte| byte == b' ' || byte.is_ascii_control()) {
            return Err(Error::InvalidRequest("query has a blank or a control character"));
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.is_empty() {
            // "/" and, after the suffix is gone, nothing else: "//" is an empty segment.
            if path.len() > 1 {
                return Err(Error::InvalidRequest("path has an empty segment"));
            }
            return Ok(Self { segments: Vec::new() });
        }
        let segments =
            byte_search::split(rest, b'/').map(decode_segment).collect::<Result<_, _>>()?;
        Ok(Self { segments })
    }

    /// The decoded segments, without the leading slash.
    pub fn segments(&self) -> impl ExactSizeIterator<Item = &str> {
        self.segments.iter().map(String::as_str)
    }

    /// The same in lower case.
    pub(super) fn to_lowercase(&self) -> Self {
        Self { segments: self.segments.iter().map(|segment| segment.to_lowercase()).collect() }
    }

    /// A decoded segment, counted from 0.
    pub(super) fn segment(&self, index: usize) -> Option<&str> {
        self.segments.get(index).map(String::as_str)
    }
}

/// Decodes one segment, refusing what two servers could read differently.
fn decode_segment(raw: &str) -> Result<String, Error> {
    if raw.is_empty() {
        return Err(Error::InvalidRequest("path has an empty segment"));
    }
    // Most segments have nothing that the checks below look for.
    if raw.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
        return Ok(raw.to_owned());
    }
    decode_other_segment(raw)
}

#[inline(never)]
fn decode_other_segment(raw: &str) -> Result<String, Error> {
    if raw.contains(';') {
        return Err(Error::InvalidRequest("path has parameters (a semicolon)"));
    }
    // A space among them is also how two headers that name a path arrive as one.
    if !raw.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::InvalidRequest("path has a character that has to be percent-encoded"));
    }
    let mut decoded = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let (Some(high), Some(low)) =
                (bytes.next().and_then(hex_digit), bytes.next().and_then(hex_digit))
            else {
                return Err(Error::InvalidRequest("path has a broken percent-encoding"));
            };
            decoded.push((high << 4) | low);
        } else {
            decoded.push(byte);
        }
    }
    let decoded = String::from_utf8(decoded)
        .map_err(|_| Error::InvalidRequest("path is not UTF-8 after decoding"))?;
    if decoded.contains(['/', '\\']) {
        return Err(Error::InvalidRequest("path has an encoded slash or a backslash"));
    }
    if decoded.chars().any(char::is_control) {
        return Err(Error::InvalidRequest("path has a control character"));
    }
    if decoded == "." || decoded == ".." {
        return Err(Error::InvalidRequest("path has a dot segment"));
    }
    // A service that decodes twice would see another path than was matched.
    let twice = decoded.as_bytes().windows(3).any(|window| match window {
        [b'%', high, low] => high.is_ascii_hexdigit() && low.is_ascii_hexdigit(),
        _ => false,
    });
    if twice {
        return Err(Error::InvalidRequest("path is percent-encoded twice"));
    }
    Ok(decoded)
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn segments(path: &str) -> Vec<String> {
        RequestPath::parse(path).unwrap().segments().map(str::to_owned).collect()
    }

    #[track_caller]
    fn refused(path: &str, message: &str) {
        assert_eq!(RequestPath::parse(path).unwrap_err().to_string(), message, "{path}");
    }

    #[test]
    fn decodes_once_and_ignores_query_and_trailing_slash() {
        assert_eq!(segments("/"), Vec::<String>::new());
        assert_eq!(segments("/v1/%70osts/?a=/../b"), ["v1", "posts"]);
        assert_eq!(segments("/a%20b/%C3%BC"), ["a b", "ü"]);
        assert_eq!(segments("/a/...#x"), ["a", "..."]);
        assert_eq!(segments("/100%25"), ["100%"]);
    }

    #[test]
    fn refuses_what_servers_read_in_two_ways() {
        refused("", "path does not begin with a slash");
        refused("v1", "path does not begin with a slash");
        refused("//", "path has an empty segment");
        refused("//v1", "path has an empty segment");
        refused("/v1//posts", "path has an empty segment");
        refused("/v1/posts//", "path has an empty segment");
        refused("/public/../admin", "path has a dot segment");
        refused("/public/%2e%2E/admin", "path has a dot segment");
        refused("/public/.", "path has a dot segment");
        refused("/public/..%2fadmin", "path has an encoded slash or a backslash");
        refused("/public/..%5Cadmin", "path has an encoded slash or a backslash");
        refused("/public/..\\admin", "path has an encoded slash or a backslash");
        refused("/public/..;/admin", "path has parameters (a semicolon)");
        refused("/public/%252e%252e/admin", "path is percent-encoded twice");
        refused("/a%00b", "path has a control character");
        refused("/a%0d%0ab", "path has a control character");
        refused("/%2573ecret", "path is percent-encoded twice");
        refused("/a?, /b", "query has a blank or a control character");
        refused("/a?b\tc", "query has a blank or a control character");
        refused("/a#b\n", "query has a blank or a control character");
        refused("/a, /b", "path has a character that has to be percent-encoded");
        refused("/ä", "path has a character that has to be percent-encoded");
        refused("/a%2", "path has a broken percent-encoding");
        refused("/a%zz", "path has a broken percent-encoding");
        refused("/%ff", "path is not UTF-8 after decoding");
        refused(&format!("/{}", "a".repeat(9000)), "path is longer than 8192 bytes");
    }
}
