//! What a hostile token costs: counted in allocations and bytes, since a clock in a test measures the machine.

use crate::mint::{hs256, hs256_key};
use edgegate::base64url::encode;
use edgegate::jose::claims::Claims;
use edgegate::jose::jws::{DEFAULT_MAX_TOKEN_LENGTH, JwsStep, UntrustedToken};
use edgegate::jose::keys::{Key, KeySet, MAX_JWKS_LENGTH};

const HS256: &str = r#"{"alg":"HS256"}"#;
const CLAIMS: &str = r#"{"iss":"me","sub":"you","exp":1700000060}"#;

/// What a text costs to parse, verify and read as claims, in allocations and in bytes, all added up.
fn cost(token: &str, key: &Key) -> (u64, u64) {
    let spent = allocation_counter::measure(|| {
        if let Ok(token) = UntrustedToken::parse(token, usize::MAX) {
            let _ = token.unverified_issuer();
            if let Ok(JwsStep::Verified(jws)) = token.verify(key) {
                let _ = Claims::parse(jws.payload());
            }
        }
    });
    (spent.count_total, spent.bytes_total)
}

/// Shapes of tokens that have made parsers slow or greedy, `size` bytes long or a little more.
fn greedy(size: usize) -> Vec<(&'static str, String)> {
    let fill = |unit: &str| unit.repeat(size / unit.len());
    let list = |unit: &str| format!(r#"{{"a":[{}1]}}"#, fill(unit));
    let numbered = |unit: &dyn Fn(usize) -> String, count: usize| {
        let members: Vec<String> = (0..count).map(unit).collect();
        format!("{{{}}}", members.join(","))
    };
    let headed = |rest: &str| format!(r#"{{"alg":"HS256",{}"#, rest.trim_start_matches('{'));
    let bodies = [
        ("a long string", format!(r#"{{"a":"{}"}}"#, fill("x"))),
        ("escapes", format!(r#"{{"a":"{}"}}"#, fill("\\u00e9"))),
        ("escaped names", numbered(&|n| format!(r#""\u0061{n:06}":1"#), size / 16)),
        ("numbers", list("1,")),
        ("one number", format!(r#"{{"a":{}}}"#, fill("1"))),
        ("a fraction", format!(r#"{{"a":0.{}}}"#, fill("3"))),
        ("empty lists", list("[],")),
        ("empty objects", list("{},")),
        ("names", numbered(&|n| format!(r#""{n:06}":1"#), size / 11)),
        (
            "names that begin alike",
            numbered(&|n| format!(r#""{}{n:06}":1"#, "a".repeat(50)), size / 61),
        ),
        ("the same name", numbered(&|_| r#""a":1"#.to_owned(), size / 6)),
        ("audiences", format!(r#"{{"aud":[{}"a"]}}"#, fill(r#""a","#))),
        ("deep lists", fill("{\"a\":[")),
        ("blanks", format!("{}{{}}", fill(" "))),
    ];
    let mut tokens = vec![
        // CVE-2025-30204 (golang-jwt): a slice for each dot.
        ("dots", fill(".")),
        ("dots behind a header", format!("{}{}", encode(HS256.as_bytes()), fill("."))),
        ("no base64url", fill("=")),
        ("one segment", fill("A")),
    ];
    for (name, body) in bodies {
        tokens.push((name, hs256(HS256, &body)));
        tokens.push((name, hs256(headed(&body), CLAIMS)));
    }
    tokens
}

/// Twice the input costs at most twice the work, whatever it is made of (CWE-407, CWE-770). Counted and not timed:
/// each pass over the input that keeps something allocates, and a list or text that grows doubles.
#[test]
fn work_and_memory_are_linear_in_the_token() {
    let key = hs256_key();
    let sizes = [1 << 14, 1 << 15, 1 << 16, 1 << 17];
    let costs: Vec<Vec<(&str, u64, u64)>> = sizes
        .iter()
        .map(|size| {
            greedy(*size)
                .iter()
                .map(|(name, token)| {
                    let (count, bytes) = cost(token, &key);
                    (*name, count, bytes)
                })
                .collect()
        })
        .collect();
    for (smaller, larger) in costs.iter().zip(&costs[1..]) {
        for ((name, count, bytes), (_, more, more_bytes)) in smaller.iter().zip(larger) {
            assert!(*more <= count * 9 / 4 + 16, "{name}: {count}, then {more} allocations");
            assert!(
                *more_bytes <= bytes * 9 / 4 + 4096,
                "{name}: {bytes}, then {more_bytes} bytes"
            );
        }
    }
    for (size, costs) in sizes.iter().zip(&costs) {
        for (name, _, bytes) in costs {
            // The costliest byte is the comma of `1,1,1`: a value of the list, which doubles as it grows.
            assert!(*bytes <= 100 * *size as u64, "{name}: {bytes} bytes of {size}");
        }
    }
}

/// Before the first segment is known to be a header, nothing is allocated for what the others claim to be
/// (CVE-2025-30204, golang-jwt).
#[test]
fn what_is_no_token_costs_nothing() {
    let key = hs256_key();
    for text in [".".repeat(1 << 20), "A".repeat(1 << 20), format!("..{}", "A".repeat(1 << 20))] {
        assert_eq!(cost(&text, &key), (0, 0));
    }
}

/// The same for the two limits that hold where nothing else is configured.
#[test]
fn the_longest_token_and_the_longest_key_set_cost_little() {
    let key = hs256_key();
    for (name, token) in greedy(DEFAULT_MAX_TOKEN_LENGTH * 3 / 4 - 200) {
        let peak = allocation_counter::measure(|| {
            cost(&token, &key);
        });
        assert!(peak.bytes_max <= 512 * 1024, "{name}: {} bytes at once", peak.bytes_max);
    }
    for unit in ["1,", "[],", "{},", "null,", "\"\","] {
        let list = unit.repeat((MAX_JWKS_LENGTH - 20) / unit.len());
        let keys = format!(r#"{{"keys":[{list}1]}}"#);
        let peak = allocation_counter::measure(|| {
            assert!(KeySet::from_jwks(&keys).is_err());
        });
        assert!(peak.bytes_max <= 4 * 1024 * 1024, "{unit}: {} bytes at once", peak.bytes_max);
    }
}
