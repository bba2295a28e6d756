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

use crate::world::quantile;

use self::rules::RULES;
pub(crate) use self::users::replay;

/// So many of each are enough for the table of rules.
const COMPARED: u64 = 300;

/// Runs the scenarios; returns what failed.
pub(crate) fn report(refreshes: u64, seed: u64) -> Vec<String> {
    let mut faults = Vec::new();
    println!();
    println!(
        "Sessions: {refreshes} refreshes; 5 % lost answers, 8 tabs, gaps of 8 hours, restarts, evictions, clocks of isolates 60 s wrong"
    );
    let outcome = users::run(refreshes, seed);
    println!("{outcome}");
    if let Some(user) = outcome.logged_out.first() {
        faults.push(format!(
            "sessions: {} of {} users were logged out; the first: cargo xtask simulate --user {user}",
            outcome.logged_out.len(),
            outcome.users
        ));
    }
    // A table takes as long as a million refreshes; a short run has a short one.
    let compared = COMPARED.min(refreshes / 1_000 + 20);
    table(compared, seed);
    faults.extend(theft::report(compared, seed));
    faults.extend(log_out::report(refreshes / 10, seed));
    faults.extend(ring::report(seed));
    faults
}

/// The rules of the field beside the gate's.
fn table(compared: u64, seed: u64) {
    println!();
    println!(
        "{:34} {:>11} {:>11} {:>11} {:>9} {:>10} {:>9} {:>10}",
        "", "5 % lost", "1 %, killed", "8 tabs", "found", "median", "rhythm", "still in"
    );
    for (name, rule) in RULES {
        let weeks = |lost, killed, kind: users::Kind| {
            let ended = (0..compared)
                .filter(|user| {
                    users::loses_in_a_week(rule, kind, (lost, killed), seed ^ (user << 20))
                })
                .count();
            100.0 * ended as f64 / compared as f64
        };
        let stolen = theft::stolen(rule, theft::Thief::Usual, compared, seed);
        let rhythm = theft::stolen(rule, theft::Thief::Rhythm, compared, seed);
        println!(
            "{name:34} {:>9.0} % {:>9.0} % {:>9.0} % {:>7.0} % {:>6.0} min {:>7.0} % {:>8.0} %",
            weeks(50_000, 0, users::Kind::Application),
            weeks(10_000, 2_000, users::Kind::Application),
            weeks(10_000, 0, users::Kind::Browser),
            100.0 * stolen.found.len() as f64 / compared as f64,
            quantile(&stolen.found, 0.5) as f64 / 60_000.0,
            100.0 * rhythm.found.len() as f64 / compared as f64,
            100.0 * rhythm.still_in as f64 / compared as f64,
        );
    }
    println!(
        "(users logged out in a week of an application with lost answers; with killed before saving too; of a browser; thefts found, after how long;"
    );
    println!(
        " the same of a thief who refreshes once between two of the victim's, and is still in after a week)"
    );
}
