//! `cargo xtask size`: the bytes of what is shipped, held to the budgets of `benches/sizes.json`.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{package, process, project, report, worker};

const SCRIPT: &str = "benches/sizes.mjs";
const MEASURED: &str = "target/bench/sizes.json";
const LIMIT: Duration = Duration::from_secs(5 * 60);
/// Where budgets and targets are kept.
const BUDGETS: &str = "benches/sizes.json";
/// Of the crates and functions of a module, the largest.
const SHOWN: usize = 20;

/// Builds, then [`check`]s. With `crates`, also what the modules consist of.
pub(crate) fn run(crates: bool) -> Result<()> {
    worker::build()?;
    package::build()?;
    let found = measure(crates)?;
    if crates {
        for module in list(&found, "crates")? {
            report::output(&composition(module)?);
        }
    }
    judge(&found)
}

/// Prints the sizes of what has been built.
///
/// # Errors
/// If one is over its budget.
pub(crate) fn check() -> Result<()> {
    judge(&measure(false)?)
}

fn measure(crates: bool) -> Result<Value> {
    let out = project::path(MEASURED);
    if let Some(folder) = out.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut command = process::command("node");
    command.arg(SCRIPT).arg(&out).args(crates.then_some("--crates"));
    process::quiet("weighing what is shipped", &mut command, LIMIT)?;
    let text = fs::read_to_string(&out).context(MEASURED)?;
    serde_json::from_str(&text).with_context(|| format!("{MEASURED}: not JSON"))
}

fn judge(found: &Value) -> Result<()> {
    let artefacts = list(found, "artefacts")?;
    report::output(&table(artefacts)?);
    within_budgets(artefacts)
}

fn within_budgets(artefacts: &[Value]) -> Result<()> {
    let mut over = Vec::new();
    for artefact in artefacts {
        let (gzip, budget) = (bytes(artefact, "gzip")?, bytes(artefact, "budget_gzip")?);
        if gzip > budget {
            over.push(format!(
                "{}: {} bytes, expected at most {}",
                text(artefact, "name"),
                commas(gzip),
                commas(budget)
            ));
        }
    }
    if !over.is_empty() {
        bail!("over the budget of {BUDGETS}: {}", over.join("; "));
    }
    Ok(())
}

fn table(artefacts: &[Value]) -> Result<String> {
    let mut lines = vec![format!("{:<50} {:>10} {:>10} {:>10}", "", "raw", "gzip", "brotli")];
    let line = |name: &str, value: &Value| -> Result<String> {
        let [raw, gzip, brotli] = ["raw", "gzip", "brotli"].map(|what| bytes(value, what));
        Ok(format!("{name:<50} {:>10} {:>10} {:>10}", commas(raw?), commas(gzip?), commas(brotli?)))
    };
    for artefact in artefacts {
        for part in list(artefact, "parts")? {
            lines.push(line(&format!("  {}", text(part, "name")), part)?);
        }
        let gzip = bytes(artefact, "gzip")?;
        let target = artefact.get("target_gzip").and_then(Value::as_u64).map(|target| {
            let verdict = if gzip <= target { "met" } else { "not met" };
            format!(", target {}: {verdict}", commas(target))
        });
        lines.push(format!(
            "{}  budget {}{}",
            line(text(artefact, "name"), artefact)?,
            commas(bytes(artefact, "budget_gzip")?),
            target.unwrap_or_default(),
        ));
    }
    Ok(lines.join("\n"))
}

/// The crates of a module and its largest functions.
fn composition(module: &Value) -> Result<String> {
    let mut lines = vec![format!(
        "{}, as compiled: code {}, data {}",
        text(module, "name"),
        commas(bytes(module, "code")?),
        commas(bytes(module, "data")?)
    )];
    for what in ["custom", "crates", "functions"] {
        lines.push(format!("  {what}"));
        for one in list(module, what)?.iter().take(SHOWN) {
            lines.push(format!("  {:>10}  {}", commas(bytes(one, "bytes")?), text(one, "name")));
        }
    }
    lines.push(String::new());
    Ok(lines.join("\n"))
}

fn list<'a>(value: &'a Value, name: &str) -> Result<&'a Vec<Value>> {
    value.get(name).and_then(Value::as_array).with_context(|| format!("{name}: expected a list"))
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn bytes(value: &Value, name: &str) -> Result<u64> {
    value.get(name).and_then(Value::as_u64).with_context(|| format!("{name}: expected a number"))
}

fn commas(bytes: u64) -> String {
    report::thousands(&bytes.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn artefact(gzip: u64) -> [Value; 1] {
        [json!({
            "name": "script", "raw": 3000, "gzip": gzip, "brotli": 900, "target_gzip": 500, "budget_gzip": 1100,
            "parts": [{"name": "a.wasm", "raw": 3000, "gzip": gzip, "brotli": 900}],
        })]
    }

    #[test]
    fn a_budget_may_be_used_up_and_not_more() {
        within_budgets(&artefact(1100)).unwrap();
        assert_eq!(
            within_budgets(&artefact(1101)).unwrap_err().to_string(),
            "over the budget of benches/sizes.json: script: 1,101 bytes, expected at most 1,100"
        );
    }

    #[test]
    fn the_table_has_the_parts_and_the_whole() {
        let table = table(&artefact(1100)).unwrap();
        let lines: Vec<Vec<&str>> =
            table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], ["raw", "gzip", "brotli"]);
        assert_eq!(lines[1], ["a.wasm", "3,000", "1,100", "900"]);
        let whole = "script 3,000 1,100 900 budget 1,100, target 500: not met";
        assert_eq!(lines[2].join(" "), whole);
    }
}
