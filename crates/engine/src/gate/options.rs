//! Options of `createGate`, in the one form that the shell gives them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{backend::Gate, examine, watching::Watching};
use crate::fields::unexpected;
use crate::key::SecretText;
use edgegate::error::Error;
use edgegate::policy::{Binding, MailRoute, Policy, Replays, RevocationMode, Secrets, StoreNeeds};
use edgegate::secret::Secret;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    /// As JSON text.
    policy: String,
    /// The bytes in base64url, by name.
    secrets: BTreeMap<String, SecretText>,
    stores: Stores,
    #[serde(default)]
    watch: Watch,
    #[serde(default)]
    given: Given,
    /// It only explains, and serves nobody: what the Worker alone has is taken too. Revocations are then looked up as entries, whatever
    /// the mode, and no counter is asked.
    #[serde(default)]
    rehearsal: bool,
}

/// Which stores there are.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stores {
    revocation: bool,
    keys: bool,
    jwks: bool,
    counters: Counters,
    sessions: Counters,
    /// Whether gates share their watch.
    #[serde(default)]
    watch: bool,
    accounts: Counters,
}

/// What else the application gives, where the policy asks for it.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    /// A function that sends mails.
    mail: bool,
    /// A list of passwords that nobody may choose.
    passwords: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Watch {
    /// The names of sinks that are functions.
    sinks: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Counters {
    None,
    /// A store that cannot compare and swap.
    Plain,
    Exact,
}

/// In a rehearsal something stands in for each secret that was not given.
impl Secrets for Document {
    fn secret(&self, name: &str) -> Option<Secret> {
        match self.secrets.get(name) {
            Some(text) => text.decode().ok(),
            None if self.rehearsal => Some(examine::stand_in(name)),
            None => None,
        }
    }

    fn is_known(&self, name: &str) -> bool {
        self.secrets.contains_key(name)
    }
}

pub(super) fn gate(text: &str) -> Result<Gate, Error> {
    let document: Document = serde_json::from_str(text).map_err(|_| unexpected())?;
    let mut policy = Policy::from_json(&document.policy, &document)?;
    if !document.rehearsal {
        check(&policy, &document.stores)?;
        check_given(&policy, &document.given)?;
    }
    let watching = if document.rehearsal { None } else { watching(&mut policy, &document)? };
    Ok(Gate::new(policy, document.stores.jwks, watching))
}

fn watching(policy: &mut Policy, document: &Document) -> Result<Option<Watching>, Error> {
    let functions = &document.watch.sinks;
    let Some(watch) = &mut policy.watch else {
        let field = match (document.stores.watch, functions.is_empty()) {
            (true, _) => "stores.watch",
            (false, false) => "watch.sinks",
            (false, true) => return Ok(None),
        };
        return Err(Error::config(field, "the policy does not watch"));
    };
    watch.add_functions(functions)?;
    let watching = Watching::new(document.stores.watch);
    watching.map(Some).map_err(|fault| Error::config("watch", fault.to_string()))
}

/// Checks that all stores of the policy are there, and that the policy has nothing that only the Worker can do.
fn check(policy: &Policy, stores: &Stores) -> Result<(), Error> {
    if policy.https.is_some() {
        let problem = "the Worker alone knows by which scheme it was asked";
        return Err(Error::config("https", problem));
    }
    if !policy.security_headers.is_nothing() {
        let problem = "the Worker alone sets them: an application has its own, like helmet";
        let field =
            if policy.security_headers.fields.is_empty() { "hsts" } else { "security_headers" };
        return Err(Error::config(field, problem));
    }
    if policy.accounts.is_some() {
        stores.accounts.exact("stores.accounts", "accounts")?;
        // The hashes of all together are counted there.
        stores.counters.exact_for("accounts")?;
    }
    let mail = policy.accounts.as_ref().and_then(|accounts| accounts.mail.as_ref());
    if mail.is_some_and(|mail| matches!(mail.route, MailRoute::Queue(_) | MailRoute::Service(_))) {
        let problem = "the Worker alone has bindings, expected webhook or function";
        return Err(Error::config("accounts.mail.kind", problem));
    }
    let queue = policy.needs().into_iter().find(|need| matches!(need.binding, Binding::Queue(_)));
    if let Some(path) = queue.and_then(|need| need.path) {
        let problem = "the Worker alone has queues: watch.sinks takes a function";
        return Err(Error::config(path, problem));
    }
    if policy.sessions.is_some() {
        stores.sessions.exact("stores.sessions", "sessions")?;
    }
    if let Some(revocation) = &policy.revocation {
        if revocation.mode != RevocationMode::Entries {
            return Err(Error::config(
                "revocation.mode",
                "expected entries: the Worker alone has others",
            ));
        }
        if !stores.revocation {
            return Err(Error::config(
                "stores.revocation",
                "the policy has revocation, expected a store",
            ));
        }
    }
    if policy.needs_key_records() && !stores.keys {
        let problem = "the policy looks up records of API keys, expected a store";
        return Err(Error::config("stores.keys", problem));
    }
    if policy.replays == Replays::DurableObject {
        stores.counters.exact_for("dpop.replays")?;
    }
    for (index, limit) in policy.limits().enumerate() {
        let path = format!("limits[{index}].store");
        let rules = limit.store.rules();
        if !rules.is_in_npm {
            let problem = "the Worker alone has this one, expected memory or shared";
            return Err(Error::config(&path, problem));
        }
        if rules.needs == StoreNeeds::DurableObjects {
            stores.counters.exact_for(&path)?;
        }
    }
    Ok(())
}

/// Checks that what the policy asks for is given, and nothing that it would not use.
fn check_given(policy: &Policy, given: &Given) -> Result<(), Error> {
    let accounts = policy.accounts.as_ref();
    let mail = accounts.and_then(|accounts| accounts.mail.as_ref());
    let wants_mail = mail.is_some_and(|mail| matches!(mail.route, MailRoute::Function));
    let wants_list = accounts.is_some_and(|accounts| accounts.has_password_list);
    let problem = match (wants_mail, given.mail, wants_list, given.passwords) {
        (true, false, _, _) => {
            ("mail", "accounts.mail.kind is function, expected one that sends mails")
        }
        (false, true, _, _) => {
            ("mail", "expected accounts.mail with kind = \"function\" in the policy")
        }
        (_, _, true, false) => {
            ("passwords", "accounts.password_list is kv, expected a list of passwords")
        }
        (_, _, false, true) => {
            ("passwords", "expected accounts.password_list = \"kv\" in the policy")
        }
        _ => return Ok(()),
    };
    Err(Error::config(problem.0, problem.1))
}

impl Counters {
    /// Checks that there is a store that compares and swaps, since the policy needs it at `path`.
    fn exact_for(self, path: &str) -> Result<(), Error> {
        self.exact("stores.counters", path)
    }

    /// The same of any store.
    fn exact(self, option: &str, path: &str) -> Result<(), Error> {
        let rest = match self {
            Self::Exact => return Ok(()),
            Self::None => "",
            Self::Plain => " with compareAndSet; Workers KV has none",
        };
        let problem = format!("{path} is exact and shared, expected a store{rest}");
        Err(Error::config(option, problem))
    }
}
