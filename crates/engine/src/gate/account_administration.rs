//! What administrators do with accounts: over HTTP for `gate.handle`, as `crates/worker/src/endpoints/admin/accounts.rs` does it, and by
//! `gate.accounts`, where the application has checked who asks.

use std::rc::Rc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::accounts::GateAccounts;
use super::administered;
use super::backend::{Gate, HostBackend};
use super::endpoint_answer::{Call, written};
use super::grants;
use super::mails;
use super::own_endpoint::{OwnAnswer, check_method};
use super::session_work;
use super::task::{HostJobs, Job, Outcome};
use super::watch_work;
use edgegate::account::row::SUBJECT_PREFIX;
use edgegate::error::Error;
use edgegate::guard::accounts::AccountFlow;
use edgegate::guard::administration::{administrator, role_for};
use edgegate::guard::session::endpoints::Answer;
use edgegate::guard::{AskedBy, Event, Request};
use edgegate::http::account_endpoints::AdminAccountEndpoint;
use edgegate::http::reply::Fields;
use edgegate::http::session_endpoints::matched;
use edgegate::policy::{Audit, Policy, Role};

/// The largest body, as in the Worker.
const MAX_BODY: usize = 64 * 1024;

/// What is before the paths in the names of acts, as in `role_for`.
const ADMIN: &str = "/admin";

/// The endpoint that a path below the prefix fits, of a policy that has administrators and accounts; and the segment in the place of `{id}`.
/// As everywhere in administration, a slash at the end does not count.
pub(super) fn find<'p>(policy: &Policy, below: &'p str) -> Option<(AdminAccountEndpoint, &'p str)> {
    policy.admin.as_ref().and(policy.accounts.as_ref())?;
    let below = below.strip_suffix('/').unwrap_or(below);
    AdminAccountEndpoint::ALL
        .into_iter()
        .find_map(|endpoint| Some((endpoint, matched(endpoint.path(), below)?)))
}

/// Answers a request for such an endpoint; `None`: its body is wanted first. Who asks is checked before anything is read.
pub(super) async fn answered(
    gate: &Gate,
    call: Call<'_>,
    (endpoint, id): (AdminAccountEndpoint, &str),
    jobs: &HostJobs,
) -> Option<OwnAnswer> {
    let (asked, request, more) = call;
    let policy = &gate.policy;
    let actor = match administrator(policy, &gate.memory.failures(policy), request, jobs.now()) {
        Ok(actor) => actor,
        Err(error) => {
            let refused = (error, administered::LOGGED_AS);
            return Some(administered::shut_out(gate, (asked, request), refused, jobs));
        }
    };
    let path = endpoint.path().strip_prefix(ADMIN).unwrap_or_default();
    let role = role_for(request.method, path);
    let allowed = check_method(endpoint.methods(), request.method)
        .and_then(|()| actor.require(role))
        .and_then(|()| check_audit(policy, role));
    let has_body = matches!(request.method, "POST" | "PATCH");
    if allowed.is_ok() && has_body && !more.has_body {
        return None;
    }
    let done = match allowed.and_then(|()| more.at_most(MAX_BODY)) {
        Ok(body) => {
            let by = AskedBy { route: administered::LOGGED_AS, actor: Some(actor.name()) };
            over_http(gate, ((request, by), body), (endpoint, id), jobs).await
        }
        Err(error) => Err(error),
    };
    let answer = match &done {
        Ok(answer) => written(gate, answer, Fields::new(), jobs),
        Err(error) => OwnAnswer::refused(error, administered::carrier_of(request), asked),
    };
    let who = (request, actor.name());
    administered::note(gate, who, (answer.status, done.as_ref().err()), true, jobs);
    if role != Role::Read && audit_of(policy) == Some(Audit::BestEffort) {
        let act = format!("{} {path} by {}, {}", request.method, actor.name(), answer.status);
        let event = Event::fault(format!("audit: no entry of {act}: {NO_AUDIT}"));
        jobs.tell(&Job::Note { event: event.at(jobs.now()) });
    }
    Some(answer)
}

const NO_AUDIT: &str = "the npm package keeps none";

fn audit_of(policy: &Policy) -> Option<Audit> {
    policy.watch.as_ref().map(|watch| watch.audit)
}

/// Where the policy wants an entry of each act, none is done without it: this edge can write none.
fn check_audit(policy: &Policy, role: Role) -> Result<(), Error> {
    if role == Role::Read || audit_of(policy) != Some(Audit::Required) {
        return Ok(());
    }
    let problem = format!("nothing was done: {NO_AUDIT}, expected watch.audit best-effort or off");
    Err(Error::StoreUnavailable { store: "audit", problem })
}

async fn over_http(
    gate: &Gate,
    ((request, by), body): ((&Request<'_>, AskedBy<'_>), &[u8]),
    (endpoint, id): (AdminAccountEndpoint, &str),
    jobs: &HostJobs,
) -> Result<Answer, Error> {
    use AdminAccountEndpoint as At;
    let act = match (endpoint, request.method) {
        (At::All, _) => Act::Create(body),
        (At::Find, _) => Act::Find(body),
        (At::Invite, _) => Act::Invite(body),
        (At::Prepare, _) => Act::Prepare(body),
        (At::One, "PATCH") => Act::Change(id, body),
        (At::One, "DELETE") => Act::Delete(id),
        (At::One, _) => Act::Show(id),
    };
    carry_out(gate, (request, by), act, jobs).await
}

/// Something that an administrator does. Bodies are those of the endpoints.
enum Act<'a> {
    Create(&'a [u8]),
    Invite(&'a [u8]),
    Prepare(&'a [u8]),
    Find(&'a [u8]),
    FindBy(&'a str),
    Show(&'a str),
    Change(&'a str, &'a [u8]),
    Delete(&'a str),
}

async fn carry_out(
    gate: &Gate,
    (request, by): (&Request<'_>, AskedBy<'_>),
    act: Act<'_>,
    jobs: &HostJobs,
) -> Result<Answer, Error> {
    let (backend, edge): (HostBackend<'_>, _) = (gate.backend(jobs), GateAccounts { gate, jobs });
    let accounts = AccountFlow::new(&gate.policy, (&backend, &edge), request, jobs.now())?;
    let done = match act {
        Act::Create(body) => accounts.create(body).await,
        Act::Invite(body) => accounts.invite(body).await,
        Act::Prepare(body) => accounts.prepare(body).await,
        Act::Find(body) => accounts.find(body).await,
        Act::FindBy(email) => accounts.find_by(email).await,
        Act::Show(id) => accounts.show(id).await,
        Act::Change(id, body) => accounts.change(id, body).await,
        Act::Delete(id) => match accounts.delete(id).await {
            Ok(answer) => {
                grants::forget(gate, jobs, &format!("{SUBJECT_PREFIX}{id}")).await.map(|()| answer)
            }
            refused => refused,
        },
    };
    watch_work::note_accounts(gate, (request, by), &accounts.take_done(), jobs);
    done
}

/// What `gate.accounts` asks for. `body` is the body that the Worker's endpoint takes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) enum AccountsAsked {
    Create {
        body: Box<RawValue>,
    },
    Invite {
        body: Box<RawValue>,
    },
    Find {
        email: String,
    },
    Get {
        id: String,
    },
    Update {
        id: String,
        body: Box<RawValue>,
    },
    Delete {
        id: String,
    },
    /// Hand over mails that are due. The answer is after how many milliseconds it is to be asked again, or `null`.
    HandMails {},
}

pub(super) async fn administer(
    gate: Rc<Gate>,
    asked: AccountsAsked,
    jobs: Rc<HostJobs>,
) -> Result<Outcome, Error> {
    if gate.policy.accounts.is_none() {
        let problem = "the policy has none, so there is nothing to administer";
        return Err(Error::config("accounts", problem));
    }
    // An application asks, not a caller.
    let request = Request::bare("POST", "/");
    let by = AskedBy { route: "", actor: None };
    let act = match &asked {
        AccountsAsked::Create { body } => Act::Create(body.get().as_bytes()),
        AccountsAsked::Invite { body } => Act::Invite(body.get().as_bytes()),
        AccountsAsked::Find { email } => Act::FindBy(email),
        AccountsAsked::Get { id } => Act::Show(id),
        AccountsAsked::Update { id, body } => Act::Change(id, body.get().as_bytes()),
        AccountsAsked::Delete { id } => Act::Delete(id),
        AccountsAsked::HandMails {} => {
            let wait = mails::hand_over(&gate, &jobs).await;
            let text = wait.map_or_else(|| "null".to_owned(), |millis| millis.to_string());
            return Ok(Outcome { text, claims: None });
        }
    };
    let is_invitation = matches!(act, Act::Invite(_));
    let Answer { body, note, .. } = match carry_out(&gate, (&request, by), act, &jobs).await {
        Err(Error::NotFound) if is_invitation => {
            let problem = "nobody can be invited, expected accounts.mail and open or invitation";
            return Err(Error::config("accounts.registration", problem));
        }
        done => done?,
    };
    session_work::work_off(&gate, &jobs, &note);
    let text = if body.is_empty() { "null".to_owned() } else { body };
    Ok(Outcome { text, claims: None })
}
