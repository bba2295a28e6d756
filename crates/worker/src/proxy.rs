//! Passing an admitted request on. Bodies stream both ways; redirects are the caller's to follow.

use wasm_bindgen::JsCast as _;
use web_sys::{Request, Response};
use worker::{Env, js_sys, wasm_bindgen_futures::JsFuture};

use super::{
    application::Application,
    headers,
    host::{self, Names},
    reply,
    request::RequestParts,
};
use edgegate::{
    error::Error,
    guard::{Decision, Identity},
    http::{
        caching::CacheRule,
        cors,
        reply::{Fields, identity_fields, limit_fields},
    },
    policy::Policy,
};

/// The service binding that takes the place of `upstream`.
const SERVICE: &str = "UPSTREAM";

/// Where admitted requests go.
#[derive(Debug)]
pub(super) enum Target {
    /// To this origin, with the path of the request behind it.
    Url(String),
    /// To the Worker that is bound as [`SERVICE`].
    Service,
    /// Nowhere: the gate answers with the identity.
    Nothing,
}

impl Target {
    /// The policy's `upstream`, or else the service binding, or else nothing.
    pub(super) fn of(policy: &Policy, env: &Env) -> Self {
        match &policy.upstream {
            Some(url) => Self::Url(url.clone()),
            None if env.service(SERVICE).is_ok() => Self::Service,
            None => Self::Nothing,
        }
    }
}

/// An admitted request on its way to the target.
pub(crate) struct Forwarding<'a> {
    pub(crate) request: &'a Request,
    pub(crate) parts: &'a RequestParts<'a>,
    pub(crate) identity: &'a Identity,
    pub(crate) decision: &'a Decision,
    pub(crate) policy: &'a Policy,
    pub(crate) target: &'a Target,
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
    /// [`Error::Upstream`] if no answer comes, or one whose status HTTP does not know. An answer with an error status is an
    /// answer.
    pub(crate) async fn forward(&self) -> Result<Response, Error> {
        self.send().await.map_err(|fault| Error::Upstream { problem: fault.to_string() })
    }

    async fn send(&self) -> worker::Result<Response> {
        let rule = CacheRule::of(self.policy, self.identity, self.decision);
        let own_origin = || origin_of(&self.request.url());
        let answer = match (self.application, self.target) {
            (Some(application), _) => application(self.outgoing(&own_origin(), &rule)?).await?,
            (None, Target::Nothing) => return self.demo(),
            (None, Target::Url(base)) => fetch(&self.outgoing(base, &rule)?).await?,
            (None, Target::Service) => {
                let outgoing = self.outgoing(&own_origin(), &rule)?;
                let service = self.env.service(SERVICE)?;
                service.fetch_request(worker::Request::from(outgoing)).await?.into()
            }
        };
        self.passed_back(answer, &rule)
    }

    /// The request as the upstream gets it. A preflight has no content that anybody would need (Fetch standard), so none
    /// goes along.
    fn outgoing(&self, base: &str, rule: &CacheRule) -> worker::Result<Request> {
        let url = format!("{base}{}", self.parts.target);
        let with_body = self.decision.preflight.is_none();
        let outgoing = host::readdress(self.request, &url, with_body, rule.private)?;
        let own = outgoing.headers();
        headers::strip_inbound(&own, self.policy, self.decision.carrier)?;
        headers::set_forwarded(&own, &self.parts.as_request())?;
        headers::set_identity(&own, self.identity)?;
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
        if fields.is_empty() {
            return Ok(answer);
        }
        host::amend(&answer, fields.iter().map(|(name, value)| (*name, value.as_str())))
    }

    /// The answer where nothing is behind the gate: the identity that it saw.
    fn demo(&self) -> worker::Result<Response> {
        let identity = self.identity;
        let mut fields = identity_fields(identity);
        fields.extend(self.limit_fields());
        fields.extend(cors::refusal_fields(self.decision.cors.as_deref(), self.parts.origin()));
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
