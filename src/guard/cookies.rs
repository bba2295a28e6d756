//! The one cookie of a `Cookie` header that may carry a credential: what is read here is what is taken out
//! before a request goes on.
//!
//! A header is read as generously as a service behind the gate might read it. Cookies are separated by `;` (RFC 6265
//! §4.2.1). Two header lines of HTTP/1.1 arrive joined by `, `, so a comma begins another cookie where a name and `=`
//! follow it; elsewhere it belongs to the value. Blanks around `=` do not count.

/// The non-empty values of the cookies of that name.
pub(super) fn named<'a>(name: &str, header: &'a str) -> impl Iterator<Item = &'a str> {
    header.split(';').flat_map(in_segment).filter_map(move |cookie| {
        let (given, value) = cookie.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (given.trim() == name && !value.is_empty()).then_some(value)
    })
}

/// The header without the cookies of that name, `None` if no other is left. The rest stays as it is, but for
/// blanks between cookies.
#[must_use]
pub fn without(name: &str, header: &str) -> Option<String> {
    let mut kept = Vec::new();
    for segment in header.split(';') {
        if in_segment(segment).any(|cookie| is_named(name, cookie)) {
            let others = in_segment(segment).filter(|cookie| !is_named(name, cookie));
            kept.extend(others.map(str::trim));
        } else {
            kept.push(segment.trim());
        }
    }
    kept.retain(|cookie| !cookie.is_empty());
    (!kept.is_empty()).then(|| kept.join("; "))
}

fn is_named(name: &str, cookie: &str) -> bool {
    cookie.split_once('=').is_some_and(|(given, _)| given.trim() == name)
}

/// The cookies between two `;`.
fn in_segment(segment: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(segment);
    core::iter::from_fn(move || {
        let all = rest.take()?;
        let cut = all
            .match_indices(',')
            .filter_map(|(at, comma)| Some((all.get(..at)?, all.get(at..)?.strip_prefix(comma)?)))
            .find(|(_, behind)| begins_cookie(behind));
        let Some((cookie, others)) = cut else { return Some(all) };
        rest = Some(others);
        Some(cookie)
    })
}

/// Whether a name and `=` stand there. A name has no blanks, commas or quotes (RFC 6265 §4.1.1). Nothing behind the
/// next comma is looked at, so that many commas cost no more than one pass.
fn begins_cookie(text: &str) -> bool {
    let Some((name, _)) = text.split(',').next().and_then(|own| own.split_once('=')) else {
        return false;
    };
    let name = name.trim();
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_that_is_read_is_taken_out() {
        for (header, values, left) in [
            ("session=t", vec!["t"], None),
            ("a=1; session=t; b=\"2=3\"; c", vec!["t"], Some("a=1; b=\"2=3\"; c")),
            ("a=1, session=t", vec!["t"], Some("a=1")),
            ("a=1,session=t", vec!["t"], Some("a=1")),
            ("session=t, a=1; b=2", vec!["t"], Some("a=1; b=2")),
            ("a=1; b=2, session=t, c=3", vec!["t"], Some("a=1; b=2; c=3")),
            ("session = t", vec!["t"], None),
            ("a=1;session\t=\tt ;b", vec!["t"], Some("a=1; b")),
            ("a=1, session = \"t\"", vec!["t"], Some("a=1")),
            ("session=t; session=u", vec!["t", "u"], None),
            ("session=t, session=u", vec!["t", "u"], None),
            ("session=; session=\"\"; session = ", vec![], None),
            // A comma that no cookie follows belongs to the value, and goes with it.
            ("session=t,u; a=1", vec!["t,u"], Some("a=1")),
            ("session=t, u", vec!["t, u"], None),
            // What has another name stays to the byte.
            ("a={\"x\":1,\"y\":2}; b=1,2,  3", vec![], Some("a={\"x\":1,\"y\":2}; b=1,2,  3")),
            ("a=1, b=2", vec![], Some("a=1, b=2")),
            (
                "Session=t; sessio=t; session2=t; xsession=t; session",
                vec![],
                Some("Session=t; sessio=t; session2=t; xsession=t; session"),
            ),
            ("", vec![], None),
            (";;,", vec![], Some(",")),
        ] {
            assert_eq!(named("session", header).collect::<Vec<_>>(), values, "{header}");
            assert_eq!(without("session", header).as_deref(), left, "{header}");
        }
    }

    #[test]
    fn what_is_left_holds_no_cookie_of_that_name() {
        for header in [
            "a=1,session=t,b",
            ",session=t",
            "session=t,,session=u",
            "x, session=t",
            "a=\"1, session=t\"",
        ] {
            let left = without("session", header).unwrap_or_default();
            assert_eq!(named("session", &left).count(), 0, "{header}: {left}");
            assert!(!left.contains("session"), "{header}: {left}");
        }
    }
}
