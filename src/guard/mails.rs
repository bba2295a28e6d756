//! A mail that waits, made ready for whoever sends it. An edge hands it over, and the rows hear what came of it.

use crate::{
    account::{
        mail::{Mail, MailId, MailKind, associated_data},
        mailbox::WaitingMail,
    },
    policy::{AccountPolicy, MailRoute},
    secret::Secret,
    store::key_ring::RingCrypto,
    time::{UnixMillis, UnixTime},
    watch::{message::signed, state::Delivery},
};

/// A mail that is to be handed over now.
#[expect(missing_debug_implementations, reason = "whoever has it has the link")]
pub struct ReadyMail<'p> {
    /// The same however often it is tried: receivers know by it what came twice.
    pub id: String,
    /// What it is about.
    pub kind: MailKind,
    /// As JSON.
    pub body: String,
    /// How it is handed over.
    pub route: &'p MailRoute,
}

/// Opens a mail, and writes its message.
///
/// # Errors
/// What came of it, where there is nothing to hand over. One to nobody is done at once. One whose link is over is not sent: it would say that
/// it is good for no second. Nor is one of a policy that sends no mails any more.
pub async fn ready<'p>(
    accounts: &'p AccountPolicy,
    crypto: &impl RingCrypto,
    (id, waiting): (&MailId, &WaitingMail),
    now: UnixMillis,
) -> Result<ReadyMail<'p>, Delivery> {
    let Some(kind) = waiting.kind else { return Err(Delivery::Taken) };
    let policy = accounts.mail.as_ref().filter(|_| !waiting.is_late(now));
    let Some(policy) = policy else { return Err(Delivery::Refused) };
    let key = accounts.secrets.mails();
    let opened = crypto.open(key, &waiting.sealed, &associated_data(&waiting.row)).await;
    let Ok(opened) = opened else { return Err(Delivery::Refused) };
    let opened = core::str::from_utf8(opened.expose_secret()).unwrap_or_default();
    let mail = Mail { kind, account: &waiting.account, opened, until: waiting.until };
    let body = mail.message(policy.sender(kind), now.to_unix_time()).ok_or(Delivery::Refused)?;
    Ok(ReadyMail { id: format!("mail_{id}"), kind, body, route: &policy.route })
}

impl ReadyMail<'_> {
    /// The headers of a webhook.
    #[must_use]
    pub fn signed(&self, secret: &Secret, now: UnixTime) -> Vec<(&'static str, String)> {
        signed(secret, &self.id, now, &self.body)
    }
}
