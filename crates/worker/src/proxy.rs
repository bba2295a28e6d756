//! Passing an admitted request on. Bodies stream both ways; redirects are the caller's to follow.

use std::borrow::Cow;

use web_sys::{Request, Response};
use worker::Env;

use super::{
    answered::Answered,
    application::Application,
    gate::Gate,
    headers::{self, Change},
    host::RequestLines,
    plan::{Plan, Prepared, Way},
    reply,
    request::RequestParts,
    session_work,
};
use edgegate::{
    cold_path::cold,
    error::Error,
    guard::{Decision, Identity, PassedOn},
    http::{
        caching::CacheRule,
        cors,
        reply::{Fields, fixed_fields, identity_fields, limit_fields},
    },
    policy::{ANSWER_FIELDS, Address, Destination, FixedAnswer, Policy, Upstream},
    secret::Secret,
    session::identity_token,
};

/// Sent where an answer is for its caller alone, for caches that are not the platform's. A caller's own `max-stale` or `only-if-cached`
/// does not count.
const PAST_CACHES: Change<'_> = ("Cache-Control", Cow::Borrowed("no-cache, no-store"));

/// An admitted request on its way to the target.
pub(crate) struct Forwarding<'a> {
    pub(crate) request: &'a Request,
    /// The request as it was read.
    pub(crate) lines: &'a RequestLines,
    pub(crate) parts: &'a RequestParts<'a>,
    pub(crate) identity: &'a Identity,
    pub(crate) decision: &'a Decision,
    pub(crate) policy: &'a Policy,
    pub(crate) gate: &'a Gate,
    /// Who it is, signed for the service, where the policy says so.
    pub(crate) identity_token: Option<String>,
    /// The token of the caller's account at a provider, where the route uses one.
    pub(crate) grant_token: Option<Secret>,
    /// Where it goes if its route does not say; `None`: the gate answers.
    pub(crate) upstream: Option<&'a Upstream>,
    pub(crate) env: &'a Env,
    /// Takes the place of the target.
    pub(crate) application: Option<Application<'a>>,
}

impl Forwarding<'_> {
    /// Passes the request on and the answer back.
    ///
    /// # Errors
    /// [`Error::Upstream`] if an application gives no answer, or one whose status HTTP does not know. An upstream that does so is
    /// answered for in JavaScript.
    pub(crate) async fn forward(&self) -> Result<Answered, Error> {
        let of_route = match self.decision.destination.as_deref() {
            Some(Destination::Answer(answer)) => {
                return self.fixed(answer).map(Answered::Own).map_err(failed);
            }
            Some(Destination::Upstream(upstream)) => Some(upstream),
            None => None,
        };
        match (self.application, of_route.or(self.upstream)) {
            // The provider of a grant is no service of the application's.
            (Some(application), upstream) if upstream.is_none_or(|own| own.grant.is_none()) => {
                cold(self.ask(application)).await.map_err(failed)
            }
            (_, Some(upstream)) => self.pass_on(upstream),
            (_, None) => self.demo().map(Answered::Own).map_err(failed),
        }
    }

    async fn ask(&self, application: Application<'_>) -> worker::Result<Answered> {
        let url = format!("{}{}", self.own_origin(), self.parts.target);
        let plan = self.plan(Way {
            url: &url,
            service: None,
            timeout_ms: None,
            retries: 0,
            with_body: self.passes_body(),
        })?;
        let answer = application(plan.outgoing(self.request)?).await?;
        Ok(Answered::Finished(plan.tell(&answer)?.into()))
    }

    fn pass_on(&self, upstream: &Upstream) -> Result<Answered, Error> {
        let target = upstream.target(self.parts.target)?;
        let (base, service) = match &upstream.address {
            Address::Url(base) => (base.as_str(), None),
            Address::Service(name) => (self.own_origin(), Some(name.as_str())),
        };
        let mut url = String::with_capacity(base.len().saturating_add(target.len()));
        url.push_str(base);
        url.push_str(&target);
        let plan = self.plan(Way {
            url: &url,
            service,
            timeout_ms: upstream.timeout_ms,
            retries: if upstream.retries > 0 && self.is_repeatable() {
                upstream.retries
            } else {
                0
            },
            with_body: self.passes_body(),
        });
        let promise = plan.map_err(failed)?.pass_on(self.request, self.env);
        Ok(Answered::Finished(promise.into()))
    }

    /// Whether the request can be sent again: nothing changes by it (RFC 9110 §9.2.1), and there is no body that would be
    /// gone.
    fn is_repeatable(&self) -> bool {
        matches!(self.parts.method, "GET" | "HEAD" | "OPTIONS") && self.request.body().is_none()
    }

    /// A preflight has no content that anybody would need (Fetch standard), so none goes along.
    const fn passes_body(&self) -> bool {
        self.decision.preflight.is_none()
    }

    fn own_origin(&self) -> &str {
        origin_of(self.lines.url(), self.parts.target)
    }

    /// The request as the upstream gets it and the answer as the caller does: with the limits, and with what browsers and caches
    /// have to be told. Without these it goes back exactly as it came.
    fn plan(&self, way: Way<'_>) -> worker::Result<Plan> {
        let rule = CacheRule::of(self.policy, self.identity, self.decision);
        let mut changes = self.changes()?;
        if rule.private {
            changes.push(PAST_CACHES);
        }
        let limits = self.limit_fields();
        let of_cors = self.decision.cors.as_deref();
        let preflight = self.decision.preflight.is_some();
        let of_browsers = cors::amending_fields(of_cors, self.parts.origin(), preflight);
        let mut fields = self.fields_of_grant().to_vec();
        fields.extend(reply::lent(&limits));
        fields.extend(reply::lent(&of_browsers));
        Plan::new(&Prepared {
            way,
            changes: &changes,
            fields: &fields,
            added: &reply::security_fields(self.policy, self.lines.url()),
            rule: &rule,
            memo: &PassedOn::new(self.policy.log, &self.parts.as_request(), self.decision),
            refusal: [&limits, &self.refusal_fields()],
            session: &self.decision.session,
        })
    }

    /// How the headers of the request change on its way.
    fn changes(&self) -> worker::Result<Vec<Change<'_>>> {
        let grant = self.decision.grant();
        if let Some(grant) = grant.filter(|grant| grant.header.is_none()) {
            return headers::to_provider(self.lines.names(), grant, self.provider_token()?);
        }
        let mut changes = headers::strip_inbound(
            self.lines.names(),
            self.parts,
            self.policy,
            self.decision.carrier,
        );
        if let Some(grant) = grant {
            let names = self.lines.names().filter(|name| !grant.passes(name));
            changes.extend(names.map(|name| (name, Cow::Borrowed(""))));
            if let Some(header) = &grant.header {
                changes.push((header.as_str(), Cow::Borrowed(self.provider_token()?)));
            }
        }
        headers::tell(&mut changes, self.parts, self.identity);
        let token = self.identity_token.as_deref();
        changes.extend(token.map(|token| (identity_token::FIELD, Cow::Borrowed(token))));
        Ok(changes)
    }

    /// The token of that account. Without it nothing is sent.
    fn provider_token(&self) -> worker::Result<&str> {
        let token = self.grant_token.as_ref().map(Secret::expose_secret);
        let token = token.and_then(|token| core::str::from_utf8(token).ok());
        token.ok_or_else(|| worker::Error::from("there is no token for this route"))
    }

    /// What an answer of a provider may not tell the caller's browser.
    fn fields_of_grant(&self) -> &[(&str, &str)] {
        if self.decision.goes_to_a_provider() { &ANSWER_FIELDS } else { &[] }
    }

    /// The answer that the route has, without asking anybody. A preflight does not come here: the gate answers it itself.
    #[inline(never)]
    fn fixed(&self, answer: &FixedAnswer) -> worker::Result<Response> {
        let mut fields = self.limit_fields();
        fields.extend(self.browser_fields());
        fields.extend(fixed_fields(answer));
        reply::whole(answer.status, &fields, &answer.body)
    }

    fn refusal_fields(&self) -> Fields {
        cors::refusal_fields(self.decision.cors.as_deref(), self.parts.origin())
    }

    /// What an answer of the gate's own says to the browser.
    fn browser_fields(&self) -> Fields {
        let cookies = session_work::cookie_fields(&self.decision.session, self.gate);
        self.refusal_fields().into_iter().chain(cookies).collect()
    }

    /// The answer where nothing is behind the gate: the identity that it saw.
    #[inline(never)]
    fn demo(&self) -> worker::Result<Response> {
        let identity = self.identity;
        let mut fields = identity_fields(identity);
        fields.extend(self.limit_fields());
        fields.extend(self.browser_fields());
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
        match self.decision.limits.as_slice() {
            [] => Fields::new(),
            limits => limit_fields(limits, self.policy.legacy_headers),
        }
    }
}

fn failed(fault: worker::Error) -> Error {
    Error::Upstream { problem: fault.to_string() }
}

#[derive(serde::Serialize)]
struct DemoAnswer<'a> {
    method: &'a str,
    subject: Option<&'a str>,
    issuer: Option<&'a str>,
    scopes: &'a [String],
    key_id: Option<String>,
}

/// Scheme and host of the URL with this path and query.
fn origin_of<'u>(url: &'u str, target: &str) -> &'u str {
    url.strip_suffix(target).unwrap_or(url)
}
