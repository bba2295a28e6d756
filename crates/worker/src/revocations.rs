//! Revocations as the policy looks them up: in KV, by the snapshot this isolate holds, or in the ledger.

use core::{future::Future, pin::pin, time::Duration};
use std::rc::Rc;

use futures_util::future::{Either, select};
use worker::{Context, Delay, Env};

use super::{
    background, clock, deadline,
    kv::{self, Kv},
    memory::Memory,
    objects::ledger_stub::{Ledger, Retry, Revoked, listed},
};
use edgegate::{
    error::StoreError,
    policy::{RevocationMode, RevocationPolicy},
    revocation::{
        DenyKey, Entry,
        filter::FilterError,
        snapshot::{Freshness, GOES_ON_MILLIS, HEAD_NAME, Head, Holder, Lookup, Plan, Snapshot},
    },
    store::{
        Page, RevocationStore, SnapshotState,
        questions::{Turn, WAIT_MILLIS},
    },
    time::UnixMillis,
};

/// How old KV's answer about the head may be, in seconds: the least that KV takes.
const HEAD_CACHE_SECS: u64 = 30;
/// The same for shards. A shard never changes, but KV also remembers for this long that one is missing: a location that
/// asks a moment before a new one arrives there must not go without it for long.
const SHARD_CACHE_SECS: u64 = 60;
/// How long KV is waited for where the ledger can be asked in its place: half of what a request waits.
const HEAD_WAIT: Duration = Duration::from_secs(1);
/// The pause between two looks whether the load of another request is done.
const LOOK_MILLIS: u64 = 20;
/// The most such looks.
const MAX_LOOKS: u64 = WAIT_MILLIS / LOOK_MILLIS;

/// Entries of the ledger in one question of an export: about a megabyte.
const EXPORT_PAGE: usize = 4_000;

/// Part of an export.
#[derive(Debug)]
pub(super) struct Exported {
    /// Lines.
    pub(super) items: String,
    /// The cursor of the next page.
    pub(super) cursor: Option<String>,
}

/// Revocations of one request.
#[derive(Debug)]
pub(super) struct Revocations<'a> {
    pub(super) kv: Kv<'a>,
    pub(super) env: &'a Env,
    pub(super) context: &'a Context,
    pub(super) memory: &'a Rc<Memory>,
    pub(super) policy: Option<RevocationPolicy>,
    /// Nothing is asked, and nothing is found: the decision beside which this one is made has found nothing either.
    pub(super) is_spared: bool,
}

impl Revocations<'_> {
    /// Asks the ledger. Of many equal questions at once few are asked ([`edgegate::store::questions`]).
    async fn ask_ledger(&self, keys: &[DenyKey]) -> Result<Vec<Option<Entry>>, StoreError> {
        let questions = &self.memory.questions;
        let question = keys.to_vec();
        let came = questions.borrow_mut().came();
        for _ in 0..MAX_LOOKS {
            let turn = questions.borrow_mut().turn(&question, came, clock::now());
            match turn {
                Turn::Take(answer) => return answer,
                Turn::Wait => Delay::from(Duration::from_millis(LOOK_MILLIS)).await,
                Turn::Ask(number) => {
                    let asked =
                        ask_once(self.env.clone(), Rc::clone(self.memory), question, number);
                    return background::outlive(self.context, asked).await;
                }
            }
        }
        match questions.borrow().newest(&question, clock::now()) {
            Some(Err(fault)) => Err(fault.clone()),
            _ => Err(StoreError::own_bound("ledger: too many ask the same")),
        }
    }

    /// The ledger's own answer. An isolate remembers for a while what is revoked: its bearer then costs no question.
    async fn by_ledger(&self, keys: &[DenyKey]) -> Result<Vec<Option<Entry>>, StoreError> {
        let mark = self.memory.snapshots.borrow().mark().0;
        let answers = self.ask_ledger(keys).await?;
        // An undoing of this isolate may have overtaken the answer.
        if mark == self.memory.snapshots.borrow().mark().0 {
            let now = clock::now();
            let secs = self.policy.map_or(0, |policy| policy.cache_secs.0).max(1);
            let until = now.saturating_add(u64::from(secs).saturating_mul(1000));
            let mut found = self.memory.revoked.borrow_mut();
            for (key, entry) in keys.iter().zip(&answers) {
                if let Some(entry) = entry {
                    found.insert(*key, entry.clone(), until, now);
                }
            }
        }
        Ok(answers)
    }

    fn mode(&self) -> RevocationMode {
        self.policy.map(|policy| policy.mode).unwrap_or_default()
    }

    /// The ledger, if the policy has one.
    pub(super) fn ledger(&self) -> Option<Ledger<'_>> {
        (self.mode() != RevocationMode::Entries).then_some(Ledger { env: self.env })
    }

    /// Revokes, never weaker than before, and returns the entry in force. The ledger gives the same answer to the same
    /// request again; `None`: `retry` was used for another request.
    pub(super) async fn revoke_for(
        &self,
        entry: Entry,
        retry: Option<&Retry>,
        now: UnixMillis,
    ) -> Result<Option<Entry>, StoreError> {
        let Some(ledger) = self.ledger() else {
            return self.kv.revoke(entry, now).await.map(Some);
        };
        let revoked = ledger.revoke(&entry, retry).await?;
        if let Revoked::Done(generation, entry) = &revoked {
            // Snapshots up to this generation do not have it yet.
            let mut holder = self.memory.snapshots.borrow_mut();
            holder.wrote(entry.deny_key(), entry.clone(), *generation, clock::now());
        }
        Ok(revoked.answer())
    }

    async fn by_snapshot(&self, keys: &[DenyKey]) -> Result<Vec<Option<Entry>>, StoreError> {
        let Some(policy) = self.policy else { return Ok(vec![None; keys.len()]) };
        self.have_snapshot(policy.freshness()).await?;
        let now = clock::now();
        let (mark, found) = {
            let holder = self.memory.snapshots.borrow();
            let found: Vec<Lookup> = keys.iter().map(|key| holder.look_up(key, now)).collect();
            (holder.mark(), found)
        };
        let asked: Vec<DenyKey> = keys
            .iter()
            .zip(&found)
            .filter(|(_, lookup)| **lookup == Lookup::Ask)
            .map(|(key, _)| *key)
            .collect();
        let mut answers = Vec::new();
        if !asked.is_empty() {
            answers = self.ask_ledger(&asked).await?;
            let mut holder = self.memory.snapshots.borrow_mut();
            let now = clock::now();
            for (key, entry) in asked.iter().zip(&answers) {
                holder.remember(*key, entry.clone(), mark, policy.cache_secs.0, now);
            }
        }
        let mut answers = answers.into_iter();
        let entries = found.into_iter().map(|lookup| match lookup {
            Lookup::Known(entry) => entry,
            Lookup::Ask => answers.next().flatten(),
        });
        Ok(entries.collect())
    }

    /// Returns once this isolate holds a snapshot that is fresh.
    async fn have_snapshot(&self, rules: Freshness) -> Result<(), StoreError> {
        for _ in 0..MAX_LOOKS {
            let now = clock::now();
            let plan = self.memory.snapshots.borrow().decide(rules, now);
            match plan {
                Plan::Use => return Ok(()),
                Plan::UseAndRefresh => {
                    drop(self.begin_load(rules, now));
                    return Ok(());
                }
                Plan::MustLoad => self.load_and_wait(rules, now).await?,
                Plan::Wait => Delay::from(Duration::from_millis(LOOK_MILLIS)).await,
                Plan::TooOld => return Err(self.too_old(now)),
            }
        }
        // No caller can bring that about: a load goes on without the request that began it, so the store was slow.
        Err(self.too_old(clock::now()))
    }

    /// Begins a load, which goes on whether or not it is waited for.
    fn begin_load(&self, rules: Freshness, now: UnixMillis) -> impl Future<Output = ()> {
        self.memory.snapshots.borrow_mut().begin(now);
        let load = load_and_tell(self.env.clone(), Rc::clone(self.memory), rules);
        background::outlive(self.context, load)
    }

    /// Loads a snapshot and waits for it as long as for any store. After that the load goes on behind the answer: a large
    /// filter may take longer, and would never arrive if each request started again.
    async fn load_and_wait(&self, rules: Freshness, now: UnixMillis) -> Result<(), StoreError> {
        let loaded = deadline::within(deadline::STORE, self.begin_load(rules, now)).await;
        loaded.ok_or_else(|| self.too_old(clock::now()))
    }

    fn too_old(&self, now: UnixMillis) -> StoreError {
        let holder = self.memory.snapshots.borrow();
        let age = match holder.snapshot() {
            Some(held) => format!("the snapshot is {} s old", held.head().age_secs(now)),
            None => "there is no snapshot".to_owned(),
        };
        StoreError::new(match holder.problem() {
            Some(problem) => format!("{age}: {problem}"),
            None => age,
        })
    }
}

impl RevocationStore for Revocations<'_> {
    async fn entries(&self, keys: &[DenyKey]) -> Result<Vec<Option<Entry>>, StoreError> {
        self.entries_by(self.mode(), keys).await
    }

    async fn entries_by(
        &self,
        mode: RevocationMode,
        keys: &[DenyKey],
    ) -> Result<Vec<Option<Entry>>, StoreError> {
        if self.is_spared {
            return Ok(vec![None; keys.len()]);
        }
        match mode {
            RevocationMode::Entries => self.kv.entries(keys).await,
            RevocationMode::Snapshot => self.by_snapshot(keys).await,
            RevocationMode::Ledger => self.by_ledger(keys).await,
        }
    }

    fn recalled(&self, mode: RevocationMode, keys: &[DenyKey]) -> Vec<Entry> {
        if mode != RevocationMode::Ledger {
            return Vec::new();
        }
        let (found, now) = (self.memory.revoked.borrow(), clock::now());
        keys.iter().filter_map(|key| found.get(key, now).cloned()).collect()
    }

    fn snapshot(&self, now: UnixMillis) -> Option<SnapshotState> {
        state(&self.memory.snapshots.borrow(), now)
    }

    async fn fresh(&self, key: &DenyKey) -> Result<Option<Entry>, StoreError> {
        match self.ledger() {
            None => self.kv.fresh(key).await,
            Some(ledger) => Ok(ledger.entries(&[*key]).await?.into_iter().next().flatten()),
        }
    }

    async fn put(&self, key: &DenyKey, entry: &Entry, now: UnixMillis) -> Result<(), StoreError> {
        match self.ledger() {
            None => RevocationStore::put(&self.kv, key, entry, now).await,
            Some(_) => self.revoke(entry.clone(), now).await.map(drop),
        }
    }

    async fn revoke(&self, entry: Entry, now: UnixMillis) -> Result<Entry, StoreError> {
        let revoked = self.revoke_for(entry, None, now).await?;
        revoked.ok_or_else(|| StoreError::new("ledger: a conflict without a key"))
    }

    async fn revoke_all(&self, entries: Vec<Entry>, now: UnixMillis) -> Result<(), StoreError> {
        write_all(&self.kv, self.ledger(), self.memory, entries, now).await
    }

    async fn remove(&self, key: &DenyKey) -> Result<(), StoreError> {
        let Some(ledger) = self.ledger() else { return self.kv.remove(key).await };
        ledger.undo(key).await?;
        self.memory.snapshots.borrow_mut().removed(key);
        self.memory.revoked.borrow_mut().remove(key);
        Ok(())
    }

    async fn list(
        &self,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<(DenyKey, Entry)>, StoreError> {
        let Some(ledger) = self.ledger() else {
            return RevocationStore::list(&self.kv, cursor, limit).await;
        };
        let page = ledger.list(cursor, limit).await?;
        let items = page.items.iter().map(|text| listed(text)).collect::<Result<_, _>>()?;
        Ok(Page { items, cursor: page.cursor })
    }
}

/// Writes entries to the ledger, or where there is none to KV: all, or the store says that it does not answer.
pub(super) async fn write_all(
    kv: &Kv<'_>,
    ledger: Option<Ledger<'_>>,
    memory: &Memory,
    entries: Vec<Entry>,
    now: UnixMillis,
) -> Result<(), StoreError> {
    let Some(ledger) = ledger else { return kv.put_all(entries, now).await.map(drop) };
    let (generation, stored) = ledger.revoke_several(&entries).await?;
    // Snapshots up to this generation do not have them yet.
    let mut holder = memory.snapshots.borrow_mut();
    for entry in stored {
        holder.wrote(entry.deny_key(), entry, generation, clock::now());
    }
    Ok(())
}

/// A page of an export: entries with their ids, one a line.
pub(super) async fn export_page(
    kv: &Kv<'_>,
    ledger: Option<Ledger<'_>>,
    cursor: Option<&str>,
) -> Result<Exported, StoreError> {
    let mut items = String::new();
    let mut add = |key: &DenyKey, entry: &str| {
        // Both are ours: an object, and base64url.
        let members = entry.strip_prefix('{').unwrap_or(entry);
        items.push_str(&format!("{{\"id\":\"{key}\",{members}\n"));
    };
    let cursor = match ledger {
        Some(ledger) => {
            let page = ledger.list(cursor, EXPORT_PAGE).await?;
            for entry in &page.items {
                add(&listed(entry)?.0, entry);
            }
            page.cursor
        }
        None => {
            let page = RevocationStore::list(kv, cursor, kv::MAX_BULK).await?;
            for (key, entry) in &page.items {
                let entry = serde_json::to_string(entry)
                    .map_err(|_| StoreError::new("the entry cannot be written as JSON"))?;
                add(key, &entry);
            }
            page.cursor
        }
    };
    Ok(Exported { items, cursor })
}

/// The snapshot that is held.
pub(super) fn state(holder: &Holder, now: UnixMillis) -> Option<SnapshotState> {
    let head = holder.snapshot()?.head();
    Some(SnapshotState { generation: head.generation, age_secs: head.age_secs(now) })
}

/// Asks the ledger, and keeps the answer for those who wait.
async fn ask_once(
    env: Env,
    memory: Rc<Memory>,
    question: Vec<DenyKey>,
    number: u64,
) -> Result<Vec<Option<Entry>>, StoreError> {
    let answer = Ledger { env: &env }.entries(&question).await;
    let kept = answer.clone();
    memory.questions.borrow_mut().answered(&question, number, kept, clock::now());
    answer
}

/// Loads a snapshot, and says so if it takes long: who hears nothing of a load takes it for lost.
async fn load_and_tell(env: Env, memory: Rc<Memory>, rules: Freshness) {
    let load = pin!(load(env, Rc::clone(&memory), rules));
    let soon = pin!(Delay::from(Duration::from_millis(GOES_ON_MILLIS)));
    if let Either::Right(((), load)) = select(load, soon).await {
        memory.snapshots.borrow_mut().goes_on(clock::now());
        load.await;
    }
}

/// Loads a snapshot and notes how it went. A fault is logged when it is new.
async fn load(env: Env, memory: Rc<Memory>, rules: Freshness) {
    let held = memory.snapshots.borrow().snapshot().cloned();
    let loaded = deadline::within(deadline::LONG, fetch(&env, held, rules)).await;
    let loaded = loaded.unwrap_or_else(|| Err("KV did not answer in time".to_owned()));
    let mut holder = memory.snapshots.borrow_mut();
    if let Err(problem) = &loaded
        && holder.problem() != Some(problem)
    {
        let detail = format!("the snapshot of revocations is not renewed: {problem}");
        super::fault::report(&detail);
    }
    holder.end(loaded, rules, clock::now());
}

/// The newest snapshot there is: KV's, or, where the isolate would be left without a fresh one, the ledger's own.
async fn fetch(
    env: &Env,
    held: Option<Rc<Snapshot>>,
    rules: Freshness,
) -> Result<Rc<Snapshot>, String> {
    let now = clock::now();
    let fresh = |head: &Head| head.age_secs(now) <= u64::from(rules.max_staleness_secs);
    let published = published(env, held.as_ref()).await;
    let without = !held.as_ref().is_some_and(|held| fresh(held.head()));
    let problem = match published {
        Ok(snapshot) if fresh(snapshot.head()) || !without => return Ok(snapshot),
        Ok(snapshot) => format!("KV has one of {} s", snapshot.head().age_secs(now)),
        Err(problem) if !without => return Err(problem),
        Err(problem) => problem,
    };
    let head = Ledger { env }.head().await;
    let head =
        head.and_then(|bytes| parse(&bytes)).map_err(|fault| format!("{problem}; {fault}"))?;
    with_shards(env, held.as_ref(), head).await.map_err(|fault| format!("{problem}; {fault}"))
}

async fn published(env: &Env, held: Option<&Rc<Snapshot>>) -> Result<Rc<Snapshot>, String> {
    let head = deadline::within(HEAD_WAIT, kv::read_bytes(env, HEAD_NAME, HEAD_CACHE_SECS)).await;
    let head = head.ok_or("KV did not answer in time")?;
    let head = head.map_err(|fault| fault.to_string())?.ok_or("KV has none")?;
    let head = parse(&head).map_err(|fault| fault.to_string())?;
    match held {
        Some(held) if !head.is_newer_than(held.head()) => Ok(Rc::clone(held)),
        held => with_shards(env, held, head).await,
    }
}

fn parse(bytes: &[u8]) -> Result<Head, StoreError> {
    Head::parse(bytes, clock::now()).map_err(|fault| StoreError::new(fault.to_string()))
}

async fn with_shards(
    env: &Env,
    held: Option<&Rc<Snapshot>>,
    head: Head,
) -> Result<Rc<Snapshot>, String> {
    if let Some(next) = held.and_then(|held| held.with_head(&head)) {
        return Ok(Rc::new(next));
    }
    let text = |fault: FilterError| fault.to_string();
    let mut shards = Vec::new();
    if let Some(base) = &head.base {
        for (index, reference) in base.shards.iter().enumerate() {
            let name = base.shard_name(index);
            let bytes = kv::read_bytes(env, &name, SHARD_CACHE_SECS).await;
            let bytes = bytes
                .map_err(|fault| fault.to_string())?
                .ok_or_else(|| format!("KV has no {name}"))?;
            shards.push(Rc::new(reference.read(bytes, base.layout).map_err(text)?));
        }
    }
    Snapshot::new(head, shards).map(Rc::new).map_err(text)
}
