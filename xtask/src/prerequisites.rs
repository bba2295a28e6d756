//! The three things that cannot be installed from here: rustup's cargo, Node and a C compiler.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process;
use crate::versions::{MIN_NODE_MAJOR, Version};

/// Folders of system programs that an ordinary user's `PATH` may leave out.
const SYSTEM_FOLDERS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// Returns Node's version. Fails if wrangler does not work with it, or if npm is missing.
pub(crate) fn node() -> Result<Version> {
    let get = format!("install Node {MIN_NODE_MAJOR} or newer with npm: https://nodejs.org");
    let printed = process::answer(process::command("node").arg("--version"))
        .with_context(|| format!("Node is missing: {get}"))?;
    let version = match Version::find(&printed) {
        Some(version) if version.major >= MIN_NODE_MAJOR => version,
        Some(version) => bail!("Node {version} is too old: {get}"),
        None => bail!("cannot read Node's version from `{}`: {get}", printed.trim()),
    };
    process::answer(process::command("npm").arg("--version"))
        .with_context(|| format!("npm is missing: {get}"))?;
    Ok(version)
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
    fn finds_programs_and_nothing_else() {
        assert!(find_program("sh").is_some());
        assert!(find_program("no-such-program-here").is_none());
        assert!(find_program("").is_none());
    }
}
