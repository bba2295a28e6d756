//! Hands mails over to whoever sends them: what they say is [`edgegate::guard::mails`]'s.

use core::time::Duration;

use worker::Env;

use super::{deadline, fault::report, host, web_crypto::RuntimeCrypto};
use edgegate::{
    account::{mail::MailId, mailbox::WaitingMail},
    guard::mails::ready,
    policy::{AccountPolicy, MailRoute},
    secret::Secret,
    time::UnixMillis,
    watch::state::Delivery,
};

/// How long handing one over may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A name for the other Worker's address: it is bound, so nobody else gets it.
const SERVICE_URL: &str = "https://mail.invalid/";

/// Hands a mail over.
pub(super) async fn send(
    env: &Env,
    accounts: &AccountPolicy,
    mail: (&MailId, &WaitingMail),
    now: UnixMillis,
) -> Delivery {
    let mail = match ready(accounts, &RuntimeCrypto, mail, now).await {
        Ok(mail) => mail,
        Err(done) => return done,
    };
    let handed = async {
        match mail.route {
            MailRoute::Webhook { url, secret } => {
                post(url, &mail.signed(secret, now.to_unix_time()), &mail.body).await
            }
            // What a queue has taken, it has.
            MailRoute::Queue(name) => {
                host::send_to_queue(env, name, &mail.body).await.map(|()| 202)
            }
            MailRoute::Service(name) => {
                let id = [("webhook-id", mail.id.clone())];
                let request = request(SERVICE_URL, &id, &mail.body)?;
                let answer = env.service(name)?.fetch_request(request).await?;
                Ok(answer.status_code())
            }
            // A policy with one is refused.
            MailRoute::Function => Err("the Worker has no functions".into()),
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
        report(&format!("accounts: the mail {} was not taken: {status}", mail.kind.as_str()));
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
