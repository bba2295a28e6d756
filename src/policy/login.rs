//! The section `login`: with which providers people log in, who of them may, and what they may do.

pub(super) mod document;
mod location;

use std::collections::BTreeMap;

use self::document::{
    AllowDocument, AuthenticationWord, LoginDocument, ProviderDocument, ScopesByFactDocument,
    ScopesByWord,
};
use super::{
    Secrets, SessionPolicy,
    check::{at, each, first_repeated, is_header_name, scope_list, secret_named, token},
    cors::check_origin,
    document::Document,
};
use crate::{
    error::Error,
    jose::{discovery::Discovery, sign::pkcs8_of_pem},
    login::{
        access::{Allow, ScopeRules},
        binding,
        exchange::further_scopes,
        person::is_domain,
        profiles,
        provider::{ClientAuthentication, Identity, Profile},
    },
    secret::Secret,
};

/// More buttons than anybody reads.
const MAX_PROVIDERS: usize = 20;

/// More words in one list than any token of a provider has.
const MAX_WORDS: usize = 500;

/// Logins with others.
#[derive(Debug)]
pub struct LoginPolicy {
    /// The providers, in the order of the buttons.
    pub providers: Vec<Provider>,
    /// Other origins that a browser may be sent back to.
    pub return_origins: Vec<String>,
}

/// A provider, with what the policy says about it.
#[derive(Debug)]
pub struct Provider {
    /// Its name in paths and subjects.
    pub id: String,
    /// What its button says.
    pub title: String,
    /// What kind it is.
    pub profile: &'static Profile,
    /// Where its endpoints are.
    pub location: ProviderLocation,
    /// The client's name there.
    pub client_id: String,
    /// What proves that the gate is the client.
    pub client_secret: ClientSecret,
    /// How it is sent.
    pub authentication: ClientAuthentication,
    /// The scopes that it is asked for.
    pub request_scopes: Vec<String>,
    /// The claim that has groups, beside those of the profile.
    pub groups_claim: Option<String>,
    /// Who may log in.
    pub allow: Allow,
    /// Which scopes of the gate that gives.
    pub scopes: ScopeRules,
    /// Whether it may be asked over http, on a host that is not on the public internet.
    pub allow_http: bool,
    /// Whether it is for grants alone, and nobody logs in by it.
    pub connect_only: bool,
}

/// Where a provider's endpoints are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderLocation {
    /// The document of this issuer has them.
    Discovered {
        /// The issuer, and where its document is.
        discovery: Discovery,
        /// The same, as tokens name it.
        issuer: String,
    },
    /// Here.
    Known(ProviderEndpoints),
}

/// Endpoints that no document names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderEndpoints {
    /// Where browsers are sent.
    pub authorization: String,
    /// Where codes become tokens.
    pub token: String,
    /// Who has logged in.
    pub userinfo: Option<String>,
    /// Where tokens are revoked.
    pub revocation: Option<String>,
}

/// What proves that the gate is the client.
#[derive(Debug)]
pub enum ClientSecret {
    /// A text that the provider has too.
    Shared(Secret),
    /// The private key of which the provider has the public one (Apple).
    Key {
        /// Whose it is: `iss` of what is signed.
        team_id: String,
        /// Which key: `kid`.
        key_id: String,
        /// The key: PKCS#8 in DER.
        private_key: Secret,
    },
}

impl LoginPolicy {
    /// The provider of that name.
    #[must_use]
    pub fn provider(&self, id: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.id == id)
    }

    /// Those that people log in with.
    pub fn ways_in(&self) -> impl Iterator<Item = &Provider> {
        self.providers.iter().filter(|provider| !provider.connect_only)
    }
}

impl Provider {
    /// The issuer that its tokens name, if it has one.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        match &self.location {
            ProviderLocation::Discovered { issuer, .. } => Some(issuer),
            ProviderLocation::Known(_) => None,
        }
    }

    /// Whether organisations and teams have to be asked for.
    #[must_use]
    pub fn needs_memberships(&self) -> bool {
        self.allow.needs_memberships() || self.scopes.needs_memberships()
    }
}

/// The section, of a policy with these sessions.
#[inline(never)]
pub(super) fn login(
    document: &Document,
    sessions: Option<&SessionPolicy>,
    secrets: &dyn Secrets,
) -> Result<Option<LoginPolicy>, Error> {
    let Some(section) = &document.login else { return Ok(None) };
    read(document, section, sessions, secrets).map(Some)
}

#[inline(never)]
fn read(
    document: &Document,
    section: &LoginDocument,
    sessions: Option<&SessionPolicy>,
    secrets: &dyn Secrets,
) -> Result<LoginPolicy, Error> {
    if document.cookie.as_deref() == Some(binding::COOKIE) {
        let problem = "is the name of the cookie of logins, expected another";
        return Err(Error::config("cookie", problem));
    }
    if sessions.is_none_or(|sessions| sessions.browser.is_none()) {
        let problem = "needs the section sessions with cookies = true: a login is a way into a session of a browser";
        return Err(Error::config("login", problem));
    }
    let path = "login.providers";
    let given = &section.providers;
    if given.is_empty() || given.len() > MAX_PROVIDERS {
        return Err(Error::config(path, format!("expected 1 to {MAX_PROVIDERS} providers")));
    }
    if let Some(index) = first_repeated(given.iter().map(|provider| provider.id.as_str())) {
        return Err(Error::config(
            format!("{path}[{index}].id"),
            "this provider is listed already",
        ));
    }
    let providers = each(path, given.iter(), |path, one| provider(path, one, secrets))?;
    let return_origins = each("login.return_to", section.return_to.iter(), |path, origin| {
        let is_web = origin.starts_with("https://") || origin.starts_with("http://");
        match check_origin(origin) {
            Ok(()) if is_web => Ok(origin.clone()),
            _ => Err(Error::config(path, "expected an origin like https://app.example.com")),
        }
    })?;
    Ok(LoginPolicy { providers, return_origins })
}

fn provider(
    path: &str,
    document: &ProviderDocument,
    secrets: &dyn Secrets,
) -> Result<Provider, Error> {
    let field = |name: &str| format!("{path}.{name}");
    let refused = |name: &str, problem: String| Err(Error::config(field(name), problem));
    let Some(profile) = profiles::named(&document.r#type) else {
        let known: Vec<&str> = profiles::ALL.iter().map(|profile| profile.name).collect();
        return refused("type", format!("expected one of {}", known.join(", ")));
    };
    let id = token(&field("id"), &document.id)?;
    // Browsers take such a segment of a path for another folder.
    if id.bytes().all(|byte| byte == b'.') {
        return refused("id", "expected more than dots".to_owned());
    }
    // These begin the subjects of others (`session`): nobody logs in as one of them.
    if ["client", "account"].contains(&id.as_str()) {
        return refused(
            "id",
            "is what the gate's own subjects begin with, expected another".to_owned(),
        );
    }
    let title = document.title.as_deref().unwrap_or(profile.title);
    if !(1..=60).contains(&title.len()) || title.chars().any(char::is_control) {
        return refused("title", "expected 1 to 60 bytes without control characters".to_owned());
    }
    if !(1..=300).contains(&document.client_id.len())
        || document.client_id.chars().any(char::is_control)
    {
        return refused("client_id", "expected the client's name at the provider".to_owned());
    }
    let location = location::location(path, document, profile)?;
    let allow = allow(&field("allow"), &document.allow)?;
    let scopes = scopes(&field("scopes"), &document.scopes)?;
    let request_scopes = request_scopes(path, document, profile, (&allow, &scopes))?;
    Ok(Provider {
        client_secret: client_secret(path, document, profile, secrets)?,
        authentication: match document.authentication {
            None => profile.authentication,
            Some(_) if profile.authentication == ClientAuthentication::SignedSecret => {
                return refused(
                    "authentication",
                    format!("{} wants a signed secret, expected nothing", profile.name),
                );
            }
            Some(AuthenticationWord::Basic) => ClientAuthentication::Basic,
            Some(AuthenticationWord::Post) => ClientAuthentication::Post,
        },
        allow,
        scopes,
        allow_http: document.allow_http,
        connect_only: document.connect_only || profile.identity == Identity::TokenAnswer,
        groups_claim: document.groups_claim.clone(),
        client_id: document.client_id.clone(),
        title: title.to_owned(),
        id,
        profile,
        location,
        request_scopes,
    })
}

/// The scopes that the provider is asked for: without those that the rules need it would refuse to say what they ask about.
fn request_scopes(
    path: &str,
    document: &ProviderDocument,
    profile: &Profile,
    rules: (&Allow, &ScopeRules),
) -> Result<Vec<String>, Error> {
    let path = format!("{path}.request_scopes");
    let needed = further_scopes(profile, rules);
    let has =
        |scopes: &[String], any: &[&str]| scopes.iter().any(|one| any.contains(&one.as_str()));
    let Some(given) = &document.request_scopes else {
        let mut all: Vec<String> = profile.scopes.iter().map(|scope| (*scope).to_owned()).collect();
        for any in needed {
            if !has(&all, any) {
                all.extend(any.first().map(|scope| (*scope).to_owned()));
            }
        }
        return Ok(all);
    };
    let is_word = |scope: &String| {
        !scope.is_empty() && scope.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')
    };
    if let Some(index) = given.iter().position(|scope| !is_word(scope)) {
        return Err(Error::config(format!("{path}[{index}]"), "expected a scope of the provider"));
    }
    if profile.identity == Identity::IdToken && !has(given, &["openid"]) {
        return Err(Error::config(path, "lacks openid, without which there is no ID token"));
    }
    match needed.into_iter().find(|any| !has(given, any)) {
        Some(any) => Err(Error::config(
            path,
            format!("lacks {}, which allow and scopes need", any.join(" or ")),
        )),
        None => Ok(given.clone()),
    }
}

fn client_secret(
    path: &str,
    document: &ProviderDocument,
    profile: &Profile,
    secrets: &dyn Secrets,
) -> Result<ClientSecret, Error> {
    let field = |name: &str| format!("{path}.{name}");
    let refused = |name: &str, problem: &str| Err(Error::config(field(name), problem));
    let is_signed = profile.authentication == ClientAuthentication::SignedSecret;
    let ProviderDocument { client_secret, team_id, key_id, private_key, .. } = document;
    match (client_secret, team_id, key_id, private_key) {
        (Some(name), None, None, None) if !is_signed => {
            // What a provider has chosen has the length that it has chosen.
            let secret = secret_named(&field("client_secret"), name, secrets)?;
            secret.require_length(8).map_err(|fault| at(&field("client_secret"), &fault))?;
            Ok(ClientSecret::Shared(secret))
        }
        (None, Some(team_id), Some(key_id), Some(name)) if is_signed => {
            for (name, text) in [("team_id", team_id), ("key_id", key_id)] {
                if !is_header_name(text) {
                    return refused(name, "expected 10 letters and digits");
                }
            }
            let pem = secret_named(&field("private_key"), name, secrets)?;
            let pem = core::str::from_utf8(pem.expose_secret()).unwrap_or_default();
            let private_key =
                pkcs8_of_pem(pem).map_err(|fault| at(&field("private_key"), &fault))?;
            Ok(ClientSecret::Key { team_id: team_id.clone(), key_id: key_id.clone(), private_key })
        }
        _ if is_signed => {
            refused("private_key", "expected team_id, key_id and private_key, and no client_secret")
        }
        _ => refused(
            "client_secret",
            "expected the name of a secret, and no team_id, key_id and private_key",
        ),
    }
}

fn allow(path: &str, document: &AllowDocument) -> Result<Allow, Error> {
    let AllowDocument { email_domains, tenants, groups, organizations, teams, subjects } = document;
    for (name, list) in [
        ("email_domains", email_domains),
        ("tenants", tenants),
        ("groups", groups),
        ("organizations", organizations),
        ("teams", teams),
        ("subjects", subjects),
    ] {
        check_words(&format!("{path}.{name}"), name, list.iter().map(String::as_str))?;
    }
    Ok(Allow {
        email_domains: email_domains.clone(),
        tenants: tenants.clone(),
        groups: groups.clone(),
        organizations: organizations.clone(),
        teams: teams.clone(),
        subjects: subjects.clone(),
    })
}

/// Words of a list. One that nobody can have would shut everybody out, or is meant otherwise: `@example.com`, `*.example.com`.
fn check_words<'w>(
    path: &str,
    name: &str,
    words: impl Iterator<Item = &'w str>,
) -> Result<(), Error> {
    for (index, word) in words.enumerate() {
        let place = || format!("{path}[{index}]");
        if index >= MAX_WORDS {
            return Err(Error::config(path, format!("expected at most {MAX_WORDS}")));
        }
        if !(1..=200).contains(&word.len()) || word.chars().any(char::is_control) {
            return Err(Error::config(
                place(),
                "expected 1 to 200 bytes without control characters",
            ));
        }
        if name == "email_domains" && !is_domain(word) {
            return Err(Error::config(place(), "expected a domain like example.com"));
        }
        if name == "teams" && word.split('/').filter(|part| !part.is_empty()).count() != 2 {
            return Err(Error::config(place(), "expected organization/team"));
        }
    }
    Ok(())
}

fn scopes(path: &str, document: &ScopesByFactDocument) -> Result<ScopeRules, Error> {
    scope_list(&format!("{path}.default"), &document.default)?;
    let by_word =
        |name: &str, map: &ScopesByWord| -> Result<BTreeMap<String, Vec<String>>, Error> {
            check_words(&format!("{path}.{name}"), name, map.keys().map(String::as_str))?;
            for (word, list) in map {
                scope_list(&format!("{path}.{name}.{word}"), list)?;
            }
            Ok(map.clone())
        };
    Ok(ScopeRules {
        default: document.default.clone(),
        email_domains: by_word("email_domains", &document.email_domains)?,
        tenants: by_word("tenants", &document.tenants)?,
        groups: by_word("groups", &document.groups)?,
        organizations: by_word("organizations", &document.organizations)?,
        teams: by_word("teams", &document.teams)?,
        subjects: by_word("subjects", &document.subjects)?,
    })
}
