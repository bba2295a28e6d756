//! Several runs at a time: each has a world of its own.

use std::{num::NonZero, thread};

/// Runs each of these, as many at a time as there are cores. The results come in their order.
pub(crate) fn each<T: Sync, R: Send>(all: &[T], run: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let run = &run;
    let mut results = Vec::new();
    for some in all.chunks(cores) {
        thread::scope(|scope| {
            let running: Vec<_> = some.iter().map(|one| scope.spawn(move || run(one))).collect();
            // A run that panics has said why, and ends the program.
            results.extend(running.into_iter().map(|thread| thread.join().expect("a run failed")));
        });
    }
    results
}
