//! The answer to a request, put together from what each step came to.

use std::sync::Arc;

use super::{Carrier, Identity, LimitReport, SessionNote};
use crate::{
    error::Error,
    policy::{Auth, Cors, Destination, Preflight, Route, RouteGrant},
    store::SnapshotState,
};

/// The answer, with everything an edge needs to carry it out.
#[derive(Debug)]
pub struct Decision {
    /// Who it is, or why not.
    pub outcome: Result<Identity, Error>,
    /// Who it is, if the request is refused though that is known. It is for the watch, and for nobody else.
    pub known: Option<Box<Identity>>,
    /// A number for the name that somebody tried to log in by. It is for the watch, and for nobody else.
    pub tried: Option<u64>,
    /// How the credential came, if there was one.
    pub carrier: Option<Carrier>,
    /// The path pattern of the route; empty if the path itself was refused.
    pub route: String,
    /// Whether the route takes anonymous callers beside others, who are answered under the same URLs.
    pub shared_url: bool,
    /// Whether the route is for certain networks only: who else may have the answer is not for a cache to say.
    pub for_networks: bool,
    /// What the route does with CORS preflights, if the request is one.
    pub preflight: Option<Preflight>,
    /// Pages of which other origins may read the answer.
    pub cors: Option<Arc<Cors>>,
    /// What answers the request, if it is admitted and the route says so.
    pub destination: Option<Arc<Destination>>,
    /// For which audience the service is told by a signed token who is calling; `None`: it is not.
    pub identity_audience: Option<String>,
    /// The limits that were asked, in the order of the route.
    pub limits: Vec<LimitReport>,
    /// Store faults that the policy lets pass.
    pub faults: Vec<Error>,
    /// The snapshot of revocations that was looked into, if one was.
    pub snapshot: Option<SnapshotState>,
    /// What the edge is to do about the gate's own sessions.
    pub session: SessionNote,
}

impl Decision {
    /// Whether this is a CORS preflight that the gate answers itself, with 204 in place of the refusal that `outcome`
    /// holds.
    #[must_use]
    pub fn answers_preflight(&self) -> bool {
        self.preflight == Some(Preflight::Answer)
            && matches!(self.outcome, Err(Error::PreflightNotPassed))
    }

    /// Where the edge cannot speak to the caller, as in forward-auth, what the gate would answer itself is refused: a
    /// preflight, and a request for a route with `answer` or `grant`. Any other word would have it passed on, and nobody behind the gate
    /// is to be asked.
    pub fn refuse_own_answers(&mut self) {
        if self.answers_preflight() {
            self.preflight = Some(Preflight::Refuse);
        }
        let answers = matches!(self.destination.as_deref(), Some(Destination::Answer(_)));
        // Nobody else has the token of a grant.
        let is_own = answers || self.grant().is_some();
        if self.outcome.is_ok() && is_own {
            self.outcome = Err(Error::AnswerNotPassed);
        }
    }

    /// Refuses a request after all that was let in, for what the gate lacks to pass it on. Who it is stays known.
    pub fn refuse_after_all(&mut self, fault: Error) {
        if let Ok(identity) = core::mem::replace(&mut self.outcome, Err(fault)) {
            self.known = Some(identity.into());
        }
    }

    /// By which account of the caller's the request is made, where its route says so.
    #[must_use]
    pub fn grant(&self) -> Option<&RouteGrant> {
        match self.destination.as_deref()? {
            Destination::Upstream(upstream) => upstream.grant.as_ref(),
            Destination::Answer(_) => None,
        }
    }

    /// Whether the request goes to a provider itself, with the token of an account of the caller's.
    #[must_use]
    pub fn goes_to_a_provider(&self) -> bool {
        self.grant().is_some_and(|grant| grant.header.is_none())
    }

    /// A refusal that was decided without asking limits.
    #[must_use]
    pub fn refused(error: Error, carrier: Option<Carrier>, route: &str) -> Self {
        Self {
            outcome: Err(error),
            known: None,
            tried: None,
            carrier,
            route: route.to_owned(),
            shared_url: false,
            for_networks: false,
            preflight: None,
            cors: None,
            destination: None,
            identity_audience: None,
            limits: Vec::new(),
            faults: Vec::new(),
            snapshot: None,
            session: SessionNote::default(),
        }
    }

    /// Before the first step on this route: nobody is known, and nothing was asked.
    pub(super) fn on(route: &Route) -> Self {
        Self {
            outcome: Ok(Identity::Anonymous),
            known: None,
            tried: None,
            carrier: None,
            route: route.path().to_owned(),
            shared_url: route.auth == Auth::Optional,
            for_networks: !route.ips.is_empty(),
            preflight: None,
            cors: route.cors.clone(),
            destination: route.destination.clone(),
            identity_audience: None,
            limits: Vec::new(),
            faults: Vec::new(),
            snapshot: None,
            session: SessionNote::default(),
        }
    }

    /// Takes in what a step came to. The verdict is given back.
    pub(super) fn take_in(&mut self, step: StepOutcome) -> Result<(), Error> {
        self.limits.extend(step.limits);
        self.faults.extend(step.faults);
        self.snapshot = step.snapshot.or(self.snapshot);
        step.verdict
    }
}

/// What a step that asks stores came to, and what the decision tells of it, whether it refused or not.
#[derive(Debug)]
#[must_use = "the verdict may be a refusal"]
pub(super) struct StepOutcome {
    pub(super) verdict: Result<(), Error>,
    pub(super) limits: Vec<LimitReport>,
    pub(super) faults: Vec<Error>,
    pub(super) snapshot: Option<SnapshotState>,
}

impl Default for StepOutcome {
    /// Nothing was asked, and nothing refused.
    fn default() -> Self {
        Self { verdict: Ok(()), limits: Vec::new(), faults: Vec::new(), snapshot: None }
    }
}
