//! Programs built from crates, each in a folder of the cache that carries its version.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::cache::{self, Staging};
use crate::{process, versions};

/// The longest of them takes about three minutes on two cores.
const INSTALL_LIMIT: Duration = Duration::from_secs(25 * 60);

/// These programs run for seconds: quick compiling counts for more than quick running.
const BUILD_PROFILE: [(&str, &str); 5] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "0"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_STRIP", "symbols"),
];

/// A program that `cargo install` builds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tool {
    /// The crate's name.
    name: &'static str,
    version: &'static str,
}

pub(crate) const WASM_BINDGEN: Tool =
    Tool { name: "wasm-bindgen-cli", version: versions::WASM_BINDGEN };
pub(crate) const WASM_PACK: Tool = Tool { name: "wasm-pack", version: versions::WASM_PACK };
pub(crate) const CARGO_DENY: Tool = Tool { name: "cargo-deny", version: versions::CARGO_DENY };
/// Not among [`ALL`]: it needs a nightly toolchain.
pub(crate) const CARGO_FUZZ: Tool = Tool { name: "cargo-fuzz", version: versions::CARGO_FUZZ };
/// Not among [`ALL`]: only a release needs it.
pub(crate) const CARGO_SEMVER_CHECKS: Tool =
    Tool { name: "cargo-semver-checks", version: versions::CARGO_SEMVER_CHECKS };

const ALL: [Tool; 3] = [WASM_BINDGEN, WASM_PACK, CARGO_DENY];

impl Tool {
    /// The folder with its programs.
    pub(crate) fn bin(&self) -> Result<PathBuf> {
        Ok(self.entry()?.join("bin"))
    }

    /// Builds and keeps it, unless that was done before.
    pub(crate) fn ensure(&self) -> Result<()> {
        let entry = self.entry()?;
        if entry.exists() {
            return Ok(());
        }
        let Self { name, version } = self;
        let staging = Staging::new(&tools_dir()?, name)?;
        let mut command = process::command("cargo");
        command
            .args(["install", "--locked", "--root"])
            .arg(staging.path())
            .arg(format!("{name}@{version}"))
            .env("CARGO_TARGET_DIR", target_dir()?)
            .envs(BUILD_PROFILE);
        process::quiet(&format!("installing {name} {version}"), &mut command, INSTALL_LIMIT)?;
        let installed = staging.path().to_path_buf();
        staging.publish(&installed, &entry)?;
        remove_target_dir_when_all_are_built()
    }

    fn entry(&self) -> Result<PathBuf> {
        Ok(tools_dir()?.join(format!("{}-{}", self.name, self.version)))
    }
}

fn tools_dir() -> Result<PathBuf> {
    Ok(cache::dir()?.join("tools"))
}

/// All tools share one, so that common dependencies are compiled once.
fn target_dir() -> Result<PathBuf> {
    Ok(cache::dir()?.join("tools-target"))
}

fn remove_target_dir_when_all_are_built() -> Result<()> {
    for tool in ALL {
        if !tool.entry()?.exists() {
            return Ok(());
        }
    }
    // Another clone may be using it at this moment; then it stays until next time.
    let _ = fs::remove_dir_all(target_dir()?);
    Ok(())
}
