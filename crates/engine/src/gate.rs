//! `createGate`: the guard over what the host can do.
//!
//! A check is a future that is polled by hand. If it needs the host (stores, RSA and ECDSA, an issuer's keys), it
//! leaves jobs. The shell does the jobs and comes back with the answers ([`task`]). Many checks run at once; each owns
//! its future.

mod account_administration;
mod account_endpoints;
mod accounts;
mod administered;
mod administration;
mod backend;
mod decision;
mod endpoint_answer;
mod endpoints;
mod examine;
mod grants;
mod late;
mod lines;
mod login_endpoints;
mod logins;
mod mail_waits;
mod mails;
mod options;
mod own_endpoint;
mod session_work;
mod sessions;
mod stores;
mod task;
mod watch_endpoints;
mod watch_work;
mod watching;

use std::cell::RefCell;
use std::rc::Rc;

use wasm_bindgen::prelude::wasm_bindgen;

use self::backend::Gate;
use super::exchange::{self, Status, millis};
use super::fields::unexpected;
use super::handles::{Handles, no_such_handle};
use edgegate::account::common_passwords;
use edgegate::base64url;

thread_local! {
    static GATES: RefCell<Handles<Rc<Gate>>> = const { RefCell::new(Handles::new()) };
}

/// Takes a gate's options, `length` bytes of JSON, and leaves its handle.
#[wasm_bindgen(js_name = createGate)]
pub fn create_gate(length: usize) -> u32 {
    exchange::run(|| {
        let gate = exchange::with_secret_text(length, options::gate)?;
        exchange::leave_handle(GATES.with_borrow_mut(|all| all.add(Rc::new(gate))));
        Ok(Status::Done)
    })
}

/// Reads a policy as the Worker does, `length` bytes of JSON in the form of [`examine::policy`]. The text of `DONE` is what it needs.
#[wasm_bindgen(js_name = checkPolicy)]
pub fn check_policy(length: usize) -> u32 {
    exchange::run(|| {
        exchange::leave_own_text(exchange::with_secret_text(length, examine::policy)?);
        Ok(Status::Done)
    })
}

/// Makes a list of common passwords. The text has their fingerprints, 8 bytes each with the highest first, in base64url; the text of `DONE` is
/// the list in base64url.
#[wasm_bindgen(js_name = passwordList)]
pub fn password_list(length: usize) -> u32 {
    exchange::run(|| {
        let list = exchange::with_text(length, |text| {
            let bytes = base64url::decode(text)?;
            let prints = bytes.as_chunks().0.iter().map(|print| u64::from_be_bytes(*print));
            common_passwords::encode(prints.collect()).ok()
        })?;
        exchange::leave_own_text(base64url::encode(&list.ok_or_else(unexpected)?));
        Ok(Status::Done)
    })
}

/// Forgets a gate. Checks that are running keep what they need of it.
#[wasm_bindgen(js_name = freeGate)]
pub fn free_gate(handle: usize) {
    GATES.with_borrow_mut(|all| all.remove(handle));
}

/// Begins to check the request of `length` bytes, in the lines of [`decision::Asked`], at `now_millis`.
///
/// `DONE`: the text is the decision, and a token's claims are in the slot of the key's name. If there are jobs whose answers
/// nobody waits for, `ISSUER` is 1, and they are the first line of the text.
/// `PENDING`: the text is a list of jobs, and the handle of the task is in its slot. [`resume_task`] takes the
/// answers.
#[wasm_bindgen(js_name = checkRequest)]
pub fn check_request(handle: usize, length: usize, now_millis: f64) -> u32 {
    exchange::run(|| {
        let gate = GATES
            .with_borrow_mut(|all| all.get_mut(handle).map(|gate| Rc::clone(gate)))
            .ok_or_else(no_such_handle)?;
        let request = exchange::with_text(length, decision::Asked::parse)??;
        task::begin(millis(now_millis), |jobs| async {
            Ok(decision::check(gate, request, jobs).await)
        })
    })
}

/// Begins to explain what [`check_request`] would say to the same text, and does nothing of what it does. It returns what that does; the
/// text of `DONE` is the explanation as JSON.
#[wasm_bindgen(js_name = explainRequest)]
pub fn explain_request(handle: usize, length: usize, now_millis: f64) -> u32 {
    exchange::run(|| {
        let gate = GATES
            .with_borrow_mut(|all| all.get_mut(handle).map(|gate| Rc::clone(gate)))
            .ok_or_else(no_such_handle)?;
        let request = exchange::with_text(length, decision::Asked::parse)??;
        task::begin(millis(now_millis), |jobs| async {
            Ok(decision::explain(gate, request, jobs).await)
        })
    })
}

/// Answers a request for an endpoint of sessions, logins, accounts or their administration, in the lines of [`endpoints::handle`]. It returns what [`check_request`] does.
#[wasm_bindgen(js_name = handleRequest)]
pub fn handle_request(handle: usize, length: usize, now_millis: f64) -> u32 {
    exchange::run(|| {
        let gate = GATES
            .with_borrow_mut(|all| all.get_mut(handle).map(|gate| Rc::clone(gate)))
            .ok_or_else(no_such_handle)?;
        let request = exchange::with_text(length, endpoints::parse)??;
        task::begin(millis(now_millis), |jobs| async {
            Ok(endpoints::handle(gate, request, jobs).await)
        })
    })
}

/// Begins to do what an administrator asks for, `length` bytes of JSON. It returns what [`check_request`] does; the text
/// of `DONE` is the answer of the Worker's endpoint.
#[wasm_bindgen(js_name = administer)]
pub fn administer(handle: usize, length: usize, now_millis: f64) -> u32 {
    exchange::run(|| {
        let gate = GATES
            .with_borrow_mut(|all| all.get_mut(handle).map(|gate| Rc::clone(gate)))
            .ok_or_else(no_such_handle)?;
        let asked = exchange::with_text(length, administration::Asked::parse)??;
        task::begin(millis(now_millis), |jobs| administration::administer(gate, asked, jobs))
    })
}

/// Takes the answers to the jobs of a task, `length` bytes of JSON: `[{id, value}` or `{id, problem}, …]`.
#[wasm_bindgen(js_name = resumeTask)]
pub fn resume_task(handle: usize, length: usize, now_millis: f64) -> u32 {
    exchange::run(|| {
        let answers = exchange::with_text(length, task::Answer::parse)??;
        task::resume(handle, answers, millis(now_millis))
    })
}

/// Forgets a task that nobody waits for.
#[wasm_bindgen(js_name = dropTask)]
pub fn drop_task(handle: usize) {
    task::abandon(handle);
}
