//! The one cookie of a `Cookie` header that may carry a credential: what is read here is what is taken out
//! before a request goes on.
//!
//! A header is read as generously as a service behind the gate might read it. Cookies are separated by `;` (RFC 6265
//! §4.2.1). Two header lines of HTTP/1.1 arrive joined by `, `, so a comma begins another cookie where a name and `=`
//! follow it; elsewhere it belongs to the value. Blanks around `=` do not count.
//!
//! Names are read generously too: PHP makes `access_token` of `access.token`, ASP.NET ignores case. A cookie in such another
//! spelling of the name is no credential, since two servers could take two cookies for it. So it is refused beside one, and is
//! always taken out.

use crate::{
    login::binding::{self, Binding},
    policy::fold,
};

/// The browser's cookie that ties logins to it, if it is one that the gate has set. Of two none counts.
pub(super) fn binding(header: &str) -> Option<Binding> {
    let mut values = own(binding::COOKIE, header);
    let value = values.next()?;
    values.next().is_none().then(|| Binding::parse(value)).flatten()
}

/// The non-empty values of the cookies of that name.
pub(super) fn named<'a>(name: &str, header: &'a str) -> impl Iterator<Item = &'a str> {
    with_values(header).filter(move |(given, _)| *given == name).map(|(_, value)| value)
}

/// Whether a cookie with a value has a name that a service might take for that name.
pub(super) fn has_other_spelling(name: &str, header: &str) -> bool {
    let name = Name::new(name);
    with_values(header).any(|(given, _)| name.is_other_spelling(given))
}

/// Whether there is a cookie of that name, in whatever spelling.
pub(super) fn has(name: &str, header: &str) -> bool {
    let name = Name::new(name);
    let named = |cookie: &str| {
        let given = cookie.split_once('=').map(|(given, _)| given.trim());
        given.is_some_and(|given| given == name.exact || name.is_other_spelling(given))
    };
    header.split(';').flat_map(in_segment).any(named)
}

/// The header without the cookies of that name, in whatever spelling; `None` if no other is left. The rest stays as it
/// is, but for blanks between cookies.
#[must_use]
pub fn without(name: &str, header: &str) -> Option<String> {
    let name = Name::new(name);
    taken_out(header, |given| given == name.exact || name.is_other_spelling(given))
}

/// The header as [`without`] leaves it, with the cookies of exactly that name.
#[must_use]
pub fn without_other_spellings(name: &str, header: &str) -> Option<String> {
    let name = Name::new(name);
    taken_out(header, |given| name.is_other_spelling(given))
}

/// The name of the cookie.
struct Name<'a> {
    exact: &'a str,
    folded: String,
}

impl<'a> Name<'a> {
    fn new(exact: &'a str) -> Self {
        Self { exact, folded: fold(exact.as_bytes()) }
    }

    /// Whether this is another name, and a service might take it for this one. PHP makes an array `session` of `session[x]`, Rack
    /// and older PHP decode names.
    fn is_other_spelling(&self, given: &str) -> bool {
        if given == self.exact {
            return false;
        }
        let decoded = percent_decoded(given);
        let decoded = decoded.trim_ascii();
        let before_bracket = decoded.split(|byte| *byte == b'[').next().unwrap_or_default();
        fold(decoded) == self.folded || fold(before_bracket) == self.folded
    }
}

/// The bytes, with `%` and two hexadecimal digits as the byte that they say.
fn percent_decoded(text: &str) -> Vec<u8> {
    let hex = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let byte = match (first, hex(behind.first()), hex(behind.get(1))) {
            (b'%', Some(high), Some(low)) => u8::try_from((high << 4) | low).ok(),
            _ => None,
        };
        decoded.push(byte.unwrap_or(*first));
        rest = behind.get(if byte.is_some() { 2 } else { 0 }..).unwrap_or_default();
    }
    decoded
}

/// The cookies whose value is not empty, by name.
fn with_values(header: &str) -> impl Iterator<Item = (&str, &str)> {
    header.split(';').flat_map(in_segment).filter_map(|cookie| {
        let (given, value) = cookie.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (!value.is_empty()).then_some((given.trim(), value))
    })
}

/// The values of a cookie that the gate has set, as browsers send it: between semicolons, under this very name. Nothing else is it: with a
/// comma in another cookie's value, or a blank before the name that is not ASCII, a page of a sibling domain gets past the prefix `__Host-`.
pub(super) fn own<'h>(name: &str, header: &'h str) -> impl Iterator<Item = &'h str> {
    header.split(';').filter_map(move |cookie| {
        let (given, value) = cookie.split_once('=')?;
        let blanks = [' ', '\t'];
        let value = value.trim_matches(blanks);
        (given.trim_matches(blanks) == name && !value.is_empty()).then_some(value)
    })
}

/// The header without the cookies whose name `goes`.
fn taken_out(header: &str, goes: impl Fn(&str) -> bool) -> Option<String> {
    let goes = |cookie: &str| cookie.split_once('=').is_some_and(|(given, _)| goes(given.trim()));
    let mut kept = Vec::new();
    for segment in header.split(';') {
        if in_segment(segment).any(goes) {
            let others = in_segment(segment).filter(|cookie| !goes(cookie));
            kept.extend(others.map(str::trim));
        } else {
            kept.push(segment.trim());
        }
    }
    kept.retain(|cookie| !cookie.is_empty());
    (!kept.is_empty()).then(|| kept.join("; "))
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
                "sessio=t; session2=t; xsession=t; session",
                vec![],
                Some("sessio=t; session2=t; xsession=t; session"),
            ),
            ("", vec![], None),
            (";;,", vec![], Some(",")),
        ] {
            assert_eq!(named("session", header).collect::<Vec<_>>(), values, "{header}");
            assert_eq!(without("session", header).as_deref(), left, "{header}");
        }
    }

    #[test]
    fn other_spellings_are_no_credential_and_are_taken_out() {
        for other in [
            "access.token",
            "access-token",
            "Access_Token",
            "access token",
            "access%5Ftoken",
            "%61ccess_token",
            "%20access_token",
            "access[token",
            "access_token[]",
            "access_token[x][y]",
        ] {
            let header = format!("a=1; {other}=evil; access_token=t; b=2");
            assert_eq!(named("access_token", &header).collect::<Vec<_>>(), ["t"], "{other}");
            assert!(has_other_spelling("access_token", &header), "{other}");
            assert_eq!(without("access_token", &header).unwrap(), "a=1; b=2", "{other}");
            assert_eq!(
                without_other_spellings("access_token", &header).unwrap(),
                "a=1; access_token=t; b=2",
                "{other}"
            );
            let empty = format!("{other}=\"\"");
            assert!(!has_other_spelling("access_token", &empty), "{other}");
            assert_eq!(without_other_spellings("access_token", &empty), None, "{other}");
        }
        let others = "accesstoken=1; access__token=2; my_access_token=3; access=4; [access_token=5; access_%zztoken=6; %=7; access_token";
        assert!(!has_other_spelling("access_token", others));
        assert_eq!(without("access_token", others).as_deref(), Some(others));
    }

    #[test]
    fn a_cookie_of_the_gate_is_what_a_browser_sends_under_its_name() {
        let own = |header| own("__Host-a", header).collect::<Vec<_>>();
        for (header, values) in [
            ("__Host-a=t", vec!["t"]),
            ("x=1; __Host-a=t; y=2", vec!["t"]),
            ("x=1;\t__Host-a=t ", vec!["t"]),
            ("__Host-a=t; __Host-a=u", vec!["t", "u"]),
            ("__Host-a=\"t\"", vec!["\"t\""]),
            // What a page of a sibling domain can have a browser send.
            ("x=1,__Host-a=t", vec![]),
            ("x=1, __Host-a=t; __Host-a=u", vec!["u"]),
            ("\u{2000}__Host-a=t", vec![]),
            ("\u{a0}__Host-a=t; __Host-a=u", vec!["u"]),
            ("__host-a=t; __Host-A=t; __Host%2Da=t; __Host-a[]=t; __Host-a", vec![]),
            ("__Host-a=; __Host-a= ", vec![]),
        ] {
            assert_eq!(own(header), values, "{header}");
            let left = without("__Host-a", header).unwrap_or_default();
            assert!(!left.contains("__Host-a="), "{header}: {left}");
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
