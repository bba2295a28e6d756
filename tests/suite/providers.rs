//! The guides of `docs/guides`, one for each identity provider: what a guide shows is what is run here.
//!
//! Read out of the Markdown, in its order:
//!
//! - a block `toml policy`: the policy of all rows below it, up to the next such block;
//! - a block `json document URL`: what counts of the document in which an issuer with `discovery` says where its keys are;
//! - a block `json token NAME`: a token as the provider makes it, header and claims;
//! - rows of a table whose head is [`HEAD`]: a token, what is changed in its claims (`null` takes one away; `header` before it
//!   changes the header; `padded` adds the `=` of base64), the request, and the answer.
//!
//! Nothing in a policy is replaced. What stands in for the provider is what it publishes: to whichever URL is asked, a key of ours
//! is given for each `kid` and `alg` of the guide's tokens. Secrets that a policy names are one of ours.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::gate::{Bindings, NOW, NOW_SECS, Stores, check_at, request};
use crate::mint;
use edgegate::base64url::encode;
use edgegate::guard::{Decision, Identity, Request};
use edgegate::http::reply::Refusal;
use edgegate::jose::keys::{Key, KeySet};
use edgegate::jose::signature::pure;
use edgegate::jose::verifier::KeySource;
use edgegate::policy::Policy;
use p256::ecdsa::signature::{SignatureEncoding as _, Signer as _};
use rsa::BigUint;
use serde_json::{Value, json};
use sha2::Sha256;

/// The head of a table of cases.
const HEAD: [&str; 4] = ["token", "change", "request", "answer"];

/// The secrets that guides name.
const SECRET_NAMES: [&str; 1] = ["SUPABASE_JWT_SECRET"];

/// A guide without a test would be a text that nobody has tried.
macro_rules! guides {
    ($($test:ident => $name:literal,)+) => {
        /// In the order of the index.
        const NAMES: [&str; [$($name),+].len()] = [$($name),+];

        $(#[test]
        fn $test() {
            Guide::read($name).run();
        })+
    };
}

guides! {
    auth0 => "auth0",
    clerk => "clerk",
    supabase => "supabase",
    firebase => "firebase",
    cognito => "cognito",
    entra => "entra",
    keycloak => "keycloak",
    okta => "okta",
    google => "google",
    apple => "apple",
    github_actions => "github-actions",
    kubernetes => "kubernetes",
    cloudflare_access => "cloudflare-access",
    aws_alb => "aws-alb",
}

#[test]
fn every_guide_is_run_and_listed() {
    let mut files: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md")
        .collect();
    files.sort();
    let mut names: Vec<_> = NAMES.iter().map(|name| format!("{name}.md")).collect();
    names.sort();
    assert_eq!(files, names);

    let index = fs::read_to_string(folder().join("README.md")).unwrap();
    let places: Vec<_> = NAMES
        .iter()
        .map(|name| index.find(&format!("]({name}.md)")).unwrap_or_else(|| panic!("{name}")))
        .collect();
    assert!(places.is_sorted(), "the index has another order");
    let readme = include_str!("../../README.md");
    for name in NAMES {
        assert!(readme.contains(&format!("](docs/guides/{name}.md)")), "README.md lacks {name}");
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/guides")
}

struct Guide {
    name: &'static str,
    policies: Vec<Value>,
    /// By their URL.
    documents: BTreeMap<String, String>,
    tokens: BTreeMap<String, Token>,
    cases: Vec<Case>,
}

/// A token as a guide shows it.
#[derive(Clone)]
struct Token {
    header: Value,
    claims: Value,
}

/// A row.
struct Case {
    line: usize,
    /// Which policy of the guide.
    policy: usize,
    token: String,
    /// How it is sent, unless as a bearer token: a header by its name, or `Cookie: NAME`.
    carrier: Option<String>,
    change: Change,
    method: String,
    path: String,
    answer: Answer,
}

enum Change {
    None,
    Padded,
    Header(Value),
    Claims(Value),
}

#[derive(Debug, PartialEq)]
enum Answer {
    Passes { subject: Option<String>, scopes: Vec<String>, headers: Vec<String> },
    Refused { status: u16, code: String, reason: String },
}

// ---- reading ----

impl Guide {
    fn read(name: &'static str) -> Self {
        let text = fs::read_to_string(folder().join(format!("{name}.md"))).unwrap();
        let mut guide = Self {
            name,
            policies: Vec::new(),
            documents: BTreeMap::new(),
            tokens: BTreeMap::new(),
            cases: Vec::new(),
        };
        let mut lines = text.lines().enumerate();
        let mut in_cases = false;
        while let Some((index, line)) = lines.next() {
            if let Some(kind) = line.strip_prefix("```").filter(|kind| !kind.is_empty()) {
                let block: Vec<_> = lines
                    .by_ref()
                    .map(|(_, line)| line)
                    .take_while(|line| *line != "```")
                    .collect();
                guide.take_block(kind, &block.join("\n"));
            }
            let cells = cells(line);
            if cells == HEAD {
                in_cases = true;
            } else if cells.is_empty() {
                in_cases = false;
            } else if in_cases && !line.starts_with("|---") {
                guide.take_row(index + 1, &cells);
            }
        }
        guide
    }

    fn take_block(&mut self, kind: &str, text: &str) {
        let at = |fault: &dyn core::fmt::Display| -> ! { panic!("{}: {kind}: {fault}", self.name) };
        match kind.split(' ').collect::<Vec<_>>()[..] {
            ["toml", "policy"] => {
                let table: toml::Table = toml::from_str(text).unwrap_or_else(|fault| at(&fault));
                self.policies.push(serde_json::to_value(&table["vars"]["POLICY"]).unwrap());
            }
            ["json", "document", url] => {
                self.documents.insert(url.to_owned(), text.to_owned());
            }
            ["json", "token", name] => {
                let token: Value = serde_json::from_str(text).unwrap_or_else(|fault| at(&fault));
                let token =
                    Token { header: token["header"].clone(), claims: token["claims"].clone() };
                assert!(token.header.is_object() && token.claims.is_object(), "{name}");
                self.tokens.insert(name.to_owned(), token);
            }
            _ => {}
        }
    }

    fn take_row(&mut self, line: usize, cells: &[String]) {
        let [token, change, request, answer] = cells else { panic!("{}:{line}", self.name) };
        let carrier = spans(token).first().cloned();
        let token = token.split([',', ' ']).next().unwrap().to_owned();
        let request = spans(request).concat();
        let (method, path) = request.split_once(' ').expect("a method and a path");
        let change = match &spans(change)[..] {
            [] if change == "padded" => Change::Padded,
            [] if change.is_empty() => Change::None,
            [values] => {
                let values: Value = serde_json::from_str(values)
                    .unwrap_or_else(|fault| panic!("{}:{line}: {fault}", self.name));
                if change.starts_with("header") {
                    Change::Header(values)
                } else {
                    Change::Claims(values)
                }
            }
            _ => panic!("{}:{line}: one change", self.name),
        };
        self.cases.push(Case {
            line,
            policy: self.policies.len().checked_sub(1).expect("a policy above the table"),
            token,
            carrier,
            change,
            method: method.to_owned(),
            path: path.to_owned(),
            answer: Answer::read(answer)
                .unwrap_or_else(|| panic!("{}:{line}: {answer}", self.name)),
        });
    }
}

impl Answer {
    /// ``passes as `SUBJECT` with `SCOPE`, `SCOPE`; `Header: value` ``, with `nobody` for no subject, and without what there is
    /// none of; or ``401 `CODE`, `reason` ``.
    fn read(text: &str) -> Option<Self> {
        let spans = spans(text);
        if let Some(rest) = text.strip_prefix("passes as ") {
            let named = rest.starts_with('`');
            let (subject, others) = spans.split_at(usize::from(named));
            let (headers, scopes) =
                others.iter().cloned().partition(|other: &String| other.contains(": "));
            return Some(Self::Passes { subject: subject.first().cloned(), scopes, headers });
        }
        let status = text.get(..3)?.parse().ok()?;
        let [code, reason] = spans.try_into().ok()?;
        Some(Self::Refused { status, code, reason })
    }

    fn of(decision: &Decision) -> Self {
        match &decision.outcome {
            Ok(identity) => Self::Passes {
                subject: identity.subject().map(str::to_owned),
                scopes: identity.scopes().to_vec(),
                headers: identity.told().map(|(name, value)| format!("{name}: {value}")).collect(),
            },
            Err(error) => Self::Refused {
                status: Refusal::new(error, decision.carrier, None).status,
                code: error.code().as_str().to_owned(),
                reason: error.reason().to_owned(),
            },
        }
    }
}

/// The cells of a row; none if the line is not one. `\|` is a bar.
fn cells(line: &str) -> Vec<String> {
    let Some(row) = line.strip_prefix('|').and_then(|row| row.strip_suffix('|')) else {
        return Vec::new();
    };
    let row = row.replace(r"\|", "\0");
    row.split('|').map(|cell| cell.trim().replace('\0', "|")).collect()
}

/// What stands between backquotes.
fn spans(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

// ---- running ----

impl Guide {
    fn run(&self) {
        assert!(
            !self.policies.is_empty() && !self.cases.is_empty(),
            "{}: nothing to run",
            self.name
        );
        for name in self.tokens.keys() {
            assert!(self.cases.iter().any(|case| case.token == *name), "{}: {name}", self.name);
        }
        for Case { line, token, .. } in &self.cases {
            assert!(self.tokens.contains_key(token), "{}:{line}: no token {token}", self.name);
        }
        let mut faults = Vec::new();
        let mut documents: Vec<_> = self.documents.keys().map(String::as_str).collect();
        for (index, document) in self.policies.iter().enumerate() {
            let policy = match Policy::from_json(&document.to_string(), &secrets()) {
                Ok(policy) => policy,
                Err(fault) => {
                    faults.push(format!("{}: policy {}: {fault}", self.name, index + 1));
                    continue;
                }
            };
            for url in self.find_keys(&policy) {
                documents.retain(|one| *one != url);
            }
            let cases: Vec<_> = self.cases.iter().filter(|case| case.policy == index).collect();
            for passes in [true, false] {
                let some = cases.iter().any(|case| passes == case.passes());
                assert!(some, "{}: policy {}: passing {passes}", self.name, index + 1);
            }
            for case in cases {
                let found = self.decide(&policy, case, &case.signed(&self.tokens));
                if found != case.answer {
                    let expected = &case.answer;
                    faults.push(format!("{}:{}: {expected:?}, {found:?}", self.name, case.line));
                }
                if case.passes() {
                    self.spoil(&policy, case, &mut faults);
                }
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
        assert!(documents.is_empty(), "{}: no issuer of {documents:?}", self.name);
    }

    /// Each issuer with `discovery` finds its keys by the document that the guide shows. Returns where those documents are.
    fn find_keys(&self, policy: &Policy) -> Vec<String> {
        let issuers = policy.verifier.iter().flat_map(|verifier| verifier.issuers());
        let discovered = issuers.filter_map(|issuer| match &issuer.keys {
            KeySource::Discovered(discovery) => Some(discovery),
            _ => None,
        });
        discovered
            .map(|discovery| {
                let url = discovery.openid_configuration();
                let document = self.documents.get(&url);
                let document = document.unwrap_or_else(|| panic!("{}: no {url}", self.name));
                let shown: Value = serde_json::from_str(document).unwrap();
                let found = discovery.jwks_uri(document);
                assert_eq!(found.as_deref().ok(), shown["jwks_uri"].as_str(), "{url}: {found:?}");
                url
            })
            .collect()
    }

    /// A token that passes does not pass with another signature, from another issuer, or later.
    fn spoil(&self, policy: &Policy, case: &Case, faults: &mut Vec<String>) {
        let signed = case.signed(&self.tokens);
        let (message, signature) = signed.rsplit_once('.').unwrap();
        let other = if signature.starts_with('A') { "B" } else { "A" };
        let forged = format!("{message}.{other}{}", &signature[1..]);
        let claims = case.changed(&self.tokens).claims;
        let with = |name: &str, value: Value| {
            let mut token = case.changed(&self.tokens);
            token.claims[name] = value;
            token.signed()
        };
        let issuer = claims["iss"].as_str().unwrap();
        for (token, code) in [
            (forged, "INVALID_TOKEN"),
            (with("iss", json!(format!("{issuer}.evil.example"))), "INVALID_TOKEN"),
            (with("exp", json!(NOW_SECS)), "TOKEN_EXPIRED"),
        ] {
            match self.decide(policy, case, &token) {
                Answer::Refused { code: found, .. } if found == code => {}
                found => {
                    faults.push(format!("{}:{}: spoilt: {found:?}", self.name, case.line));
                }
            }
        }
    }

    fn decide(&self, policy: &Policy, case: &Case, token: &str) -> Answer {
        let (bearer, cookie, headers);
        let bare = request(&case.method, &case.path);
        let request = match case.carrier.as_deref() {
            None => {
                bearer = format!("Bearer {token}");
                Request { authorization: Some(&bearer), ..bare }
            }
            Some(carrier) => match carrier.strip_prefix("Cookie: ") {
                Some(name) => {
                    cookie = format!("{name}={token}");
                    Request { cookie: Some(&cookie), ..bare }
                }
                None => {
                    // What an edge does: it reads the headers that the policy names, and no others.
                    let named = policy.credential_headers.iter();
                    headers = named
                        .map(|header| {
                            header.name.as_str().eq_ignore_ascii_case(carrier).then_some(token)
                        })
                        .collect::<Vec<_>>();
                    Request { credential_headers: &headers, ..bare }
                }
            },
        };
        let stores = Stores::default().with_remote(self.published()).with_host(pure::holds);
        let decision = check_at(policy, &stores, &request, NOW);
        if let Ok(identity @ Identity::Token(token)) = &decision.outcome {
            let claims: Value = serde_json::from_slice(token.payload()).unwrap();
            assert_eq!(identity.issuer(), claims["iss"].as_str(), "{}:{}", self.name, case.line);
        }
        Answer::of(&decision)
    }

    /// What the provider publishes: a key for each `kid` and `alg` of the guide's tokens.
    fn published(&self) -> KeySet {
        let mut keys: Vec<_> = self.tokens.values().filter_map(Token::public_jwk).collect();
        keys.sort_by_key(|key| key["kid"].to_string());
        keys.dedup();
        KeySet::new(keys.iter().map(|key| Key::from_jwk(&key.to_string()).unwrap()).collect())
            .unwrap()
    }
}

impl Case {
    const fn passes(&self) -> bool {
        matches!(self.answer, Answer::Passes { .. })
    }

    fn changed(&self, tokens: &BTreeMap<String, Token>) -> Token {
        let mut token = tokens[&self.token].clone();
        let (object, values) = match &self.change {
            Change::None | Change::Padded => return token,
            Change::Header(values) => (&mut token.header, values),
            Change::Claims(values) => (&mut token.claims, values),
        };
        for (name, value) in values.as_object().unwrap() {
            if value.is_null() {
                object.as_object_mut().unwrap().remove(name).unwrap();
            } else {
                object[name] = value.clone();
            }
        }
        token
    }

    fn signed(&self, tokens: &BTreeMap<String, Token>) -> String {
        let signed = self.changed(tokens).signed();
        if matches!(self.change, Change::Padded) {
            let parts = signed
                .split('.')
                .map(|part| format!("{part:=<0$}", part.len().next_multiple_of(4)));
            return parts.collect::<Vec<_>>().join(".");
        }
        signed
    }
}

// ---- keys ----

fn secrets() -> Bindings {
    Bindings(SECRET_NAMES.map(|name| (name, mint::SECRET.to_vec())).into())
}

/// The private key of RFC 7515 A.2.
fn rsa_jwk() -> Value {
    let vectors: Value = serde_json::from_str(include_str!("../vectors/signing.json")).unwrap();
    let vectors = vectors.as_array().unwrap();
    vectors.iter().find(|one| one["name"] == "RS256").unwrap()["private_jwk"].clone()
}

fn rsa_key() -> rsa::RsaPrivateKey {
    let jwk = rsa_jwk();
    let number = |name: &str| {
        let bytes = edgegate::base64url::decode(jwk[name].as_str().unwrap()).unwrap();
        BigUint::from_bytes_be(&bytes)
    };
    let primes = vec![number("p"), number("q")];
    rsa::RsaPrivateKey::from_components(number("n"), number("e"), number("d"), primes).unwrap()
}

fn p256_key() -> p256::ecdsa::SigningKey {
    p256::ecdsa::SigningKey::from_slice(mint::SECRET).unwrap()
}

impl Token {
    /// With the key that its `alg` asks for.
    fn signed(&self) -> String {
        let message = mint::message(self.header.to_string(), self.claims.to_string());
        let signature = match self.header["alg"].as_str().unwrap() {
            "HS256" => return mint::hs256(self.header.to_string(), self.claims.to_string()),
            "none" => Vec::new(),
            "RS256" => {
                let key = rsa::pkcs1v15::SigningKey::<Sha256>::new(rsa_key());
                key.sign(message.as_bytes()).to_vec()
            }
            "ES256" => {
                let signature: p256::ecdsa::Signature = p256_key().sign(message.as_bytes());
                signature.to_vec()
            }
            other => panic!("no key for {other}"),
        };
        format!("{message}.{}", encode(&signature))
    }

    /// None for a secret.
    fn public_jwk(&self) -> Option<Value> {
        let (kid, alg) = (&self.header["kid"], &self.header["alg"]);
        match alg.as_str().unwrap() {
            "RS256" => {
                let jwk = rsa_jwk();
                Some(json!({"kty": "RSA", "kid": kid, "alg": alg, "n": jwk["n"], "e": jwk["e"]}))
            }
            "ES256" => {
                let point = p256_key().verifying_key().to_encoded_point(false);
                let (x, y) = (encode(point.x().unwrap()), encode(point.y().unwrap()));
                Some(json!({"kty": "EC", "crv": "P-256", "kid": kid, "alg": alg, "x": x, "y": y}))
            }
            _ => None,
        }
    }
}
