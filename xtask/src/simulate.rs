//! The simulator (`simulator/`): a million requests a scenario.

use std::ffi::OsString;
use std::time::Duration;

use anyhow::Result;

use crate::process;

const LIMIT: Duration = Duration::from_secs(60 * 60);

/// Builds it in release, and runs it with these arguments.
pub(crate) fn run(arguments: &[OsString]) -> Result<()> {
    let mut command = process::command("cargo");
    command.args([
        "run",
        "--locked",
        "--release",
        "--quiet",
        "--package",
        "edgegate-simulator",
        "--",
    ]);
    command.args(arguments);
    process::shown(&mut command, LIMIT)
}
