//! Who is calling, once that has been verified.

use core::fmt;

use serde_json::Value;

use crate::{
    api_key::{KeyId, record::KeyRecord},
    header_text::{KeptSpaces, percent_encoded},
    jose::{claims::Claims, verifier::VerifiedToken},
    policy::{IdentityHeader, PrefixPolicy},
    revocation::Revocable,
    session::access,
    time::UnixTime,
};

/// Who is calling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// Nobody in particular, on a route that allows it.
    Anonymous,
    /// The bearer of a verified token.
    Token(TokenIdentity),
    /// The holder of a verified API key.
    ApiKey(ApiKeyIdentity),
}

/// What a verified token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenIdentity {
    issuer: String,
    subject: Option<String>,
    client: Option<String>,
    token_id: Option<String>,
    session_id: Option<String>,
    /// The session at a provider, of the gate's own tokens.
    login: Option<String>,
    issued_at: Option<UnixTime>,
    key_id: Option<String>,
    scopes: Vec<String>,
    /// Names of headers, and what claims say there.
    told: Vec<(String, String)>,
    payload: Payload,
}

/// The claims as the issuer wrote them. They may hold anything, so they are not shown.
#[derive(Clone, PartialEq, Eq)]
struct Payload(String);

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Payload(_)")
    }
}

/// What a verified API key and its record say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyIdentity {
    id: KeyId,
    /// What limits count it as: itself, or the first of the keys that it replaces.
    family: KeyId,
    owner: Option<String>,
    scopes: Vec<String>,
}

impl Identity {
    /// `anonymous`, `jwt` or `api_key`.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Token(_) => "jwt",
            Self::ApiKey(_) => "api_key",
        }
    }

    /// The token's `sub`, unless it is empty, or the owner of the API key.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        match self {
            Self::Anonymous => None,
            Self::Token(token) => token.subject.as_deref(),
            Self::ApiKey(key) => key.owner.as_deref(),
        }
    }

    /// Headers of the policy's `identity_headers`, and what the token's claims say there, percent-encoded. A header whose claim
    /// is absent is not among them.
    pub fn told(&self) -> impl Iterator<Item = (&str, &str)> {
        let token = match self {
            Self::Token(token) => Some(token),
            Self::Anonymous | Self::ApiKey(_) => None,
        };
        token.into_iter().flat_map(TokenIdentity::told)
    }

    /// The token's issuer.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        match self {
            Self::Token(token) => Some(&token.issuer),
            Self::Anonymous | Self::ApiKey(_) => None,
        }
    }

    /// The token's `sid`, unless it is empty.
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        match self {
            Self::Token(token) => token.session_id.as_deref(),
            Self::Anonymous | Self::ApiKey(_) => None,
        }
    }

    /// What revocation looks at; `None` for nobody in particular.
    #[must_use]
    pub fn revocable(&self) -> Option<Revocable<'_>> {
        match self {
            Self::Anonymous => None,
            Self::Token(token) => Some(token.revocable()),
            Self::ApiKey(key) => Some(Revocable::ApiKey { id: key.id }),
        }
    }

    /// What the caller may do.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        match self {
            Self::Anonymous => &[],
            Self::Token(token) => &token.scopes,
            Self::ApiKey(key) => &key.scopes,
        }
    }

    /// The identifier of the API key. It names the key, and cannot be used to call.
    #[must_use]
    pub const fn api_key_id(&self) -> Option<&KeyId> {
        match self {
            Self::ApiKey(key) => Some(&key.id),
            Self::Anonymous | Self::Token(_) => None,
        }
    }

    /// What limits count the API key as: the first of the keys that were replaced one by the other, so that a rotation gives no
    /// fresh allowance.
    #[must_use]
    pub const fn api_key_family(&self) -> Option<&KeyId> {
        match self {
            Self::ApiKey(key) => Some(&key.family),
            Self::Anonymous | Self::Token(_) => None,
        }
    }
}

impl TokenIdentity {
    /// `headers` are those by which the service is told of claims.
    pub(super) fn new(token: VerifiedToken, headers: &[IdentityHeader]) -> Self {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        // An empty one names nobody: Cloudflare Access writes it into the token of every service.
        let subject = owned(token.subject().filter(|name| !name.is_empty()));
        Self {
            issuer: token.issuer().to_owned(),
            // Looked for only where it is needed: it is read from the tree of all claims, which few tokens need.
            client: if subject.is_some() { None } else { client_of(token.claims()) },
            subject,
            token_id: owned(token.claims().jwt_id()),
            session_id: owned(token.claims().session_id()),
            login: owned(access::login_of(token.claims())),
            issued_at: token.claims().issued_at(),
            key_id: owned(token.key_id()),
            scopes: token.scopes().into_sorted(),
            told: if headers.is_empty() { Vec::new() } else { all_told(headers, token.claims()) },
            payload: Payload(token.into_payload()),
        }
    }

    /// What revocation looks at.
    #[must_use]
    pub fn revocable(&self) -> Revocable<'_> {
        Revocable::Token {
            iss: &self.issuer,
            jti: self.token_id.as_deref(),
            sub: self.subject.as_deref(),
            sid: self.session_id.as_deref(),
            login: self.login.as_deref(),
            kid: self.key_id.as_deref(),
            issued_at: self.issued_at,
        }
    }

    /// The key that verified it: its `kid`, or its RFC 7638 thumbprint; `None` for a secret, of which
    /// neither may be shown.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The claims as the issuer wrote them: UTF-8 JSON, an object without repeated names.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.payload.0.as_bytes()
    }

    /// The same, for who has no further use for the identity.
    #[must_use]
    pub fn into_payload(self) -> String {
        self.payload.0
    }

    /// The client that a token without a subject was issued to: `client_id` (RFC 9068 §2.2), else `azp` (OpenID Connect
    /// Core §2).
    pub(super) fn client(&self) -> Option<&str> {
        self.client.as_deref()
    }

    /// Headers and what claims say there, percent-encoded ([`Policy::identity_headers`](crate::policy::Policy::identity_headers)).
    pub fn told(&self) -> impl Iterator<Item = (&str, &str)> {
        self.told.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The token's `jti`.
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.token_id.as_deref()
    }
}

#[inline(never)]
fn all_told(headers: &[IdentityHeader], claims: &Claims) -> Vec<(String, String)> {
    headers.iter().filter_map(|header| told(header, claims)).collect()
}

fn told(header: &IdentityHeader, claims: &Claims) -> Option<(String, String)> {
    let text = claim_text(claims.get(&header.claim)?)?;
    Some((header.name.as_str().to_owned(), text))
}

/// What a claim says as the value of a header: a text, a number, a boolean, or a list of these with a space between. Spaces in
/// members of a list are encoded, so that each member stays one. Anything else, and what is empty, says nothing.
fn claim_text(value: &Value) -> Option<String> {
    let text = match value {
        Value::Array(members) => {
            let members: Option<Vec<String>> = members.iter().map(member_text).collect();
            members?.join(" ")
        }
        Value::String(text) => percent_encoded(text, KeptSpaces::Within).into_owned(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        Value::Null | Value::Object(_) => return None,
    };
    (!text.is_empty()).then_some(text)
}

fn member_text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => percent_encoded(text, KeptSpaces::None).into_owned(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        Value::Null | Value::Object(_) | Value::Array(_) => return None,
    };
    (!text.is_empty()).then_some(text)
}

fn client_of(claims: &Claims) -> Option<String> {
    let name = |claim| claims.get(claim)?.as_str().filter(|name| !name.is_empty());
    name("client_id").or_else(|| name("azp")).map(str::to_owned)
}

impl ApiKeyIdentity {
    /// The scopes are the record's, cut down to what the prefix allows.
    pub(super) fn new(prefix: &PrefixPolicy, record: &KeyRecord) -> Self {
        Self {
            id: record.id,
            family: record.family(),
            owner: Some(record.owner.clone()),
            scopes: prefix.cut(&record.scopes),
        }
    }

    /// A key without a record: it has no owner, and the scopes that the policy gives such keys.
    pub(super) fn without_record(id: KeyId, scopes: &[String]) -> Self {
        Self { id, family: id, owner: None, scopes: scopes.to_vec() }
    }
}
