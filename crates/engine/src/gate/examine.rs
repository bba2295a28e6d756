//! `checkPolicy`: a policy as the Worker would take it, without a gate that is made of it.

use core::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::fields::unexpected;
use crate::key::SecretText;
use edgegate::error::Error;
use edgegate::policy::{Binding, Need, Policy, PolicySource, Secrets};
use edgegate::secret::Secret;

/// What the shell gives.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    /// As JSON text.
    policy: String,
    /// The bytes in base64url, by name.
    secrets: BTreeMap<String, SecretText>,
}

/// The secrets that are given, and a stand-in for each that is not: what else the policy has is looked at all the same.
struct Known {
    given: BTreeMap<String, SecretText>,
    asked: RefCell<BTreeSet<String>>,
}

/// Serves in every encoding of secrets, and is long enough for every algorithm.
const STAND_IN: &[u8; 128] = b"00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef\
                               fedcba9876543210fedcba9876543210ffeeddccbbaa99887766554433221100";

/// For a secret that is not given, where nothing is decided by it. Another one for each name: some have to differ.
pub(super) fn stand_in(name: &str) -> Secret {
    // FNV-1a. Its digits are the last ones.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let digits = format!("{hash:016x}");
    let head = STAND_IN.get(digits.len()..).unwrap_or_default();
    Secret::new([head, digits.as_bytes()].concat())
}

impl Secrets for Known {
    fn secret(&self, name: &str) -> Option<Secret> {
        self.asked.borrow_mut().insert(name.to_owned());
        self.given.get(name).map_or_else(|| Some(stand_in(name)), |text| text.decode().ok())
    }

    fn is_known(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    /// `inline`, or `kv`: then the policy is elsewhere, and nothing is known of it here.
    source: &'static str,
    /// The names of all secrets.
    secrets: BTreeSet<String>,
    /// Those of them that were not given.
    missing: Vec<String>,
    bindings: Vec<ShownNeed<'a>>,
}

#[derive(Serialize)]
struct ShownNeed<'a> {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
}

/// What the policy needs, as JSON.
pub(super) fn policy(text: &str) -> Result<String, Error> {
    let document: Document = serde_json::from_str(text).map_err(|_| unexpected())?;
    if matches!(PolicySource::of(&document.policy)?, PolicySource::Kv { .. }) {
        let kv = Need { binding: Binding::Kv, path: None };
        return written(&Report {
            source: "kv",
            secrets: BTreeSet::new(),
            missing: Vec::new(),
            bindings: vec![shown(kv)],
        });
    }
    let known = Known { given: document.secrets, asked: RefCell::default() };
    let policy = Policy::from_json(&document.policy, &known)?;
    let secrets = known.asked.into_inner();
    let missing = secrets.iter().filter(|name| !known.given.contains_key(*name)).cloned().collect();
    let bindings = policy.needs().into_iter().map(shown).collect();
    written(&Report { source: "inline", secrets, missing, bindings })
}

fn shown(need: Need<'_>) -> ShownNeed<'_> {
    let (kind, name) = match need.binding {
        Binding::Kv => ("kv", None),
        Binding::Counters => ("counters", None),
        Binding::Ledger => ("ledger", None),
        Binding::Sessions => ("sessions", None),
        Binding::KeyRing => ("keyRing", None),
        Binding::Grants => ("grants", None),
        Binding::Logins => ("logins", None),
        Binding::Watch => ("watch", None),
        Binding::Service(name) => ("service", Some(name)),
        Binding::RateLimiter(name) => ("rateLimiter", Some(name)),
        Binding::Queue(name) => ("queue", Some(name)),
        Binding::Function => ("function", None),
    };
    ShownNeed { kind, name, path: need.path }
}

fn written(report: &Report<'_>) -> Result<String, Error> {
    serde_json::to_string(report).map_err(|_| unexpected())
}
