//! `cargo xtask bench` and `size`: build what is shipped, then measure and weigh it.
//!
//! `benches/` has the measurements, and makes table, chart and document of them. It is JavaScript, like the programs that call the gate and
//! its peers.

use std::fs;
use std::path::{Path, PathBuf, absolute};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::setup::{self, Need};
use crate::{process, project, report};

/// A whole run takes about twenty minutes on two cores, with `--full` fifty.
const LIMIT: Duration = Duration::from_secs(60 * 60);
const MEASURED: &str = "target/bench/results.json";
const LOAD_RESULTS: &str = "docs/bench/load.json";

/// What to measure, and where to write the results.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// `load`: the Worker under load, by where it counts and how it looks up revocations
    #[arg(value_parser = ["load"])]
    what: Option<String>,
    /// Only a few rounds, to see that everything runs
    #[arg(long)]
    quick: bool,
    /// Also the rows that take long: the Worker by caller, upstream and body, and a hundred thousand log-ins (about 30 minutes more)
    #[arg(long, conflicts_with_all = ["what", "only"])]
    full: bool,
    /// Only this row; may be repeated
    #[arg(long, value_name = "ROW", conflicts_with = "what")]
    only: Vec<String>,
    /// Also write the results to a file; `-` is stdout, in place of the table
    #[arg(long, value_name = "FILE|-", conflicts_with = "what")]
    json: Option<PathBuf>,
    /// Make table, chart and document of these results, and measure nothing
    #[arg(long, value_name = "FILE", conflicts_with_all = ["what", "only", "quick", "full"])]
    from: Option<PathBuf>,
}

/// Builds, measures, prints the table, and after a whole run writes the documents.
pub(crate) fn run(options: &Options) -> Result<()> {
    if options.what.is_some() {
        setup::require(&[Need::Worker])?;
        let measured = measure("benches/load.mjs", options)?;
        if !options.quick {
            fs::copy(measured, project::path(LOAD_RESULTS)).context(LOAD_RESULTS)?;
        }
        return Ok(());
    }
    let results = match &options.from {
        Some(path) => {
            setup::require(&[Need::Node])?;
            absolute(path)?
        }
        None => {
            setup::require(&[Need::Worker, Need::Package])?;
            measure("benches/run.mjs", options)?
        }
    };
    let mut command = process::command("node");
    command.arg("benches/report.mjs").arg(results);
    if let Some(path) = &options.json {
        command.arg("--json");
        command.arg(if path == Path::new("-") { path.clone() } else { absolute(path)? });
    }
    process::shown(&mut command, LIMIT)
}

/// Runs a script of `benches/`: `OUT [--quick] [--full] [--only ROW]…`. Returns OUT.
fn measure(script: &str, options: &Options) -> Result<PathBuf> {
    let out = project::path(MEASURED);
    if let Some(folder) = out.parent() {
        fs::create_dir_all(folder)?;
    }
    report::step("measuring: for ratios that mean something, leave the machine alone");
    let mut command = process::command("node");
    command.arg(script).arg(&out).args(options.quick.then_some("--quick"));
    command.args(options.full.then_some("--full"));
    for row in &options.only {
        command.args(["--only", row]);
    }
    process::shown(&mut command, LIMIT)?;
    Ok(out)
}

/// Prints the sizes of the builds, with `crates` also their parts. Fails if one is over its budget in `benches/sizes.json`.
pub(crate) fn weigh(crates: bool) -> Result<()> {
    let mut command = process::command("node");
    command.arg("benches/sizes.mjs").args(crates.then_some("--crates"));
    process::shown(&mut command, LIMIT)
}
