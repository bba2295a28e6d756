//! `cargo xtask <command>`: everything one does with this repository, from a fresh clone.
//!
//! | to change | look in |
//! |---|---|
//! | a version of a tool | [`versions`] |
//! | how the wasm32 library is obtained | [`toolchain`] |
//! | what is installed for which command | [`setup`] |
//! | how the Worker is built | [`worker`] |
//! | how the npm package is built | [`package`] |
//! | what `dev` starts and prints | [`dev`] |
//! | what `test` runs | [`mod@test`] |
//! | how the fuzz targets are run | [`fuzz`] |
//! | what is made of measurements; how they are made | [`mod@bench`]; `benches/` |
//! | how sizes are guarded | [`size`] |

mod bench;
mod cache;
mod cargo_tools;
mod dev;
mod fuzz;
mod interrupt;
mod npm;
mod package;
mod prerequisites;
mod process;
mod project;
mod report;
mod setup;
mod simulate;
mod size;
mod system_packages;
mod test;
mod toolchain;
mod versions;
mod worker;
mod www;

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use lexopt::prelude::*;

const USAGE: &str = "\
Usage: cargo xtask <command>

Commands:
  dev [--port N] [--ip A]  build the Worker, run it on local KV and Durable Objects, and print
                           a demo token, a demo API key and curl lines (default: 127.0.0.1:8787)
  test [--only PART]...    run every test, or only these parts
  build [--worker]         build the Worker into build/ and the npm package in pkg/, or only the Worker
  package                  build the npm package in pkg/, ready for npm pack
  simulate [--requests N] [--seed N]
                           limits and revocations in virtual time: many isolates, slow and lossy stores
  www [--port N]           build it and serve the page in www/ (default: 8788)
  setup                    install all that `dev` and `test` need
  fuzz [--seconds N] [TARGET]...
                           give each parser what a fuzzer comes up with (default: 60 s for each)
  bench [--quick] [--only ROW]... [--json FILE|-] [--from FILE]
                           measure the gate beside its peers; a whole run writes docs/benchmarks.md
  bench load [--quick]     the Worker under load, by where it counts and how it looks up revocations
  size [--crates]          the bytes of what is shipped, held to benches/sizes.json; what it consists of
  ci                       the same as test

Each command installs what it needs first. What it installs is kept by version in the user's
cache folder, so that a second clone is quick.";

/// 128 + SIGINT: what a shell reports for a program ended by Ctrl-C.
const EXIT_INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    match interrupt::listen().and_then(|()| run()) {
        Ok(code) => code,
        Err(_) if interrupt::requested() => ExitCode::from(EXIT_INTERRUPTED),
        Err(error) => {
            report::error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode> {
    let mut args = lexopt::Parser::from_env();
    let Some(first) = args.next()? else {
        eprintln!("{USAGE}");
        return Ok(ExitCode::FAILURE);
    };
    let command = match first {
        Short('h') | Long("help") => "help".to_owned(),
        Value(value) => value.string()?,
        other => return Err(other.unexpected().into()),
    };
    match command.as_str() {
        "help" => {
            eprintln!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        "dev" => dev::run(&dev_options(&mut args)?).map(|()| ExitCode::SUCCESS),
        "test" | "ci" => test::run(&test_parts(&mut args)?),
        "fuzz" => {
            let options = fuzz_options(&mut args)?;
            setup::require(&[setup::Need::CCompiler])?;
            fuzz::run(&options).map(|()| ExitCode::SUCCESS)
        }
        "bench" => {
            let options = bench_options(&mut args)?;
            setup::require(setup::WORKER)?;
            bench::run(&options).map(|()| ExitCode::SUCCESS)
        }
        "size" => {
            let crates = flag(&mut args, "crates")?;
            setup::require(setup::WORKER)?;
            size::run(crates).map(|()| ExitCode::SUCCESS)
        }
        "build" => {
            // wrangler builds at every start of `dev`, and has no use for the npm package.
            let only_worker = flag(&mut args, "worker")?;
            setup::require(setup::WORKER)?;
            worker::build()?;
            if !only_worker {
                package::build()?;
            }
            Ok(ExitCode::SUCCESS)
        }
        "package" => {
            no_arguments(&mut args)?;
            setup::require(setup::PACKAGE)?;
            package::build().map(|()| ExitCode::SUCCESS)
        }
        "simulate" => {
            setup::require(&[setup::Need::CCompiler])?;
            simulate::run(&rest(&mut args)?).map(|()| ExitCode::SUCCESS)
        }
        "www" => {
            let port = www_port(&mut args)?;
            setup::require(setup::PACKAGE)?;
            www::run(port).map(|()| ExitCode::SUCCESS)
        }
        "setup" => {
            no_arguments(&mut args)?;
            setup::require(setup::ALL)?;
            report::done("everything is installed: cargo xtask dev, cargo xtask test");
            Ok(ExitCode::SUCCESS)
        }
        other => bail!("no command `{other}`\n\n{USAGE}"),
    }
}

fn no_arguments(args: &mut lexopt::Parser) -> Result<()> {
    match args.next()? {
        None => Ok(()),
        Some(argument) => Err(argument.unexpected().into()),
    }
}

/// Whether the only argument there may be is given.
fn flag(args: &mut lexopt::Parser, name: &str) -> Result<bool> {
    match args.next()? {
        None => Ok(false),
        Some(Long(given)) if given == name => no_arguments(args).map(|()| true),
        Some(argument) => Err(argument.unexpected().into()),
    }
}

fn bench_options(args: &mut lexopt::Parser) -> Result<bench::Options> {
    let mut options = bench::Options::default();
    while let Some(argument) = args.next()? {
        match argument {
            Value(what) if what == "load" => options.load = true,
            Long("quick") => options.quick = true,
            Long("only") => options.only.push(args.value()?.string()?),
            Long("json") => options.json = Some(args.value()?.string()?),
            Long("from") => options.from = Some(args.value()?.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(options)
}

fn dev_options(args: &mut lexopt::Parser) -> Result<dev::Options> {
    let mut options = dev::Options { ip: IpAddr::V4(Ipv4Addr::LOCALHOST), port: 8787 };
    while let Some(argument) = args.next()? {
        match argument {
            Long("port") => {
                options.port = args.value()?.parse().context("--port: expected 1 to 65535")?;
            }
            Long("ip") => {
                options.ip = args.value()?.parse().context("--ip: expected an IP address")?;
            }
            other => return Err(other.unexpected().into()),
        }
    }
    if options.port == 0 {
        bail!("--port: expected 1 to 65535");
    }
    Ok(options)
}

/// What follows belongs to another program, which reads it itself.
fn rest(args: &mut lexopt::Parser) -> Result<Vec<OsString>> {
    Ok(args.raw_args()?.collect())
}

fn www_port(args: &mut lexopt::Parser) -> Result<u16> {
    let mut port = 8788;
    while let Some(argument) = args.next()? {
        match argument {
            Long("port") => {
                port = args.value()?.parse().context("--port: expected 0 to 65535")?;
            }
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(port)
}

fn fuzz_options(args: &mut lexopt::Parser) -> Result<fuzz::Options> {
    let mut options = fuzz::Options::default();
    while let Some(argument) = args.next()? {
        match argument {
            Long("seconds") => {
                options.seconds =
                    args.value()?.parse().context("--seconds: expected a whole number")?;
            }
            Value(target) => options.targets.push(target.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    if options.seconds == 0 {
        bail!("--seconds: expected at least 1");
    }
    Ok(options)
}

fn test_parts(args: &mut lexopt::Parser) -> Result<Vec<String>> {
    let mut only = Vec::new();
    while let Some(argument) = args.next()? {
        match argument {
            Long("only") => only.push(args.value()?.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(only)
}
