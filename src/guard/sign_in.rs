//! The step that asks when and how well a person has signed in (RFC 9470).

use super::{Identity, Request, login};
use crate::{
    error::Error,
    jose::claims::Claims,
    login::{authorization::with_parameters, id_token::CLOCK_TOLERANCE_SECS},
    policy::{Policy, Route},
    time::UnixTime,
};

/// Whether the sign-in is recent and strong enough for the route. Who does not say when it was, has it too long ago.
///
/// # Errors
/// [`Error::StepUp`]; for a session of the gate's own with the URL where more can be proven.
pub(super) fn check(
    (policy, route): (&Policy, &Route),
    (request, identity): (&Request<'_>, &Identity),
    now: UnixTime,
) -> Result<(), Error> {
    if route.max_auth_age_secs.is_none() && route.acr_values.is_empty() {
        return Ok(());
    }
    check_what_is_asked((policy, route), (request, identity), now)
}

#[inline(never)]
fn check_what_is_asked(
    (policy, route): (&Policy, &Route),
    (request, identity): (&Request<'_>, &Identity),
    now: UnixTime,
) -> Result<(), Error> {
    let claims = match identity {
        Identity::Token(token) => Claims::parse(token.payload()).ok(),
        Identity::Anonymous | Identity::ApiKey(_) => None,
    };
    if claims.is_some_and(|claims| holds(route, &claims, now)) {
        return Ok(());
    }
    let acr_values = route.acr_values.join(" ");
    let own = policy.sessions.as_ref().map(|own| own.issuer.as_str());
    let is_own = own.is_some() && identity.issuer() == own;
    let login_url = login::login_url(policy, request).filter(|_| is_own).map(|url| {
        let max_age = route.max_auth_age_secs.map(|secs| secs.to_string());
        let max_age = max_age.as_deref().map(|secs| ("max_age", secs));
        let acr = (!acr_values.is_empty()).then_some(("acr_values", acr_values.as_str()));
        with_parameters(&url, max_age.into_iter().chain(acr))
    });
    Err(Error::StepUp { max_age_secs: route.max_auth_age_secs, acr_values, login_url })
}

fn holds(route: &Route, claims: &Claims, now: UnixTime) -> bool {
    let is_recent = route.max_auth_age_secs.is_none_or(|secs| {
        let at = claims.get("auth_time").and_then(serde_json::Value::as_i64);
        // A provider's clock is as wrong here as it may be at the callback: else a person would be sent there for ever.
        let secs = u64::from(secs).saturating_add(CLOCK_TOLERANCE_SECS);
        at.is_some_and(|at| now <= UnixTime::from_secs(at).saturating_add(secs))
    });
    let acr = claims.get("acr").and_then(serde_json::Value::as_str);
    let wanted = &route.acr_values;
    is_recent && (wanted.is_empty() || wanted.iter().any(|one| acr == Some(one)))
}
