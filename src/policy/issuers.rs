//! The options of an issuer: whose tokens are taken, by which keys and rules.
//!
//! A policy writes them in its section `issuers`, JavaScript gives them to `createVerifier`. Both are read here, and
//! differ in their names ([`ISSUER_OPTIONS`]), in the words of some messages, and in how they name a key.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value};

use super::{
    Secrets,
    check::{at, each, first_repeated, scope_list, secret_named},
    encoding::Encoding,
    sessions::SessionPolicy,
};
use crate::{
    error::Error,
    jose::{
        algorithm::Algorithm,
        claims::{ClaimRules, Profile, RequiredValue, ScopeSource, Tenants},
        discovery::Discovery,
        dpop::Binding,
        http_host,
        jws::DEFAULT_MAX_TOKEN_LENGTH,
        keys::{Key, KeySet, MAX_CANDIDATES},
        verifier::{Issuer, KeySource, Verifier},
    },
    json::{StrictObject, fault::member, object::meant as meant_by},
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

/// A line for each option, in the order in which messages list them: what it says, its name in policies, its name in JavaScript, and
/// for policies its type as it is described. `-`: there is no such option.
macro_rules! options {
    ($(
        $(#[doc = $doc:literal])+
        $(#[facts($($keyword:ident = $fact:expr),+)])?
        ($policy:tt, $javascript:tt) $(: $type:ty)?;
    )+) => {
        /// All options of an issuer, in the order in which messages list them.
        pub const ISSUER_OPTIONS: [OptionNames; [$(stringify!($policy)),+].len()] =
            [$((options!(@name $policy), options!(@name $javascript))),+];

        /// The options as policies write them.
        #[cfg(feature = "describe")]
        pub(super) struct IssuerFields;

        #[cfg(feature = "describe")]
        impl crate::json::describe::Describe for IssuerFields {
            fn schema(known: &mut crate::json::describe::Definitions) -> Value {
                use super::schemas::{AlgorithmName, BindingName, EncodingName, OptionalList, ProfileName, RequiredClaim, ScopeNames};
                use crate::json::describe::{Facts, Field, Named};

                let about = "Whose tokens are taken, by which keys and rules: docs/tokens.md. Exactly one of `secret`, `secrets`, `jwks`, \
                             `pem`, `jwks_uri` and `discovery`.";
                known.object("Issuer", &[about], |known| {
                    let mut fields = Vec::new();
                    $({
                        let names = (stringify!($policy), [$($doc),+].as_slice());
                        let facts = Facts::default()$($(.with(stringify!($keyword), $fact))+)?;
                        options!(@field known, fields, names, facts $(, $type)?);
                    })+
                    fields
                })
            }
        }
    };
    // JavaScript alone has it.
    (@field $known:ident, $fields:ident, $names:ident, $facts:ident) => {
        let _ = ($names, $facts);
    };
    (@field $known:ident, $fields:ident, $names:ident, $facts:ident, $type:ty) => {
        $fields.push(Field::of::<$type>($known, $names, $facts, None));
    };
    (@name -) => { None };
    (@name $name:ident) => { Some(stringify!($name)) };
}

options! {
    /// `iss` of its tokens. Or a template with one placeholder: `https://login.microsoftonline.com/{tenantid}/v2.0`.
    #[facts(minLength = 1)]
    (issuer, issuer): String;
    /// Which values the placeholder of a template has.
    #[facts(minItems = 1, uniqueItems = true)]
    (tenants, tenants): Option<Vec<String>>;
    /// What its tokens have to be for: one of these.
    #[facts(minItems = 1)]
    (audience, audience): Vec<String>;
    /// The claim that names the audience in place of `aud`.
    #[facts(minLength = 1)]
    (audience_claim, audienceClaim): Option<String>;
    /// By which its tokens may be signed. Needed but for a secret, whose default is `HS256`.
    (algorithms, algorithms): Option<Vec<AlgorithmName>>;
    /// The name of the secret that signs them.
    (secret, -): Option<String>;
    /// The same while it changes: each is tried.
    #[facts(minItems = 1, maxItems = MAX_CANDIDATES, uniqueItems = true)]
    (secrets, -): Option<Vec<String>>;
    /// How the secret is written. Without it: `text`.
    #[facts(default = "text")]
    (encoding, -): Option<EncodingName>;
    /// A key.
    (-, key);
    /// A JWK set.
    (jwks, jwks): Option<StrictObject>;
    /// A public key or a certificate as PEM.
    (pem, -): Option<String>;
    /// Where it publishes its keys: an https URL, or an http one on loopback.
    (jwks_uri, jwksUri): Option<String>;
    /// Whether its own document says where that is.
    #[facts(default = false)]
    (discovery, discovery): Option<bool>;
    /// Whether `jwks_uri`, or an issuer with `discovery`, may be http on a host that is not on the public internet.
    #[facts(default = false)]
    (allow_http, allowHttp): Option<bool>;
    /// How far its clock may differ.
    #[facts(default = 0, maximum = MAX_CLOCK_TOLERANCE_SECS)]
    (clock_tolerance_secs, clockTolerance): Option<u64>;
    /// How old a token may be by `iat`, whatever `exp` says. Without it: any age.
    #[facts(minimum = 1)]
    (max_token_age_secs, maxTokenAge): Option<u64>;
    /// How long ago a person may have signed in, by `auth_time`. Without it: nobody asks.
    #[facts(minimum = 1)]
    (max_auth_age_secs, maxAuthAge): Option<u64>;
    /// Claims that have to be there.
    #[facts(default = [(); 0])]
    (required_claims, requiredClaims): OptionalList;
    /// Claims with a certain value, or one of a list: `{ token_use = "access" }`.
    #[facts(minProperties = 1)]
    (claims, claims): Option<Named<RequiredClaim>>;
    /// `typ` of the header.
    #[facts(minLength = 1)]
    (typ, typ): Option<String>;
    /// The claim with the scopes. Without it: `scope`, or else `scp`.
    #[facts(minLength = 1)]
    (scope_claim, scopeClaim): Option<String>;
    /// Several of these, put together. A dot leads into an object: `realm_access.roles`.
    #[facts(minItems = 1, uniqueItems = true)]
    (scope_claims, scopeClaims): Option<Vec<String>>;
    /// Scopes that a word in these claims gives beside itself: `{ editor = ["read:posts"] }`.
    #[facts(minProperties = 1)]
    (scope_map, scopeMap): Option<Named<ScopeNames>>;
    /// Whether a token without `exp` is refused.
    #[facts(default = true)]
    (require_exp, requireExp): Option<bool>;
    /// `access-token`: the rules of RFC 9068.
    (profile, profile): Option<ProfileName>;
    /// Tokens bound to a key (RFC 9449): `off`, `optional` or `required`.
    #[facts(default = "optional")]
    (dpop, -): Option<BindingName>;
}

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
    #[inline(never)]
    fn unknown(self, name: &str) -> String {
        let what = match self {
            Self::Policy => "is not a known field",
            Self::JavaScript => "is not a known option",
        };
        let other = ISSUER_OPTIONS.into_iter().map(|names| self.of(names));
        let meant = other.filter(|(_, other)| *other == Some(name)).find_map(|(own, _)| own);
        // Not its name in JavaScript, but spelt as there.
        let names: Vec<_> = self.names().collect();
        let spelt = meant_by(name, &names).filter(|_| self == Self::Policy);
        match meant.or(spelt) {
            Some(own) => format!("{what}, expected {own}"),
            None => format!("{what}, expected one of {}", names.join(", ")),
        }
    }
}

/// The types that options have.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    List,
    TextOrList,
    Object,
    Seconds,
    Flag,
}

impl Kind {
    /// What was expected, and in a policy also what kind of value was found.
    #[inline(never)]
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
            Self::Object => "an object",
            Self::Seconds => "a whole number of seconds",
            Self::Flag => "true or false",
        }
    }

    const fn in_policies(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::List | Self::TextOrList => "a list",
            Self::Object => "an object",
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
    tenants: Tenants,
    audience: Option<Vec<String>>,
    audience_claim: Option<String>,
    algorithms: Option<Vec<String>>,
    secret: Option<String>,
    secrets: Option<Vec<String>>,
    encoding: Option<String>,
    /// In JavaScript a key of the form that the caller reads.
    pub key: Option<Value>,
    /// A JWK set; in JavaScript its text.
    pub jwks: Option<Value>,
    pem: Option<String>,
    /// Where the issuer publishes its keys.
    pub jwks_uri: Option<String>,
    /// Whether the issuer itself is asked where that is.
    pub discovery: bool,
    allow_http: Option<bool>,
    clock_tolerance_secs: Option<u64>,
    max_token_age_secs: Option<u64>,
    max_auth_age_secs: Option<u64>,
    required_claims: Vec<String>,
    required_values: Vec<RequiredValue>,
    typ: Option<String>,
    scopes: ScopeSource,
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

    /// Names that the operator chooses, with what each stands for.
    fn object(&mut self, name: &str) -> Result<Map<String, Value>, Error> {
        let members = match self.take(name) {
            None => return Ok(Map::new()),
            Some(Value::Object(members)) => members,
            Some(other) => return Err(self.mismatch(name, Kind::Object, &other)),
        };
        if members.is_empty() || members.contains_key("") {
            return Err(self
                .place
                .fault(name, "expected at least one name, and none that is empty"));
        }
        Ok(members)
    }

    /// Strings, and not a list without any.
    fn names(&mut self, name: &str) -> Result<Option<Vec<String>>, Error> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let names = self.list(name, Kind::List, value)?;
        if names.is_empty() || names.iter().any(String::is_empty) {
            return Err(self.place.fault(name, "expected a non-empty list of non-empty strings"));
        }
        match first_repeated(names.iter().map(String::as_str)) {
            Some(index) => {
                let path = format!("{}[{index}]", self.place.of(name));
                Err(Error::config(path, "is there already"))
            }
            None => Ok(Some(names)),
        }
    }

    fn tenants(&mut self, issuer: &str) -> Result<Tenants, Error> {
        match self.names("tenants")? {
            Some(tenants) => Tenants::of(issuer, &tenants)
                .map_err(|problem| self.place.fault("tenants", problem)),
            None if Tenants::is_template(issuer) => {
                let name = self.place.spelling.path("tenants");
                let problem = format!(
                    "is a template, name the tenants whose tokens are taken in {name}: any tenant \
                     of the provider could sign in"
                );
                Err(self.place.fault("issuer", problem))
            }
            None => Ok(Tenants::default()),
        }
    }

    /// `claims`: what claims have to say.
    fn required_values(&mut self) -> Result<Vec<RequiredValue>, Error> {
        let members = self.object("claims")?.into_iter();
        let required = members.map(|(claim, value)| {
            let values = match value {
                Value::Array(values) => values,
                one => vec![one],
            };
            let is_value = |value: &Value| match value {
                Value::String(_) | Value::Bool(_) => true,
                Value::Number(number) => number.is_i64() || number.is_u64(),
                _ => false,
            };
            if values.is_empty() || !values.iter().all(is_value) {
                let path = member(self.place.of("claims"), &claim);
                let problem =
                    "expected a string, a whole number, true, false, or a non-empty list of these";
                return Err(Error::config(path, problem));
            }
            Ok(RequiredValue { claim, values })
        });
        required.collect()
    }

    /// `scope_claims` or `scope_claim`, and `scope_map`.
    fn scopes(&mut self) -> Result<ScopeSource, Error> {
        let one = self.text("scope_claim")?;
        let several = self.names("scope_claims")?;
        let claims = match (one, several) {
            (Some(_), Some(_)) => {
                let other = self.place.spelling.path("scope_claim");
                return Err(self
                    .place
                    .fault("scope_claims", format!("expected it or {other}, not both")));
            }
            (Some(one), None) if one.is_empty() => {
                return Err(self.place.fault("scope_claim", "expected a non-empty string"));
            }
            (one, several) => several.unwrap_or_else(|| one.into_iter().collect()),
        };
        let path = self.place.of("scope_map");
        let members = self.object("scope_map")?;
        let map = if members.is_empty() {
            BTreeMap::new()
        } else {
            scopes_of_names(&path, members, self.place.spelling)?
        };
        Ok(ScopeSource { claims, map })
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
        let tenants = reader.tenants(&issuer)?;
        let algorithms = reader.take("algorithms");
        let required_claims = reader.take_given("required_claims");
        let list = |reader: &Reader, name, value: Option<Value>| {
            value.map(|value| reader.list(name, Kind::List, value)).transpose()
        };
        let options = Self {
            issuer,
            tenants,
            audience: reader.audience()?,
            audience_claim: reader.text("audience_claim")?,
            algorithms: list(&reader, "algorithms", algorithms)?,
            secret: reader.text("secret")?,
            secrets: reader.names("secrets")?,
            encoding: reader.text("encoding")?,
            key: reader.take("key"),
            jwks: reader.take("jwks"),
            pem: reader.text("pem")?,
            jwks_uri: reader.text("jwks_uri")?,
            discovery: reader.flag("discovery")?.unwrap_or(false),
            allow_http: reader.flag("allow_http")?,
            clock_tolerance_secs: reader.seconds("clock_tolerance_secs")?,
            max_token_age_secs: reader.seconds("max_token_age_secs")?,
            max_auth_age_secs: reader.seconds("max_auth_age_secs")?,
            required_claims: list(&reader, "required_claims", required_claims)?.unwrap_or_default(),
            required_values: reader.required_values()?,
            typ: reader.text("typ")?,
            scopes: reader.scopes()?,
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
                max_auth_age_secs: self.max_auth_age_secs,
                profile: self.profile()?,
                tenants: self.tenants,
                audience: self.audience.unwrap_or_default(),
                audience_claim: self.audience_claim,
                required_claims: self.required_claims,
                required_values: self.required_values,
                typ: self.typ,
                scopes: Arc::new(self.scopes),
                ..ClaimRules::new(self.issuer)
            },
            binding,
            algorithms,
            keys,
        })
    }

    /// The issuers whose tokens these options are for.
    pub(super) fn issuers(&self) -> impl Iterator<Item = &str> {
        let own = self.tenants.is_empty().then_some(self.issuer.as_str());
        own.into_iter().chain(self.tenants.issuers())
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
        for (name, text) in [("typ", &self.typ), ("audience_claim", &self.audience_claim)] {
            if text.as_ref().is_some_and(String::is_empty) {
                return Err(place.fault(name, "expected a non-empty string"));
            }
        }
        match self.audience_claim.as_deref() {
            Some("aud") => {
                let problem = "expected another claim than aud, which is looked at without it";
                return Err(place.fault("audience_claim", problem));
            }
            Some(_) if self.audience.is_none() => {
                let problem = "expected audience beside it, which says the values that are taken";
                return Err(place.fault("audience_claim", problem));
            }
            _ => {}
        }
        if self.allow_http.is_some() && self.jwks_uri.is_none() && !self.discovery {
            let problem = match spelling {
                Spelling::Policy => "only jwks_uri and discovery have it",
                Spelling::JavaScript => "only jwksUri and discovery have it",
            };
            return Err(place.fault("allow_http", problem));
        }
        for (name, age) in [
            ("max_token_age_secs", self.max_token_age_secs),
            ("max_auth_age_secs", self.max_auth_age_secs),
        ] {
            if age == Some(0) {
                return Err(place.fault(name, "expected at least 1"));
            }
        }
        Ok(())
    }

    /// The names of the secrets, each with its path: that of `secret`, or those of `secrets`.
    fn secret_names(&self) -> Result<Option<Vec<(String, &str)>>, Error> {
        let path = self.place.of("secrets");
        match (&self.secret, &self.secrets) {
            (None, None) => Ok(None),
            (Some(one), None) => Ok(Some(vec![(self.place.of("secret"), one.as_str())])),
            (None, Some(several)) if several.len() > MAX_CANDIDATES => {
                let problem = format!("expected at most {MAX_CANDIDATES}: each is tried");
                Err(Error::config(path, problem))
            }
            (None, Some(several)) => {
                let named = several.iter().enumerate();
                Ok(Some(
                    named
                        .map(|(index, name)| (format!("{path}[{index}]"), name.as_str()))
                        .collect(),
                ))
            }
            (Some(_), Some(_)) => Err(Error::config(path, "expected it or secret, not both")),
        }
    }

    fn encoding(&self) -> Result<Encoding, Error> {
        match self.encoding.as_deref() {
            None => Ok(Encoding::default()),
            Some(name) => Encoding::from_name(name).ok_or_else(|| {
                self.place.fault("encoding", "expected one of text, base64, base64url, hex")
            }),
        }
    }

    /// The `jwks_uri` of these options: `https` only, but for a loopback address, and with `allow_http` for a host that is not on the
    /// public internet. Whoever can change the keys on their way is the issuer.
    ///
    /// # Errors
    /// [`Error::Config`] for any other URL, and for one with a user, a fragment or a backslash.
    #[inline(never)]
    pub fn checked_jwks_uri(&self, uri: &str) -> Result<String, Error> {
        let allow_http = self.allow_http.unwrap_or(false);
        if http_host::may_publish_keys(uri, allow_http) {
            return Ok(uri.to_owned());
        }
        Err(self.place.fault("jwks_uri", self.expected_url(uri)))
    }

    /// How the keys are found by the issuer alone.
    ///
    /// # Errors
    /// [`Error::Config`] for an issuer with tenants, and for one by which no document can be fetched.
    #[inline(never)]
    pub fn discovered(&self) -> Result<Discovery, Error> {
        if !self.tenants.is_empty() {
            let name = self.place.spelling.path("jwks_uri");
            let problem = format!(
                "expected {name} for an issuer with tenants: each has a document of its own"
            );
            return Err(self.place.fault("discovery", problem));
        }
        let allow_http = self.allow_http.unwrap_or(false);
        Discovery::of(&self.issuer, allow_http).ok_or_else(|| {
            let problem = if self.issuer.contains(['?', '#']) {
                "expected a URL without a query and a fragment".to_owned()
            } else {
                self.expected_url(&self.issuer)
            };
            self.place.fault("issuer", format!("{problem}, since discovery fetches its document"))
        })
    }

    /// What a URL should have been that keys may not be fetched from.
    #[inline(never)]
    fn expected_url(&self, uri: &str) -> String {
        let plain_host = uri.strip_prefix("http://").and_then(http_host::of);
        let name = self.place.spelling.path("allow_http");
        match (plain_host, self.allow_http.unwrap_or(false)) {
            (Some(host), false) if http_host::is_private(host) => {
                format!("expected an https URL (http only on loopback, or with {name} on a private host)")
            }
            (Some(_), true) => {
                "expected an https URL (http only on a private host: an address of RFC 1918, a name without dots, \
                 or one in .local or .internal)".to_owned()
            }
            _ => "expected an https URL (http only on loopback)".to_owned(),
        }
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

/// An object whose names each stand for scopes.
pub(super) fn scopes_of_names(
    path: &str,
    members: Map<String, Value>,
    spelling: Spelling,
) -> Result<BTreeMap<String, Vec<String>>, Error> {
    let mut names = BTreeMap::new();
    for (name, value) in members {
        let path = member(path.to_owned(), &name);
        let expected =
            |found: &Value| Error::config(path.as_str(), Kind::List.mismatch(spelling, found));
        let Value::Array(list) = value else { return Err(expected(&value)) };
        let scopes = each(&path, list.into_iter(), |place, one| match one {
            Value::String(scope) => Ok(scope),
            other => Err(Error::config(place, Kind::Text.mismatch(spelling, &other))),
        })?;
        if scopes.is_empty() {
            return Err(Error::config(path, "expected a non-empty list"));
        }
        scope_list(&path, &scopes)?;
        names.insert(name, scopes);
    }
    Ok(names)
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
    sessions: Option<&SessionPolicy>,
) -> Result<Option<Verifier>, Error> {
    let mut issuers = issuers
        .into_iter()
        .map(|options| issuer(options, secrets))
        .collect::<Result<Vec<_>, _>>()?;
    if let Some(sessions) = sessions {
        sessions.check_issuers(&issuers)?;
        issuers.push(sessions.own_issuer());
    }
    if issuers.is_empty() {
        return Ok(None);
    }
    Verifier::new(issuers, max_token_length.unwrap_or(DEFAULT_MAX_TOKEN_LENGTH)).map(Some)
}

/// An issuer of a policy.
#[inline(never)]
fn issuer(options: IssuerOptions, secrets: &dyn Secrets) -> Result<Issuer, Error> {
    let (algorithms, keys) = issuer_keys(&options, secrets)?;
    options.into_issuer(algorithms, keys)
}

/// More than ten minutes is no clock skew any more: it would keep every token alive that much longer.
const MAX_CLOCK_TOLERANCE_SECS: u64 = 600;

/// The issuer's algorithms and keys: exactly one of `secret`, `secrets`, `jwks`, `pem`, `jwks_uri`, `discovery`.
fn issuer_keys(
    options: &IssuerOptions,
    secrets: &dyn Secrets,
) -> Result<(Vec<Algorithm>, KeySource), Error> {
    let algorithms = options.algorithms()?.unwrap_or_default();
    let published = [
        options.jwks.is_some(),
        options.pem.is_some(),
        options.jwks_uri.is_some(),
        options.discovery,
    ];
    match options.secret_names()? {
        Some(names) if published == [false; 4] => {
            let (algorithm, keys) = of_secrets(options, &names, &algorithms, secrets)?;
            Ok((vec![algorithm], KeySource::Fixed(keys)))
        }
        names => {
            let keys = published_keys(options, names.is_some(), &algorithms)?;
            Ok((algorithms, keys))
        }
    }
}

#[inline(never)]
fn of_secrets(
    options: &IssuerOptions,
    names: &[(String, &str)],
    algorithms: &[Algorithm],
    secrets: &dyn Secrets,
) -> Result<(Algorithm, KeySet), Error> {
    let algorithm = match algorithms {
        [] => Algorithm::Hs256,
        [one] => *one,
        _ => {
            let problem = "expected exactly one algorithm for a secret";
            return Err(options.place.fault("algorithms", problem));
        }
    };
    Ok((algorithm, secret_keys(names, options.encoding()?, algorithm, secrets)?))
}

/// Keys that are no secret.
#[inline(never)]
fn published_keys(
    options: &IssuerOptions,
    has_secret: bool,
    algorithms: &[Algorithm],
) -> Result<KeySource, Error> {
    let place = &options.place;
    if options.encoding.is_some() {
        return Err(place.fault("encoding", "only secret and secrets have it"));
    }
    if algorithms.is_empty() {
        return Err(place.fault("algorithms", "expected a non-empty list"));
    }
    let given = (
        has_secret,
        options.jwks.as_ref(),
        options.pem.as_deref(),
        options.jwks_uri.as_deref(),
        options.discovery,
    );
    match given {
        (false, Some(jwks), None, None, false) => {
            let keys = KeySet::from_jwks(&jwks.to_string());
            keys.map(KeySource::Fixed).map_err(|fault| at(&place.of("jwks"), &fault))
        }
        (false, None, Some(pem), None, false) => {
            let key = Key::from_pem(pem).and_then(|key| KeySet::new(vec![key]));
            key.map(KeySource::Fixed).map_err(|fault| at(&place.of("pem"), &fault))
        }
        (false, None, None, Some(uri), false) => {
            options.checked_jwks_uri(uri).map(|uri| KeySource::Remote { uri })
        }
        (false, None, None, None, true) => options.discovered().map(KeySource::Discovered),
        _ => {
            let problem = "expected exactly one of secret, secrets, jwks, pem, jwks_uri, discovery";
            Err(Error::config(place.path.as_str(), problem))
        }
    }
}

/// Secrets for one algorithm, each by its name and where that is written. A token is taken by any of them.
#[inline(never)]
fn secret_keys(
    names: &[(String, &str)],
    encoding: Encoding,
    algorithm: Algorithm,
    secrets: &dyn Secrets,
) -> Result<KeySet, Error> {
    let mut keys = Vec::with_capacity(names.len());
    for (path, name) in names {
        let secret = encoding.decode(path, name, secret_named(path, name, secrets)?)?;
        keys.push(Key::hmac(secret, algorithm, None).map_err(|fault| at(path, &fault))?);
    }
    let path = names.first().map_or("", |(path, _)| path.as_str());
    KeySet::new(keys).map_err(|fault| at(path, &fault))
}
