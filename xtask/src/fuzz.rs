//! `cargo xtask fuzz`: each parser is given what a fuzzer comes up with, beginning with the test vectors.
//!
//! The targets are the files of `fuzz/fuzz_targets/`; here they are built, and `fuzz/run.mjs` runs them.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cargo_tools::CARGO_FUZZ;
use crate::prerequisites::find_program;
use crate::setup::Need;
use crate::{process, project};

/// Sanitizers and coverage are nightly's; so is cargo-fuzz.
const TOOLCHAIN: &str = "nightly";
const TARGETS: &str = "fuzz/fuzz_targets";
const BUILT: &str = "fuzz/target";

/// About two minutes on two cores.
const BUILD_LIMIT: Duration = Duration::from_secs(20 * 60);
/// For a day of each target.
const LIMIT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

pub(crate) const NEEDS: &[Need] = &[Need::CCompiler, Need::Node];

/// What to run, and for how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// For each target
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// All, if none is named
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
}

impl Options {
    /// All targets, as a part of the tests.
    pub(crate) const fn each_for(seconds: u64) -> Self {
        Self { seconds, targets: Vec::new() }
    }
}

/// Builds the targets and runs each for a while.
///
/// # Errors
/// Also if a target finds something.
pub(crate) fn run(options: &Options) -> Result<()> {
    let targets = select(&options.targets)?;
    let host = host()?;
    CARGO_FUZZ.ensure()?;
    // The gate has no unsafe code, so no sanitizer: it would halve the executions to watch the dependencies.
    let mut build = process::command("cargo");
    build.args(["fuzz", "build", "--sanitizer", "none", "--target", &host, "--target-dir"]);
    build.arg(project::path(BUILT));
    // Never installs the toolchain: that is for a person to decide.
    build.env("RUSTUP_TOOLCHAIN", TOOLCHAIN).env("RUSTUP_AUTO_INSTALL", "0");
    process::prepend_path(&mut build, &CARGO_FUZZ.bin()?)?;
    process::quiet("building the fuzz targets", &mut build, BUILD_LIMIT)?;
    let mut script = process::command("node");
    script.args(["fuzz/run.mjs", &format!("{BUILT}/{host}/release"), &options.seconds.to_string()]);
    process::shown(script.args(targets), LIMIT)
}

/// The platform nightly builds for.
///
/// # Errors
/// If there can be no fuzzing here.
pub(crate) fn host() -> Result<String> {
    let mut command = process::command("rustc");
    command.arg("-vV").env("RUSTUP_TOOLCHAIN", TOOLCHAIN).env("RUSTUP_AUTO_INSTALL", "0");
    let printed = process::answer(&mut command).unwrap_or_default();
    let host = printed.lines().find_map(|line| line.strip_prefix("host: "));
    let Some(host) = host.filter(|_| printed.contains(TOOLCHAIN)) else {
        bail!("no nightly toolchain, which fuzzing needs: rustup toolchain install {TOOLCHAIN}");
    };
    if ["c++", "g++", "clang++"].iter().all(|name| find_program(name).is_none()) {
        bail!("libFuzzer is C++, and there is no compiler for it (c++)");
    }
    Ok(host.to_owned())
}

/// The targets in their order, or those named.
fn select(only: &[String]) -> Result<Vec<String>> {
    let all = all_targets()?;
    if let Some(unknown) = only.iter().find(|name| !all.contains(name)) {
        bail!("no target `{unknown}`: expected some of {}", all.join(", "));
    }
    Ok(if only.is_empty() { all } else { only.to_vec() })
}

fn all_targets() -> Result<Vec<String>> {
    let mut targets = Vec::new();
    for entry in fs::read_dir(project::path(TARGETS)).with_context(|| format!("no {TARGETS}"))? {
        let name = entry?.file_name();
        targets.extend(name.to_string_lossy().strip_suffix(".rs").map(str::to_owned));
    }
    targets.sort();
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_is_a_program_and_the_other_way_round() {
        let manifest = fs::read_to_string(project::path("fuzz/Cargo.toml")).unwrap();
        let mut programs: Vec<&str> = manifest
            .split("[[bin]]")
            .skip(1)
            .filter_map(|section| section.split("name = \"").nth(1)?.split('"').next())
            .collect();
        programs.sort_unstable();
        assert_eq!(programs, all_targets().unwrap());
    }

    #[test]
    fn an_unknown_target_is_refused_with_the_known_ones() {
        let error = select(&["tokens".to_owned()]).unwrap_err().to_string();
        assert!(
            error.starts_with("no target `tokens`: expected some of admin, api_key, "),
            "{error}"
        );
    }
}
