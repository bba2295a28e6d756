//! Grants at work: tokens of providers are kept, used, refreshed and ended. The rules are [`crate::grant`]'s; here a host seals, opens and
//! asks the provider.
#![allow(async_fn_in_trait, reason = "single-threaded runtimes only, see crate::store")]

use super::Identity;
use crate::{
    error::{Error, StoreError},
    grant::{
        seal::{Owner, SealedToken, TokenField},
        step::{
            EndedGrant, FreshTokens, GrantEvent, GrantOutcome, GrantRefused, GrantStep, PutGrant,
            RefreshFault, RefreshOrder, ResealToken, UsableToken, UseGrant,
        },
    },
    login::token_answer::ProviderTokens,
    policy::{ACCOUNT_HEADER, MAX_ACCOUNT_LENGTH, SessionPolicy},
    secret::Secret,
    session::secrets::{Purpose, SessionSecrets},
    store::{grants::GrantStore, key_ring::RingCrypto},
    time::{UnixMillis, UnixTime},
};

/// How long a request waits for a token. The refresh goes on if it no longer does.
pub const PATIENCE_MILLIS: u64 = 12_000;

/// The first pause between two looks whether another request has refreshed a token; each one after it is twice as long.
const FIRST_LOOK_MILLIS: u64 = 20;

/// The longest such pause.
const LONGEST_LOOK_MILLIS: u64 = 160;

/// How often it is tried to store fresh tokens. They cannot be had again.
const STORE_TRIES: u32 = 3;

/// The most turns of one request. A turn that neither waits nor ends has changed something.
const MAX_TURNS: u32 = 1_000;

/// What the edge does for grants.
pub trait GrantHost {
    /// Seals and opens.
    type Crypto: RingCrypto;

    /// The same.
    fn crypto(&self) -> &Self::Crypto;

    /// The time.
    fn now(&self) -> UnixMillis;

    /// Waits so many milliseconds.
    async fn pause(&self, millis: u64);

    /// Asks a provider for fresh tokens, and waits as long as
    /// [`REFRESH_PATIENCE_MILLIS`](crate::login::exchange::REFRESH_PATIENCE_MILLIS) for the whole answer.
    ///
    /// # Errors
    /// Why there are none; [`RefreshFault::NoAnswer`] unless it is certain that the provider gave none.
    async fn refresh(
        &self,
        provider: &str,
        refresh_token: &Secret,
    ) -> Result<ProviderTokens, RefreshFault>;

    /// Tells a provider that a token ends, as well as it can be told.
    async fn revoke(&self, provider: &str, token: &Secret);

    /// Tells the operator.
    fn tell(&self, event: GrantEvent);
}

/// Whose grants a request may use: those of who is logged in at the gate itself. Machines, API keys and tokens of other issuers have none.
///
/// # Errors
/// [`Error::IssuerNotAllowed`].
pub fn owner_of<'a>(own: &'a SessionPolicy, identity: &'a Identity) -> Result<Owner<'a>, Error> {
    owner_known_by(own, (identity.issuer(), identity.subject(), identity.session_id()))
}

/// The same of an identity of which the issuer, the subject and the session are known, as far as there are any.
///
/// # Errors
/// [`Error::IssuerNotAllowed`].
pub fn owner_known_by<'a>(
    own: &'a SessionPolicy,
    (issuer, subject, session): (Option<&str>, Option<&'a str>, Option<&str>),
) -> Result<Owner<'a>, Error> {
    let is_own = issuer == Some(own.issuer.as_str()) && session.is_some_and(|id| !id.is_empty());
    match subject {
        Some(subject) if is_own => Ok(Owner { issuer: &own.issuer, subject }),
        _ => Err(Error::IssuerNotAllowed),
    }
}

/// The account that a request names, if it names one.
///
/// # Errors
/// [`Error::InvalidField`] if it cannot be an account's name.
pub fn account_named(header: Option<&str>) -> Result<Option<&str>, Error> {
    match header {
        Some(name) if !(1..=MAX_ACCOUNT_LENGTH).contains(&name.len()) => {
            Err(Error::invalid_field(ACCOUNT_HEADER, "expected the name of an account"))
        }
        named => Ok(named),
    }
}

/// A grant's provider and account.
pub type GrantName<'a> = (&'a str, &'a str);

/// Seals a token by the newest secret.
async fn sealed<C: RingCrypto>(
    (crypto, secrets): (&C, &SessionSecrets),
    owner: Owner<'_>,
    (name, field): (GrantName<'_>, TokenField),
    token: &Secret,
) -> Result<SealedToken, StoreError> {
    let by = secrets.newest_id();
    let key = secrets.sealing_key(by, Purpose::Grant);
    let key = key.ok_or_else(|| StoreError::new("there is no secret that seals grants"))?;
    let text = crypto.seal(key, token, &owner.associated_data(name, field, by)).await?;
    Ok(SealedToken { by, text })
}

/// Opens a token.
///
/// # Errors
/// Its secret is gone, or it is damaged, or another owner's.
pub async fn opened<C: RingCrypto>(
    (crypto, secrets): (&C, &SessionSecrets),
    owner: Owner<'_>,
    (name, field): (GrantName<'_>, TokenField),
    token: &SealedToken,
) -> Result<Secret, StoreError> {
    let fault = |why: &str| {
        StoreError::new(format!("a token of {} is sealed by secret {}, {why}", name.0, token.by))
    };
    let key = secrets.sealing_key(token.by, Purpose::Grant);
    let key = key.ok_or_else(|| fault("which is gone"))?;
    let beside = owner.associated_data(name, field, token.by);
    crypto.open(key, &token.text, &beside).await.map_err(|_| fault("and does not open"))
}

/// The step that keeps the tokens of an account that its owner began to connect at that time: they are sealed here, and seen no further.
///
/// # Errors
/// The host cannot seal.
pub async fn kept<C: RingCrypto>(
    with: (&C, &SessionSecrets),
    owner: Owner<'_>,
    (provider, account): GrantName<'_>,
    (tokens, asked, label): (&ProviderTokens, &[String], Option<&str>),
    began_at: UnixTime,
) -> Result<GrantStep, StoreError> {
    let name = (provider, account);
    let fresh = fresh_tokens(with, owner, name, tokens).await?;
    Ok(GrantStep::Put(PutGrant {
        began_at,
        provider: provider.to_owned(),
        account: account.to_owned(),
        label: label.map(str::to_owned),
        // Those that were asked for, if the provider does not say (RFC 6749 §5.1).
        scopes: fresh.scopes.unwrap_or_else(|| asked.to_vec()),
        access: fresh.access,
        refresh: fresh.refresh,
        expires_in_secs: fresh.expires_in_secs,
    }))
}

async fn fresh_tokens<C: RingCrypto>(
    with: (&C, &SessionSecrets),
    owner: Owner<'_>,
    name: GrantName<'_>,
    tokens: &ProviderTokens,
) -> Result<FreshTokens, StoreError> {
    let secret = |text: &str| Secret::new(text.as_bytes().to_vec());
    let access = secret(&tokens.access_token);
    let access = sealed(with, owner, (name, TokenField::Access), &access).await?;
    let refresh = match tokens.refresh_token.as_deref() {
        Some(token) => {
            Some(sealed(with, owner, (name, TokenField::Refresh), &secret(token)).await?)
        }
        None => None,
    };
    let (expires_in_secs, scopes) = (tokens.expires_in_secs, tokens.scopes.clone());
    Ok(FreshTokens { access, refresh, expires_in_secs, scopes })
}

/// The token of a request that uses a grant, opened.
///
/// # Errors
/// [`Error::NotConnected`], [`Error::ConnectionEnded`], [`Error::Upstream`] if the provider does not answer, [`Error::StoreUnavailable`].
pub async fn token_of<C: RingCrypto>(
    with: (&C, &SessionSecrets),
    owner: Owner<'_>,
    provider: &str,
    outcome: &GrantOutcome,
) -> Result<Secret, Error> {
    outcome.check(provider)?;
    let UsableToken { account, access, .. } =
        outcome.token.as_ref().ok_or_else(|| unavailable("the outcome of a step has no token"))?;
    let name = (provider, account.as_str());
    let token = opened(with, owner, (name, TokenField::Access), access).await;
    token.map_err(|fault| unavailable(&fault.to_string()))
}

/// What a provider is to be told has ended.
#[derive(Debug)]
pub struct Revocation {
    /// The id of the provider.
    pub provider: String,
    /// The token: the refresh token, with which all end that came of it (RFC 7009 §2.1), else the access token.
    pub token: Secret,
}

/// What providers are to be told of grants that have ended. What cannot be opened is not told.
pub async fn to_revoke<C: RingCrypto>(
    with: (&C, &SessionSecrets),
    owner: Owner<'_>,
    ended: &[EndedGrant],
) -> Vec<Revocation> {
    let mut all = Vec::new();
    for grant in ended {
        if let Some(token) = strongest(with, owner, grant).await {
            all.push(Revocation { provider: grant.provider.clone(), token });
        }
    }
    all
}

async fn strongest<C: RingCrypto>(
    with: (&C, &SessionSecrets),
    owner: Owner<'_>,
    grant: &EndedGrant,
) -> Option<Secret> {
    let name = (grant.provider.as_str(), grant.account.as_str());
    let refresh = grant.refresh.as_ref().map(|token| (TokenField::Refresh, token));
    let access = grant.access.as_ref().map(|token| (TokenField::Access, token));
    let (field, token) = refresh.or(access)?;
    opened(with, owner, (name, field), token).await.ok()
}

/// The error for grants that cannot be read.
#[must_use]
pub fn unavailable(problem: &str) -> Error {
    Error::StoreUnavailable { store: "grants", problem: problem.to_owned() }
}

/// What it takes to work on the grants of an owner.
#[derive(Debug)]
pub struct Grants<'a, S, H> {
    /// Who keeps them.
    pub store: &'a S,
    /// The edge.
    pub host: &'a H,
    /// What seals them.
    pub secrets: &'a SessionSecrets,
    /// Whose they are.
    pub owner: Owner<'a>,
}

impl<S: GrantStore, H: GrantHost> Grants<'_, S, H> {
    /// A token that can be used now, sealed. If it has to be refreshed, exactly one request does that, and the others wait for it.
    ///
    /// # Errors
    /// The store's. What the grant itself says is in the outcome.
    pub async fn usable(
        &self,
        provider: &str,
        account: Option<&str>,
    ) -> Result<GrantOutcome, StoreError> {
        let step = GrantStep::Use(UseGrant {
            provider: provider.to_owned(),
            account: account.map(str::to_owned),
            newest: self.secrets.newest_id(),
        });
        let began_at = self.host.now();
        let mut look = FIRST_LOOK_MILLIS;
        for _ in 0..MAX_TURNS {
            let outcome = self.apply(&step).await?;
            if let Some(order) = &outcome.order {
                self.obey(order).await?;
                continue;
            }
            if !outcome.wait {
                return Ok(self.sealed_anew(provider, outcome).await);
            }
            if self.host.now().millis_since(began_at) >= PATIENCE_MILLIS {
                break;
            }
            self.host.pause(look).await;
            look = look.saturating_mul(2).min(LONGEST_LOOK_MILLIS);
        }
        Ok(GrantOutcome::refused(GrantRefused::Busy))
    }

    async fn apply(&self, step: &GrantStep) -> Result<GrantOutcome, StoreError> {
        let outcome = self.store.apply(&self.owner.object(), step, self.host.now()).await?;
        outcome.events.iter().for_each(|event| self.host.tell(*event));
        Ok(outcome)
    }

    /// Asks the provider, and stores what it answers before anybody uses it.
    async fn obey(&self, order: &RefreshOrder) -> Result<(), StoreError> {
        let name = (order.provider.as_str(), order.account.as_str());
        let with = (self.host.crypto(), self.secrets);
        let refresh_token =
            opened(with, self.owner, (name, TokenField::Refresh), &order.refresh).await;
        let refresh_token = match refresh_token {
            Ok(token) => token,
            Err(fault) => {
                // Nobody was asked, so nothing can have been lost.
                let answer = order.answered(Err(RefreshFault::Refused));
                self.apply(&GrantStep::Answer(answer)).await?;
                return Err(fault);
            }
        };
        let tokens = self.host.refresh(&order.provider, &refresh_token).await;
        let fresh = match &tokens {
            Ok(tokens) => fresh_tokens(with, self.owner, name, tokens)
                .await
                .map_err(|_| RefreshFault::NoAnswer),
            Err(fault) => Err(*fault),
        };
        let kept = self.store_answer(&GrantStep::Answer(order.answered(fresh))).await?;
        if let (Ok(tokens), Some(GrantRefused::Gone)) = (tokens, kept.refused) {
            // The grant ended meanwhile, and nobody has these. Of one that lives again nothing is revoked: with a token many providers
            // end all that the account has given.
            self.revoke(&order.provider, &tokens).await;
        }
        Ok(())
    }

    async fn store_answer(&self, step: &GrantStep) -> Result<GrantOutcome, StoreError> {
        for _ in 1..STORE_TRIES {
            if let Ok(outcome) = self.apply(step).await {
                return Ok(outcome);
            }
            self.host.pause(LONGEST_LOOK_MILLIS).await;
        }
        self.apply(step).await
    }

    async fn revoke(&self, provider: &str, tokens: &ProviderTokens) {
        // With the refresh token all that came of it end (RFC 7009 §2.1).
        let token = tokens.refresh_token.as_ref().unwrap_or(&tokens.access_token);
        self.host.revoke(provider, &Secret::new(token.as_bytes().to_vec())).await;
    }

    /// Seals by the newest secret what an older one has sealed. If that fails, it is done the next time.
    async fn sealed_anew(&self, provider: &str, mut outcome: GrantOutcome) -> GrantOutcome {
        let Some(token) = &mut outcome.token else { return outcome };
        let newest = self.secrets.newest_id();
        let refresh = token.refresh.take().map(|token| (TokenField::Refresh, token));
        let all = [Some((TokenField::Access, token.access.clone())), refresh];
        let name = (provider, token.account.as_str());
        for (field, was) in all.into_iter().flatten().filter(|(_, was)| was.by != newest) {
            // What cannot be opened here is told where it is needed.
            let _ = self.reseal(name, field, was).await;
        }
        outcome
    }

    async fn reseal(
        &self,
        name: GrantName<'_>,
        field: TokenField,
        was: SealedToken,
    ) -> Result<(), StoreError> {
        let with = (self.host.crypto(), self.secrets);
        let token = opened(with, self.owner, (name, field), &was).await?;
        let now = sealed(with, self.owner, (name, field), &token).await?;
        let (provider, account) = (name.0.to_owned(), name.1.to_owned());
        let step = GrantStep::Reseal(ResealToken { provider, account, field, was, now });
        self.apply(&step).await.map(drop)
    }
}
