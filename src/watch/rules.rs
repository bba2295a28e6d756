//! Rules: when somebody is to be told, as steps `(alert, measured, now) → (alert, what to tell)`.
//!
//! A rule measures a window. As long as what it measures is beyond what it may be, the alert is *pending*, and after `for_secs` it is
//! *firing*: that is told. Once it is no more, it is *resolving*, and after `resolve_secs` it is *ok* again: that is told too. An alert
//! that comes back while it resolves goes on firing. One that comes back within `cool_down_secs` of being told fires, and is told only
//! once that time is over, if it still fires then.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    ranking,
    series::{Kind, Lateness, OTHERS, Series},
    windows::{MAX_WINDOW_SECS, Windows},
};
use crate::{
    json::object::{object, words},
    sorted::SortedList,
    time::UnixMillis,
};

/// An absence looks at so many windows before its own for what is missing.
const WINDOWS_BEFORE: u64 = 7;

/// The longest window of an absence: with those before it, as long as counts are kept.
pub const MAX_ABSENCE_SECS: u64 = MAX_WINDOW_SECS / (WINDOWS_BEFORE + 1);

/// How many groups of a rule are looked at: those that have an alert, then those with the most.
pub const MAX_GROUPS: usize = 50;

/// What a rule looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// What it measures, and what that may be.
    pub measure: Measure,
    /// Over which time.
    pub window_secs: u64,
    /// What it looks at apart.
    pub group: Group,
    /// How long it has to hold before it is told.
    pub for_secs: u64,
    /// How long it must not hold before it is over.
    pub resolve_secs: u64,
    /// How long nothing is told again.
    pub cool_down_secs: u64,
}

/// What is measured, and what it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Measure {
    /// How many, and how many there may be.
    Count(Select, u64),
    /// How many a minute, on the average of the window.
    Rate(Select, u64),
    /// How many percent the first are of the second, if the second are this many at least.
    Ratio {
        /// The part.
        part: Select,
        /// The whole.
        whole: Select,
        /// How many percent it may be.
        above_percent: u64,
        /// How many the whole has to be.
        at_least: u64,
    },
    /// From how many networks failures come.
    Networks(u64),
    /// There are none, though there were some before.
    Absence(Select),
    /// People who were at two places between which nobody travels at so many kilometres an hour.
    Travel(u64),
    /// Callers from a country that is not expected: one that is listed nowhere, or if there is no list, was not seen in the week before.
    Country {
        /// Those that are expected; empty: those of the week before.
        expected: Vec<String>,
    },
}

/// Which counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Select {
    /// All decisions about a credential: all but those of callers who have none.
    Presented,
    /// Admitted requests.
    Admitted,
    /// Refusals.
    Refused,
    /// Refusals with one of these codes.
    Codes(Vec<String>),
    /// Failed authentications, also those that were not looked at, since there were too many.
    Failures,
    /// Findings of this name.
    Finding(&'static str),
    /// Places from which many credentials are tried.
    Guessing,
}

/// What a rule looks at apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Group {
    /// Everything together.
    #[default]
    None,
    /// Each route.
    Route,
    /// Each issuer.
    Issuer,
    /// Each code.
    Code,
    /// Each network of failures.
    Network,
}

words!(Group {
    "none" => Self::None,
    "route" => Self::Route,
    "issuer" => Self::Issuer,
    "code" => Self::Code,
    "network" => Self::Network,
});

/// What an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nothing is wrong.
    #[default]
    Ok,
    /// Something is, but not for long enough.
    Pending,
    /// Something is.
    Firing,
    /// Nothing is any more, but not for long enough.
    Resolving,
}

words!(State {
    "ok" => Self::Ok,
    "pending" => Self::Pending,
    "firing" => Self::Firing,
    "resolving" => Self::Resolving,
});

object! {
    /// What is known of a rule, or of one of its groups.
    #[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
    pub struct Alert, ignored {
        /// Its state.
        pub state: State = State::Ok,
        /// Since when it has that state.
        pub since: UnixMillis = UnixMillis::default(),
        /// When it was told of last.
        pub told_at: UnixMillis = UnixMillis::default(),
        /// Whether that it is over has to be told.
        pub is_told: bool = false,
        /// What was measured last.
        pub value: u64 = 0,
    }
}

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Measured {
    /// A number, or percent.
    pub value: u64,
    /// Whether it is beyond what it may be.
    pub is_beyond: bool,
    /// Whether an alert that there is goes on, though none would begin.
    pub goes_on: bool,
}

/// What is to be told of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It has begun to fire.
    Firing,
    /// It is over.
    Resolved,
}

impl Alert {
    /// One step.
    #[must_use]
    pub fn step(
        mut self,
        rule: &Rule,
        measured: Measured,
        now: UnixMillis,
    ) -> (Self, Option<Turn>) {
        self.value = measured.value;
        let has_lasted =
            |since: UnixMillis, secs: u64| now.millis_since(since) >= secs.saturating_mul(1000);
        let is_beyond = measured.is_beyond || measured.goes_on && self.state != State::Ok;
        match (self.state, is_beyond) {
            (State::Ok, true) => self.become_(State::Pending, now),
            (State::Pending, false) => self.become_(State::Ok, now),
            (State::Firing, false) => self.become_(State::Resolving, now),
            (State::Resolving, true) => self.become_(State::Firing, now),
            (State::Ok, false)
            | (State::Pending | State::Firing, true)
            | (State::Resolving, false) => {}
        }
        if self.state == State::Pending && has_lasted(self.since, rule.for_secs) {
            self.become_(State::Firing, now);
        }
        // Also of one that began within the cool-down: it must not go on for ever without a word.
        let was_never_told = self.told_at == UnixMillis::default();
        let may_be_told = was_never_told || has_lasted(self.told_at, rule.cool_down_secs);
        if self.state == State::Firing && !self.is_told && may_be_told {
            self.told_at = now;
            self.is_told = true;
            return (self, Some(Turn::Firing));
        }
        if self.state == State::Resolving && has_lasted(self.since, rule.resolve_secs) {
            self.become_(State::Ok, now);
            if core::mem::take(&mut self.is_told) {
                return (self, Some(Turn::Resolved));
            }
        }
        (self, None)
    }

    const fn become_(&mut self, state: State, now: UnixMillis) {
        self.state = state;
        self.since = now;
    }

    /// Whether nobody has to know of it any more.
    #[must_use]
    pub fn is_over(&self, rule: &Rule, now: UnixMillis) -> bool {
        self.state == State::Ok
            && now.millis_since(self.told_at) >= rule.cool_down_secs.saturating_mul(1000)
    }
}

impl Rule {
    /// What it measures now, by group: the empty one where it has none.
    #[must_use]
    pub fn measure(&self, windows: &Windows, now: UnixMillis) -> BTreeMap<String, Measured> {
        self.measure_beside(windows, &[], now)
    }

    /// The same with all groups that are `known`, also those that are not there any more; others as far as there is room beside them.
    #[must_use]
    pub fn measure_beside(
        &self,
        windows: &Windows,
        known: &[String],
        now: UnixMillis,
    ) -> BTreeMap<String, Measured> {
        let mut all = self.measure_all(windows, now);
        let whole = all.remove("").map(|one| (String::new(), one));
        let of_known = |group: &String| (group.clone(), all.remove(group).unwrap_or_default());
        // Not collected: a map that is sorts first, by code for its own type.
        let mut measured = BTreeMap::new();
        measured.extend(known.iter().map(of_known));
        // Those that are beyond first, then those with the most.
        let weight = |(_, one): &(String, Measured)| (one.is_beyond, one.value);
        let room = MAX_GROUPS.saturating_sub(known.len());
        measured.extend(ranking::largest(all.into_iter().collect(), room, weight));
        measured.extend(whole);
        measured
    }

    fn measure_all(&self, windows: &Windows, now: UnixMillis) -> SortedList<String, Measured> {
        let window = self.window_secs;
        match &self.measure {
            Measure::Count(select, above) => {
                each_of(self.by_group(windows, select, now), |n| (n, n > *above))
            }
            Measure::Rate(select, above) => each_of(self.by_group(windows, select, now), |n| {
                let each_minute = n.saturating_mul(60).checked_div(window).unwrap_or_default();
                (each_minute, n.saturating_mul(60) > above.saturating_mul(window))
            }),
            Measure::Ratio { part, whole, above_percent, at_least } => {
                let parts = self.by_group(windows, part, now);
                let wholes = self.by_group(windows, whole, now);
                let measured = wholes.into_iter().map(|(group, whole)| {
                    let part = parts.get(&group).copied().unwrap_or_default();
                    let percent = part.saturating_mul(100).checked_div(whole).unwrap_or_default();
                    let is_beyond = whole >= *at_least
                        && part.saturating_mul(100) > above_percent.saturating_mul(whole);
                    (group, Measured { value: percent, is_beyond, goes_on: false })
                });
                listed(measured)
            }
            Measure::Networks(above) => {
                let networks = self.named(windows, Kind::Network, now).len();
                let value = u64::try_from(networks).unwrap_or(u64::MAX);
                single(value, value > *above)
            }
            Measure::Travel(_) => {
                let found = Select::Finding(IMPOSSIBLE_TRAVEL);
                each_of(self.by_group(windows, &found, now), |n| (n, n > 0))
            }
            Measure::Absence(select) => {
                let counted: u64 = self.by_group(windows, select, now).into_values().sum();
                let with_before = window.saturating_mul(WINDOWS_BEFORE.saturating_add(1));
                let before = Self { window_secs: with_before, ..self.clone() };
                let was: u64 = before.by_group(windows, select, now).into_values().sum();
                let is_missing = counted == 0;
                // It is over once something comes, and not for what came before being forgotten.
                let measured = Measured {
                    value: counted,
                    is_beyond: is_missing && was > 0,
                    goes_on: is_missing,
                };
                alone(measured)
            }
            Measure::Country { expected } => self.countries(windows, expected, now),
        }
    }

    fn by_group(
        &self,
        windows: &Windows,
        select: &Select,
        now: UnixMillis,
    ) -> BTreeMap<String, u64> {
        let mut counted = BTreeMap::new();
        windows.each(self.window_secs, now, &mut |name, n| {
            if let Some(group) = self.group_of(select, name) {
                let count: &mut u64 = counted.entry(group.to_owned()).or_default();
                *count = count.saturating_add(n);
            }
        });
        if self.group == Group::None {
            counted.entry(String::new()).or_default();
        }
        counted
    }

    /// The group of a count; `None`: it is not looked at.
    fn group_of<'n>(&self, select: &Select, name: &'n str) -> Option<&'n str> {
        let (kind, rest) = Kind::of(name)?;
        match (select, kind) {
            (Select::Failures, Kind::Network) => {
                (self.group == Group::Network && rest != OTHERS).then_some(rest)
            }
            (Select::Failures, Kind::Failure) => match self.group {
                Group::Route => Some(rest),
                Group::Network => None,
                Group::None | Group::Issuer | Group::Code => Some(""),
            },
            (Select::Finding(finding), Kind::Finding) => (*finding == rest).then_some(""),
            (Select::Guessing, Kind::Guessing) => Some(rest),
            (_, Kind::Decision) => {
                let series = Series::of(name)?;
                let fits = match select {
                    Select::Presented => series.is_presented(),
                    Select::Admitted => series.is_admitted(),
                    Select::Refused => !series.is_admitted(),
                    Select::Codes(codes) => codes.iter().any(|code| code == series.code),
                    Select::Failures | Select::Finding(_) | Select::Guessing => false,
                };
                fits.then_some(match self.group {
                    Group::None | Group::Network => "",
                    Group::Route => series.route,
                    Group::Issuer => series.issuer,
                    Group::Code => series.code,
                })
            }
            _ => None,
        }
    }

    fn named(&self, windows: &Windows, wanted: Kind, now: UnixMillis) -> BTreeMap<String, u64> {
        let mut found = BTreeMap::new();
        windows.each(self.window_secs, now, &mut |name, n| {
            if let Some((kind, rest)) = Kind::of(name)
                && kind == wanted
            {
                let count: &mut u64 = found.entry(rest.to_owned()).or_default();
                *count = count.saturating_add(n);
            }
        });
        found
    }

    /// Each country that is not expected is a group.
    fn countries(
        &self,
        windows: &Windows,
        expected: &[String],
        now: UnixMillis,
    ) -> SortedList<String, Measured> {
        /// How much of the past has to be known before a country is new: a day.
        const LEARNT_SECS: u64 = 86_400;
        let found = self.named(windows, Kind::Country, now);
        let from =
            now.as_millis().checked_div(1000).unwrap_or_default().saturating_sub(self.window_secs);
        // By names of its own, so that a map of names and numbers is compiled only once.
        let mut known: BTreeMap<String, u64> = BTreeMap::new();
        if expected.is_empty() {
            for (start, slot) in windows.slots(MAX_WINDOW_SECS, now) {
                for (name, _) in slot.iter() {
                    let Some((Kind::Country, country)) = Kind::of(name) else { continue };
                    match known.get_mut(country) {
                        Some(first) => *first = start.min(*first),
                        None => drop(known.insert(country.to_owned(), start)),
                    }
                }
            }
            let learnt_since = known.values().min().copied().unwrap_or(u64::MAX);
            if learnt_since.saturating_add(LEARNT_SECS) > from {
                return SortedList::new();
            }
        }
        let is_expected = |country: &str| match expected {
            [] => known.get(country).is_some_and(|first| *first < from),
            listed => listed.iter().any(|one| one == country),
        };
        let new = found.into_iter().filter(|(country, _)| !is_expected(country));
        let is_new = |n| Measured { value: n, is_beyond: true, goes_on: false };
        listed(new.map(|(country, n)| (country, is_new(n))))
    }

    /// What a rule about expired tokens most likely comes of.
    #[must_use]
    pub fn cause(&self, windows: &Windows, now: UnixMillis) -> Option<&'static str> {
        let is_about_expiry = matches!(
            &self.measure,
            Measure::Ratio { part: Select::Codes(codes), .. } if codes.iter().any(|code| code == "TOKEN_EXPIRED")
        );
        if !is_about_expiry {
            return None;
        }
        let lateness = self.named(windows, Kind::Lateness, now);
        let of =
            |lateness_of: Lateness| lateness.get(lateness_of.word()).copied().unwrap_or_default();
        let (seconds, minutes, hours) =
            (of(Lateness::Seconds), of(Lateness::Minutes), of(Lateness::Hours));
        let all = seconds.saturating_add(minutes).saturating_add(hours);
        let is_most = |part: u64| part.saturating_mul(2) > all;
        if is_most(hours) {
            Some("refresh_broken")
        } else if is_most(seconds) {
            Some("clock_skew")
        } else if is_most(minutes) {
            Some("lifetime_too_short")
        } else {
            None
        }
    }

    /// What it may be, as a number.
    #[must_use]
    pub const fn threshold(&self) -> u64 {
        match &self.measure {
            Measure::Count(_, above) | Measure::Rate(_, above) | Measure::Networks(above) => *above,
            Measure::Ratio { above_percent, .. } => *above_percent,
            Measure::Absence(_) | Measure::Country { .. } | Measure::Travel(_) => 0,
        }
    }

    /// Whether it can begin to hold though nothing is counted: then it has to be looked at by itself.
    #[must_use]
    pub const fn needs_clock(&self) -> bool {
        matches!(self.measure, Measure::Absence(_))
    }
}

fn single(value: u64, is_beyond: bool) -> SortedList<String, Measured> {
    alone(Measured { value, is_beyond, goes_on: false })
}

fn alone(one: Measured) -> SortedList<String, Measured> {
    listed(core::iter::once((String::new(), one)))
}

fn each_of(
    counted: BTreeMap<String, u64>,
    measured: impl Fn(u64) -> (u64, bool),
) -> SortedList<String, Measured> {
    let measured = counted.into_iter().map(|(group, n)| {
        let (value, is_beyond) = measured(n);
        (group, Measured { value, is_beyond, goes_on: false })
    });
    listed(measured)
}

fn listed(measured: impl Iterator<Item = (String, Measured)>) -> SortedList<String, Measured> {
    let mut listed = SortedList::new();
    measured.for_each(|(group, one)| listed.insert(group, one));
    listed
}

/// The rules that hold where a policy has the section `watch` and says nothing else.
#[must_use]
pub fn defaults() -> Vec<Rule> {
    let rule = |name: &str, measure, window_secs| Rule {
        name: name.to_owned(),
        measure,
        window_secs,
        group: Group::None,
        for_secs: 0,
        resolve_secs: 300,
        cool_down_secs: 900,
    };
    let expired = Select::Codes(vec!["TOKEN_EXPIRED".to_owned()]);
    vec![
        rule("failures", Measure::Count(Select::Failures, 100), 300),
        Rule {
            for_secs: 60,
            ..rule(
                "expiry-ratio",
                Measure::Ratio {
                    part: expired,
                    whole: Select::Presented,
                    above_percent: 20,
                    at_least: 100,
                },
                900,
            )
        },
        rule("use-after-revocation", Measure::Count(Select::Finding(USE_AFTER_REVOCATION), 0), 900),
        rule("shared-credential", Measure::Count(Select::Finding(SHARED_CREDENTIAL), 0), 900),
        rule("unusual-country", Measure::Country { expected: Vec::new() }, 3_600),
        Rule {
            group: Group::Network,
            ..rule("credential-stuffing", Measure::Count(Select::Guessing, 0), 900)
        },
    ]
}

/// A credential was used long after it was refused as revoked, or from another place ([`super::revoked`]).
pub const USE_AFTER_REVOCATION: &str = "use_after_revocation";

/// A credential is used at several places by turns ([`super::sharing`]).
pub const SHARED_CREDENTIAL: &str = "shared_credential";

/// Somebody was at two places too soon one after the other ([`super::travel`]).
pub const IMPOSSIBLE_TRAVEL: &str = "impossible_travel";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::counts::Counts;

    const START: u64 = 1_699_999_200;

    fn at(secs: u64) -> UnixMillis {
        UnixMillis::from_millis((START + secs) * 1000)
    }

    fn rule(measure: Measure) -> Rule {
        Rule {
            name: "r".into(),
            measure,
            window_secs: 300,
            group: Group::None,
            for_secs: 0,
            resolve_secs: 60,
            cool_down_secs: 600,
        }
    }

    fn add(windows: &mut Windows, name: &str, n: u64, secs: u64) {
        let mut counts = Counts::default();
        counts.add(name, n);
        windows.add(&counts, at(secs), &mut Vec::new());
    }

    fn beyond(rule: &Rule, windows: &Windows, secs: u64) -> Vec<(String, u64)> {
        let measured = rule.measure(windows, at(secs)).into_iter();
        measured.filter(|(_, one)| one.is_beyond).map(|(group, one)| (group, one.value)).collect()
    }

    #[test]
    fn the_hundred_and_first_failure_in_five_minutes_fires_and_the_hundredth_does_not() {
        let failures = defaults().remove(0);
        let mut windows = Windows::default();
        add(&mut windows, &Kind::Failure.name("/v1/*"), 100, 0);
        assert_eq!(beyond(&failures, &windows, 0), []);
        add(&mut windows, &Kind::Failure.name("/v2/*"), 1, 289);
        assert_eq!(beyond(&failures, &windows, 289), [(String::new(), 101)]);
        // Five minutes later the first hundred do not count.
        assert_eq!(beyond(&failures, &windows, 300), []);
    }

    #[test]
    fn an_alert_waits_fires_is_told_once_and_resolves() {
        let rule = Rule { for_secs: 30, ..rule(Measure::Count(Select::Failures, 0)) };
        let measured =
            |is_beyond| Measured { value: u64::from(is_beyond), is_beyond, goes_on: false };
        let mut alert = Alert::default();
        let mut told = Vec::new();
        for (secs, is_beyond, state) in [
            (0, true, State::Pending),
            (10, false, State::Ok),
            (20, true, State::Pending),
            (49, true, State::Pending),
            (50, true, State::Firing),
            (60, true, State::Firing),
            (70, false, State::Resolving),
            (80, true, State::Firing),
            (90, false, State::Resolving),
            (149, false, State::Resolving),
            (150, false, State::Ok),
            // Within the cool-down: it fires, and nobody is told.
            (200, true, State::Pending),
            (230, true, State::Firing),
            (240, false, State::Resolving),
            (300, false, State::Ok),
            // After it.
            (660, true, State::Pending),
            (690, true, State::Firing),
        ] {
            let (next, turn) = alert.step(&rule, measured(is_beyond), at(secs));
            assert_eq!(next.state, state, "at {secs}");
            alert = next;
            told.extend(turn.map(|turn| (secs, turn)));
        }
        assert_eq!(told, [(50, Turn::Firing), (150, Turn::Resolved), (690, Turn::Firing)]);
    }

    #[test]
    fn an_alert_that_begins_within_the_cool_down_and_goes_on_is_told_at_its_end() {
        let rule = rule(Measure::Count(Select::Failures, 0));
        let mut alert = Alert::default();
        let mut told = Vec::new();
        for secs in (50..2_300).step_by(10) {
            let is_beyond = secs < 60 || (200..2_000).contains(&secs);
            let measured = Measured { value: u64::from(is_beyond), is_beyond, goes_on: false };
            let (next, turn) = alert.step(&rule, measured, at(secs));
            alert = next;
            told.extend(turn.map(|turn| (secs, turn)));
        }
        let expected = [
            (50, Turn::Firing),
            (120, Turn::Resolved),
            (650, Turn::Firing),
            (2_060, Turn::Resolved),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_rule_without_waiting_fires_at_once() {
        let (alert, turn) = Alert::default().step(
            &rule(Measure::Count(Select::Failures, 0)),
            Measured { value: 1, is_beyond: true, goes_on: false },
            at(0),
        );
        assert_eq!((alert.state, turn), (State::Firing, Some(Turn::Firing)));
    }

    fn expired(route: &'static str) -> String {
        Series { code: "TOKEN_EXPIRED", carrier: "bearer", route, ..Series::default() }.name()
    }

    fn admitted(route: &'static str) -> String {
        Series { identity: "jwt", carrier: "bearer", route, ..Series::default() }.name()
    }

    #[test]
    fn a_ratio_counts_from_a_number_on_and_tells_its_cause() {
        let ratio = defaults().remove(1);
        let mut windows = Windows::default();
        add(&mut windows, &expired("/a"), 21, 0);
        add(&mut windows, &admitted("/a"), 78, 0);
        // 21 of 99.
        assert_eq!(beyond(&ratio, &windows, 1), []);
        add(&mut windows, &admitted("/b"), 1, 1);
        assert_eq!(beyond(&ratio, &windows, 1), [(String::new(), 21)]);
        assert_eq!(ratio.cause(&windows, at(1)), None);
        add(&mut windows, &Kind::Lateness.name("hours"), 15, 1);
        add(&mut windows, &Kind::Lateness.name("seconds"), 6, 1);
        assert_eq!(ratio.cause(&windows, at(1)), Some("refresh_broken"));
        add(&mut windows, &Kind::Lateness.name("seconds"), 20, 2);
        assert_eq!(ratio.cause(&windows, at(2)), Some("clock_skew"));
        add(&mut windows, &Kind::Lateness.name("minutes"), 90, 2);
        assert_eq!(ratio.cause(&windows, at(2)), Some("lifetime_too_short"));
        // Nobody's requests are no part of it.
        let anonymous = Series { identity: "anonymous", route: "/a", ..Series::default() };
        add(&mut windows, &anonymous.name(), 10_000, 3);
        assert_eq!(beyond(&ratio, &windows, 3), [(String::new(), 21)]);
    }

    #[test]
    fn groups_are_looked_at_apart_and_have_an_end() {
        let by_route = Rule { group: Group::Route, ..rule(Measure::Count(Select::Refused, 10)) };
        let mut windows = Windows::default();
        add(&mut windows, &expired("/a"), 11, 0);
        add(&mut windows, &expired("/b"), 10, 0);
        assert_eq!(beyond(&by_route, &windows, 0), [("/a".to_owned(), 11)]);
        let by_network =
            Rule { group: Group::Network, ..rule(Measure::Count(Select::Failures, 3)) };
        for network in 0..500 {
            let network = format!("10.0.{network}.0/24");
            add(&mut windows, &Kind::Network.name(&network), 4, 1);
        }
        assert_eq!(by_network.measure(&windows, at(1)).len(), MAX_GROUPS);
        let many = rule(Measure::Networks(200));
        assert!(!beyond(&many, &windows, 1).is_empty());
    }

    #[test]
    fn rates_and_absences() {
        let mut windows = Windows::default();
        add(&mut windows, &admitted("/a"), 600, 0);
        assert_eq!(
            beyond(&rule(Measure::Rate(Select::Admitted, 119)), &windows, 0),
            [(String::new(), 120)]
        );
        assert_eq!(beyond(&rule(Measure::Rate(Select::Admitted, 120)), &windows, 0), []);
        let absence = rule(Measure::Absence(Select::Admitted));
        assert!(beyond(&absence, &windows, 200).is_empty());
        assert_eq!(beyond(&absence, &windows, 400), [(String::new(), 0)]);
        // A gate that never had any is no fault.
        assert!(beyond(&absence, &Windows::default(), 400).is_empty());
    }

    #[test]
    fn an_absence_is_over_once_something_comes_and_not_before() {
        let absence = rule(Measure::Absence(Select::Admitted));
        let mut windows = Windows::default();
        add(&mut windows, &admitted("/a"), 600, 0);
        let mut alert = Alert::default();
        let mut told = Vec::new();
        // Far longer than what came before is looked at; then one request.
        for secs in (0..20_000).step_by(10) {
            if secs == 10_000 {
                add(&mut windows, &admitted("/a"), 1, secs);
            }
            let measured = absence.measure(&windows, at(secs)).remove("").unwrap();
            let (next, turn) = alert.step(&absence, measured, at(secs));
            alert = next;
            told.extend(turn.map(|turn| (secs, turn)));
        }
        let turns: Vec<Turn> = told.iter().map(|(_, turn)| *turn).collect();
        assert_eq!(turns, [Turn::Firing, Turn::Resolved, Turn::Firing], "{told:?}");
        assert!(told[0].0 <= 300 && told[1].0 == 10_060, "{told:?}");
        // What waits for longer than that fires as well.
        let slow = Rule { for_secs: 3_600, ..absence };
        let mut alert = Alert::default();
        for secs in (10_000..15_000).step_by(10) {
            let measured = slow.measure(&windows, at(secs)).remove("").unwrap();
            alert = alert.step(&slow, measured, at(secs)).0;
        }
        assert_eq!(alert.state, State::Firing);
        // A group that there is no more keeps nothing going.
        assert!(!Measured::default().goes_on);
    }

    #[test]
    fn a_country_is_unusual_by_list_or_once_a_day_is_known() {
        let day = 86_400;
        let learnt = defaults().remove(4);
        let mut windows = Windows::default();
        add(&mut windows, &Kind::Country.name("DE"), 1, 0);
        add(&mut windows, &Kind::Country.name("FR"), 1, day / 2);
        assert_eq!(beyond(&learnt, &windows, day / 2), []);
        add(&mut windows, &Kind::Country.name("DE"), 5, 2 * day);
        add(&mut windows, &Kind::Country.name("FR"), 5, 2 * day);
        assert_eq!(beyond(&learnt, &windows, 2 * day), []);
        add(&mut windows, &Kind::Country.name("XX"), 2, 2 * day + 5);
        assert_eq!(beyond(&learnt, &windows, 2 * day + 5), [("XX".to_owned(), 2)]);
        let listed = rule(Measure::Country { expected: vec!["DE".into(), "XX".into()] });
        assert_eq!(beyond(&listed, &windows, 2 * day + 5), [("FR".to_owned(), 5)]);
    }
}
