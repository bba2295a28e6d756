//! Where the repository is.

use std::env;
use std::path::{Path, PathBuf};

/// Returns the repository's root. Cargo says at run time where xtask's manifest is. If the binary
/// is run directly, the path from compile time is used.
pub(crate) fn root() -> PathBuf {
    let manifest_dir = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest_dir.parent().map_or_else(|| manifest_dir.clone(), Path::to_path_buf)
}

/// A path inside the repository.
pub(crate) fn path(relative: &str) -> PathBuf {
    root().join(relative)
}

/// The folder with the programs of the installed npm packages.
pub(crate) fn npm_programs() -> PathBuf {
    path("node_modules/.bin")
}

/// A program among the installed npm packages.
pub(crate) fn npm_program(name: &str) -> PathBuf {
    npm_programs().join(name)
}
