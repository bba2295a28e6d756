//! What is counted apart, and what each is called where it is kept.
//!
//! A name begins with a letter for its kind, and has its parts behind tabs. All parts are words of the gate or of the policy: nobody who
//! calls can make a new one. What a caller has a say in (a network, a country) is a kind of its own with a bound of its own.

/// How many names of decisions an isolate hands over at most, and the totals have. A policy of 100 routes with ten kinds of outcome each
/// fits; beyond, a count goes on under its outcome and code alone, of which there are fewer than 60.
pub const MAX_SERIES: usize = 1_000;

/// The same of a slot of ten seconds, of which there are about 90.
const MAX_SERIES_OF_SLOT: usize = 250;

/// The same of a slot of a minute or an hour, of which there are about 600. Where there are more than [`WHOLE_SERIES`], decisions are
/// counted by code and route there.
const MAX_SERIES_OF_LONG_SLOT: usize = 150;

/// How many names of decisions a long slot keeps as they are.
pub const WHOLE_SERIES: usize = 80;

/// How many routes failures are counted by in a slot: as many as a policy has.
const MAX_FAILURES_OF_SLOT: usize = 100;

/// How many networks of failures are kept apart; all others are one.
pub const MAX_NETWORKS: usize = 256;

/// The same of a long slot.
pub const MAX_NETWORKS_OF_LONG_SLOT: usize = 200;

/// How many differences between two policies are kept apart, by code, code and route.
const MAX_SHADOWS: usize = 150;

/// Actions of accounts, with each way to log in: the gate has fewer words than this.
const MAX_ACCOUNTS: usize = 64;

/// How many places are named from which many credentials are tried.
const MAX_GUESSING: usize = 16;

/// Countries, and codes that are none: more than there are.
pub const MAX_COUNTRIES: usize = 300;

/// The network of all that were too many.
pub const OTHERS: &str = "*";

/// The identity of whoever has none.
const ANONYMOUS: &str = "anonymous";

/// Where counts are kept: what there is more of has fewer names each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Room {
    /// In what an isolate hands over, and in the totals.
    #[default]
    Whole,
    /// In a slot of ten seconds.
    Slot,
    /// In a slot of a minute or an hour.
    LongSlot,
}

/// A kind of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Decisions ([`Series`]).
    Decision,
    /// Failed authentications, by route.
    Failure,
    /// Failed authentications, by network.
    Network,
    /// How late expired tokens were, in buckets ([`Lateness`]).
    Lateness,
    /// Callers who were admitted, at first sight, by country.
    Country,
    /// What was found by looking at callers one by one.
    Finding,
    /// Places from which many credentials are tried ([`super::stuffing`]).
    Guessing,
    /// What a policy that may come would have said, beside what was said ([`Shadow`]).
    Shadow,
    /// Logins to accounts, and changes of them, by what was done and by what somebody has logged in ([`Account`]).
    Account,
}

impl Kind {
    /// Every kind, in this order.
    pub(super) const ALL: [Self; 9] = [
        Self::Decision,
        Self::Failure,
        Self::Network,
        Self::Lateness,
        Self::Country,
        Self::Finding,
        Self::Guessing,
        Self::Shadow,
        Self::Account,
    ];

    const fn letter(self) -> &'static str {
        match self {
            Self::Decision => "d",
            Self::Failure => "f",
            Self::Network => "n",
            Self::Lateness => "l",
            Self::Country => "k",
            Self::Finding => "x",
            Self::Guessing => "g",
            Self::Shadow => "s",
            Self::Account => "a",
        }
    }

    /// The kind of a name, and the rest of it.
    #[must_use]
    pub fn of(name: &str) -> Option<(Self, &str)> {
        let (letter, rest) = name.split_once('\t')?;
        Self::ALL.into_iter().find(|kind| kind.letter() == letter).map(|kind| (kind, rest))
    }

    /// The name of a thing of this kind.
    #[must_use]
    pub fn name(self, rest: &str) -> String {
        format!("{}\t{rest}", self.letter())
    }

    /// How many names of this kind are kept apart.
    #[must_use]
    pub const fn bound(self, room: Room) -> usize {
        match (self, room) {
            (Self::Decision | Self::Failure, Room::Whole) => MAX_SERIES,
            (Self::Decision, Room::Slot) => MAX_SERIES_OF_SLOT,
            (Self::Decision, Room::LongSlot) => MAX_SERIES_OF_LONG_SLOT,
            (Self::Failure, Room::Slot | Room::LongSlot) => MAX_FAILURES_OF_SLOT,
            (Self::Network, Room::Whole | Room::Slot) => MAX_NETWORKS,
            (Self::Network, Room::LongSlot) => MAX_NETWORKS_OF_LONG_SLOT,
            (Self::Country, _) => MAX_COUNTRIES,
            (Self::Guessing, _) => MAX_GUESSING,
            (Self::Shadow, _) => MAX_SHADOWS,
            (Self::Account, _) => MAX_ACCOUNTS,
            (Self::Lateness | Self::Finding, _) => 16,
        }
    }
}

/// Decisions that are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Series<'a> {
    /// The stable code of refusals; empty for admitted requests.
    pub code: &'a str,
    /// The finer reason.
    pub reason: &'a str,
    /// How the credential came.
    pub carrier: &'a str,
    /// The kind of identity.
    pub identity: &'a str,
    /// The verified issuer.
    pub issuer: &'a str,
    /// The path pattern of the route.
    pub route: &'a str,
}

impl<'a> Series<'a> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> String {
        let mut name = String::with_capacity(96);
        name.push_str(Kind::Decision.letter());
        for part in self.parts() {
            name.push('\t');
            // An issuer may have any character.
            name.extend(part.chars().map(|char| if char.is_control() { ' ' } else { char }));
        }
        name
    }

    /// What makes series different, in the order of names.
    pub(super) const fn parts(&self) -> [&'a str; 6] {
        [self.code, self.reason, self.carrier, self.identity, self.issuer, self.route]
    }

    /// The series of these.
    pub(super) const fn of_parts(parts: [&'a str; 6]) -> Self {
        let [code, reason, carrier, identity, issuer, route] = parts;
        Self { code, reason, carrier, identity, issuer, route }
    }

    /// The series of a name; `None` for names of other kinds.
    #[must_use]
    pub fn of(name: &'a str) -> Option<Self> {
        let mut parts = name.split('\t');
        if parts.next() != Some(Kind::Decision.letter()) {
            return None;
        }
        Some(Self {
            code: parts.next()?,
            reason: parts.next()?,
            carrier: parts.next()?,
            identity: parts.next()?,
            issuer: parts.next()?,
            route: parts.next()?,
        })
    }

    /// The same by code and route. Whether there was a credential stays known: rules count by that.
    #[must_use]
    pub fn brief(&self) -> Self {
        let carrier = if self.carrier.is_empty() { "" } else { OTHERS };
        let identity = if self.identity == ANONYMOUS { ANONYMOUS } else { "" };
        Self { code: self.code, carrier, identity, route: self.route, ..Self::default() }
    }

    /// Whether these came with a credential.
    #[must_use]
    pub fn is_presented(&self) -> bool {
        self.is_admitted() && self.identity != ANONYMOUS || !self.carrier.is_empty()
    }

    /// Whether these were admitted.
    #[must_use]
    pub const fn is_admitted(&self) -> bool {
        self.code.is_empty()
    }
}

/// What two policies say of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shadow<'a> {
    /// The same.
    Same,
    /// Only a store could tell.
    NotJudged,
    /// Something else: what is said, what would be said, and the path pattern of the route.
    Other {
        /// A code, or `admitted`.
        from: &'a str,
        /// The same of the policy that may come.
        to: &'a str,
        /// The route of the policy in force.
        route: &'a str,
    },
}

/// Of those that are too many to be kept apart nothing but that they differ is known.
impl<'a> Shadow<'a> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Same => Kind::Shadow.name("="),
            Self::NotJudged => Kind::Shadow.name("?"),
            Self::Other { from, to, route } => Kind::Shadow.name(&format!("{from}\t{to}\t{route}")),
        }
    }

    /// That of a name; `None` for names of other kinds.
    #[must_use]
    pub fn of(name: &'a str) -> Option<Self> {
        let (Kind::Shadow, rest) = Kind::of(name)? else { return None };
        let mut parts = rest.split('\t');
        Some(match (parts.next()?, parts.next(), parts.next()) {
            ("=", ..) => Self::Same,
            ("?", ..) => Self::NotJudged,
            (from, Some(to), Some(route)) => Self::Other { from, to, route },
            _ => Self::Other { from: OTHERS, to: OTHERS, route: OTHERS },
        })
    }
}

/// What has become of accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account<'a> {
    /// What was done.
    pub action: &'a str,
    /// By what somebody has logged in; else empty.
    pub methods: &'a str,
}

impl<'a> Account<'a> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> String {
        Kind::Account.name(&format!("{}\t{}", self.action, self.methods))
    }

    /// That of a name; `None` for names of other kinds.
    #[must_use]
    pub fn of(name: &'a str) -> Option<Self> {
        let (Kind::Account, rest) = Kind::of(name)? else { return None };
        let (action, methods) = rest.split_once('\t').unwrap_or((rest, ""));
        Some(Self { action, methods })
    }
}

/// The name under which a count goes on where there are too many of its kind.
#[must_use]
pub fn of_others(name: &str) -> String {
    match (Series::of(name), Kind::of(name)) {
        (Some(series), _) => Series { route: OTHERS, ..series.brief() }.name(),
        (None, Some((kind, _))) => kind.name(OTHERS),
        (None, None) => Kind::Finding.name(OTHERS),
    }
}

/// How late an expired token was: what tells causes apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lateness {
    /// Up to 5 seconds: clocks differ.
    Seconds,
    /// Up to an hour: tokens live too short for who uses them, or are renewed too late.
    Minutes,
    /// More: they are not renewed at all.
    Hours,
}

impl Lateness {
    /// Of a token that has expired so many seconds ago.
    #[must_use]
    pub const fn of(secs: u64) -> Self {
        match secs {
            0..=5 => Self::Seconds,
            6..=3600 => Self::Minutes,
            _ => Self::Hours,
        }
    }

    /// Its word in names.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Minutes => "minutes",
            Self::Hours => "hours",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_was_written_whatever_an_issuer_is_called() {
        let series = Series {
            code: "TOKEN_EXPIRED",
            reason: "token_expired",
            carrier: "bearer",
            identity: "jwt",
            issuer: "https://a.example/",
            route: "/v1/*",
        };
        assert_eq!(Series::of(&series.name()), Some(series));
        let odd = Series { issuer: "a\tb\nc", ..series };
        assert_eq!(Series::of(&odd.name()), Some(Series { issuer: "a b c", ..series }));
        assert_eq!(Series::of(&Kind::Network.name("192.0.2.0/24")), None);
        assert_eq!(Kind::of("n\t192.0.2.0/24"), Some((Kind::Network, "192.0.2.0/24")));
        assert_eq!(Kind::of("z\tx"), None);
    }

    #[test]
    fn what_is_too_many_is_counted_under_its_code() {
        let series = Series { code: "INVALID_TOKEN", route: "/v1/*", ..Series::default() };
        let others = Series { code: "INVALID_TOKEN", route: OTHERS, ..Series::default() };
        assert_eq!(of_others(&series.name()), others.name());
        // Whether there was a credential is what a ratio counts by.
        let identity = "anonymous";
        for (whole, is_presented) in [
            (Series { carrier: "bearer", ..series }, true),
            (series, false),
            (Series { identity: "jwt", ..Series::default() }, true),
            (Series { identity, ..Series::default() }, false),
        ] {
            let others = of_others(&whole.name());
            assert_eq!(whole.is_presented(), is_presented);
            assert_eq!(Series::of(&others).map(|one| one.is_presented()), Some(is_presented));
        }
        assert_eq!(of_others(&Kind::Network.name("192.0.2.0/24")), Kind::Network.name(OTHERS));
    }

    #[test]
    fn what_two_policies_say_is_read_as_it_was_written() {
        let other = Shadow::Other { from: "admitted", to: "NOT_ALLOWED", route: "/v1/*" };
        for one in [Shadow::Same, Shadow::NotJudged, other] {
            assert_eq!(Shadow::of(&one.name()), Some(one));
        }
        let many = of_others(&other.name());
        let others = Shadow::Other { from: OTHERS, to: OTHERS, route: OTHERS };
        assert_eq!(Shadow::of(&many), Some(others));
        assert_eq!(Shadow::of(&Kind::Network.name("=")), None);
    }

    #[test]
    fn what_has_become_of_an_account_is_read_as_it_was_written() {
        for methods in ["password totp", ""] {
            let one = Account { action: "logged_in", methods };
            assert_eq!(Account::of(&one.name()), Some(one));
        }
        let many = of_others(&Account { action: "deleted", methods: "" }.name());
        assert_eq!(Account::of(&many), Some(Account { action: OTHERS, methods: "" }));
        assert_eq!(Account::of(&Kind::Shadow.name("=")), None);
    }

    #[test]
    fn lateness_is_told_apart_at_five_seconds_and_an_hour() {
        for (secs, word) in
            [(0, "seconds"), (5, "seconds"), (6, "minutes"), (3600, "minutes"), (3601, "hours")]
        {
            assert_eq!(Lateness::of(secs).word(), word);
        }
    }
}
