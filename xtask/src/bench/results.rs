//! What `benches/` has measured.

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::report;

/// A machine that does nothing else may have compiled a moment ago.
const BUSY: f64 = 1.5;

/// A whole run, or part of one.
#[derive(Debug)]
pub(super) struct Results {
    /// All rows, with all rounds.
    pub(super) whole: bool,
    pub(super) machine: Value,
    pub(super) rows: Vec<Row>,
}

/// What is measured together, by the name of `--only`.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) about: String,
    pub(super) comparisons: Vec<Comparison>,
}

/// The subject beside one peer.
#[derive(Debug)]
pub(super) struct Comparison {
    pub(super) subject: String,
    pub(super) peer: String,
    pub(super) kind: Kind,
    pub(super) ratio: f64,
    /// Where the middle half of the rounds lies; sizes have none.
    pub(super) quartiles: Option<(f64, f64)>,
    pub(super) unit: String,
    pub(super) subject_value: f64,
    pub(super) peer_value: f64,
    pub(super) target: Option<Target>,
}

/// What the ratio is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The peer's time by the subject's: times faster.
    Speed,
    /// The subject's requests per second by the peer's.
    Throughput,
    /// The subject's time by the peer's.
    Time,
    /// The subject's bytes by what is wanted.
    Size,
}

/// What the project wants of a ratio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Target {
    AtLeast(f64),
    AtMost(f64),
}

impl Target {
    pub(super) fn value(self) -> f64 {
        match self {
            Self::AtLeast(value) | Self::AtMost(value) => value,
        }
    }
}

impl Kind {
    /// Whether a greater ratio is the better one.
    pub(super) fn more_is_better(self) -> bool {
        matches!(self, Self::Speed | Self::Throughput)
    }
}

impl Comparison {
    /// `None` where nothing is wanted of it.
    pub(super) fn is_met(&self) -> Option<bool> {
        self.target.map(|target| match target {
            Target::AtLeast(value) => self.ratio >= value,
            Target::AtMost(value) => self.ratio <= value,
        })
    }

    /// `met`, `not met`, or nothing.
    pub(super) fn verdict(&self) -> &'static str {
        match self.is_met() {
            Some(true) => "met",
            Some(false) => "not met",
            None => "",
        }
    }

    /// `1.12× (1.05–1.21)`.
    pub(super) fn ratio_text(&self) -> String {
        match self.quartiles {
            Some((low, high)) => {
                format!("{:.2}× ({low:.2}–{high:.2})", self.ratio)
            }
            None => format!("{:.2}×", self.ratio),
        }
    }

    /// `≥ 1.3×`, or nothing.
    pub(super) fn target_text(&self) -> String {
        match self.target {
            Some(Target::AtLeast(value)) => format!("≥ {value}×"),
            Some(Target::AtMost(value)) => format!("≤ {value}×"),
            None => String::new(),
        }
    }

    /// `5.28 : 6.59 µs`: the subject's median and the peer's.
    pub(super) fn values_text(&self) -> String {
        let (subject, peer) = (number(self.subject_value), number(self.peer_value));
        format!("{subject} : {peer} {}", self.unit)
    }
}

impl Row {
    /// Whether any target of it is missed.
    pub(super) fn is_missed(&self) -> bool {
        self.comparisons.iter().any(|comparison| comparison.is_met() == Some(false))
    }
}

impl Results {
    pub(super) fn read(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text).context("the results are not JSON")?;
        let rows = list(&value, "rows")?.iter().map(row).collect::<Result<_>>()?;
        let whole =
            value.get("whole").and_then(Value::as_bool).context("whole: expected a bool")?;
        Ok(Self { whole, machine: value.get("machine").cloned().unwrap_or_default(), rows })
    }

    /// The load average before the run, if it was more than somebody who types causes.
    pub(super) fn load_of_others(&self) -> Option<f64> {
        let before = self.machine.get("load")?.get(0)?.as_f64()?;
        (before > BUSY).then_some(before)
    }

    /// A fact about the machine, as text.
    pub(super) fn fact(&self, name: &str) -> String {
        match self.machine.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => "unknown".to_owned(),
        }
    }
}

fn row(value: &Value) -> Result<Row> {
    let comparisons = list(value, "comparisons")?.iter().map(comparison).collect::<Result<_>>()?;
    Ok(Row { id: text(value, "id")?, about: text(value, "about")?, comparisons })
}

fn comparison(value: &Value) -> Result<Comparison> {
    let kind = match text(value, "kind")?.as_str() {
        "speed" => Kind::Speed,
        "throughput" => Kind::Throughput,
        "time" => Kind::Time,
        "size" => Kind::Size,
        other => bail!("kind: {other} is none"),
    };
    let bound = |name| value.get("target").and_then(|target| target.get(name)?.as_f64());
    let at = |index: usize| value.get("quartiles").and_then(|both| both.get(index)?.as_f64());
    Ok(Comparison {
        subject: text(value, "subject")?,
        peer: text(value, "peer")?,
        kind,
        ratio: float(value, "ratio")?,
        quartiles: at(0).zip(at(1)),
        unit: text(value, "unit")?,
        subject_value: float(value, "subject_value")?,
        peer_value: float(value, "peer_value")?,
        target: bound("at_least")
            .map(Target::AtLeast)
            .or_else(|| bound("at_most").map(Target::AtMost)),
    })
}

fn list<'a>(value: &'a Value, name: &str) -> Result<&'a Vec<Value>> {
    value.get(name).and_then(Value::as_array).with_context(|| format!("{name}: expected a list"))
}

fn text(value: &Value, name: &str) -> Result<String> {
    let text = value.get(name).and_then(Value::as_str);
    text.map(str::to_owned).with_context(|| format!("{name}: expected a string"))
}

fn float(value: &Value, name: &str) -> Result<f64> {
    value.get(name).and_then(Value::as_f64).with_context(|| format!("{name}: expected a number"))
}

/// With as many digits as mean something, and commas between thousands.
pub(super) fn number(value: f64) -> String {
    if value < 10.0 {
        return format!("{value:.2}");
    }
    if value < 100.0 {
        return format!("{value:.1}");
    }
    report::thousands(&format!("{value:.0}"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// One target that is met, one that is missed, and one line without.
    pub(crate) const EXAMPLE: &str = r#"{"whole": true, "machine": {"cpu": "Abacus <2>", "cores": 2,
        "date": "2026-01-02", "node": "20.0.0", "versions": {"edgegate": "0.1.0", "jose": "6.0.0"}},
        "rows": [
            {"id": "hs256", "about": "HS256", "comparisons": [
                {"subject": "verifySync", "peer": "jose", "kind": "speed", "ratio": 12.5, "quartiles": [12, 13.25],
                 "rounds": 9, "unit": "µs", "subject_value": 4, "peer_value": 50, "target": {"at_least": 12}},
                {"subject": "verifySync", "peer": "hono", "kind": "speed", "ratio": 9, "quartiles": [8, 10],
                 "rounds": 9, "unit": "µs", "subject_value": 4, "peer_value": 36, "target": null}]},
            {"id": "size", "about": "Sizes", "comparisons": [
                {"subject": "script", "peer": "its target", "kind": "size", "ratio": 2, "quartiles": null,
                 "rounds": 1, "unit": "bytes", "subject_value": 400000, "peer_value": 200000,
                 "target": {"at_most": 1}}]}]}"#;

    #[test]
    fn a_target_is_met_up_to_and_including_its_value() {
        let results = Results::read(EXAMPLE).unwrap();
        let mut comparison = results.rows.into_iter().next().unwrap().comparisons.remove(0);
        let met = |ratio: f64, target, comparison: &mut Comparison| {
            comparison.ratio = ratio;
            comparison.target = target;
            comparison.is_met()
        };
        assert_eq!(met(12.0, Some(Target::AtLeast(12.0)), &mut comparison), Some(true));
        assert_eq!(met(11.99, Some(Target::AtLeast(12.0)), &mut comparison), Some(false));
        assert_eq!(met(1.15, Some(Target::AtMost(1.15)), &mut comparison), Some(true));
        assert_eq!(met(1.16, Some(Target::AtMost(1.15)), &mut comparison), Some(false));
        assert_eq!(met(1.0, None, &mut comparison), None);
    }

    #[test]
    fn a_machine_that_does_other_work_is_told_from_one_at_rest() {
        let with = |load: &str| {
            let machine = format!(r#""machine": {{"load": {load}, "#);
            Results::read(&EXAMPLE.replace(r#""machine": {"#, &machine)).unwrap().load_of_others()
        };
        assert_eq!(with("[8.4, 2]"), Some(8.4));
        assert_eq!(with("[0.3, 2]"), None);
        assert_eq!(Results::read(EXAMPLE).unwrap().load_of_others(), None);
    }

    #[test]
    fn a_fault_in_the_results_is_named() {
        let faulty = EXAMPLE.replace(r#""ratio": 9"#, r#""ratio": null"#);
        assert_eq!(Results::read(&faulty).unwrap_err().to_string(), "ratio: expected a number");
        let faulty = EXAMPLE.replace(r#""kind": "size""#, r#""kind": "weight""#);
        assert_eq!(Results::read(&faulty).unwrap_err().to_string(), "kind: weight is none");
    }

    #[test]
    fn numbers_have_the_digits_that_mean_something() {
        let numbers = [0.5, 9.876, 98.76, 987.6, 475_892.0, 1_234_567.0].map(number);
        assert_eq!(numbers, ["0.50", "9.88", "98.8", "988", "475,892", "1,234,567"]);
    }
}
