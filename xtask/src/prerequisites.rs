//! The three things that cannot be installed from here: rustup's cargo, Node and a C compiler.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::versions::{INSTALLING_NODE, RUNNING_NODE, Version};

/// Folders of system programs that an ordinary user's `PATH` may leave out.
const SYSTEM_FOLDERS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// Fails if the machine has no Node, or one whose npm cannot install the npm packages.
pub(crate) fn node() -> Result<()> {
    let program = process::command_with_the_machines_node;
    node_since(INSTALLING_NODE, &mut program("node"))?;
    process::answer(program("npm").arg("--version"))
        .with_context(|| format!("npm is missing: {}", get(INSTALLING_NODE)))?;
    Ok(())
}

/// Fails if scripts, wrangler and tests would run under a Node that is too old for them: the machine's own, where npm has none for the platform.
pub(crate) fn running_node() -> Result<()> {
    node_since(RUNNING_NODE, &mut process::command("node"))
}

fn node_since(least: Version, command: &mut Command) -> Result<()> {
    let printed = process::answer(command.arg("--version"))
        .with_context(|| format!("Node is missing: {}", get(least)))?;
    match Version::find(&printed) {
        Some(version) if version >= least => Ok(()),
        Some(version) => bail!("Node {version} is too old: {}", get(least)),
        None => bail!("cannot read Node's version from `{}`: {}", printed.trim(), get(least)),
    }
}

fn get(least: Version) -> String {
    format!("install Node {least} or newer with npm: https://nodejs.org")
}

/// Fails without a C compiler: `cargo install` links with it, and some tools contain C.
pub(crate) fn c_compiler() -> Result<()> {
    let named = env::var("CC").unwrap_or_default();
    if [named.as_str(), "cc", "gcc", "clang"].iter().any(|name| find_program(name).is_some()) {
        return Ok(());
    }
    bail!(
        "a C compiler (cc) is missing: {}",
        if cfg!(target_os = "macos") {
            "xcode-select --install"
        } else {
            "install gcc, for instance: sudo apt-get install build-essential"
        }
    )
}

/// Returns the path of a program, if it is installed.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    if name.is_empty() {
        return None;
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(SYSTEM_FOLDERS.iter().map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|candidate| is_program(candidate))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_is_too_old_is_refused_with_what_to_install() {
        let node = |version: &str| node_since(RUNNING_NODE, process::command("echo").arg(version));
        assert!(node("v24.21.0").is_ok());
        let error = node("v20.20.2").unwrap_err().to_string();
        assert!(
            error.starts_with("Node 20.20.2 is too old: install Node 22.12.0 or newer"),
            "{error}"
        );
    }

    #[test]
    fn finds_programs_and_nothing_else() {
        assert!(find_program("sh").is_some());
        assert!(find_program("no-such-program-here").is_none());
        assert!(find_program("").is_none());
    }
}
