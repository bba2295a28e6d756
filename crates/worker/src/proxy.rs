//! Passing an admitted request on. Bodies stream both ways; redirects are the caller's to follow.

use core::time::Duration;

use wasm_bindgen::JsCast as _;
use web_sys::{AbortController, AbortSignal, Request, Response};
use worker::{Env, js_sys, wasm_bindgen_futures::JsFuture};

use super::{
    application::Application,
    deadline,
    gate::Gate,
    headers,
    host::{self, Names},
    reply,
    request::RequestParts,
    sessions,
};
use edgegate::{
    error::Error,
    guard::{Decision, Identity},
    http::{
        caching::CacheRule,
        cors,
        reply::{Fields, fixed_fields, identity_fields, limit_fields},
    },
    policy::{Address, Destination, FixedAnswer, Policy, Upstream},
    session::identity_token,
};

/// The service binding that takes the place of `upstream`.
const SERVICE: &str = "UPSTREAM";

/// Where admitted requests go whose route does not say: to the policy's `upstream`, or else the service binding, or else nowhere.
/// Then the gate answers with the identity.
pub(super) fn default_upstream(policy: &Policy, env: &Env) -> Option<Upstream> {
    let bound = || env.service(SERVICE).is_ok();
    policy
        .upstream
        .clone()
        .or_else(|| bound().then(|| Upstream::at(Address::Service(SERVICE.to_owned()))))
}

/// An admitted request on its way to the target.
pub(crate) struct Forwarding<'a> {
    pub(crate) request: &'a Request,
    pub(crate) parts: &'a RequestParts<'a>,
    pub(crate) identity: &'a Identity,
    pub(crate) decision: &'a Decision,
    pub(crate) policy: &'a Policy,
    pub(crate) gate: &'a Gate,
    /// Who it is, signed for the service, where the policy says so.
    pub(crate) identity_token: Option<String>,
    /// Where it goes if its route does not say; `None`: the gate answers.
    pub(crate) upstream: Option<&'a Upstream>,
    /// The headers of an answer that caches look at.
    pub(crate) caching: &'a Names,
    pub(crate) env: &'a Env,
    /// Takes the place of the target.
    pub(crate) application: Option<Application<'a>>,
}

impl Forwarding<'_> {
    /// Passes the request on and the answer back.
    ///
    /// # Errors
    /// [`Error::Upstream`] if no answer comes, or one whose status HTTP does not know; [`Error::UpstreamTimeout`] if none comes
    /// in time. An answer with an error status is an answer.
    pub(crate) async fn forward(&self) -> Result<Response, Error> {
        let rule = CacheRule::of(self.policy, self.identity, self.decision);
        let of_route = match self.decision.destination.as_deref() {
            Some(Destination::Answer(answer)) => return self.fixed(answer).map_err(failed),
            Some(Destination::Upstream(upstream)) => Some(upstream),
            None => None,
        };
        let answer = match (self.application, of_route.or(self.upstream)) {
            (Some(application), _) => {
                let outgoing = self.outgoing(&self.own_origin(), self.parts.target, &rule, None);
                application(outgoing.map_err(failed)?).await.map_err(failed)?
            }
            (None, Some(upstream)) => self.ask(upstream, &rule).await?,
            (None, None) => return self.demo().map_err(failed),
        };
        self.passed_back(answer, &rule).map_err(failed)
    }

    /// Asks the upstream, again where there was no connection and asking twice changes nothing.
    async fn ask(&self, upstream: &Upstream, rule: &CacheRule) -> Result<Response, Error> {
        let target = upstream.target(self.parts.target)?;
        let mut retries = if self.is_repeatable() { upstream.retries } else { 0 };
        loop {
            let asked = self.ask_once(upstream, &target, rule).await;
            match (asked, retries.checked_sub(1)) {
                (Err(Error::Upstream { .. }), Some(left)) => retries = left,
                (asked, _) => return asked,
            }
        }
    }

    async fn ask_once(
        &self,
        upstream: &Upstream,
        target: &str,
        rule: &CacheRule,
    ) -> Result<Response, Error> {
        let Some(millis) = upstream.timeout_ms else {
            return self.send(upstream, target, rule, None).await.map_err(failed);
        };
        let controller = AbortController::new().map_err(|fault| failed(fault.into()))?;
        let sent = self.send(upstream, target, rule, Some(controller.signal()));
        match deadline::within(Duration::from_millis(millis.into()), sent).await {
            Some(answer) => answer.map_err(failed),
            None => {
                controller.abort();
                Err(Error::UpstreamTimeout { millis })
            }
        }
    }

    async fn send(
        &self,
        upstream: &Upstream,
        target: &str,
        rule: &CacheRule,
        signal: Option<AbortSignal>,
    ) -> worker::Result<Response> {
        match &upstream.address {
            Address::Url(base) => fetch(&self.outgoing(base, target, rule, signal)?).await,
            Address::Service(name) => {
                let outgoing = self.outgoing(&self.own_origin(), target, rule, signal)?;
                let service = self.env.service(name)?;
                Ok(service.fetch_request(worker::Request::from(outgoing)).await?.into())
            }
        }
    }

    /// Whether the request can be sent again: nothing changes by it (RFC 9110 §9.2.1), and there is no body that would be
    /// gone.
    fn is_repeatable(&self) -> bool {
        matches!(self.parts.method, "GET" | "HEAD" | "OPTIONS") && self.request.body().is_none()
    }

    fn own_origin(&self) -> String {
        origin_of(&self.request.url())
    }

    /// The request as the upstream gets it. A preflight has no content that anybody would need (Fetch standard), so none
    /// goes along.
    fn outgoing(
        &self,
        base: &str,
        target: &str,
        rule: &CacheRule,
        signal: Option<AbortSignal>,
    ) -> worker::Result<Request> {
        let url = format!("{base}{target}");
        let with_body = self.decision.preflight.is_none();
        let outgoing = host::readdress(self.request, &url, with_body, rule.private, signal)?;
        let own = outgoing.headers();
        headers::strip_inbound(&own, self.policy, self.decision.carrier)?;
        headers::set_forwarded(&own, &self.parts.as_request())?;
        headers::set_identity(&own, self.identity)?;
        if let Some(token) = &self.identity_token {
            own.set(identity_token::FIELD, token)?;
        }
        Ok(outgoing)
    }

    /// The answer as the caller gets it: with the limits, and with what browsers and caches have to be told. Without these it goes
    /// back exactly as it came. So does a switch of protocols, which no cache stores.
    fn passed_back(&self, answer: Response, rule: &CacheRule) -> worker::Result<Response> {
        match answer.status() {
            101 => return Ok(answer),
            200..=599 => {}
            // RFC 9110 §15 knows no other status, and the platform can make none. Whether the gate has to change
            // something of the answer must not decide.
            status => {
                return Err(worker::Error::from(format!("status {status}, expected 200 to 599")));
            }
        }
        let mut fields = self.limit_fields();
        let preflight = self.decision.preflight.is_some();
        let of_cors = self.decision.cors.as_deref();
        fields.extend(cors::amending_fields(of_cors, self.parts.origin(), preflight));
        if !rule.is_nothing() {
            let own = host::read_answer(&answer, self.caching)?;
            fields.extend(rule.amend(own.split('\n')));
        }
        fields.extend(self.cookie_fields());
        if fields.is_empty() {
            return Ok(answer);
        }
        host::amend(&answer, fields.iter().map(|(name, value)| (*name, value.as_str())))
    }

    /// The answer that the route has, without asking anybody.
    fn fixed(&self, answer: &FixedAnswer) -> worker::Result<Response> {
        let mut fields = self.limit_fields();
        fields.extend(self.refusal_fields());
        if self.decision.preflight.is_some() {
            return reply::empty_with(204, reply::lent(&fields));
        }
        fields.extend(fixed_fields(answer));
        reply::whole(answer.status, &fields, &answer.body)
    }

    /// What the gate's own answer says to the browser.
    fn refusal_fields(&self) -> Fields {
        let mut fields = cors::refusal_fields(self.decision.cors.as_deref(), self.parts.origin());
        fields.extend(self.cookie_fields());
        fields
    }

    fn cookie_fields(&self) -> Fields {
        sessions::cookie_fields(&self.decision.session, self.gate)
    }

    /// The answer where nothing is behind the gate: the identity that it saw.
    fn demo(&self) -> worker::Result<Response> {
        let identity = self.identity;
        let mut fields = identity_fields(identity);
        fields.extend(self.limit_fields());
        fields.extend(self.refusal_fields());
        if self.decision.preflight.is_some() {
            return reply::empty_with(204, reply::lent(&fields));
        }
        let seen = DemoAnswer {
            method: identity.method(),
            subject: identity.subject(),
            issuer: identity.issuer(),
            scopes: identity.scopes(),
            key_id: identity.api_key_id().map(ToString::to_string),
        };
        reply::json_with(200, &seen, reply::lent(&fields).chain(identity.told()))
    }

    fn limit_fields(&self) -> Fields {
        limit_fields(&self.decision.limits, self.policy.legacy_headers)
    }
}

fn failed(fault: worker::Error) -> Error {
    Error::Upstream { problem: fault.to_string() }
}

async fn fetch(request: &Request) -> worker::Result<Response> {
    let global: web_sys::WorkerGlobalScope = js_sys::global().unchecked_into();
    let answer = JsFuture::from(global.fetch_with_request(request)).await?;
    Ok(answer.dyn_into()?)
}

#[derive(serde::Serialize)]
struct DemoAnswer<'a> {
    method: &'a str,
    subject: Option<&'a str>,
    issuer: Option<&'a str>,
    scopes: &'a [String],
    key_id: Option<String>,
}

/// Scheme and host of an absolute URL.
fn origin_of(url: &str) -> String {
    let target = edgegate::guard::target_of(url);
    url.strip_suffix(&target).unwrap_or(url).to_owned()
}
