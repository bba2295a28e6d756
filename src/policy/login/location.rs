//! Where the endpoints of a provider are.

use super::{
    ProviderEndpoints, ProviderLocation,
    document::{EndpointsDocument, ProviderDocument},
};
use crate::{
    error::Error,
    jose::{
        discovery::Discovery,
        http_host::{self, may_publish_keys},
    },
    login::{
        profiles,
        provider::{Identity, Place, Profile},
    },
};

/// The tenant of all private accounts at Microsoft. Its document has this id, whatever it was asked as:
/// <https://learn.microsoft.com/en-us/entra/identity-platform/id-token-claims-reference>
const CONSUMERS: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

/// Where the endpoints are. What a profile knows may be put elsewhere on loopback only: a policy that sends codes of Google to somebody
/// else is a mistake, or worse.
pub(super) fn location(
    path: &str,
    document: &ProviderDocument,
    profile: &Profile,
) -> Result<ProviderLocation, Error> {
    let field = |name: &str| format!("{path}.{name}");
    let refused = |name: &str, problem: String| Err(Error::config(field(name), problem));
    if let Some(endpoints) = &document.endpoints {
        let given = known_endpoints(&field("endpoints"), endpoints, document.allow_http)?;
        let all = [&given.authorization, &given.token]
            .into_iter()
            .chain(&given.userinfo)
            .chain(&given.revocation);
        let is_near = all.into_iter().all(|url| is_loopback(url));
        if profile.name != profiles::OIDC.name && !is_near {
            return refused(
                "endpoints",
                format!("those of {} are known, expected none but on loopback", profile.name),
            );
        }
        if profile.identity == Identity::IdToken {
            return refused(
                "endpoints",
                "the issuer's own document has them, expected issuer".to_owned(),
            );
        }
        return Ok(ProviderLocation::Known(given));
    }
    let needs_it = format!("{} needs it", profile.name);
    let issuer = match (profile.place, document.issuer.as_deref()) {
        (Place::Known(_), Some(_)) => {
            return refused("issuer", format!("{} has none, expected nothing", profile.name));
        }
        (Place::Known(known), None) => {
            return Ok(ProviderLocation::Known(ProviderEndpoints {
                authorization: known.authorization.to_owned(),
                token: known.token.to_owned(),
                userinfo: known.userinfo.map(str::to_owned),
                revocation: known
                    .revocation
                    .map(|url| url.replace("{client_id}", &document.client_id)),
            }));
        }
        (Place::Given, Some(issuer)) => issuer.to_owned(),
        (Place::Given, None) => return refused("issuer", needs_it),
        (Place::Issuer(_) | Place::Template { .. }, Some(issuer))
            if is_loopback(issuer) || profile.name == "gitlab" =>
        {
            issuer.to_owned()
        }
        (Place::Issuer(_) | Place::Template { .. }, Some(_)) => {
            return refused(
                "issuer",
                format!("that of {} is known, expected nothing", profile.name),
            );
        }
        (Place::Issuer(issuer), None) => issuer.to_owned(),
        (Place::Template { field: name, issuer }, None) => {
            let value = match name {
                "tenant" => document.tenant.as_deref(),
                _ => document.domain.as_deref(),
            };
            let Some(value) = value else { return refused(name, needs_it) };
            let is_plain = |byte: u8| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'/' | b'_')
            };
            if value.is_empty()
                || !value.bytes().all(is_plain)
                || value.starts_with('/')
                || value.contains("//")
            {
                return refused(
                    name,
                    "expected it without https:// and without a slash at its end".to_owned(),
                );
            }
            let value = if value == "consumers" { CONSUMERS } else { value };
            // The document of a tenant that is called otherwise names its id, and so would be about another issuer.
            let is_known = ["common", "organizations"].contains(&value) || is_tenant_id(value);
            if name == "tenant" && !is_known {
                return refused(
                    name,
                    "expected common, organizations, consumers, or the id of a tenant: 32 hexadecimal digits with hyphens".to_owned(),
                );
            }
            issuer.replace("{}", value.trim_end_matches('/'))
        }
    };
    match Discovery::of(&issuer, document.allow_http) {
        Some(discovery) => Ok(ProviderLocation::Discovered { discovery, issuer }),
        None => refused("issuer", "expected an https URL without query and fragment, or with allow_http an http one of a private host".to_owned()),
    }
}

fn known_endpoints(
    path: &str,
    document: &EndpointsDocument,
    allow_http: bool,
) -> Result<ProviderEndpoints, Error> {
    let url = |name: &str, url: &String| {
        if may_publish_keys(url, allow_http) {
            Ok(url.clone())
        } else {
            Err(Error::config(
                format!("{path}.{name}"),
                "expected an https URL, or with allow_http an http one of a private host",
            ))
        }
    };
    let optional =
        |name: &str, given: &Option<String>| given.as_ref().map(|one| url(name, one)).transpose();
    Ok(ProviderEndpoints {
        authorization: url("authorization", &document.authorization)?,
        token: url("token", &document.token)?,
        userinfo: optional("userinfo", &document.userinfo)?,
        revocation: optional("revocation", &document.revocation)?,
    })
}

/// Whether it is a UUID as RFC 9562 §4 writes one.
fn is_tenant_id(text: &str) -> bool {
    text.split('-').map(str::len).eq([8, 4, 4, 4, 12])
        && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

fn is_loopback(url: &str) -> bool {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    rest.and_then(http_host::of).is_some_and(http_host::is_loopback)
}
