//! What differs between providers, as data: about a dozen knobs. [`profiles`](super::profiles) has a value of each for eleven providers;
//! every other issuer of OpenID Connect is [`profiles::OIDC`](super::profiles::OIDC) with its URL.

use super::person::Places;

/// One kind of provider.
#[derive(Debug)]
pub struct Profile {
    /// `type` in the policy.
    pub name: &'static str,
    /// What people know it as.
    pub title: &'static str,
    /// Where its endpoints are.
    pub place: Place,
    /// What says who has logged in.
    pub identity: Identity,
    /// Where that says it.
    pub places: Places,
    /// The scopes that are asked for if the policy names none.
    pub scopes: &'static [&'static str],
    /// What stands between scopes.
    pub separator: char,
    /// How the gate proves that it is the client.
    pub authentication: ClientAuthentication,
    /// The spellings of `iss` that are taken.
    pub issuer: IssuerSpelling,
    /// Whether the answer comes as a form, by `POST` from the provider's site.
    pub form_post: bool,
    /// What brings a refresh token, beside the scope.
    pub offline: Offline,
    /// What the token endpoint answers.
    pub answer: TokenAnswerForm,
    /// The `prompt` by which a person can come with another account than the one that the provider knows; `None`: there is none.
    pub other_account: Option<&'static str>,
    /// What ends the session at the provider.
    pub logout: ProviderLogout,
    /// What revokes tokens at the provider.
    pub revocation: Revocation,
    /// What else is asked to know who it is.
    pub further: Further,
}

/// Where endpoints are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The policy gives the issuer, and its document (OpenID Connect Discovery 1.0) the rest.
    Given,
    /// The document of this issuer has them.
    Issuer(&'static str),
    /// The same, where a field of the policy is put into the issuer in place of `{}`.
    Template {
        /// The field: `domain`, `tenant`, `realm`.
        field: &'static str,
        /// The issuer.
        issuer: &'static str,
    },
    /// They have no document.
    Known(Endpoints),
}

/// Endpoints that no document names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoints {
    /// Where browsers are sent.
    pub authorization: &'static str,
    /// Where codes become tokens.
    pub token: &'static str,
    /// Who has logged in: JSON for the access token.
    pub userinfo: Option<&'static str>,
    /// Where tokens are revoked.
    pub revocation: Option<&'static str>,
}

/// What says who has logged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// An ID token.
    IdToken,
    /// The userinfo endpoint alone: the provider has no ID tokens.
    Userinfo,
    /// The answer of the token endpoint.
    TokenAnswer,
}

/// How the gate proves that it is the client (RFC 6749 §2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// `Authorization: Basic`, unless the provider's document lists only `client_secret_post`.
    Basic,
    /// In the form.
    Post,
    /// In the form, a JWT of ES256 that the gate signs by the client's own key.
    SignedSecret,
}

/// Which spellings of `iss` are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssuerSpelling {
    /// The issuer's, exactly.
    Exact,
    /// This one too.
    Also(&'static str),
    /// The document has `{tenantid}` in its place, and the token names its own tenant in `tid`.
    Tenant,
}

/// What brings a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offline {
    /// Nothing: it comes by itself, or never.
    Nothing,
    /// The scope `offline_access` (OpenID Connect Core 1.0 §11).
    Scope,
    /// `access_type=offline`, and `prompt=consent` while the gate has none.
    AccessType,
}

/// What the token endpoint answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenAnswerForm {
    /// As RFC 6749 §5.1 and §5.2.
    Standard,
    /// An error comes with status 200 too, as a member `error`.
    ErrorWith200,
    /// Slack's Web API: `ok` says whether it went well, always with status 200.
    Ok,
}

/// What ends the session at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderLogout {
    /// Nothing does.
    None,
    /// `end_session_endpoint` of the document (OpenID Connect RP-Initiated Logout 1.0).
    Standard,
    /// `/logout` beside the authorization endpoint, with `client_id` and `logout_uri`.
    ClientAndUri,
}

/// What revokes tokens at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// Nothing does.
    None,
    /// RFC 7009.
    Standard,
    /// A `GET` with the token as `Bearer`.
    Bearer,
    /// A `DELETE` with the token in JSON, as the client (`Basic`).
    DeleteGrant,
}

/// What else is asked to know who it is, beside the userinfo endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Further {
    /// Nothing.
    Nothing,
    /// Addresses, organisations and teams, each by itself: <https://docs.github.com/en/rest/users/emails>, `/rest/orgs/orgs`, `/rest/teams/teams`.
    GitHub,
    /// Servers: <https://discord.com/developers/docs/resources/user#get-current-user-guilds>.
    Discord,
}
