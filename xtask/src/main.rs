//! `cargo xtask <command>`: everything one does with this repository, from a fresh clone.
//!
//! | to change | look in |
//! |---|---|
//! | a version of a tool | [`versions`] |
//! | how the wasm32 library is obtained | [`toolchain`]; `xtask/toolchain/` |
//! | what is installed for which command | [`setup`] |
//! | how the Worker is built | [`worker`], [`inlining`] |
//! | how the npm package is built | [`package`]; `xtask/package/` |
//! | what `dev` starts and prints | [`dev`]; `xtask/dev/` |
//! | what `test` runs | [`mod@test`] |
//! | what is looked at before a release | [`check_release`] |
//! | how the fuzz targets are built and run | [`fuzz`]; `fuzz/run.mjs` |
//! | what is measured and weighed | [`mod@bench`]; `benches/` |

mod bench;
mod cache;
mod cargo_tools;
mod check_release;
mod dev;
mod fuzz;
mod inlining;
mod interrupt;
mod npm;
mod package;
mod prerequisites;
mod process;
mod project;
mod report;
mod setup;
mod system_packages;
mod test;
mod toolchain;
mod versions;
mod wasm;
mod worker;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;

use setup::Need;

/// Everything one does with this repository, from a fresh clone.
///
/// Each command installs what it needs first. What it installs is kept by version in the user's cache folder, so
/// that a second clone is quick.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Command {
    /// Build the Worker, run it on local KV and Durable Objects, print a demo token, a demo API key and curl lines
    Dev(dev::Options),
    /// Run every test, or only some parts
    #[command(alias = "ci")]
    Test(test::Options),
    /// Build the Worker into build/ and the npm package in pkg/
    Build {
        /// Only the Worker
        #[arg(long)]
        worker: bool,
        /// Only the example of a Worker that embeds the gate
        #[arg(long, conflicts_with = "worker")]
        embedded: bool,
    },
    /// Build the npm package in pkg/, ready for npm pack
    Package,
    /// Limits and revocations in virtual time: many isolates, slow and lossy stores ([--requests N] [--seed N])
    Simulate {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
        arguments: Vec<OsString>,
    },
    /// Build the npm package and serve the page in www/
    Www {
        #[arg(long, default_value_t = 8788)]
        port: u16,
    },
    /// Build the site of documents, with the page of www/, into target/site
    Site,
    /// Install all that `dev` and `test` need
    Setup,
    /// Give each parser what a fuzzer comes up with
    Fuzz(fuzz::Options),
    /// Measure the gate beside its peers; a whole run writes docs/benchmarks.md
    Bench(bench::Options),
    /// Weigh what is shipped, held to benches/sizes.json
    Size {
        /// Also what the modules consist of
        #[arg(long)]
        crates: bool,
    },
    /// What a release must not get wrong: every set of features, the crate and the npm package as they are packed
    CheckRelease(check_release::Options),
}

/// 128 + SIGINT: what a shell reports for a program ended by Ctrl-C.
const EXIT_INTERRUPTED: u8 = 130;
/// Nobody looks at the page, or simulates, for longer in one go.
const LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

fn main() -> ExitCode {
    if let Some(error) = inlining::called_as_compiler() {
        report::error(&format!("the compiler cannot be called: {error}"));
        return ExitCode::FAILURE;
    }
    match interrupt::listen().and_then(|()| run(Command::parse())) {
        Ok(code) => code,
        Err(_) if interrupt::requested() => ExitCode::from(EXIT_INTERRUPTED),
        Err(error) => {
            report::error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Dev(options) => dev::run(&options)?,
        Command::Test(options) => return test::run(&options),
        // wrangler builds at every start of `dev`, and has no use for the npm package.
        Command::Build { worker: true, .. } => setup::require(&[Need::Worker])?,
        Command::Build { embedded: true, .. } => setup::require(&[Need::EmbeddedWorker])?,
        Command::Build { .. } => setup::require(&[Need::Worker, Need::Package])?,
        Command::Package => setup::require(&[Need::Package])?,
        Command::Simulate { arguments } => {
            setup::require(&[Need::CCompiler])?;
            simulate(&arguments)?;
        }
        Command::Www { port } => {
            setup::require(&[Need::Package])?;
            report::step("serving the page; Ctrl-C ends it");
            let mut command = process::command("node");
            process::shown(command.arg("www/serve.mjs").arg(port.to_string()), LIMIT)?;
        }
        Command::Site => {
            setup::require(&[Need::Package])?;
            process::shown(process::command("node").arg("docs/site/build.mjs"), LIMIT)?;
        }
        Command::Setup => {
            setup::require(&[setup::BUILD, setup::TESTS].concat())?;
            report::done("everything is installed: cargo xtask dev, cargo xtask test");
        }
        Command::Fuzz(options) => {
            setup::require(fuzz::NEEDS)?;
            fuzz::run(&options)?;
        }
        Command::Bench(options) => bench::run(&options)?,
        Command::Size { crates } => {
            setup::require(&[Need::Worker, Need::Package])?;
            bench::weigh(crates)?;
        }
        Command::CheckRelease(options) => check_release::run(&options)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The simulator (`simulator/`), in release: a million requests a scenario. It reads its arguments itself.
fn simulate(arguments: &[OsString]) -> Result<()> {
    let mut command = process::command("cargo");
    command.args(["run", "--locked", "--release", "--quiet", "--package", "edgegate-simulator"]);
    process::shown(command.arg("--").args(arguments), LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        Command::command().debug_assert();
    }

    #[test]
    fn the_simulator_reads_its_own_arguments() {
        let command =
            Command::try_parse_from(["xtask", "simulate", "--requests", "5", "--help"]).unwrap();
        let Command::Simulate { arguments } = command else { panic!("{command:?}") };
        assert_eq!(arguments, ["--requests", "5", "--help"]);
    }
}
