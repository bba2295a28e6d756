//! Work that waits for the host: a future that is polled again when the host has answered.

use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::exchange::{self, Slot, Status};
use crate::handles::{Handles, no_such_handle};
use edgegate::error::Error;
use edgegate::error::StoreError;
use edgegate::guard::Event;
use edgegate::store::keyed::LateWrite;
use edgegate::time::UnixMillis;
use edgegate::watch::event::EventV1;

/// How many checks may run at once. With more, the host has stopped answering, or gets too many requests. At about
/// 2 KB each, they take 20 MB.
const MAX_TASKS: usize = 10_000;

thread_local! {
    static TASKS: RefCell<Handles<Task>> = const { RefCell::new(Handles::new()) };
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

/// The result of a task: the text, and the claims of a token.
pub(super) struct Outcome {
    pub(super) text: String,
    pub(super) claims: Option<String>,
}

struct Task {
    future: Pin<Box<dyn Future<Output = Result<Outcome, Error>>>>,
    jobs: Rc<HostJobs>,
}

/// Something that the host has to do.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Job<'a> {
    /// Read the values of these names. The answer is a list of texts and nulls.
    Get { store: &'a str, names: &'a [String] },
    /// Write a value.
    Put {
        store: &'a str,
        name: &'a str,
        value: &'a str,
        #[serde(rename = "ttlSecs", skip_serializing_if = "Option::is_none")]
        ttl_secs: Option<u64>,
    },
    /// Write a value after the request was answered. If that fails, the log says `what`. No answer is expected.
    PutLater {
        store: &'a str,
        what: &'a str,
        name: &'a str,
        value: &'a str,
        #[serde(rename = "ttlSecs")]
        ttl_secs: u64,
    },
    /// Remove a name.
    Delete { store: &'a str, name: &'a str },
    /// List the names with a prefix. The answer is `{keys, cursor?}`.
    List {
        store: &'a str,
        prefix: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        cursor: Option<&'a str>,
        limit: usize,
    },
    /// Wait for this task's turn, then read the value of a counter, or of a subject of sessions.
    Load { store: &'a str, name: &'a str },
    /// Compare and swap. The answer is true or false.
    Swap {
        store: &'a str,
        name: &'a str,
        expected: Option<&'a str>,
        next: &'a str,
        #[serde(rename = "ttlSecs")]
        ttl_secs: u64,
    },
    /// End this task's turn. No answer is expected.
    Release { name: &'a str },
    /// Fetch an issuer's keys. The answer is `{jwks?, etag?, cacheControl?}`.
    FetchKeys {
        uri: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        etag: Option<&'a str>,
    },
    /// Answer after this time.
    Pause { millis: u64 },
    /// Answer when a hash of a password may be computed: one after the other, and others are served in between.
    TurnToHash,
    /// Give the verdict on the signature that the host was asked about just before.
    Signature,
    /// Sign by a private key that the host was given by this name. The answer is the signature in base64url; null if it has no such key.
    Sign { kid: &'a str, alg: &'a str, message: &'a str },
    /// Take a private key, a JWK, for [`Job::Sign`].
    TakeSigner { kid: &'a str, alg: &'a str, jwk: &'a str },
    /// Make a private key. The answer is a JWK, as text.
    GenerateKey { alg: &'a str },
    /// Seal bytes by AES-256-GCM. Everything is in base64url. The answer is nonce and ciphertext.
    Seal { key: &'a str, plain: &'a str, beside: &'a str },
    /// Open what `Seal` has sealed. The answer is the plain bytes, in base64url.
    Open { key: &'a str, sealed: &'a str, beside: &'a str },
    /// Sign by a private key that is used this once: PKCS#8 in base64url. The answer is the signature in base64url.
    SignOnce { alg: &'a str, pkcs8: &'a str, message: &'a str },
    /// Ask a provider of logins. The answer is `{status, body}`, the body in base64url.
    AskProvider {
        method: &'a str,
        url: &'a str,
        headers: &'a [(&'static str, String)],
        #[serde(skip_serializing_if = "Option::is_none")]
        body: Option<&'a str>,
        /// How long the whole answer may take.
        millis: u32,
        /// The longest body that is read, in bytes.
        most: usize,
    },
    /// Come back to hand over what was counted, after this time. No answer is expected.
    HandOver { millis: u64 },
    /// Put a delta into the queue of the watch. The answer is what gates are to be told, an empty text if nobody has said anything; `null` if
    /// the queue has `most` already.
    WatchPush { text: &'a str, most: usize },
    /// Take the lease of the watch, or prolong it. The answer is the version of the rows; `null` if another gate has it.
    WatchLease { holder: &'a str, millis: u64 },
    /// Give it back.
    WatchRelease { holder: &'a str },
    /// Read the rows of the watch. The answer is `[[name, value], …]`.
    WatchRows {},
    /// Read the first texts of the queue.
    WatchPeek { count: usize },
    /// In one step: change rows, and take the first texts out of the queue. The answer is the next version; `null` if another gate has the lease,
    /// or the version is another.
    WatchCommit {
        holder: &'a str,
        millis: u64,
        version: u64,
        taken: usize,
        rows: &'a [(String, Option<String>)],
    },
    /// Tell a sink of the policy. The answer is the status; `null`: none came.
    TellSink { url: &'a str, headers: &'a [(&'static str, String)], body: &'a str, millis: u64 },
    /// Tell a sink that is a function. The answer is whether it has taken it; `null`: there is none of this name.
    TellFunction { sink: &'a str, event: &'a EventV1 },
    /// Give a mail to the function that sends mails. The answer is whether it has taken it; `null`: there is none.
    TellMailer { id: &'a str, body: &'a str, millis: u64 },
    /// Come back to hand over mails, after this time. No answer is expected. `is_new`: this step has made one, which may be to nobody.
    HandMails {
        millis: u64,
        #[serde(rename = "isNew")]
        is_new: bool,
    },
    /// Give the list of passwords that nobody may choose. The answer is `{number, length}`, for `takeBytes`; `null`: there is none.
    ReadPasswords { millis: u64 },
    /// Begin the task that does what is left once the answer is out. No answer is expected.
    WorkOff,
    /// Write a line to the event log. No answer is expected.
    Note { event: Event<'a> },
}

/// The jobs that a task leaves for the host, and the host's answers.
#[derive(Debug)]
pub(super) struct HostJobs {
    now: Cell<UnixMillis>,
    next: Cell<u32>,
    asked: RefCell<Vec<Box<RawValue>>>,
    answers: RefCell<BTreeMap<u32, Answer>>,
}

#[derive(Serialize)]
struct Numbered<'a> {
    id: u32,
    job: &'a Job<'a>,
}

/// The host's answer to a job.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    id: u32,
    value: Option<Box<RawValue>>,
    problem: Option<String>,
    /// Of a problem: it is a bound of the gate, and the store may be well.
    #[serde(default, rename = "ownBound")]
    own_bound: bool,
}

impl Answer {
    pub(super) fn parse(text: &str) -> Result<Vec<Self>, Error> {
        serde_json::from_str(text).map_err(|_| Error::config("", "answers that cannot be read"))
    }

    fn read<T: DeserializeOwned>(self) -> Result<T, String> {
        match (self.problem, self.value) {
            (Some(problem), _) => Err(problem),
            (None, value) => serde_json::from_str(value.as_ref().map_or("null", |raw| raw.get()))
                .map_err(|_| "it returned something else than expected".to_owned()),
        }
    }
}

impl HostJobs {
    fn new(now: UnixMillis) -> Self {
        Self {
            now: Cell::new(now),
            next: Cell::new(0),
            asked: RefCell::new(Vec::new()),
            answers: RefCell::new(BTreeMap::new()),
        }
    }

    /// The time, as the host last said it.
    pub(super) fn now(&self) -> UnixMillis {
        self.now.get()
    }

    /// Takes the jobs that were left since the last time, as JSON.
    fn take_jobs(&self) -> String {
        let jobs = core::mem::take(&mut *self.asked.borrow_mut());
        serde_json::to_string(&jobs).unwrap_or_default()
    }

    /// Leaves a job that is not answered.
    pub(super) fn tell(&self, job: &Job<'_>) -> u32 {
        let id = self.next.get();
        self.next.set(id.wrapping_add(1));
        // A job has only text and numbers, which JSON can always hold.
        if let Ok(raw) = serde_json::value::to_raw_value(&Numbered { id, job }) {
            self.asked.borrow_mut().push(raw);
        }
        id
    }

    /// Has a value written after the request was answered. If that fails, the log says `what`.
    pub(super) fn write_later(&self, store: &str, what: &str, write: &LateWrite) {
        let LateWrite { name, value, expires_at } = write;
        let ttl_secs = expires_at.secs_since(self.now().to_unix_time()).max(1);
        self.tell(&Job::PutLater { store, what, name, value, ttl_secs });
    }

    /// Has the host do a job.
    ///
    /// # Errors
    /// What went wrong, in the host's words.
    pub(super) async fn ask<T: DeserializeOwned>(&self, job: Job<'_>) -> Result<T, String> {
        self.answer_to(job).await.read()
    }

    async fn answer_to(&self, job: Job<'_>) -> Answer {
        let id = self.tell(&job);
        drop(job);
        let answer = poll_fn(|_| match self.answers.borrow_mut().remove(&id) {
            Some(answer) => Poll::Ready(answer),
            None => Poll::Pending,
        });
        answer.await
    }

    /// The same, for a job of a store.
    ///
    /// # Errors
    /// [`StoreError`] with the host's words.
    pub(super) async fn ask_store<T: DeserializeOwned>(
        &self,
        job: Job<'_>,
    ) -> Result<T, StoreError> {
        let answer = self.answer_to(job).await;
        let fault = if answer.own_bound { StoreError::own_bound } else { StoreError::new };
        answer.read().map_err(fault)
    }
}

/// Begins a task. It ends at once, or it waits for the host and gets a handle.
pub(super) fn begin<F>(
    now: UnixMillis,
    work: impl FnOnce(Rc<HostJobs>) -> F,
) -> Result<Status, Error>
where
    F: Future<Output = Result<Outcome, Error>> + 'static,
{
    if COUNT.get() >= MAX_TASKS {
        return Err(Error::StoreUnavailable {
            store: "gate",
            problem: format!("{MAX_TASKS} checks are waiting for the host already"),
        });
    }
    let jobs = Rc::new(HostJobs::new(now));
    go_on(Task { future: Box::pin(work(Rc::clone(&jobs))), jobs })
}

/// Goes on with a task after the host has answered.
pub(super) fn resume(
    handle: usize,
    answers: Vec<Answer>,
    now: UnixMillis,
) -> Result<Status, Error> {
    let task = take(handle).ok_or_else(no_such_handle)?;
    task.jobs.now.set(now);
    task.jobs.answers.borrow_mut().extend(answers.into_iter().map(|answer| (answer.id, answer)));
    go_on(task)
}

/// Forgets a task.
pub(super) fn abandon(handle: usize) {
    drop(take(handle));
}

fn take(handle: usize) -> Option<Task> {
    let task = TASKS.with_borrow_mut(|all| all.take(handle))?;
    COUNT.set(COUNT.get().saturating_sub(1));
    Some(task)
}

fn go_on(mut task: Task) -> Result<Status, Error> {
    // The waker does nothing: the shell comes back with the answers.
    match task.future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Err(error)) if !task.jobs.asked.borrow().is_empty() => {
            // An error has no place for jobs. So the host does them first, and one that it answers.
            task.jobs.tell(&Job::Pause { millis: 0 });
            Ok(wait(Task { future: Box::pin(core::future::ready(Err(error))), ..task }))
        }
        Poll::Ready(done) => {
            let Outcome { text, claims } = done?;
            exchange::leave_claims(claims);
            let leaves_jobs = !task.jobs.asked.borrow().is_empty();
            exchange::leave(Slot::Issuer, usize::from(leaves_jobs));
            exchange::leave_own_text(if leaves_jobs {
                // JSON without white space, so it is one line.
                format!("{}\n{text}", task.jobs.take_jobs())
            } else {
                text
            });
            Ok(Status::Done)
        }
        Poll::Pending => Ok(wait(task)),
    }
}

fn wait(task: Task) -> Status {
    exchange::leave_text(task.jobs.take_jobs());
    COUNT.set(COUNT.get().saturating_add(1));
    exchange::leave_handle(TASKS.with_borrow_mut(|all| all.add(task)));
    Status::Pending
}
