//! Building the Worker.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::cargo_tools::{WASM_BINDGEN, WORKER_BUILD};
use crate::{package, process, project, report, toolchain, versions};

const BUILD_LIMIT: Duration = Duration::from_secs(20 * 60);

/// The crate that is deployed. It asks the library for the feature `worker` alone: every function that the npm
/// bindings (`js`) export would become callable on the Worker's entry point.
const CRATE: &str = "worker";

const OUTPUTS: [&str; 2] = ["build/index.js", "build/index_bg.wasm"];
/// The same module with the names of its functions, which have the same numbers: it tells what stands
/// behind `wasm-function[123]` in a deployed Worker's trace.
const NAMED: &str = "build/names/index_bg.wasm";
/// Set, it leaves the names in: a tenth of what is uploaded, and traces that can be read as they are.
pub(crate) const KEEP_NAMES: &str = "EDGEGATE_KEEP_NAMES";
/// Says from what, and to what, `build/` was made.
const STAMP: &str = "build/.made-from";

/// Whether the module that is deployed names its functions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    Kept,
    Apart,
}

impl Names {
    fn wanted() -> Self {
        if std::env::var_os(KEEP_NAMES).is_some() { Self::Kept } else { Self::Apart }
    }
}

/// Builds `build/index.js` and `build/index_bg.wasm`, with names if [`KEEP_NAMES`] is set.
pub(crate) fn build() -> Result<()> {
    build_with(Names::wanted())
}

/// Builds them, unless they are what would come out.
///
/// `dev` builds before it starts wrangler, which runs the same command again: cargo finds nothing
/// to do then, but worker-build would still optimise for twenty seconds.
pub(crate) fn build_with(names: Names) -> Result<()> {
    process::quiet("compiling the Worker", &mut compile(&[])?, BUILD_LIMIT)?;
    let compiled = compiled_wasm()?;
    if fs::read_to_string(project::path(STAMP))
        .is_ok_and(|made| stamp(&compiled, names).ok() == Some(made))
    {
        report::done("build/ is up to date");
        return Ok(());
    }
    process::quiet("packing the Worker into build/", &mut worker_build()?, BUILD_LIMIT)?;
    set_names_apart(names)?;
    fs::write(project::path(STAMP), stamp(&compiled, names)?).context(STAMP)
}

/// worker-build always leaves the names in.
fn set_names_apart(names: Names) -> Result<()> {
    let [module, named] = [OUTPUTS[1], NAMED].map(project::path);
    if let Some(folder) = named.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(&module, &named).context(NAMED)?;
    if names == Names::Kept {
        return Ok(());
    }
    let mut command = process::command(project::npm_program("wasm-opt"));
    command.args(package::WASM_FEATURES).arg("--enable-exception-handling");
    command.args(["--strip-debug", "--strip-producers"]);
    command.arg(&named).arg("-o").arg(&module);
    process::quiet("setting the names apart", &mut command, BUILD_LIMIT)
}

/// The very command that worker-build runs, so that it then finds everything compiled.
fn compile(more: &[&str]) -> Result<Command> {
    let mut command = process::command("cargo");
    command
        .current_dir(project::path(CRATE))
        .args(["build", "--lib", "--release", "--target", toolchain::TARGET])
        .args(more)
        .env("WASM_BINDGEN_USE_JS_SYS", "1");
    toolchain::use_wasm32(&mut command)?;
    Ok(command)
}

/// worker-build would download its helper programs. It is told where the installed ones are, whose
/// versions are pinned here and in `package-lock.json`.
fn worker_build() -> Result<Command> {
    let mut command = process::command(WORKER_BUILD.bin()?.join("worker-build"));
    command
        .current_dir(project::path(CRATE))
        .args(["--release", "--out-dir", "../build"])
        .env("WASM_BINDGEN_BIN", WASM_BINDGEN.bin()?.join("wasm-bindgen"))
        .env("WASM_OPT_BIN", project::npm_program("wasm-opt"))
        .env("ESBUILD_BIN", project::npm_program("esbuild"));
    toolchain::use_wasm32(&mut command)?;
    Ok(command)
}

/// Where cargo has put the module: its target folder may be anywhere.
fn compiled_wasm() -> Result<PathBuf> {
    let messages = process::answer(&mut compile(&["--message-format=json"])?)?;
    messages.lines().filter_map(wasm_in_message).next_back().context("cargo has built no module")
}

/// The module in a message of cargo about what it has built.
fn wasm_in_message(line: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    let files = message.get("filenames")?.as_array()?;
    files.iter().filter_map(Value::as_str).find(|name| name.ends_with(".wasm")).map(PathBuf::from)
}

/// Digests of the module, of the npm packages, and of what was made of them; versions of the tools.
fn stamp(compiled: &Path, names: Names) -> Result<String> {
    let names = if names == Names::Kept { "with" } else { "without" };
    let mut stamp =
        format!("{} {} {names} names\n", versions::WORKER_BUILD, versions::WASM_BINDGEN);
    let inputs =
        [compiled.to_path_buf(), project::path("package-lock.json"), project::path("Cargo.toml")];
    for path in inputs.into_iter().chain(OUTPUTS.map(project::path)) {
        let content = fs::read(&path).with_context(|| path.display().to_string())?;
        let digest = Sha256::digest(content);
        stamp.extend(digest.iter().map(|byte| format!("{byte:02x}")));
        stamp.push('\n');
    }
    Ok(stamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_module_in_cargos_messages() {
        let line = r#"{"reason":"compiler-artifact","filenames":["/t/libedgegate.rlib","/t/edgegate.wasm"]}"#;
        assert_eq!(wasm_in_message(line), Some(PathBuf::from("/t/edgegate.wasm")));
        assert_eq!(wasm_in_message(r#"{"reason":"build-finished","success":true}"#), None);
        assert_eq!(wasm_in_message("warning: not a message"), None);
    }
}
