//! The ledger of revocations: one Durable Object, the only writer. Its rules are [`edgegate::revocation::ledger`]'s;
//! here are its rows, its alarm, and what it publishes to KV.

use core::time::Duration;
use std::cell::{Cell, RefCell};

use worker::{
    DurableObject, Env, Request, Response, Result, SqlStorageValue, State, durable_object,
};

use super::{alarm::Alarm, transaction};
use crate::{clock, deadline, fault::report, kv};
use edgegate::{
    base64url,
    revocation::{
        DenyKey, Entry,
        filter::{BLOCKS_PER_SHARD, Block, Layout, encode_shard},
        ledger::{BaseOrder, Full, Ledger, Revoked, SHARD_TTL_SECS, Task},
        snapshot::{Base, HEAD_NAME, ShardRef},
    },
    time::{UnixMillis, UnixTime},
};

/// The Durable Object namespace of the ledger.
pub(crate) const BINDING: &str = "EDGEGATE_LEDGER";

/// How long the answer to a request with an `Idempotency-Key` is kept: a day.
const KEEP_ANSWERS_SECS: u64 = 86_400;
/// How long KV keeps the head: far longer than any isolate uses it. It disappears once the ledger is no longer used.
const HEAD_TTL_SECS: u64 = 86_400;
/// Rows that are swept out in one step; requests come in between.
const SWEEP_AT_ONCE: i64 = 2_000;
/// How long after a fault the alarm works again.
const AFTER_FAULT: Duration = Duration::from_secs(60);
/// Steps of an alarm; what is left waits for the next.
const MAX_STEPS: usize = 50;
/// One question for the fingerprints of a block takes a quarter of it: SQLite's longest text is 2 MB, and a full block
/// has 1 MB in hexadecimal.
const QUESTIONS_PER_BLOCK: u64 = 4;

const SCHEMA: [&str; 7] = [
    "CREATE TABLE IF NOT EXISTS entries \
     (key BLOB PRIMARY KEY, entry TEXT NOT NULL, until INTEGER, seq INTEGER NOT NULL)",
    "CREATE INDEX IF NOT EXISTS entries_by_seq ON entries (seq)",
    "CREATE INDEX IF NOT EXISTS entries_by_until ON entries (until) WHERE until IS NOT NULL",
    "CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY CHECK (id = 1), ledger BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS answers \
     (id TEXT PRIMARY KEY, request TEXT NOT NULL, answer TEXT NOT NULL, until INTEGER NOT NULL)",
    "CREATE INDEX IF NOT EXISTS answers_by_until ON answers (until)",
    // The deny keys that an answer is about, one after the other: 32 bytes each. A row for each key would double what a bulk
    // writes.
    "CREATE TABLE IF NOT EXISTS answered (id TEXT PRIMARY KEY, keys BLOB NOT NULL)",
];

/// All revocations of a gate.
///
/// Each request is one transaction without waiting, so none comes between the reading and the writing
/// of another, and one that fails half-way has changed nothing. An answer leaves only once what was written
/// is safe (the platform's output gate).
///
/// A state that cannot be read makes it answer nothing: `on_error` decides then.
#[durable_object(alarm)]
pub struct RevocationLedger {
    state: State,
    env: Env,
    ledger: RefCell<Result<Ledger>>,
    alarm: Alarm,
    swept_at: Cell<UnixMillis>,
}

impl DurableObject for RevocationLedger {
    fn new(state: State, env: Env) -> Self {
        let ledger = RefCell::new(load(&state));
        let swept_at = Cell::new(UnixMillis::from_millis(0));
        Self { state, env, ledger, alarm: Alarm::default(), swept_at }
    }

    /// The first line of the body is what is asked, the rest what about.
    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let body = request.text().await?;
        let (operation, rest) = body.split_once('\n').unwrap_or((&body, ""));
        let now = clock::now();
        let answer = match operation {
            "entries" => self.entries(rest)?.into_bytes(),
            "revoke" => self.revoke(rest, now)?.into_bytes(),
            "undo" => self.undo(rest)?.into_bytes(),
            "list" => self.list(rest)?.into_bytes(),
            "head" => self.head(now)?,
            "status" => self.status()?.into_bytes(),
            _ => return Response::error("no such operation", 404),
        };
        self.schedule(now).await?;
        Response::from_bytes(answer)
    }

    /// A fault is no end of it. It fails only where no next alarm can be set.
    async fn alarm(&self) -> Result<Response> {
        self.alarm.went_off();
        if let Err(fault) = self.work().await {
            report(&fault.to_string());
        }
        if let Err(fault) = self.schedule(clock::now()).await {
            report(&fault.to_string());
            self.alarm.again(&self.state, AFTER_FAULT).await?;
        }
        Response::empty()
    }
}

// ---- requests ----

impl RevocationLedger {
    /// A line for each key: its entry, or nothing.
    fn entries(&self, keys: &str) -> Result<String> {
        self.readable()?;
        let mut answer = String::new();
        for key in keys.lines() {
            if let Some((entry, _)) = self.row(&parse_key(key)?)? {
                answer.push_str(&entry);
            }
            answer.push('\n');
        }
        Ok(answer)
    }

    /// Revokes all or none. Above the entries stand an idempotency key with the digest of its request (or nothing), and
    /// whether the entries shall be answered (`whole`) or their numbers (`brief`).
    ///
    /// Answers `conflict`, or the generation of the last head, then the entries in force, one a line, or how many were
    /// written and how many were there already.
    fn revoke(&self, request: &str, now: UnixMillis) -> Result<String> {
        let mut lines = request.lines();
        let retry = lines.next().and_then(|line| line.split_once(' '));
        let brief = lines.next() == Some("brief");
        let now_secs = now.to_unix_time();
        let entries = lines
            .map(|line| {
                Entry::restore(line.as_bytes(), now_secs).map_err(|fault| fault.to_string())
            })
            .collect::<core::result::Result<Vec<Entry>, String>>()?;
        self.change(|ledger| {
            if let Some((id, digest)) = retry
                && let Some((request, answer)) = self.answered(id, now_secs)?
            {
                return Ok(if request == digest { answer } else { "conflict".to_owned() });
            }
            let mut answer = format!("{}\n", ledger.generation());
            let (mut written, mut unchanged) = (0_u32, 0_u32);
            for new in &entries {
                let key = new.deny_key();
                let existing = match self.row(&key)? {
                    Some((text, seq)) => Some((read(&key, &text)?, seq)),
                    None => None,
                };
                let existing = existing.as_ref().map(|(entry, seq)| (entry, *seq));
                let revoked = ledger
                    .revoke(existing, new.clone(), now_secs)
                    .map_err(|Full| "the ledger is full")?;
                let text = serde_json::to_string(revoked.entry())?;
                if let Revoked::Written(entry, seq) = &revoked {
                    self.write(&key, &text, entry.until(), *seq)?;
                    written = written.saturating_add(1);
                } else {
                    unchanged = unchanged.saturating_add(1);
                }
                if !brief {
                    answer.push_str(&text);
                    answer.push('\n');
                }
            }
            if brief {
                answer.push_str(&format!("{written}\n{unchanged}"));
            }
            if let Some((id, digest)) = retry {
                let until = now_secs.saturating_add(KEEP_ANSWERS_SECS);
                let values = vec![id.into(), digest.into(), answer.as_str().into(), time(until)];
                self.exec("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)", values)?;
                let about = entries.iter().flat_map(|entry| *entry.deny_key().as_bytes());
                let about = SqlStorageValue::Blob(about.collect());
                self.exec("INSERT OR REPLACE INTO answered VALUES (?, ?)", vec![id.into(), about])?;
            }
            Ok(answer)
        })
    }

    /// `1` if there was something to undo, else `0`.
    ///
    /// The kept answers about it are forgotten: a caller that sends a request with the same `Idempotency-Key` again wants
    /// it revoked, and must not read that it is while it is not.
    fn undo(&self, key: &str) -> Result<String> {
        let key = parse_key(key)?;
        self.change(|ledger| {
            let Some((_, seq)) = self.row(&key)? else { return Ok("0".to_owned()) };
            self.exec("DELETE FROM entries WHERE key = ?", vec![blob(key.as_bytes())])?;
            self.exec(
                "DELETE FROM answers WHERE id IN \
                 (SELECT id FROM answered WHERE instr(keys, ?) > 0)",
                vec![blob(key.as_bytes())],
            )?;
            ledger.removed(seq, true);
            Ok("1".to_owned())
        })
    }

    /// The entries after a key, so many: the key to go on after (or nothing), then the entries, one a line.
    fn list(&self, request: &str) -> Result<String> {
        self.readable()?;
        let (after, limit) = request.split_once('\n').unwrap_or_default();
        let limit: u32 = limit.parse().map_err(|_| "expected a limit")?;
        let after =
            if after.is_empty() { Vec::new() } else { parse_key(after)?.as_bytes().to_vec() };
        let rows = self.rows(
            "SELECT key, entry FROM entries WHERE key > ? ORDER BY key LIMIT ?",
            vec![after.into(), i64::from(limit).saturating_add(1).into()],
        )?;
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut answer = String::new();
        if rows.len() > wanted
            && let Some([SqlStorageValue::Blob(last), _]) =
                wanted.checked_sub(1).and_then(|last| rows.get(last)).map(Vec::as_slice)
        {
            answer.push_str(&base64url::encode(last));
        }
        answer.push('\n');
        for row in rows.into_iter().take(wanted) {
            let [_, SqlStorageValue::String(entry)] = row.as_slice() else { return Err(damaged()) };
            answer.push_str(entry);
            answer.push('\n');
        }
        Ok(answer)
    }

    /// The head as it would be written now. A caller that asks for it uses snapshots, so they are published from now on.
    fn head(&self, now: UnixMillis) -> Result<Vec<u8>> {
        let head = self.change(|ledger| {
            ledger.publish();
            let delta = self.delta(ledger)?;
            Ok(ledger.preview(delta, now))
        })?;
        match head {
            Some(head) => Ok(head.encode()),
            None => Err("a new filter is being made".into()),
        }
    }

    fn status(&self) -> Result<String> {
        let ledger = self.readable()?;
        Ok(format!(
            "{{\"entries\":{},\"generation\":{},\"published_at\":{},\"failing\":{}}}",
            ledger.entries(),
            ledger.generation(),
            ledger.published_at().as_millis(),
            ledger.is_failing()
        ))
    }
}

// ---- what an alarm does ----

impl RevocationLedger {
    async fn work(&self) -> Result<()> {
        for _ in 0..MAX_STEPS {
            let now = clock::now();
            let task = self.readable()?.task(now);
            let more = match task {
                Task::WriteHead => self.write_head(now).await?,
                Task::MakeBase => self.make_base(now).await?,
                Task::Nothing => self.sweep(now)?,
            };
            if !more {
                break;
            }
            pause().await;
        }
        Ok(())
    }

    /// True if there may be more to do at once.
    async fn write_head(&self, now: UnixMillis) -> Result<bool> {
        // Stored before it is sent: no other head may get this generation.
        let (head, seq) = self.change(|ledger| {
            let delta = self.delta(ledger)?;
            Ok(ledger.head(delta, now))
        })?;
        let written = self.put(HEAD_NAME, &head.encode(), HEAD_TTL_SECS).await;
        let failed = written.is_err();
        self.change(|ledger| {
            if failed {
                ledger.head_failed()
            } else {
                ledger.head_written(&head, seq)
            }
            Ok(())
        })?;
        if let Err(problem) = written {
            report(&format!("the head of revocations is not written: {problem}"));
        }
        Ok(!failed)
    }

    async fn make_base(&self, now: UnixMillis) -> Result<bool> {
        let order = self.change(|ledger| Ok(ledger.begin_base(now)))?;
        let made = match order.layout {
            Some(layout) => self.publish_filter(order, layout).await.map(Some),
            None => Ok(None),
        };
        let problem = match made {
            Ok(base) => {
                self.change(|ledger| {
                    let delta = self.number(
                        "SELECT count(*) FROM entries WHERE seq > ?",
                        vec![number(order.seq)],
                    )?;
                    ledger.base_made(order, base.clone(), delta.unwrap_or(0), clock::now());
                    Ok(())
                })?;
                return Ok(true);
            }
            Err(problem) => problem,
        };
        self.change(|ledger| {
            ledger.base_failed();
            Ok(())
        })?;
        report(&format!("the filter of revocations is not written: {problem}"));
        Ok(false)
    }

    /// Builds the filter block by block and stores it shard by shard. Requests are answered in between: what they revoke
    /// has a greater number than the order's, and is listed in the head.
    async fn publish_filter(&self, order: BaseOrder, layout: Layout) -> Result<Base> {
        let mut base = Base { generation: order.generation, layout, shards: Vec::new() };
        let mut blocks = Vec::with_capacity(BLOCKS_PER_SHARD);
        for block in 0..layout.blocks() {
            pause().await;
            let built = Block::build(self.fingerprints_of(layout, block)?);
            blocks.push(built.map_err(|fault| fault.to_string())?);
            if blocks.len() == layout.blocks_of_shard() {
                let bytes = encode_shard(&blocks);
                blocks.clear();
                let name = base.shard_name(base.shards.len());
                self.put(&name, &bytes, SHARD_TTL_SECS).await?;
                base.shards.push(ShardRef::of(&bytes));
            }
        }
        Ok(base)
    }

    fn fingerprints_of(&self, layout: Layout, block: usize) -> Result<Vec<u64>> {
        let (first, last) = layout.range(block);
        let step = last.saturating_sub(first).checked_div(QUESTIONS_PER_BLOCK).unwrap_or(0);
        let mut fingerprints = Vec::new();
        let mut from = first;
        loop {
            let to = from.saturating_add(step).min(last);
            let mut upper = [u8::MAX; 32];
            upper.iter_mut().zip(to.to_be_bytes()).for_each(|(place, byte)| *place = byte);
            fingerprints.extend(self.fingerprints(
                "key BETWEEN ? AND ?",
                vec![blob(&from.to_be_bytes()), blob(&upper)],
            )?);
            match to.checked_add(1) {
                Some(next) if to < last => from = next,
                _ => return Ok(fingerprints),
            }
        }
    }

    /// Removes some of what is over. True if there may be more.
    fn sweep(&self, now: UnixMillis) -> Result<bool> {
        let now_secs = time(now.to_unix_time());
        let more = self.change(|ledger| {
            self.exec("DELETE FROM answers WHERE until <= ?", vec![now_secs.clone()])?;
            self.exec("DELETE FROM answered WHERE id NOT IN (SELECT id FROM answers)", None)?;
            let rows = self.rows(
                "DELETE FROM entries WHERE key IN \
                 (SELECT key FROM entries WHERE until <= ? LIMIT ?) RETURNING seq",
                vec![now_secs.clone(), SWEEP_AT_ONCE.into()],
            )?;
            for row in &rows {
                ledger.removed(row.first().and_then(as_u64).ok_or_else(damaged)?, false);
            }
            Ok(i64::try_from(rows.len()).is_ok_and(|swept| swept == SWEEP_AT_ONCE))
        })?;
        if !more {
            self.swept_at.set(now);
        }
        Ok(more)
    }

    /// Sets the alarm for what is due next, if it is not set for that or earlier.
    async fn schedule(&self, now: UnixMillis) -> Result<()> {
        let entries =
            self.number("SELECT min(until) FROM entries WHERE until IS NOT NULL", None)?;
        let answers = self.number("SELECT min(until) FROM answers", None)?;
        let first_end = entries.into_iter().chain(answers).min();
        let first_end =
            first_end.map(|secs| UnixTime::from_secs(i64::try_from(secs).unwrap_or(i64::MAX)));
        let Some(at) = self.readable()?.wake_at(first_end, self.swept_at.get(), now) else {
            return Ok(());
        };
        if self.alarm.time().is_some_and(|set| set <= at) {
            return Ok(());
        }
        self.alarm.set(&self.state, at, now).await
    }

    async fn put(&self, name: &str, bytes: &[u8], ttl_secs: u64) -> Result<()> {
        let put = async {
            let store = self.env.kv(kv::BINDING)?;
            store.put_bytes(name, bytes)?.expiration_ttl(ttl_secs).execute().await?;
            Ok(())
        };
        deadline::within(deadline::PUBLISH, put)
            .await
            .unwrap_or_else(|| Err("KV did not answer in time".into()))
    }
}

// ---- rows ----

impl RevocationLedger {
    fn readable(&self) -> Result<Ledger> {
        match &*self.ledger.borrow() {
            Ok(ledger) => Ok(ledger.clone()),
            Err(fault) => Err(format!("what is stored cannot be read: {fault}").into()),
        }
    }

    /// A transaction over rows and state. If it fails, neither has changed.
    fn change<T>(&self, step: impl Fn(&mut Ledger) -> Result<T>) -> Result<T> {
        let mut done = None;
        self.change_by(&mut |ledger| {
            done = Some(step(ledger)?);
            Ok(())
        })?;
        done.ok_or_else(|| "the transaction did not run".into())
    }

    /// What is the same for all steps, so that it is compiled once.
    fn change_by(&self, step: &mut dyn FnMut(&mut Ledger) -> Result<()>) -> Result<()> {
        let old = self.readable()?;
        let ledger = transaction::run(&self.state, || {
            let mut ledger = old.clone();
            step(&mut ledger)?;
            if ledger != old {
                let state = vec![SqlStorageValue::Blob(ledger.encode())];
                self.exec("INSERT OR REPLACE INTO state (id, ledger) VALUES (1, ?)", state)?;
            }
            Ok(ledger)
        })?;
        *self.ledger.borrow_mut() = Ok(ledger);
        Ok(())
    }

    fn exec(&self, query: &str, values: impl Into<Option<Vec<SqlStorageValue>>>) -> Result<()> {
        self.state.storage().sql().exec(query, values).map(|_| ())
    }

    fn rows(
        &self,
        query: &str,
        values: impl Into<Option<Vec<SqlStorageValue>>>,
    ) -> Result<Vec<Vec<SqlStorageValue>>> {
        self.state.storage().sql().exec(query, values)?.raw().collect()
    }

    fn number(
        &self,
        query: &str,
        values: impl Into<Option<Vec<SqlStorageValue>>>,
    ) -> Result<Option<u64>> {
        Ok(self.rows(query, values)?.first().and_then(|row| row.first()).and_then(as_u64))
    }

    /// The entry of a key, as text, and its number.
    fn row(&self, key: &DenyKey) -> Result<Option<(String, u64)>> {
        let rows =
            self.rows("SELECT entry, seq FROM entries WHERE key = ?", vec![blob(key.as_bytes())])?;
        match rows.into_iter().next().as_deref() {
            None => Ok(None),
            Some([SqlStorageValue::String(entry), seq]) => {
                Ok(Some((entry.clone(), as_u64(seq).ok_or_else(damaged)?)))
            }
            Some(_) => Err(damaged()),
        }
    }

    fn write(&self, key: &DenyKey, entry: &str, until: Option<UnixTime>, seq: u64) -> Result<()> {
        let until = until.map_or(SqlStorageValue::Null, time);
        let values = vec![blob(key.as_bytes()), entry.into(), until, number(seq)];
        self.exec(
            "INSERT OR REPLACE INTO entries (key, entry, until, seq) VALUES (?, ?, ?, ?)",
            values,
        )
    }

    /// The request and the answer that are kept under an idempotency key. After a day an answer no longer counts, swept out
    /// or not: the same request then is a new one.
    fn answered(&self, id: &str, now: UnixTime) -> Result<Option<(String, String)>> {
        let rows = self.rows(
            "SELECT request, answer FROM answers WHERE id = ? AND until > ?",
            vec![id.into(), time(now)],
        )?;
        match rows.into_iter().next().as_deref() {
            None => Ok(None),
            Some([SqlStorageValue::String(request), SqlStorageValue::String(answer)]) => {
                Ok(Some((request.clone(), answer.clone())))
            }
            Some(_) => Err(damaged()),
        }
    }

    fn delta(&self, ledger: &Ledger) -> Result<Vec<u64>> {
        self.fingerprints("seq > ?", vec![number(ledger.base_seq())])
    }

    /// The fingerprints of the rows of which this holds, in one text: a row each would cost a crossing into JavaScript each.
    fn fingerprints(&self, which: &str, values: Vec<SqlStorageValue>) -> Result<Vec<u64>> {
        let query =
            format!("SELECT group_concat(hex(substr(key, 1, 8)), '') FROM entries WHERE {which}");
        let rows = self.rows(&query, values)?;
        let text = match rows.first().and_then(|row| row.first()) {
            Some(SqlStorageValue::String(text)) => text.as_str(),
            _ => "",
        };
        let (digits, rest) = text.as_bytes().as_chunks::<16>();
        if !rest.is_empty() {
            return Err(damaged());
        }
        digits
            .iter()
            .map(|digits| {
                let digits = core::str::from_utf8(digits).map_err(|_| damaged())?;
                u64::from_str_radix(digits, 16).map_err(|_| damaged())
            })
            .collect()
    }
}

fn load(state: &State) -> Result<Ledger> {
    let sql = state.storage().sql();
    for statement in SCHEMA {
        sql.exec(statement, None)?;
    }
    match sql.exec("SELECT ledger FROM state", None)?.raw().next().transpose()?.as_deref() {
        None => Ok(Ledger::new(clock::now())),
        Some([SqlStorageValue::Blob(bytes)]) => Ledger::parse(bytes).ok_or_else(damaged),
        Some(_) => Err(damaged()),
    }
}

fn damaged() -> worker::Error {
    "a row has a form that the gate does not write".into()
}

fn parse_key(text: &str) -> Result<DenyKey> {
    DenyKey::parse(text).ok_or_else(|| "expected a key".into())
}

fn read(key: &DenyKey, text: &str) -> core::result::Result<Entry, String> {
    Entry::parse(key, text.as_bytes()).map_err(|fault| fault.to_string())
}

fn blob(bytes: &[u8]) -> SqlStorageValue {
    SqlStorageValue::Blob(bytes.to_vec())
}

/// Numbers of changes: 2^53 of them are never made.
fn number(value: u64) -> SqlStorageValue {
    SqlStorageValue::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

fn time(at: UnixTime) -> SqlStorageValue {
    SqlStorageValue::Integer(at.as_secs())
}

fn as_u64(value: &SqlStorageValue) -> Option<u64> {
    match value {
        SqlStorageValue::Integer(value) => u64::try_from(*value).ok(),
        _ => None,
    }
}

/// Lets waiting requests go first.
async fn pause() {
    worker::Delay::from(core::time::Duration::ZERO).await;
}
