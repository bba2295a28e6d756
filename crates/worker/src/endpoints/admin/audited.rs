//! An act of an administrator in the audit: an entry before it is done, and one that says what came of it.

use serde_json::Value;

use super::{Admin, Answer, Failure};
use crate::{fault::report, objects::watch_stub};
use edgegate::{
    error::{Error, StoreError},
    json,
    policy::Audit,
    watch::audit::{Act, BEGUN, DONE},
};

/// What came of one whose answer could not be made.
const FAULT: &str = "FAULT";

/// An act that is about to be done.
#[must_use = "what came of it is to be written"]
pub(super) struct Begun {
    /// `None`: there is no audit.
    act: Option<Act>,
}

/// Writes that it begins.
///
/// # Errors
/// [`Error::StoreUnavailable`]: there is no entry, and the policy wants one. Then it must not be done.
pub(super) async fn begin(admin: &Admin<'_>, actor: &str, action: &str) -> Result<Begun, Error> {
    let policy = admin.call.gate.policy.watch.as_ref().map(|watch| watch.audit);
    let Some(policy @ (Audit::Required | Audit::BestEffort)) = policy else {
        return Ok(Begun { act: None });
    };
    let act = Act {
        actor: actor.to_owned(),
        action: action.to_owned(),
        target: admin.target.borrow().clone(),
        outcome: BEGUN.to_owned(),
        of: 0,
    };
    let of = match watch_stub::append(admin.call.env, &act).await {
        Ok(of) => of,
        Err(fault) if policy == Audit::Required => {
            let problem = format!("nothing was done: {fault}");
            return Err(Error::StoreUnavailable { store: "audit", problem });
        }
        Err(fault) => {
            untold(&act, &fault);
            0
        }
    };
    Ok(Begun { act: Some(Act { of, ..act }) })
}

impl Begun {
    /// Writes what came of it. If that fails, the answer stays what it is: the act is done.
    pub(super) async fn end(self, admin: &Admin<'_>, answer: &Answer) {
        let Some(act) = self.act else { return };
        let outcome = match answer {
            Ok(response) if response.status() < 400 => DONE,
            Err(Failure::Refused(error)) => error.code().as_str(),
            Ok(_) | Err(Failure::Runtime(_)) => FAULT,
        };
        let target = admin.target.borrow().clone();
        let act = Act { target, outcome: outcome.to_owned(), ..act };
        if let Err(fault) = watch_stub::append(admin.call.env, &act).await {
            untold(&act, &fault);
        }
    }
}

fn untold(act: &Act, fault: &StoreError) {
    let Act { actor, action, outcome, .. } = act;
    report(&format!("audit: no entry of {action} by {actor}, {outcome}: {fault}"));
}

impl Admin<'_> {
    /// The act is about this subject, of the gate's own sessions: what the entry has is the pseudonym that events have.
    pub(super) fn is_about_subject(&self, subject: &str) {
        let policy = &self.call.gate.policy;
        let Some(watch) = &policy.watch else { return };
        let issuer = policy.sessions.as_ref().map(|own| own.issuer.as_str());
        self.is_about(watch.pseudonyms.subject(issuer, subject));
    }

    /// The act is about what an answer has the id of.
    pub(super) fn is_about_id_in(&self, answer: &str) {
        let answer = json::parse_object(answer.as_bytes()).unwrap_or_default();
        if let Some(id) = answer.get("id").and_then(Value::as_str) {
            self.is_about(id);
        }
    }

    /// The act is about the subject that a body names.
    pub(super) fn is_about_subject_in(&self, body: &[u8]) {
        let body = json::parse_object(body).unwrap_or_default();
        if let Some(subject) = body.get("subject").and_then(Value::as_str) {
            self.is_about_subject(subject);
        }
    }
}
