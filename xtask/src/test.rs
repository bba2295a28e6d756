//! `cargo xtask test`: every part runs, even if an earlier one has failed. The summary comes last.

mod parts;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::{interrupt, report};
use parts::{LONG_PARTS, PARTS, Part};

/// What to run.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only this part; may be repeated
    #[arg(long, value_name = "PART")]
    only: Vec<String>,
    /// In a clone of HEAD with empty caches, as on a new machine; then `dev`, which `--only dev` names
    #[arg(long)]
    from_nothing: bool,
    /// The long parts instead: all, or those named
    #[arg(long, conflicts_with_all = ["only", "from_nothing"])]
    full: bool,
    /// Of the long parts
    #[arg(value_name = "PART", requires = "full")]
    parts: Vec<String>,
    /// Name the parts, and run none
    #[arg(long)]
    list: bool,
}

/// Runs all parts, or those named. Fails unless every one of them passed or was skipped.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    if options.list {
        report::output(&list(PARTS));
        report::output(&format!("\nWith --full:\n{}", list(LONG_PARTS)));
        return Ok(ExitCode::SUCCESS);
    }
    if options.from_nothing {
        return parts::from_nothing(&options.only).map(|()| ExitCode::SUCCESS);
    }
    if options.full {
        let parts = select(LONG_PARTS, &options.parts)?;
        let minutes: u32 = parts.iter().map(|part| part.minutes).sum();
        report::step(&format!("about {minutes} min on two cores"));
        return run_parts(&parts);
    }
    run_parts(&select(PARTS, &options.only)?)
}

fn run_parts(parts: &[&Part]) -> Result<ExitCode> {
    let mut results = Vec::new();
    for part in parts {
        interrupt::check()?;
        report::heading(&format!("{}: {}", part.name, part.about));
        let started = Instant::now();
        let (word, reason) = part.run();
        if word == "failed" {
            report::error(&format!("{}: {reason}", part.name));
        }
        results.push((part, word, reason, started.elapsed()));
    }
    interrupt::check()?;

    report::heading("summary");
    for (part, word, reason, elapsed) in &results {
        let elapsed = report::duration(*elapsed);
        // Only the first line of a reason: the part itself has printed all of it.
        let reason = reason.lines().next().unwrap_or_default();
        report::result(word, format!("{:<13} {elapsed:>12}  {reason}", part.name).trim_end());
    }
    let count = |wanted| results.iter().filter(|(_, word, _, _)| *word == wanted).count();
    let [passed, failed, skipped] = ["passed", "failed", "skipped"].map(count);
    report::output(&tally(passed, failed, skipped));
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn select<'p>(parts: &'p [Part], only: &[String]) -> Result<Vec<&'p Part>> {
    if let Some(unknown) = only.iter().find(|name| parts.iter().all(|part| part.name != **name)) {
        let names: Vec<&str> = parts.iter().map(|part| part.name).collect();
        bail!("no part `{unknown}`: expected one of {}", names.join(", "));
    }
    let wanted = |part: &&Part| only.is_empty() || only.iter().any(|name| part.name == name);
    Ok(parts.iter().filter(wanted).collect())
}

fn list(parts: &[Part]) -> String {
    let line = |part: &Part| {
        let minutes =
            if part.minutes == 0 { String::new() } else { format!("{} min", part.minutes) };
        format!("  {:<13} {minutes:>7}  {}", part.name, part.about)
    };
    parts.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn tally(passed: usize, failed: usize, skipped: usize) -> String {
    let skipped = if skipped == 0 { String::new() } else { format!(", {skipped} skipped") };
    format!("{passed} passed, {failed} failed{skipped}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts_the_parts() {
        assert_eq!(tally(9, 0, 0), "9 passed, 0 failed");
        assert_eq!(tally(7, 1, 1), "7 passed, 1 failed, 1 skipped");
    }

    #[test]
    fn parts_are_selected_by_name_and_run_in_their_order() {
        let names = |only: &[&str]| -> Vec<&str> {
            let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
            select(PARTS, &only).unwrap().iter().map(|part| part.name).collect()
        };
        assert_eq!(names(&[]).len(), PARTS.len());
        assert_eq!(names(&["native", "format"]), ["format", "native"]);
    }

    #[test]
    fn ci_runs_every_part_once() {
        let workflow =
            std::fs::read_to_string(crate::project::path(".github/workflows/ci.yml")).unwrap();
        let lines = workflow.lines().filter_map(|line| line.trim().strip_prefix("parts: "));
        let mut run: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
        let mut parts: Vec<&str> = PARTS.iter().map(|part| part.name).collect();
        run.sort_unstable();
        parts.sort_unstable();
        assert_eq!(run, parts);
    }

    #[test]
    fn an_unknown_part_is_refused_with_the_known_ones() {
        let error = select(PARTS, &["all".to_owned()]).err().unwrap().to_string();
        assert!(error.starts_with("no part `all`: expected one of format, "), "{error}");
    }
}
