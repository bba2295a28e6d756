//! `/auth/admin/grants`: the accounts that a subject has connected. No token is shown.

use serde::Serialize;

use super::{Admin, Answer};
use crate::{grants::OwnGrants, reply};
use edgegate::{
    error::Error,
    grant::step::{EndGrants, GrantStep, ListedGrant},
};

#[derive(Serialize)]
struct List {
    grants: Vec<ListedGrant>,
}

#[derive(Serialize)]
struct Ended {
    ended: usize,
}

/// `GET /grants?subject=`.
pub(crate) async fn list(admin: &Admin<'_>) -> Answer {
    let subject = subject(admin)?;
    let grants = OwnGrants::of_subject(admin.call.gate, admin.call.env, &subject)?;
    let grants = grants.apply(&GrantStep::List).await?.grants;
    Ok(reply::json_with(200, &List { grants }, [])?)
}

/// `DELETE /grants?subject=&provider=&account=`.
pub(crate) async fn end(admin: &Admin<'_>) -> Answer {
    let subject = subject(admin)?;
    let query = admin.query();
    let which = EndGrants { provider: query.provider, account: query.account };
    let grants = OwnGrants::of_subject(admin.call.gate, admin.call.env, &subject)?;
    let ended = grants.end(which, admin.call.context).await?;
    Ok(reply::json_with(200, &Ended { ended }, [])?)
}

fn subject(admin: &Admin<'_>) -> Result<String, Error> {
    let subject = admin.query().subject.filter(|subject| subject.len() <= 255);
    subject.ok_or_else(|| Error::invalid_field("subject", "expected 1 to 255 bytes"))
}
