//! The parts of the test run, in order: what is quick and what later parts need comes first.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cargo_tools::{CARGO_DENY, WASM_BINDGEN, WASM_PACK};
use crate::setup::{self, Need};
use crate::{
    fuzz, interrupt, package, process, project, simulate, size, system_packages, toolchain, worker,
};

/// No part may hang the run: each command is ended after this.
const LIMIT: Duration = Duration::from_secs(20 * 60);
/// The advisory database is a git repository; where it cannot be reached this is noticed soon.
const ADVISORIES_LIMIT: Duration = Duration::from_secs(60);

/// The black-box tests of the built Worker.
const WORKER_TESTS: &str = "tests/worker";
/// The tests of the built npm package.
const NODE_TESTS: &[&str] = &["tests/node", "tests/node/adapters"];
/// What others published, and known attacks, through the package in Node, workerd and Chromium.
const CONFORMANCE_TESTS: &str = "tests/conformance";
/// The package beside other libraries, over generated tokens.
const DIFFERENTIAL_TESTS: &str = "tests/differential";
/// The package, packed and installed.
const PACKAGING_TESTS: &str = "tests/packaging";
/// The page in `www/`.
const PAGE_TESTS: &str = "tests/page";
const TEST_FILE_ENDINGS: [&str; 2] = [".test.mjs", ".test.js"];

/// To build the npm package, and to open pages with it.
const PACKAGE_AND_BROWSER: &[Need] =
    &[Need::CCompiler, Need::NodePackages, Need::WasmLibrary, Need::WasmBindgen, Need::Browser];
/// To build it, and to keep what its gate counts in Redis.
const PACKAGE_AND_REDIS: &[Need] =
    &[Need::CCompiler, Need::NodePackages, Need::WasmLibrary, Need::WasmBindgen, Need::Redis];

/// One line of the summary.
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    needs: &'static [Need],
    steps: fn() -> Result<()>,
}

pub(super) const PARTS: &[Part] = &[
    Part { name: "format", about: "rustfmt", needs: &[], steps: format },
    Part {
        name: "lint",
        about: "clippy for this machine",
        needs: &[Need::CCompiler],
        steps: lint_host,
    },
    Part {
        name: "lint-wasm",
        about: "clippy for wasm32, with the Worker and with the npm package",
        needs: &[Need::CCompiler, Need::WasmLibrary],
        steps: lint_wasm,
    },
    Part {
        name: "native",
        about: "unit, integration and documentation tests on this machine",
        needs: &[Need::CCompiler],
        steps: native,
    },
    Part {
        name: "simulation",
        about: "a million requests a scenario: exact limits hold, revocations are in time",
        needs: &[Need::CCompiler],
        steps: || simulate::run(&[]),
    },
    Part {
        name: "fuzz",
        about: "each fuzz target for five seconds (needs a nightly toolchain)",
        needs: &[Need::CCompiler],
        steps: fuzz,
    },
    Part {
        name: "docs",
        about: "rustdoc without warnings",
        needs: &[Need::CCompiler, Need::WasmLibrary],
        steps: docs,
    },
    Part {
        name: "dependencies",
        about: "licences, bans and sources (cargo deny)",
        needs: &[Need::CCompiler, Need::CargoDeny],
        steps: dependencies,
    },
    Part {
        name: "advisories",
        about: "known vulnerabilities (cargo deny)",
        needs: &[Need::CCompiler, Need::CargoDeny],
        steps: advisories,
    },
    Part { name: "build", about: "the Worker", needs: setup::WORKER, steps: worker::build },
    Part {
        name: "worker",
        about: "black-box tests of the built Worker in workerd",
        needs: &[Need::NodePackages, Need::Nginx],
        steps: worker_tests,
    },
    Part {
        name: "node",
        about: "the npm package in Node, its gate beside the Worker and over Redis",
        needs: PACKAGE_AND_REDIS,
        steps: node_tests,
    },
    Part {
        name: "conformance",
        about: "Wycheproof's JOSE files, vectors and known attacks: Rust, Node, workerd, Chromium",
        needs: PACKAGE_AND_BROWSER,
        steps: conformance,
    },
    Part {
        name: "differential",
        about: "generated tokens to the npm package, jose, fast-jwt and jsonwebtoken",
        needs: setup::PACKAGE,
        steps: differential_tests,
    },
    Part {
        name: "packaging",
        about: "the npm package, packed and installed: Node, wrangler, Vite, esbuild, TypeScript",
        needs: PACKAGE_AND_BROWSER,
        steps: packaging_tests,
    },
    Part {
        name: "page",
        about: "the page in www/, used in headless Chromium",
        needs: PACKAGE_AND_BROWSER,
        steps: page_tests,
    },
    Part {
        name: "size",
        about: "what is shipped is within the budgets of benches/sizes.json",
        needs: &[Need::NodePackages],
        steps: size::check,
    },
    Part {
        name: "browser",
        about: "the core's wasm build in headless Chromium",
        needs: &[
            Need::CCompiler,
            Need::WasmLibrary,
            Need::WasmBindgen,
            Need::WasmPack,
            Need::Browser,
        ],
        steps: browser,
    },
];

/// How a part ended.
#[derive(Debug)]
pub(super) enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

/// The error of a part that could not be tried, though nothing is wrong with the project.
#[derive(Debug)]
struct Skip(String);

impl std::fmt::Display for Skip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skip {}

impl Outcome {
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(_) => "failed",
            Self::Skipped(_) => "skipped",
        }
    }

    pub(super) fn reason(&self) -> Option<&str> {
        match self {
            Self::Passed => None,
            Self::Failed(reason) | Self::Skipped(reason) => Some(reason),
        }
    }
}

impl Part {
    /// Installs what the part needs, then runs it.
    pub(super) fn run(&self) -> Outcome {
        match setup::require(self.needs).and_then(|()| (self.steps)()) {
            Ok(()) => Outcome::Passed,
            Err(error) => match error.downcast::<Skip>() {
                Ok(skip) => Outcome::Skipped(skip.0),
                Err(error) => Outcome::Failed(format!("{error:#}")),
            },
        }
    }
}

fn format() -> Result<()> {
    cargo(&["fmt", "--all", "--check"])?;
    cargo(&["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"])
}

fn lint_host() -> Result<()> {
    cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])
}

fn lint_wasm() -> Result<()> {
    cargo_wasm(&["clippy", "--all-targets", "--features", "worker", "--", "-D", "warnings"])?;
    cargo_wasm(&["clippy", "--lib", "--features", "js", "--", "-D", "warnings"])?;
    cargo_wasm(&["clippy", "--lib", "--features", "js-gate", "--", "-D", "warnings"])?;
    cargo_wasm(&["clippy", "--lib", "--features", "js,pure", "--", "-D", "warnings"])
}

fn native() -> Result<()> {
    cargo(&["test", "--workspace", "--locked"])
}

fn fuzz() -> Result<()> {
    match fuzz::unavailable() {
        Some(reason) => bail!(Skip(reason)),
        None => fuzz::run(&fuzz::Options::brief()),
    }
}

fn docs() -> Result<()> {
    cargo(&["doc", "--workspace", "--features", "edgegate/pure", "--no-deps", "--locked"])?;
    cargo_wasm(&["doc", "--no-deps", "--features", "worker"])
}

/// Builds have downloaded what this platform needs; the graph has the crates of all.
fn dependencies() -> Result<()> {
    cargo(&["fetch", "--locked"])?;
    let mut command = deny()?;
    command.args(["--offline", "check", "bans", "licenses", "sources"]);
    process::shown(&mut command, LIMIT)
}

/// Skipped only where the database cannot be had; what it says always counts.
fn advisories() -> Result<()> {
    let mut fetch = deny()?;
    // git must not ask for a password.
    fetch.args(["fetch", "db"]).env("GIT_TERMINAL_PROMPT", "0");
    let mut output = Vec::new();
    let fetched = process::attempt(
        "fetching the advisory database",
        &mut fetch,
        ADVISORIES_LIMIT,
        &mut || true,
        &mut output,
    );
    if fetched.is_err() {
        interrupt::check()?;
        let said = output.iter().rev().find(|line| !line.trim().is_empty());
        bail!(Skip(format!(
            "the advisory database cannot be fetched here ({})",
            said.map_or("no answer", |line| line.trim())
        )));
    }
    let mut command = deny()?;
    command.args(["check", "--disable-fetch", "advisories"]);
    process::shown(&mut command, LIMIT)
}

fn deny() -> Result<Command> {
    Ok(process::command(CARGO_DENY.bin()?.join("cargo-deny")))
}

fn worker_tests() -> Result<()> {
    let files = test_files(WORKER_TESTS)?;
    if !project::path("build/index.js").exists() {
        bail!("build/ is missing: cargo xtask build");
    }
    let mut command = node_test();
    command.args(files);
    if let Some(folder) = system_packages::nginx_folder() {
        process::prepend_path(&mut command, &folder)?;
    }
    process::shown(&mut command, LIMIT)
}

fn node_tests() -> Result<()> {
    package_tests(NODE_TESTS)
}

/// In Rust once more, so that all counts stand together.
fn conformance() -> Result<()> {
    cargo(&[
        "test",
        "--locked",
        "--test",
        "wycheproof",
        "--test",
        "vectors",
        "--test",
        "attacks",
        "--",
        "--nocapture",
    ])?;
    package_tests(&[CONFORMANCE_TESTS])
}

fn differential_tests() -> Result<()> {
    package_tests(&[DIFFERENTIAL_TESTS])
}

fn packaging_tests() -> Result<()> {
    package_tests(&[PACKAGING_TESTS])
}

fn page_tests() -> Result<()> {
    package_tests(&[PAGE_TESTS])
}

/// Several parts need the package; the first one builds it.
static PACKAGE_IS_BUILT: AtomicBool = AtomicBool::new(false);

fn package_tests(folders: &[&str]) -> Result<()> {
    if !PACKAGE_IS_BUILT.load(Ordering::Relaxed) {
        package::build()?;
        PACKAGE_IS_BUILT.store(true, Ordering::Relaxed);
    }
    let mut command = node_test();
    for folder in folders {
        command.args(test_files(folder)?);
    }
    process::shown(&mut command, LIMIT)
}

/// A file that hangs is ended and named; the slowest one takes a minute on a busy machine.
fn node_test() -> Command {
    let mut command = process::command("node");
    command.args(["--test", "--test-reporter=spec", "--test-timeout=300000"]);
    command
}

/// All test files in the folder. None at all is an error: it would pass without testing anything.
fn test_files(folder: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
    let folder = project::path("").join(folder);
    let mut files = Vec::new();
    let nothing = || format!("no tests in {}", folder.display());
    for entry in fs::read_dir(&folder).with_context(nothing)? {
        let path = entry?.path();
        if TEST_FILE_ENDINGS.iter().any(|ending| path.to_string_lossy().ends_with(ending)) {
            files.push(path);
        }
    }
    if files.is_empty() {
        bail!("{}: expected files ending in .test.mjs or .test.js", nothing());
    }
    files.sort();
    Ok(files)
}

/// As `wasm-pack test --headless --chrome` typed by hand, with the programs that are pinned here.
fn browser() -> Result<()> {
    let mut command = process::command(WASM_PACK.bin()?.join("wasm-pack"));
    command
        .args(["test", "--mode", "no-install", "--headless", "--chrome"])
        .env("CHROMEDRIVER", system_packages::chromedriver()?);
    process::prepend_path(&mut command, &WASM_BINDGEN.bin()?)?;
    toolchain::use_wasm32(&mut command)?;
    process::shown(&mut command, LIMIT)
}

fn cargo(arguments: &[&str]) -> Result<()> {
    process::shown(&mut cargo_command(arguments), LIMIT)
}

/// For wasm32, with the compiler that has its library: clippy must be of the same version.
fn cargo_wasm(arguments: &[&str]) -> Result<()> {
    let mut command = cargo_command(arguments);
    command.env("CARGO_BUILD_TARGET", toolchain::TARGET);
    toolchain::use_wasm32(&mut command)?;
    process::shown(&mut command, LIMIT)
}

fn cargo_command(arguments: &[&str]) -> Command {
    let mut command = process::command("cargo");
    command.args(arguments).env("RUSTDOCFLAGS", "-D warnings");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_tests_is_an_error() {
        let folder = std::env::temp_dir().join(format!("xtask-parts-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("helper.mjs"), "").unwrap();
        assert_eq!(
            test_files(&folder).unwrap_err().to_string(),
            format!(
                "no tests in {}: expected files ending in .test.mjs or .test.js",
                folder.display()
            )
        );
        fs::write(folder.join("b.test.mjs"), "").unwrap();
        fs::write(folder.join("a.test.js"), "").unwrap();
        assert_eq!(
            test_files(&folder).unwrap(),
            [folder.join("a.test.js"), folder.join("b.test.mjs")]
        );
        fs::remove_dir_all(&folder).unwrap();
    }
}
