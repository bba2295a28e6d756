//! How much of the gate's own code is put into its callers, where it is compiled for the Worker.
//!
//! A compiler that works for size puts a function of any size into its only caller. That takes a few bytes less, but each copy of a pattern
//! then has numbers of its own (places in a large frame), of which gzip makes little: the script is larger. And V8 compiles a function as a
//! whole when it is first called: the first request would wait for code that it does not run.
//!
//! Other crates are compiled as ever: digests and signatures are fast because their steps are put into one loop. cargo has no flags by crate, but
//! calls another program in the compiler's place for the crates of the workspace. That program is xtask.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::toolchain;

/// An instruction costs a hundred times what LLVM takes it to cost by default (5), so that what it grants a function with one caller pays for
/// 30 of them. A call costs as many times more (25): small functions are judged as before. Who changes them removes
/// `target/wasm32-unknown-unknown`: cargo does not see it.
const FLAGS: [&str; 2] =
    ["-Cllvm-args=-inline-instr-cost=500", "-Cllvm-args=-inline-call-penalty=2500"];

/// Makes cargo call xtask in the compiler's place, for the crates of the workspace.
pub(crate) fn keep_functions_apart(cargo: &mut Command) -> Result<()> {
    let xtask = env::current_exe().context("the path of xtask")?;
    cargo.env("RUSTC_WORKSPACE_WRAPPER", xtask);
    Ok(())
}

/// Where cargo has called xtask in the compiler's place: calls the compiler, and returns only if that fails.
pub(crate) fn called_as_compiler() -> Option<io::Error> {
    // The first is xtask itself. cargo names the compiler next, and then what it is asked.
    let mut arguments = env::args_os().skip(1);
    let compiler = arguments.next()?;
    if Path::new(&compiler).file_stem()? != "rustc" {
        return None;
    }
    let arguments: Vec<OsString> = arguments.collect();
    let flags = if is_for_the_worker(&arguments) { &FLAGS[..] } else { &[] };
    Some(Command::new(compiler).args(&arguments).args(flags).exec())
}

/// Whether it compiles for wasm32. cargo also asks the compiler what it is.
fn is_for_the_worker(arguments: &[OsString]) -> bool {
    arguments.iter().any(|argument| argument == toolchain::TARGET)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_compiled_for_wasm32_has_the_flags() {
        let of = |line: &str| {
            is_for_the_worker(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
        };
        assert!(of("--crate-name edgegate --target wasm32-unknown-unknown -C opt-level=z"));
        assert!(!of("--crate-name edgegate -C opt-level=z"));
        assert!(!of("-vV"));
    }
}
