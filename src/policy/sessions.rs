//! The section `sessions`: the gate's own issuer, how long its sessions live, and the clients that may ask for tokens.

use std::sync::Arc;

use super::{
    Secrets,
    check::{at, each, first_repeated, scope_list, secret_named, secret_of, token},
    cors::check_origin,
    document::{Document, SessionClientDocument, SessionsDocument},
};
use crate::{
    error::Error,
    jose::{
        algorithm::Algorithm,
        claims::{ClaimRules, Profile},
        dpop::Binding,
        http_host::{self, may_publish_keys},
        verifier::{Issuer, KeySource},
    },
    session::{
        access::{CLOCK_TOLERANCE_SECS, FIRST_PARTY},
        client::{Client, ClientProof, GrantType},
        cookie::{self, SameSite},
        key_ring::KeyRing,
        metadata::Server,
        secrets::SessionSecrets,
        step::{LONGEST_SECS, Reuse, Terms},
    },
};

/// The algorithms that a ring may have beside each other while it changes from one to the next.
const ASYMMETRIC: [Algorithm; 3] = [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256];

/// Browsers keep no cookie for longer (RFC 6265bis §5.6.1): 400 days.
const MAX_ABSOLUTE_SECS: u32 = 400 * 86_400;

/// A day: what ends by a revocation entry alone should not live longer.
const MAX_ACCESS_SECS: u32 = LONGEST_SECS;

/// A renewal every few minutes, and idle at least twice as long as a token (`session::refresh`).
const MIN_ACCESS_SECS: u32 = 300;

const MAX_CLIENTS: usize = 100;

/// The gate's own sessions.
#[derive(Debug)]
pub struct SessionPolicy {
    /// `iss` of the gate's own tokens, which the gate accepts by itself.
    pub issuer: String,
    /// What its tokens are for.
    pub audience: Vec<String>,
    /// What refresh tokens, tickets and the key ring are sealed by.
    pub secrets: SessionSecrets,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// The signing keys of a secret; `None`: the gate makes and changes them itself.
    pub keys: Option<KeyRing>,
    /// How long things live.
    pub terms: Terms,
    /// What browsers get; `None`: no cookie is read or set.
    pub browser: Option<BrowserSessions>,
    clients: Vec<Client>,
}

/// Sessions in cookies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrowserSessions {
    /// Which requests from other sites carry them.
    pub same_site: SameSite,
    /// How long before the end of an access token it is renewed.
    pub renew_before_secs: u32,
    /// Pages of other origins that may act for their visitors.
    pub origins: Vec<String>,
}

impl SessionPolicy {
    /// The client of that name.
    #[must_use]
    pub fn client(&self, id: &str) -> Option<&Client> {
        self.clients.iter().find(|client| client.id == id)
    }

    /// The clients.
    #[must_use]
    pub fn clients(&self) -> &[Client] {
        &self.clients
    }

    /// The rule of reuse for sessions of this client; none: first-party.
    #[must_use]
    pub fn reuse(&self, client: Option<&str>) -> (Reuse, u32) {
        client
            .and_then(|id| self.client(id))
            .map_or_else(Default::default, |client| (client.reuse, client.grace_secs))
    }

    /// The origin of its own tokens' issuer: where its metadata and keys are.
    #[must_use]
    pub fn origin(&self) -> &str {
        let after_scheme = self.issuer.find("://").map_or(0, |at| at.saturating_add(3));
        let rest = self.issuer.get(after_scheme..).unwrap_or_default();
        let length = rest.find('/').unwrap_or(rest.len()).saturating_add(after_scheme);
        self.issuer.get(..length).unwrap_or(&self.issuer)
    }

    /// The URL of the gate's endpoints, of a policy with this prefix.
    #[must_use]
    pub fn base(&self, auth_prefix: &str) -> String {
        format!("{}{auth_prefix}", self.origin())
    }

    /// What its metadata is made of.
    #[must_use]
    pub fn server<'a>(&'a self, base: &'a str) -> Server<'a> {
        Server { issuer: &self.issuer, base, origin: self.origin() }
    }

    /// The audience of a session that asks for less; `None`: not within what the policy has.
    #[must_use]
    pub fn audience_within(&self, asked: &[String]) -> Option<Vec<String>> {
        asked.iter().all(|one| self.audience.contains(one)).then(|| asked.to_vec())
    }

    /// No issuer of the policy is called as the gate itself.
    pub(super) fn check_issuers(&self, issuers: &[Issuer]) -> Result<(), Error> {
        match issuers.iter().position(|issuer| issuer.rules.is_for(&self.issuer)) {
            Some(index) => Err(Error::config(
                "sessions.issuer",
                format!("is issuers[{index}] too, expected a name that is the gate's alone"),
            )),
            None => Ok(()),
        }
    }

    /// How the gate's own tokens are verified: as access tokens of RFC 9068, and as nothing else.
    pub(super) fn own_issuer(&self) -> Issuer {
        let algorithms =
            if self.algorithm.is_symmetric() { vec![self.algorithm] } else { ASYMMETRIC.to_vec() };
        let rules = ClaimRules {
            audience: self.audience.clone(),
            clock_tolerance_secs: CLOCK_TOLERANCE_SECS,
            profile: Profile::AccessToken,
            ..ClaimRules::new(self.issuer.clone())
        };
        Issuer { rules, algorithms, keys: KeySource::Ring, binding: Binding::Optional }
    }
}

/// The section, of a policy with these issuers.
pub(super) fn sessions(
    document: &Document,
    secrets: &dyn Secrets,
) -> Result<Option<SessionPolicy>, Error> {
    let Some(section) = &document.sessions else { return Ok(None) };
    read(document, section, secrets).map(Some)
}

#[inline(never)]
fn read(
    document: &Document,
    section: &SessionsDocument,
    secrets: &dyn Secrets,
) -> Result<SessionPolicy, Error> {
    if document.revocation.is_none() {
        let problem = "needs the section revocation: a log-out has to be known to every isolate";
        return Err(Error::config("sessions", problem));
    }
    if document
        .cookie
        .as_deref()
        .is_some_and(|name| [cookie::ACCESS, cookie::REFRESH].contains(&name))
    {
        return Err(Error::config(
            "cookie",
            "is the name of a cookie of sessions, expected another",
        ));
    }
    Ok(SessionPolicy {
        issuer: issuer(&section.issuer)?,
        audience: audience(&section.audience)?,
        secrets: session_secrets(section, secrets)?,
        algorithm: algorithm(section)?,
        keys: keys(section, secrets)?,
        terms: terms(section)?,
        browser: browser(section)?,
        clients: clients(&section.clients, secrets)?,
    })
}

fn issuer(text: &str) -> Result<String, Error> {
    if may_publish_keys(text, false) && !text.contains('?') && text.len() <= 200 {
        Ok(text.to_owned())
    } else {
        let problem =
            "expected an https URL without query and fragment, or an http one on loopback";
        Err(Error::config("sessions.issuer", problem))
    }
}

fn audience(given: &[String]) -> Result<Vec<String>, Error> {
    let path = "sessions.audience";
    if given.is_empty() || given.iter().any(String::is_empty) {
        return Err(Error::config(path, "expected a non-empty list of non-empty strings"));
    }
    if let Some(index) = first_repeated(given.iter().map(String::as_str)) {
        return Err(Error::config(format!("{path}[{index}]"), "is there already"));
    }
    Ok(given.to_vec())
}

fn session_secrets(
    section: &SessionsDocument,
    secrets: &dyn Secrets,
) -> Result<SessionSecrets, Error> {
    let named = match (&section.secret, section.secrets.as_slice()) {
        // Whoever begins to rotate writes the first one as id 1.
        (Some(name), []) => vec![(1, secret_of("sessions.secret", name, secrets)?)],
        (None, list @ [_, ..]) => each("sessions.secrets", list.iter(), |path, one| {
            Ok((one.id, secret_of(&format!("{path}.secret"), &one.secret, secrets)?))
        })?,
        _ => {
            return Err(Error::config(
                "sessions.secret",
                "expected exactly one of secret, secrets",
            ));
        }
    };
    SessionSecrets::new(named).map_err(|fault| at("sessions", &fault))
}

fn algorithm(section: &SessionsDocument) -> Result<Algorithm, Error> {
    let known = Algorithm::from_name(section.algorithm.as_deref().unwrap_or("ES256"));
    known
        .filter(|one| *one == Algorithm::Hs256 || ASYMMETRIC.contains(one))
        .ok_or_else(|| Error::config("sessions.algorithm", "expected ES256, EdDSA, RS256 or HS256"))
}

fn keys(section: &SessionsDocument, secrets: &dyn Secrets) -> Result<Option<KeyRing>, Error> {
    let path = "sessions.keys";
    let Some(name) = &section.keys else { return Ok(None) };
    let set = secret_named(path, name, secrets)?;
    KeyRing::from_secret(&set, algorithm(section)?).map(Some).map_err(|fault| at(path, &fault))
}

fn terms(section: &SessionsDocument) -> Result<Terms, Error> {
    let refused =
        |name: &str, problem: String| Err(Error::config(format!("sessions.{name}"), problem));
    let SessionsDocument { access_secs, idle_secs, absolute_secs, recheck_secs, .. } = *section;
    if !(MIN_ACCESS_SECS..=MAX_ACCESS_SECS).contains(&access_secs) {
        return refused(
            "access_secs",
            format!("expected {MIN_ACCESS_SECS} to {MAX_ACCESS_SECS} seconds"),
        );
    }
    let shortest = access_secs.saturating_mul(2);
    if idle_secs < shortest {
        return refused("idle_secs", format!("expected at least twice access_secs, {shortest}"));
    }
    if !(idle_secs..=MAX_ABSOLUTE_SECS).contains(&absolute_secs) {
        return refused(
            "absolute_secs",
            format!("expected idle_secs to {MAX_ABSOLUTE_SECS} seconds"),
        );
    }
    if recheck_secs < access_secs {
        return refused("recheck_secs", format!("expected at least access_secs, {access_secs}"));
    }
    Ok(Terms { access_secs, idle_secs, absolute_secs, recheck_secs })
}

fn browser(section: &SessionsDocument) -> Result<Option<BrowserSessions>, Error> {
    if !section.cookies {
        let given = [
            ("same_site", section.same_site.is_some()),
            ("renew_before_secs", section.renew_before_secs.is_some()),
            ("origins", !section.origins.is_empty()),
        ];
        return match given.into_iter().find(|(_, given)| *given) {
            Some((name, _)) => Err(Error::config(
                format!("sessions.{name}"),
                "only with cookies = true is it used",
            )),
            None => Ok(None),
        };
    }
    let renew_before_secs = section.renew_before_secs.unwrap_or(60);
    let most = section.access_secs.checked_div(2).unwrap_or(0);
    if !(1..=most).contains(&renew_before_secs) {
        let problem = format!("expected 1 to half of access_secs, {most}");
        return Err(Error::config("sessions.renew_before_secs", problem));
    }
    let origins = each("sessions.origins", section.origins.iter(), |place, origin| {
        check_origin(origin).map_err(|problem| Error::config(place, problem))?;
        if origin == "null" {
            return Err(Error::config(place, "every page can be null, expected an origin"));
        }
        Ok(origin.clone())
    })?;
    let same_site = section.same_site.unwrap_or_default();
    Ok(Some(BrowserSessions { same_site, renew_before_secs, origins }))
}

fn clients(
    documents: &[SessionClientDocument],
    secrets: &dyn Secrets,
) -> Result<Vec<Client>, Error> {
    let path = "sessions.clients";
    if documents.len() > MAX_CLIENTS {
        return Err(Error::config(path, format!("expected at most {MAX_CLIENTS}")));
    }
    if let Some(index) = first_repeated(documents.iter().map(|client| client.id.as_str())) {
        return Err(Error::config(format!("{path}[{index}].id"), "this client is listed already"));
    }
    each(path, documents.iter(), |path, document| client(path, document, secrets))
}

fn client(
    path: &str,
    document: &SessionClientDocument,
    secrets: &dyn Secrets,
) -> Result<Client, Error> {
    let refused = |name: &str, problem: &str| Err(Error::config(format!("{path}.{name}"), problem));
    let id = token(&format!("{path}.id"), &document.id)?;
    if id == FIRST_PARTY {
        return refused("id", "is what sessions without a client are called, expected another");
    }
    if document.grants.is_empty() {
        return refused("grants", "expected refresh_token, client_credentials, or both");
    }
    scope_list(&format!("{path}.scopes"), &document.scopes)?;
    let machine = document.grants.contains(&GrantType::ClientCredentials);
    if !machine && !document.scopes.is_empty() {
        return refused(
            "scopes",
            "only tokens of client_credentials have them, sessions have their own",
        );
    }
    match (document.reuse, document.grace_secs) {
        (Reuse::Grace, None) => return refused("grace_secs", "is required with reuse = grace"),
        (Reuse::Grace, Some(30..=3600)) | (_, None) => {}
        (Reuse::Grace, Some(_)) => return refused("grace_secs", "expected 30 to 3600 seconds"),
        (_, Some(_)) => return refused("grace_secs", "only with reuse = grace is it used"),
    }
    Ok(Client {
        id,
        proof: proof(path, document, secrets)?,
        grants: document.grants.clone(),
        scopes: document.scopes.clone(),
        reuse: document.reuse,
        grace_secs: document.grace_secs.unwrap_or(0),
        introspect: document.introspect,
    })
}

fn proof(
    path: &str,
    document: &SessionClientDocument,
    secrets: &dyn Secrets,
) -> Result<ClientProof, Error> {
    let given = (&document.secret, &document.secret_sha256, &document.jwks_uri);
    match given {
        (Some(name), None, None) => {
            Ok(ClientProof::Secret(secret_of(&format!("{path}.secret"), name, secrets)?))
        }
        (None, Some(text), None) => {
            hex32(text).map(ClientProof::SecretSha256).ok_or_else(|| {
                Error::config(
                    format!("{path}.secret_sha256"),
                    "expected 64 lower-case hexadecimal digits: of 32 random bytes or more, not of a password",
                )
            })
        }
        (None, None, Some(uri)) if may_publish_keys(uri, document.allow_http) => {
            Ok(ClientProof::Jwks { uri: uri.clone() })
        }
        (None, None, Some(_)) => Err(Error::config(
            format!("{path}.jwks_uri"),
            "expected an https URL, or with allow_http an http one of a private host",
        )),
        _ => {
            let problem = "expected exactly one of secret, secret_sha256, jwks_uri";
            Err(Error::config(path, problem))
        }
    }
}

fn hex32(text: &str) -> Option<[u8; 32]> {
    let lower = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
    if text.len() != 64 || !text.bytes().all(lower) {
        return None;
    }
    let mut bytes = [0; 32];
    let (pairs, _) = text.as_bytes().as_chunks::<2>();
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        *byte = u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// The gate's own origin (`origin`), in the spelling of browsers.
pub(super) fn own_origin(given: Option<&str>) -> Result<Option<Arc<str>>, Error> {
    let Some(text) = given else { return Ok(None) };
    let fault = |problem: &str| Error::config("origin", problem);
    check_origin(text).map_err(fault)?;
    let rest = text.strip_prefix("http://");
    let is_open = rest.and_then(http_host::of).is_some_and(http_host::is_loopback);
    if text.starts_with("https://") || is_open {
        Ok(Some(text.into()))
    } else {
        Err(fault("expected an https origin, or an http one on loopback"))
    }
}
