//! The npm packages of the root `package.json`: wrangler, esbuild, binaryen, peers for tests.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::{process, project};

const INSTALL_LIMIT: Duration = Duration::from_secs(10 * 60);
/// Holds the digest of the lock file that `node_modules` was installed from.
const STAMP: &str = "node_modules/.edgegate-lock";

/// `npm ci`, unless `node_modules` came from this very lock file.
pub(crate) fn ensure() -> Result<()> {
    let lock = fs::read(project::path("package-lock.json")).context("package-lock.json")?;
    let digest: String = Sha256::digest(lock).iter().map(|byte| format!("{byte:02x}")).collect();
    let stamp = project::path(STAMP);
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == digest) {
        return Ok(());
    }
    let mut command = process::command("npm");
    command.args(["ci", "--no-audit", "--no-fund", "--prefer-offline"]);
    process::quiet("installing npm packages", &mut command, INSTALL_LIMIT)?;
    fs::write(&stamp, digest).with_context(|| format!("cannot write {}", stamp.display()))
}
