//! Sessions: who is logged out by the network, and who finds a thief. The gate's own steps, beside the rules of the field.
//!
//! Users are independent: each has a subject with one writer, a few isolates whose clocks are up to a minute wrong, and a client that
//! is a browser with eight tabs or an application. Everything that happens to one user comes from one number, so that a user who was
//! logged out can be seen again: `cargo xtask simulate --user N`.

mod log_out;
mod ring;
mod rules;
mod theft;
mod users;

use crate::{parallel, world::quantile};

use self::rules::{RULES, Rule};
pub(crate) use self::users::replay;

/// This many of each are enough for the table of rules.
const COMPARED: u64 = 300;

/// What a scenario has found.
#[derive(Debug, Default)]
struct Report {
    text: String,
    faults: Vec<String>,
}

/// Runs the scenarios, prints what they have found, and returns what failed.
pub(crate) fn report(refreshes: u64, seed: u64) -> Vec<String> {
    // A table takes as long as a million refreshes; a short run has a short one.
    let compared = COMPARED.min(refreshes / 1_000 + 20);
    let scenarios: [&(dyn Fn() -> Report + Sync); 5] = [
        &|| users(refreshes, seed),
        &|| Report { text: table(compared, seed), ..Report::default() },
        &|| theft::report(compared, seed),
        &|| log_out::report(refreshes / 10, seed),
        &|| ring::report(seed),
    ];
    let mut faults = Vec::new();
    for report in parallel::each(&scenarios, |scenario| scenario()) {
        println!("\n{}", report.text);
        faults.extend(report.faults);
    }
    faults
}

/// Who is logged out by the network.
fn users(refreshes: u64, seed: u64) -> Report {
    let outcome = users::run(refreshes, seed);
    let text = format!(
        "Sessions: {refreshes} refreshes; 5 % lost answers, 8 tabs, gaps of 8 hours, restarts, evictions, clocks of isolates 60 s wrong\n{outcome}"
    );
    let fault = outcome.logged_out.first().map(|user| {
        format!(
            "sessions: {} of {} users were logged out; the first: cargo xtask simulate --user {user}",
            outcome.logged_out.len(),
            outcome.users
        )
    });
    Report { text, faults: fault.into_iter().collect() }
}

/// The rules of the field beside the gate's.
fn table(compared: u64, seed: u64) -> String {
    let mut lines = vec![format!(
        "{:34} {:>11} {:>11} {:>11} {:>9} {:>10} {:>9} {:>10}",
        "", "5 % lost", "1 %, killed", "8 tabs", "found", "median", "rhythm", "still in"
    )];
    lines.extend(parallel::each(&RULES, |(name, rule)| row(name, *rule, (compared, seed))));
    lines.push(
        "(users logged out in a week of an application with lost answers; with killed before saving too; of a browser; thefts found, after how long;"
            .to_owned(),
    );
    lines.push(
        " the same of a thief who refreshes once between two of the victim's, and is still in after a week)".to_owned(),
    );
    lines.join("\n")
}

fn row(name: &str, rule: Rule, (compared, seed): (u64, u64)) -> String {
    let weeks = |lost, killed, kind: users::Kind| {
        let ended = (0..compared)
            .filter(|user| users::loses_in_a_week(rule, kind, (lost, killed), seed ^ (user << 20)))
            .count();
        100.0 * ended as f64 / compared as f64
    };
    let stolen = theft::stolen(rule, theft::Thief::Usual, compared, seed);
    let rhythm = theft::stolen(rule, theft::Thief::Rhythm, compared, seed);
    format!(
        "{name:34} {:>9.0} % {:>9.0} % {:>9.0} % {:>7.0} % {:>6.0} min {:>7.0} % {:>8.0} %",
        weeks(50_000, 0, users::Kind::Application),
        weeks(10_000, 2_000, users::Kind::Application),
        weeks(10_000, 0, users::Kind::Browser),
        100.0 * stolen.found.len() as f64 / compared as f64,
        quantile(&stolen.found, 0.5) as f64 / 60_000.0,
        100.0 * rhythm.found.len() as f64 / compared as f64,
        100.0 * rhythm.still_in as f64 / compared as f64,
    )
}
