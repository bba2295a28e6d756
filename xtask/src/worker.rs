//! Building the Worker.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::cargo_tools::WASM_BINDGEN;
use crate::{package, process, project, report, toolchain, versions};

const BUILD_LIMIT: Duration = Duration::from_secs(20 * 60);

/// The crate that is deployed: the Worker's library, compiled as a whole.
const CRATE: &str = "crates/worker/deployed";

/// What the platform calls.
const ENTRY: &str = "crates/worker/entry.js";

const OUTPUTS: [&str; 2] = ["build/index.js", "build/index_bg.wasm"];
/// The same module with the names of its functions, which have the same numbers: it tells what stands
/// behind `wasm-function[123]` in a deployed Worker's trace.
const NAMED: &str = "build/names/index_bg.wasm";
/// Set, it leaves the names in: a tenth of what is uploaded, and traces that can be read as they are.
pub(crate) const KEEP_NAMES: &str = "EDGEGATE_KEEP_NAMES";
/// Where the glue lies until it is bundled.
const STAGING: &str = "target/worker";
/// Says from what, and to what, `build/` was made.
const STAMP: &str = "build/.made-from";

/// Whether the module that is deployed names its functions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    Kept,
    Apart,
}

/// Builds `build/index.js` and `build/index_bg.wasm`, with names if [`KEEP_NAMES`] is set.
pub(crate) fn build() -> Result<()> {
    let kept = std::env::var_os(KEEP_NAMES).is_some();
    build_with(if kept { Names::Kept } else { Names::Apart })
}

/// Builds them, unless they are what would come out.
///
/// `dev` builds before it starts wrangler, which runs the same command again: cargo finds nothing
/// to do then, but optimising would still take twenty seconds.
pub(crate) fn build_with(names: Names) -> Result<()> {
    process::quiet("compiling the Worker", &mut compile(&[])?, BUILD_LIMIT)?;
    let compiled = compiled_wasm(&mut compile(&["--message-format=json"])?)?;
    if fs::read_to_string(project::path(STAMP))
        .is_ok_and(|made| stamp(&compiled, names).ok() == Some(made))
    {
        report::done("build/ is up to date");
        return Ok(());
    }
    let bound = bind(&compiled)?;
    bundle(&bound)?;
    optimise(&bound.join("index_bg.wasm"), names)?;
    fs::write(project::path(STAMP), stamp(&compiled, names)?).context(STAMP)
}

/// The module and its glue, which starts a new instance after a trap.
fn bind(compiled: &Path) -> Result<PathBuf> {
    let staging = project::path(STAGING);
    if staging.exists() {
        fs::remove_dir_all(&staging).context(STAGING)?;
    }
    let mut command = process::command(WASM_BINDGEN.bin()?.join("wasm-bindgen"));
    command.args(["--target", "module", "--no-typescript", "--out-name", "index"]);
    command.args(["--experimental-reset-state-function", "--force-enable-abort-handler"]);
    command.arg("--out-dir").arg(&staging).arg(compiled);
    process::quiet("binding the Worker", &mut command, BUILD_LIMIT)?;
    Ok(staging)
}

/// The entry, the glue and what Rust calls by name in JavaScript, in one file.
fn bundle(bound: &Path) -> Result<()> {
    let entry = bound.join("entry.js");
    fs::copy(project::path(ENTRY), &entry).context(ENTRY)?;
    let mut command = process::command(project::npm_program("esbuild"));
    command.arg(&entry).args(["--bundle", "--minify", "--format=esm"]);
    command.args(["--external:./index_bg.wasm", "--log-level=warning"]);
    let out = project::path(OUTPUTS[0]);
    command.arg(format!("--outfile={}", out.display()));
    process::quiet("bundling build/index.js", &mut command, BUILD_LIMIT)?;
    // wrangler and Miniflare take a module by the plain import.
    let text = fs::read_to_string(&out).context(OUTPUTS[0])?;
    fs::write(&out, text.replace("import source ", "import ")).context(OUTPUTS[0])
}

fn optimise(bound: &Path, names: Names) -> Result<()> {
    let [module, named] = [OUTPUTS[1], NAMED].map(project::path);
    if let Some(folder) = named.parent() {
        fs::create_dir_all(folder)?;
    }
    let wasm_opt = || {
        let mut command = process::command(project::npm_program("wasm-opt"));
        command.args(package::WASM_FEATURES).arg("--enable-exception-handling");
        command
    };
    let mut command = wasm_opt();
    command.args(["-O", "--debuginfo"]).arg(bound).arg("-o").arg(&named);
    process::quiet("optimising the Worker", &mut command, BUILD_LIMIT)?;
    if names == Names::Kept {
        fs::copy(&named, &module).context(OUTPUTS[1])?;
        return Ok(());
    }
    let mut command = wasm_opt();
    command.args(["--strip-debug", "--strip-producers"]).arg(&named).arg("-o").arg(&module);
    process::quiet("setting the names apart", &mut command, BUILD_LIMIT)
}

/// The variable has async exports made with js-sys, which `worker` brings, in place of wasm-bindgen-futures.
fn compile(more: &[&str]) -> Result<Command> {
    let mut command = process::command("cargo");
    command
        .current_dir(project::path(CRATE))
        .args(["build", "--locked", "--lib", "--release", "--target", toolchain::TARGET])
        .args(more)
        .env("WASM_BINDGEN_USE_JS_SYS", "1");
    toolchain::use_wasm32(&mut command)?;
    Ok(command)
}

/// Where cargo has put the module, asked by the command that built it: its target folder may be anywhere.
pub(crate) fn compiled_wasm(build_again: &mut Command) -> Result<PathBuf> {
    let messages = process::answer(build_again)?;
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
    let mut stamp = format!("{} {names} names\n", versions::WASM_BINDGEN);
    let inputs = [compiled.to_path_buf(), project::path("package-lock.json"), project::path(ENTRY)];
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
