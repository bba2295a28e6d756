//! What an administrator reads of the watch, and what Prometheus does.

use core::fmt::Write as _;
use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    event::EventV1,
    ranking,
    rules::{Alert, Rule, State},
    series::{Account, Kind, OTHERS, Series, Shadow},
    state::WatchState,
    windows::{MAX_WINDOW_SECS, slot_secs},
};
use crate::{error::Error, sorted::SortedList, time::UnixMillis};

/// How many of each list are told.
const MAX_LISTED: usize = 20;

/// How many points a line over time has at most.
const MAX_POINTS: usize = 180;

/// What is told of a window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How long the window is.
    pub window_secs: u64,
    /// Its beginning, in seconds since 1970.
    pub from: u64,
    /// Its end: now.
    pub to: u64,
    /// Decisions.
    pub decisions: Decisions,
    /// Refusals by code.
    pub codes: BTreeMap<String, u64>,
    /// Alerts of every rule; those that are ok too.
    pub alerts: Vec<AlertReport>,
    /// Samples and events that were too many, or that no sink has taken, since the beginning.
    pub dropped: u64,
    /// Decisions since the beginning of which nobody knows whether they are counted: isolates could not hand them over.
    pub lost: u64,
    /// How old the newest count is; `null`: nothing was ever counted.
    pub data_age_secs: Option<u64>,
    /// Events that wait for a sink.
    pub waiting: usize,
    /// Isolates that were heard of in the last 20 minutes.
    pub isolates: usize,
    /// Refusals by reason.
    pub reasons: BTreeMap<String, u64>,
    /// Refusals by code and reason, the most first.
    pub refusals: Vec<RefusalReport>,
    /// Expired tokens by how late they were: `seconds` up to 5, `minutes` up to an hour, `hours` beyond.
    pub lateness: BTreeMap<String, u64>,
    /// What the routes with the most requests were.
    pub routes: Vec<RouteReport>,
    /// The networks from which most credentials failed.
    pub networks: Vec<NetworkReport>,
    /// How long a point of the line stands for.
    pub step_secs: u64,
    /// Admitted and refused over time, oldest first. Where nothing was decided there is no point.
    pub timeline: Vec<Point>,
    /// What a policy that may come says beside the one in force; left out where nothing was compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow: Option<ShadowReport>,
    /// Logins to accounts and changes of them, the most first; left out where there were none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<AccountReport>,
    /// The last samples, newest first.
    pub events: Vec<EventV1>,
}

/// How often something has become of accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountReport {
    /// What was done, such as `logged_in`.
    pub action: String,
    /// By what somebody has logged in, such as `password totp`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub methods: String,
    /// How often.
    pub n: u64,
}

/// What two policies say of requests.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ShadowReport {
    /// Of how many they say the same.
    pub same: u64,
    /// How many could not be compared: only a store could tell.
    pub not_judged: u64,
    /// Of how many they say something else.
    pub different: u64,
    /// Those by what is said, what would be said, and route, the most first.
    pub differences: Vec<DifferenceReport>,
}

/// What is told of requests of which two policies say something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DifferenceReport {
    /// What is said: a code, or `admitted`; `*`: there are too many to tell.
    pub from: String,
    /// What the policy that may come would say.
    pub to: String,
    /// The path pattern of the route.
    pub route: String,
    /// How many.
    pub n: u64,
}

impl ShadowReport {
    fn add(&mut self, said: Shadow<'_>, n: u64) {
        let count = match said {
            Shadow::Same => &mut self.same,
            Shadow::NotJudged => &mut self.not_judged,
            Shadow::Other { .. } => &mut self.different,
        };
        *count = count.saturating_add(n);
        if let Shadow::Other { from, to, route } = said {
            let is_it = |one: &&mut DifferenceReport| {
                (one.from.as_str(), one.to.as_str(), one.route.as_str()) == (from, to, route)
            };
            match self.differences.iter_mut().find(is_it) {
                Some(one) => one.n = one.n.saturating_add(n),
                None => self.differences.push(DifferenceReport {
                    from: from.to_owned(),
                    to: to.to_owned(),
                    route: route.to_owned(),
                    n,
                }),
            }
        }
    }
}

/// Decisions of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Decisions {
    /// Requests that were let through.
    pub admitted: u64,
    /// Requests that were not.
    pub refused: u64,
}

/// What is told of an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AlertReport {
    /// The name of the rule.
    pub rule: String,
    /// Which group of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// What it is.
    pub state: State,
    /// Since when, in milliseconds since 1970; `null`: it was never anything else.
    pub since: Option<UnixMillis>,
    /// What was measured last.
    pub value: u64,
    /// What it may be.
    pub threshold: u64,
    /// What it most likely comes of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<&'static str>,
}

/// What is told of refusals that are alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusalReport {
    /// Their code.
    pub code: String,
    /// Their finer reason, if they have one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// How many.
    pub n: u64,
}

/// What is told of a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RouteReport {
    /// Its path pattern.
    pub route: String,
    /// Its decisions.
    #[serde(flatten)]
    pub decisions: Decisions,
}

/// What is told of a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NetworkReport {
    /// The network; `*`: all others.
    pub network: String,
    /// How many credentials failed.
    pub failures: u64,
}

/// A point of a line over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Point {
    /// When it begins, in seconds since 1970.
    pub from: u64,
    /// Its decisions.
    #[serde(flatten)]
    pub decisions: Decisions,
}

/// A window as a query says it: `90s`, `15m`, `24h`, `7d`, or seconds; from 10 seconds to 7 days. Without one: 15 minutes.
///
/// # Errors
/// [`Error::InvalidField`].
pub fn window_of(text: Option<&str>) -> Result<u64, Error> {
    let Some(text) = text else { return Ok(900) };
    let (digits, unit) = match text.strip_suffix(['s', 'm', 'h', 'd']) {
        Some(digits) => (digits, text.get(digits.len()..).unwrap_or_default()),
        None => (text, "s"),
    };
    let factor = match unit {
        "d" => 86_400,
        "h" => 3_600,
        "m" => 60,
        _ => 1,
    };
    let number = Some(digits).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let secs = number.and_then(|digits| digits.parse::<u64>().ok());
    let secs = secs.map(|secs| secs.saturating_mul(factor));
    secs.filter(|secs| (10..=MAX_WINDOW_SECS).contains(secs))
        .ok_or_else(|| Error::invalid_field("window", "expected a time like 15m, from 10s to 7d"))
}

impl Decisions {
    fn add(&mut self, is_admitted: bool, n: u64) {
        let count = if is_admitted { &mut self.admitted } else { &mut self.refused };
        *count = count.saturating_add(n);
    }

    const fn all(self) -> u64 {
        self.admitted.saturating_add(self.refused)
    }
}

/// The report of a window.
#[must_use]
pub fn report(state: &WatchState, rules: &[Rule], window_secs: u64, now: UnixMillis) -> Report {
    let to = seconds(now);
    let mut decisions = Decisions::default();
    let (mut codes, mut reasons) = (BTreeMap::new(), BTreeMap::new());
    // By both words, with a tab between them: so a map of names and numbers is compiled only once.
    let (mut refusals, mut accounts) = (BTreeMap::new(), BTreeMap::new());
    let mut lateness = BTreeMap::new();
    let mut routes: SortedList<String, Decisions> = SortedList::new();
    let mut networks: BTreeMap<String, u64> = BTreeMap::new();
    let mut shadow: Option<ShadowReport> = None;
    state.windows().each(window_secs, now, &mut |name, n| {
        if let Some(said) = Shadow::of(name) {
            shadow.get_or_insert_default().add(said, n);
        } else if let Some(series) = Series::of(name) {
            decisions.add(series.is_admitted(), n);
            let is_admitted = series.is_admitted();
            routes.change(series.route.to_owned(), |route| route.add(is_admitted, n));
            if !series.is_admitted() {
                add(&mut codes, series.code, n);
                if !series.reason.is_empty() {
                    add(&mut reasons, series.reason, n);
                }
                add(&mut refusals, &format!("{}\t{}", series.code, series.reason), n);
            }
        } else if let Some(Account { action, methods }) = Account::of(name) {
            add(&mut accounts, &format!("{action}\t{methods}"), n);
        } else if let Some((Kind::Network, network)) = Kind::of(name) {
            add(&mut networks, network, n);
        } else if let Some((Kind::Lateness, late)) = Kind::of(name) {
            add(&mut lateness, late, n);
        }
    });
    let refusals = refusals.into_iter().map(|(both, n)| {
        let (code, reason) = halves(&both);
        RefusalReport { code, reason, n }
    });
    // There are fewer kinds than this.
    let refusals = ranking::largest(refusals.collect(), usize::MAX, |alike| (false, alike.n));
    let routes = routes.into_iter().map(|(route, decisions)| RouteReport { route, decisions });
    let routes =
        ranking::largest(routes.collect(), MAX_LISTED, |route| (false, route.decisions.all()));
    let networks =
        networks.into_iter().map(|(network, failures)| NetworkReport { network, failures });
    let networks =
        ranking::largest(networks.collect(), MAX_LISTED, |network| (false, network.failures));
    if let Some(shadow) = &mut shadow {
        let differences = core::mem::take(&mut shadow.differences);
        shadow.differences = ranking::largest(differences, MAX_LISTED, |one| (false, one.n));
    }
    let accounts = accounts.into_iter().map(|(both, n)| {
        let (action, methods) = halves(&both);
        AccountReport { action, methods, n }
    });
    let accounts = ranking::largest(accounts.collect(), usize::MAX, |one| (false, one.n));
    let losses = state.losses();
    Report {
        window_secs,
        from: to.saturating_sub(window_secs),
        to,
        decisions,
        codes,
        alerts: alerts(state, rules, now),
        dropped: losses.dropped,
        lost: losses.lost,
        data_age_secs: state
            .heard_at()
            .map(|at| now.millis_since(at).checked_div(1000).unwrap_or_default()),
        waiting: state.waiting(),
        isolates: state.isolates(),
        reasons,
        refusals,
        lateness,
        routes,
        networks,
        step_secs: step_of(window_secs),
        timeline: timeline(state, window_secs, now),
        shadow,
        accounts,
        events: state.recent().rev().cloned().collect(),
    }
}

fn alerts(state: &WatchState, rules: &[Rule], now: UnixMillis) -> Vec<AlertReport> {
    let mut reports = Vec::new();
    for rule in rules {
        let before = reports.len();
        for (_, group, alert) in state.alerts().filter(|(name, ..)| *name == rule.name) {
            let is_firing = matches!(alert.state, State::Firing | State::Resolving);
            reports.push(AlertReport {
                rule: rule.name.clone(),
                group: (!group.is_empty()).then(|| group.to_owned()),
                state: alert.state,
                since: (alert.since != UnixMillis::default()).then_some(alert.since),
                value: alert.value,
                threshold: rule.threshold(),
                cause: if is_firing { rule.cause(state.windows(), now) } else { None },
            });
        }
        if reports.len() == before {
            let measured = rule.measure(state.windows(), now);
            let value = measured.values().map(|measured| measured.value).max().unwrap_or_default();
            reports.push(AlertReport {
                rule: rule.name.clone(),
                group: None,
                state: State::Ok,
                since: None,
                value,
                threshold: rule.threshold(),
                cause: None,
            });
        }
    }
    reports
}

/// How long a point of a line over this window stands for: whole slots, so that all points are as long.
fn step_of(window_secs: u64) -> u64 {
    let points = u64::try_from(MAX_POINTS).unwrap_or(u64::MAX);
    window_secs.div_ceil(points).max(1).next_multiple_of(slot_secs(window_secs))
}

fn timeline(state: &WatchState, window_secs: u64, now: UnixMillis) -> Vec<Point> {
    let step = step_of(window_secs);
    let mut line: SortedList<u64, Decisions> = SortedList::new();
    for (start, slot) in state.windows().slots(window_secs, now) {
        let from = start.saturating_sub(start.checked_rem(step).unwrap_or_default());
        line.change(from, |decisions| {
            for (name, n) in slot.iter() {
                if let Some(series) = Series::of(name) {
                    decisions.add(series.is_admitted(), n);
                }
            }
        });
    }
    line.into_iter().map(|(from, decisions)| Point { from, decisions }).collect()
}

fn add(counts: &mut BTreeMap<String, u64>, name: &str, n: u64) {
    let count = counts.entry(name.to_owned()).or_default();
    *count = count.saturating_add(n);
}

fn halves(both: &str) -> (String, String) {
    let (one, other) = both.split_once('\t').unwrap_or((both, ""));
    (one.to_owned(), other.to_owned())
}

fn seconds(at: UnixMillis) -> u64 {
    at.as_millis().checked_div(1000).unwrap_or_default()
}

/// The content type of [`metrics`].
pub const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Everything that was ever counted, as Prometheus reads it. Labels are words of the policy: nobody who calls can make a new one.
#[must_use]
pub fn metrics(state: &WatchState, rules: &[Rule]) -> String {
    let mut text = String::new();
    let totals = state.windows().totals();
    let mut decisions: BTreeMap<String, u64> = BTreeMap::new();
    let (mut failures, mut lateness) = (BTreeMap::new(), BTreeMap::new());
    let (mut shadow, mut accounts) = (BTreeMap::new(), BTreeMap::new());
    for (name, n) in totals.iter() {
        if let Some(said) = Shadow::of(name) {
            add(&mut shadow, &labels_of_shadow(said), n);
        } else if let Some(Account { action, methods }) = Account::of(name) {
            add(&mut accounts, &labels(&[("action", action), ("methods", methods)]), n);
        } else if let Some(series) = Series::of(name) {
            add(&mut decisions, &labels_of(&series), n);
        } else if let Some((Kind::Failure, route)) = Kind::of(name) {
            add(&mut failures, &labels(&[("route", route)]), n);
        } else if let Some((Kind::Lateness, late)) = Kind::of(name) {
            add(&mut lateness, &labels(&[("late", late)]), n);
        }
    }
    family(
        &mut text,
        ("edgegate_decisions_total", "counter", "Requests that were decided."),
        decisions,
    );
    family(
        &mut text,
        ("edgegate_failed_authentications_total", "counter", "Credentials that were bad."),
        failures,
    );
    family(
        &mut text,
        ("edgegate_expired_tokens_total", "counter", "Expired tokens, by how late they were."),
        lateness,
    );
    if !shadow.is_empty() {
        let help = "What a policy that may come says, beside the one in force.";
        family(&mut text, ("edgegate_shadow_total", "counter", help), shadow);
    }
    if !accounts.is_empty() {
        let help = "Logins to accounts, and changes of them.";
        family(&mut text, ("edgegate_account_events_total", "counter", help), accounts);
    }
    family(
        &mut text,
        ("edgegate_alert_firing", "gauge", "In how many groups a rule fires; 1 where it has none."),
        firing(state, rules),
    );
    let losses = state.losses();
    let one = |n: u64| {
        let mut samples = BTreeMap::new();
        samples.insert(String::new(), n);
        samples
    };
    let size = |n: usize| one(u64::try_from(n).unwrap_or(u64::MAX));
    family(
        &mut text,
        (
            "edgegate_watch_dropped_total",
            "counter",
            "Samples and events that were too many or that no sink has taken.",
        ),
        one(losses.dropped),
    );
    family(
        &mut text,
        ("edgegate_watch_lost_total", "counter", "Decisions that may not be counted."),
        one(losses.lost),
    );
    family(
        &mut text,
        ("edgegate_watch_waiting", "gauge", "Events that wait for a sink."),
        size(state.waiting()),
    );
    family(
        &mut text,
        ("edgegate_watch_isolates", "gauge", "Isolates that were heard of in the last 20 minutes."),
        size(state.isolates()),
    );
    if let Some(at) = state.heard_at() {
        family(
            &mut text,
            ("edgegate_watch_last_count_timestamp_seconds", "gauge", "When the newest count came."),
            one(seconds(at)),
        );
    }
    text
}

/// By rule alone: what a group is called may be a caller's choice, such as its network.
fn firing(state: &WatchState, rules: &[Rule]) -> BTreeMap<String, u64> {
    let is_firing = |alert: &Alert| matches!(alert.state, State::Firing | State::Resolving);
    let of = |rule: &Rule| {
        let own = state.alerts().filter(|(name, _, alert)| *name == rule.name && is_firing(alert));
        u64::try_from(own.count()).unwrap_or(u64::MAX)
    };
    let mut firing = BTreeMap::new();
    firing.extend(rules.iter().map(|rule| (labels(&[("rule", &rule.name)]), of(rule))));
    firing
}

fn labels_of(series: &Series<'_>) -> String {
    let outcome = if series.is_admitted() { "admitted" } else { "refused" };
    let route = if series.route.is_empty() { OTHERS } else { series.route };
    labels(&[
        ("outcome", outcome),
        ("code", series.code),
        ("reason", series.reason),
        ("carrier", series.carrier),
        ("identity", series.identity),
        ("issuer", series.issuer),
        ("route", route),
    ])
}

fn labels_of_shadow(said: Shadow<'_>) -> String {
    match said {
        Shadow::Same => labels(&[("verdict", "same")]),
        Shadow::NotJudged => labels(&[("verdict", "not_judged")]),
        Shadow::Other { from, to, route } => {
            labels(&[("verdict", "different"), ("from", from), ("to", to), ("route", route)])
        }
    }
}

/// Labels in braces, without those that are empty.
fn labels(labels: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in labels.iter().filter(|(_, value)| !value.is_empty()) {
        text.push(if text.is_empty() { '{' } else { ',' });
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let _ = write!(text, "{name}=\"{value}\"");
    }
    if !text.is_empty() {
        text.push('}');
    }
    text
}

fn family(
    text: &mut String,
    (name, kind, help): (&str, &str, &str),
    samples: BTreeMap<String, u64>,
) {
    let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    for (labels, value) in samples {
        let _ = writeln!(text, "{name}{labels} {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::{
        rules::{Group, defaults},
        state::Orders,
        tally::{Noted, Tally},
    };

    const NOW: UnixMillis = UnixMillis::from_millis(1_700_000_000_000);

    fn state() -> (WatchState, Vec<Rule>) {
        let rules = defaults();
        let mut tally = Tally::new(1);
        let refused = Series {
            code: "INVALID_TOKEN",
            reason: "bad_signature",
            carrier: "bearer",
            route: "/v1/\"a\\\n*",
            ..Series::default()
        };
        let admitted = Series {
            identity: "jwt",
            issuer: "https://a.example/",
            route: "/v2",
            ..Series::default()
        };
        for _ in 0..120 {
            tally.count(&Noted { series: refused, is_failure: true, late_secs: None });
            tally.count_network("192.0.2.0/24");
        }
        (0..30).for_each(|_| tally.count(&Noted { series: admitted, ..Noted::default() }));
        let mut state = WatchState::default();
        let orders = Orders { rules: &rules, sinks: &[] };
        state.apply(&tally.take(NOW).unwrap(), orders, NOW).unwrap();
        (state, rules)
    }

    #[test]
    fn a_report_has_the_agreed_shape() {
        let (state, rules) = state();
        let report = report(&state, &rules, 900, NOW.saturating_add(2_000));
        let value = serde_json::to_value(&report).unwrap();
        assert_eq!(value["window_secs"], 900);
        assert_eq!(
            (&value["from"], &value["to"]),
            (&1_699_999_102_u64.into(), &1_700_000_002_u64.into())
        );
        assert_eq!(value["decisions"], serde_json::json!({"admitted": 30, "refused": 120}));
        assert_eq!(value["codes"], serde_json::json!({"INVALID_TOKEN": 120}));
        assert_eq!(
            value["alerts"][0],
            serde_json::json!({
                "rule": "failures", "state": "firing", "since": 1_700_000_000_000_u64, "value": 120, "threshold": 100,
            })
        );
        assert_eq!(value["alerts"][1]["state"], "ok");
        assert_eq!((&value["dropped"], &value["data_age_secs"]), (&0.into(), &2.into()));
        assert_eq!(
            value["networks"][0],
            serde_json::json!({"network": "192.0.2.0/24", "failures": 120})
        );
        assert_eq!(value["timeline"].as_array().unwrap().len(), 1);
        assert_eq!(value["step_secs"], 10);
        assert_eq!(
            value["refusals"],
            serde_json::json!([
                {"code": "INVALID_TOKEN", "reason": "bad_signature", "n": 120},
            ])
        );
        assert_eq!(value["lateness"], serde_json::json!({}));
        assert_eq!(
            value["routes"][1],
            serde_json::json!({"route": "/v2", "admitted": 30, "refused": 0})
        );
        assert_eq!(value["events"][0]["event"], "firing");
    }

    #[test]
    fn all_points_of_a_line_stand_for_as_long() {
        let rules = defaults();
        let orders = Orders { rules: &rules, sinks: &[] };
        let mut state = WatchState::default();
        // Two hours with a decision a minute.
        let begin = UnixMillis::from_millis(NOW.as_millis() - 7_200_000);
        let mut tally = Tally::new(1);
        for minute in 0..120 {
            let at = begin.saturating_add(minute * 60_000);
            tally.count(&Noted { series: Series::default(), ..Noted::default() });
            state.apply(&tally.take(at).unwrap(), orders, at).unwrap();
            tally = Tally::new(minute + 2);
        }
        for (window, step) in
            [(900, 10), (3_600, 60), (21_600, 120), (86_400, 3_600), (604_800, 3_600)]
        {
            let told = report(&state, &rules, window, NOW);
            assert_eq!(told.step_secs, step, "{window}");
            for pair in told.timeline.windows(2) {
                assert!(pair[1].from - pair[0].from >= step, "{window}: {pair:?}");
            }
            assert!(told.timeline.iter().all(|point| point.from % step == 0), "{window}");
        }
    }

    #[test]
    fn a_window_is_written_as_people_do() {
        for (text, secs) in
            [("15m", 900), ("90s", 90), ("24h", 86_400), ("7d", 604_800), ("300", 300)]
        {
            assert_eq!(window_of(Some(text)), Ok(secs));
        }
        assert_eq!(window_of(None), Ok(900));
        for text in
            ["", "m", "9s", "8d", "-1m", "1.5h", "+5m", "99999999999999999999d", "15M", "5\u{fc}"]
        {
            let fault = window_of(Some(text)).unwrap_err();
            assert_eq!(
                fault.to_string(),
                "window: expected a time like 15m, from 10s to 7d",
                "{text}"
            );
        }
    }

    #[test]
    fn a_rule_has_one_gauge_however_many_groups_fire() {
        let mut rules = defaults();
        rules[0].group = Group::Network;
        let mut tally = Tally::new(1);
        for network in 0..30 {
            for _ in 0..101 {
                tally.count_network(&format!("10.0.{network}.0/24"));
            }
        }
        let mut state = WatchState::default();
        let orders = Orders { rules: &rules, sinks: &[] };
        state.apply(&tally.take(NOW).unwrap(), orders, NOW).unwrap();
        let text = metrics(&state, &rules);
        let gauges: Vec<&str> =
            text.lines().filter(|line| line.starts_with("edgegate_alert_firing{")).collect();
        assert_eq!(gauges.len(), rules.len());
        assert!(gauges.contains(&r#"edgegate_alert_firing{rule="failures"} 30"#), "{gauges:?}");
        assert!(!text.contains("10.0."));
    }

    #[test]
    fn metrics_are_pinned_and_escaped() {
        let (state, rules) = state();
        let text = metrics(&state, &rules);
        for line in [
            "# TYPE edgegate_decisions_total counter",
            r#"edgegate_decisions_total{outcome="admitted",identity="jwt",issuer="https://a.example/",route="/v2"} 30"#,
            r#"edgegate_decisions_total{outcome="refused",code="INVALID_TOKEN",reason="bad_signature",carrier="bearer",route="/v1/\"a\\ *"} 120"#,
            r#"edgegate_alert_firing{rule="failures"} 1"#,
            r#"edgegate_alert_firing{rule="expiry-ratio"} 0"#,
            "edgegate_watch_dropped_total 0",
            "edgegate_watch_last_count_timestamp_seconds 1700000000",
        ] {
            assert!(text.lines().any(|known| known == line), "{line}\n{text}");
        }
    }
}
