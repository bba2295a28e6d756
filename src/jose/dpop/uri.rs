//! One spelling for an http URI (RFC 3986 §6.2.2, §6.2.3), to compare `htu` with the request.

use core::fmt::Write as _;

/// The URI in its one spelling, without query and fragment; `None` if it is not http or https, has user
/// information, or has a character that no URI has.
///
/// Scheme and host become lower case, the scheme's own port is left out, an empty path is `/`; of percent-encodings,
/// those of unreserved characters are decoded and the others written in capitals; dot segments are removed. Nothing
/// else is equal: `//` is not `/`, `%2F` is not `/`, a path with a trailing slash is another one.
#[must_use]
pub fn normalize(uri: &str) -> Option<String> {
    if !uri.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        return None;
    }
    let uri = uri.split(['?', '#']).next()?;
    let (scheme, rest) = uri.split_once("://")?;
    let (scheme, own_port) = if scheme.eq_ignore_ascii_case("https") {
        ("https", 443)
    } else if scheme.eq_ignore_ascii_case("http") {
        ("http", 80)
    } else {
        return None;
    };
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at_checked(at)?,
        None => (rest, ""),
    };
    let (host, port) = split_authority(authority)?;
    let mut normal = format!("{scheme}://{}", decode_unreserved(host)?.to_ascii_lowercase());
    if let Some(port) = port.filter(|port| *port != own_port) {
        write!(normal, ":{port}").ok()?;
    }
    let path = decode_unreserved(path)?;
    let mut segments: Vec<&str> = Vec::new();
    let mut parts = path.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        match part {
            "." => {}
            ".." => {
                segments.pop();
            }
            part => {
                segments.push(part);
                continue;
            }
        }
        // A dot segment at the end leaves the slash before it.
        if last {
            segments.push("");
        }
    }
    if segments.is_empty() {
        normal.push('/');
    }
    for segment in segments {
        normal.push('/');
        normal.push_str(segment);
    }
    Some(normal)
}

/// Host and port; an empty port stands for none (§3.2.3). `None`: there is no host, or user information, or what follows
/// the host is no port.
fn split_authority(authority: &str) -> Option<(&str, Option<u16>)> {
    // The colons of an IPv6 address stand in brackets.
    let (host, after) = match authority.find(']') {
        Some(end) if authority.starts_with('[') => {
            authority.split_at_checked(end.checked_add(1)?)?
        }
        _ => authority.split_at_checked(authority.find(':').unwrap_or(authority.len()))?,
    };
    let inner = host.strip_prefix('[').map_or(host, |rest| rest.trim_end_matches(']'));
    if inner.is_empty() || inner.contains(['@', '[', ']']) {
        return None;
    }
    let port = match after.strip_prefix(':') {
        Some("") => None,
        Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
            Some(digits.parse().ok()?)
        }
        None if after.is_empty() => None,
        _ => return None,
    };
    Some((host, port))
}

/// Decodes the percent-encodings of letters, digits, `-`, `.`, `_` and `~`, and writes the others in capitals.
fn decode_unreserved(text: &str) -> Option<String> {
    let mut pieces = text.split('%');
    let mut normal = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        // `from_str_radix` would take a sign.
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let byte = u8::from_str_radix(digits, 16).ok()?;
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            normal.push(char::from(byte));
        } else {
            write!(normal, "%{byte:02X}").ok()?;
        }
        normal.push_str(rest);
    }
    Some(normal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn same(uris: &[&str]) {
        let normal: Vec<_> = uris.iter().map(|uri| normalize(uri)).collect();
        assert!(normal[0].is_some(), "{uris:?}");
        assert!(normal.iter().all(|one| *one == normal[0]), "{uris:?} {normal:?}");
    }

    #[test]
    fn an_authority_is_a_host_and_a_port() {
        for uri in [
            "https://a:443:/",
            "https://a:443:443/",
            "https://a:b/",
            "https://a:65536/",
            "https://a:+1/",
            "https://:443/",
            "https://[::1/",
            "https://[]/",
            "https://[::1]a/",
            "https://a]/",
            "https://a@b/",
        ] {
            assert_eq!(normalize(uri), None, "{uri}");
        }
        assert_eq!(normalize("https://a:0443/").as_deref(), Some("https://a/"));
        assert_eq!(normalize("http://a:443/").as_deref(), Some("http://a:443/"));
        assert_eq!(normalize("https://[::1]:8443").as_deref(), Some("https://[::1]:8443/"));
    }

    #[test]
    fn spellings_of_one_uri_are_the_same() {
        same(&[
            "https://a.example/",
            "HTTPS://A.EXAMPLE",
            "https://a.example:443/",
            "https://a.example:/",
            "https://a.example?q=1",
            "https://a.example/#f",
            "https://%61.example",
        ]);
        same(&[
            "http://a:80/x",
            "http://a/x",
            "http://a/%78",
            "http://a/y/../x",
            "http://a/./x",
            "http://a/../x",
            "http://a/%2e%2E/x",
            "http://a/x?/../y",
        ]);
        same(&["https://a/%c3%a9", "https://a/%C3%A9"]);
        same(&["https://[2001:DB8::1]:443/", "https://[2001:db8::1]"]);
        same(&["https://a/b/", "https://a/b/c/..", "https://a/b/."]);
        same(&["https://a/", "https://a/b/..", "https://a/.", "https://a/.."]);
    }

    #[test]
    fn different_uris_stay_different() {
        let different = [
            "https://a/x",
            "http://a/x",
            "https://b/x",
            "https://a:8443/x",
            "https://a:80/x",
            "https://a/x/",
            "https://a/X",
            "https://a//x",
            "https://a/%2Fx",
            "https://a/x;v=1",
            "https://a/%3Fx",
            "https://a/x%20",
            "https://a./x",
        ];
        for (index, one) in different.iter().enumerate() {
            for other in &different[..index] {
                assert_ne!(normalize(one).unwrap(), normalize(other).unwrap(), "{one} {other}");
            }
        }
    }

    #[test]
    fn what_is_no_http_uri_has_no_spelling() {
        for uri in [
            "",
            "a",
            "/x",
            "//a/x",
            "ftp://a/x",
            "https:/a",
            "https:///x",
            "https://:443/x",
            "https://u@a/x",
            "https://u:p@a/x",
            "https://a/%",
            "https://a/%4",
            "https://a/%+1",
            "https://a/%zz",
            "https://a/ x",
            "https://a\\x",
            "https://a/\u{e9}",
            "https://a/\n",
            "https://a/x\0",
        ] {
            assert_eq!(normalize(uri), None, "{uri:?}");
        }
    }

    #[test]
    fn a_normal_uri_is_its_own_spelling() {
        for uri in ["https://a/", "http://a:8080/b/c/", "https://[::1]/%20;x=%2F//y~"] {
            assert_eq!(normalize(uri).as_deref(), Some(uri));
        }
    }
}
