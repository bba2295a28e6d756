//! The page in `www/`, served on this machine.

use std::time::Duration;

use anyhow::Result;

use crate::{package, process, report};

/// Nobody looks at it for longer in one go.
const LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Builds the package that the page uses, then serves both until Ctrl-C.
pub(crate) fn run(port: u16) -> Result<()> {
    package::build()?;
    report::step("serving the page; Ctrl-C ends it");
    let mut command = process::command("node");
    command.arg("www/serve.mjs").arg(port.to_string());
    process::shown(&mut command, LIMIT)
}
