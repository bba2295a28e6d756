//! Building the Worker.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::cargo_tools::{WASM_BINDGEN, WORKER_BUILD};
use crate::{process, project, toolchain};

const BUILD_LIMIT: Duration = Duration::from_secs(20 * 60);

/// Only this feature: every function that the npm bindings (`js`) export would become callable on
/// the Worker's entry point.
const FEATURES: [&str; 2] = ["--features", "worker"];

/// Builds `build/index.js` and `build/index_bg.wasm`.
///
/// worker-build would download its helper programs. It is told where the installed ones are, whose
/// versions are pinned here and in `package-lock.json`.
pub(crate) fn build() -> Result<()> {
    let mut command: Command = process::command(WORKER_BUILD.bin()?.join("worker-build"));
    command
        .arg("--release")
        .args(FEATURES)
        .env("WASM_BINDGEN_BIN", WASM_BINDGEN.bin()?.join("wasm-bindgen"))
        .env("WASM_OPT_BIN", project::npm_program("wasm-opt"))
        .env("ESBUILD_BIN", project::npm_program("esbuild"));
    toolchain::use_wasm32(&mut command)?;
    process::quiet("building the Worker", &mut command, BUILD_LIMIT)
}
