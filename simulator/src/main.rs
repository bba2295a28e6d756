//! Runs the gate's own steps (limits, leases, shared counters, snapshots of revocations, sessions, grants, accounts, the watch) in virtual time, with the faults of a
//! network: delay, loss, restarts, evictions, wrong clocks.
//!
//! `cargo xtask simulate [--sessions|--grants|--accounts|--watch] [--requests N] [--seed N]`. The same seed gives the same run, on every machine. It fails if an exact
//! limit was exceeded in any window, a revocation came later than the policy allows, the network logged a user out, a theft was not
//! found that has to be found, a provider was asked twice for the same tokens, or a password or code let somebody in that may not. `--user N` shows what happened to one user.

mod accounts;
mod alarms;
mod check;
mod counters;
mod grants;
mod kv;
mod parallel;
mod revocations;
mod sessions;
mod watch;
mod world;

use std::process::ExitCode;

use lexopt::prelude::*;

const USAGE: &str = "Usage: cargo xtask simulate [--sessions|--grants|--accounts|--watch] [--requests N] [--seed N], or --user N";

/// What is simulated.
#[derive(Debug, Clone, Copy)]
struct Options {
    /// Requests in each scenario.
    requests: u64,
    /// The seed of all chance.
    seed: u64,
    /// Shows only this user of the sessions.
    user: Option<u64>,
    /// The only part that is simulated; `None`: all.
    only: Option<Part>,
}

/// What can be simulated by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Sessions,
    Grants,
    Accounts,
    Watch,
}

impl Options {
    /// Whether a part is simulated.
    fn runs(&self, part: Part) -> bool {
        self.only.is_none_or(|only| only == part)
    }
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}\n\n{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    if let Some(user) = options.user {
        sessions::replay(user);
        return ExitCode::SUCCESS;
    }
    println!("{} requests a scenario, seed {}", options.requests, options.seed);
    let mut faults = Vec::new();
    if options.only.is_none() {
        faults.extend(counters::report(options.requests, options.seed));
        faults.extend(revocations::report(options.requests, options.seed));
    }
    if options.runs(Part::Sessions) {
        faults.extend(sessions::report(options.requests, options.seed));
    }
    if options.runs(Part::Grants) {
        faults.extend(grants::report(options.requests, options.seed));
    }
    if options.runs(Part::Accounts) {
        // Each attempt computes a hash.
        faults.extend(accounts::report(options.requests / 10, options.seed));
    }
    if options.runs(Part::Watch) {
        faults.extend(watch::report(options.requests, options.seed));
        faults.extend(alarms::report((options.requests / 1_000).min(2_000), options.seed));
    }
    if faults.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!();
    for fault in &faults {
        eprintln!("FAILED: {fault}");
    }
    let Options { requests, seed, .. } = options;
    eprintln!("to see it again: cargo xtask simulate --requests {requests} --seed {seed}");
    ExitCode::FAILURE
}

fn options() -> Result<Options, lexopt::Error> {
    let mut options = Options { requests: 1_000_000, seed: 1, user: None, only: None };
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("requests") => options.requests = arguments.value()?.parse()?,
            Long("seed") => options.seed = arguments.value()?.parse()?,
            Long("user") => options.user = Some(arguments.value()?.parse()?),
            Long("sessions") => options.only = Some(Part::Sessions),
            Long("grants") => options.only = Some(Part::Grants),
            Long("accounts") => options.only = Some(Part::Accounts),
            Long("watch") => options.only = Some(Part::Watch),
            other => return Err(other.unexpected()),
        }
    }
    Ok(options)
}
