//! `cargo xtask fuzz`: a fuzzer feeds each parser, beginning with the test vectors.
//!
//! `fuzz/run.mjs` builds and runs the targets, the files of `fuzz/fuzz_targets/`.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::cargo_tools::CARGO_FUZZ;
use crate::prerequisites::find_program;
use crate::process;
use crate::setup::Need;

/// Only nightly has sanitizers and coverage, which cargo-fuzz needs.
const TOOLCHAIN: &str = "nightly";
/// Long enough for a day of each target.
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
    let host = host()?;
    CARGO_FUZZ.ensure()?;
    let mut script = process::command("node");
    script.args(["fuzz/run.mjs", &host, &options.seconds.to_string()]).args(&options.targets);
    process::prepend_path(nightly(&mut script), &CARGO_FUZZ.bin()?)?;
    process::shown(&mut script, LIMIT)
}

/// The toolchain is never installed from here: a person has to decide that.
fn nightly(command: &mut Command) -> &mut Command {
    command.env("RUSTUP_TOOLCHAIN", TOOLCHAIN).env("RUSTUP_AUTO_INSTALL", "0")
}

/// Returns the platform that nightly builds for.
///
/// # Errors If fuzzing is not possible here.
pub(crate) fn host() -> Result<String> {
    let mut command = process::command("rustc");
    let printed = process::answer(nightly(command.arg("-vV"))).unwrap_or_default();
    let host = printed.lines().find_map(|line| line.strip_prefix("host: "));
    let Some(host) = host.filter(|_| printed.contains(TOOLCHAIN)) else {
        bail!("no nightly toolchain, which fuzzing needs: rustup toolchain install {TOOLCHAIN}");
    };
    if ["c++", "g++", "clang++"].iter().all(|name| find_program(name).is_none()) {
        bail!("libFuzzer is C++, and there is no compiler for it (c++)");
    }
    Ok(host.to_owned())
}
