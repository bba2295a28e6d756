//! Exact counters: one Durable Object for each counted thing. An object has one thread and the only copy
//! of its counts, so a limit holds however many requests arrive at once.

use std::cell::RefCell;

use serde::{Deserialize, Serialize};
use worker::{
    DurableObject, Env, Request, Response, Result, SqlStorageValue, State, durable_object,
};

use super::{alarm::Alarm, durable_call};
use crate::{clock, deadline};
use edgegate::{
    error::StoreError,
    limit::{
        self, CounterGroup, Limit,
        lease::{self, Borrow, Grant, Unspent},
    },
    time::UnixMillis,
};

/// The Durable Object namespace of counters.
pub(crate) const BINDING: &str = "EDGEGATE_COUNTERS";

/// A question of the gate to an object. It brings the limits: the policy is the gate's, and may change.
#[derive(Debug, Serialize, Deserialize)]
struct Ask {
    op: Operation,
    limits: Vec<Limit>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Operation {
    Take(Borrow),
    GiveBack(Unspent),
}

/// The counters of one counted thing: its cells by the name of the limit.
///
/// A row is written with every change, and an answer leaves only once its rows are safe (the
/// platform's output gate), so no crash forgets what was admitted. Once nothing it holds could change
/// an answer any more, the object deletes itself.
///
/// Cells that cannot be read make it answer nothing until they would have expired: what follows is the
/// limit's `on_error` to say. Counting afresh would make damage a way around the limit.
#[durable_object(alarm)]
pub struct CounterObject {
    state: State,
    cells: RefCell<Result<Vec<Stored>>>,
    alarm: Alarm,
}

/// A cell and the name of its limit. There are few: they are looked through.
#[derive(Debug, Clone)]
struct Stored {
    name: String,
    cell: limit::Cell,
    expires_at: UnixMillis,
}

impl DurableObject for CounterObject {
    fn new(state: State, _env: Env) -> Self {
        Self { cells: RefCell::new(load(&state)), state, alarm: Alarm::default() }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let ask: Ask = serde_json::from_str(&request.text().await?)?;
        let now = clock::now();
        let grant = self.step(&ask, now)?;
        self.wake_for_cleaning(now).await?;
        Response::from_json(&grant)
    }

    async fn alarm(&self) -> Result<Response> {
        self.alarm.went_off();
        let now = clock::now();
        let live = match &mut *self.cells.borrow_mut() {
            Ok(cells) => {
                cells.retain(|stored| now < stored.expires_at);
                !cells.is_empty()
            }
            Err(_) => false,
        };
        if live {
            self.wake_for_cleaning(now).await?;
        } else {
            self.state.storage().delete_all().await?;
            *self.cells.borrow_mut() = Ok(Vec::new());
        }
        Response::empty()
    }
}

impl CounterObject {
    /// Runs without waiting for anything, so no other request can come between the reading and the
    /// writing of a cell.
    fn step(&self, ask: &Ask, now: UnixMillis) -> Result<Grant> {
        let mut meters = self.meters(&ask.limits, now)?;
        let (grant, changed) = match ask.op {
            Operation::Take(borrow) => {
                let grant = lease::lend(&mut meters, &borrow, now);
                let changed = grant.admitted() || borrow.returned.is_some();
                (grant, changed)
            }
            Operation::GiveBack(unspent) => {
                lease::give_back(&mut meters, unspent);
                (Grant { verdicts: Vec::new(), lent: 0, life_millis: 0, at: now }, true)
            }
        };
        if changed {
            self.save(meters)?;
        }
        Ok(grant)
    }

    fn meters<'l>(
        &self,
        limits: &'l [Limit],
        now: UnixMillis,
    ) -> Result<Vec<(&'l Limit, Option<limit::Cell>)>> {
        let cells = self.cells.borrow();
        let cells = cells.as_ref().map_err(unreadable)?;
        Ok(limits
            .iter()
            .map(|limit| {
                let cell = cells
                    .iter()
                    .find(|stored| stored.name == limit.name() && now < stored.expires_at)
                    .map(|stored| stored.cell.clone());
                (limit, cell)
            })
            .collect())
    }

    fn save(&self, meters: Vec<(&Limit, Option<limit::Cell>)>) -> Result<()> {
        if meters.is_empty() {
            return Ok(());
        }
        let mut cells = self.cells.borrow_mut();
        let cells = cells.as_mut().map_err(|fault| unreadable(fault))?;
        let sql = self.state.storage().sql();
        sql.exec(
            "CREATE TABLE IF NOT EXISTS cells \
             (name TEXT PRIMARY KEY, cell TEXT NOT NULL, expires_at REAL NOT NULL)",
            None,
        )?;
        for (limit, cell) in meters {
            let Some(cell) = cell else { continue };
            let expires_at = limit::expires_at(&cell, limit);
            sql.exec(
                "INSERT OR REPLACE INTO cells (name, cell, expires_at) VALUES (?, ?, ?)",
                vec![
                    SqlStorageValue::String(limit.name().to_owned()),
                    SqlStorageValue::String(serde_json::to_string(&cell)?),
                    SqlStorageValue::Float(millis_as_f64(expires_at)),
                ],
            )?;
            cells.retain(|stored| stored.name != limit.name());
            cells.push(Stored { name: limit.name().to_owned(), cell, expires_at });
        }
        Ok(())
    }

    /// Sets the alarm for when everything held now has expired, unless one is set already.
    async fn wake_for_cleaning(&self, now: UnixMillis) -> Result<()> {
        let last = match &*self.cells.borrow() {
            Ok(cells) => cells.iter().map(|stored| stored.expires_at).max(),
            Err(_) => None,
        };
        match (last, self.alarm.time()) {
            (Some(last), None) => self.alarm.set(&self.state, last, now).await,
            _ => Ok(()),
        }
    }
}

/// The stored cells. A new object has no table yet.
fn load(state: &State) -> Result<Vec<Stored>> {
    let sql = state.storage().sql();
    let tables =
        sql.exec("SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'cells'", None)?;
    if tables.raw().next().is_none() {
        return Ok(Vec::new());
    }
    let mut cells = Vec::new();
    for row in sql.exec("SELECT name, cell, expires_at FROM cells", None)?.raw() {
        let row = row?;
        let [SqlStorageValue::String(name), SqlStorageValue::String(cell), expires_at] =
            row.as_slice()
        else {
            return Err(damaged());
        };
        let cell = limit::Cell::parse(cell.as_bytes())
            .map_err(|fault| worker::Error::RustError(fault.to_string()))?;
        // JavaScript has no other numbers: a REAL without a fraction comes as an integer.
        let expires_at = match expires_at {
            SqlStorageValue::Integer(millis) => {
                UnixMillis::from_millis(u64::try_from(*millis).unwrap_or_default())
            }
            SqlStorageValue::Float(millis) => f64_as_millis(*millis),
            _ => return Err(damaged()),
        };
        cells.push(Stored { name: name.clone(), cell, expires_at });
    }
    Ok(cells)
}

fn damaged() -> worker::Error {
    "a row has a form that the gate does not write".into()
}

fn unreadable(fault: &worker::Error) -> worker::Error {
    worker::Error::RustError(format!("what is stored cannot be read: {fault}"))
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of this millennium fit into 53 bits")]
fn millis_as_f64(time: UnixMillis) -> f64 {
    time.as_millis() as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates; it was written by millis_as_f64"
)]
fn f64_as_millis(millis: f64) -> UnixMillis {
    UnixMillis::from_millis(millis as u64)
}

/// Asks the object of a group to take from its limits.
pub(crate) async fn take(
    env: &Env,
    group: &CounterGroup,
    limits: &[Limit],
    borrow: Borrow,
) -> core::result::Result<Grant, StoreError> {
    ask(env, group, Operation::Take(borrow), limits).await
}

/// Gives something back to the object of a group.
pub(crate) async fn give_back(
    env: &Env,
    group: &CounterGroup,
    limits: &[Limit],
    unspent: Unspent,
) -> core::result::Result<(), StoreError> {
    ask(env, group, Operation::GiveBack(unspent), limits).await.map(|_| ())
}

async fn ask(
    env: &Env,
    group: &CounterGroup,
    op: Operation,
    limits: &[Limit],
) -> core::result::Result<Grant, StoreError> {
    let answer = async {
        let question = serde_json::to_string(&Ask { op, limits: limits.to_vec() })?;
        durable_call::ask(env, BINDING, &group.to_string(), &question).await?.text().await
    };
    let failed =
        |fault: &dyn core::fmt::Display| StoreError::new(format!("counter object: {fault}"));
    match deadline::within(deadline::STORE, answer).await {
        Some(Ok(grant)) => serde_json::from_str(&grant).map_err(|fault| failed(&fault)),
        Some(Err(fault)) => Err(failed(&fault)),
        None => Err(StoreError::new("counter object: no answer in time")),
    }
}
