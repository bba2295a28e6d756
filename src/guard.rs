//! The one pipeline, the same on every edge:
//! path → route → credential → verify → revocation → scopes → limits → decision.
//!
//! Scopes are checked before limits, so that a caller who may not use a route cannot use up a limit
//! that others share there.
//!
//! What is shared by all and asked each time (the ledger of revocations, a store of used proofs) has its turn between
//! scopes and limits, and only if no limit is known to refuse: what is cheap comes first.

pub mod administration;
pub mod caching;
pub mod cookies;
mod credential;
mod event;
mod failures;
pub mod forward_auth;
mod identity;
pub mod inbound;
mod limits;
pub mod reply;

use core::{fmt, net::IpAddr};
use std::rc::Rc;

use futures_util::future::join;

use self::credential::Credential;
pub use self::credential::bearer_token;
pub use self::{
    credential::Carrier,
    event::Event,
    failures::{Attempts, Failures, LookUp},
    identity::{ApiKeyIdentity, Identity, TokenIdentity},
    limits::LimitReport,
};
use crate::{
    api_key::{ImportedHash, record::KeyRecord},
    error::{Error, StoreError},
    jose::{
        dpop::{
            Binding, Confirmation, ProofRequest, ProofRules, ProofStep, UntrustedProof,
            VerifiedProof,
        },
        jws::HostCheck,
        keys::KeySet,
        verifier::{KeySource, Pending, Step, VerifiedToken},
    },
    policy::{
        ApiKeyPolicy, Auth, CredentialKind, KeyFormat, OnError, Policy, PrefixPolicy, Preflight,
        Records, Replays, RequestPath, RevocationMode, Route,
    },
    revocation::{self, Revocable},
    store::{CounterStore, KeyRecordStore, ReplayStore, RevocationStore, SnapshotState},
    time::UnixMillis,
};

/// What the guard looks at of a request. Everything is as it came in; nothing is trusted.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The path, with or without a query.
    pub path: &'a str,
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// The `DPoP` header.
    pub dpop: Option<&'a str>,
    /// The URL that the client asked for, if the edge knows it: what a proof of possession is about.
    pub url: Option<&'a str>,
    /// The `X-API-Key` header.
    pub api_key: Option<&'a str>,
    /// The `Cookie` header.
    pub cookie: Option<&'a str>,
    /// The client's address, if the edge knows it.
    pub client_ip: Option<IpAddr>,
    /// The method that a CORS preflight asks for, `None` for every other request: see [`preflight_of`].
    pub preflight: Option<&'a str>,
}

/// Shows which headers there are, not what is in them; nor the query, which may hold anything.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.split(['?', '#']).next().unwrap_or_default();
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &path)
            .field("authorization", &self.authorization.map(|_| "_"))
            .field("dpop", &self.dpop.map(|_| "_"))
            .field("api_key", &self.api_key.map(|_| "_"))
            .field("cookie", &self.cookie.map(|_| "_"))
            .field("client_ip", &self.client_ip)
            .field("preflight", &self.preflight.is_some())
            .finish()
    }
}

/// Path and query of a URL, as they are written there.
#[must_use]
pub fn target_of(url: &str) -> String {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    match after_scheme.find(['/', '?', '#']) {
        Some(at) => {
            let target = after_scheme.get(at..).unwrap_or_default();
            if target.starts_with('/') { target.to_owned() } else { format!("/{target}") }
        }
        None => "/".to_owned(),
    }
}

/// What makes a request a CORS preflight (Fetch standard, "CORS-preflight request"): `OPTIONS` with `Origin` and
/// `Access-Control-Request-Method`. Gives the latter.
#[must_use]
pub fn preflight_of<'a>(
    method: &str,
    origin: Option<&str>,
    requested_method: Option<&'a str>,
) -> Option<&'a str> {
    requested_method.filter(|_| method == "OPTIONS" && origin.is_some())
}

impl Request<'_> {
    /// The client's address as limits and events name it: IPv6 by its /64, or `unknown`.
    #[must_use]
    pub fn client(&self) -> String {
        limits::address(self.client_ip)
    }
}

/// What an edge gives the guard: stores, and the crypto of the host.
#[allow(async_fn_in_trait, reason = "single-threaded runtimes only, see crate::store")]
pub trait Backend {
    /// Records of API keys.
    type Keys: KeyRecordStore;
    /// Revocation entries.
    type Revocations: RevocationStore;
    /// Counters of limits.
    type Counters: CounterStore;
    /// Proofs of possession that have been used.
    type Replays: ReplayStore;

    /// Records of API keys.
    fn keys(&self) -> &Self::Keys;
    /// Revocation entries.
    fn revocations(&self) -> &Self::Revocations;
    /// Counters of limits.
    fn counters(&self) -> &Self::Counters;
    /// Failed attempts, in this isolate.
    fn failures(&self) -> &Attempts;
    /// Proofs of possession that have been used, where the policy has them remembered.
    fn replays(&self) -> &Self::Replays;

    /// Whether the host is to be asked about Ed25519 too. Otherwise it is decided here.
    fn takes_ed25519(&self) -> bool {
        false
    }

    /// Whether a signature holds, by the crypto of the host.
    ///
    /// # Errors
    /// [`Error::KeysUnavailable`] if the host refuses the key, [`Error::AlgorithmUnavailable`] if it
    /// does not know the algorithm.
    async fn signature_holds(&self, issuer: &str, check: &HostCheck<'_>) -> Result<bool, Error>;

    /// The keys of an issuer that publishes them, fresh enough, and fetched anew if `key_id` is not
    /// among them.
    ///
    /// # Errors
    /// [`Error::KeysUnavailable`].
    async fn remote_keys(
        &self,
        issuer: &str,
        uri: &str,
        key_id: Option<&str>,
        now: UnixMillis,
    ) -> Result<Rc<KeySet>, Error>;
}

/// The answer, with everything an edge needs to carry it out.
#[derive(Debug)]
pub struct Decision {
    /// Who it is, or why not.
    pub outcome: Result<Identity, Error>,
    /// How the credential came, if there was one.
    pub carrier: Option<Carrier>,
    /// The path pattern of the route; empty if the path itself was refused.
    pub route: String,
    /// Whether the route takes anonymous callers beside others, who are answered under the same URLs.
    pub shared_url: bool,
    /// What the route does with CORS preflights, if the request is one.
    pub preflight: Option<Preflight>,
    /// The limits that were asked, in the order of the route.
    pub limits: Vec<LimitReport>,
    /// Store faults that the policy lets pass.
    pub faults: Vec<Error>,
    /// The snapshot of revocations that was looked into, if one was.
    pub snapshot: Option<SnapshotState>,
}

impl Decision {
    /// Whether this is a CORS preflight that the gate answers itself, with 204 in place of the refusal that `outcome`
    /// holds.
    #[must_use]
    pub fn answers_preflight(&self) -> bool {
        self.preflight == Some(Preflight::Answer)
            && matches!(self.outcome, Err(Error::PreflightNotPassed))
    }

    /// Where the edge cannot speak to the browser, as in forward-auth, a preflight that the gate would answer is
    /// refused: any other word would have it passed on, and nobody behind the gate is to be asked.
    pub fn refuse_preflight(&mut self) {
        if self.answers_preflight() {
            self.preflight = Some(Preflight::Refuse);
        }
    }

    /// A refusal that was decided without asking limits.
    #[must_use]
    pub fn refused(error: Error, carrier: Option<Carrier>, route: &str) -> Self {
        Self {
            outcome: Err(error),
            carrier,
            route: route.to_owned(),
            shared_url: false,
            preflight: None,
            limits: Vec::new(),
            faults: Vec::new(),
            snapshot: None,
        }
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
        let mut decision = Decision {
            outcome: Ok(Identity::Anonymous),
            carrier: None,
            route: String::new(),
            shared_url: false,
            preflight: None,
            limits: Vec::new(),
            faults: Vec::new(),
            snapshot: None,
        };
        let route = match RequestPath::parse(request.path) {
            Ok(path) => match request.preflight {
                Some(requested) => self.policy.route_of_preflight(requested, &path),
                None => self.policy.route(request.method, &path),
            },
            Err(error) => {
                decision.outcome = Err(error);
                return decision;
            }
        };
        route.path().clone_into(&mut decision.route);
        decision.shared_url = route.auth == Auth::Optional;
        decision.outcome = if request.preflight.is_some() {
            self.decide_preflight(request, route, now, &mut decision).await
        } else {
            self.decide(request, route, now, &mut decision).await
        };
        decision
    }

    /// A preflight is nobody's: whatever credential came with it is not looked at.
    async fn decide_preflight(
        &self,
        request: &Request<'_>,
        route: &Route,
        now: UnixMillis,
        decision: &mut Decision,
    ) -> Result<Identity, Error> {
        decision.preflight = Some(route.preflight);
        if route.preflight != Preflight::Pass {
            return Err(Error::PreflightNotPassed);
        }
        let identity = Identity::Anonymous;
        let subject = limits::Subject {
            identity: &identity,
            client_ip: request.client_ip,
            overrides: None,
            by_address_only: true,
        };
        limits::take(self.policy, route, &subject, self.backend.counters(), now, decision).await?;
        Ok(identity)
    }

    async fn decide(
        &self,
        request: &Request<'_>,
        route: &Route,
        now: UnixMillis,
        decision: &mut Decision,
    ) -> Result<Identity, Error> {
        let known = match self.identify(request, route, now, decision).await {
            Ok(known) => known,
            Err(error) => return Err(self.failures().count(error, request.client_ip, now)),
        };
        let Known { identity, overrides, proof } = known;
        check_scopes(route, &identity)?;
        let subject = limits::Subject {
            identity: &identity,
            client_ip: request.client_ip,
            overrides,
            by_address_only: false,
        };
        self.ask_shared(route, &subject, proof, now, decision).await?;
        let counters = self.backend.counters();
        limits::take(self.policy, route, &subject, counters, now, decision).await?;
        Ok(identity)
    }

    /// Asks what all isolates share and each such request has to ask: the ledger of revocations, and the store of used
    /// proofs. What is known to be refused is refused before: one caller must not be able to keep them busy for all.
    async fn ask_shared(
        &self,
        route: &Route,
        subject: &limits::Subject<'_>,
        proof: Option<VerifiedProof>,
        now: UnixMillis,
        decision: &mut Decision,
    ) -> Result<(), Error> {
        let mode = self.policy.revocation_of(route);
        let late = self.policy.revocation.is_some() && mode == RevocationMode::Ledger;
        let credential = subject.identity.revocable().filter(|_| late);
        if let Some(credential) = &credential {
            let recalled = self.backend.revocations().recalled(mode, &credential.deny_keys());
            revocation::verdict(credential, &recalled, now.to_unix_time())?;
        }
        let shared_proofs = self.policy.replays == Replays::DurableObject;
        if credential.is_some() || (proof.is_some() && shared_proofs) {
            let counters = self.backend.counters();
            limits::refuse_unasked(self.policy, route, subject, counters, now, decision)?;
        }
        if let Some(proof) = proof {
            self.use_proof(&proof, now).await?;
        }
        match &credential {
            Some(credential) => self.check_revocation(credential, mode, now, decision).await,
            None => Ok(()),
        }
    }

    /// Finds out who it is, revocation included, unless that is the ledger's to say.
    async fn identify(
        &self,
        request: &Request<'_>,
        route: &Route,
        now: UnixMillis,
        decision: &mut Decision,
    ) -> Result<Known, Error> {
        let anonymous = Known { identity: Identity::Anonymous, overrides: None, proof: None };
        if route.auth == Auth::None {
            return Ok(anonymous);
        }
        let Some((credential, carrier)) = credential::find(self.policy, request)? else {
            return match route.auth {
                Auth::Required => Err(Error::MissingCredentials),
                Auth::Optional | Auth::None => Ok(anonymous),
            };
        };
        decision.carrier = Some(carrier);
        let mode = self.policy.revocation_of(route);
        match credential {
            Credential::Token(token) => {
                if !route.accept.contains(&CredentialKind::Jwt) {
                    return Err(Error::TokenNotAccepted);
                }
                let verified = self.verify_token(token, now).await?;
                let proof = self.check_binding(token, &verified, carrier, request, now).await?;
                let identity = TokenIdentity::new(verified);
                self.check_unless_ledger(&identity.revocable(), mode, now, decision).await?;
                Ok(Known { identity: Identity::Token(identity), overrides: None, proof })
            }
            Credential::ApiKey(key) => {
                if !route.accept.contains(&CredentialKind::ApiKey) {
                    return Err(Error::ApiKeyNotAccepted);
                }
                let (identity, overrides) =
                    self.verify_api_key(&key, request, mode, now, decision).await?;
                Ok(Known { identity: Identity::ApiKey(identity), overrides, proof: None })
            }
        }
    }

    /// Verifies a token: its own signature checks in here, RSA and ECDSA by the host, Ed25519 where the host takes it.
    pub async fn verify_token(&self, token: &str, now: UnixMillis) -> Result<VerifiedToken, Error> {
        let verifier = self.policy.verifier.as_ref().ok_or(Error::TokenNotAccepted)?;
        let mut pending = verifier.begin(token)?;
        if self.backend.takes_ed25519() {
            pending = pending.offering_ed25519();
        }
        let issuer = pending.issuer().rules.issuer.as_str();
        let remote = self.keys_of(&pending, now).await?;
        let mut step = pending.verify(remote.as_deref())?;
        loop {
            match step {
                Step::Verified(signed) => return signed.claims(now.to_unix_time()),
                Step::NeedsHost(check) => {
                    step = match self.backend.signature_holds(issuer, check.task()).await {
                        Ok(holds) => check.conclude(holds)?,
                        Err(fault) => check.pass_over(fault)?,
                    };
                }
            }
        }
    }

    /// Whether a token that is bound to a key comes from whoever has that key (RFC 9449 §7). The proof, if there has to be
    /// one, is still to be used ([`Self::use_proof`]).
    async fn check_binding(
        &self,
        token: &str,
        verified: &VerifiedToken,
        carrier: Carrier,
        request: &Request<'_>,
        now: UnixMillis,
    ) -> Result<Option<VerifiedProof>, Error> {
        let binding = self.policy.binding_of(verified.issuer());
        if binding == Binding::Off {
            return Ok(None);
        }
        let Some(confirmation) = Confirmation::from_claims(verified.claims())? else {
            let wanted = binding == Binding::Required || carrier == Carrier::Dpop;
            return if wanted { Err(Error::TokenNotBound) } else { Ok(None) };
        };
        // What is bound is no bearer token, wherever it stands (§7.2).
        if carrier != Carrier::Dpop {
            return Err(Error::ProofRequired);
        }
        let invalid = |problem: &str| Error::InvalidProof { problem: problem.to_owned() };
        let proof = request.dpop.ok_or_else(|| invalid("the DPoP header is missing"))?;
        // Otherwise the refusal would say that the proof is about another URL.
        let url = request.url.ok_or_else(|| {
            invalid(
                "the URL of the request is not known; in forward-auth, forward_auth.origin says it",
            )
        })?;
        let rules = ProofRules::default();
        let proof = UntrustedProof::parse(proof, &rules, &confirmation)?;
        let mut step = proof.verify()?;
        let signed = loop {
            match step {
                ProofStep::Verified(signed) => break signed,
                ProofStep::NeedsHost(check) => {
                    let holds = self.backend.signature_holds(verified.issuer(), check.task()).await;
                    let holds = holds.map_err(|fault| match fault {
                        Error::KeysUnavailable { .. } => invalid("jwk is no key of its kind"),
                        fault => fault,
                    })?;
                    step = check.conclude(holds)?;
                }
            }
        };
        let about = ProofRequest { method: request.method, url, access_token: token, nonces: &[] };
        signed.check(&rules, &about, now.to_unix_time()).map(Some)
    }

    /// Takes note that a proof is used, which it can be once.
    async fn use_proof(&self, proof: &VerifiedProof, now: UnixMillis) -> Result<(), Error> {
        let until = u64::try_from(proof.until().as_secs()).unwrap_or(u64::MAX);
        let until = UnixMillis::from_millis(until.saturating_mul(1000));
        match self.backend.replays().is_first(proof.replay_key(), until, now).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::ProofReplayed),
            Err(fault) => Err(unavailable("proofs", &fault)),
        }
    }

    async fn keys_of(
        &self,
        pending: &Pending<'_>,
        now: UnixMillis,
    ) -> Result<Option<Rc<KeySet>>, Error> {
        let issuer = pending.issuer();
        match &issuer.keys {
            KeySource::Fixed(_) => Ok(None),
            KeySource::Remote { uri } => self
                .backend
                .remote_keys(&issuer.rules.issuer, uri, pending.key_id(), now)
                .await
                .map(Some),
        }
    }

    async fn verify_api_key(
        &self,
        presented: &str,
        request: &Request<'_>,
        mode: RevocationMode,
        now: UnixMillis,
        decision: &mut Decision,
    ) -> Result<(ApiKeyIdentity, Option<KeyRecord>), Error> {
        let policy = self.policy.api_keys.as_ref().ok_or(Error::ApiKeyNotAccepted)?;
        let prefix = policy.prefix_of(presented).ok_or(Error::UnknownApiKeyPrefix)?;
        match prefix.format {
            KeyFormat::Edgegate => {
                self.verify_own_key(policy, prefix, presented, mode, now, decision).await
            }
            KeyFormat::Imported => {
                self.verify_imported_key(prefix, presented, request, mode, now, decision).await
            }
        }
    }

    async fn verify_own_key(
        &self,
        policy: &ApiKeyPolicy,
        prefix: &PrefixPolicy,
        presented: &str,
        mode: RevocationMode,
        now: UnixMillis,
        decision: &mut Decision,
    ) -> Result<(ApiKeyIdentity, Option<KeyRecord>), Error> {
        let verified = policy.keys.verify(presented, now.to_unix_time())?;
        let revocable = Revocable::ApiKey { id: verified.id() };
        let record = async {
            match policy.records {
                Records::None => Ok(None),
                Records::Required => self
                    .backend
                    .keys()
                    .record(&verified.id())
                    .await
                    .map_err(keys_unavailable)?
                    .ok_or(Error::UnknownApiKey)
                    .map(Some),
                Records::Optional => {
                    self.backend.keys().record(&verified.id()).await.map_err(keys_unavailable)
                }
            }
        };
        // Both reads start at once: together they take as long as the slower one.
        let revoked = self.check_unless_ledger(&revocable, mode, now, decision);
        let (record, revoked) = join(record, revoked).await;
        revoked?;
        let record = record?;
        let identity = match &record {
            Some(record) => {
                record.check(now.to_unix_time())?;
                ApiKeyIdentity::new(prefix, record)
            }
            None => {
                let scopes = policy.scopes_without_record(prefix);
                ApiKeyIdentity::without_record(verified.id(), scopes)
            }
        };
        Ok((identity, record))
    }

    async fn verify_imported_key(
        &self,
        prefix: &PrefixPolicy,
        presented: &str,
        request: &Request<'_>,
        mode: RevocationMode,
        now: UnixMillis,
        decision: &mut Decision,
    ) -> Result<(ApiKeyIdentity, Option<KeyRecord>), Error> {
        let hash = ImportedHash::of(presented);
        let (keys, id) = (self.backend.keys(), hash.key_id());
        // Each value that is made up costs a look-up, so there is a bound on those.
        let look_up = if keys.remembers(&id) {
            None
        } else {
            Some(self.failures().look_up(request.client_ip, now)?)
        };
        let record = keys
            .record(&id)
            .await
            .map_err(keys_unavailable)?
            .filter(|record| record.is_import_of(&hash))
            .ok_or(Error::UnknownApiKey)?;
        if let Some(look_up) = look_up {
            self.failures().found(look_up, now);
        }
        let revocable = Revocable::ApiKey { id: record.id };
        self.check_unless_ledger(&revocable, mode, now, decision).await?;
        record.check(now.to_unix_time())?;
        Ok((ApiKeyIdentity::new(prefix, &record), Some(record)))
    }

    /// Revocation by what isolates remember. The ledger, which is asked each time, has its turn after what is cheap
    /// ([`Self::ask_shared`]).
    async fn check_unless_ledger(
        &self,
        credential: &Revocable<'_>,
        mode: RevocationMode,
        now: UnixMillis,
        decision: &mut Decision,
    ) -> Result<(), Error> {
        match mode {
            RevocationMode::Ledger => Ok(()),
            _ => self.check_revocation(credential, mode, now, decision).await,
        }
    }

    async fn check_revocation(
        &self,
        credential: &Revocable<'_>,
        mode: RevocationMode,
        now: UnixMillis,
        decision: &mut Decision,
    ) -> Result<(), Error> {
        let Some(policy) = self.policy.revocation.as_ref() else { return Ok(()) };
        let keys = credential.deny_keys();
        let store = self.backend.revocations();
        let found = store.entries_by(mode, &keys).await;
        if mode == RevocationMode::Snapshot {
            decision.snapshot = store.snapshot(now);
        }
        // A store that answers for fewer keys than it was asked about has not said that nothing is
        // under the others.
        let found = found.and_then(|entries| {
            let problem = || format!("{} answers, expected {}", entries.len(), keys.len());
            if entries.len() == keys.len() { Ok(entries) } else { Err(StoreError::new(problem())) }
        });
        match found {
            Ok(entries) => {
                revocation::verdict(credential, entries.iter().flatten(), now.to_unix_time())
            }
            Err(fault) => {
                let fault = unavailable("revocation", &fault);
                match policy.on_error {
                    OnError::Deny => Err(fault),
                    OnError::Allow => {
                        decision.faults.push(fault);
                        Ok(())
                    }
                }
            }
        }
    }

    fn failures(&self) -> Failures<'_> {
        Failures::new(self.policy, self.backend.failures())
    }
}

fn keys_unavailable(fault: StoreError) -> Error {
    unavailable("keys", &fault)
}

fn unavailable(store: &'static str, fault: &StoreError) -> Error {
    Error::StoreUnavailable { store, problem: fault.to_string() }
}

fn check_scopes(route: &Route, identity: &Identity) -> Result<(), Error> {
    // An optional route without a credential: scopes are asked of those who say who they are.
    if matches!(identity, Identity::Anonymous) {
        return Ok(());
    }
    let has = |scope: &String| identity.scopes().iter().any(|own| own == scope);
    let missing_all = !route.all_scopes.iter().all(has);
    let missing_any = !route.any_scopes.is_empty() && !route.any_scopes.iter().any(has);
    if missing_all || missing_any {
        let required: Vec<&str> =
            route.all_scopes.iter().chain(&route.any_scopes).map(String::as_str).collect();
        return Err(Error::InsufficientScope { required: required.join(" ") });
    }
    Ok(())
}
