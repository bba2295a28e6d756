//! `cargo xtask bench`: the gate beside its peers, all measured in one run.
//!
//! The measuring is in `benches/` (JavaScript, since that is what calls the gate and its peers); it writes
//! JSON. Here is what comes before it, building, and what comes after it: table, chart and document.

mod chart;
mod document;
mod results;
mod table;

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::{package, process, project, report, worker};
use results::Results;

/// A whole run takes about ten minutes on two cores.
const LIMIT: Duration = Duration::from_secs(60 * 60);
const MEASURED: &str = "target/bench/results.json";

/// What a whole run leaves in the repository.
const RESULTS: &str = "docs/bench/results.json";
const LOAD_RESULTS: &str = "docs/bench/load.json";
const CHART: &str = "docs/bench/ratios.svg";
const DOCUMENT: &str = "docs/benchmarks.md";

/// What to measure, and where to leave it.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// All rows, if none is named.
    pub(crate) only: Vec<String>,
    /// The Worker under load instead, by store and mode; `only`, `json` and `from` are not for this.
    pub(crate) load: bool,
    /// Few rounds: to see that everything runs.
    pub(crate) quick: bool,
    /// Also write the results here as JSON; `-` is stdout, in place of the table.
    pub(crate) json: Option<String>,
    /// Results of an earlier run, in place of measuring: for a chart or a table that was changed.
    pub(crate) from: Option<String>,
}

/// Builds, measures, prints the table, and after a whole run writes the documents.
///
/// # Errors
/// If a contestant gives a wrong answer. That a target is not met is none: the table says so.
pub(crate) fn run(options: &Options) -> Result<()> {
    if options.load {
        worker::build()?;
        let results = measure("benches/load.mjs", options)?;
        if !options.quick {
            fs::write(project::path(LOAD_RESULTS), results).context(LOAD_RESULTS)?;
        }
        return Ok(());
    }
    let text = match &options.from {
        Some(path) => fs::read_to_string(path).with_context(|| path.clone())?,
        None => {
            worker::build()?;
            package::build()?;
            measure("benches/run.mjs", options)?
        }
    };
    let results = Results::read(&text)?;
    match options.json.as_deref() {
        Some("-") => report::output(text.trim_end()),
        path => {
            if let Some(path) = path {
                fs::write(path, &text).with_context(|| path.to_owned())?;
            }
            report::output(&table::text(&results));
        }
    }
    if let Some(load) = results.load_of_others() {
        report::warning(&format!("the machine had other work (load average {load})"));
    }
    if !results.whole {
        report::done("not a whole run: the documents stay as they are");
        return Ok(());
    }
    write(&text, &results)
}

/// Runs a script of `benches/`: `OUT [--quick] [--only ROW]…`. What it writes to OUT is returned.
fn measure(script: &str, options: &Options) -> Result<String> {
    let out = project::path(MEASURED);
    if let Some(folder) = out.parent() {
        fs::create_dir_all(folder)?;
    }
    report::step("measuring: for ratios that mean something, leave the machine alone");
    let mut command = process::command("node");
    command.arg(script).arg(&out).args(options.quick.then_some("--quick"));
    for row in &options.only {
        command.args(["--only", row]);
    }
    process::shown(&mut command, LIMIT)?;
    fs::read_to_string(&out).context(MEASURED)
}

fn write(text: &str, results: &Results) -> Result<()> {
    let document = fs::read_to_string(project::path(DOCUMENT)).context(DOCUMENT)?;
    let updated = document::update(&document, results)?;
    fs::create_dir_all(project::path("docs/bench"))?;
    for (path, content) in [(RESULTS, text), (CHART, &chart::svg(results)), (DOCUMENT, &updated)] {
        fs::write(project::path(path), content).context(path)?;
    }
    report::done(&format!("{RESULTS}, {CHART} and {DOCUMENT} are written"));
    for id in document::unexplained(&updated, results) {
        report::warning(&format!("{DOCUMENT}: why `{id}` is not met is not said"));
    }
    for id in document::outdated(&updated, results) {
        report::warning(&format!("{DOCUMENT}: `{id}` is met, but it is said why not"));
    }
    Ok(())
}
