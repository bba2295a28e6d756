//! `cargo xtask check-release`: checks before a release that the tests of the code do not make.

use std::time::Duration;

use anyhow::Result;

use crate::cargo_tools::CARGO_SEMVER_CHECKS;
use crate::package::VERSION;
use crate::setup::{self, Need};
use crate::{process, report, toolchain};

const LIMIT: Duration = Duration::from_secs(30 * 60);

/// Features of the library; the tests build it with all of them.
const LIBRARY_FEATURES: &[&str] = &["describe", "ed25519-tables", "pure"];
/// Features of the engine, which is built for wasm32 only.
const ENGINE_FEATURES: &[&str] = &["gate", "pure", "ed25519-tables"];

/// What the release is compared with.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The revision of the last release: this one has to keep its Rust interface, or have a new version
    #[arg(long, value_name = "REVISION")]
    base: Option<String>,
    /// The tag of this release, `v` and the version: manifests and CHANGELOG.md have to say the same
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
}

/// Stops at the first fault. Quick checks come first.
pub(crate) fn run(options: &Options) -> Result<()> {
    if let Some(tag) = &options.tag {
        report::heading("version");
        let tag = serde_json::to_string(tag)?;
        let check = format!("import {{ checkTag }} from '{VERSION}'; checkTag({tag});");
        process::script(&check)?;
    }
    setup::require(&[Need::CCompiler, Need::WasmLibrary])?;
    report::heading("each set of features compiles without a warning");
    for features in sets_of(LIBRARY_FEATURES) {
        check_features("edgegate", &features, false)?;
        check_features("edgegate", &features, true)?;
    }
    for features in sets_of(ENGINE_FEATURES) {
        check_features("edgegate-engine", &features, true)?;
    }
    if let Some(base) = &options.base {
        report::heading("the crate keeps what it promised");
        check_promises(base)?;
    }
    report::heading("the crate, packed and built from what was packed");
    cargo(&["package", "--locked", "--package", "edgegate"])?;
    report::heading("the npm package, packed");
    setup::require(&[Need::Package])?;
    let mut contents = process::command("node");
    contents.args(["--test", "tests/packaging/contents.test.mjs"]);
    process::shown(&mut contents, LIMIT)?;
    report::done("ready: RELEASING.md says what comes next");
    Ok(())
}

fn check_features(package: &str, features: &str, wasm: bool) -> Result<()> {
    let mut command = process::command("cargo");
    command.args(["clippy", "--locked", "--lib", "--no-default-features", "--package", package]);
    command.args(["--features", features, "--", "-D", "warnings"]);
    let target = if wasm { toolchain::TARGET } else { "this machine" };
    if wasm {
        command.env("CARGO_BUILD_TARGET", toolchain::TARGET);
        toolchain::use_wasm32(&mut command)?;
    }
    process::quiet(&format!("{package} [{features}] for {target}"), &mut command, LIMIT)
}

/// The program compares the documentation of both revisions, as rustdoc writes it for programs.
fn check_promises(base: &str) -> Result<()> {
    CARGO_SEMVER_CHECKS.ensure()?;
    let mut command = process::command(CARGO_SEMVER_CHECKS.bin()?.join("cargo-semver-checks"));
    command.args(["semver-checks", "--package", "edgegate", "--baseline-rev", base]);
    process::shown(&mut command, LIMIT)
}

/// Returns every set of these features in the form that cargo takes, the empty set first.
fn sets_of(features: &[&str]) -> Vec<String> {
    features.iter().fold(vec![String::new()], |sets, feature| {
        let with = sets.iter().map(|set| match set.as_str() {
            "" => (*feature).to_owned(),
            set => format!("{set},{feature}"),
        });
        let with: Vec<String> = with.collect();
        [sets, with].concat()
    })
}

fn cargo(arguments: &[&str]) -> Result<()> {
    process::shown(process::command("cargo").args(arguments), LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_sets_are_checked() {
        assert_eq!(sets_of(&["a", "b"]), ["", "a", "b", "a,b"]);
        assert_eq!(sets_of(ENGINE_FEATURES).len(), 8);
    }

    /// A feature that is added to a manifest is checked too.
    #[test]
    fn the_features_are_those_of_the_manifests() {
        for (file, features) in
            [("Cargo.toml", LIBRARY_FEATURES), ("crates/engine/Cargo.toml", ENGINE_FEATURES)]
        {
            let manifest = std::fs::read_to_string(crate::project::path(file)).unwrap();
            let (_, section) = manifest.split_once("\n[features]\n").unwrap();
            let section = section.split("\n[").next().unwrap();
            let mut named: Vec<&str> = section
                .lines()
                .filter_map(|line| line.split_once(" = ["))
                .map(|(name, _)| name)
                .filter(|name| *name != "default")
                .collect();
            named.sort_unstable();
            let mut checked = features.to_vec();
            checked.sort_unstable();
            assert_eq!(named, checked, "{file}");
        }
    }
}
