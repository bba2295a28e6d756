//! Modules as cargo builds them for wasm32, and what they may use.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{process, toolchain};

/// What every runtime has had since 2022. Without such a list wasm-opt would use what they do not.
pub(crate) const FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// Where cargo has put the module, asked by the command that built it: its target folder may be anywhere.
pub(crate) fn compiled(build_again: &mut Command) -> Result<PathBuf> {
    let messages = process::answer(build_again)?;
    messages.lines().filter_map(wasm_in_message).next_back().context("cargo has built no module")
}

/// Has the compiler leave out where cargo keeps sources on this machine. Each place where code can panic has the path of its
/// file with it: a module would be another one on each machine, and say who built it.
pub(crate) fn leave_out_folders(command: &mut Command) -> Result<()> {
    // Not by the registry: on a new machine, the first build would find no folder of it, and the next one build all again.
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

/// A line with the digest of each file: tells whether something was made of these very files.
pub(crate) fn digests(files: &[PathBuf]) -> Result<String> {
    let mut lines = String::new();
    for file in files {
        let content = fs::read(file).with_context(|| file.display().to_string())?;
        lines.extend(Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")));
        lines.push('\n');
    }
    Ok(lines)
}

/// The module in a message of cargo about what it has built.
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
