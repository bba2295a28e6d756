//! The way of a request, step after step.

use futures_util::future::join;

use super::{
    ApiKeyIdentity, Backend, Carrier, Decision, Failures, Identity, Request, Sessions as _,
    TokenIdentity, addresses, allowed,
    api_key::{self, Presented},
    credential::{self, Credential, PresentedToken},
    decision::StepOutcome,
    limits::{self, Subject},
    proof, revocation, scopes, session, sign_in, token,
};
use crate::{
    api_key::record::KeyRecord,
    cold_path::cold,
    error::Error,
    jose::{dpop::VerifiedProof, verifier::VerifiedToken},
    known_digests::Digests,
    policy::{
        API_KEY_HEADER, Auth, CredentialKind, Policy, Preflight, Replays, RequestPath,
        RevocationMode, Route,
    },
    revocation::Revocable,
    time::UnixMillis,
};

/// Decides about requests by a policy.
#[derive(Debug)]
pub struct Guard<'a, B> {
    policy: &'a Policy,
    backend: &'a B,
}

impl<'a, B: Backend> Guard<'a, B> {
    /// A guard for this policy.
    pub const fn new(policy: &'a Policy, backend: &'a B) -> Self {
        Self { policy, backend }
    }

    /// Decides about one request.
    pub async fn check(&self, request: &Request<'_>, now: UnixMillis) -> Decision {
        let (route, path) = match self.route_of(request) {
            Ok(found) => found,
            Err(error) => return self.refused(error),
        };
        let Self { policy, backend } = *self;
        // Field by field a decision is much code to put together.
        let mut decision = Decision::on(route);
        decision.identity_audience = policy.identity_audience(route).map(str::to_owned);
        let mut passage = Passage { policy, backend, request, route, path, now, decision };
        passage.decision.outcome = match request.preflight {
            Some(_) => cold(passage.of_preflight()).await,
            None => passage.of_request().await,
        };
        passage.decision
    }

    /// The decision about a path that no route is looked for.
    #[inline(never)]
    fn refused(&self, error: Error) -> Decision {
        let cors = self.policy.cors.clone();
        Decision { cors, ..Decision::refused(error, None, "") }
    }

    /// Verifies a token: its own signature checks in here, RSA and ECDSA by the host, Ed25519 where the host takes it.
    pub async fn verify_token(&self, token: &str, now: UnixMillis) -> Result<VerifiedToken, Error> {
        let token = PresentedToken { text: token, issuers: None };
        token::verify(self.policy, self.backend, &token, now).await
    }

    fn route_of(&self, request: &Request<'_>) -> Result<(&'a Route, RequestPath), Error> {
        let path = RequestPath::parse(request.path)?;
        let route = match request.preflight {
            Some(requested) => self.policy.route_of_preflight(requested, &path),
            None => self.policy.route(request.method, &path),
        };
        Ok((route, path))
    }
}

/// Who it is, and what comes along.
struct Known {
    identity: Identity,
    /// The record of an API key, for its limits.
    overrides: Option<KeyRecord>,
    /// A proof of possession that has not been used yet.
    proof: Option<VerifiedProof>,
}

impl Known {
    const ANONYMOUS: Self = Self { identity: Identity::Anonymous, overrides: None, proof: None };
}

/// One request on its way, and what is decided about it so far.
struct Passage<'r, B> {
    policy: &'r Policy,
    backend: &'r B,
    request: &'r Request<'r>,
    route: &'r Route,
    path: RequestPath,
    now: UnixMillis,
    decision: Decision,
}

impl<B: Backend> Passage<'_, B> {
    async fn of_request(&mut self) -> Result<Identity, Error> {
        addresses::check(&self.route.ips, self.request.client_ip)?;
        let known = match self.identify().await {
            Ok(known) => known,
            Err(error) => {
                return Err(self.failures().count(error, self.request.client_ip, self.now));
            }
        };
        let Known { identity, overrides, proof } = known;
        match self.judge(&identity, overrides, proof).await {
            Ok(()) => Ok(identity),
            Err(error) => Err(self.knowing(identity, error)),
        }
    }

    /// Whether a caller who is known may do this, now.
    async fn judge(
        &mut self,
        identity: &Identity,
        overrides: Option<KeyRecord>,
        proof: Option<VerifiedProof>,
    ) -> Result<(), Error> {
        scopes::check(self.route, &self.policy.scope_includes, identity)?;
        allowed::check(self.route, &self.path, identity)?;
        let asked = (self.policy, self.route);
        sign_in::check(asked, (self.request, identity), self.now.to_unix_time())?;
        let client_ip = self.request.client_ip;
        let digests = Digests::known(self.backend.digests(), self.now);
        let subject = Subject { identity, client_ip, overrides, by_address_only: false, digests };
        if proof.is_some() || self.asks_ledger() {
            cold(self.ask_shared(&subject, proof)).await?;
        }
        if self.is_limited() { self.take_limits(&subject).await } else { Ok(()) }
    }

    /// The refusal of a caller who is known, where somebody watches.
    fn knowing(&mut self, identity: Identity, error: Error) -> Error {
        if self.policy.watch.is_some() {
            self.decision.known = Some(Box::new(identity));
        }
        error
    }

    /// A preflight is nobody's: a credential that comes with it is not looked at.
    async fn of_preflight(&mut self) -> Result<Identity, Error> {
        self.decision.preflight = Some(self.route.preflight);
        if self.route.preflight != Preflight::Pass {
            return Err(Error::PreflightNotPassed);
        }
        addresses::check(&self.route.ips, self.request.client_ip)?;
        let identity = Identity::Anonymous;
        let client_ip = self.request.client_ip;
        let digests = Digests::known(self.backend.digests(), self.now);
        let subject = Subject {
            identity: &identity,
            client_ip,
            overrides: None,
            by_address_only: true,
            digests,
        };
        if self.is_limited() {
            self.take_limits(&subject).await?;
        }
        Ok(identity)
    }

    /// Finds out who it is. Revocation is included, unless the ledger decides about it.
    async fn identify(&mut self) -> Result<Known, Error> {
        if self.route.auth == Auth::None {
            return Ok(Known::ANONYMOUS);
        }
        let Some((credential, carrier)) = credential::find(self.policy, self.request)? else {
            return cold(self.identify_without_credential()).await;
        };
        self.decision.carrier = Some(carrier);
        if carrier == Carrier::Cookie {
            session::check_operators_cookie(self.policy, self.request)?;
        }
        match credential {
            Credential::Token(token) => {
                self.accepts(CredentialKind::Jwt, Error::TokenNotAccepted)?;
                let (policy, backend, now) = (self.policy, self.backend, self.now);
                let verified = token::verify(policy, backend, &token, now).await?;
                let presented = proof::Bound { token: token.text, verified: &verified, carrier };
                let proof = proof::check(backend, &presented, self.request, now).await?;
                if let Some(own) = &policy.sessions {
                    let memory = backend.sessions().memory();
                    session::check_ended(&verified, (own, memory), now)?;
                    session::note_use(&verified, (own, memory), &mut self.decision.session, now);
                }
                let identity = TokenIdentity::new(verified, &policy.identity_headers);
                let verdict = match policy.revocation {
                    // Most policies have none, and their first request need not wait for the code.
                    None => Ok(()),
                    Some(_) => {
                        let revoked = self.revoked_unless_ledger(&identity.revocable()).await;
                        self.decision.take_in(revoked)
                    }
                };
                let identity = Identity::Token(identity);
                match verdict {
                    Ok(()) => Ok(Known { identity, overrides: None, proof }),
                    Err(error) => Err(self.knowing(identity, error)),
                }
            }
            Credential::ApiKey(key) => {
                self.accepts(CredentialKind::ApiKey, Error::ApiKeyNotAccepted)?;
                cold(self.identify_api_key(&key, carrier)).await
            }
        }
    }

    async fn identify_without_credential(&mut self) -> Result<Known, Error> {
        if self.request.cookie.is_some()
            && self.policy.browser_sessions().is_some()
            && let Some(known) = self.identify_by_cookies().await?
        {
            return Ok(known);
        }
        match self.route.auth {
            Auth::Required => Err(self.missing_credentials()),
            Auth::Optional | Auth::None => Ok(Known::ANONYMOUS),
        }
    }

    /// Who it is by the gate's own cookies. `None`: there are none.
    async fn identify_by_cookies(&mut self) -> Result<Option<Known>, Error> {
        let (policy, backend, now) = (self.policy, self.backend, self.now);
        let Some((own, browser)) = policy.sessions.as_ref().zip(policy.browser_sessions()) else {
            return Ok(None);
        };
        let Some(found) = session::cookies_that_decide(policy, browser, self.request)? else {
            return Ok(None);
        };
        self.decision.carrier = Some(Carrier::Cookie);
        self.accepts(CredentialKind::Jwt, Error::TokenNotAccepted)?;
        let note = &mut self.decision.session;
        let of_request = (found, self.request);
        let verified =
            session::identify((policy, backend), (own, browser), of_request, now, note).await?;
        let identity = TokenIdentity::new(verified, &policy.identity_headers);
        let revoked = self.revoked_unless_ledger(&identity.revocable()).await;
        let verdict = self.decision.take_in(revoked);
        let identity = Identity::Token(identity);
        match verdict {
            Ok(()) => Ok(Some(Known { identity, overrides: None, proof: None })),
            Err(error) => Err(self.knowing(identity, error)),
        }
    }

    #[inline(never)]
    fn missing_credentials(&self) -> Error {
        // Who logs in gets a token: where none is accepted that would be of no help.
        if self.route.accept.contains(&CredentialKind::Jwt)
            && let Some(login_url) = super::login::login_url(self.policy, self.request)
        {
            return Error::LoginRequired { login_url };
        }
        match self.policy.api_key_header.as_str() {
            API_KEY_HEADER => Error::MissingCredentials,
            named => Error::MissingCredentialsOr { api_key_header: named.to_owned() },
        }
    }

    fn accepts(&self, kind: CredentialKind, otherwise: Error) -> Result<(), Error> {
        if self.route.accept.contains(&kind) { Ok(()) } else { Err(otherwise) }
    }

    async fn identify_api_key(&mut self, key: &str, carrier: Carrier) -> Result<Known, Error> {
        let now = self.now.to_unix_time();
        let (id, found) = match api_key::read(self.policy, (key, carrier), now)? {
            Presented::Own(key) => {
                // Both reads start at once: together they take as long as the slower one.
                let record = key.record(self.backend.keys());
                let revocable = key.revocable();
                let revoked = self.revoked_unless_ledger(&revocable);
                let (record, revoked) = join(record, revoked).await;
                let found = match self.decision.take_in(revoked) {
                    Ok(()) => key.identity(record?, self.request.client_ip, now),
                    Err(error) => Err(error),
                };
                (key.id(), found)
            }
            Presented::Imported(key) => {
                let client_ip = self.request.client_ip;
                let keys = self.backend.keys();
                let record = key.record(keys, &self.failures(), client_ip, self.now).await?;
                let id = record.id;
                let revoked = self.revoked_unless_ledger(&Revocable::ApiKey { id }).await;
                let found = match self.decision.take_in(revoked) {
                    Ok(()) => key.identity(record, client_ip, now),
                    Err(error) => Err(error),
                };
                (id, found)
            }
        };
        match found {
            Ok((identity, overrides)) => {
                Ok(Known { identity: Identity::ApiKey(identity), overrides, proof: None })
            }
            // Which key it is is known, whatever its record says.
            Err(error) => {
                let identity = ApiKeyIdentity::without_record(id, &[]);
                Err(self.knowing(Identity::ApiKey(identity), error))
            }
        }
    }

    /// Asks what all isolates share and each such request has to ask: the ledger of revocations, and the store of used
    /// proofs. A request that is known to be refused is refused before: one caller must not be able to keep them busy
    /// for all.
    async fn ask_shared(
        &mut self,
        subject: &Subject<'_>,
        proof: Option<VerifiedProof>,
    ) -> Result<(), Error> {
        let mode = self.policy.revocation_of(self.route);
        let credential = subject.identity.revocable().filter(|_| self.asks_ledger());
        if let Some(credential) = &credential {
            let at = (self.backend.digests(), self.now);
            revocation::check_recalled(self.backend.revocations(), mode, credential, at)?;
        }
        let shared_proofs = self.policy.replays == Replays::DurableObject;
        if credential.is_some() || (proof.is_some() && shared_proofs) {
            let counters = self.backend.counters();
            let known =
                limits::refuse_unasked(self.policy, self.route, subject, counters, self.now);
            self.decision.take_in(known)?;
        }
        if let Some(proof) = proof {
            proof::spend(self.backend.replays(), &proof, self.now).await?;
        }
        match &credential {
            Some(credential) => {
                let revoked = self.revoked(credential, mode).await;
                self.decision.take_in(revoked)
            }
            None => Ok(()),
        }
    }

    fn asks_ledger(&self) -> bool {
        self.policy.revocation.is_some()
            && self.policy.revocation_of(self.route) == RevocationMode::Ledger
    }

    fn is_limited(&self) -> bool {
        self.policy.limits_of(self.route).next().is_some()
    }

    async fn take_limits(&mut self, subject: &Subject<'_>) -> Result<(), Error> {
        let counters = self.backend.counters();
        let taken = limits::take(self.policy, self.route, subject, counters, self.now);
        let taken = cold(taken).await;
        self.decision.take_in(taken)
    }

    /// Revocation by what isolates remember. The ledger, which is asked each time, has its turn after what is cheap
    /// ([`Self::ask_shared`]).
    async fn revoked_unless_ledger(&self, credential: &Revocable<'_>) -> StepOutcome {
        if self.policy.revocation.is_none() {
            return StepOutcome::default();
        }
        match self.policy.revocation_of(self.route) {
            RevocationMode::Ledger => StepOutcome::default(),
            mode => cold(self.revoked(credential, mode)).await,
        }
    }

    async fn revoked(&self, credential: &Revocable<'_>, mode: RevocationMode) -> StepOutcome {
        let at = (self.backend.digests(), self.now);
        revocation::check(self.policy, self.backend.revocations(), credential, mode, at).await
    }

    fn failures(&self) -> Failures<'_> {
        Failures::new(self.policy, self.backend.failures())
    }
}
