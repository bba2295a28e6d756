//! Mails that wait in the store of accounts are handed over here, behind the answer that has asked for them.
//!
//! Nothing wakes a store. Whoever takes a step of rows in which mails wait hears of it ([`super::mail_waits`]), and the shell comes back when
//! the next one is due. Should the process end before, the next step of the same rows, by whichever process, does it. A mail is taken out
//! before it is sent, so that of several processes one sends it.

use futures_util::future::{FutureExt as _, join_all};

use super::accounts::{ACCOUNTS, GateAccounts};
use super::backend::Gate;
use super::stores::HostSwap;
use super::task::{HostJobs, Job};
use edgegate::account::mail::MailId;
use edgegate::account::mailbox::WaitingMail;
use edgegate::account::step::Shard;
use edgegate::guard::Event;
use edgegate::guard::mails::{ReadyMail, ready};
use edgegate::policy::{AccountPolicy, MailRoute};
use edgegate::store::accounts::{ExchangedMails, SentMail, SharedAccounts};
use edgegate::watch::state::Delivery;

/// How long handing one over may take.
const PATIENCE_MILLIS: u64 = 10_000;

/// In how many shards at once.
const AT_ONCE: usize = 6;

/// How long after a fault of the store it is asked again.
const AFTER_FAULT_MILLIS: u64 = 60_000;

/// Hands over all that are due. Returns after how many milliseconds the next one is, if any waits.
pub(super) async fn hand_over(gate: &Gate, jobs: &HostJobs) -> Option<u64> {
    let due = gate.mails.take_due(jobs.now());
    if let Some(accounts) = &gate.policy.accounts {
        for some in due.chunks(AT_ONCE) {
            Work { gate, jobs, accounts }.hand_over(some).await;
        }
    }
    gate.mails.next().map(|at| at.millis_since(jobs.now()))
}

#[derive(Clone, Copy)]
struct Work<'a> {
    gate: &'a Gate,
    jobs: &'a HostJobs,
    accounts: &'a AccountPolicy,
}

impl Work<'_> {
    /// Those of these shards, until none is due.
    async fn hand_over(self, shards: &[Shard]) {
        let mut open: Vec<(Shard, Vec<SentMail>)> =
            shards.iter().map(|shard| (*shard, Vec::new())).collect();
        while !open.is_empty() {
            let mut taken = Vec::new();
            for (shard, sent) in open {
                taken.extend(
                    self.exchange(shard, &sent).await.into_iter().map(|mail| (shard, mail)),
                );
            }
            // Each future has memory of its own: so there is one kind of them, compiled once.
            let sending =
                taken.iter().map(|(_, (id, waiting))| self.send(id, waiting).boxed_local());
            let sent = join_all(sending).await;
            open = Vec::new();
            for ((shard, (id, _)), delivery) in taken.iter().zip(sent) {
                match open.iter_mut().find(|(known, _)| known == shard) {
                    Some((_, of_shard)) => of_shard.push((*id, delivery)),
                    None => open.push((*shard, vec![(*id, delivery)])),
                }
            }
        }
    }

    async fn exchange(self, shard: Shard, sent: &[SentMail]) -> Vec<(MailId, WaitingMail)> {
        let Self { gate, jobs, accounts } = self;
        let store = SharedAccounts::new(HostSwap { jobs, store: ACCOUNTS });
        let edge = GateAccounts { gate, jobs };
        match store.exchange_mails(shard, sent, accounts.terms(), &edge).await {
            Ok(ExchangedMails { taken, lost }) => {
                for kind in lost {
                    self.note(&format!("the mail {} is given up", kind.as_str()));
                }
                taken
            }
            Err(fault) => {
                self.note(&fault.to_string());
                let later = jobs.now().saturating_add(AFTER_FAULT_MILLIS);
                gate.mails.note(shard, (later, false), jobs);
                Vec::new()
            }
        }
    }

    async fn send(self, id: &MailId, waiting: &WaitingMail) -> Delivery {
        let Self { gate, jobs, accounts } = self;
        let mail = match ready(accounts, &gate.sessions(jobs), (id, waiting), jobs.now()).await {
            Ok(mail) => mail,
            Err(done) => return done,
        };
        let (delivery, problem) = match mail.route {
            MailRoute::Webhook { url, secret } => {
                let headers = mail.signed(secret, jobs.now().to_unix_time());
                let url = String::from_utf8_lossy(url.expose_secret());
                let (body, millis) = (mail.body.as_str(), PATIENCE_MILLIS);
                let job = Job::TellSink { url: &url, headers: &headers, body, millis };
                let status = jobs.ask::<Option<u16>>(job).await.ok().flatten();
                let problem = status.map(|status| format!("status {status}"));
                (Delivery::of(status), problem.unwrap_or_else(|| "no answer".to_owned()))
            }
            MailRoute::Function => (self.by_function(&mail).await, "it failed".to_owned()),
            // A policy with one is refused.
            MailRoute::Queue(_) | MailRoute::Service(_) => return Delivery::Refused,
        };
        if delivery != Delivery::Taken {
            // Not the fault itself: it may name the URL, which may be a secret.
            self.note(&format!("the mail {} was not taken: {problem}", mail.kind.as_str()));
        }
        delivery
    }

    async fn by_function(self, mail: &ReadyMail<'_>) -> Delivery {
        let (id, body) = (mail.id.as_str(), mail.body.as_str());
        let job = Job::TellMailer { id, body, millis: PATIENCE_MILLIS };
        match self.jobs.ask::<Option<bool>>(job).await {
            Ok(Some(true)) => Delivery::Taken,
            // There is no such function, so that it never will be told.
            Ok(None) => Delivery::Refused,
            Ok(Some(false)) | Err(_) => Delivery::Failed,
        }
    }

    fn note(self, problem: &str) {
        let event = Event::fault(format!("accounts: {problem}")).at(self.jobs.now());
        self.jobs.tell(&Job::Note { event });
    }
}
