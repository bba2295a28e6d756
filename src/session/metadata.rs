//! Authorization server metadata (RFC 8414). All URLs come from the policy, never from a header.

use serde::Serialize;

use crate::jose::algorithm::Algorithm;

/// How long verifiers may keep the keys and this document, in seconds. The key ring publishes a key more than twice as long before it signs.
pub const CACHE_SECS: u32 = 600;

/// The methods of client authentication.
pub const AUTH_METHODS: [&str; 4] =
    ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"];

/// What the document is made of.
#[derive(Debug, Clone, Copy)]
pub struct Server<'a> {
    /// `iss` of the gate's own tokens.
    pub issuer: &'a str,
    /// Where the gate's endpoints are: its origin, and the prefix of its paths behind it.
    pub base: &'a str,
    /// The origin alone.
    pub origin: &'a str,
}

#[derive(Serialize)]
struct Document<'a> {
    issuer: &'a str,
    token_endpoint: String,
    jwks_uri: String,
    revocation_endpoint: String,
    introspection_endpoint: String,
    response_types_supported: [&'a str; 0],
    grant_types_supported: [&'a str; 2],
    token_endpoint_auth_methods_supported: [&'a str; 4],
    token_endpoint_auth_signing_alg_values_supported: Vec<&'a str>,
    revocation_endpoint_auth_methods_supported: [&'a str; 4],
    introspection_endpoint_auth_methods_supported: &'a [&'a str],
    introspection_endpoint_auth_signing_alg_values_supported: Vec<&'a str>,
    dpop_signing_alg_values_supported: Vec<&'a str>,
}

impl Server<'_> {
    /// The URL of the token endpoint.
    #[must_use]
    pub fn token_endpoint(&self) -> String {
        format!("{}/token", self.base)
    }

    /// The document.
    #[must_use]
    pub fn document(&self) -> String {
        let asymmetric: Vec<&str> = Algorithm::ALL
            .into_iter()
            .filter(|algorithm| !algorithm.is_symmetric())
            .map(Algorithm::as_str)
            .collect();
        let document = Document {
            issuer: self.issuer,
            token_endpoint: self.token_endpoint(),
            jwks_uri: format!("{}/.well-known/jwks.json", self.origin),
            revocation_endpoint: format!("{}/revoke", self.base),
            introspection_endpoint: format!("{}/introspect", self.base),
            response_types_supported: [],
            grant_types_supported: ["refresh_token", "client_credentials"],
            token_endpoint_auth_methods_supported: AUTH_METHODS,
            token_endpoint_auth_signing_alg_values_supported: asymmetric.clone(),
            revocation_endpoint_auth_methods_supported: AUTH_METHODS,
            introspection_endpoint_auth_methods_supported: AUTH_METHODS
                .get(1..)
                .unwrap_or_default(),
            introspection_endpoint_auth_signing_alg_values_supported: asymmetric.clone(),
            dpop_signing_alg_values_supported: asymmetric,
        };
        // Texts and lists of texts.
        serde_json::to_string(&document).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_url_is_below_the_origin_of_the_policy() {
        let server = Server {
            issuer: "https://gate.example/",
            base: "https://gate.example/auth",
            origin: "https://gate.example",
        };
        let document: serde_json::Value = serde_json::from_str(&server.document()).unwrap();
        assert_eq!(document["issuer"], "https://gate.example/");
        assert_eq!(document["token_endpoint"], "https://gate.example/auth/token");
        assert_eq!(document["jwks_uri"], "https://gate.example/.well-known/jwks.json");
        let algorithms = document["dpop_signing_alg_values_supported"].as_array().unwrap();
        assert!(
            algorithms.iter().all(|one| one != "HS256")
                && algorithms.iter().any(|one| one == "ES256")
        );
    }
}
