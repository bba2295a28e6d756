//! The parts of the test run. Quick ones come first. Each can be run by itself.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::cargo_tools::{CARGO_DENY, WASM_BINDGEN, WASM_PACK};
use crate::setup::Need::{
    AccountCounterparts, Apache, ApacheLogin, Browser, CCompiler, CargoDeny, EmbeddedWorker,
    Firefox, Monitoring, Nginx, Node, NodePackages, OldestWorkerd, Package, PythonClients, Redis,
    Rsyslog, Runtimes, WasmBindgen, WasmLibrary, WasmPack, WebKit, Worker,
};
use crate::setup::{self, Need};
use crate::{bench, fuzz, interrupt, process, report, simulate, system_packages, toolchain};

/// No part may hang the run: each command is ended after this.
const LIMIT: Duration = Duration::from_secs(20 * 60);
/// The advisory database is a git repository. If it cannot be reached, the run notices it soon.
const ADVISORIES_LIMIT: Duration = Duration::from_secs(60);
/// For all parts, and for everything that they need.
const FROM_NOTHING_LIMIT: Duration = Duration::from_secs(4 * 60 * 60);

/// The packaging matrix installs and builds thirty projects, all in one file.
const MATRIX_MINUTES: u32 = 90;
/// A thousand logins in each browser are in one file.
const BROWSERS_MINUTES: u32 = 45;

/// Says to `tests/miniflare.mjs` which workerd to run: `newest` or `oldest`.
const WORKERD: &str = "EDGEGATE_WORKERD";

/// Tests of the scripts beside the product.
const SCRIPTS: &[&str] = &[
    "benches/lib",
    "benches/report",
    "fuzz",
    "tests",
    "tests/new-machine",
    "xtask/dev",
    "xtask/package",
    "xtask/release",
    "xtask/toolchain",
];

/// One line of the summary. It can be run by itself: everything that it needs is installed and built first.
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    needs: &'static [Need],
    steps: fn() -> Result<()>,
    /// On two cores. Only for long parts, so that a person knows before.
    pub(super) minutes: u32,
}

const fn part(
    name: &'static str,
    about: &'static str,
    needs: &'static [Need],
    steps: fn() -> Result<()>,
) -> Part {
    Part { name, about, needs, steps, minutes: 0 }
}

/// What `cargo xtask test` runs.
pub(super) const PARTS: &[Part] = &[
    part("format", "rustfmt", &[], format),
    part("lint", "clippy for this machine", &[CCompiler], lint_host),
    part(
        "lint-wasm",
        "clippy for wasm32, with the Worker and with the npm package",
        &[CCompiler, WasmLibrary],
        lint_wasm,
    ),
    part("native", "unit, integration and documentation tests here", &[CCompiler], native),
    part(
        "simulation",
        "a million requests a scenario: exact limits hold, revocations are in time",
        &[CCompiler],
        || simulate(&[]),
    ),
    part("fuzz", "each target for five seconds (needs a nightly toolchain)", fuzz::NEEDS, || {
        // The seeds, and some millions of small changes of them.
        fuzz(&fuzz::Options::each_for(5))
    }),
    part("docs", "rustdoc without warnings", &[CCompiler, WasmLibrary], docs),
    part(
        "dependencies",
        "licences, bans, sources (cargo deny)",
        &[CCompiler, CargoDeny],
        dependencies,
    ),
    part("advisories", "known vulnerabilities (cargo deny)", &[CCompiler, CargoDeny], advisories),
    part("scripts", "the scripts of benches, fuzz and xtask", &[NodePackages], || {
        node_tests(SCRIPTS)
    }),
    part("build", "the Worker", &[Worker], || Ok(())),
    part(
        "worker",
        "black-box tests of the Worker in workerd",
        &[Worker, EmbeddedWorker, Nginx],
        || node_tests(&["tests/worker"]),
    ),
    part(
        "login",
        "providers and an adversary: their own clients log in by them, and so does the Worker",
        &[Worker],
        || node_tests(&["tests/login"]),
    ),
    part(
        "clients",
        "OAuth clients against sessions: Node, Python, Rust, Apache, pages in Chromium; events in the words of others",
        &[Worker, Browser, Apache, PythonClients, CCompiler],
        || node_tests(&["tests/clients", "tests/watch", "tests/login-browsers"]),
    ),
    part(
        "node",
        "the npm package in Node, its gate beside the Worker and over Redis, alerts in rsyslog",
        &[Worker, Package, Redis, Rsyslog],
        || node_tests(&["tests/node", "tests/node/adapters"]),
    ),
    part(
        "conformance",
        "Wycheproof's JOSE files, vectors and known attacks: Rust, Node, Deno, Bun, workerd, Chromium",
        &[Package, Browser, Runtimes],
        conformance,
    ),
    part(
        "differential",
        "generated tokens to the npm package, jose, fast-jwt and jsonwebtoken",
        &[Package],
        || node_tests(&["tests/differential"]),
    ),
    part(
        "packaging",
        "the npm package, packed and installed: Node, wrangler, Vite, esbuild, TypeScript 5 and 7",
        &[Package, Browser],
        || node_tests(&["tests/packaging"]),
    ),
    part(
        "cli",
        "the command line as it is packed: each command on a real gate, from an empty folder to a 200",
        &[Worker, Package],
        || node_tests(&["tests/cli"]),
    ),
    part(
        "examples",
        "each of examples/, started: Node, wrangler, nginx",
        &[Worker, Package, Nginx],
        || node_tests(&["tests/examples"]),
    ),
    part(
        "documents",
        "every command and program of docs/, run as written; links, their order, spelling",
        &[Worker, Package, Redis],
        || node_tests(&["tests/docs"]),
    ),
    part(
        "page",
        "the page in www/, the gate's own and its dashboard, used in headless Chromium",
        &[Worker, Package, Browser],
        || node_tests(&["tests/page"]),
    ),
    part(
        "size",
        "what is shipped is within the budgets of benches/sizes.json",
        &[Worker, Package],
        || bench::weigh(false),
    ),
    part(
        "browser",
        "the core's wasm build in headless Chromium",
        &[CCompiler, WasmLibrary, WasmBindgen, WasmPack, Browser],
        browser,
    ),
];

/// What `cargo xtask test --full` runs: matrices, whose scripts are in `tests/`, and long runs.
pub(super) const LONG_PARTS: &[Part] = &[
    part("fuzz", "each target for a minute (needs a nightly toolchain)", fuzz::NEEDS, || {
        fuzz(&fuzz::Options::each_for(60))
    })
    .takes(15),
    part("simulation", "ten million requests a scenario", &[CCompiler], || {
        simulate(&["--requests".into(), "10000000".into()])
    })
    .takes(10),
    part(
        "worker",
        "black-box tests of the Worker, in the oldest workerd that is supported and in the newest",
        &[Worker, EmbeddedWorker, Nginx, OldestWorkerd],
        worker_in_both,
    )
    .takes(10),
    part(
        "clients",
        "every OAuth client with every algorithm and proof; sessions in Firefox; schemathesis",
        &[Worker, Firefox, Apache, PythonClients, CCompiler],
        || node_tests(&["tests/clients/matrix"]),
    )
    .takes(3),
    part("login", "the adversary's behaviours at each provider, by the Worker", &[Worker], || {
        let mut command = process::command("node");
        command.args(["tests/run.mjs", "--minutes=30", "tests/login/matrix"]);
        run_node_tests(&mut command, 2 * LIMIT)
    })
    .takes(15),
    part(
        "conformance",
        "the same in Node 22 and 26, the oldest workerd that is supported, and Firefox",
        &[Package, Firefox, Runtimes, OldestWorkerd],
        || node_tests(&["tests/conformance/matrix"]),
    )
    .takes(3),
    part(
        "browsers",
        "logins in Chromium, Firefox and WebKit, through the gate and through others",
        &[Worker, Browser, Firefox, WebKit, ApacheLogin],
        || long_node_tests("tests/login-browsers/matrix", BROWSERS_MINUTES),
    )
    .takes(25),
    part(
        "documents",
        "the site of documents: built, searched, looked at",
        &[Package, Browser],
        || node_tests(&["tests/docs/built"]),
    )
    .takes(3),
    part(
        "packaging",
        "the npm package in each bundler and framework: built, moved, run and asked",
        &[Package, Browser, Redis],
        || long_node_tests("tests/packaging/matrix", MATRIX_MINUTES),
    )
    .takes(25),
    part(
        "monitoring",
        "a gate that is attacked, in Prometheus, Alertmanager, fail2ban, CrowdSec and by Sigma",
        &[Worker, Monitoring],
        || node_tests(&["tests/monitoring"]),
    )
    .takes(3),
    part(
        "accounts",
        "accounts with pyotp, soft-webauthn, py_webauthn, Django and PHP; passkeys of Chromium",
        &[Worker, Browser, AccountCounterparts],
        || node_tests(&["tests/accounts"]),
    )
    .takes(2),
    part("from-nothing", "every test and `dev` on a new machine", &[Node], || from_nothing(&[]))
        .takes(60),
];

/// How a part ended: `passed`, or `failed` or `skipped` with the reason.
pub(super) type Outcome = (&'static str, String);

/// The error of a part that could not be tried, though nothing is wrong with the project.
#[derive(Debug)]
struct Skip(String);

impl std::fmt::Display for Skip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skip {}

impl Part {
    const fn takes(self, minutes: u32) -> Self {
        Self { minutes, ..self }
    }

    /// Installs what the part needs, then runs it.
    pub(super) fn run(&self) -> Outcome {
        match setup::require(self.needs).and_then(|()| (self.steps)()) {
            Ok(()) => ("passed", String::new()),
            Err(error) if error.is::<Skip>() => ("skipped", error.to_string()),
            Err(error) => ("failed", format!("{error:#}")),
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
    let clippy = |about: &[&str]| {
        cargo_wasm(&[&["clippy", "--locked"], about, &["--", "-D", "warnings"]].concat())
    };
    clippy(&["--all-targets"])?;
    clippy(&["--package", "edgegate-worker-deployed", "--package", "edgegate-worker"])?;
    for features in ["", "gate", "pure"] {
        clippy(&["--package", "edgegate-engine", "--features", features])?;
    }
    Ok(())
}

fn native() -> Result<()> {
    cargo(&["test", "--workspace", "--locked"])
}

fn fuzz(options: &fuzz::Options) -> Result<()> {
    match fuzz::host() {
        Err(reason) => bail!(Skip(format!("{reason:#}"))),
        Ok(_) => fuzz::run(options),
    }
}

fn docs() -> Result<()> {
    cargo(&["doc", "--workspace", "--features", "edgegate/pure", "--no-deps", "--locked"])?;
    cargo_wasm(&["doc", "--no-deps", "--locked", "--package", "edgegate-worker"])
}

/// Builds have downloaded the crates for this platform, but the graph has those of all platforms.
fn dependencies() -> Result<()> {
    cargo(&["fetch", "--locked"])?;
    let mut command = deny()?;
    command.args(["--offline", "check", "bans", "licenses", "sources"]);
    process::shown(&mut command, LIMIT)
}

/// Skipped only if the database cannot be fetched. Its findings always count.
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

/// The Rust tests run once more, so that all counts stand together.
fn conformance() -> Result<()> {
    let tests = ["wycheproof::", "vectors::", "attacks::"];
    // The same features as in `native`. Otherwise cargo would compile everything once more.
    let suite = ["test", "--workspace", "--locked", "--test", "suite", "--", "--nocapture"];
    cargo(&[&suite[..], &tests].concat())?;
    node_tests(&["tests/conformance"])
}

/// Runs the test files of these folders, not of those below.
fn node_tests(folders: &[&str]) -> Result<()> {
    let mut command = process::command("node");
    command.arg("tests/run.mjs").args(folders);
    run_node_tests(&mut command, LIMIT)
}

fn worker_in_both() -> Result<()> {
    for workerd in ["oldest", "newest"] {
        report::step(&format!("in the {workerd} workerd"));
        let mut command = process::command("node");
        command.args(["tests/run.mjs", "tests/worker"]).env(WORKERD, workerd);
        run_node_tests(&mut command, LIMIT)?;
    }
    Ok(())
}

/// Runs the test files of a folder, each of which may take so long.
fn long_node_tests(folder: &str, minutes: u32) -> Result<()> {
    let mut command = process::command("node");
    command.args(["tests/run.mjs", &format!("--minutes={minutes}"), folder]);
    run_node_tests(&mut command, Duration::from_secs(u64::from(minutes) * 60))
}

fn run_node_tests(command: &mut Command, limit: Duration) -> Result<()> {
    if let Some(folder) = system_packages::nginx_folder() {
        process::prepend_path(command, &folder)?;
    }
    process::shown(command, limit)
}

/// The same as `wasm-pack test --headless --chrome` by hand, with the programs that are pinned here.
fn browser() -> Result<()> {
    let mut command = process::command(WASM_PACK.bin()?.join("wasm-pack"));
    command
        .args(["test", "--mode", "no-install", "--headless", "--chrome"])
        .env("CHROMEDRIVER", system_packages::chromedriver()?);
    process::prepend_path(&mut command, &WASM_BINDGEN.bin()?)?;
    toolchain::use_wasm32(&mut command)?;
    process::shown(&mut command, LIMIT)
}

/// Runs these parts, or all parts and `dev`, in a clone with empty caches.
pub(super) fn from_nothing(only: &[String]) -> Result<()> {
    setup::require(&[Node])?;
    // A new machine has this one, and not yet the one of the npm packages.
    let mut command = process::command_with_the_machines_node("node");
    process::shown(command.arg("tests/new-machine/from-nothing.mjs").args(only), FROM_NOTHING_LIMIT)
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
