//! What the gate asks a provider for in the back: tokens for a code, fresh tokens, who it is, and that tokens end.
//!
//! A request is made here and sent by the edge, which follows no redirect, waits for a bounded time and reads a bounded answer. Each goes to
//! an endpoint of the policy or of the provider's own document, never to a place that an answer names.

use super::{
    access::{Allow, ScopeRules},
    authorization::{encoded, form},
    person::Question,
    provider::{ClientAuthentication, Further, Profile, Revocation},
};
use crate::base64url;

/// Why GitHub refuses a request without it, and others tell clients apart:
/// <https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api#user-agent>.
const USER_AGENT: (&str, &str) = ("User-Agent", "edgegate");

/// GitHub answers with a form without it.
const ACCEPT: (&str, &str) = ("Accept", "application/json");

/// How long a provider may take. Slower ones are asked again by whoever waits.
pub const PATIENCE_MILLIS: u32 = 10_000;

/// How long it may take to give fresh tokens.
pub const REFRESH_PATIENCE_MILLIS: u32 = 30_000;

/// A request to a provider. It holds secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct ProviderRequest {
    /// The method.
    pub method: &'static str,
    /// Where to.
    pub url: String,
    /// Fields of the header.
    pub headers: Vec<(&'static str, String)>,
    /// The body; `None`: there is none.
    pub body: Option<String>,
    /// How long its whole answer may take, in milliseconds.
    pub patience_millis: u32,
}

/// How the gate is known to a provider for one request.
#[derive(Clone, Copy)]
pub struct ClientProof<'a> {
    /// How it is sent.
    pub authentication: ClientAuthentication,
    /// The client's name.
    pub client_id: &'a str,
    /// The shared secret, or what was signed in its place.
    pub secret: &'a str,
}

impl ProviderRequest {
    /// A `GET`, with an access token if one is given.
    #[must_use]
    pub fn get(url: &str, access_token: Option<&str>) -> Self {
        let mut headers = plain_headers();
        headers.extend(access_token.map(bearer));
        Self::sent("GET", url, headers, None)
    }

    /// Tokens for a code (RFC 6749 §4.1.3, RFC 7636 §4.5).
    #[must_use]
    pub fn code(
        endpoint: &str,
        (code, redirect_uri, verifier): (&str, &str, &str),
        client: ClientProof<'_>,
    ) -> Self {
        let own = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier),
        ];
        Self::as_client(endpoint, &own, client)
    }

    /// Fresh tokens (RFC 6749 §6). It waits longer than whoever wants them: where a refresh token is used once, whoever gives up loses the
    /// next one.
    #[must_use]
    pub fn refresh(endpoint: &str, refresh_token: &str, client: ClientProof<'_>) -> Self {
        let own = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
        let request = Self::as_client(endpoint, &own, client);
        Self { patience_millis: REFRESH_PATIENCE_MILLIS, ..request }
    }

    /// That a token ends; `None`: the provider knows no such request.
    #[must_use]
    pub fn revocation(
        profile: &Profile,
        endpoint: &str,
        token: &str,
        client: ClientProof<'_>,
    ) -> Option<Self> {
        match profile.revocation {
            Revocation::None => None,
            Revocation::Standard => Some(Self::as_client(endpoint, &[("token", token)], client)),
            Revocation::Bearer => Some(Self::get(endpoint, Some(token))),
            Revocation::DeleteGrant => {
                let mut headers = plain_headers();
                headers.push(("Content-Type", "application/json".to_owned()));
                headers.push(basic(client));
                let body = serde_json::json!({ "access_token": token }).to_string();
                Some(Self::sent("DELETE", endpoint, headers, Some(body)))
            }
        }
    }

    fn as_client(endpoint: &str, own: &[(&str, &str)], client: ClientProof<'_>) -> Self {
        let mut headers = plain_headers();
        headers.push(("Content-Type", "application/x-www-form-urlencoded".to_owned()));
        let in_form = [("client_id", client.client_id), ("client_secret", client.secret)];
        let in_form: &[(&str, &str)] = match client.authentication {
            ClientAuthentication::Basic => {
                headers.push(basic(client));
                &[]
            }
            ClientAuthentication::Post | ClientAuthentication::SignedSecret => &in_form,
        };
        let body = form(own.iter().chain(in_form).copied());
        Self::sent("POST", endpoint, headers, Some(body))
    }

    fn sent(
        method: &'static str,
        url: &str,
        headers: Vec<(&'static str, String)>,
        body: Option<String>,
    ) -> Self {
        Self { method, url: url.to_owned(), headers, body, patience_millis: PATIENCE_MILLIS }
    }
}

/// What else is asked to know who it is: the further requests of a profile, as far as these rules need them.
#[must_use]
pub fn further(
    profile: &Profile,
    rules: (&Allow, &ScopeRules),
    (userinfo, access_token): (&str, &str),
) -> Vec<(Question, ProviderRequest)> {
    let request =
        |path: &str| ProviderRequest::get(&format!("{userinfo}{path}"), Some(access_token));
    let asked = questions(profile, rules).into_iter();
    asked.map(|one| (one.question, request(one.path))).collect()
}

/// The scopes that these requests need: of each list any one does, and the first is the narrowest. Without it the provider refuses them.
#[must_use]
pub fn further_scopes(
    profile: &Profile,
    rules: (&Allow, &ScopeRules),
) -> Vec<&'static [&'static str]> {
    questions(profile, rules).into_iter().map(|one| one.scopes).collect()
}

/// One of them.
struct FurtherRequest {
    question: Question,
    /// Below the userinfo endpoint.
    path: &'static str,
    scopes: &'static [&'static str],
}

fn questions(profile: &Profile, (allow, scopes): (&Allow, &ScopeRules)) -> Vec<FurtherRequest> {
    let emails = !allow.email_domains.is_empty() || !scopes.email_domains.is_empty();
    let organizations = !allow.organizations.is_empty() || !scopes.organizations.is_empty();
    let teams = !allow.teams.is_empty() || !scopes.teams.is_empty();
    let ask = |wanted: bool, question, path, scopes| {
        wanted.then_some(FurtherRequest { question, path, scopes })
    };
    let all = match profile.further {
        Further::Nothing => [None, None, None],
        Further::GitHub => [
            ask(emails, Question::Emails, "/emails?per_page=100", &["user:email", "user"]),
            ask(
                organizations,
                Question::Organizations,
                "/orgs?per_page=100",
                &["read:org", "user"],
            ),
            ask(teams, Question::Teams, "/teams?per_page=100", &["read:org", "user", "repo"]),
        ],
        Further::Discord => {
            [ask(organizations, Question::Guilds, "/guilds", &["guilds"]), None, None]
        }
    };
    all.into_iter().flatten().collect()
}

fn plain_headers() -> Vec<(&'static str, String)> {
    [USER_AGENT, ACCEPT].map(|(name, value)| (name, value.to_owned())).to_vec()
}

fn bearer(token: &str) -> (&'static str, String) {
    ("Authorization", format!("Bearer {token}"))
}

/// RFC 6749 §2.3.1: both parts are encoded as in a form before.
fn basic(client: ClientProof<'_>) -> (&'static str, String) {
    let pair = format!("{}:{}", encoded(client.client_id), encoded(client.secret));
    ("Authorization", format!("Basic {}", standard_base64(pair.as_bytes())))
}

/// RFC 4648 §4, which `Basic` wants.
fn standard_base64(bytes: &[u8]) -> String {
    let mut text = base64url::encode(bytes).replace('-', "+").replace('_', "/");
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

/// Shows where it goes to, not what it says.
impl core::fmt::Debug for ProviderRequest {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let place = self.url.split('?').next().unwrap_or_default();
        write!(f, "{} {place}", self.method)
    }
}

/// Shows the name.
impl core::fmt::Debug for ClientProof<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("ClientProof").field(&self.client_id).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::login::profiles::named;

    const BASIC: ClientProof<'_> = ClientProof {
        authentication: ClientAuthentication::Basic,
        client_id: "a:b",
        secret: "s/+ \u{fc}",
    };

    fn header<'r>(request: &'r ProviderRequest, name: &str) -> Option<&'r str> {
        let found = request.headers.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// RFC 6749 §2.3.1 and appendix B: a colon in a name would end it.
    #[test]
    fn a_client_proves_itself_in_the_header_or_in_the_form() {
        let request =
            ProviderRequest::code("https://idp.example/t", ("c d", "https://a/cb", "v"), BASIC);
        assert_eq!(request.method, "POST");
        let body = request.body.as_deref().unwrap();
        assert_eq!(
            body,
            "grant_type=authorization_code&code=c%20d&redirect_uri=https%3A%2F%2Fa%2Fcb&code_verifier=v"
        );
        // "a%3Ab:s%2F%2B%20%C3%BC"
        assert_eq!(
            header(&request, "Authorization"),
            Some("Basic YSUzQWI6cyUyRiUyQiUyMCVDMyVCQw==")
        );
        let post = ClientProof { authentication: ClientAuthentication::Post, ..BASIC };
        let request = ProviderRequest::refresh("https://idp.example/t", "r", post);
        assert_eq!(header(&request, "Authorization"), None);
        assert_eq!(
            request.body.as_deref(),
            Some(
                "grant_type=refresh_token&refresh_token=r&client_id=a%3Ab&client_secret=s%2F%2B%20%C3%BC"
            )
        );
    }

    #[test]
    fn tokens_end_as_each_provider_has_it() {
        let end = |name: &str| {
            ProviderRequest::revocation(named(name).unwrap(), "https://idp.example/r", "tok", BASIC)
        };
        assert_eq!(end("oidc").unwrap().body.as_deref(), Some("token=tok"));
        let slack = end("slack").unwrap();
        assert_eq!((slack.method, header(&slack, "Authorization")), ("GET", Some("Bearer tok")));
        let github = end("github").unwrap();
        assert_eq!(
            (github.method, github.body.as_deref()),
            ("DELETE", Some(r#"{"access_token":"tok"}"#))
        );
        assert!(header(&github, "Authorization").unwrap().starts_with("Basic "));
        assert_eq!(end("microsoft"), None);
        assert_eq!(end("slack-bot"), None, "it is of all who use it in the workspace");
    }

    /// <https://docs.github.com/en/rest/orgs/orgs#list-organizations-for-the-authenticated-user>: 403 without.
    #[test]
    fn what_is_asked_beside_needs_scopes_of_its_own() {
        let orgs = Allow { organizations: vec!["acme".to_owned()], ..Allow::default() };
        let asked = |name: &str, allow: &Allow| {
            let profile = named(name).unwrap();
            let rules = (allow, &ScopeRules::default());
            let urls: Vec<String> = further(profile, rules, ("https://api.test/user", "tok"))
                .into_iter()
                .map(|(_, request)| request.url)
                .collect();
            (urls, further_scopes(profile, rules))
        };
        let (urls, scopes) = asked("github", &orgs);
        assert_eq!(urls, ["https://api.test/user/orgs?per_page=100"]);
        assert_eq!(scopes, [["read:org", "user"]]);
        assert_eq!(asked("discord", &orgs).1, [["guilds"]]);
        assert_eq!(asked("github", &Allow::default()), (vec![], vec![]));
        assert_eq!(asked("oidc", &orgs), (vec![], vec![]));
    }

    #[test]
    fn what_is_shown_has_no_secret() {
        let request = ProviderRequest::get("https://idp.example/u?access_token=x", Some("tok"));
        assert_eq!(format!("{request:?}"), "GET https://idp.example/u");
        assert_eq!(format!("{BASIC:?}"), r#"ClientProof("a:b")"#);
    }
}
