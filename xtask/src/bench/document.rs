//! The part of `docs/benchmarks.md` that is made of the results. All else in it is written by hand.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use serde_json::Value;

use super::results::Results;

const BEGIN: &str = "<!-- results: written by `cargo xtask bench` -->\n";
const END: &str = "<!-- end of results -->\n";
/// Below it, each row that misses a target has a paragraph that begins with its id, bold and as code.
const REASONS: &str = "\n## Not met, and why\n";

/// The document with these results in place of the former ones.
pub(super) fn update(document: &str, results: &Results) -> Result<String> {
    let (before, rest) =
        document.split_once(BEGIN).with_context(|| format!("no line {}", BEGIN.trim_end()))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("no line {}", END.trim_end()))?;
    Ok(format!("{before}{BEGIN}\n{}\n{END}{after}", generated(results)?))
}

/// Rows that miss a target without a reason being given.
pub(super) fn unexplained<'a>(document: &str, results: &'a Results) -> Vec<&'a str> {
    let missed = results.rows.iter().filter(|row| row.is_missed());
    missed.map(|row| row.id.as_str()).filter(|id| !has_reason(document, id)).collect()
}

/// Rows that meet their targets, though a reason why not is still there.
pub(super) fn outdated<'a>(document: &str, results: &'a Results) -> Vec<&'a str> {
    let met = results.rows.iter().filter(|row| !row.is_missed());
    met.map(|row| row.id.as_str()).filter(|id| has_reason(document, id)).collect()
}

fn has_reason(document: &str, id: &str) -> bool {
    document
        .split_once(REASONS)
        .is_some_and(|(_, reasons)| reasons.contains(&format!("**`{id}`**")))
}

fn generated(results: &Results) -> Result<String> {
    let mut text = format!(
        "Measured on {}: {}, {} cores, {} GB, {}; Node {}, {}.\n\n",
        results.fact("date"),
        results.fact("cpu"),
        results.fact("cores"),
        results.fact("memory_gb"),
        results.fact("system"),
        results.fact("node"),
        versions(results),
    );
    if let Some(load) = results.load_of_others() {
        writeln!(
            text,
            "The machine had other work, a load average of {load}: only lines by the processor's time say much.\n"
        )?;
    }
    text.push_str("![The ratios of the table as bars, with their targets](bench/ratios.svg)\n\n");
    text.push_str("| | beside | ratio (quartiles) | edgegate : peer | target | |\n|---|---|---|---|---|---|\n");
    for row in &results.rows {
        writeln!(text, "| **{}** `{}` | | | | | |", row.about, row.id)?;
        for comparison in &row.comparisons {
            writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} |",
                comparison.subject,
                comparison.peer,
                comparison.ratio_text(),
                comparison.values_text(),
                comparison.target_text(),
                comparison.verdict(),
            )?;
        }
    }
    Ok(text)
}

fn versions(results: &Results) -> String {
    let all = results.machine.get("versions").and_then(Value::as_object);
    let each = all
        .into_iter()
        .flatten()
        .map(|(name, version)| format!("{name} {}", version.as_str().unwrap_or("unknown")));
    each.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::results::tests::EXAMPLE;

    #[test]
    fn what_is_written_by_hand_stays() {
        let results = Results::read(EXAMPLE).unwrap();
        let document = format!("by hand\n{BEGIN}old\n{END}{REASONS}\n**`size`** It is large.\n");
        let updated = update(&document, &results).unwrap();
        assert!(updated.starts_with(&format!("by hand\n{BEGIN}\nMeasured on 2026-01-02: ")));
        assert!(updated.ends_with(&format!("\n\n{END}{REASONS}\n**`size`** It is large.\n")));
        assert!(!updated.contains("old"));
        assert!(updated.contains(
            "| verifySync | jose | 12.50× (12.00–13.25) | 4.00 : 50.0 µs | ≥ 12× | met |"
        ));
        assert_eq!(update(&updated, &results).unwrap(), updated);
    }

    #[test]
    fn a_document_without_a_place_for_results_is_refused() {
        let results = Results::read(EXAMPLE).unwrap();
        let error = update("by hand", &results).unwrap_err().to_string();
        assert_eq!(error, "no line <!-- results: written by `cargo xtask bench` -->");
        let error = update(BEGIN, &results).unwrap_err().to_string();
        assert_eq!(error, "no line <!-- end of results -->");
    }

    #[test]
    fn a_missed_target_wants_a_reason_and_a_met_one_none() {
        let results = Results::read(EXAMPLE).unwrap();
        assert_eq!(unexplained(REASONS, &results), ["size"]);
        let reasons = format!("{REASONS}\n**`size`** It is large.\n\n**`hs256`** It is slow.\n");
        assert!(unexplained(&reasons, &results).is_empty());
        assert_eq!(outdated(&reasons, &results), ["hs256"]);
    }
}
