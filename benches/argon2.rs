//! The gate's hash of a password, natively: `MEMORY_KIB PASSES ROUNDS`. Prints the milliseconds of each round, and by how many MiB the process
//! grew for the first hash, as JSON. `benches/rows/accounts.mjs` puts it beside the Worker.

#![allow(clippy::print_stdout, reason = "it is what this is for")]

use std::fs;
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
        let began = Instant::now();
        let hash = PasswordHash::new(PASSWORD, [1; SALT_BYTES], cost, &peppers);
        assert!(hash.is_some(), "argon2 does not take this cost");
        format!("{:.3}", began.elapsed().as_secs_f64() * 1e3)
    };
    let before = most_memory_mib();
    timed();
    let memory = most_memory_mib() - before;
    let times: Vec<String> = (0..rounds).map(|_| timed()).collect();
    println!("{{\"times\":[{}],\"memory\":{memory:.1}}}", times.join(","));
}

/// 0 where there is no `/proc`.
fn most_memory_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}
