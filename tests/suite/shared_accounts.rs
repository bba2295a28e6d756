//! Accounts in a store that several processes share.

use std::cell::{Cell, RefCell};
use std::future::Future as _;
use std::task::{Context, Waker};

use edgegate::account::link_step::{AskLink, NewMail};
use edgegate::account::mail::{MailId, MailKind};
use edgegate::account::one_time::{TOKEN_BYTES, Use, hash_of, text_of};
use edgegate::account::row::{RowKey, new_account_id};
use edgegate::account::shard::Terms;
use edgegate::account::step::{
    Change, Create, Guess, LoginOutcome, LoginStep, NewPassword, OfAddress, Shard, Work,
};
use edgegate::error::StoreError;
use edgegate::policy::Policy;
use edgegate::store::accounts::{self, SharedAccounts};
use edgegate::store::shared::SwapStore;
use edgegate::time::UnixMillis;
use edgegate::watch::state::Delivery;
use futures_util::future::{join, join_all};
use serde_json::json;

use super::account_policy::with_accounts;
use super::gate::{NOW, a_moment, policy, run};
use super::texts::Texts;

const ADA: RowKey = RowKey::from_bytes([1; 32]);
const SHARD: Shard = Shard::Names(7);
const STORED: &str = "account/v1/names/7";
const PASSWORD: &str = "quiet river, late boat";

/// The cheapest hashes that a policy takes.
fn cheap() -> Policy {
    policy(&with_accounts(json!({ "hash": { "memory_kib": 7168, "iterations": 5 } })))
}

/// A process.
struct Process<'t> {
    accounts: SharedAccounts<&'t Texts>,
    policy: Policy,
    now: Cell<UnixMillis>,
    /// When it has heard that a mail is due.
    mail_at: Cell<Option<UnixMillis>>,
    /// Whether its last step has left one.
    has_new: Cell<bool>,
}

impl<'t> Process<'t> {
    fn new(texts: &'t Texts) -> Self {
        let (accounts, policy) = (SharedAccounts::new(texts), cheap());
        Self {
            accounts,
            policy,
            now: Cell::new(NOW),
            mail_at: Cell::default(),
            has_new: Cell::default(),
        }
    }

    fn terms(&self) -> Terms<'_> {
        self.policy.accounts.as_ref().unwrap().terms()
    }

    async fn take_mails(&self) -> Vec<MailId> {
        let mails = self.accounts.exchange_mails(SHARD, &[], self.terms(), self).await.unwrap();
        mails.taken.into_iter().map(|(id, _)| id).collect()
    }

    async fn note(&self, id: MailId, delivery: Delivery) -> Vec<MailKind> {
        let sent = [(id, delivery)];
        let mails = self.accounts.exchange_mails(SHARD, &sent, self.terms(), self).await.unwrap();
        assert_eq!(mails.taken, []);
        mails.lost
    }

    async fn step(&self, step: LoginStep) -> Result<LoginOutcome, StoreError> {
        let terms = self.policy.accounts.as_ref().unwrap().terms();
        self.accounts.apply(SHARD, &step, (terms, [9; 16]), self).await
    }

    async fn guess(&self, password: &str) -> Result<LoginOutcome, StoreError> {
        self.step(LoginStep::Guess(guess(password))).await
    }

    fn later(&self, millis: u64) {
        self.now.set(self.now.get().saturating_add(millis));
    }
}

impl accounts::Process for Process<'_> {
    fn now(&self) -> UnixMillis {
        self.now.get()
    }

    async fn turn_to_hash(&self) {
        a_moment().await;
    }

    fn mails_wait(&self, shard: Shard, at: UnixMillis, is_new: bool) {
        assert_eq!(shard, SHARD);
        self.mail_at.set(Some(at));
        self.has_new.set(is_new);
    }
}

fn guess(password: &str) -> Guess {
    Guess { key: ADA, password: password.to_owned(), device: None }
}

fn create() -> LoginStep {
    LoginStep::Create(Create {
        key: ADA,
        id: new_account_id(7, [5; 14]),
        password: NewPassword::Typed(PASSWORD.to_owned()),
        scopes: Vec::new(),
        is_verified: false,
        address: None,
    })
}

fn with_account() -> Texts {
    let texts = Texts::default();
    let made = run(Process::new(&texts).step(create())).unwrap();
    assert!(matches!(made, LoginOutcome::Shown(_)));
    texts
}

fn is_computing(texts: &Texts) -> bool {
    texts.values.borrow().get(STORED).is_some_and(|text| text.contains("computing_until"))
}

/// A guess, as far as to where its hash is to be computed.
macro_rules! reserved {
    ($process:expr, $texts:expr, $password:expr) => {{
        let mut guessing = Box::pin($process.guess($password));
        while !is_computing($texts) {
            assert!(guessing.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        guessing
    }};
}

fn ask_link(number: u8) -> LoginStep {
    ask_link_of(ADA, number)
}

fn ask_link_of(key: RowKey, number: u8) -> LoginStep {
    LoginStep::AskLink(AskLink {
        key,
        r#use: Use::Reset,
        mail: NewMail {
            id: MailId::from_bytes([number; 16]),
            sealed: "sealed".to_owned(),
            token: hash_of(&text_of(&[number; TOKEN_BYTES])).unwrap(),
        },
        asker: None,
        device: None,
    })
}

#[test]
fn of_eight_processes_that_hear_of_a_mail_one_sends_it() {
    let texts = with_account();
    let processes: Vec<_> = (0..8).map(|_| Process::new(&texts)).collect();
    assert_eq!(run(processes[0].step(ask_link(1))), Ok(LoginOutcome::Done));
    assert!(processes[0].has_new.get());
    for process in &processes {
        process.later(5);
        run(process.step(LoginStep::Find(ADA))).unwrap();
        assert_eq!((process.mail_at.get(), process.has_new.get()), (Some(NOW), false));
    }
    let taken = run(join_all(processes.iter().map(Process::take_mails)));
    assert_eq!(taken.concat(), [MailId::from_bytes([1; 16])]);
    assert!(texts.lost.get() > 0, "they raced");
}

#[test]
fn a_mail_to_nobody_is_as_new_as_one_to_somebody() {
    let texts = with_account();
    let process = Process::new(&texts);
    for (key, number) in [(ADA, 1), (RowKey::from_bytes([9; 32]), 2)] {
        run(process.step(ask_link_of(key, number))).unwrap();
        assert_eq!((process.mail_at.get(), process.has_new.get()), (Some(process.now.get()), true));
        let id = MailId::from_bytes([number; 16]);
        assert_eq!(run(process.take_mails()), [id]);
        run(process.note(id, Delivery::Taken));
        process.later(5);
    }
}

#[test]
fn no_more_mails_are_taken_out_than_are_sent_at_once() {
    let texts = Texts::default();
    let process = Process::new(&texts);
    for number in 0..8 {
        run(process.step(ask_link_of(RowKey::from_bytes([number; 32]), number))).unwrap();
    }
    let taken = [(); 3].map(|()| run(process.take_mails()).len());
    assert_eq!(taken, [6, 2, 0]);
}

#[test]
fn a_mail_that_was_taken_and_not_heard_of_is_due_again_and_one_that_failed_later() {
    let texts = with_account();
    let (first, second) = (Process::new(&texts), Process::new(&texts));
    run(first.step(ask_link(1))).unwrap();
    let [id] = run(first.take_mails())[..] else { panic!("a mail is due") };
    second.later(29_999);
    assert_eq!(run(second.take_mails()), []);
    assert_eq!(second.mail_at.get(), Some(NOW.saturating_add(30_000)));
    second.later(1);
    assert_eq!(run(second.take_mails()), [id]);
    assert_eq!(run(second.note(id, Delivery::Failed)), []);
    assert_eq!(second.mail_at.get(), Some(NOW.saturating_add(40_000)));
    second.later(10_000);
    assert_eq!(run(second.take_mails()), [id]);
    assert_eq!(run(second.note(id, Delivery::Refused)), [MailKind::Reset], "it is given up");
    second.mail_at.set(None);
    assert_eq!(run(second.take_mails()), []);
    assert_eq!(second.mail_at.get(), None);
}

#[test]
fn mails_wait_for_a_hash_as_others_do() {
    let texts = with_account();
    let (guessing, sending) = (Process::new(&texts), Process::new(&texts));
    run(sending.step(ask_link(1))).unwrap();
    let guess = reserved!(guessing, &texts, PASSWORD);
    let (right, taken) = run(join(guess, sending.take_mails()));
    assert!(matches!(right, Ok(LoginOutcome::Right(_))), "{right:?}");
    assert_eq!(taken.len(), 1);
}

#[test]
fn of_a_hundred_guesses_by_eight_processes_five_are_compared() {
    let texts = with_account();
    let processes: Vec<_> = (0..8).map(|_| Process::new(&texts)).collect();
    let guesses = processes.iter().cycle().take(100).map(|process| process.guess("wrong one"));
    let all = run(join_all(guesses));
    let wrong = all.iter().filter(|outcome| **outcome == Ok(LoginOutcome::Wrong)).count();
    let refused =
        all.iter().filter(|outcome| matches!(outcome, Ok(LoginOutcome::TooMany(_)))).count();
    assert_eq!((wrong, refused), (5, 95));
    assert!(texts.lost.get() > 0);
    assert!(matches!(run(processes[0].guess(PASSWORD)), Ok(LoginOutcome::TooMany(_))));
    assert!(texts.values.borrow().keys().all(|name| name == STORED));
}

#[test]
fn right_guesses_at_once_are_all_right_and_cost_nothing() {
    let texts = with_account();
    let processes: Vec<_> = (0..4).map(|_| Process::new(&texts)).collect();
    let guesses = processes.iter().cycle().take(12).map(|process| process.guess(PASSWORD));
    for outcome in run(join_all(guesses)) {
        assert!(matches!(outcome, Ok(LoginOutcome::Right(_))), "{outcome:?}");
    }
}

#[test]
fn a_guess_counts_also_if_its_process_dies_over_the_hash() {
    let texts = with_account();
    let (dying, other) = (Process::new(&texts), Process::new(&texts));
    drop(reserved!(dying, &texts, "wrong one"));
    assert!(texts.values.borrow()[STORED].contains("computing_until"));
    // The others wait for it, but not for ever.
    assert!(run(other.guess(PASSWORD)).unwrap_err().to_string().contains("too many processes"));
    other.later(10_000);
    for _ in 0..4 {
        assert_eq!(run(other.guess("wrong one")), Ok(LoginOutcome::Wrong));
    }
    assert!(matches!(run(other.guess(PASSWORD)), Ok(LoginOutcome::TooMany(_))));
}

#[test]
fn who_computes_for_too_long_learns_nothing_and_undoes_nothing() {
    let texts = with_account();
    let (slow, other) = (Process::new(&texts), Process::new(&texts));
    let guessing = reserved!(slow, &texts, PASSWORD);
    other.later(10_000);
    let id = new_account_id(7, [5; 14]);
    let (scopes, drop_factors, require_reset) = (None, false, false);
    let change =
        Change { id, disabled: Some(true), password: None, scopes, drop_factors, require_reset };
    assert!(run(other.step(LoginStep::Change(change))).is_ok());
    let text = texts.values.borrow()[STORED].clone();
    assert!(run(guessing).unwrap_err().to_string().contains("too long"));
    assert_eq!(texts.values.borrow()[STORED], text);
}

#[test]
fn what_only_looks_writes_nothing() {
    let texts = with_account();
    let before = texts.values.borrow().clone();
    let process = Process::new(&texts);
    assert!(matches!(run(process.step(LoginStep::Find(ADA))), Ok(LoginOutcome::Shown(_))));
    let nobody = LoginStep::Find(RowKey::from_bytes([2; 32]));
    assert_eq!(run(process.step(nobody)), Ok(LoginOutcome::Gone));
    assert_eq!(run(process.step(create())), Ok(LoginOutcome::Exists));
    assert_eq!(*texts.values.borrow(), before);
}

#[test]
fn what_strangers_leave_goes_with_the_next_step() {
    let texts = Texts::default();
    let process = Process::new(&texts);
    let reserve = |address: u8| {
        let address = RowKey::from_bytes([address; 32]);
        LoginStep::Reserve(OfAddress { address, network: None, work: Work::Hash })
    };
    for address in 0..50 {
        assert!(matches!(run(process.step(reserve(address))), Ok(LoginOutcome::Reserved(_))));
    }
    let rows = || texts.values.borrow()[STORED].matches("address/").count();
    // Each has its guesses, and the hashes that it has cost.
    assert_eq!(rows(), 100);
    process.later(900_000);
    assert!(run(process.step(reserve(100))).is_ok());
    assert_eq!(rows(), 2);
}

/// Takes everything, and remembers until when.
#[derive(Default)]
struct Endings(RefCell<Vec<UnixMillis>>, RefCell<Option<String>>);

impl SwapStore for &Endings {
    async fn load(&self, _name: &str) -> Result<Option<String>, StoreError> {
        Ok(self.1.borrow().clone())
    }

    async fn swap(
        &self,
        _name: &str,
        _expected: Option<&str>,
        next: &str,
        until: UnixMillis,
    ) -> Result<bool, StoreError> {
        self.0.borrow_mut().push(until);
        *self.1.borrow_mut() = Some(next.to_owned());
        Ok(true)
    }

    fn release(&self, _name: &str) {}
}

#[test]
fn a_store_keeps_accounts_for_years_and_guesses_for_days() {
    let (endings, texts) = (Endings::default(), Texts::default());
    let (accounts, process) = (SharedAccounts::new(&endings), Process::new(&texts));
    let terms = process.policy.accounts.as_ref().unwrap().terms();
    let take = |step| run(accounts.apply(SHARD, &step, (terms, [9; 16]), &process)).unwrap();
    let years = NOW.saturating_add(10 * 365 * 86_400_000);
    let days = NOW.saturating_add(2 * 86_400_000);
    take(LoginStep::Guess(guess("wrong one")));
    take(create());
    take(LoginStep::Guess(guess("wrong one")));
    take(LoginStep::Delete(new_account_id(7, [5; 14])));
    assert_eq!(*endings.0.borrow(), [days, days, years, years, years, days]);
}

#[test]
fn what_is_not_ours_is_a_fault_and_stays() {
    for text in ["", "{}", "{\"v\":2,\"rows\":{}}", "{\"v\":1,\"rows\":{\"other\":1}}"] {
        let texts = Texts::default();
        texts.values.borrow_mut().insert(STORED.to_owned(), text.to_owned());
        assert!(run(Process::new(&texts).guess(PASSWORD)).is_err(), "{text}");
        assert_eq!(texts.values.borrow()[STORED], text);
    }
}
