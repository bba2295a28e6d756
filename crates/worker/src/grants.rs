//! Tokens of providers in the Worker: for a route that uses them, and what the object of an owner asks of the platform.

use core::time::Duration;
use std::rc::Rc;

use futures_util::future::join_all;
use worker::{Context, Delay, Env};

use super::{
    background, clock, fault::report, gate::Gate, logins::GateLogins, objects::grant_stub,
    web_crypto::RuntimeCrypto,
};
use edgegate::{
    error::Error,
    grant::{
        seal::Owner,
        step::{EndGrants, GrantEvent, GrantOutcome, GrantStep, RefreshFault, UseGrant},
    },
    guard::{
        Identity,
        grants::{self, GrantHost, Revocation, unavailable},
        login::Providers,
    },
    login::token_answer::ProviderTokens,
    policy::{Provider, RouteGrant, SessionPolicy},
    secret::Secret,
    time::UnixMillis,
};

/// What grants ask of the platform.
#[derive(Debug)]
pub(super) struct GateGrants<'a> {
    pub(super) gate: &'a Gate,
    pub(super) env: &'a Env,
}

impl GateGrants<'_> {
    fn provider(&self, id: &str) -> Option<&Provider> {
        self.gate.policy.login.as_ref()?.provider(id)
    }
}

impl GrantHost for GateGrants<'_> {
    type Crypto = RuntimeCrypto;

    fn crypto(&self) -> &RuntimeCrypto {
        &RuntimeCrypto
    }

    fn now(&self) -> UnixMillis {
        clock::now()
    }

    async fn pause(&self, millis: u64) {
        Delay::from(Duration::from_millis(millis)).await;
    }

    async fn refresh(
        &self,
        provider: &str,
        refresh_token: &Secret,
    ) -> Result<ProviderTokens, RefreshFault> {
        // One that the policy has no more is not asked.
        let provider = self.provider(provider).ok_or(RefreshFault::Refused)?;
        let logins = GateLogins { memory: &self.gate.memory, env: self.env };
        Providers::new(&logins, clock::now()).refreshed(provider, refresh_token).await
    }

    async fn revoke(&self, provider: &str, token: &Secret) {
        let Some(provider) = self.provider(provider) else { return };
        let logins = GateLogins { memory: &self.gate.memory, env: self.env };
        if let Err(fault) = Providers::new(&logins, clock::now()).revoke(provider, token).await {
            report(&format!("grants: {fault}"));
        }
    }

    fn tell(&self, event: GrantEvent) {
        if let Some(told) = event.told() {
            report(told);
        }
    }
}

/// So many connections a request may have at once (the platform's limit). What waits for one more would lose its time.
const TOLD_AT_ONCE: usize = 6;

/// Tells providers what has ended, behind the answer: one that does not answer holds up nobody.
pub(super) fn revoke_behind(
    (gate, env, context): (&Rc<Gate>, &Env, &Context),
    revocations: Vec<Revocation>,
) {
    if revocations.is_empty() {
        return;
    }
    let (gate, env) = (Rc::clone(gate), env.clone());
    background::run(context, async move {
        let grants = GateGrants { gate: &gate, env: &env };
        for some in revocations.chunks(TOLD_AT_ONCE) {
            join_all(some.iter().map(|one| grants.revoke(&one.provider, &one.token))).await;
        }
    });
}

/// The grants of who is logged in.
#[derive(Debug)]
pub(super) struct OwnGrants<'a> {
    gate: &'a Rc<Gate>,
    env: &'a Env,
    own: &'a SessionPolicy,
    owner: Owner<'a>,
}

impl<'a> OwnGrants<'a> {
    /// Those of a subject of the gate's own.
    ///
    /// # Errors
    /// [`Error::NotFound`]: the policy has no grants, so that none are bound.
    pub(super) fn of_subject(
        gate: &'a Rc<Gate>,
        env: &'a Env,
        subject: &'a str,
    ) -> Result<Self, Error> {
        let own = gate.policy.sessions.as_ref().ok_or(Error::NotFound)?;
        if !gate.policy.uses_grants() {
            return Err(Error::NotFound);
        }
        Ok(Self { gate, env, own, owner: Owner { issuer: &own.issuer, subject } })
    }

    /// The token for a route.
    ///
    /// # Errors
    /// Those of [`grants::owner_of`], [`grants::account_named`] and [`grants::token_of`].
    pub(super) async fn token(
        gate: &'a Rc<Gate>,
        env: &'a Env,
        (identity, grant, account): (&'a Identity, &RouteGrant, Option<&str>),
    ) -> Result<Secret, Error> {
        let own = gate.policy.sessions.as_ref().ok_or(Error::NotFound)?;
        let owner = grants::owner_of(own, identity)?;
        let provider = grant.provider.as_str();
        let step = GrantStep::Use(UseGrant {
            provider: provider.to_owned(),
            account: grants::account_named(account)?.map(str::to_owned),
            newest: own.secrets.newest_id(),
        });
        let outcome = Self { gate, env, own, owner }.apply(&step).await?;
        grants::token_of((&RuntimeCrypto, &own.secrets), owner, provider, &outcome).await
    }

    /// Takes a step.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`].
    pub(super) async fn apply(&self, step: &GrantStep) -> Result<GrantOutcome, Error> {
        let outcome = grant_stub::apply(self.env, self.owner, step).await;
        outcome.map_err(|fault| unavailable(&fault.to_string()))
    }

    /// Ends grants: here now, and at their providers behind the answer. Returns how many.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`].
    pub(super) async fn end(&self, which: EndGrants, context: &Context) -> Result<usize, Error> {
        let ended = self.apply(&GrantStep::End(which)).await?.ended;
        let with = (&RuntimeCrypto, &self.own.secrets);
        let revocations = grants::to_revoke(with, self.owner, &ended).await;
        revoke_behind((self.gate, self.env, context), revocations);
        Ok(ended.len())
    }
}
