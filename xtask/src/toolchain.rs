//! The compiler for wasm32: rustup's with the library added, or one in the cache.

mod debian;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};

use crate::prerequisites::find_program;
use crate::{cache, interrupt, process, report};

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// A download that does not grow for this long is given up: where rustup's server cannot be
/// reached, connections often hang and are not refused.
const STALLED_AFTER: Duration = Duration::from_secs(30);
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(15 * 60);

/// Installs the wasm32 library if neither rustup's toolchain nor the cache has it.
///
/// If the cache has a toolchain, rustup could not add the library before. So later runs do not wait for rustup again.
pub(crate) fn ensure_wasm32() -> Result<()> {
    if active_has_wasm32() || cached()?.is_some() {
        return Ok(());
    }
    let Err(rustup) = add_with_rustup() else { return Ok(()) };
    interrupt::check()?;
    report::warning(&format!("rustup cannot add {TARGET}: {rustup:#}"));
    match debian::build(&toolchains_dir()?) {
        Ok(()) => Ok(()),
        Err(error) => bail!(
            "the standard library for {TARGET} cannot be installed.\n\
             With rustup and its download server in reach: rustup target add {TARGET}\n\
             Where only package registries are in reach, it is built from Debian's packages: {error:#}"
        ),
    }
}

/// Makes the command, and what it starts, use the compiler that has the wasm32 library.
pub(crate) fn use_wasm32(command: &mut Command) -> Result<()> {
    if !active_has_wasm32()
        && let Some(toolchain) = cached()?
    {
        use_toolchain(command, &toolchain);
    }
    Ok(())
}

/// rustup takes a folder for a toolchain's name; cargo, rustc, rustdoc and clippy then all come
/// from there, also when started by wasm-pack.
fn use_toolchain(command: &mut Command, toolchain: &Path) {
    command.env("RUSTUP_TOOLCHAIN", toolchain);
}

fn active_has_wasm32() -> bool {
    let mut command = process::command("rustc");
    command.args(["--print", "target-libdir", "--target", TARGET]);
    process::answer(&mut command).is_ok_and(|folder| has_std(Path::new(folder.trim())))
}

fn has_std(libraries: &Path) -> bool {
    fs::read_dir(libraries).is_ok_and(|entries| {
        entries.flatten().any(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with("libstd-") && name.ends_with(".rlib")
        })
    })
}

fn toolchains_dir() -> Result<PathBuf> {
    Ok(cache::dir()?.join("toolchains"))
}

/// The newest toolchain in the cache that still works: its linker is rustup's, which may be gone.
fn cached() -> Result<Option<PathBuf>> {
    Ok(debian::newest(&toolchains_dir()?).filter(|toolchain| debian::works(toolchain)))
}

fn add_with_rustup() -> Result<()> {
    if find_program("rustup").is_none() {
        bail!("rustup is not installed: https://rustup.rs");
    }
    let home = process::answer(process::command("rustup").args(["show", "home"]))?;
    let downloads = Path::new(home.trim()).join("downloads");
    let mut command = process::command("rustup");
    command.args(["target", "add", TARGET]).env("RUSTUP_MAX_RETRIES", "1");
    command.env("RUST_BACKTRACE", "0");
    let mut progress = (Instant::now(), folder_bytes(&downloads));
    let mut output = Vec::new();
    let added = process::attempt(
        &format!("adding {TARGET} to the Rust toolchain"),
        &mut command,
        DOWNLOAD_LIMIT,
        &mut || {
            let bytes = folder_bytes(&downloads);
            if bytes != progress.1 {
                progress = (Instant::now(), bytes);
            }
            progress.0.elapsed() < STALLED_AFTER
        },
        &mut output,
    );
    added.map_err(|error| match output.iter().find_map(|line| line.strip_prefix("error: ")) {
        Some(said) => anyhow!("{said}"),
        None => error,
    })
}

fn folder_bytes(folder: &Path) -> u64 {
    fs::read_dir(folder).map_or(0, |entries| {
        entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|data| data.len()).sum()
    })
}
