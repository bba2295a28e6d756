//! Toolchains made of Debian's packages (`xtask/toolchain/debian.sh`), for machines that can reach only package registries.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{TARGET, use_toolchain};
use crate::cache::Staging;
use crate::prerequisites::find_program;
use crate::versions::Version;
use crate::{process, project};

const SCRIPT: &str = "xtask/toolchain/debian.sh";
const NAME_PREFIX: &str = "debian-rust-";
/// It downloads 200 MB, and compiles for about 35 s on two idle cores.
const LIMIT: Duration = Duration::from_secs(25 * 60);

/// The newest finished toolchain among those kept.
pub(super) fn newest(toolchains: &Path) -> Option<PathBuf> {
    fs::read_dir(toolchains)
        .ok()?
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let version = Version::find(name.to_str()?.strip_prefix(NAME_PREFIX)?)?;
            Some((version, entry.path()))
        })
        .max()
        .map(|(_, path)| path)
}

/// Whether compiler and linker can be started. The linker is a link to rustup's, which may be gone.
pub(super) fn works(toolchain: &Path) -> bool {
    linker(toolchain).is_some_and(|linker| linker.exists())
        && process::answer(rustc(toolchain).arg("--version")).is_ok()
}

/// Builds a toolchain and keeps it.
pub(super) fn build(toolchains: &Path) -> Result<()> {
    for program in ["apt-get", "dpkg-deb"] {
        if find_program(program).is_none() {
            bail!("{program} is missing: this is not Debian");
        }
    }
    let staging = Staging::new(toolchains, "debian-rust")?;
    let mut script = process::command("sh");
    script.arg(project::path(SCRIPT)).arg(staging.path());
    process::quiet(&format!("making a toolchain for {TARGET}"), &mut script, LIMIT)?;
    let toolchain = staging.path().join("toolchain");
    let printed = process::answer(rustc(&toolchain).arg("--version"))?;
    let version = Version::find(&printed).with_context(|| format!("no version in `{printed}`"))?;
    let entry = toolchains.join(format!("{NAME_PREFIX}{version}"));
    if entry.exists() {
        // This one no longer works, or it would not be built again.
        fs::remove_dir_all(&entry).with_context(|| entry.display().to_string())?;
    }
    staging.publish(&toolchain, &entry)
}

fn rustc(toolchain: &Path) -> Command {
    let mut rustc = process::command("rustc");
    use_toolchain(&mut rustc, toolchain);
    rustc
}

fn linker(toolchain: &Path) -> Option<PathBuf> {
    let hosts = fs::read_dir(toolchain.join("lib/rustlib")).ok()?.flatten();
    let mut hosts = hosts.map(|entry| entry.path());
    let host = hosts.find(|path| path.to_string_lossy().ends_with("-linux-gnu"))?;
    Some(host.join("bin/rust-lld"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_newest_toolchain() {
        let folder = std::env::temp_dir().join(format!("xtask-newest-{}", std::process::id()));
        for name in ["debian-rust-1.99.0", "debian-rust-1.100.0", ".debian-rust-7", "other-9.9.9"] {
            fs::create_dir_all(folder.join(name)).unwrap();
        }
        assert_eq!(newest(&folder), Some(folder.join("debian-rust-1.100.0")));
        fs::remove_dir_all(&folder).unwrap();
    }
}
