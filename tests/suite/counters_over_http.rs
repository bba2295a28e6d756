//! The contract of stores (`tests/support/contract.rs`) for the counter objects of a running Worker, through the leases of
//! an isolate. `tests/worker/contract.test.mjs` starts one and runs this against it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::contract;
use crate::counters::{Counter, ThroughLeases};
use crate::gate::run;
use edgegate::limit::Limit;
use edgegate::limit::lease::{Borrow, Grant, Unspent};
use edgegate::time::UnixMillis;
use edgegate::{error::StoreError, limit::CounterGroup};
use serde_json::{Value, json};

/// Counter objects by their own clock.
#[derive(Default)]
struct Objects;

impl Objects {
    fn ask(&self, group: &CounterGroup, limits: &[Limit], op: &Value) -> Result<Grant, StoreError> {
        let address = std::env::var("EDGEGATE_ADDRESS").unwrap();
        let body = json!({"op": op, "limits": limits}).to_string();
        let mut stream = TcpStream::connect(address).unwrap();
        write!(
            stream,
            "POST /{group} HTTP/1.1\r\nHost: objects\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len(),
        )
        .unwrap();
        // The runtime keeps the connection open, so the answer ends where it says.
        let mut answer = Vec::new();
        let mut read = [0; 4096];
        loop {
            let count = stream.read(&mut read).unwrap();
            assert!(count > 0, "{}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&read[..count]);
            let text = std::str::from_utf8(&answer).unwrap();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            assert!(head.starts_with("HTTP/1.1 200"), "{text}");
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
            if length.unwrap().parse() == Ok(body.len()) {
                return Ok(serde_json::from_str(body).unwrap());
            }
        }
    }
}

impl Counter for Objects {
    fn take(
        &self,
        group: &CounterGroup,
        limits: &[Limit],
        ask: Borrow,
        _now: UnixMillis,
    ) -> Result<Grant, StoreError> {
        self.ask(group, limits, &json!({"take": ask}))
    }

    fn give_back(
        &self,
        group: &CounterGroup,
        limits: &[Limit],
        unspent: Unspent,
    ) -> Result<(), StoreError> {
        self.ask(group, limits, &json!({"give_back": unspent})).map(|_| ())
    }
}

/// Every function of the contract counts in groups of its own, so one set of objects does for all. None of them moves
/// the clock: the objects' is real.
#[test]
#[ignore = "needs a running Worker: tests/worker/contract.test.mjs"]
fn counter_objects_obey_the_contract() {
    let fresh = ThroughLeases::<Objects>::default;
    run(contract::counters_are_kept_by_group_and_name(&fresh()));
    run(contract::counters_take_all_or_nothing(&fresh()));
    run(contract::counters_are_refunded(&fresh()));
    run(contract::counters_admit_exactly_the_limit_at_once(&fresh()));
    run(contract::counters_that_lend_admit_exactly_the_limit_in_the_end(&fresh()));
}
