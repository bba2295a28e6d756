//! Hands mails over to whoever sends them: what they say is [`edgegate::guard::mails`]'s.

use worker::Env;

use super::{
    delivery::{delivered, post, request},
    host,
    web_crypto::RuntimeCrypto,
};
use edgegate::{
    account::{mail::MailId, mailbox::WaitingMail},
    guard::mails::ready,
    policy::{AccountPolicy, MailRoute},
    time::UnixMillis,
    watch::state::Delivery,
};

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
    let kind = mail.kind.as_str();
    delivered(handed, || format!("accounts: the mail {kind} was not taken")).await
}
