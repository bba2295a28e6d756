//! Calls to the ledger of revocations, as the gate makes them.

use worker::Env;

use super::{durable_call, ledger};
use crate::deadline;
use edgegate::{
    error::StoreError,
    revocation::{DenyKey, Entry},
    store::Page,
};

/// There is one ledger for a gate.
const NAME: &str = "ledger";

/// The outcome of a request to revoke.
#[derive(Debug)]
pub(crate) enum Revoked<T> {
    /// It is done; the first is the generation of the last head, which does not know of it yet.
    Done(u64, T),
    /// The idempotency key was used for another request.
    Conflict,
}

impl<T> Revoked<T> {
    /// The answer, unless it is a conflict.
    pub(crate) fn answer(self) -> Option<T> {
        match self {
            Self::Done(_, answer) => Some(answer),
            Self::Conflict => None,
        }
    }
}

/// An idempotency key, hashed, and the digest of the request it stands for; both base64url.
#[derive(Debug, Clone)]
pub(crate) struct Retry {
    pub(crate) id: String,
    pub(crate) request: String,
}

/// The ledger as the gate sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ledger<'a> {
    pub(crate) env: &'a Env,
}

impl Ledger<'_> {
    /// The entries under these keys, in their order.
    pub(crate) async fn entries(self, keys: &[DenyKey]) -> Result<Vec<Option<Entry>>, StoreError> {
        let mut question = "entries".to_owned();
        for key in keys {
            question.push_str(&format!("\n{key}"));
        }
        let answer = self.ask_text(question, deadline::STORE).await?;
        let lines: Vec<&str> = answer.lines().collect();
        if lines.len() != keys.len() {
            return Err(not_ours());
        }
        keys.iter()
            .zip(lines)
            .map(|(key, line)| (!line.is_empty()).then(|| read(key, line)).transpose())
            .collect()
    }

    /// Revokes, never weaker than before; answers the entry in force.
    pub(crate) async fn revoke(
        self,
        entry: &Entry,
        retry: Option<&Retry>,
    ) -> Result<Revoked<Entry>, StoreError> {
        let answer = self.send(core::slice::from_ref(entry), retry, "whole").await?;
        Ok(match answer {
            Revoked::Conflict => Revoked::Conflict,
            Revoked::Done(generation, rest) => {
                let stored = rest.lines().next().ok_or_else(not_ours)?;
                Revoked::Done(generation, read(&entry.deny_key(), stored)?)
            }
        })
    }

    /// Revokes all of these, or none, never weaker than before. Answers the generation of the last head, which does not know of it yet, and
    /// the entries in force.
    pub(crate) async fn revoke_several(
        self,
        entries: &[Entry],
    ) -> Result<(u64, Vec<Entry>), StoreError> {
        let Revoked::Done(generation, rest) = self.send(entries, None, "whole").await? else {
            return Err(not_ours());
        };
        let stored: Vec<&str> = rest.lines().collect();
        if stored.len() != entries.len() {
            return Err(not_ours());
        }
        let stored = entries.iter().zip(stored);
        let stored = stored.map(|(entry, stored)| read(&entry.deny_key(), stored));
        Ok((generation, stored.collect::<Result<_, _>>()?))
    }

    /// Revokes all of these, or none. Answers how many were written, and how many were there already.
    pub(crate) async fn revoke_all(
        self,
        entries: &[Entry],
        retry: Option<&Retry>,
    ) -> Result<Revoked<(u32, u32)>, StoreError> {
        let answer = self.send(entries, retry, "brief").await?;
        Ok(match answer {
            Revoked::Conflict => Revoked::Conflict,
            Revoked::Done(generation, rest) => {
                let (written, unchanged) = rest.split_once('\n').ok_or_else(not_ours)?;
                let number = |text: &str| text.parse().map_err(|_| not_ours());
                Revoked::Done(generation, (number(written)?, number(unchanged)?))
            }
        })
    }

    async fn send(
        self,
        entries: &[Entry],
        retry: Option<&Retry>,
        answer: &str,
    ) -> Result<Revoked<String>, StoreError> {
        let mut question = "revoke\n".to_owned();
        if let Some(retry) = retry {
            question.push_str(&format!("{} {}", retry.id, retry.request));
        }
        question.push_str(&format!("\n{answer}"));
        for entry in entries {
            question.push('\n');
            question.push_str(
                &serde_json::to_string(entry)
                    .map_err(|_| StoreError::new("the entry cannot be written as JSON"))?,
            );
        }
        let limit = if entries.len() > 1 { deadline::LONG } else { deadline::STORE };
        let answer = self.ask_text(question, limit).await?;
        if answer == "conflict" {
            return Ok(Revoked::Conflict);
        }
        let (generation, rest) = answer.split_once('\n').ok_or_else(not_ours)?;
        let generation = generation.parse().map_err(|_| not_ours())?;
        Ok(Revoked::Done(generation, rest.to_owned()))
    }

    /// Undoes a revocation; whether there was one.
    pub(crate) async fn undo(self, key: &DenyKey) -> Result<bool, StoreError> {
        Ok(self.ask_text(format!("undo\n{key}"), deadline::STORE).await? == "1")
    }

    /// A page of the entries, as text.
    pub(crate) async fn list(
        self,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<String>, StoreError> {
        let cursor = match cursor.map(|cursor| DenyKey::parse(cursor).ok_or_else(no_such_cursor)) {
            Some(key) => key?.to_string(),
            None => String::new(),
        };
        let answer = self.ask_text(format!("list\n{cursor}\n{limit}"), deadline::LONG).await?;
        let (cursor, entries) = answer.split_once('\n').ok_or_else(not_ours)?;
        let cursor = (!cursor.is_empty()).then(|| cursor.to_owned());
        Ok(Page { items: entries.lines().map(str::to_owned).collect(), cursor })
    }

    /// The head of a snapshot, fresh.
    pub(crate) async fn head(self) -> Result<Vec<u8>, StoreError> {
        self.ask("head".to_owned(), deadline::STORE).await
    }

    /// Whether it answers.
    pub(crate) async fn answers(self) -> Result<(), StoreError> {
        self.ask("status".to_owned(), deadline::STORE).await.map(|_| ())
    }

    async fn ask_text(
        self,
        question: String,
        limit: core::time::Duration,
    ) -> Result<String, StoreError> {
        String::from_utf8(self.ask(question, limit).await?).map_err(|_| not_ours())
    }

    async fn ask(
        self,
        question: String,
        limit: core::time::Duration,
    ) -> Result<Vec<u8>, StoreError> {
        let answer = async {
            durable_call::ask(self.env, ledger::BINDING, NAME, &question).await?.bytes().await
        };
        match deadline::within(limit, answer).await {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(fault)) => Err(StoreError::new(format!("ledger: {fault}"))),
            None => Err(StoreError::new("ledger: no answer in time")),
        }
    }
}

/// An entry of a listing, whose key is that of its target.
pub(crate) fn listed(text: &str) -> Result<(DenyKey, Entry), StoreError> {
    Entry::parse_listed(text.as_bytes()).map_err(|fault| StoreError::new(fault.to_string()))
}

fn read(key: &DenyKey, text: &str) -> Result<Entry, StoreError> {
    Entry::parse(key, text.as_bytes()).map_err(|fault| StoreError::new(fault.to_string()))
}

fn not_ours() -> StoreError {
    StoreError::new("ledger: the answer has another form than expected")
}

fn no_such_cursor() -> StoreError {
    StoreError::new("ledger: no such cursor")
}
