//! The options of an issuer: whose tokens are taken, by which keys and rules.
//!
//! A policy writes them in its section `issuers`, JavaScript gives them to `createVerifier`. Both are read here, and
//! differ in their names ([`ISSUER_OPTIONS`]), in the words of some messages, and in how they name a key.

use serde_json::{Map, Value};

use super::{
    Secrets,
    check::{at, begins_with_host, each, secret_named},
};
use crate::{
    error::Error,
    jose::{
        algorithm::Algorithm,
        claims::{ClaimRules, Profile},
        dpop::Binding,
        jws::DEFAULT_MAX_TOKEN_LENGTH,
        keys::{Key, KeySet},
        verifier::{Issuer, KeySource, Verifier},
    },
    json::{StrictObject, document::member},
};

/// Who wrote the options, and so how their names are spelt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// A policy: `clock_tolerance_secs`.
    Policy,
    /// The options of `createVerifier`: `clockTolerance`.
    JavaScript,
}

/// An option by its name in a policy and its name in JavaScript. One of them may have no such option.
pub type OptionNames = (Option<&'static str>, Option<&'static str>);

/// All options of an issuer, in the order in which messages list them.
pub const ISSUER_OPTIONS: [OptionNames; 16] = [
    (Some("issuer"), Some("issuer")),
    (Some("audience"), Some("audience")),
    (Some("algorithms"), Some("algorithms")),
    (Some("secret"), None),
    (None, Some("key")),
    (Some("jwks"), Some("jwks")),
    (Some("pem"), None),
    (Some("jwks_uri"), Some("jwksUri")),
    (Some("clock_tolerance_secs"), Some("clockTolerance")),
    (Some("max_token_age_secs"), Some("maxTokenAge")),
    (Some("required_claims"), Some("requiredClaims")),
    (Some("typ"), Some("typ")),
    (Some("scope_claim"), Some("scopeClaim")),
    (Some("require_exp"), Some("requireExp")),
    (Some("profile"), Some("profile")),
    (Some("dpop"), None),
];

impl Spelling {
    /// The names of all options.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        ISSUER_OPTIONS.into_iter().filter_map(move |names| self.of(names).0)
    }

    /// The path of a fault, as a policy would name it, in this spelling.
    #[must_use]
    pub fn path(self, path: &str) -> String {
        let (before, name) =
            path.rsplit_once('.').map_or(("", path), |(before, name)| (before, name));
        let dot = if before.is_empty() { "" } else { "." };
        let known = ISSUER_OPTIONS.into_iter().find(|(policy, _)| *policy == Some(name));
        let name = known.and_then(|names| self.of(names).0).unwrap_or(name);
        format!("{before}{dot}{name}")
    }

    /// The name in this spelling, then the other one.
    const fn of(self, (policy, javascript): OptionNames) -> OptionNames {
        match self {
            Self::Policy => (policy, javascript),
            Self::JavaScript => (javascript, policy),
        }
    }

    /// What a name is said to be that is not an option. For the other spelling of an option the right one is named.
    fn unknown(self, name: &str) -> String {
        let what = match self {
            Self::Policy => "is not a known field",
            Self::JavaScript => "is not a known option",
        };
        let other = ISSUER_OPTIONS.into_iter().map(|names| self.of(names));
        let meant = other.filter(|(_, other)| *other == Some(name)).find_map(|(own, _)| own);
        match meant {
            Some(own) => format!("{what}, expected {own}"),
            None => {
                let names: Vec<_> = self.names().collect();
                format!("{what}, expected one of {}", names.join(", "))
            }
        }
    }
}

/// The types that options have.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    List,
    TextOrList,
    Seconds,
    Flag,
}

impl Kind {
    /// What was expected, and in a policy also what kind of value was found.
    fn mismatch(self, spelling: Spelling, found: &Value) -> String {
        let found = match (self, found) {
            (Self::Seconds, Value::Number(number)) if number.is_i64() => "one out of range",
            _ => kind(found),
        };
        match spelling {
            Spelling::JavaScript => format!("expected {}", self.in_javascript()),
            Spelling::Policy => format!("expected {}, found {found}", self.in_policies()),
        }
    }

    const fn in_javascript(self) -> &'static str {
        match self {
            Self::Text => "a non-empty string",
            Self::List => "a list of strings",
            Self::TextOrList => "a string or a list of strings",
            Self::Seconds => "a whole number of seconds",
            Self::Flag => "true or false",
        }
    }

    const fn in_policies(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::List | Self::TextOrList => "a list",
            Self::Seconds => "a whole number",
            Self::Flag => "a boolean",
        }
    }
}

fn kind(found: &Value) -> &'static str {
    match found {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_i64() || number.is_u64() => "a whole number",
        Value::Number(_) => "a fraction",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The options of one issuer, with their types checked and nothing resolved yet.
#[derive(Debug)]
pub struct IssuerOptions {
    place: Place,
    /// `iss`.
    pub issuer: String,
    audience: Option<Vec<String>>,
    algorithms: Option<Vec<String>>,
    secret: Option<String>,
    /// In JavaScript a key of the form that the caller reads.
    pub key: Option<Value>,
    /// A JWK set; in JavaScript its text.
    pub jwks: Option<Value>,
    pem: Option<String>,
    /// Where the issuer publishes its keys.
    pub jwks_uri: Option<String>,
    clock_tolerance_secs: Option<u64>,
    max_token_age_secs: Option<u64>,
    required_claims: Vec<String>,
    typ: Option<String>,
    scope_claim: Option<String>,
    require_exp: Option<bool>,
    profile: Option<String>,
    dpop: Option<String>,
}

/// Where the options are, for messages.
#[derive(Debug, Clone)]
struct Place {
    /// Empty for a single issuer of JavaScript.
    path: String,
    spelling: Spelling,
}

impl Place {
    /// The path of an option by its name in policies.
    fn of(&self, name: &str) -> String {
        let name = self.spelling.path(name);
        if self.path.is_empty() { name } else { format!("{}.{name}", self.path) }
    }

    fn fault(&self, name: &str, problem: impl Into<String>) -> Error {
        Error::config(self.of(name), problem)
    }
}

/// The options that have not been read yet.
struct Reader {
    place: Place,
    members: Map<String, Value>,
}

impl Reader {
    /// An option by its name in policies. There `null` says the same as nothing; JavaScript says nothing by `undefined`.
    fn take(&mut self, name: &str) -> Option<Value> {
        self.take_given(name)
            .filter(|value| self.place.spelling == Spelling::JavaScript || !value.is_null())
    }

    /// The same, where `null` is a value of another type.
    fn take_given(&mut self, name: &str) -> Option<Value> {
        self.members.remove(&self.place.spelling.path(name))
    }

    fn text(&mut self, name: &str) -> Result<Option<String>, Error> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.mismatch(name, Kind::Text, &other)),
        }
    }

    fn seconds(&mut self, name: &str) -> Result<Option<u64>, Error> {
        let Some(value) = self.take(name) else { return Ok(None) };
        value.as_u64().map(Some).ok_or_else(|| self.mismatch(name, Kind::Seconds, &value))
    }

    fn flag(&mut self, name: &str) -> Result<Option<bool>, Error> {
        let Some(value) = self.take(name) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| self.mismatch(name, Kind::Flag, &value))
    }

    fn list(&self, name: &str, kind: Kind, value: Value) -> Result<Vec<String>, Error> {
        let Value::Array(list) = value else { return Err(self.mismatch(name, kind, &value)) };
        let path = self.place.of(name);
        each(&path, list.into_iter(), |place, one| match (one, self.place.spelling) {
            (Value::String(text), _) => Ok(text),
            (_, Spelling::JavaScript) => Err(Error::config(place, "expected a string")),
            (other, spelling) => Err(Error::config(place, Kind::Text.mismatch(spelling, &other))),
        })
    }

    /// In JavaScript one audience may stand without a list.
    fn audience(&mut self) -> Result<Option<Vec<String>>, Error> {
        match self.take("audience") {
            None => Ok(None),
            Some(Value::String(one)) if self.place.spelling == Spelling::JavaScript => {
                Ok(Some(vec![one]))
            }
            Some(other) => self.list("audience", Kind::TextOrList, other).map(Some),
        }
    }

    fn mismatch(&self, name: &str, kind: Kind, found: &Value) -> Error {
        self.place.fault(name, kind.mismatch(self.place.spelling, found))
    }

    /// No other name may be given.
    fn refuse_unknown(&self) -> Result<(), Error> {
        let spelling = self.place.spelling;
        let known = |name: &str| spelling.names().any(|known| known == name);
        match self.members.keys().find(|name| !known(name)) {
            None => Ok(()),
            Some(name) => {
                Err(Error::config(member(self.place.path.clone(), name), spelling.unknown(name)))
            }
        }
    }
}

impl IssuerOptions {
    /// Reads the options that are at `path`.
    ///
    /// # Errors
    /// [`Error::Config`] for a name that is not an option, a value of another type, an option that is missing, and for
    /// a rule that no token can meet or that means nothing.
    pub fn read(
        path: &str,
        members: Map<String, Value>,
        spelling: Spelling,
    ) -> Result<Self, Error> {
        let place = Place { path: path.to_owned(), spelling };
        let mut reader = Reader { place, members };
        reader.refuse_unknown()?;
        let required = match spelling {
            Spelling::Policy => "is required",
            Spelling::JavaScript => "expected a non-empty string",
        };
        let issuer = match reader.take_given("issuer") {
            None => return Err(reader.place.fault("issuer", required)),
            Some(Value::String(issuer)) => issuer,
            Some(other) => return Err(reader.mismatch("issuer", Kind::Text, &other)),
        };
        let algorithms = reader.take("algorithms");
        let required_claims = reader.take_given("required_claims");
        let list = |reader: &Reader, name, value: Option<Value>| {
            value.map(|value| reader.list(name, Kind::List, value)).transpose()
        };
        let options = Self {
            issuer,
            audience: reader.audience()?,
            algorithms: list(&reader, "algorithms", algorithms)?,
            secret: reader.text("secret")?,
            key: reader.take("key"),
            jwks: reader.take("jwks"),
            pem: reader.text("pem")?,
            jwks_uri: reader.text("jwks_uri")?,
            clock_tolerance_secs: reader.seconds("clock_tolerance_secs")?,
            max_token_age_secs: reader.seconds("max_token_age_secs")?,
            required_claims: list(&reader, "required_claims", required_claims)?.unwrap_or_default(),
            typ: reader.text("typ")?,
            scope_claim: reader.text("scope_claim")?,
            require_exp: reader.flag("require_exp")?,
            profile: reader.text("profile")?,
            dpop: reader.text("dpop")?,
            place: reader.place,
        };
        options.refuse_empty()?;
        Ok(options)
    }

    /// The algorithms that are named; `None` without the option.
    ///
    /// # Errors
    /// [`Error::Config`] for a name that is not one of an algorithm.
    pub fn algorithms(&self) -> Result<Option<Vec<Algorithm>>, Error> {
        let Some(names) = &self.algorithms else { return Ok(None) };
        algorithms_named(&self.path_of("algorithms"), names).map(Some)
    }

    /// The path of an option by its name in policies.
    #[must_use]
    pub fn path_of(&self, name: &str) -> String {
        self.place.of(name)
    }

    /// The issuer, with keys that the caller has found.
    ///
    /// # Errors
    /// [`Error::Config`] for a clock tolerance that is too great, and for an unknown word.
    pub fn into_issuer(self, algorithms: Vec<Algorithm>, keys: KeySource) -> Result<Issuer, Error> {
        let binding = self.binding()?;
        Ok(Issuer {
            rules: ClaimRules {
                require_exp: self.require_exp.unwrap_or(true),
                clock_tolerance_secs: self.clock_tolerance()?,
                max_token_age_secs: self.max_token_age_secs,
                profile: self.profile()?,
                audience: self.audience.unwrap_or_default(),
                required_claims: self.required_claims,
                typ: self.typ,
                scope_claim: self.scope_claim,
                ..ClaimRules::new(self.issuer)
            },
            binding,
            algorithms,
            keys,
        })
    }

    /// Refuses rules that no token can meet, or that mean nothing.
    fn refuse_empty(&self) -> Result<(), Error> {
        let (place, spelling) = (&self.place, self.place.spelling);
        if self.issuer.is_empty() {
            return Err(place.fault("issuer", "expected a non-empty string"));
        }
        let full = |list: &Vec<String>| !list.is_empty() && list.iter().all(|one| !one.is_empty());
        match (&self.audience, spelling) {
            (Some(audience), _) if full(audience) => {}
            // A verifier may be for an issuer that issues tokens for one service alone.
            (None, Spelling::JavaScript) => {}
            (Some(_), Spelling::JavaScript) => {
                return Err(place.fault("audience", "expected a non-empty string or list of them"));
            }
            (_, Spelling::Policy) => {
                return Err(place.fault("audience", "expected a non-empty list"));
            }
        }
        if let Some(index) = self.required_claims.iter().position(String::is_empty) {
            return Err(match spelling {
                Spelling::Policy => {
                    let path = format!("{}[{index}]", place.of("required_claims"));
                    Error::config(path, "expected a non-empty string")
                }
                Spelling::JavaScript => {
                    place.fault("required_claims", "expected non-empty strings")
                }
            });
        }
        for (name, text) in [("typ", &self.typ), ("scope_claim", &self.scope_claim)] {
            if text.as_ref().is_some_and(String::is_empty) {
                return Err(place.fault(name, "expected a non-empty string"));
            }
        }
        if self.max_token_age_secs == Some(0) {
            return Err(place.fault("max_token_age_secs", "expected at least 1"));
        }
        Ok(())
    }

    fn profile(&self) -> Result<Profile, Error> {
        match self.profile.as_deref() {
            None => Ok(Profile::Any),
            Some(name) => Profile::from_name(name)
                .ok_or_else(|| self.place.fault("profile", "expected access-token")),
        }
    }

    /// A token that says whose it is must not be taken from anybody else, unless the operator says so. A verifier of
    /// JavaScript sees to that itself, by its option `dpop`.
    fn binding(&self) -> Result<Binding, Error> {
        match (self.dpop.as_deref(), self.place.spelling) {
            (None, Spelling::JavaScript) => Ok(Binding::Off),
            (None, Spelling::Policy) => Ok(Binding::Optional),
            (Some(name), _) => Binding::from_name(name)
                .ok_or_else(|| self.place.fault("dpop", "expected off, optional or required")),
        }
    }

    fn clock_tolerance(&self) -> Result<u64, Error> {
        match self.clock_tolerance_secs.unwrap_or(0) {
            secs if secs > MAX_CLOCK_TOLERANCE_SECS => {
                Err(self.place.fault("clock_tolerance_secs", "expected at most 600 seconds"))
            }
            secs => Ok(secs),
        }
    }
}

/// The algorithms of a list that is at `path`.
///
/// # Errors
/// [`Error::Config`] for a name that is not one of an algorithm.
pub fn algorithms_named(path: &str, names: &[String]) -> Result<Vec<Algorithm>, Error> {
    each(path, names.iter(), |place, name| {
        Algorithm::from_name(name).ok_or_else(|| {
            Error::config(place, "expected an algorithm like RS256, ES256, EdDSA or HS256")
        })
    })
}

/// The section `issuers` of a policy.
pub(super) fn read_issuers(issuers: Vec<StrictObject>) -> Result<Vec<IssuerOptions>, Error> {
    each("issuers", issuers.into_iter(), |path, StrictObject(options)| {
        IssuerOptions::read(path, options, Spelling::Policy)
    })
}

/// What verifies tokens, if the policy takes any.
pub(super) fn verifier(
    issuers: Vec<IssuerOptions>,
    max_token_length: Option<usize>,
    secrets: &dyn Secrets,
) -> Result<Option<Verifier>, Error> {
    if issuers.is_empty() {
        return Ok(None);
    }
    let issuers = issuers
        .into_iter()
        .map(|options| issuer(options, secrets))
        .collect::<Result<Vec<_>, _>>()?;
    Verifier::new(issuers, max_token_length.unwrap_or(DEFAULT_MAX_TOKEN_LENGTH)).map(Some)
}

/// An issuer of a policy.
fn issuer(options: IssuerOptions, secrets: &dyn Secrets) -> Result<Issuer, Error> {
    let (algorithms, keys) = issuer_keys(&options, secrets)?;
    options.into_issuer(algorithms, keys)
}

/// More than ten minutes is no clock skew any more: it would keep every token alive that much longer.
const MAX_CLOCK_TOLERANCE_SECS: u64 = 600;

/// The issuer's algorithms and keys: exactly one of `secret`, `jwks`, `pem`, `jwks_uri`.
fn issuer_keys(
    options: &IssuerOptions,
    secrets: &dyn Secrets,
) -> Result<(Vec<Algorithm>, KeySource), Error> {
    let place = &options.place;
    let algorithms = options.algorithms()?.unwrap_or_default();
    let given = (
        options.secret.as_deref(),
        options.jwks.as_ref(),
        options.pem.as_deref(),
        options.jwks_uri.as_deref(),
    );
    if let (Some(name), None, None, None) = given {
        let algorithm = match algorithms.as_slice() {
            [] => Algorithm::Hs256,
            [one] => *one,
            _ => {
                let problem = "expected exactly one algorithm for a secret";
                return Err(place.fault("algorithms", problem));
            }
        };
        let path = place.of("secret");
        let secret = secret_named(&path, name, secrets)?;
        let key = Key::hmac(secret, algorithm, None).map_err(|fault| at(&path, &fault))?;
        let keys = KeySet::new(vec![key]).map_err(|fault| at(&path, &fault))?;
        return Ok((vec![algorithm], KeySource::Fixed(keys)));
    }
    if algorithms.is_empty() {
        return Err(place.fault("algorithms", "expected a non-empty list"));
    }
    let keys = match given {
        (None, Some(jwks), None, None) => KeySource::Fixed(
            KeySet::from_jwks(&jwks.to_string()).map_err(|fault| at(&place.of("jwks"), &fault))?,
        ),
        (None, None, Some(pem), None) => {
            let path = place.of("pem");
            let key = Key::from_pem(pem).map_err(|fault| at(&path, &fault))?;
            KeySource::Fixed(KeySet::new(vec![key]).map_err(|fault| at(&path, &fault))?)
        }
        (None, None, None, Some(uri)) => {
            KeySource::Remote { uri: jwks_uri(&place.of("jwks_uri"), uri)? }
        }
        _ => {
            let problem = "expected exactly one of secret, jwks, pem, jwks_uri";
            return Err(Error::config(place.path.as_str(), problem));
        }
    };
    Ok((algorithms, keys))
}

/// `https` only, but for a loopback address: whoever can change the keys on their way is the issuer.
pub fn jwks_uri(path: &str, uri: &str) -> Result<String, Error> {
    let loopback = ["http://127.0.0.1", "http://localhost", "http://[::1]"]
        .iter()
        .any(|start| uri.strip_prefix(start).is_some_and(|rest| rest.starts_with([':', '/'])));
    let secure = uri.strip_prefix("https://").is_some_and(begins_with_host);
    let plain = !uri.contains(['#', '@', '\\']) && uri.bytes().all(|byte| byte.is_ascii_graphic());
    if (secure || loopback) && plain {
        return Ok(uri.to_owned());
    }
    Err(Error::config(path, "expected an https URL (http only on loopback)"))
}
