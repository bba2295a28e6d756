//! `cargo xtask test`: every part runs, also after one has failed; the summary comes last.

mod parts;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::{interrupt, report};
use parts::{Outcome, PARTS, Part};

/// Runs all parts, or those named. Fails unless every one of them passed or was skipped.
pub(crate) fn run(only: &[String]) -> Result<ExitCode> {
    let parts = select(only)?;
    let mut results = Vec::new();
    for part in parts {
        interrupt::check()?;
        report::heading(&format!("{}: {}", part.name, part.about));
        let started = Instant::now();
        let outcome = part.run();
        if let Outcome::Failed(reason) = &outcome {
            report::error(&format!("{}: {reason}", part.name));
        }
        results.push((part, outcome, started.elapsed()));
    }
    interrupt::check()?;

    report::heading("summary");
    for (part, outcome, elapsed) in &results {
        let line = format!("{:<13} {:>12}", part.name, report::duration(*elapsed));
        match outcome.reason() {
            None => report::result(outcome.word(), &line),
            // The first line: all of it stands with the part.
            Some(reason) => report::result(
                outcome.word(),
                &format!("{line}  {}", reason.lines().next().unwrap_or_default()),
            ),
        }
    }
    let count = |word| results.iter().filter(|(_, outcome, _)| outcome.word() == word).count();
    let tally =
        Tally { passed: count("passed"), failed: count("failed"), skipped: count("skipped") };
    report::output(&tally.to_string());
    Ok(if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn select(only: &[String]) -> Result<Vec<&'static Part>> {
    for name in only {
        if !PARTS.iter().any(|part| part.name == name) {
            let names: Vec<&str> = PARTS.iter().map(|part| part.name).collect();
            bail!("--only {name}: expected one of {}", names.join(", "));
        }
    }
    let wanted = |part: &&Part| only.is_empty() || only.iter().any(|name| part.name == name);
    Ok(PARTS.iter().filter(wanted).collect())
}

struct Tally {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts_the_parts() {
        let tally = Tally { passed: 9, failed: 0, skipped: 0 };
        assert_eq!(tally.to_string(), "9 passed, 0 failed");
        let tally = Tally { passed: 7, failed: 1, skipped: 1 };
        assert_eq!(tally.to_string(), "7 passed, 1 failed, 1 skipped");
    }

    #[test]
    fn parts_are_selected_by_name_and_run_in_their_order() {
        let names = |only: &[&str]| -> Vec<&str> {
            let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
            select(&only).unwrap().iter().map(|part| part.name).collect()
        };
        assert_eq!(names(&[]).len(), PARTS.len());
        assert_eq!(names(&["native", "format"]), ["format", "native"]);
    }

    #[test]
    fn an_unknown_part_is_refused_with_the_known_ones() {
        let error = select(&["all".to_owned()]).err().unwrap().to_string();
        assert!(error.starts_with("--only all: expected one of format, "), "{error}");
    }
}
