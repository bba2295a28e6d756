//! Tokens of providers over the host: they lie sealed in the store of sessions, and of all processes that share it one request refreshes
//! one. The rules are [`edgegate::grant`]'s.

use serde::{Deserialize, Serialize};

use super::backend::Gate;
use super::late::{Late, do_later};
use super::logins::GateLogins;
use super::sessions::{GateSessions, SESSIONS};
use super::stores::HostSwap;
use super::task::{HostJobs, Job, Outcome};
use edgegate::error::{Error, StoreError};
use edgegate::grant::seal::Owner;
use edgegate::grant::step::{EndGrants, GrantEvent, GrantOutcome, GrantStep, RefreshFault};
use edgegate::guard::grants::{self, GrantHost, Grants, Revocation, unavailable};
use edgegate::guard::login::Providers;
use edgegate::guard::{Decision, Event};
use edgegate::login::token_answer::ProviderTokens;
use edgegate::policy::{Destination, Provider, RouteGrant, SessionPolicy, Upstream};
use edgegate::secret::Secret;
use edgegate::store::grants::{GrantStore as _, SharedGrants};
use edgegate::time::UnixMillis;

/// What grants ask of the host.
#[derive(Debug)]
struct GateGrants<'a> {
    gate: &'a Gate,
    jobs: &'a HostJobs,
    logins: GateLogins<'a>,
}

impl<'a> GateGrants<'a> {
    fn new(gate: &'a Gate, jobs: &'a HostJobs) -> Self {
        Self { gate, jobs, logins: gate.logins(jobs) }
    }

    fn provider(&self, id: &str) -> Option<&Provider> {
        self.gate.policy.login.as_ref()?.provider(id)
    }

    fn log(&self, detail: String) {
        self.jobs.tell(&Job::Note { event: Event::fault(detail).at(self.jobs.now()) });
    }
}

impl<'a> GrantHost for GateGrants<'a> {
    type Crypto = GateSessions<'a>;

    fn crypto(&self) -> &GateSessions<'a> {
        &self.logins.crypto
    }

    fn now(&self) -> UnixMillis {
        self.jobs.now()
    }

    async fn pause(&self, millis: u64) {
        // If the host cannot wait, the store is asked again at once.
        drop(self.jobs.ask::<()>(Job::Pause { millis }).await);
    }

    async fn refresh(
        &self,
        provider: &str,
        refresh_token: &Secret,
    ) -> Result<ProviderTokens, RefreshFault> {
        // One that the policy has no more is not asked.
        let provider = self.provider(provider).ok_or(RefreshFault::Refused)?;
        Providers::new(&self.logins, self.now()).refreshed(provider, refresh_token).await
    }

    async fn revoke(&self, provider: &str, token: &Secret) {
        let Some(provider) = self.provider(provider) else { return };
        if let Err(fault) = Providers::new(&self.logins, self.now()).revoke(provider, token).await {
            self.log(format!("grants: {fault}"));
        }
    }

    fn tell(&self, event: GrantEvent) {
        if let Some(told) = event.told() {
            self.log(told.to_owned());
        }
    }
}

/// Tells a provider what has ended.
pub(super) async fn revoke(gate: &Gate, jobs: &HostJobs, ended: &Revocation) {
    GateGrants::new(gate, jobs).revoke(&ended.provider, &ended.token).await;
}

/// Leaves that to be done once the answer is out: a provider that does not answer holds up nobody.
pub(super) fn revoke_later(gate: &Gate, jobs: &HostJobs, ended: Vec<Revocation>) {
    do_later(&gate.late, jobs, ended.into_iter().map(Late::Revoke));
}

/// The grants of who is logged in.
struct OwnGrants<'a> {
    gate: &'a Gate,
    jobs: &'a HostJobs,
    own: &'a SessionPolicy,
    owner: Owner<'a>,
}

impl<'a> OwnGrants<'a> {
    fn of_subject(gate: &'a Gate, jobs: &'a HostJobs, subject: &'a str) -> Result<Self, Error> {
        let own = sessions_of(gate)?;
        Ok(Self { gate, jobs, own, owner: Owner { issuer: &own.issuer, subject } })
    }

    fn store(&self) -> SharedGrants<HostSwap<'a>> {
        SharedGrants::new(HostSwap { jobs: self.jobs, store: SESSIONS })
    }

    async fn apply(&self, step: &GrantStep) -> Result<GrantOutcome, Error> {
        let applied = self.store().apply(&self.owner.object(), step, self.jobs.now()).await;
        applied.map_err(described)
    }

    /// A token that can be used now, and its account.
    async fn token(&self, provider: &str, account: Option<&str>) -> Result<UsedToken, Error> {
        let (store, host) = (self.store(), GateGrants::new(self.gate, self.jobs));
        let secrets = &self.own.secrets;
        let grants = Grants { store: &store, host: &host, secrets, owner: self.owner };
        let outcome = grants.usable(provider, account).await.map_err(described)?;
        let with = (host.crypto(), secrets);
        let token = grants::token_of(with, self.owner, provider, &outcome).await?;
        let account = outcome.token.map(|token| token.account).unwrap_or_default();
        Ok(UsedToken { token, account })
    }

    /// Ends grants: here now, and at their providers behind the answer. Returns how many.
    async fn end(&self, which: EndGrants) -> Result<usize, Error> {
        let ended = self.apply(&GrantStep::End(which)).await?.ended;
        let crypto = self.gate.sessions(self.jobs);
        let told = grants::to_revoke((&crypto, &self.own.secrets), self.owner, &ended).await;
        revoke_later(self.gate, self.jobs, told);
        Ok(ended.len())
    }
}

fn described(fault: StoreError) -> Error {
    unavailable(&fault.to_string())
}

fn sessions_of(gate: &Gate) -> Result<&SessionPolicy, Error> {
    match &gate.policy.sessions {
        Some(own) if gate.policy.uses_grants() => Ok(own),
        _ => {
            let problem = "the policy uses no accounts of callers at providers: expected a route with grant, or a provider with connect_only";
            Err(Error::config("login.providers", problem))
        }
    }
}

/// A token that is used now.
struct UsedToken {
    token: Secret,
    account: String,
}

impl UsedToken {
    fn text(&self) -> Result<&str, Error> {
        let text = core::str::from_utf8(self.token.expose_secret());
        text.map_err(|_| unavailable("a token is not text"))
    }
}

/// By which account of the caller the request of an admission is made.
pub(super) fn of_route(decision: &Decision) -> Option<&RouteGrant> {
    match (decision.destination.as_deref(), &decision.outcome) {
        (Some(Destination::Upstream(Upstream { grant, .. })), Ok(_)) => grant.as_ref(),
        _ => None,
    }
}

/// The token of that account, as a field for the service behind the gate, where the route has one. Without a token there is no admission.
///
/// # Errors
/// Those of [`grants::owner_of`], [`grants::account_named`] and [`grants::token_of`].
pub(super) async fn field_for(
    gate: &Gate,
    (decision, grant): (&Decision, &RouteGrant),
    account: Option<&str>,
    jobs: &HostJobs,
) -> Result<Option<(String, String)>, Error> {
    let Ok(identity) = &decision.outcome else { return Ok(None) };
    let own = sessions_of(gate)?;
    let grants = OwnGrants { gate, jobs, own, owner: grants::owner_of(own, identity)? };
    let used = grants.token(&grant.provider, grants::account_named(account)?).await?;
    let text = used.text()?;
    Ok(grant.header.as_ref().map(|name| (name.as_str().to_owned(), text.to_owned())))
}

/// What `gate.grants` asks for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) enum GrantsAsked {
    /// A token of whom a decision has admitted: its issuer, subject and session, as far as there are any.
    Token {
        issuer: Option<String>,
        subject: Option<String>,
        session: Option<String>,
        provider: String,
        account: Option<String>,
    },
    List {
        subject: String,
    },
    End {
        subject: String,
        provider: Option<String>,
        account: Option<String>,
    },
}

#[derive(Serialize)]
#[serde(untagged)]
enum Answer<'a> {
    Token { token: &'a str, account: &'a str },
    List { grants: &'a [edgegate::grant::step::ListedGrant] },
    Ended { ended: usize },
}

impl Answer<'_> {
    fn outcome(&self) -> Outcome {
        Outcome { text: serde_json::to_string(self).unwrap_or_default(), claims: None }
    }
}

pub(super) async fn administer(
    gate: &Gate,
    asked: GrantsAsked,
    jobs: &HostJobs,
) -> Result<Outcome, Error> {
    match asked {
        GrantsAsked::Token { issuer, subject, session, provider, account } => {
            let own = sessions_of(gate)?;
            check_provider(gate, &provider)?;
            let known = (issuer.as_deref(), subject.as_deref(), session.as_deref());
            let grants = OwnGrants { gate, jobs, own, owner: grants::owner_known_by(own, known)? };
            let account = grants::account_named(account.as_deref())?;
            let used = grants.token(&provider, account).await?;
            Ok(Answer::Token { token: used.text()?, account: &used.account }.outcome())
        }
        GrantsAsked::List { subject } => {
            let grants = OwnGrants::of_subject(gate, jobs, &subject)?;
            let grants = grants.apply(&GrantStep::List).await?.grants;
            Ok(Answer::List { grants: &grants }.outcome())
        }
        GrantsAsked::End { subject, provider, account } => {
            let grants = OwnGrants::of_subject(gate, jobs, &subject)?;
            let ended = grants.end(EndGrants { provider, account }).await?;
            Ok(Answer::Ended { ended }.outcome())
        }
    }
}

/// Ends all grants of a subject that is forgotten.
pub(super) async fn forget(gate: &Gate, jobs: &HostJobs, subject: &str) -> Result<(), Error> {
    if !gate.policy.uses_grants() {
        return Ok(());
    }
    OwnGrants::of_subject(gate, jobs, subject)?.end(EndGrants::default()).await.map(drop)
}

/// A name that is misspelt is not somebody who has to connect an account.
fn check_provider(gate: &Gate, id: &str) -> Result<(), Error> {
    let provider = gate.policy.login.as_ref().and_then(|login| login.provider(id));
    match provider.is_some_and(|provider| gate.policy.connects(provider)) {
        true => Ok(()),
        false => {
            let problem =
                "expected the id of a provider that is connect_only, or the grant of a route";
            Err(Error::invalid_field("provider", problem))
        }
    }
}
