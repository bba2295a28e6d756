//! The section `watch`: what is counted and looked at, and who is told.

use super::{
    RecordedSecrets,
    admin::AdminDocument,
    check::{at, first_repeated, secret_of, token},
    sink::{MAX_SINKS, Sink, WatchSinkDocument, sinks},
};
use crate::{
    error::Error,
    json::object::{described, words},
    secret::Secret,
    watch::{
        audit::Seal,
        message::Form,
        pseudonym::Pseudonyms,
        rules::{self, Group, MAX_ABSENCE_SECS, Measure, Rule, Select},
        series::{MAX_NETWORKS, MAX_NETWORKS_OF_LONG_SLOT},
        windows::{FINE_WINDOW_SECS, MAX_WINDOW_SECS},
    },
};

const MAX_RULES: usize = 50;
const MAX_COUNTRIES: usize = 250;

/// The shortest window: six slots.
const MIN_WINDOW_SECS: u32 = 60;

/// A year and a month: what happened is often found out within that.
const AUDIT_DAYS: u32 = 400;

/// Ten years.
const MAX_AUDIT_DAYS: u32 = 3650;

/// The longest wait before an alert is told, over, or told again: a day.
const MAX_WAIT_SECS: u32 = 86_400;

described! {
    /// What is counted and looked at, and who is told: docs/watch.md. Needs `secret`, or `admin.secret`.
    #[derive(Debug)]
    pub(super) struct WatchDocument as Watch, refused {
        /// The name of the secret of which the pseudonyms of callers are made. Without it: the administrator's.
        pub(super) secret: Option<String> = None,
        /// The name of a secret that may read `/metrics` and nothing else. Administrators with the role `read` may too.
        pub(super) metrics_secret: Option<String> = None,
        /// Countries from which callers are expected, two letters each. Without it: those of the week before.
        #[facts(maxItems = 250)]
        pub(super) countries: Vec<String> = Vec::new(),
        /// Rules of one's own, and changes of those that are on by default. At most 50.
        #[facts(maxItems = 50)]
        pub(super) rules: Vec<WatchRuleDocument> = Vec::new(),
        /// Who is told. At most 10.
        #[facts(maxItems = 10)]
        pub(super) sinks: Vec<WatchSinkDocument> = Vec::new(),
        /// What administration did, as a chain: docs/audit.md. `required`, nothing is done of which no entry can be written;
        /// `best-effort`, it is done all the same; `off`, nothing is written.
        pub(super) audit: Audit = Audit::Required,
        /// How many days entries of the audit are kept. 400 by default.
        #[facts(minimum = 1, maximum = 3650, default = 400)]
        pub(super) audit_days: Option<u32> = None,
        /// A policy that may come is judged beside this one, by the Worker: docs/shadow.md. It is the variable `POLICY_SHADOW`.
        pub(super) shadow: Option<WatchShadowDocument> = None,
    }
}

described! {
    /// How a policy that may come is judged beside this one. It never changes an answer.
    #[derive(Debug)]
    pub(super) struct WatchShadowDocument as WatchShadow, refused {
        /// How many percent of the requests are judged by both. 100 by default.
        #[facts(minimum = 1, maximum = 100, default = 100)]
        pub(super) sample: Option<u32> = None,
    }
}

described! {
    /// A rule. One with the name of a rule that is on by default changes what it says of it.
    #[derive(Debug)]
    pub(super) struct WatchRuleDocument as WatchRule, refused {
        /// Its name: 1 to 64 letters, digits, `-`, `_` or `.`.
        #[facts(minLength = 1, maxLength = 64)]
        pub(super) name: String,
        /// What it measures: `count`, how many; `rate`, how many a minute; `ratio`, how many percent of all that presented a
        /// credential; `networks`, from how many networks credentials failed; `absence`, that there are none; `travel`, that
        /// somebody was at two places sooner than one can travel.
        pub(super) kind: Option<RuleKind> = None,
        /// Which decisions: `failures`, credentials that were bad; `refused`; `admitted`; `presented`, all with a credential.
        pub(super) of: Option<RuleOf> = None,
        /// Refusals with one of these codes, in place of `of`.
        pub(super) codes: Vec<String> = Vec::new(),
        /// Beyond this it fires. Of `networks` at most 256, or 200 over more than 900 seconds: no more are kept apart. Of `travel`,
        /// kilometres an hour, 805 by default.
        pub(super) above: Option<u64> = None,
        /// How many there have to be before a ratio counts. 100 by default.
        pub(super) at_least: Option<u64> = None,
        /// Over which time. 300 by default. Of an absence at most 75,600: counts are kept for eight times that.
        #[facts(minimum = 60, maximum = 604_800)]
        pub(super) window_secs: Option<u32> = None,
        /// What it looks at apart.
        pub(super) group: Option<Group> = None,
        /// How long it has to hold before it is told. 0 by default.
        #[facts(maximum = 86_400)]
        pub(super) for_secs: Option<u32> = None,
        /// How long it must not hold before it is over. 300 by default.
        #[facts(maximum = 86_400)]
        pub(super) resolve_secs: Option<u32> = None,
        /// How long it is not told again. 900 by default.
        #[facts(maximum = 86_400)]
        pub(super) cool_down_secs: Option<u32> = None,
        /// Whether a rule that is on by default is not.
        pub(super) off: bool = false,
    }
}

/// Whether administration is audited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audit {
    /// What cannot be written is not done.
    Required,
    /// What cannot be written is done all the same.
    BestEffort,
    /// It is not.
    Off,
}

words!(Audit {
    "required" => Self::Required,
    "best-effort" => Self::BestEffort,
    "off" => Self::Off,
});

/// What a rule measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RuleKind {
    Count,
    Rate,
    Ratio,
    Networks,
    Absence,
    Travel,
}

words!(RuleKind {
    "count" => Self::Count,
    "rate" => Self::Rate,
    "ratio" => Self::Ratio,
    "networks" => Self::Networks,
    "absence" => Self::Absence,
    "travel" => Self::Travel,
});

/// Which decisions a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RuleOf {
    Failures,
    Refused,
    Admitted,
    Presented,
}

words!(RuleOf {
    "failures" => Self::Failures,
    "refused" => Self::Refused,
    "admitted" => Self::Admitted,
    "presented" => Self::Presented,
});

/// What is counted and looked at, and who is told.
#[derive(Debug)]
pub struct WatchPolicy {
    /// Names for callers.
    pub pseudonyms: Pseudonyms,
    /// What may read `/metrics` beside the administrator's secret.
    pub metrics: Option<Secret>,
    /// The rules.
    pub rules: Vec<Rule>,
    /// Who is told.
    pub sinks: Vec<Sink>,
    /// Their names.
    pub sink_names: Vec<String>,
    /// The names of those that are webhooks: they keep checkpoints of the audit.
    pub webhooks: Vec<String>,
    /// Whether administration is audited.
    pub audit: Audit,
    /// How long entries of the audit are kept.
    pub audit_days: u32,
    /// The key of checkpoints.
    pub seal: Seal,
    /// How many percent of the requests a policy that may come is judged by, beside this one.
    pub shadow: Option<u32>,
    /// Whether a rule asks where on the earth callers are.
    pub locates: bool,
}

impl WatchPolicy {
    /// The sink of that name.
    #[must_use]
    pub fn sink(&self, name: &str) -> Option<&Sink> {
        self.sinks.iter().find(|sink| sink.name == name)
    }

    /// Has functions of the application's own told too, by these names. At most 10.
    ///
    /// # Errors
    /// [`Error::Config`]: one of them is no name, or has that of another sink.
    pub fn add_functions(&mut self, names: &[String]) -> Result<(), Error> {
        if names.len() > MAX_SINKS {
            return Err(Error::config("watch.sinks", "expected at most 10"));
        }
        for name in names {
            let name = token("watch.sinks", name)?;
            if self.sink_names.contains(&name) {
                let path = format!("watch.sinks.{name}");
                return Err(Error::config(path, "is the name of another sink"));
            }
            self.sink_names.push(name);
        }
        Ok(())
    }
}

pub(super) fn watch(
    document: &WatchDocument,
    admin: Option<&AdminDocument>,
    secrets: &RecordedSecrets<'_>,
) -> Result<WatchPolicy, Error> {
    let of_admin = admin.and_then(|admin| admin.secret.as_deref());
    let secret = match (document.secret.as_deref(), of_admin) {
        (Some(name), _) => secret_of("watch.secret", name, secrets)?,
        // It is the administrator's own, so this is no other use of it.
        (None, Some(name)) => secret_of("admin.secret", name, secrets.all)?,
        (None, None) => {
            let problem = match admin {
                Some(_) => "is required where admin.secret is not there",
                None => "is required where the section admin is not there",
            };
            return Err(Error::config("watch.secret", problem));
        }
    };
    let pseudonyms =
        Pseudonyms::new(&secret).ok_or_else(|| Error::config("watch.secret", "is no HMAC key"))?;
    let metrics = document.metrics_secret.as_deref();
    let metrics =
        metrics.map(|name| secret_of("watch.metrics_secret", name, secrets)).transpose()?;
    check_countries(&document.countries)?;
    let sinks = sinks(&document.sinks, secrets)?;
    let sink_names = sinks.iter().map(|sink| sink.name.clone()).collect();
    let rules = rules_of(&document.rules, &document.countries)?;
    let webhooks = sinks.iter().filter(|sink| sink.form == Form::Webhook);
    let webhooks = webhooks.map(|sink| sink.name.clone()).collect();
    let seal = Seal::new(&secret).ok_or_else(|| Error::config("watch.secret", "is no HMAC key"))?;
    let audit_days = document.audit_days.unwrap_or(AUDIT_DAYS);
    if !(1..=MAX_AUDIT_DAYS).contains(&audit_days) {
        return Err(Error::config("watch.audit_days", "expected 1 to 3650"));
    }
    let locates = rules.iter().any(|rule| matches!(rule.measure, Measure::Travel(_)));
    let shadow = document.shadow.as_ref().map(|shadow| shadow.sample.unwrap_or(100));
    if shadow.is_some_and(|percent| !(1..=100).contains(&percent)) {
        return Err(Error::config("watch.shadow.sample", "expected 1 to 100"));
    }
    Ok(WatchPolicy {
        shadow,
        locates,
        pseudonyms,
        metrics,
        rules,
        sinks,
        sink_names,
        webhooks,
        audit: document.audit,
        audit_days,
        seal,
    })
}

fn check_countries(countries: &[String]) -> Result<(), Error> {
    if countries.len() > MAX_COUNTRIES {
        return Err(Error::config("watch.countries", "expected at most 250"));
    }
    let is_code =
        |text: &String| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    match countries.iter().position(|country| !is_code(country)) {
        Some(index) => Err(Error::config(
            format!("watch.countries[{index}]"),
            "expected two capital letters like DE",
        )),
        None => Ok(()),
    }
}

fn rules_of(documents: &[WatchRuleDocument], countries: &[String]) -> Result<Vec<Rule>, Error> {
    if documents.len() > MAX_RULES {
        return Err(Error::config("watch.rules", "expected at most 50"));
    }
    if let Some(index) = first_repeated(documents.iter().map(|rule| rule.name.as_str())) {
        return Err(Error::config(format!("watch.rules[{index}].name"), "is given twice"));
    }
    let mut rules = rules::defaults();
    for rule in &mut rules {
        if let Measure::Country { expected } = &mut rule.measure {
            *expected = countries.to_vec();
        }
    }
    for (index, document) in documents.iter().enumerate() {
        let path = format!("watch.rules[{index}]");
        check_rule(document).map_err(|fault| at(&path, &fault))?;
        let known = rules.iter().position(|rule| rule.name == document.name);
        match known.and_then(|place| rules.get_mut(place)) {
            Some(rule) => change(rule, document).map_err(|fault| at(&path, &fault))?,
            None => rules.push(own(document).map_err(|fault| at(&path, &fault))?),
        }
        if document.off {
            rules.retain(|rule| rule.name != document.name);
        }
    }
    Ok(rules)
}

fn check_rule(document: &WatchRuleDocument) -> Result<(), Error> {
    token("name", &document.name)?;
    let longest = u32::try_from(MAX_WINDOW_SECS).unwrap_or(u32::MAX);
    if document.window_secs.is_some_and(|secs| !(MIN_WINDOW_SECS..=longest).contains(&secs)) {
        return Err(Error::config("window_secs", "expected 60 to 604800"));
    }
    let waits = [
        ("for_secs", document.for_secs),
        ("resolve_secs", document.resolve_secs),
        ("cool_down_secs", document.cool_down_secs),
    ];
    match waits.iter().find(|(_, secs)| secs.is_some_and(|secs| secs > MAX_WAIT_SECS)) {
        Some((name, _)) => Err(Error::config(*name, "expected at most 86400")),
        None => Ok(()),
    }
}

/// What a rule says of one that is on by default.
fn change(rule: &mut Rule, document: &WatchRuleDocument) -> Result<(), Error> {
    if document.kind.is_some() || document.of.is_some() || !document.codes.is_empty() {
        return Err(Error::config(
            "kind",
            "is that of the rule with this name, expected only numbers",
        ));
    }
    let is_ratio = matches!(rule.measure, Measure::Ratio { .. });
    if document.at_least.is_some() && !is_ratio {
        return Err(Error::config("at_least", "only a ratio has it"));
    }
    match (&mut rule.measure, document.above) {
        (_, None) => {}
        // A place is found or it is not.
        (Measure::Count(Select::Guessing, _), Some(_)) => {
            return Err(Error::config("above", "this rule has no number"));
        }
        (Measure::Count(_, above), Some(given)) => *above = given,
        (Measure::Ratio { above_percent, .. }, Some(given)) => *above_percent = percent(given)?,
        _ => return Err(Error::config("above", "this rule has no number")),
    }
    if let (Measure::Ratio { at_least, .. }, Some(given)) = (&mut rule.measure, document.at_least) {
        *at_least = given;
    }
    if document.group.is_some() && !matches!(rule.measure, Measure::Count(Select::Failures, _)) {
        return Err(Error::config("group", "this rule looks at nothing apart"));
    }
    times(rule, document);
    Ok(())
}

fn times(rule: &mut Rule, document: &WatchRuleDocument) {
    let set = |place: &mut u64, given: Option<u32>| *place = given.map_or(*place, u64::from);
    set(&mut rule.window_secs, document.window_secs);
    set(&mut rule.for_secs, document.for_secs);
    set(&mut rule.resolve_secs, document.resolve_secs);
    set(&mut rule.cool_down_secs, document.cool_down_secs);
    rule.group = document.group.unwrap_or(rule.group);
}

fn percent(given: u64) -> Result<u64, Error> {
    if given < 100 {
        Ok(given)
    } else {
        Err(Error::config("above", "expected less than 100 percent"))
    }
}

/// Airliners fly at 800 to 950 kilometres an hour over the ground, and take longer from door to door.
fn speed(given: Option<u64>) -> Result<u64, Error> {
    let given = given.unwrap_or(805);
    if (250..=20_000).contains(&given) {
        return Ok(given);
    }
    Err(Error::config("above", "expected 250 to 20000 kilometres an hour"))
}

/// A rule that could never fire would be taken for one that is watching.
fn networks(given: u64, window_secs: Option<u32>) -> Result<u64, Error> {
    let is_long = window_secs.is_some_and(|secs| u64::from(secs) > FINE_WINDOW_SECS);
    let most = if is_long { MAX_NETWORKS_OF_LONG_SLOT } else { MAX_NETWORKS };
    if u64::try_from(most).is_ok_and(|most| given <= most) {
        return Ok(given);
    }
    let problem =
        "expected at most 256, or 200 over more than 900 seconds: no more networks are kept apart";
    Err(Error::config("above", problem))
}

fn own(document: &WatchRuleDocument) -> Result<Rule, Error> {
    if document.off {
        return Err(Error::config("name", "there is no rule of this name to be off"));
    }
    let kind = document
        .kind
        .ok_or_else(|| Error::config("kind", "is required for a rule of one's own"))?;
    let above =
        || document.above.ok_or_else(|| Error::config("above", "is required for this kind"));
    if document.at_least.is_some() && kind != RuleKind::Ratio {
        return Err(Error::config("at_least", "only a ratio has it"));
    }
    let measure = match kind {
        RuleKind::Count => Measure::Count(select(document)?, above()?),
        RuleKind::Rate => Measure::Rate(select(document)?, above()?),
        RuleKind::Ratio => Measure::Ratio {
            part: select(document)?,
            whole: Select::Presented,
            above_percent: percent(above()?)?,
            at_least: document.at_least.unwrap_or(100),
        },
        RuleKind::Networks => Measure::Networks(networks(above()?, document.window_secs)?),
        RuleKind::Absence => Measure::Absence(select(document)?),
        RuleKind::Travel => Measure::Travel(speed(document.above)?),
    };
    check_form(document, kind)?;
    let mut rule = Rule {
        name: document.name.clone(),
        measure,
        window_secs: 300,
        group: Group::None,
        for_secs: 0,
        resolve_secs: 300,
        cool_down_secs: 900,
    };
    times(&mut rule, document);
    Ok(rule)
}

/// What does not go together.
fn check_form(document: &WatchRuleDocument, kind: RuleKind) -> Result<(), Error> {
    let group = document.group.unwrap_or_default();
    let of_failures = document.of == Some(RuleOf::Failures);
    if kind == RuleKind::Travel && (document.of.is_some() || !document.codes.is_empty()) {
        return Err(Error::config("of", "who travels is somebody who was admitted"));
    }
    if kind == RuleKind::Networks && (document.of.is_some() || !document.codes.is_empty()) {
        return Err(Error::config("of", "networks are those of failures"));
    }
    if matches!(kind, RuleKind::Networks | RuleKind::Absence | RuleKind::Travel)
        && group != Group::None
    {
        return Err(Error::config("group", "this kind looks at nothing apart"));
    }
    let is_too_long = |secs: u32| u64::from(secs) > MAX_ABSENCE_SECS;
    if kind == RuleKind::Absence && document.window_secs.is_some_and(is_too_long) {
        return Err(Error::config("window_secs", "expected at most 75600 for an absence"));
    }
    if kind == RuleKind::Absence && document.above.is_some() {
        return Err(Error::config("above", "an absence has no number"));
    }
    if group == Group::Network && !(of_failures && matches!(kind, RuleKind::Count | RuleKind::Rate))
    {
        return Err(Error::config(
            "group",
            "networks are known of failures, expected a count or rate of them",
        ));
    }
    if of_failures && matches!(group, Group::Issuer | Group::Code) {
        return Err(Error::config("group", "failures are counted by route and network"));
    }
    Ok(())
}

fn select(document: &WatchRuleDocument) -> Result<Select, Error> {
    use crate::error::Code;
    let is_code = |text: &String| Code::ALL.iter().any(|code| code.as_str() == text);
    if let Some(index) = document.codes.iter().position(|code| !is_code(code)) {
        return Err(Error::config(format!("codes[{index}]"), "is no code of the gate"));
    }
    match (document.of, document.codes.as_slice()) {
        (None, [_, ..]) => Ok(Select::Codes(document.codes.clone())),
        (Some(RuleOf::Failures), []) => Ok(Select::Failures),
        (Some(RuleOf::Refused), []) => Ok(Select::Refused),
        (Some(RuleOf::Admitted), []) => Ok(Select::Admitted),
        (Some(RuleOf::Presented), []) => Ok(Select::Presented),
        _ => Err(Error::config("of", "expected exactly one of of and codes")),
    }
}
