//! Many revocations in one request: a JSON object on each line.

use super::{
    deny_key::Target,
    entry::{Entry, NewRevocation},
};
use crate::{
    error::Error,
    json::{StrictValue, document, object::object},
    time::UnixTime,
};

/// Lines in one request.
pub const MAX_BULK_LINES: usize = 10_000;
/// Bytes of one request. A line usually has 100 to 300.
pub const MAX_BULK_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of one line: as many as a request for one revocation may have. A line is read to a tree, which takes up to 45 times as much memory.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// What a request names, read as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bulk {
    /// What is to be revoked, in the order of the lines.
    pub entries: Vec<Entry>,
    /// Lines about what is over already: exported entries whose end has come since.
    pub expired: usize,
}

object! {
    /// Only to see whether a line is a stored entry.
    struct Probe, ignored {
        target: Option<StrictValue> = None,
    }
}

impl Bulk {
    /// Reads a body. A line is what a single request has as its body, or an entry as an export shows it. Empty lines are
    /// skipped. Two forms have to be looked into and are for single requests: `{token}` (name its `iss` and `jti` here), and
    /// `{iss, kid}` of a key that was not withdrawn.
    ///
    /// # Errors
    /// [`Error::InvalidField`] for the first line at fault, with its number, from 1; nothing is to be written then.
    /// `clock_tolerance_of` gives the tolerance of an issuer in seconds, or `None` for one that the policy does not have.
    pub fn parse(
        body: &[u8],
        clock_tolerance_of: impl Fn(&str) -> Option<u64>,
        now: UnixTime,
    ) -> Result<Self, Error> {
        let mut bulk = Self { entries: Vec::new(), expired: 0 };
        for (number, line) in (1_usize..).zip(body.split(|byte| *byte == b'\n')) {
            if line.trim_ascii().is_empty() {
                continue;
            }
            if bulk.entries.len().saturating_add(bulk.expired) == MAX_BULK_LINES {
                let problem = format!("expected at most {MAX_BULK_LINES} lines");
                return Err(Error::invalid_field("", &problem));
            }
            if line.len() > MAX_LINE_BYTES {
                let problem = format!("expected at most {MAX_LINE_BYTES} bytes in a line");
                return Err(at_line(number, Error::invalid_field("", &problem)));
            }
            let entry =
                read(line, &clock_tolerance_of, now).map_err(|fault| at_line(number, fault))?;
            if entry.is_in_force(now) {
                bulk.entries.push(entry);
            } else {
                bulk.expired = bulk.expired.saturating_add(1);
            }
        }
        if bulk.entries.is_empty() && bulk.expired == 0 {
            return Err(Error::invalid_field("", "expected a JSON object on each line"));
        }
        Ok(bulk)
    }
}

fn read(
    line: &[u8],
    clock_tolerance_of: &impl Fn(&str) -> Option<u64>,
    now: UnixTime,
) -> Result<Entry, Error> {
    let tolerance = |target: &Target| match target.issuer() {
        None => Ok(0),
        Some(issuer) => clock_tolerance_of(issuer)
            .ok_or_else(|| Error::invalid_field("iss", "is not an issuer of the policy")),
    };
    let stored = document::parse::<Probe>(line).is_ok_and(|probe| probe.target.is_some());
    if stored {
        let entry = Entry::restore(line, now)?;
        return tolerance(entry.target()).map(|_| entry);
    }
    match NewRevocation::parse(line)? {
        NewRevocation::Entry(request) => {
            let secs = tolerance(request.target())?;
            if matches!(request.target(), Target::SigningKey { .. }) && !request.is_withdrawn() {
                let problem = "expected in a request of its own, where it is compared with the \
                               issuer's keys";
                return Err(Error::invalid_field("kid", problem));
            }
            request.with_clock_tolerance(secs).entry(now)
        }
        NewRevocation::Token(_) => {
            Err(Error::invalid_field("token", "expected its iss and jti instead"))
        }
    }
}

fn at_line(number: usize, fault: Error) -> Error {
    match fault {
        Error::InvalidField { path, problem } if path.is_empty() => {
            Error::InvalidField { path: format!("line {number}"), problem }
        }
        Error::InvalidField { path, problem } => {
            Error::InvalidField { path: format!("line {number}, {path}"), problem }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

    fn parse(body: &str) -> Result<Bulk, String> {
        let tolerance_of = |issuer: &str| (issuer == "i").then_some(30);
        Bulk::parse(body.as_bytes(), tolerance_of, NOW).map_err(|fault| fault.to_string())
    }

    #[test]
    fn lines_are_requests_or_exported_entries() {
        let bulk = parse(concat!(
            "{\"iss\": \"i\", \"jti\": \"a\"}\r\n",
            "\n",
            "{\"key_id\": \"0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a\"}\n",
            "{\"id\":\"x\",\"v\":1,\"target\":{\"kind\":\"session\",\"iss\":\"i\",\"sid\":\"s\"},\"until\":1700000001,\"created_at\":1}\n",
            "{\"v\":1,\"target\":{\"kind\":\"session\",\"iss\":\"i\",\"sid\":\"s\"},\"until\":1700000000,\"created_at\":1}",
        ))
        .unwrap();
        let kinds: Vec<_> = bulk.entries.iter().map(|entry| entry.target().kind()).collect();
        assert_eq!((kinds, bulk.expired), (vec!["jti", "api_key", "session"], 1));
        assert_eq!(bulk.entries[2].created_at(), UnixTime::from_secs(1));
    }

    #[test]
    fn the_first_line_at_fault_is_named() {
        let good = r#"{"iss": "i", "jti": "a"}"#;
        for (line, problem) in [
            ("{", "line 3: expected JSON: EOF while parsing an object at line 1 column 1"),
            ("[]", "line 3: expected an object, found a list"),
            (r#"{"iss": "i", "jti": 1}"#, "line 3, jti: expected a string, found a whole number"),
            (r#"{"iss": "i"}"#, "line 3: expected exactly one of token, jti, sub, sid, kid"),
            (r#"{"token": "t"}"#, "line 3, token: expected its iss and jti instead"),
            (r#"{"iss": "o", "jti": "a"}"#, "line 3, iss: is not an issuer of the policy"),
            (r#"{"iss": "i", "kid": "k"}"#, "line 3, kid: expected in a request of its own"),
            (r#"{"target": {"kind": "x"}}"#, "line 3, target.kind: expected one of token"),
            (
                r#"{"v":1,"target":{"kind":"issuer","iss":"o"},"created_at":1}"#,
                "line 3, iss: is not an issuer of the policy",
            ),
        ] {
            let fault = parse(&format!("{good}\n{good}\n{line}\n{{")).unwrap_err();
            assert!(fault.starts_with(problem), "{fault}");
        }
        for empty in ["", "\n", " \r\n\n"] {
            assert_eq!(parse(empty).unwrap_err(), "expected a JSON object on each line");
        }
    }

    /// What is read to a tree takes many times its length: a body of 8 MiB in one line would take what an isolate has.
    #[test]
    fn a_line_is_no_longer_than_a_single_request() {
        let long = format!(r#"{{"iss": "i", "jti": "{}"}}"#, "a".repeat(MAX_LINE_BYTES));
        let fault = parse(&format!("{}\n{long}", r#"{"iss": "i", "jti": "a"}"#)).unwrap_err();
        assert_eq!(fault, "line 2: expected at most 65536 bytes in a line");
    }

    #[test]
    fn lines_are_read_as_single_requests_are() {
        let bulk = parse(concat!(
            "{\"iss\": \"i\", \"sub\": \"s\"}\n",
            "{\"iss\": \"i\", \"kid\": \"k\", \"withdrawn\": true}\n",
            "{\"iss\": \"i\", \"jti\": \"a\", \"exp\": 9999999999}\n",
        ))
        .unwrap();
        let [subject, key, token] = bulk.entries.as_slice() else { panic!("{bulk:?}") };
        assert_eq!(subject.before(), Some(NOW.saturating_add(31)), "with the clock tolerance");
        assert_eq!((key.target().kind(), key.until()), ("signing_key", None));
        assert_eq!(token.until(), Some(UnixTime::from_secs(10_000_003_599)));
    }

    #[test]
    fn ten_thousand_lines_are_taken_and_no_more() {
        let line = "{\"iss\": \"i\", \"jti\": \"a\"}\n";
        assert_eq!(parse(&line.repeat(10_000)).unwrap().entries.len(), 10_000);
        assert_eq!(parse(&line.repeat(10_001)).unwrap_err(), "expected at most 10000 lines");
    }
}
