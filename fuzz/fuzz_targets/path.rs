//! Any text as a request path, and as a pattern: one spelling, and coverings that hold.
#![no_main]

use edgegate::policy::{PathPattern, RequestPath};
use libfuzzer_sys::fuzz_target;

/// What has to be percent-encoded is, and no more, so that it is no longer than what was read.
fn spell(path: &RequestPath) -> String {
    let mut text = String::new();
    for segment in path.segments() {
        text.push('/');
        for byte in segment.bytes() {
            if byte.is_ascii_graphic() && !b"%/;?#\\".contains(&byte) {
                text.push(char::from(byte));
            } else {
                text.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    if text.is_empty() { "/".to_owned() } else { text }
}

fuzz_target!(|text: &str| {
    let mut lines = text.split('\n');
    let (target, first, second) =
        (lines.next().unwrap_or(""), lines.next().unwrap_or(""), lines.next().unwrap_or(""));
    let path = RequestPath::parse(target).ok();
    if let Some(path) = &path {
        assert_eq!(RequestPath::parse(&spell(path)).as_ref(), Ok(path), "spelled out again");
        for segment in path.segments() {
            assert!(!segment.is_empty() && segment != "." && segment != "..");
            assert!(!segment.contains(['/', '\\']) && !segment.chars().any(char::is_control));
        }
        assert!(PathPattern::parse("/*").unwrap().matches(path));
        let segments: Vec<&str> = path.segments().collect();
        if let Ok(literal) = PathPattern::parse(&format!("/{}", segments.join("/")))
            && !segments.iter().any(|segment| segment.contains(['*', '{', '}']))
        {
            assert!(literal.matches(path));
        }
    }
    let patterns = [PathPattern::parse(first), PathPattern::parse(second)];
    for pattern in patterns.iter().flatten() {
        assert!(pattern.covers(pattern));
        assert!(PathPattern::parse("/*").unwrap().covers(pattern));
        assert_eq!(PathPattern::parse(pattern.as_str()).as_ref(), Ok(pattern));
    }
    if let ([Ok(one), Ok(other)], Some(path)) = (&patterns, &path) {
        for (wide, narrow) in [(one, other), (other, one)] {
            assert!(!(wide.covers(narrow) && narrow.matches(path)) || wide.matches(path));
        }
    }
});
