//! What is installed lives in the user's cache folder, shared by all clones:
//!
//! ```text edgegate/tools/<name>-<version>/bin/   programs built by `cargo install` edgegate/tools-target/                 their common
//! target folder; removed when all are built edgegate/toolchains/debian-rust-<v>/   a Rust toolchain with the wasm32 library, where rustup
//! cannot add it ```
//!
//! An entry appears by one rename when it is complete, so it is enough to check that it exists.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// `$XDG_CACHE_HOME/edgegate`, or the platform's usual place in the home folder.
pub(crate) fn dir() -> Result<PathBuf> {
    let base = match env::var_os("XDG_CACHE_HOME").map(PathBuf::from) {
        Some(path) if path.is_absolute() => path,
        _ => {
            let home = env::home_dir().context("no home folder: set HOME or XDG_CACHE_HOME")?;
            home.join(if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" })
        }
    };
    Ok(base.join("edgegate"))
}

/// A folder to prepare an entry in; removed when dropped, unless it was moved into place.
#[derive(Debug)]
pub(crate) struct Staging {
    path: PathBuf,
}

impl Staging {
    /// `parent` is the folder of the later entry, so that the final rename stays on one file system.
    pub(crate) fn new(parent: &Path, name: &str) -> Result<Self> {
        let path = parent.join(format!(".{name}-{}", std::process::id()));
        if path.exists() {
            fs::remove_dir_all(&path)
                .with_context(|| format!("cannot remove {}", path.display()))?;
        }
        fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Moves `part` of the folder into place. Another process that was quicker wins.
    pub(crate) fn publish(self, part: &Path, entry: &Path) -> Result<()> {
        match fs::rename(part, entry) {
            Err(_) if entry.exists() => Ok(()),
            moved => moved.with_context(|| format!("cannot create {}", entry.display())),
        }
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}
