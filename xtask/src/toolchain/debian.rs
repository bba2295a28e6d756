//! A toolchain with the wasm32 library where only package registries can be reached.
//!
//! Debian packages a recent Rust for its browsers (`rustc-web`), with the source of the matching
//! standard library and the crates it is made of, but no library for wasm32. So the packages are
//! unpacked into the cache (no root, and nothing of the system changes) and the library is built
//! from that source. They bring no linker for wasm either: rustup's is linked to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{TARGET, use_toolchain};
use crate::cache::Staging;
use crate::prerequisites::find_program;
use crate::process;
use crate::versions::Version;

const PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-clippy"];
const NAME_PREFIX: &str = "debian-rust-";
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(10 * 60);
/// About 35 s on two idle cores.
const BUILD_LIMIT: Duration = Duration::from_secs(15 * 60);

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

/// Whether compiler and linker can be started.
pub(super) fn works(toolchain: &Path) -> bool {
    let mut rustc = process::command("rustc");
    use_toolchain(&mut rustc, toolchain);
    linker(toolchain).is_some_and(|linker| linker.exists())
        && process::answer(rustc.arg("--version")).is_ok()
}

/// Builds one and keeps it.
pub(super) fn build(toolchains: &Path) -> Result<()> {
    for program in ["apt-get", "dpkg-deb"] {
        if find_program(program).is_none() {
            bail!("{program} is missing: this is not Debian");
        }
    }
    let linker = rustup_linker()?;
    let staging = Staging::new(toolchains, "debian-rust")?;
    let unpacked = download(staging.path())?;
    let toolchain = lay_out(&unpacked)?;
    link_linker(&toolchain, &linker)?;
    let version = version(&toolchain)?;
    build_library(&toolchain, &staging.path().join("library"))?;
    for source in ["src", "share", "lib/rustlib/src"] {
        let source = toolchain.join(source);
        if source.exists() {
            fs::remove_dir_all(&source).with_context(|| source.display().to_string())?;
        }
    }
    let entry = toolchains.join(format!("{NAME_PREFIX}{version}"));
    if entry.exists() {
        // Only reached when that one no longer works.
        fs::remove_dir_all(&entry).with_context(|| entry.display().to_string())?;
    }
    staging.publish(&toolchain, &entry)
}

/// Unpacks the packages, with what they need and the system lacks, into one tree.
///
/// The package lists are fetched into the staging folder: root's may be missing or old.
fn download(staging: &Path) -> Result<PathBuf> {
    let [lists, archives, debs, tree] =
        ["lists", "archives", "debs", "tree"].map(|n| staging.join(n));
    for folder in [&lists.join("partial"), &archives.join("partial"), &debs, &tree] {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let apt = |program: &str| -> Command {
        let mut command = process::command(program);
        command.current_dir(&debs).env("LC_ALL", "C");
        for option in [
            format!("Dir::State::Lists={}", lists.display()),
            format!("Dir::Cache={}", archives.display()),
            // Otherwise root would download as a user who cannot write here.
            "APT::Sandbox::User=root".to_owned(),
            "Acquire::http::Timeout=20".to_owned(),
            "Acquire::https::Timeout=20".to_owned(),
            "Acquire::Retries=1".to_owned(),
        ] {
            command.arg("-o").arg(option);
        }
        command
    };
    let mut update = apt("apt-get");
    process::quiet("reading Debian's package lists", update.arg("update"), DOWNLOAD_LIMIT)?;
    let mut simulate = apt("apt-get");
    simulate.args(["install", "--simulate", "--no-install-recommends"]).args(PACKAGES);
    let plan = process::answer(&mut simulate)
        .with_context(|| format!("Debian's packages {} are not available", PACKAGES.join(", ")))?;
    let mut depends = apt("apt-cache");
    depends.args(["depends", "rustc-web", "libstd-rust-web-dev"]);
    let names = packages_to_unpack(&plan, &process::answer(&mut depends)?);
    let mut fetch = apt("apt-get");
    fetch.arg("download").args(&names);
    process::quiet("downloading Debian's Rust", &mut fetch, DOWNLOAD_LIMIT)?;
    for entry in fs::read_dir(&debs)? {
        let deb = entry?.path();
        process::answer(process::command("dpkg-deb").arg("-x").arg(&deb).arg(&tree))
            .with_context(|| format!("cannot unpack {}", deb.display()))?;
    }
    Ok(tree)
}

/// What apt would install, and, should they be installed on this system already, the packages
/// themselves and the host's library: those must all be in the tree.
fn packages_to_unpack(plan: &str, dependencies: &str) -> Vec<String> {
    let planned = plan
        .lines()
        .filter_map(|line| line.strip_prefix("Inst "))
        .filter_map(|rest| rest.split_whitespace().next());
    let libraries = dependencies
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "))
        .filter(|name| name.starts_with("libstd-rust-web"));
    let mut names: Vec<String> =
        planned.chain(libraries).chain(PACKAGES).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

/// Turns Debian's layout into that of a toolchain: shared libraries directly in `lib`, where rustup
/// lets the loader look.
fn lay_out(tree: &Path) -> Result<PathBuf> {
    let toolchain = tree.join("usr");
    let lib = toolchain.join("lib");
    let folders = [lib.clone(), tree.join("lib")];
    for folder in folders.iter().filter(|folder| folder.exists()) {
        for entry in fs::read_dir(folder)? {
            let multiarch = entry?.path();
            if !multiarch.to_string_lossy().ends_with("-linux-gnu") {
                continue;
            }
            for library in fs::read_dir(&multiarch)? {
                let library = library?;
                fs::rename(library.path(), lib.join(library.file_name()))?;
            }
        }
    }
    Ok(toolchain)
}

fn version(toolchain: &Path) -> Result<Version> {
    let mut rustc = process::command("rustc");
    use_toolchain(&mut rustc, toolchain);
    let printed =
        process::answer(rustc.arg("--version")).context("Debian's rustc does not start")?;
    Version::find(&printed).with_context(|| format!("no version in `{printed}`"))
}

/// The folder of helper programs of the active toolchain, which has `rust-lld`.
fn rustup_linker() -> Result<PathBuf> {
    let host_libraries =
        process::answer(process::command("rustc").args(["--print", "target-libdir"]))?;
    let programs = Path::new(host_libraries.trim()).with_file_name("bin");
    if !programs.join("rust-lld").exists() {
        bail!("the active Rust toolchain has no rust-lld: use one from rustup");
    }
    Ok(programs)
}

/// Links to the folder, not to a copy: the linker finds LLVM relative to itself.
fn link_linker(toolchain: &Path, programs: &Path) -> Result<()> {
    let host = host_folder(toolchain).context("Debian's packages have no library for this host")?;
    let link = host.join("bin");
    if link.exists() {
        fs::remove_dir_all(&link)?;
    }
    std::os::unix::fs::symlink(programs, &link).context("cannot link to rustup's linker")
}

fn linker(toolchain: &Path) -> Option<PathBuf> {
    host_folder(toolchain).map(|host| host.join("bin/rust-lld"))
}

/// `lib/rustlib/<host triple>`.
fn host_folder(toolchain: &Path) -> Option<PathBuf> {
    fs::read_dir(toolchain.join("lib/rustlib"))
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.to_string_lossy().ends_with("-linux-gnu"))
}

/// Builds the library by way of an empty crate and copies it into the toolchain.
fn build_library(toolchain: &Path, work: &Path) -> Result<()> {
    let sources = fs::canonicalize(toolchain.join("lib/rustlib/src/rust/library"))
        .context("Debian's packages have no library source")?;
    let target_dir = work.join("target");
    fs::create_dir_all(work.join("src"))?;
    fs::create_dir_all(work.join(".cargo"))?;
    fs::write(work.join("src/lib.rs"), "#![no_std]\n")?;
    fs::write(
        work.join("Cargo.toml"),
        "[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[workspace]\n",
    )?;
    fs::write(
        work.join(".cargo/config.toml"),
        format!(
            "[source.crates-io]\nreplace-with = \"vendored\"\n\
             [source.vendored]\ndirectory = \"{}\"\n",
            sources.join("vendor").display()
        ),
    )?;
    let mut command = process::command("cargo");
    command
        .current_dir(work)
        .args(["build", "--offline", "--release", "--target", TARGET])
        .arg("-Zbuild-std=std,panic_abort,test")
        .env("CARGO_TARGET_DIR", &target_dir)
        // `-Z` in a stable compiler; Debian's is built from the release.
        .env("RUSTC_BOOTSTRAP", "1")
        // Without bitcode a later link with `lto` fails.
        .env("RUSTFLAGS", "-Cembed-bitcode=yes");
    use_toolchain(&mut command, toolchain);
    process::quiet(
        &format!("building the standard library for {TARGET}"),
        &mut command,
        BUILD_LIMIT,
    )?;

    let libraries = toolchain.join("lib/rustlib").join(TARGET).join("lib");
    fs::create_dir_all(&libraries)?;
    for entry in fs::read_dir(target_dir.join(TARGET).join("release/deps"))? {
        let entry = entry?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if text.ends_with(".rlib") && !text.starts_with("libempty-") {
            fs::copy(entry.path(), libraries.join(&name))?;
        }
    }
    link_a_program(toolchain, work)
}

/// Proves compiler, library and linker together before the toolchain is kept.
fn link_a_program(toolchain: &Path, work: &Path) -> Result<()> {
    let source = work.join("probe.rs");
    fs::write(
        &source,
        "#[unsafe(no_mangle)] pub extern \"C\" fn f() -> u8 { vec![1].len() as u8 }",
    )?;
    let mut rustc = process::command("rustc");
    rustc.current_dir(work).args(["--edition", "2024", "--crate-type", "cdylib"]);
    rustc.args(["--target", TARGET]).arg(&source);
    use_toolchain(&mut rustc, toolchain);
    process::answer(&mut rustc).context("the new library does not link").map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unpacks_what_apt_plans_and_what_may_be_installed_already() {
        let plan = "Reading package lists...\n\
                    Inst libllvm22 (1:22.1.8 Debian-Security [amd64])\n\
                    Inst rustc-web (1.96.0 Debian-Security [amd64])\n\
                    Conf libllvm22 (1:22.1.8 Debian-Security [amd64])\n";
        let dependencies = "rustc-web\n  Depends: libc6\n  Depends: libstd-rust-web-dev\n\
                            libstd-rust-web-dev\n  Depends: libstd-rust-web-1.96\n";
        assert_eq!(
            packages_to_unpack(plan, dependencies),
            [
                "cargo-web",
                "libllvm22",
                "libstd-rust-web-1.96",
                "libstd-rust-web-dev",
                "rust-web-clippy",
                "rust-web-src",
                "rustc-web"
            ]
        );
    }

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
