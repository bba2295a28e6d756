//! The modules that cargo builds for wasm32, and the features that they may use.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{process, toolchain};

/// Features that every runtime has had since 2022. Without this list wasm-opt would use others too.
pub(crate) const FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// Functions of the same name stand side by side, since they are similar, and it is left out what an address is a multiple of, which runtimes
/// do not use. gzip finds more that is the same: it makes 3.3 % less of the npm package's gate.
pub(crate) const FOR_GZIP: [&str; 2] = ["--reorder-functions-by-name", "--dealign"];

/// Returns the path of the module. The command that built it is run again to ask for it, since the target folder may be anywhere.
pub(crate) fn compiled(build_again: &mut Command) -> Result<PathBuf> {
    let messages = process::answer(build_again)?;
    messages.lines().filter_map(wasm_in_message).next_back().context("cargo has built no module")
}

/// Makes the compiler leave out the folder of cargo's sources. Each place where code can panic has the path of its file: the module would
/// be different on each machine, and would say who built it.
pub(crate) fn leave_out_folders(command: &mut Command) -> Result<()> {
    // The folder of the registry itself is not named: it does not exist before the first build on a new machine, and the second one would
    // build everything again.
    let sources = cargo_home()?.join("registry/src/");
    let flags = serde_json::to_string(&[format!("--remap-path-prefix={}=", sources.display())])?;
    command.arg("--config").arg(format!("target.{}.rustflags={flags}", toolchain::TARGET));
    Ok(())
}

fn cargo_home() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("CARGO_HOME") {
        return Ok(PathBuf::from(named));
    }
    Ok(std::env::home_dir().context("there is no home directory")?.join(".cargo"))
}

/// Returns a line with the digest of each file. It tells whether something was made of these files.
pub(crate) fn digests(files: &[PathBuf]) -> Result<String> {
    let mut lines = String::new();
    for file in files {
        let content = fs::read(file).with_context(|| file.display().to_string())?;
        lines.extend(Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")));
        lines.push('\n');
    }
    Ok(lines)
}

/// Returns the module that a message of cargo names.
fn wasm_in_message(line: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    let files = message.get("filenames")?.as_array()?;
    files.iter().filter_map(Value::as_str).find(|name| name.ends_with(".wasm")).map(PathBuf::from)
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
