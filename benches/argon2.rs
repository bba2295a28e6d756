//! The gate's hash of a password, natively: `MEMORY_KIB PASSES ROUNDS`. Prints the milliseconds of processor time of each round, and by how many MiB
//! the process grew for the first hash, as JSON. `benches/rows/accounts.mjs` puts it beside the Worker.

#![allow(clippy::print_stdout, reason = "it is what this is for")]

use std::fs;
use std::sync::OnceLock;
use std::thread;
use std::time::Instant;

use edgegate::account::hash::{Cost, PasswordHash, Peppers, SALT_BYTES};
use edgegate::secret::Secret;

const PASSWORD: &[u8] = b"quiet river, late boat";

fn main() {
    // Cargo adds `--bench`.
    let numbers: Vec<u32> = std::env::args().filter_map(|text| text.parse().ok()).collect();
    let [memory_kib, passes, rounds] = numbers[..] else {
        eprintln!("expected MEMORY_KIB PASSES ROUNDS: cargo xtask bench --only argon2");
        return;
    };
    let peppers = Peppers::new(vec![(1, Secret::new(vec![7; 32]))]);
    let cost = Cost { memory_kib, passes };
    let timed = || {
        let began = processor_ms();
        let hash = PasswordHash::new(PASSWORD, [1; SALT_BYTES], cost, &peppers);
        assert!(hash.is_some(), "argon2 does not take this cost");
        format!("{:.3}", processor_ms() - began)
    };
    let before = most_memory_mib();
    timed();
    let memory = most_memory_mib() - before;
    let times: Vec<String> = (0..rounds).map(|_| timed()).collect();
    println!("{{\"times\":[{}],\"memory\":{memory:.1}}}", times.join(","));
}

/// What other programs take meanwhile is not in it. Where there is no `/proc`, it is the time that passes.
fn processor_ms() -> f64 {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    // The scheduler counts a thread up to when it has last let others run.
    thread::yield_now();
    let told = fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanos = told.split(' ').next().and_then(|text| text.parse::<f64>().ok());
    let passed = || BEGAN.get_or_init(Instant::now).elapsed().as_secs_f64() * 1e3;
    nanos.map_or_else(passed, |nanos| nanos / 1e6)
}

/// 0 where there is no `/proc`.
fn most_memory_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}
