//! Drives the gate's own steps (limits, leases, shared counters, snapshots of revocations) in virtual time, through what a
//! network does to them: delay, loss, restarts, evictions, wrong clocks.
//!
//! `cargo xtask simulate [--requests N] [--seed N]`. The same seed gives the same run, on every machine. It fails if an
//! exact limit was exceeded in any window, or a revocation was late by more than the policy allows.

mod check;
mod counters;
mod kv;
mod parallel;
mod revocations;
mod world;

use std::process::ExitCode;

use lexopt::prelude::*;

const USAGE: &str = "Usage: cargo xtask simulate [--requests N] [--seed N]";

/// What is simulated.
#[derive(Debug, Clone, Copy)]
struct Options {
    /// Requests in each scenario.
    requests: u64,
    /// Where all chance comes from.
    seed: u64,
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}\n\n{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    println!("{} requests a scenario, seed {}", options.requests, options.seed);
    let mut faults = counters::report(options.requests, options.seed);
    faults.extend(revocations::report(options.requests, options.seed));
    if faults.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!();
    for fault in &faults {
        eprintln!("FAILED: {fault}");
    }
    let Options { requests, seed } = options;
    eprintln!("to see it again: cargo xtask simulate --requests {requests} --seed {seed}");
    ExitCode::FAILURE
}

fn options() -> Result<Options, lexopt::Error> {
    let mut options = Options { requests: 1_000_000, seed: 1 };
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("requests") => options.requests = arguments.value()?.parse()?,
            Long("seed") => options.seed = arguments.value()?.parse()?,
            other => return Err(other.unexpected()),
        }
    }
    Ok(options)
}
