//! Prints `pkg/lib/protocol.js`: what the package's JavaScript has to know of the library and of the engine.
//!
//! `cargo xtask package` writes the file; the test below fails if it is stale.

#![allow(clippy::print_stdout, reason = "it is what this is for")]

#[path = "../src/protocol.rs"]
mod protocol;

use edgegate::error::Code;
use edgegate::http::{caching::CACHING_FIELDS, reply};
use edgegate::jose::algorithm::Algorithm;
use edgegate::jose::discovery::Step;
use edgegate::jose::dpop::{DEFAULT_MAX_AGE_SECS, MAX_MAX_AGE_SECS, MAX_PROOF_LENGTH, ProofRules};
use edgegate::jose::jws::DEFAULT_MAX_TOKEN_LENGTH;
use edgegate::jose::keys::MAX_JWKS_LENGTH;
use edgegate::jose::web_crypto;
use edgegate::policy::{ISSUER_OPTIONS, Spelling};
use edgegate::store::memory;
use serde_json::{Value, json};

use self::protocol::{ADMITTED, FIELDS, Field, HostAnswer, KEPT_INPUT, SLOTS, Slot, Status};

fn main() {
    print!("{}", text());
}

/// The whole file.
fn text() -> String {
    let mut file = File(String::from(
        "// Made from the Rust library by `cargo xtask package` (crates/engine/examples/protocol.rs). Not edited by hand.\n",
    ));
    file.section("Algorithms, in the order by which the host is asked.");
    file.list("ALGORITHMS", Algorithm::ALL.map(Algorithm::as_str));
    file.section("What WebCrypto has to be told, for `importKey` and `verify` alike.");
    let parameters = |algorithm: Algorithm| (algorithm.as_str(), web_crypto::parameters(algorithm));
    file.object("WEB_CRYPTO", Algorithm::ALL.map(parameters));

    file.section("What a call of the engine has come to.");
    for (name, status) in STATUSES {
        file.constant(name, &json!(status as u32));
    }
    file.section("Where a call leaves its numbers.");
    for (name, slot) in SLOT_NAMES {
        file.constant(name, &json!(slot as u32));
    }
    file.constant("SLOTS", &json!(SLOTS));
    file.section("The step of `nextPlace` that asks for keys where they were found before.");
    file.constant("KNOWN_PLACE", &json!(Step::Known as u32));
    file.section("How many bytes of a call's text have a place that stays.");
    file.constant("KEPT_INPUT", &json!(KEPT_INPUT));
    file.section(
        "Where the lines of a request stand; behind them are the headers of `credential_headers`.",
    );
    for (name, field) in FIELD_NAMES {
        file.constant(name, &json!(field as u32));
    }
    file.constant("FIELDS", &json!(FIELDS));
    file.section("The first line of an admission. Other decisions are objects of JSON.");
    file.constant("ADMITTED", &json!(ADMITTED));
    file.section("What the host answers about a signature.");
    for (name, answer) in HOST_ANSWERS {
        file.constant(name, &json!(answer as u32));
    }

    file.section("The options of an issuer, and what policies call them.");
    file.object("ISSUER_OPTIONS", issuer_options());
    file.section("Limits.");
    for (name, number) in limits() {
        file.constant(name, &number);
    }
    file.section("The algorithms that proofs of possession may have.");
    file.list(
        "PROOF_ALGORITHMS",
        ProofRules::default().algorithms().iter().map(|one| one.as_str()),
    );

    file.section(
        "The fields of an answer that caches read, in the order of `amendments` in caching.js.",
    );
    file.list("CACHING_FIELDS", CACHING_FIELDS);

    file.section("What a caller is told whom a verifier alone refuses.");
    file.object("WIRE", VERIFIER_CODES.map(|code| (code.as_str(), wire(code))));
    file.constant("CHALLENGE", &json!(reply::CHALLENGE));
    file.constant("RETRY_UNAVAILABLE_SECS", &json!(reply::RETRY_UNAVAILABLE_SECS));
    file.constant("PROBLEM_JSON", &json!(reply::PROBLEM_JSON));
    file.list("REFUSING_WEIGHTS", reply::REFUSING_WEIGHTS);
    file.0
}

const STATUSES: [(&str, Status); 6] = [
    ("DONE", Status::Done),
    ("REFUSED", Status::Refused),
    ("PENDING", Status::Pending),
    ("KEYS_NEEDED", Status::KeysNeeded),
    ("GONE", Status::Gone),
    ("KEYS_UNDER_WAY", Status::KeysUnderWay),
];

const SLOT_NAMES: [(&str, Slot); SLOTS] = [
    ("TEXT", Slot::Text),
    ("TEXT_LENGTH", Slot::TextLength),
    ("KEY_ID", Slot::KeyId),
    ("KEY_ID_LENGTH", Slot::KeyIdLength),
    ("ISSUER", Slot::Issuer),
    ("VALID_FROM", Slot::ValidFrom),
    ("VALID_UNTIL", Slot::ValidUntil),
    ("FLAG", Slot::Flag),
];

const FIELD_NAMES: [(&str, Field); FIELDS] = [
    ("METHOD", Field::Method),
    ("URL_LINE", Field::Url),
    ("PATH", Field::Path),
    ("AUTHORIZATION", Field::Authorization),
    ("DPOP", Field::Dpop),
    ("API_KEY", Field::ApiKey),
    ("COOKIE", Field::Cookie),
    ("ACCEPT", Field::Accept),
    ("ORIGIN", Field::Origin),
    ("REQUESTED_METHOD", Field::RequestedMethod),
    ("REQUESTED_HEADERS", Field::RequestedHeaders),
    ("CLIENT_IP", Field::ClientIp),
    ("CLIENT_IP_HEADER", Field::ClientIpHeader),
    ("FETCH_SITE", Field::FetchSite),
    ("UPGRADE", Field::Upgrade),
    ("FETCH_MODE", Field::FetchMode),
    ("FETCH_DEST", Field::FetchDest),
    ("GRANT_ACCOUNT", Field::GrantAccount),
];

const HOST_ANSWERS: [(&str, HostAnswer); 5] = [
    ("HOST_BAD", HostAnswer::Bad),
    ("HOST_HOLDS", HostAnswer::Holds),
    ("HOST_PENDING", HostAnswer::Pending),
    ("HOST_UNKNOWN_KEY", HostAnswer::UnknownKey),
    ("HOST_REFUSES_KEY", HostAnswer::RefusesKey),
];

/// The codes of what a verifier refuses. All others are the operator's to see.
const VERIFIER_CODES: [Code; 7] = [
    Code::MissingCredentials,
    Code::InvalidToken,
    Code::TokenExpired,
    Code::TokenNotYetValid,
    Code::StepUpRequired,
    Code::MultipleCredentials,
    Code::KeysUnavailable,
];

fn wire(code: Code) -> Value {
    let wire = reply::wire(code);
    let hint = match code {
        // A verifier takes no API keys.
        Code::MissingCredentials => "Send a token as 'Authorization: Bearer <token>'",
        _ => wire.hint,
    };
    let kind = reply::problem_type(code);
    let error = reply::challenge_error(code);
    json!({"status": wire.status, "title": wire.title, "hint": hint, "type": kind, "error": error})
}

fn issuer_options() -> impl Iterator<Item = (&'static str, Value)> {
    let policy_name = |name| ISSUER_OPTIONS.into_iter().find(|(_, own)| *own == Some(name));
    Spelling::JavaScript
        .names()
        .map(move |name| (name, json!(policy_name(name).and_then(|(policy, _)| policy))))
}

fn limits() -> [(&'static str, Value); 8] {
    [
        ("DEFAULT_MAX_TOKEN_LENGTH", json!(DEFAULT_MAX_TOKEN_LENGTH)),
        ("MAX_JWKS_LENGTH", json!(MAX_JWKS_LENGTH)),
        ("MAX_PROOF_LENGTH", json!(MAX_PROOF_LENGTH)),
        ("DEFAULT_PROOF_AGE_SECS", json!(DEFAULT_MAX_AGE_SECS)),
        ("MAX_PROOF_AGE_SECS", json!(MAX_MAX_AGE_SECS)),
        ("MAX_PROOFS", json!(memory::MAX_PROOFS)),
        ("PROOFS_SHARE", json!(memory::SHARE)),
        ("PROOFS_SEARCH_EVERY_MILLIS", json!(memory::SEARCH_EVERY_MILLIS)),
    ]
}

/// The file so far.
struct File(String);

impl File {
    fn section(&mut self, title: &str) {
        self.0.push_str(&format!("\n// {title}\n"));
    }

    fn constant(&mut self, name: &str, value: &Value) {
        self.0.push_str(&format!("export const {name} = {value};\n"));
    }

    fn list<'a>(&mut self, name: &str, items: impl IntoIterator<Item = &'a str>) {
        self.0.push_str(&format!("export const {name} = [\n"));
        for item in items {
            self.0.push_str(&format!("  {},\n", json!(item)));
        }
        self.0.push_str("];\n");
    }

    fn object<'a>(&mut self, name: &str, members: impl IntoIterator<Item = (&'a str, Value)>) {
        self.0.push_str(&format!("export const {name} = {{\n"));
        for (member, value) in members {
            self.0.push_str(&format!("  {member}: {value},\n"));
        }
        self.0.push_str("};\n");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_file_in_the_package_is_fresh() {
        let written = include_str!("../../../pkg/lib/protocol.js");
        assert!(super::text() == written, "pkg/lib/protocol.js is stale: cargo xtask package");
    }

    #[test]
    fn each_number_is_the_place_in_its_list() {
        let statuses = super::STATUSES.map(|(_, status)| status as usize);
        assert_eq!(statuses, [0, 1, 2, 3, 4, 5]);
        let slots = super::SLOT_NAMES.map(|(_, slot)| slot as usize);
        assert_eq!(slots, [0, 1, 2, 3, 4, 5, 6, 7]);
        let fields = super::FIELD_NAMES.map(|(_, field)| field as usize);
        assert_eq!(fields, core::array::from_fn(|place| place));
    }
}
