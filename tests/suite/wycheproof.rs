//! Project Wycheproof's JWS and JWK files, through the parser, the key set and all four kinds of signatures.
//!
//! The files are not part of this repository: where `../shared/vectors/wycheproof/` is missing, the tests say so
//! and compare nothing. Each vector must come out as the file says, or be listed in `tests/wycheproof/exceptions.json` with
//! the reason and with what it comes out as. A listed one that comes out as the file says fails too. The runner of
//! `tests/conformance/` holds the npm package against the same files and the same list, in Node and in workerd.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use edgegate::error::Error;
use edgegate::jose::jws::{DEFAULT_MAX_TOKEN_LENGTH, JwsStep, UntrustedToken, VerifiedJws};
use edgegate::jose::keys::{Key, KeySet};
use edgegate::jose::signature::pure;
use serde::Deserialize;
use serde_json::Value;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/vectors/wycheproof");

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    number_of_tests: usize,
    test_groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    comment: String,
    public: Option<Value>,
    private: Value,
    tests: Vec<Test>,
}

impl Group {
    /// What a verifier is given. Secrets have no public half.
    fn keys(&self) -> &Value {
        self.public.as_ref().unwrap_or(&self.private)
    }
}

#[derive(Deserialize)]
struct Test {
    #[serde(rename = "tcId")]
    id: u32,
    comment: String,
    jws: String,
    result: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    #[serde(rename = "tcId")]
    id: u32,
    /// `verifies`, or the message of the refusal.
    outcome: String,
    reason: String,
}

/// The file, or nothing where it is not there.
fn read(name: &str) -> Option<File> {
    let path = Path::new(FOLDER).join(name);
    if !path.exists() {
        eprintln!("skipped: {} is not there", path.display());
        return None;
    }
    Some(serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap())
}

fn exceptions(name: &str) -> BTreeMap<u32, Exception> {
    let mut files: BTreeMap<String, Vec<Exception>> =
        serde_json::from_str(include_str!("../wycheproof/exceptions.json")).unwrap();
    let list = files.remove(name).unwrap();
    let count = list.len();
    let by_id: BTreeMap<u32, Exception> = list.into_iter().map(|one| (one.id, one)).collect();
    assert_eq!(by_id.len(), count, "a tcId is listed twice");
    assert!(by_id.values().all(|exception| !exception.reason.is_empty()));
    by_id
}

fn verify(keys: Result<KeySet, Error>, token: &str) -> Result<VerifiedJws, Error> {
    let keys = keys?;
    let mut step =
        UntrustedToken::parse(token, DEFAULT_MAX_TOKEN_LENGTH)?.verify_with_set(&keys)?;
    loop {
        match step {
            JwsStep::Verified(jws) => return Ok(jws),
            JwsStep::NeedsHost(check) => {
                let holds = pure::holds(&check)?;
                step = check.conclude(holds)?;
            }
        }
    }
}

fn run(name: &str, expected: (usize, usize), set: fn(&Value) -> Result<KeySet, Error>) {
    let Some(file) = read(name) else { return };
    let mut exceptions = exceptions(name);
    let (mut agreed, mut excepted, mut faults) = (0, 0, Vec::new());
    for group in &file.test_groups {
        for test in &group.tests {
            let outcome = match verify(set(group.keys()), &test.jws) {
                Ok(_) => "verifies".to_owned(),
                Err(error) => error.to_string(),
            };
            let agrees = (outcome == "verifies") == (test.result == "valid");
            let at = format!("{}: {}, {}", test.id, group.comment, test.comment);
            match exceptions.remove(&test.id) {
                None if agrees => agreed += 1,
                None => faults.push(format!("{at}: {}, but: {outcome}", test.result)),
                Some(_) if agrees => faults.push(format!("{at}: is no exception any more")),
                Some(exception) if exception.outcome == outcome => excepted += 1,
                Some(exception) => {
                    faults.push(format!("{at}: expected {}, found {outcome}", exception.outcome));
                }
            }
        }
    }
    faults.extend(exceptions.keys().map(|id| format!("{id}: listed, but not in the file")));
    assert!(faults.is_empty(), "{name}:\n{}", faults.join("\n"));
    assert_eq!(agreed + excepted, file.number_of_tests);
    assert_eq!((agreed, excepted), expected);
    eprintln!("{name}: {agreed} as the file says, {excepted} listed exceptions");
}

#[test]
fn jws_vectors_come_out_as_listed_or_are_skipped_where_shared_is_missing() {
    run("json_web_signature_test.json", (393, 8), |key| {
        KeySet::new(vec![Key::from_jwk(&key.to_string())?])
    });
}

#[test]
fn jwk_vectors_come_out_as_listed_or_are_skipped_where_shared_is_missing() {
    run("json_web_key_test.json", (26, 0), |keys| KeySet::from_jwks(&keys.to_string()));
}
