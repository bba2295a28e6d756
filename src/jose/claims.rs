//! Claims and the rules they have to meet (RFC 7519 §4, §7.2; RFC 8725 §3).
//!
//! All of this happens after the signature held. [`Claims::parse`] fixes types once; [`ClaimRules::check`]
//! decides, in the order presence, values, time.

mod required;
mod tenants;

use core::fmt;
use core::ops::Range;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Number, Value};

use crate::error::{Error, TokenPart};
use crate::jose::jws::{Header, in_part};
use crate::json::{self, JsonFault, Kind, Outline, Place, strings_of};
use crate::time::UnixTime;

pub use self::{
    required::RequiredValue,
    tenants::{MAX_TENANTS, Tenants},
};

/// The claims of a token: a JSON object without repeated names whose registered claims have the types
/// they must have.
///
/// They are read where they stand in the payload. A tree of values is made of them when [`Claims::get`] or
/// [`Claims::as_object`] asks for one, or at once if the payload is more than an ordinary object: one with escapes,
/// for instance, or with very many members.
#[derive(Clone)]
pub struct Claims {
    text: String,
    /// Where they stand; `None` if it is the tree that was read.
    places: Option<Places>,
    expires_at: Option<UnixTime>,
    not_before: Option<UnixTime>,
    issued_at: Option<UnixTime>,
    tree: OnceLock<Map<String, Value>>,
}

#[derive(Clone)]
struct Places {
    all: Outline,
    issuer: Option<Place>,
    subject: Option<Place>,
    jwt_id: Option<Place>,
    session_id: Option<Place>,
    audience: Option<Place>,
}

impl Claims {
    /// Parses a payload (RFC 7519 §7.2 step 10).
    ///
    /// `iss`, `sub`, `jti` and `sid` must be strings, `aud` a string or a list of strings, `exp`, `nbf` and
    /// `iat` numbers, wherever they are present; `null` is none of these.
    ///
    /// # Errors
    /// [`Error::MalformedToken`], [`Error::DuplicateMember`], [`Error::WrongClaimType`].
    pub fn parse(payload: &[u8]) -> Result<Self, Error> {
        let outline = core::str::from_utf8(payload).ok().and_then(Outline::of);
        Self::from_payload(payload.to_vec(), outline)
    }

    /// The same, where the payload's outline is known already, if it has one.
    pub(crate) fn from_payload(payload: Vec<u8>, outline: Option<Outline>) -> Result<Self, Error> {
        let text =
            String::from_utf8(payload).map_err(|_| in_part(JsonFault::Utf8, TokenPart::Payload))?;
        match outline {
            Some(outline) => Self::in_place(text, outline),
            None => Self::as_tree(text),
        }
    }

    fn in_place(text: String, all: Outline) -> Result<Self, Error> {
        let [mut issuer, mut subject, mut jwt_id, mut session_id] = [None; 4];
        let [mut expires_at, mut not_before, mut issued_at, mut audience] = [None; 4];
        for (name, place) in all.members(&text) {
            let claim = match name {
                "iss" => &mut issuer,
                "sub" => &mut subject,
                "jti" => &mut jwt_id,
                "sid" => &mut session_id,
                "exp" => &mut expires_at,
                "nbf" => &mut not_before,
                "iat" => &mut issued_at,
                "aud" => &mut audience,
                _ => continue,
            };
            *claim = Some(place);
        }
        let times = [expires_at, not_before, issued_at];
        let [exp, nbf, iat] = times;
        let registered = [issuer, subject, jwt_id, session_id, exp, nbf, iat, audience];
        check_kinds(registered.map(|place: Option<Place>| place.map(|place| place.kind)))?;
        let whole = times.map(|place| place.map(|place| place.span.of(&text).parse::<i64>()));
        if whole.iter().flatten().any(Result::is_err) {
            // A fraction, or a time beyond all others.
            return Self::as_tree(text);
        }
        let [expires_at, not_before, issued_at] =
            whole.map(|time| time.and_then(Result::ok).map(UnixTime::from_secs));
        let places = Places { all, issuer, subject, jwt_id, session_id, audience };
        let tree = OnceLock::new();
        Ok(Self { text, places: Some(places), expires_at, not_before, issued_at, tree })
    }

    fn as_tree(text: String) -> Result<Self, Error> {
        let tree = json::parse_object(text.as_bytes())
            .map_err(|fault| in_part(fault, TokenPart::Payload))?;
        check_kinds(REGISTERED.map(|(name, ..)| tree.get(name).map(Kind::of)))?;
        let time = |name: &str, round: fn(f64) -> f64| match tree.get(name) {
            Some(Value::Number(number)) => Some(UnixTime::from_secs(seconds(number, round))),
            _ => None,
        };
        Ok(Self {
            text,
            places: None,
            expires_at: time("exp", f64::floor),
            not_before: time("nbf", f64::ceil),
            issued_at: time("iat", f64::floor),
            tree: tree.into(),
        })
    }

    /// Any claim, as JSON.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        // Most tokens lack most claims. A claim without a place is not there, and no tree is made to look for it.
        if self.places.is_some() && self.place_of(name).is_none() {
            return None;
        }
        self.as_object().get(name)
    }

    /// A claim by its name, or inside of others by a path with dots, as in `realm_access.roles`.
    ///
    /// A name with dots that exists as such is taken first; at each step the longest name that exists is. Lists have no names.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Value> {
        let (mut members, mut rest) = (self.as_object(), name);
        loop {
            if let Some(value) = members.get(rest) {
                return Some(value);
            }
            let mut dots = rest.rmatch_indices('.').map(|(at, _)| at);
            let (inner, after) = dots.find_map(|at| {
                let (outer, after) = rest.split_at_checked(at)?;
                members.get(outer).map(|inner| (inner, after))
            })?;
            members = inner.as_object()?;
            rest = after.strip_prefix('.')?;
        }
    }

    /// All of them.
    #[must_use]
    pub fn as_object(&self) -> &Map<String, Value> {
        // A text with an outline is an object.
        self.tree.get_or_init(|| json::parse_object(self.text.as_bytes()).unwrap_or_default())
    }

    /// The payload.
    pub(crate) fn as_text(&self) -> &str {
        &self.text
    }

    /// The payload.
    pub(crate) fn into_text(self) -> String {
        self.text
    }

    /// `iss`: who issued the token (RFC 7519 §4.1.1).
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.string("iss", |places| places.issuer)
    }

    /// `sub`: who it is about (§4.1.2).
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.string("sub", |places| places.subject)
    }

    /// `jti`: the token's own name (§4.1.7).
    #[must_use]
    pub fn jwt_id(&self) -> Option<&str> {
        self.string("jti", |places| places.jwt_id)
    }

    /// `sid`: the session it belongs to (OpenID Connect Front-Channel Logout 1.0 §3).
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        self.string("sid", |places| places.session_id)
    }

    /// `aud`: whom it is for (§4.1.3); empty if absent.
    pub fn audience(&self) -> impl Iterator<Item = &str> {
        let words = match &self.places {
            Some(places) => self.words_at("aud", places.audience),
            None => Words::of(self.get("aud")),
        };
        words.iter()
    }

    fn has_audience(&self) -> bool {
        self.places.as_ref().map_or_else(
            || self.as_object().contains_key("aud"),
            |places| places.audience.is_some(),
        )
    }

    /// `exp` (§4.1.4). A fraction is cut off: the token ends a little early rather than late.
    #[must_use]
    pub const fn expires_at(&self) -> Option<UnixTime> {
        self.expires_at
    }

    /// `nbf` (§4.1.5). A fraction is rounded up: the token begins a little late rather than early.
    #[must_use]
    pub const fn not_before(&self) -> Option<UnixTime> {
        self.not_before
    }

    /// `iat` (§4.1.6). A fraction is cut off: the token counts as a little older than it is, and one used in
    /// the very second of its making is not from the future.
    #[must_use]
    pub const fn issued_at(&self) -> Option<UnixTime> {
        self.issued_at
    }

    fn string(&self, name: &str, place: fn(&Places) -> Option<Place>) -> Option<&str> {
        match &self.places {
            Some(places) => place(places).map(|place| place.span.of(&self.text)),
            None => self.get(name).and_then(Value::as_str),
        }
    }

    /// The kind of a claim that [`Claims::find`] finds.
    pub(super) fn kind(&self, name: &str) -> Option<Kind> {
        match self.place_of(name) {
            Some(place) => Some(place.kind),
            None => self.find_in_tree(name).map(Kind::of),
        }
    }

    /// The strings that a claim consists of that [`Claims::find`] finds.
    pub(super) fn words(&self, name: &str) -> Words<'_> {
        match self.place_of(name) {
            place @ Some(_) => self.words_at(name, place),
            None => Words::of(self.find_in_tree(name)),
        }
    }

    fn place_of(&self, name: &str) -> Option<Place> {
        self.places.as_ref().and_then(|places| places.all.get(&self.text, name))
    }

    /// A claim that has no place of its own. Without a dot in its name there is none then, and no tree is made to look for it.
    fn find_in_tree(&self, name: &str) -> Option<&Value> {
        if self.places.is_some() && !name.contains('.') { None } else { self.find(name) }
    }

    fn words_at(&self, name: &str, place: Option<Place>) -> Words<'_> {
        match place {
            Some(Place { kind: Kind::String, span }) => Words::One(span.of(&self.text)),
            Some(Place { kind: Kind::Strings, span }) => Words::Spelled(span.of(&self.text)),
            Some(Place { kind: Kind::Nested, .. }) => Words::of(self.get(name)),
            _ => Words::None,
        }
    }
}

impl PartialEq for Claims {
    fn eq(&self, other: &Self) -> bool {
        self.as_object() == other.as_object()
    }
}

/// Shows how many there are: claims are about a person.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = self.places.as_ref().map_or_else(
            || self.as_object().len(),
            |places| places.all.members(&self.text).count(),
        );
        write!(f, "Claims({members} members)")
    }
}

/// A claim as strings.
#[derive(Clone, Copy)]
pub(super) enum Words<'c> {
    /// Absent, or neither a string nor a list.
    None,
    One(&'c str),
    /// A list of strings, as it is written.
    Spelled(&'c str),
    /// A list. Members that are not strings are left out.
    Listed(&'c [Value]),
}

impl<'c> Words<'c> {
    fn of(value: Option<&'c Value>) -> Self {
        match value {
            Some(Value::String(word)) => Self::One(word),
            Some(Value::Array(values)) => Self::Listed(values),
            _ => Self::None,
        }
    }

    pub(super) fn iter(self) -> impl Iterator<Item = &'c str> {
        let (one, spelled, listed): (_, _, &[Value]) = match self {
            Self::None => (None, "", &[]),
            Self::One(word) => (Some(word), "", &[]),
            Self::Spelled(list) => (None, list, &[]),
            Self::Listed(values) => (None, "", values),
        };
        one.into_iter().chain(strings_of(spelled)).chain(listed.iter().filter_map(Value::as_str))
    }
}

/// The claims whose kinds are fixed, in the order in which they are looked at: first strings, then numbers.
const REGISTERED: [(&str, &str, &[Kind]); 8] = [
    ("iss", "a string", &[Kind::String]),
    ("sub", "a string", &[Kind::String]),
    ("jti", "a string", &[Kind::String]),
    ("sid", "a string", &[Kind::String]),
    ("exp", "a number", &[Kind::Number]),
    ("nbf", "a number", &[Kind::Number]),
    ("iat", "a number", &[Kind::Number]),
    ("aud", "a string or a list of strings", &[Kind::String, Kind::Strings]),
];

/// Whether the registered claims are of their kinds, where they are there.
fn check_kinds(registered: [Option<Kind>; 8]) -> Result<(), Error> {
    for ((claim, expected, kinds), kind) in REGISTERED.into_iter().zip(registered) {
        check_kind(claim, kind, expected, kinds)?;
    }
    Ok(())
}

fn check_kind(
    claim: &str,
    kind: Option<Kind>,
    expected: &'static str,
    kinds: &[Kind],
) -> Result<(), Error> {
    match kind {
        Some(kind) if !kinds.contains(&kind) => {
            Err(Error::WrongClaimType { claim: claim.to_owned(), expected })
        }
        _ => Ok(()),
    }
}

/// A `NumericDate` as whole seconds; what lies beyond 64 bits saturates.
fn seconds(number: &Number, round: fn(f64) -> f64) -> i64 {
    if let Some(whole) = number.as_i64() {
        return whole;
    }
    if number.is_u64() {
        return i64::MAX;
    }
    #[expect(clippy::cast_possible_truncation, reason = "saturates, which is what is wanted")]
    number.as_f64().map_or(i64::MIN, |fractional| round(fractional) as i64)
}

/// Which kind of token it has to be, beyond what the other rules say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Profile {
    /// Any JWT.
    #[default]
    Any,
    /// An OAuth 2.0 access token of RFC 9068: `typ` is `at+jwt`; `iss`, `exp`, `aud`, `sub`, `client_id`, `iat`
    /// and `jti` are there (§2.2); `scope`, if there is one, is a string (§2.2.3, RFC 8693 §4.2), and `scp` is not
    /// looked at. So an ID token of the same issuer is not taken for one (RFC 8725 §3.12).
    AccessToken,
}

impl Profile {
    /// The profile of this exact name: `access-token`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        (name == "access-token").then_some(Self::AccessToken)
    }

    const fn typ(self) -> Option<&'static str> {
        match self {
            Self::Any => None,
            Self::AccessToken => Some("at+jwt"),
        }
    }

    const fn required_claims(self) -> &'static [&'static str] {
        match self {
            Self::Any => &[],
            Self::AccessToken => &["iss", "exp", "aud", "sub", "client_id", "iat", "jti"],
        }
    }
}

/// Where an issuer puts scopes, and what its words mean here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScopeSource {
    /// The claims whose scopes are put together, each as [`Claims::find`] finds it. Empty: `scope`, or else `scp`; of the
    /// access-token profile `scope` alone.
    pub claims: Vec<String>,
    /// Scopes that a word in these claims gives beside itself: roles, for instance, that are no scopes.
    pub map: BTreeMap<String, Vec<String>>,
}

impl ScopeSource {
    /// The scopes of one claim.
    #[must_use]
    pub fn in_claim(name: impl Into<String>) -> Self {
        Self { claims: vec![name.into()], map: BTreeMap::new() }
    }
}

/// What the claims of one issuer's tokens have to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRules {
    /// `iss` must be exactly this: no normalising, as RFC 7519 §4.1.1 and RFC 8725 §3.8 want. With `tenants` it is the
    /// template that they were put into.
    pub issuer: String,
    /// The issuers that are taken in place of `issuer`. Default: none.
    pub tenants: Tenants,
    /// `aud` must be or include one of these (RFC 8725 §3.9). Empty: `aud` is not looked at.
    pub audience: Vec<String>,
    /// The claim that names the audience in place of `aud`, which is then not looked at: some issuers write whom an access
    /// token is for into `client_id` or `azp`. Default: `aud`.
    pub audience_claim: Option<String>,
    /// Whether `exp` must be there. Default: yes.
    pub require_exp: bool,
    /// How far the issuer's clock may be from ours, in seconds, for `exp`, `nbf`, `iat` and the age.
    /// Default: 0.
    pub clock_tolerance_secs: u64,
    /// The oldest a token may be by `iat`, in seconds, whatever `exp` says; then `iat` must be there.
    /// Default: any age.
    pub max_token_age_secs: Option<u64>,
    /// How long ago a person may have signed in, by `auth_time` (OpenID Connect Core 1.0 §2), in seconds; then `auth_time` must be there.
    /// A refreshed token keeps its `auth_time`. Default: any time ago.
    pub max_auth_age_secs: Option<u64>,
    /// Claims that must be there; `null` is not there. Default: none.
    pub required_claims: Vec<String>,
    /// Claims that must have one of certain values. Default: none.
    pub required_values: Vec<RequiredValue>,
    /// `typ` the header must have, as `at+jwt` (RFC 8725 §3.11, RFC 9068 §2.1). Compared without regard to
    /// case and to a leading `application/` (RFC 7515 §4.1.9). Default: not looked at.
    pub typ: Option<String>,
    /// Where the scopes are, and what else they mean. Default: `scope`, or else `scp`; of the access-token profile `scope` alone.
    pub scopes: Arc<ScopeSource>,
    /// A profile that the tokens follow. Default: none.
    pub profile: Profile,
}

impl ClaimRules {
    /// Rules with the defaults for one issuer. Say for which `audience` too, unless the issuer issues
    /// tokens for this service alone.
    #[must_use]
    pub fn new(issuer: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            tenants: Tenants::default(),
            audience: Vec::new(),
            audience_claim: None,
            require_exp: true,
            clock_tolerance_secs: 0,
            max_token_age_secs: None,
            max_auth_age_secs: None,
            required_claims: Vec::new(),
            required_values: Vec::new(),
            typ: None,
            scopes: Arc::default(),
            profile: Profile::Any,
        }
    }

    /// Refuses rules that contradict their profile, or that it cannot do without.
    ///
    /// # Errors
    /// [`Error::Config`] with the name of the field.
    pub fn check_profile(&self) -> Result<(), Error> {
        let Some(typ) = self.profile.typ() else { return Ok(()) };
        let contradiction = if self.audience.is_empty() {
            ("audience", "the profile wants the audience that tokens are for".to_owned())
        } else if self.audience_claim.is_some() {
            ("audience_claim", "the profile wants the audience in aud, expected nothing".to_owned())
        } else if !self.require_exp {
            ("require_exp", "the profile wants exp, expected true or nothing".to_owned())
        } else if self.typ.as_ref().is_some_and(|own| !is_same_type(own, typ)) {
            ("typ", format!("the profile wants {typ}, expected that or nothing"))
        } else {
            return Ok(());
        };
        Err(Error::config(contradiction.0, contradiction.1))
    }

    /// Whether tokens with this `iss` are judged by these rules.
    #[must_use]
    pub fn is_for(&self, issuer: &str) -> bool {
        self.issuers().any(|own| own == issuer)
    }

    /// The issuers that these rules are for.
    pub fn issuers(&self) -> impl Iterator<Item = &str> {
        let own = self.tenants.is_empty().then_some(self.issuer.as_str());
        own.into_iter().chain(self.tenants.issuers())
    }

    /// The `typ` that a header must have.
    fn expected_typ(&self) -> Option<&str> {
        self.typ.as_deref().or(self.profile.typ())
    }

    /// Checks a token at the time `now`: what must be there is, then `typ`, `iss`, `aud` and other values, then time.
    ///
    /// With a tolerance of 0: a token is expired from `exp` on, so also at `exp` itself (RFC 7519 §4.1.4);
    /// valid from `nbf` on; an `iat` later than `now` is not yet valid; too old if more than the greatest
    /// age has passed since `iat`. With a greatest age of the sign-in the same holds of `auth_time`. The tolerance moves each of these
    /// in the token's favour.
    ///
    /// # Errors
    /// [`Error::MissingClaim`], [`Error::WrongClaimType`] (of a profile, or `auth_time`), [`Error::UnexpectedClaim`],
    /// [`Error::TokenExpired`], [`Error::TokenNotYetValid`], [`Error::TokenTooOld`], [`Error::AuthenticationTooOld`], in this order. An
    /// error of time implies that everything else was right.
    pub fn check(&self, header: &Header, claims: &Claims, now: UnixTime) -> Result<(), Error> {
        self.check_presence(header, claims)?;
        self.check_values(header, claims)?;
        self.check_time(claims, now)
    }

    /// When these claims pass [`ClaimRules::check`] as far as time goes: from `start` on, until before `end`.
    /// For caches, which have to look at the time again whenever they answer. It may be empty.
    #[must_use]
    pub fn valid_during(&self, claims: &Claims) -> Range<UnixTime> {
        let tolerance = self.clock_tolerance_secs;
        let forever = UnixTime::from_secs(i64::MAX);
        let issued_at = claims.issued_at();
        let signed_in_at = self.signed_in_at(claims);
        let start = claims
            .not_before()
            .max(issued_at)
            .max(signed_in_at)
            .map_or(UnixTime::from_secs(i64::MIN), |time| time.saturating_sub(tolerance));
        let expiry = claims.expires_at().map_or(forever, |time| time.saturating_add(tolerance));
        let old = |age: Option<u64>, since: Option<UnixTime>| match (age, since) {
            // The last second of the greatest age still counts.
            (Some(age), Some(since)) => {
                since.saturating_add(age).saturating_add(tolerance).saturating_add(1)
            }
            _ => forever,
        };
        let old =
            old(self.max_token_age_secs, issued_at).min(old(self.max_auth_age_secs, signed_in_at));
        start..expiry.min(old)
    }

    /// `auth_time`, where a rule asks for it. A fraction is cut off, as with `iat`.
    fn signed_in_at(&self, claims: &Claims) -> Option<UnixTime> {
        self.max_auth_age_secs?;
        match claims.get("auth_time") {
            Some(Value::Number(number)) => Some(UnixTime::from_secs(seconds(number, f64::floor))),
            _ => None,
        }
    }

    fn check_presence(&self, header: &Header, claims: &Claims) -> Result<(), Error> {
        let missing = |claim: &str| Err(Error::MissingClaim { claim: claim.to_owned() });
        if self.expected_typ().is_some() && header.typ().is_none() {
            return missing("typ");
        }
        let auth_time = self.max_auth_age_secs.and_then(|_| claims.get("auth_time")).map(Kind::of);
        let by_rule = [
            ("iss", true, claims.issuer().is_some()),
            ("aud", self.looks_at_aud(), claims.has_audience()),
            ("exp", self.require_exp, claims.expires_at().is_some()),
            ("iat", self.max_token_age_secs.is_some(), claims.issued_at().is_some()),
            (
                "auth_time",
                self.max_auth_age_secs.is_some(),
                auth_time.is_some_and(|it| it != Kind::Null),
            ),
        ];
        for (claim, required, present) in by_rule {
            if required && !present {
                return missing(claim);
            }
        }
        let asks_more = self.profile != Profile::Any
            || !self.required_claims.is_empty()
            || self.audience_claim.is_some()
            || auth_time.is_some();
        if asks_more { self.check_presence_of_more(claims, auth_time) } else { Ok(()) }
    }

    /// The claims that the profile wants, and those that the issuer's entry names.
    #[inline(never)]
    fn check_presence_of_more(
        &self,
        claims: &Claims,
        auth_time: Option<Kind>,
    ) -> Result<(), Error> {
        let by_profile = self.profile.required_claims().iter().copied();
        let by_policy = self.required_claims.iter().chain(&self.audience_claim);
        for claim in by_profile.chain(by_policy.map(String::as_str)) {
            if matches!(claims.kind(claim), None | Some(Kind::Null)) {
                return Err(Error::MissingClaim { claim: claim.to_owned() });
            }
        }
        check_kind("auth_time", auth_time, "a number", &[Kind::Number])?;
        if self.profile == Profile::AccessToken {
            for claim in ["client_id", "scope"] {
                check_kind(claim, claims.kind(claim), "a string", &[Kind::String])?;
            }
        }
        Ok(())
    }

    fn check_values(&self, header: &Header, claims: &Claims) -> Result<(), Error> {
        let unexpected = |claim: &str| Err(Error::UnexpectedClaim { claim: claim.to_owned() });
        if let (Some(expected), Some(typ)) = (self.expected_typ(), header.typ())
            && !is_same_type(typ, expected)
        {
            return unexpected("typ");
        }
        if !self.tenants.is_empty() {
            self.tenants.check(claims)?;
        } else if claims.issuer() != Some(&self.issuer) {
            return unexpected("iss");
        }
        let is_ours = |one: &str| self.audience.iter().any(|expected| expected == one);
        if self.looks_at_aud() && !claims.audience().any(is_ours) {
            return unexpected("aud");
        }
        if let Some(claim) = &self.audience_claim
            && !claims.words(claim).iter().any(is_ours)
        {
            return unexpected(claim);
        }
        self.required_values.iter().try_for_each(|required| required.check(claims))
    }

    const fn looks_at_aud(&self) -> bool {
        !self.audience.is_empty() && self.audience_claim.is_none()
    }

    fn check_time(&self, claims: &Claims, now: UnixTime) -> Result<(), Error> {
        let tolerance = self.clock_tolerance_secs;
        if let Some(expired_at) = claims.expires_at()
            && expired_at.saturating_add(tolerance) <= now
        {
            return Err(Error::TokenExpired { expired_at, now });
        }
        let issued_at = claims.issued_at();
        let signed_in_at = self.signed_in_at(claims);
        if let Some(valid_from) = claims.not_before().max(issued_at).max(signed_in_at)
            && valid_from > now.saturating_add(tolerance)
        {
            return Err(Error::TokenNotYetValid { valid_from, now });
        }
        if let (Some(age), Some(issued_at)) = (self.max_token_age_secs, issued_at)
            && issued_at.saturating_add(age).saturating_add(tolerance) < now
        {
            return Err(Error::TokenTooOld { issued_at, now });
        }
        if let (Some(max_age_secs), Some(signed_in_at)) = (self.max_auth_age_secs, signed_in_at)
            && signed_in_at.saturating_add(max_age_secs).saturating_add(tolerance) < now
        {
            return Err(Error::AuthenticationTooOld { signed_in_at, max_age_secs, now });
        }
        Ok(())
    }
}

pub(crate) fn is_same_type(one: &str, other: &str) -> bool {
    media_type(one).eq_ignore_ascii_case(media_type(other))
}

/// A media type without `application/`, which `typ` may leave out (RFC 7515 §4.1.9).
fn media_type(typ: &str) -> &str {
    const PREFIX: &str = "application/";
    match typ.split_at_checked(PREFIX.len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) => rest,
        _ => typ,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::jws::{DEFAULT_MAX_TOKEN_LENGTH, UntrustedToken};

    const NOW: UnixTime = UnixTime::from_secs(1000);

    fn header(json: &str) -> Header {
        let token = format!("{}.e30.AA", crate::base64url::encode(json.as_bytes()));
        UntrustedToken::parse(&token, DEFAULT_MAX_TOKEN_LENGTH).unwrap().header().clone()
    }

    #[test]
    fn no_tree_is_made_to_find_out_that_a_claim_is_not_there() {
        let claims = Claims::parse(br#"{"iss":"a","nested":{"cnf":1},"list":["cnf"]}"#).unwrap();
        assert_eq!(claims.get("cnf"), None);
        assert!(claims.tree.get().is_none());
        assert_eq!(claims.get("list"), Some(&serde_json::json!(["cnf"])));
        // A name that is written with an escape has no place in an outline.
        let escaped = Claims::parse(br#"{"c\u006ef":{"jkt":"x"}}"#).unwrap();
        assert_eq!(escaped.get("cnf"), Some(&serde_json::json!({"jkt": "x"})));
    }

    fn rules() -> ClaimRules {
        ClaimRules { require_exp: false, ..ClaimRules::new("me") }
    }

    fn check_typ(rules: &ClaimRules, typ: Option<&str>, claims: &str) -> Result<(), Error> {
        let header = match typ {
            Some(typ) => header(&format!(r#"{{"alg":"HS256","typ":"{typ}"}}"#)),
            None => header(r#"{"alg":"HS256"}"#),
        };
        rules.check(&header, &Claims::parse(claims.as_bytes())?, NOW)
    }

    fn check(rules: &ClaimRules, claims: &str) -> Result<(), Error> {
        check_typ(rules, None, claims)
    }

    #[track_caller]
    fn refused(rules: &ClaimRules, claims: &str, message: &str) {
        assert_eq!(check(rules, claims).unwrap_err().to_string(), message, "{claims}");
    }

    #[test]
    fn registered_claims_have_their_types() {
        for claim in ["iss", "sub", "jti", "sid"] {
            for value in ["1", "null", "[]", "{}", "true", "[\"a\"]"] {
                let text = format!(r#"{{"{claim}":{value}}}"#);
                let error = Claims::parse(text.as_bytes()).unwrap_err();
                assert_eq!(error.to_string(), format!("claim {claim}: expected a string"));
            }
        }
        for claim in ["exp", "nbf", "iat"] {
            for value in ["\"1\"", "null", "[]", "{}", "true"] {
                let text = format!(r#"{{"{claim}":{value}}}"#);
                let error = Claims::parse(text.as_bytes()).unwrap_err();
                assert_eq!(error.to_string(), format!("claim {claim}: expected a number"));
            }
        }
        for value in ["1", "null", "{}", "true", "[1]", "[\"a\",null]", "[[\"a\"]]"] {
            let text = format!(r#"{{"aud":{value}}}"#);
            let error = Claims::parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), "claim aud: expected a string or a list of strings");
        }
    }

    #[test]
    fn claims_are_read() {
        let claims = Claims::parse(
            br#"{"iss":"i","sub":"s","jti":"j","sid":"d","aud":["a","b"],"exp":3.9,"nbf":1.1,"iat":2,"x":[1]}"#,
        )
        .unwrap();
        assert_eq!(claims.issuer(), Some("i"));
        assert_eq!(claims.subject(), Some("s"));
        assert_eq!(claims.jwt_id(), Some("j"));
        assert_eq!(claims.session_id(), Some("d"));
        assert_eq!(claims.audience().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(claims.expires_at(), Some(UnixTime::from_secs(3)));
        assert_eq!(claims.not_before(), Some(UnixTime::from_secs(2)));
        assert_eq!(claims.issued_at(), Some(UnixTime::from_secs(2)));
        assert_eq!(claims.get("x"), Some(&serde_json::json!([1])));
        assert_eq!(claims.as_object().len(), 9);
        let none = Claims::parse(b"{}").unwrap();
        assert_eq!((none.issuer(), none.expires_at(), none.audience().count()), (None, None, 0));
        let one = Claims::parse(br#"{"aud":"a"}"#).unwrap();
        assert_eq!(one.audience().collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn numeric_dates_saturate() {
        let expires = |number: &str| {
            let text = format!(r#"{{"exp":{number}}}"#);
            Claims::parse(text.as_bytes()).unwrap().expires_at().unwrap().as_secs()
        };
        assert_eq!(expires("9223372036854775807"), i64::MAX);
        assert_eq!(expires("9223372036854775808"), i64::MAX);
        assert_eq!(expires("18446744073709551616"), i64::MAX);
        assert_eq!(expires("1e300"), i64::MAX);
        assert_eq!(expires("-9223372036854775808"), i64::MIN);
        assert_eq!(expires("-1e300"), i64::MIN);
        assert_eq!(expires("1.7e9"), 1_700_000_000);
        assert_eq!(expires("-0.5"), -1);
        assert_eq!(expires("-0"), 0);
    }

    #[test]
    fn exp_equal_to_now_is_expired() {
        assert_eq!(check(&rules(), r#"{"iss":"me","exp":1001}"#), Ok(()));
        refused(&rules(), r#"{"iss":"me","exp":1000}"#, "token expired at 1000, it is 1000");
        refused(&rules(), r#"{"iss":"me","exp":1000.9}"#, "token expired at 1000, it is 1000");
        refused(&rules(), r#"{"iss":"me","exp":0}"#, "token expired at 0, it is 1000");
        let tolerant = ClaimRules { clock_tolerance_secs: 5, ..rules() };
        assert_eq!(check(&tolerant, r#"{"iss":"me","exp":996}"#), Ok(()));
        refused(&tolerant, r#"{"iss":"me","exp":995}"#, "token expired at 995, it is 1000");
    }

    #[test]
    fn exp_is_required_unless_the_rules_say_otherwise() {
        refused(&ClaimRules::new("me"), r#"{"iss":"me"}"#, "claim exp is missing");
        assert_eq!(check(&rules(), r#"{"iss":"me"}"#), Ok(()));
    }

    #[test]
    fn nbf_and_iat_may_not_be_in_the_future() {
        for claim in ["nbf", "iat"] {
            let at = |time: &str| format!(r#"{{"iss":"me","{claim}":{time}}}"#);
            assert_eq!(check(&rules(), &at("1000")), Ok(()));
            refused(&rules(), &at("1001"), "token is valid from 1001, it is 1000");
            let tolerant = ClaimRules { clock_tolerance_secs: 5, ..rules() };
            assert_eq!(check(&tolerant, &at("1005")), Ok(()));
            refused(&tolerant, &at("1006"), "token is valid from 1006, it is 1000");
        }
        refused(&rules(), r#"{"iss":"me","nbf":1000.1}"#, "token is valid from 1001, it is 1000");
        // A token made in this very second is not from the future.
        assert_eq!(check(&rules(), r#"{"iss":"me","iat":1000.9}"#), Ok(()));
        refused(
            &rules(),
            r#"{"iss":"me","nbf":1002,"iat":1003}"#,
            "token is valid from 1003, it is 1000",
        );
    }

    #[test]
    fn the_greatest_age_needs_iat_and_includes_its_last_second() {
        let rules = ClaimRules { max_token_age_secs: Some(100), ..rules() };
        refused(&rules, r#"{"iss":"me"}"#, "claim iat is missing");
        assert_eq!(check(&rules, r#"{"iss":"me","iat":900}"#), Ok(()));
        refused(
            &rules,
            r#"{"iss":"me","iat":899,"exp":9999}"#,
            "token was issued at 899, too long before 1000",
        );
        let tolerant = ClaimRules { clock_tolerance_secs: 5, ..rules };
        assert_eq!(check(&tolerant, r#"{"iss":"me","iat":895}"#), Ok(()));
        refused(
            &tolerant,
            r#"{"iss":"me","iat":894}"#,
            "token was issued at 894, too long before 1000",
        );
    }

    #[test]
    fn the_greatest_age_of_the_sign_in_needs_auth_time_and_includes_its_last_second() {
        let rules = ClaimRules { max_auth_age_secs: Some(100), ..rules() };
        for missing in [r#"{"iss":"me","iat":1000}"#, r#"{"iss":"me","auth_time":null}"#] {
            refused(&rules, missing, "claim auth_time is missing");
        }
        for odd in ["\"1000\"", "true", "[1000]", "{}"] {
            let claims = format!(r#"{{"iss":"me","auth_time":{odd}}}"#);
            refused(&rules, &claims, "claim auth_time: expected a number");
        }
        for fine in ["900", "900.5", "1000"] {
            assert_eq!(check(&rules, &format!(r#"{{"iss":"me","auth_time":{fine}}}"#)), Ok(()));
        }
        // A new token of an old sign-in is as old as the sign-in.
        let too_old = "the sign-in was at 899, more than 100 s before 1000";
        refused(&rules, r#"{"iss":"me","iat":1000,"auth_time":899}"#, too_old);
        let ahead = "token is valid from 1001, it is 1000";
        refused(&rules, r#"{"iss":"me","auth_time":1001}"#, ahead);
        refused(
            &rules,
            r#"{"iss":"me","auth_time":0,"exp":1000}"#,
            "token expired at 1000, it is 1000",
        );
        let tolerant = ClaimRules { clock_tolerance_secs: 5, ..rules };
        for fine in [895, 1005] {
            assert_eq!(check(&tolerant, &format!(r#"{{"iss":"me","auth_time":{fine}}}"#)), Ok(()));
        }
        refused(
            &tolerant,
            r#"{"iss":"me","auth_time":894}"#,
            "the sign-in was at 894, more than 100 s before 1000",
        );
        let any = super::tests::rules();
        assert_eq!(check(&any, r#"{"iss":"me","auth_time":"once"}"#), Ok(()), "not asked for");
    }

    #[test]
    fn the_times_of_validity_are_those_at_which_the_check_passes() {
        let ages = [None, Some(7)];
        let each = ages.map(|age| ages.map(|auth_age| [(0, age, auth_age), (3, age, auth_age)]));
        for (tolerance, age, auth_age) in each.into_iter().flatten().flatten() {
            let rules = ClaimRules {
                clock_tolerance_secs: tolerance,
                max_token_age_secs: age,
                max_auth_age_secs: auth_age,
                ..rules()
            };
            for claims in [
                r#"{"iss":"me","iat":1000,"auth_time":998}"#,
                r#"{"iss":"me","iat":1000,"auth_time":1002.5,"exp":1020}"#,
                r#"{"iss":"me","iat":1000,"auth_time":1e300}"#,
                r#"{"iss":"me","iat":1000}"#,
                r#"{"iss":"me","iat":1000,"exp":1005}"#,
                r#"{"iss":"me","iat":1000,"exp":1020}"#,
                r#"{"iss":"me","iat":1000.5,"nbf":1002.5,"exp":1020.5}"#,
                r#"{"iss":"me","iat":1010,"exp":1005}"#,
                r#"{"iss":"me","iat":-1e300,"nbf":1e300,"exp":1e300}"#,
            ] {
                let claims = Claims::parse(claims.as_bytes()).unwrap();
                if auth_age.is_some() && claims.get("auth_time").is_none() {
                    continue;
                }
                let times = rules.valid_during(&claims);
                for now in (990..1040).map(UnixTime::from_secs) {
                    let passes = rules.check(&header(r#"{"alg":"HS256"}"#), &claims, now).is_ok();
                    assert_eq!(times.contains(&now), passes, "{times:?} {now}");
                }
            }
        }
    }

    #[test]
    fn the_issuer_is_compared_exactly() {
        refused(&rules(), "{}", "claim iss is missing");
        for other in ["Me", "me/", " me", "me ", ""] {
            let claims = format!(r#"{{"iss":"{other}"}}"#);
            refused(&rules(), &claims, "iss has a value that is not allowed");
        }
    }

    #[test]
    fn one_audience_has_to_be_ours() {
        let rules = ClaimRules { audience: vec!["a".into(), "b".into()], ..rules() };
        refused(&rules, r#"{"iss":"me"}"#, "claim aud is missing");
        for aud in ["\"a\"", "\"b\"", "[\"x\",\"b\"]"] {
            assert_eq!(check(&rules, &format!(r#"{{"iss":"me","aud":{aud}}}"#)), Ok(()), "{aud}");
        }
        for aud in ["\"x\"", "[]", "[\"x\"]", "\"A\"", "\"a b\"", "\"\""] {
            let claims = format!(r#"{{"iss":"me","aud":{aud}}}"#);
            refused(&rules, &claims, "aud has a value that is not allowed");
        }
        let any = super::tests::rules();
        assert_eq!(check(&any, r#"{"iss":"me","aud":"x"}"#), Ok(()));
    }

    #[test]
    fn another_claim_may_name_the_audience_and_aud_is_then_not_looked_at() {
        let rules = ClaimRules {
            audience: vec!["app".into(), "b".into()],
            audience_claim: Some("client_id".into()),
            ..rules()
        };
        refused(&rules, r#"{"iss":"me","aud":"app"}"#, "claim client_id is missing");
        refused(&rules, r#"{"iss":"me","client_id":null}"#, "claim client_id is missing");
        for claims in [
            r#"{"iss":"me","client_id":"app"}"#,
            r#"{"iss":"me","client_id":["x","b"]}"#,
            r#"{"iss":"me","client_id":"app","aud":"other"}"#,
        ] {
            assert_eq!(check(&rules, claims), Ok(()), "{claims}");
        }
        for value in ["\"x\"", "7", "[]", "{}", "\"app b\"", "\"APP\""] {
            let claims = format!(r#"{{"iss":"me","aud":"app","client_id":{value}}}"#);
            refused(&rules, &claims, "client_id has a value that is not allowed");
        }
        refused(
            &ClaimRules { profile: Profile::AccessToken, require_exp: true, ..rules },
            r#"{"iss":"me"}"#,
            "claim typ is missing",
        );
    }

    #[test]
    fn required_values_are_checked_after_the_audience_and_before_the_time() {
        let value = |claim: &str, value: Value| RequiredValue {
            claim: claim.to_owned(),
            values: vec![value],
        };
        let rules = ClaimRules {
            audience: vec!["a".into()],
            required_values: vec![
                value("token_use", "access".into()),
                value("realm_access.roles", "user".into()),
            ],
            ..rules()
        };
        let with = |aud: &str, rest: &str| format!(r#"{{"iss":"me","aud":"{aud}","exp":1{rest}}}"#);
        refused(&rules, &with("b", ""), "aud has a value that is not allowed");
        refused(&rules, &with("a", ""), "claim token_use is missing");
        refused(
            &rules,
            &with("a", r#","token_use":"id""#),
            "token_use has a value that is not allowed",
        );
        refused(
            &rules,
            &with("a", r#","token_use":"access","realm_access":{"roles":["guest"]}"#),
            "realm_access.roles has a value that is not allowed",
        );
        refused(
            &rules,
            &with("a", r#","token_use":"access","realm_access":{"roles":["user"]}"#),
            "token expired at 1, it is 1000",
        );
    }

    #[test]
    fn a_name_with_dots_that_exists_wins_over_a_path() {
        let find = |claims: &str, name: &str| {
            Claims::parse(claims.as_bytes()).unwrap().find(name).map(Value::to_string)
        };
        let claims = r#"{"a.b":1,"a":{"b":2,"c":{"d":3},"c.d":4,"":5},"l":[{"x":6}]}"#;
        for (name, expected) in [
            ("a.b", Some("1")),
            ("a.c.d", Some("4")),
            ("a.", Some("5")),
            ("a.x", None),
            ("a.b.c", None),
            ("l.0.x", None),
            ("l.x", None),
            (".a", None),
            ("", None),
            ("a..b", None),
        ] {
            assert_eq!(find(claims, name).as_deref(), expected, "{name}");
        }
        // The name of a client with dots in it (Keycloak).
        let claims = r#"{"resource_access":{"my.app":{"roles":["r"]}}}"#;
        assert_eq!(find(claims, "resource_access.my.app.roles").as_deref(), Some(r#"["r"]"#));
    }

    #[test]
    fn required_claims_have_to_be_there_and_not_null() {
        let rules = ClaimRules { required_claims: vec!["tenant".into()], ..rules() };
        refused(&rules, r#"{"iss":"me"}"#, "claim tenant is missing");
        refused(&rules, r#"{"iss":"me","tenant":null}"#, "claim tenant is missing");
        for value in ["0", "\"\"", "false", "[]"] {
            assert_eq!(check(&rules, &format!(r#"{{"iss":"me","tenant":{value}}}"#)), Ok(()));
        }
    }

    #[test]
    fn typ_is_compared_as_a_media_type() {
        let claims = r#"{"iss":"me"}"#;
        for expected in ["at+jwt", "application/at+jwt", "AT+JWT"] {
            let rules = ClaimRules { typ: Some(expected.into()), ..rules() };
            for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
                assert_eq!(check_typ(&rules, Some(typ), claims), Ok(()), "{expected} {typ}");
            }
            for typ in ["JWT", "", "at+jwt ", "text/at+jwt", "application/", "at+jw\u{e9}t"] {
                assert_eq!(
                    check_typ(&rules, Some(typ), claims).unwrap_err().to_string(),
                    "typ has a value that is not allowed",
                    "{expected} {typ}"
                );
            }
            refused(&rules, claims, "claim typ is missing");
        }
        assert_eq!(check_typ(&rules(), Some("anything"), claims), Ok(()));
    }

    const ACCESS: &str =
        r#"{"iss":"me","aud":"a","exp":1001,"sub":"s","client_id":"c","iat":999,"jti":"j""#;

    fn access_rules() -> ClaimRules {
        ClaimRules {
            audience: vec!["a".into()],
            profile: Profile::AccessToken,
            ..ClaimRules::new("me")
        }
    }

    #[test]
    fn the_access_token_profile_wants_its_typ_and_all_of_its_claims() {
        let rules = access_rules();
        let whole = format!("{ACCESS}}}");
        for typ in ["at+jwt", "application/at+jwt", "AT+JWT"] {
            assert_eq!(check_typ(&rules, Some(typ), &whole), Ok(()));
        }
        for typ in ["JWT", "at+jwtx", "dpop+jwt", "application/jwt"] {
            let error = check_typ(&rules, Some(typ), &whole).unwrap_err();
            assert_eq!(error.to_string(), "typ has a value that is not allowed", "{typ}");
        }
        refused(&rules, &whole, "claim typ is missing");
        for claim in ["iss", "aud", "exp", "sub", "client_id", "iat", "jti"] {
            let mut members = json::parse_object(whole.as_bytes()).unwrap();
            members.remove(claim);
            let text = serde_json::to_string(&members).unwrap();
            let error = check_typ(&rules, Some("at+jwt"), &text).unwrap_err();
            assert_eq!(error, Error::MissingClaim { claim: claim.into() });
        }
        for value in ["null", "1", "[\"c\"]"] {
            let text = whole.replace("\"c\"", value);
            let error = check_typ(&rules, Some("at+jwt"), &text).unwrap_err().to_string();
            let expected = ["claim client_id is missing", "claim client_id: expected a string"];
            assert_eq!(error, expected[usize::from(value != "null")]);
        }
    }

    #[test]
    fn the_scopes_of_an_access_token_are_the_string_in_scope() {
        let rules = access_rules();
        let check = |rest: &str| check_typ(&rules, Some("at+jwt"), &format!("{ACCESS},{rest}}}"));
        assert_eq!(check(r#""scope":"read write""#), Ok(()));
        assert_eq!(check(r#""scp":["admin"]"#), Ok(()));
        for scope in ["[\"read\"]", "null", "{}"] {
            let error = check(&format!(r#""scope":{scope}"#)).unwrap_err().to_string();
            assert_eq!(error, "claim scope: expected a string");
        }
        let claims = br#"{"scope":"a","scp":["b"],"permissions":["c"]}"#;
        let scopes = |source: &ScopeSource, profile| {
            source.scopes(&Claims::parse(claims).unwrap(), profile).to_string()
        };
        assert_eq!(scopes(&rules.scopes, rules.profile), "a");
        let named = ScopeSource::in_claim("permissions");
        assert_eq!(scopes(&named, Profile::AccessToken), "c");
        let scp = Claims::parse(br#"{"scp":["b"]}"#).unwrap();
        let none = ScopeSource::default();
        assert_eq!(none.scopes(&scp, Profile::AccessToken).to_string(), "");
        assert_eq!(none.scopes(&scp, Profile::Any).to_string(), "b");
    }

    #[test]
    fn rules_that_contradict_their_profile_are_refused() {
        #[track_caller]
        fn refused(rules: &ClaimRules, message: &str) {
            assert_eq!(rules.check_profile().unwrap_err().to_string(), message);
        }
        assert_eq!(access_rules().check_profile(), Ok(()));
        let same = ClaimRules { typ: Some("application/AT+JWT".into()), ..access_rules() };
        assert_eq!(same.check_profile(), Ok(()));
        refused(
            &ClaimRules { audience: Vec::new(), ..access_rules() },
            "audience: the profile wants the audience that tokens are for",
        );
        refused(
            &ClaimRules { typ: Some("JWT".into()), ..access_rules() },
            "typ: the profile wants at+jwt, expected that or nothing",
        );
        refused(
            &ClaimRules { require_exp: false, ..access_rules() },
            "require_exp: the profile wants exp, expected true or nothing",
        );
    }

    #[test]
    fn presence_then_values_then_time() {
        let rules = ClaimRules { audience: vec!["a".into()], ..ClaimRules::new("me") };
        refused(&rules, r#"{"iss":"you","aud":"x"}"#, "claim exp is missing");
        refused(
            &rules,
            r#"{"iss":"you","aud":"x","exp":1}"#,
            "iss has a value that is not allowed",
        );
        refused(&rules, r#"{"iss":"me","aud":"x","exp":1}"#, "aud has a value that is not allowed");
        refused(
            &rules,
            r#"{"iss":"me","aud":"a","exp":1,"nbf":2000}"#,
            "token expired at 1, it is 1000",
        );
    }
}
