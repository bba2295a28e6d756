//! A request under a valid policy, and the steps that endpoints have in common: decide, refuse, write to the log.

use std::rc::Rc;

use web_sys::{Request, Response};
use worker::{Context, Env};

use super::{
    application::Application,
    clock, event_log,
    gate::Gate,
    grants::OwnGrants,
    host::RequestLines,
    reply,
    request::{RequestParts, header},
    session_work, watch,
};
use edgegate::{
    cold_path::cold,
    error::Error,
    guard::{self, AccountEvent, AskedBy, Decision, Guard, Insecure},
    http::{
        cors,
        reply::{Fields, TO_HTTPS_STATUS, limit_fields},
    },
    policy::{ACCOUNT_HEADER, Cors},
    secret::Secret,
    session::record::Device,
};

/// A request that an endpoint or the proxy answers.
pub(crate) struct Call<'a> {
    pub(crate) request: &'a Request,
    pub(crate) env: &'a Env,
    pub(crate) context: &'a Context,
    pub(crate) gate: &'a Rc<Gate>,
    /// The request as it was read, with the headers that are the caller's own.
    pub(crate) lines: &'a RequestLines,
    /// The path with its query, as the platform has it.
    pub(crate) target: &'a str,
    /// What answers admitted requests in this Worker.
    pub(crate) application: Option<Application<'a>>,
}

/// Who carries the traffic.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    Proxy,
    ForwardAuth,
}

impl Call<'_> {
    /// The parts of the request itself that the guard decides on.
    pub(crate) fn parts(&self) -> RequestParts<'_> {
        RequestParts::of(self.request, self.lines, self.target, &self.gate.policy)
    }

    /// From where a session is opened, as its owner is shown.
    pub(crate) fn device(&self) -> Device {
        let agent = header(&self.request.headers(), "User-Agent");
        let parts = self.parts();
        let country = country(self.request).filter(|_| self.is_from_the_caller());
        Device::seen(agent.as_deref(), country, parts.as_request().client())
    }

    /// Whether the connection is the caller's own: behind another proxy, what the platform knows of it is known of that proxy.
    fn is_from_the_caller(&self) -> bool {
        self.gate.policy.client_ip_header.is_of_the_platform()
    }

    /// Asks the guard, and writes its decision to the log. Once nothing can change it any more, it is to be counted.
    pub(crate) async fn decide(&self, parts: &RequestParts<'_>, edge: Edge) -> Decision {
        self.gate.note_address(parts);
        let backend = self.gate.backend(self.env, self.context);
        let guard = Guard::new(&self.gate.policy, &backend);
        let mut decision = guard.check(&parts.as_request(), clock::now()).await;
        if edge == Edge::ForwardAuth {
            decision.refuse_own_answers();
        }
        event_log::decision(&self.gate.policy, parts, &decision);
        if !decision.session.is_done() {
            session_work::work_off(self.gate, (self.env, self.context), &decision.session);
        }
        if let Ok(identity) = &decision.outcome {
            self.gate.note_use(identity, self.env, self.context);
        }
        decision
    }

    /// Counts a decision.
    #[inline]
    pub(crate) fn count(&self, parts: &RequestParts<'_>, decision: &Decision, edge: Edge) {
        if self.gate.policy.watch.is_some() {
            let is_direct = || edge == Edge::Proxy && self.is_from_the_caller();
            let of_request = (self.request, &is_direct as &dyn Fn() -> bool);
            watch::note(self.gate, (self.env, self.context), of_request, (parts, decision));
        }
    }

    /// Writes a refusal by one of the gate's own endpoints to the log, and counts it: whoever guesses there is to be seen as elsewhere.
    #[inline(never)]
    pub(crate) fn note_refusal(&self, parts: &RequestParts<'_>, decision: &Decision) {
        event_log::decision(&self.gate.policy, parts, decision);
        self.count(parts, decision, Edge::Proxy);
    }

    /// Writes what has become of accounts to the log, and counts it.
    #[inline(never)]
    pub(crate) fn note_accounts(
        &self,
        parts: &RequestParts<'_>,
        by: AskedBy<'_>,
        done: &[AccountEvent],
    ) {
        let of_request = (self.request, self.is_from_the_caller());
        for one in done {
            event_log::account(&self.gate.policy, parts, (by, one));
            watch::note_account(self.gate, (self.env, self.context), of_request, parts, (by, one));
        }
    }

    /// Refuses a request after all, once the guard has let it in.
    pub(crate) fn refuse_after_all(
        &self,
        parts: &RequestParts<'_>,
        decision: &mut Decision,
        fault: Error,
    ) {
        decision.refuse_after_all(fault);
        event_log::decision(&self.gate.policy, parts, decision);
    }

    /// Who the caller is, signed for the service, where the policy says so. Of a preflight nobody is known.
    ///
    /// # Errors
    /// Those of signing.
    pub(crate) async fn identity_token(
        &self,
        decision: &Decision,
    ) -> Result<Option<String>, Error> {
        let wanted = decision.identity_audience.as_deref().filter(|_| decision.preflight.is_none());
        let (Some(audience), Ok(identity), Some(own)) =
            (wanted, &decision.outcome, &self.gate.policy.sessions)
        else {
            return Ok(None);
        };
        let sessions = self.gate.sessions(self.env, self.context);
        let caller = (identity, audience);
        let token = guard::session::identity_token(&sessions, own, caller, clock::now());
        cold(token).await.map(Some)
    }

    /// Both tokens that the service may be sent beside the request: [`Self::identity_token`] and [`Self::grant_token`].
    ///
    /// # Errors
    /// Theirs.
    pub(crate) async fn tokens(
        &self,
        decision: &Decision,
    ) -> Result<(Option<String>, Option<Secret>), Error> {
        if !Self::wants_tokens(decision) {
            return Ok((None, None));
        }
        let identity_token = self.identity_token(decision).await?;
        Ok((identity_token, self.grant_token(decision).await?))
    }

    /// Whether the service may be sent one of [`Self::tokens`].
    pub(crate) fn wants_tokens(decision: &Decision) -> bool {
        decision.identity_audience.is_some() || decision.grant().is_some()
    }

    /// The token of the caller's account at a provider, where the route uses one.
    ///
    /// # Errors
    /// There is none that can be used.
    async fn grant_token(&self, decision: &Decision) -> Result<Option<Secret>, Error> {
        let (Some(grant), Ok(identity)) = (decision.grant(), &decision.outcome) else {
            return Ok(None);
        };
        let account = header(&self.request.headers(), ACCOUNT_HEADER);
        let asked = (identity, grant, account.as_deref());
        cold(OwnGrants::token(self.gate, self.env, asked)).await.map(Some)
    }

    /// The answer to a request over plain http, where the policy wants https. A refusal is written to the log: the credential
    /// that came along is known to others.
    #[inline(never)]
    pub(crate) fn refuse_plain_http(&self) -> worker::Result<Option<Response>> {
        let (parts, policy) = (self.parts(), &self.gate.policy);
        let Some(insecure) = guard::insecure(policy, &parts.as_request()) else { return Ok(None) };
        let answer = match insecure {
            Insecure::Redirected(url) => {
                reply::empty_with(TO_HTTPS_STATUS, [("Location", url.as_str())])
            }
            Insecure::Refused(error) => {
                let refused = Decision::refused(error, None, "");
                let decision = Decision { cors: policy.cors.clone(), ..refused };
                self.note_refusal(&parts, &decision);
                self.refuse(&parts, &decision)
            }
        };
        answer.map(Some)
    }

    /// The answer to a CORS preflight that goes no further.
    #[inline(never)]
    pub(crate) fn answer_preflight(
        &self,
        parts: &RequestParts<'_>,
        decision: &Decision,
    ) -> worker::Result<Response> {
        self.answer_preflight_by(parts, decision.cors.as_deref(), parts.origin())
    }

    /// The same by a rule of the gate's own.
    pub(crate) fn answer_preflight_by(
        &self,
        parts: &RequestParts<'_>,
        cors: Option<&Cors>,
        origin: Option<&str>,
    ) -> worker::Result<Response> {
        let asked =
            cors.and_then(|_| header(&self.request.headers(), "Access-Control-Request-Headers"));
        let method = parts.as_request().preflight;
        reply::preflight(&cors::preflight_fields(cors, origin, method, asked.as_deref()))
    }

    /// The answer to a refused decision, with the limits that were asked.
    #[inline(never)]
    pub(crate) fn refuse(
        &self,
        parts: &RequestParts<'_>,
        decision: &Decision,
    ) -> worker::Result<Response> {
        self.refuse_with(parts, decision, Fields::new())
    }

    /// The same with more fields.
    pub(crate) fn refuse_with(
        &self,
        parts: &RequestParts<'_>,
        decision: &Decision,
        more: Fields,
    ) -> worker::Result<Response> {
        let Err(error) = &decision.outcome else {
            return reply::refusal(self.request, &Error::NotFound, None);
        };
        let mut fields = limit_fields(&decision.limits, self.gate.policy.legacy_headers);
        fields.extend(cors::refusal_fields(decision.cors.as_deref(), parts.origin()));
        fields.extend(session_work::cookie_fields(&decision.session, self.gate));
        fields.extend(more);
        let metadata = self.gate.policy.resource_metadata.as_deref();
        reply::refusal_with(
            self.request,
            error,
            decision.carrier,
            metadata,
            reply::lent(&fields).collect(),
        )
    }
}

/// The caller's country, as the platform knows it.
fn country(request: &web_sys::Request) -> Option<String> {
    let get = |from: &wasm_bindgen::JsValue, name: &str| {
        worker::js_sys::Reflect::get(from, &name.into()).ok()
    };
    let country = get(&get(request.as_ref(), "cf")?, "country")?.as_string()?;
    (country.len() == 2).then_some(country)
}
