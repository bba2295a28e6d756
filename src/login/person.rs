//! Who has logged in, as the provider says: a stable name, and what rules may ask about.
//!
//! The stable name alone is identity. An e-mail address can change hands, and is never one; it counts for a rule only where the provider
//! vouches for it.

use serde_json::{Map, Value};

/// The longest list of groups that is kept: the largest that Entra puts into a token has 200.
const MAX_GROUPS: usize = 500;

/// Who it is.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Person {
    /// The provider's own name for the account, which it gives to nobody else.
    pub id: String,
    /// A name to show.
    pub name: Option<String>,
    /// An e-mail address that the provider vouches for.
    pub email: Option<Email>,
    /// The organisation that the account belongs to: a tenant, a workspace, a hosted domain.
    pub tenant: Option<String>,
    /// Groups and roles.
    pub groups: Vec<String>,
    /// Organisations that the account is a member of.
    pub organizations: Vec<String>,
    /// Teams in these, as `organization/team`.
    pub teams: Vec<String>,
}

/// An address in the one form that rules read: ASCII, one `@`, a domain of plain labels.
#[derive(Clone, PartialEq, Eq)]
pub struct Email {
    text: String,
    at: usize,
}

impl Email {
    /// Reads an address; `None` for every form that two readers could take apart differently: two `@` (oauth2-proxy CVE-2026-40574), quotes,
    /// comments, letters that only look like others (Auth.js CVE-2026-73420).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (local, domain) = text.split_once('@')?;
        let is_local =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-.".contains(&byte);
        let local_fits = (1..=64).contains(&local.len()) && local.bytes().all(is_local);
        (local_fits && is_domain(domain) && text.len() <= 254)
            .then(|| Self { text: text.to_owned(), at: local.len() })
    }

    /// As the provider wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is of this domain, and not of one below it. Domains are compared without regard to case.
    #[must_use]
    pub fn is_of(&self, domain: &str) -> bool {
        let own = self.text.get(self.at.saturating_add(1)..).unwrap_or_default();
        own.eq_ignore_ascii_case(domain)
    }
}

/// Whether a text is a domain of at least two labels, as rules and addresses have it.
#[must_use]
pub fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(is_label)
}

/// Where a provider's claims say what a [`Person`] consists of. Each is a path with dots, as
/// [`Claims::find`](crate::jose::claims::Claims::find) reads it, into an ID token or the answer of a userinfo endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    /// The claims that together are the stable name: one, or an account and its workspace.
    pub id: &'static [&'static str],
    /// A name to show: the first that is there.
    pub name: &'static [&'static str],
    /// The address.
    pub email: &'static str,
    /// Who vouches for it.
    pub verified: Verified,
    /// The tenant.
    pub tenant: &'static str,
    /// Groups and roles, all together.
    pub groups: &'static [&'static str],
}

/// Whether an address counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verified {
    /// If this claim is `true` (Apple writes it as a text).
    If(&'static str),
    /// Never: the provider does not say, or lets users write what they like (nOAuth).
    Never,
}

impl Person {
    /// Reads claims.
    ///
    /// # Errors
    /// The name of the claim that is missing or has a form that no stable name has: without it nobody is logged in.
    pub fn read(claims: &Map<String, Value>, places: &Places) -> Result<Self, &'static str> {
        let mut parts = Vec::with_capacity(places.id.len());
        for path in places.id {
            parts.push(stable(find(claims, path)).ok_or(*path)?);
        }
        let texts = |path: &&str| find(claims, path).and_then(Value::as_str);
        let is_verified = match places.verified {
            Verified::If(claim) => is_true(find(claims, claim)),
            Verified::Never => false,
        };
        let email = Some(places.email).filter(|path| is_verified && !path.is_empty());
        let mut groups = Vec::new();
        for path in places.groups {
            groups.extend(words(find(claims, path)));
        }
        groups.truncate(MAX_GROUPS);
        Ok(Self {
            id: parts.join("."),
            name: places.name.iter().find_map(texts).and_then(shown),
            email: email.as_ref().and_then(texts).and_then(Email::parse),
            tenant: Some(places.tenant)
                .filter(|path| !path.is_empty())
                .as_ref()
                .and_then(texts)
                .map(str::to_owned),
            groups,
            ..Self::default()
        })
    }
}

impl Person {
    /// Takes in groups that stand elsewhere than usual.
    pub fn add_groups(&mut self, claims: &Map<String, Value>, path: &str) {
        self.groups.extend(words(find(claims, path)));
        self.groups.truncate(MAX_GROUPS);
    }
}

/// What is asked beside the claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// The addresses of an account, and which are verified.
    Emails,
    /// The organisations that it is a member of.
    Organizations,
    /// The teams.
    Teams,
    /// The servers of Discord that it is on, by number.
    Guilds,
}

impl Person {
    /// Takes in what a further request has answered: a list. Members of it that have another form count for nothing.
    pub fn add(&mut self, question: Question, answer: &[Value]) {
        let text =
            |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        match question {
            Question::Emails => {
                let is = |one: &Value, name: &str| is_true(one.get(name));
                let verified = || answer.iter().filter(|one| is(one, "verified"));
                let found = verified().find(|one| is(one, "primary"));
                self.email = found.and_then(|one| Email::parse(&text(one, "email")?));
            }
            Question::Organizations => {
                self.organizations = answer.iter().filter_map(|one| text(one, "login")).collect();
            }
            Question::Teams => {
                let team = |one: &Value| {
                    let organization = text(one.get("organization")?, "login")?;
                    Some(format!("{organization}/{}", text(one, "slug")?))
                };
                self.teams = answer.iter().filter_map(team).collect();
            }
            Question::Guilds => {
                self.organizations = answer.iter().filter_map(|one| text(one, "id")).collect();
            }
        }
    }
}

/// `sub` of the gate's own sessions: the provider's id in the policy, and the stable name there.
#[must_use]
pub fn subject(provider: &str, person: &Person) -> String {
    format!("{provider}|{}", person.id)
}

/// A claim by its name, or inside of others by a path with dots; a name with dots that exists as such is taken first.
fn find<'c>(claims: &'c Map<String, Value>, path: &str) -> Option<&'c Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    let (outer, inner) = path.split_once('.')?;
    find(claims.get(outer)?.as_object()?, inner)
}

/// A name that does not change: a text, or a whole number as GitHub has it. A fraction would be rounded.
fn stable(value: Option<&Value>) -> Option<String> {
    let text = match value? {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_u64() => number.to_string(),
        _ => return None,
    };
    // A `|` may be in it: names of Auth0 have one. The provider's id, which has none, comes before the first.
    let fits = (1..=200).contains(&text.len()) && !text.chars().any(char::is_control);
    fits.then_some(text)
}

fn is_true(value: Option<&Value>) -> bool {
    matches!(value, Some(Value::Bool(true))) || value.and_then(Value::as_str) == Some("true")
}

fn words(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(list)) => {
            list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        Some(Value::String(one)) => vec![one.clone()],
        _ => Vec::new(),
    }
}

/// A name for a list of sessions: without controls, and not longer than a line.
fn shown(name: &str) -> Option<String> {
    let plain: String = name.chars().filter(|one| !one.is_control()).take(100).collect();
    (!plain.trim().is_empty()).then_some(plain)
}

/// Shows the stable name only: the rest is about a person.
impl core::fmt::Debug for Person {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Person").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Shows nothing.
impl core::fmt::Debug for Email {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Email(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: Places = Places {
        id: &["sub"],
        name: &["name", "login"],
        email: "email",
        verified: Verified::If("email_verified"),
        tenant: "hd",
        groups: &["groups", "realm_access.roles"],
    };

    fn person(claims: &str, places: &Places) -> Result<Person, &'static str> {
        Person::read(&serde_json::from_str(claims).unwrap(), places)
    }

    #[test]
    fn an_address_counts_only_if_the_provider_vouches_for_it() {
        let email = |claims: &str| person(claims, &PLACES).unwrap().email.map(|email| email.text);
        for (verified, counts) in [
            ("true", true),
            (r#""true""#, true),
            ("false", false),
            (r#""false""#, false),
            ("1", false),
            ("null", false),
            (r#"["true"]"#, false),
        ] {
            let claims =
                format!(r#"{{"sub":"1","email":"a@b.example","email_verified":{verified}}}"#);
            assert_eq!(email(&claims).is_some(), counts, "{verified}");
        }
        assert_eq!(email(r#"{"sub":"1","email":"a@b.example"}"#), None);
        let never = Places { verified: Verified::Never, ..PLACES };
        let claims = r#"{"sub":"1","email":"a@b.example","email_verified":true}"#;
        assert_eq!(person(claims, &never).unwrap().email, None);
    }

    #[test]
    fn an_address_has_one_reading() {
        for text in [
            "a@evil.example@corp.example",
            "a@",
            "@corp.example",
            "a",
            "a@corp",
            "a@corp.example.",
            "a@.example",
            "a@-corp.example",
            "a b@corp.example",
            "\"a@evil\"@corp.example",
            "a(x)@corp.example",
            "a@corp.example\n",
            "a@c\u{43e}rp.example",
            "a\u{ff20}corp.example",
            "a@[127.0.0.1]",
        ] {
            assert_eq!(Email::parse(text), None, "{text}");
        }
        let email = Email::parse("Ann.O'Hara+x@Corp.Example").unwrap();
        assert!(email.is_of("corp.example") && email.is_of("CORP.EXAMPLE"));
        for other in ["example", "evilcorp.example", "x.corp.example", "orp.example", ""] {
            assert!(!email.is_of(other), "{other}");
        }
    }

    #[test]
    fn the_stable_name_is_there_or_nobody_is_logged_in() {
        assert_eq!(person(r#"{"sub":"a b"}"#, &PLACES).unwrap().id, "a b");
        assert_eq!(person(r#"{"sub":583231}"#, &PLACES).unwrap().id, "583231");
        // <https://auth0.com/docs/manage-users/user-accounts/identify-users>
        let auth0 = person(r#"{"sub":"auth0|5f7c8ec7c33c6c004bbafe82"}"#, &PLACES).unwrap();
        assert_eq!(subject("idp", &auth0), "idp|auth0|5f7c8ec7c33c6c004bbafe82");
        for claims in [
            "{}",
            r#"{"sub":""}"#,
            r#"{"sub":null}"#,
            r#"{"sub":1.5}"#,
            r#"{"sub":-1}"#,
            r#"{"sub":["a"]}"#,
            "{\"sub\":\"a\\u0000\"}",
        ] {
            assert_eq!(person(claims, &PLACES), Err("sub"), "{claims}");
        }
        let slack =
            Places { id: &["https://slack.com/team_id", "https://slack.com/user_id"], ..PLACES };
        let claims = r#"{"https://slack.com/team_id":"T1","https://slack.com/user_id":"U2"}"#;
        assert_eq!(person(claims, &slack).unwrap().id, "T1.U2");
        let claims = r#"{"https://slack.com/user_id":"U2"}"#;
        assert_eq!(person(claims, &slack), Err("https://slack.com/team_id"));
    }

    #[test]
    fn further_answers_are_taken_in() {
        let mut person = Person::default();
        let list = |text: &str| serde_json::from_str::<Vec<Value>>(text).unwrap();
        person.add(Question::Emails, &list(r#"[{"email":"old@a.example","verified":true,"primary":false},
            {"email":"new@a.example","verified":true,"primary":true},{"email":"x@b.example","verified":false}]"#));
        assert_eq!(person.email.as_ref().map(Email::as_str), Some("new@a.example"));
        person.add(
            Question::Emails,
            &list(r#"[{"email":"x@b.example","verified":false,"primary":true}]"#),
        );
        assert_eq!(person.email, None);
        person.add(Question::Organizations, &list(r#"[{"login":"acme"},{"id":1}]"#));
        person.add(
            Question::Teams,
            &list(r#"[{"slug":"core","organization":{"login":"acme"}},{"slug":"x"}]"#),
        );
        assert_eq!(person.organizations, ["acme"]);
        assert_eq!(person.teams, ["acme/core"]);
        person.add(Question::Guilds, &list(r#"[{"id":"80351110224678912","name":"1337"}]"#));
        assert_eq!(person.organizations, ["80351110224678912"]);
    }

    #[test]
    fn groups_of_several_claims_are_put_together() {
        let claims = r#"{"sub":"1","groups":["a",1,"b"],"realm_access":{"roles":["c"]},"hd":"corp.example"}"#;
        let found = person(claims, &PLACES).unwrap();
        assert_eq!(found.groups, ["a", "b", "c"]);
        assert_eq!(found.tenant.as_deref(), Some("corp.example"));
        assert_eq!(subject("google", &found), "google|1");
        assert_eq!(format!("{found:?}"), r#"Person { id: "1", .. }"#);
    }
}
