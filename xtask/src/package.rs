//! Building the npm package: the engine for wasm32, the CommonJS bundle, its declarations.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::cargo_tools::WASM_BINDGEN;
use crate::{process, project, report, toolchain};

const LIMIT: Duration = Duration::from_secs(20 * 60);

/// All that is generated, and ignored by git.
const OUT: &str = "pkg/wasm";
const ENGINE: &str = "pkg/wasm/edgegate_bg.wasm";

/// `worker` is never on at the same time: see `src/js.rs`.
const FEATURE: &str = "js";
const PROFILE: &str = "npm";

/// What every runtime has had since 2022. Without such a list wasm-opt would use what they do not.
const WASM_FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// Makes `pkg/` ready for `npm pack`.
pub(crate) fn build() -> Result<()> {
    check_version()?;
    let compiled = compile()?;
    let staging = project::path("target/npm");
    bind(&compiled, &staging)?;
    fs::create_dir_all(project::path(OUT)).context(OUT)?;
    optimise(&staging.join("edgegate_bg.wasm"))?;
    bundle()?;
    fs::copy(project::path("pkg/index.d.ts"), project::path(OUT).join("index.d.cts"))
        .context("pkg/index.d.ts")?;
    let bytes = fs::metadata(project::path(ENGINE)).context(ENGINE)?.len();
    report::done(&format!("pkg/ is ready for npm pack; the engine has {bytes} bytes"));
    Ok(())
}

/// One version for the crate and the package.
fn check_version() -> Result<()> {
    let package =
        fs::read_to_string(project::path("pkg/package.json")).context("pkg/package.json")?;
    let package: Value = serde_json::from_str(&package).context("pkg/package.json")?;
    let manifest = fs::read_to_string(project::path("Cargo.toml")).context("Cargo.toml")?;
    let version = package.get("version").and_then(Value::as_str).unwrap_or_default();
    if !manifest.contains(&format!("\nname = \"edgegate\"\nversion = \"{version}\"\n")) {
        bail!("pkg/package.json: version {version} is not the one of Cargo.toml");
    }
    Ok(())
}

/// As a cdylib alone, which is compiled as a whole.
fn compile() -> Result<std::path::PathBuf> {
    let mut command = process::command("cargo");
    command.args([
        "rustc",
        "--locked",
        "--lib",
        "--crate-type",
        "cdylib",
        "--message-format",
        "short",
    ]);
    command.args(["--profile", PROFILE, "--features", FEATURE, "--target", toolchain::TARGET]);
    toolchain::use_wasm32(&mut command)?;
    process::quiet("compiling the engine of the npm package", &mut command, LIMIT)?;
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| project::path("target"), |folder| project::root().join(folder));
    Ok(target.join(toolchain::TARGET).join(PROFILE).join("edgegate.wasm"))
}

/// Only the wasm is used: nothing but numbers passes, so wasm-bindgen's JavaScript has nothing to do.
fn bind(compiled: &Path, staging: &Path) -> Result<()> {
    let mut command = process::command(WASM_BINDGEN.bin()?.join("wasm-bindgen"));
    command.args(["--target", "bundler", "--no-typescript", "--out-name", "edgegate", "--out-dir"]);
    command.arg(staging).arg(compiled);
    process::quiet("binding it", &mut command, LIMIT)
}

fn optimise(bound: &Path) -> Result<()> {
    let mut command = process::command(project::npm_program("wasm-opt"));
    command.arg("-O3").args(WASM_FEATURES);
    command.args(["--strip-debug", "--strip-producers", "--strip-target-features"]);
    command.arg(bound).arg("-o").arg(project::path(ENGINE));
    process::quiet("optimising it", &mut command, LIMIT)
}

/// `require('edgegate')`: the Node entry and all it imports in one file beside the engine.
fn bundle() -> Result<()> {
    let mut command = process::command(project::npm_program("esbuild"));
    command.args([
        "pkg/node.js",
        "--bundle",
        "--format=cjs",
        "--platform=node",
        "--target=node20",
        "--define:import.meta.url=entryUrl",
        // The URL of the entry, one folder up: the engine's path in it is relative to that.
        "--banner:js=const entryUrl = require('node:url').pathToFileURL(require('node:path').join(__dirname, '../node.js'));",
        "--outfile=pkg/wasm/node.cjs",
        "--log-level=warning",
    ]);
    process::quiet("bundling for require", &mut command, LIMIT)
}
