//! What a provider says about itself (OpenID Connect Discovery 1.0 §3, RFC 8414 §2): where its endpoints are, and what they can do.
//!
//! Whoever writes the document is told codes and secrets. So it is fetched from the issuer's own place alone, has to be about exactly this
//! issuer, and names places that the policy could have named.

use serde_json::{Map, Value};

use super::provider::{ClientAuthentication, IssuerSpelling};
use crate::{
    jose::{discovery::MAX_DOCUMENT_LENGTH, http_host::may_publish_keys},
    json,
};

/// What Entra's document has in the place of a tenant, where it is for several.
const TENANT: &str = "{tenantid}";

/// A provider's endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Where browsers are sent.
    pub authorization: String,
    /// Where codes become tokens.
    pub token: String,
    /// Where its keys are.
    pub jwks_uri: String,
    /// Who has logged in.
    pub userinfo: Option<String>,
    /// Where tokens are revoked.
    pub revocation: Option<String>,
    /// Where its own sessions are ended.
    pub end_session: Option<String>,
    /// Whether its answers name it (RFC 9207).
    pub sends_iss: bool,
    /// What its token endpoint takes; empty: `client_secret_basic` (§3).
    methods: Vec<String>,
}

impl Metadata {
    /// Reads a document about this issuer.
    ///
    /// # Errors
    /// What is wrong with it, for the event log; never text from it.
    pub fn read(
        document: &[u8],
        issuer: &str,
        spelling: IssuerSpelling,
        allow_http: bool,
    ) -> Result<Self, String> {
        if document.len() > MAX_DOCUMENT_LENGTH {
            return Err(format!("the document has more than {MAX_DOCUMENT_LENGTH} bytes"));
        }
        let members = json::parse_object(document)
            .map_err(|fault| format!("the document is not taken: {}", fault.problem()))?;
        let named = members.get("issuer").and_then(Value::as_str).unwrap_or_default();
        if !is_about(named, issuer, spelling) {
            return Err("the document is about another issuer".to_owned());
        }
        let places =
            Places { members: &members, allow_http: allow_http || issuer.starts_with("http://") };
        Ok(Self {
            authorization: places.required("authorization_endpoint")?,
            token: places.required("token_endpoint")?,
            jwks_uri: places.required("jwks_uri")?,
            userinfo: places.optional("userinfo_endpoint")?,
            revocation: places.optional("revocation_endpoint")?,
            end_session: places.optional("end_session_endpoint")?,
            sends_iss: members.get("authorization_response_iss_parameter_supported")
                == Some(&Value::Bool(true)),
            methods: match members.get("token_endpoint_auth_methods_supported") {
                Some(Value::Array(list)) => {
                    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
                }
                _ => Vec::new(),
            },
        })
    }

    /// How the gate proves that it is the client: as the profile has it, or the other way if the provider takes that alone.
    #[must_use]
    pub fn authentication(&self, wanted: ClientAuthentication) -> ClientAuthentication {
        let takes =
            |method: &str| self.methods.is_empty() || self.methods.iter().any(|one| one == method);
        match wanted {
            ClientAuthentication::Basic
                if !takes("client_secret_basic") && takes("client_secret_post") =>
            {
                ClientAuthentication::Post
            }
            ClientAuthentication::Post
                if !takes("client_secret_post") && takes("client_secret_basic") =>
            {
                ClientAuthentication::Basic
            }
            wanted => wanted,
        }
    }
}

/// Whole and unchanged (§4.3). Of Entra, a place for the tenant may stand where the policy names a group of tenants.
fn is_about(named: &str, issuer: &str, spelling: IssuerSpelling) -> bool {
    if named == issuer {
        return true;
    }
    let parts = named.split_once(TENANT).filter(|_| spelling == IssuerSpelling::Tenant);
    parts.is_some_and(|(before, after)| {
        let tenant = issuer.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        tenant.is_some_and(|tenant| !tenant.is_empty() && !tenant.contains('/'))
    })
}

struct Places<'m> {
    members: &'m Map<String, Value>,
    allow_http: bool,
}

impl Places<'_> {
    fn optional(&self, name: &str) -> Result<Option<String>, String> {
        match self.members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(url)) if may_publish_keys(url, self.allow_http) => {
                Ok(Some(url.clone()))
            }
            Some(_) => Err(format!("{name} of the document is no https URL")),
        }
    }

    fn required(&self, name: &str) -> Result<String, String> {
        self.optional(name)?.ok_or_else(|| format!("the document has no {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://idp.example";

    fn document(issuer: &str, more: &str) -> String {
        format!(
            r#"{{"issuer":"{issuer}","authorization_endpoint":"https://idp.example/a","token_endpoint":"https://idp.example/t","jwks_uri":"https://idp.example/k"{more}}}"#
        )
    }

    fn read(document: &str) -> Result<Metadata, String> {
        Metadata::read(document.as_bytes(), ISSUER, IssuerSpelling::Exact, false)
    }

    #[test]
    fn a_document_names_places_that_a_policy_could_name() {
        let more = r#","userinfo_endpoint":"https://idp.example/u","end_session_endpoint":null,"authorization_response_iss_parameter_supported":true"#;
        let metadata = read(&document(ISSUER, more)).unwrap();
        assert_eq!(metadata.userinfo.as_deref(), Some("https://idp.example/u"));
        assert_eq!((metadata.end_session, metadata.sends_iss), (None, true));
        for (more, fault) in [
            (
                r#","userinfo_endpoint":"http://idp.example/u""#,
                "userinfo_endpoint of the document is no https URL",
            ),
            (
                r#","revocation_endpoint":"javascript:x""#,
                "revocation_endpoint of the document is no https URL",
            ),
            (
                r#","end_session_endpoint":7"#,
                "end_session_endpoint of the document is no https URL",
            ),
            (r#","jwks_uri":"https://a""#, "the document is not taken"),
        ] {
            assert!(read(&document(ISSUER, more)).unwrap_err().starts_with(fault), "{more}");
        }
        assert_eq!(
            read(r#"{"issuer":"https://idp.example"}"#).unwrap_err(),
            "the document has no authorization_endpoint"
        );
    }

    /// OpenID Foundation, RP tests "discovery issuer mismatch"; better-auth GHSA-5rr4.
    #[test]
    fn a_document_is_about_the_issuer_and_no_other() {
        for other in [
            "https://idp.example/",
            "https://evil.example",
            "http://idp.example",
            "",
            "https://{tenantid}",
        ] {
            assert_eq!(
                read(&document(other, "")).unwrap_err(),
                "the document is about another issuer"
            );
        }
    }

    #[test]
    fn that_of_entra_is_about_any_tenant_where_the_policy_names_a_group() {
        let read = |named: &str, issuer: &str| {
            Metadata::read(document(named, "").as_bytes(), issuer, IssuerSpelling::Tenant, false)
                .is_ok()
        };
        let template = "https://login.microsoftonline.com/{tenantid}/v2.0";
        assert!(read(template, "https://login.microsoftonline.com/common/v2.0"));
        assert!(!read(template, "https://login.microsoftonline.com//v2.0"));
        assert!(!read(template, "https://login.microsoftonline.com/a/b/v2.0"));
        assert!(!read(template, "https://login.evil.example/common/v2.0"));
        assert!(!read(
            "https://login.microsoftonline.com/x/v2.0",
            "https://login.microsoftonline.com/y/v2.0"
        ));
    }

    #[test]
    fn the_client_proves_itself_as_the_provider_takes_it() {
        use ClientAuthentication::{Basic, Post, SignedSecret};
        let with = |list: &str| {
            read(&document(ISSUER, &format!(r#","token_endpoint_auth_methods_supported":{list}"#)))
                .unwrap()
        };
        assert_eq!(read(&document(ISSUER, "")).unwrap().authentication(Basic), Basic);
        assert_eq!(with(r#"["client_secret_post"]"#).authentication(Basic), Post);
        assert_eq!(with(r#"["client_secret_basic"]"#).authentication(Post), Basic);
        assert_eq!(with(r#"["private_key_jwt"]"#).authentication(Basic), Basic);
        assert_eq!(with("[]").authentication(SignedSecret), SignedSecret);
    }
}
