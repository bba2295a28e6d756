//! Administration through the gate: [`edgegate::guard::administration`] over the host's stores.

use std::rc::Rc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::account_administration::{self, AccountsAsked};
use super::backend::Gate;
use super::grants::{self, GrantsAsked};
use super::session_work::{self, Sessions};
use super::task::{HostJobs, Outcome};
use super::watch_endpoints::{self, WatchAsked};
use edgegate::api_key::KeyId;
use edgegate::error::Error;
use edgegate::guard::Backend as _;
use edgegate::guard::administration::{
    KeyAdministration, Paging, RevocationAdministration, requested_entry,
};
use edgegate::json::{document, fault::DocumentFault};

/// What is asked for, as the shell writes it. `body` is the body that the Worker's endpoint takes. `random` is the id of a new key.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) enum Asked {
    MintKey {
        body: Box<RawValue>,
        random: KeyId,
    },
    ListKeys {
        body: Box<RawValue>,
    },
    GetKey {
        id: String,
    },
    UpdateKey {
        id: String,
        body: Box<RawValue>,
    },
    RotateKey {
        id: String,
        body: Box<RawValue>,
        random: KeyId,
    },
    RevokeKey {
        id: String,
    },
    AddRevocation {
        body: Box<RawValue>,
    },
    ListRevocations {
        body: Box<RawValue>,
    },
    GetRevocation {
        id: String,
    },
    RemoveRevocation {
        id: String,
    },
    /// Opens, lists, ends: `gate.sessions`.
    Sessions(Sessions),
    /// Gives tokens of providers, lists accounts, ends them: `gate.grants`.
    Grants(GrantsAsked),
    /// Hands over, keeps, reads: `gate.watch`.
    Watch(WatchAsked),
    /// Makes, finds, changes and deletes accounts: `gate.accounts`.
    Accounts(AccountsAsked),
    /// Does what answers have left to be done.
    WorkOff {},
}

impl Asked {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        serde_json::from_str(text)
            .map_err(|_| Error::config("", "a request of another form than expected"))
    }

    const fn is_about_keys(&self) -> bool {
        match self {
            Self::MintKey { .. }
            | Self::ListKeys { .. }
            | Self::GetKey { .. }
            | Self::UpdateKey { .. }
            | Self::RotateKey { .. }
            | Self::RevokeKey { .. } => true,
            Self::AddRevocation { .. }
            | Self::ListRevocations { .. }
            | Self::GetRevocation { .. }
            | Self::RemoveRevocation { .. }
            | Self::Sessions(_)
            | Self::Grants(_)
            | Self::Watch(_)
            | Self::Accounts(_)
            | Self::WorkOff {} => false,
        }
    }
}

/// The options of a listing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListedBy {
    #[serde(default)]
    owner: Option<String>,
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    limit: Option<u64>,
}

impl ListedBy {
    fn parse(body: &RawValue) -> Result<(Option<String>, Paging), Error> {
        let Self { owner, cursor, limit } = document::deserialize(body.get().as_bytes())
            .map_err(DocumentFault::into_invalid_field)?;
        // An empty owner would list the keys of all owners.
        if owner.as_ref().is_some_and(String::is_empty) {
            return Err(Error::invalid_field("owner", "expected at least one character"));
        }
        Ok((owner, Paging { cursor, limit }))
    }
}

pub(super) async fn administer(
    gate: Rc<Gate>,
    asked: Asked,
    jobs: Rc<HostJobs>,
) -> Result<Outcome, Error> {
    let asked = match asked {
        Asked::Sessions(asked) => return session_work::administer(gate, asked, jobs).await,
        Asked::Grants(asked) => return grants::administer(&gate, asked, &jobs).await,
        Asked::Watch(asked) => return watch_endpoints::administer(gate, asked, jobs).await,
        Asked::Accounts(asked) => {
            return account_administration::administer(gate, asked, jobs).await;
        }
        Asked::WorkOff {} => return session_work::do_late(gate, jobs).await,
        other => other,
    };
    let policy = &gate.policy;
    // The Worker then has no such endpoints. Here `NOT_FOUND` would mean that the key does not exist.
    if asked.is_about_keys() && policy.api_keys.is_none() {
        return Err(Error::config(
            "api_keys",
            "the policy has none, so there is nothing to administer",
        ));
    }
    if !asked.is_about_keys() && policy.revocation.is_none() {
        return Err(Error::config(
            "revocation",
            "the policy has none, so there is nothing to administer",
        ));
    }
    let backend = gate.backend(&jobs);
    let now = jobs.now();
    let keys = KeyAdministration::new(policy, backend.keys(), now);
    let entries = backend.revocations();
    let revocations = RevocationAdministration::new(policy, entries);
    match asked {
        Asked::MintKey { body, random } => {
            answer(&keys.mint(body.get().as_bytes(), || Ok(random), entries).await?)
        }
        Asked::ListKeys { body } => {
            let (owner, paging) = ListedBy::parse(&body)?;
            answer(&keys.list(owner.as_deref(), &paging).await?)
        }
        Asked::GetKey { id } => answer(&keys.read(&id).await?),
        Asked::UpdateKey { id, body } => {
            answer(&keys.change(&id, body.get().as_bytes(), entries).await?)
        }
        Asked::RotateKey { id, body, random } => {
            answer(&keys.rotate(&id, body.get().as_bytes(), || Ok(random), entries).await?)
        }
        Asked::RevokeKey { id } => answer(&keys.revoke(&id, entries).await?),
        Asked::AddRevocation { body } => {
            let entry = requested_entry(policy, &backend, body.get().as_bytes(), now).await?;
            answer(&revocations.add(entry, now).await?)
        }
        Asked::ListRevocations { body } => {
            answer(&revocations.list(&ListedBy::parse(&body)?.1).await?)
        }
        Asked::GetRevocation { id } => answer(&revocations.read(&id).await?),
        Asked::RemoveRevocation { id } => answer(&revocations.undo(&id).await?),
        Asked::Sessions(_)
        | Asked::Grants(_)
        | Asked::Watch(_)
        | Asked::Accounts(_)
        | Asked::WorkOff {} => Err(Error::NotFound),
    }
}

fn answer<T: Serialize>(value: &T) -> Result<Outcome, Error> {
    let text = serde_json::to_string(value)
        .map_err(|_| Error::config("", "an answer that cannot be written as JSON"))?;
    Ok(Outcome { text, claims: None })
}
