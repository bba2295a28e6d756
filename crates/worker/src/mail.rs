//! Hands mails over to whoever sends them: what they say is [`edgegate::account::mail`]'s.

use core::time::Duration;

use worker::Env;

use super::{deadline, fault::report, host, web_crypto::RuntimeCrypto};
use edgegate::{
    account::{
        mail::{Mail, MailId, associated_data},
        mailbox::WaitingMail,
    },
    policy::{AccountPolicy, MailRoute},
    secret::Secret,
    store::key_ring::RingCrypto as _,
    time::UnixMillis,
    watch::{message::signed, state::Delivery},
};

/// How long handing one over may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A name for the other Worker's address: it is bound, so nobody else gets it.
const SERVICE_URL: &str = "https://mail.invalid/";

/// Hands a mail over. One to nobody is done at once. One whose link is over is not sent: it would say that it is good for no second.
pub(super) async fn send(
    env: &Env,
    accounts: &AccountPolicy,
    (id, waiting): (&MailId, &WaitingMail),
    now: UnixMillis,
) -> Delivery {
    let Some(kind) = waiting.kind else { return Delivery::Taken };
    if waiting.is_late(now) {
        return Delivery::Refused;
    }
    // A policy that sends no mails any more.
    let Some(policy) = &accounts.mail else { return Delivery::Refused };
    let key = accounts.secrets.mails();
    let opened = RuntimeCrypto.open(key, &waiting.sealed, &associated_data(&waiting.row)).await;
    let Ok(opened) = opened else { return Delivery::Refused };
    let opened = core::str::from_utf8(opened.expose_secret()).unwrap_or_default();
    let mail = Mail { kind, account: &waiting.account, opened, until: waiting.until };
    let Some(body) = mail.message(policy.sender(kind), now.to_unix_time()) else {
        return Delivery::Refused;
    };
    let handed = async {
        match &policy.route {
            MailRoute::Webhook { url, secret } => {
                let id = format!("mail_{id}");
                post(url, &signed(secret, &id, now.to_unix_time(), &body), &body).await
            }
            // What a queue has taken, it has.
            MailRoute::Queue(name) => host::send_to_queue(env, name, &body).await.map(|()| 202),
            MailRoute::Service(name) => {
                let id = [("webhook-id", format!("mail_{id}"))];
                let request = request(SERVICE_URL, &id, &body)?;
                let answer = env.service(name)?.fetch_request(request).await?;
                Ok(answer.status_code())
            }
        }
    };
    let status = deadline::within(PATIENCE, handed).await;
    let delivery = Delivery::of(match &status {
        Some(Ok(status)) => Some(*status),
        Some(Err(_)) | None => None,
    });
    if delivery != Delivery::Taken {
        // Not the fault itself: it may name the URL, which may be a secret.
        let status = match status {
            Some(Ok(status)) => format!("status {status}"),
            Some(Err(_)) => "no answer".to_owned(),
            None => "no answer in time".to_owned(),
        };
        report(&format!("accounts: the mail {} was not taken: {status}", kind.as_str()));
    }
    delivery
}

/// The status of the answer, which is not read. A redirect is not followed.
async fn post(url: &Secret, fields: &[(&'static str, String)], body: &str) -> worker::Result<u16> {
    let url = String::from_utf8_lossy(url.expose_secret());
    let request = request(&url, fields, body)?;
    Ok(worker::Fetch::Request(request).send().await?.status_code())
}

fn request(
    url: &str,
    fields: &[(&'static str, String)],
    body: &str,
) -> worker::Result<worker::Request> {
    let init = web_sys::RequestInit::new();
    init.set_method("POST");
    init.set_redirect(web_sys::RequestRedirect::Manual);
    init.set_body(&body.into());
    let request = web_sys::Request::new_with_str_and_init(url, &init)?;
    request.headers().set("Content-Type", "application/json")?;
    for (name, value) in fields {
        request.headers().set(name, value)?;
    }
    Ok(worker::Request::from(request))
}
