//! A store of texts in memory that waits in every call, so that calls really interleave.
#![allow(dead_code, unreachable_pub)]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use edgegate::store::keyed::KeyValue;
use edgegate::store::shared::SwapStore;
use edgegate::time::{UnixMillis, UnixTime};
use edgegate::{error::StoreError, store::Page};

use super::gate::{NOW, a_moment};

/// What somebody else does in between.
type Overtaking = Box<dyn FnOnce(&Texts)>;

#[derive(Default)]
pub struct Texts {
    pub values: RefCell<BTreeMap<String, String>>,
    /// When what was written may be forgotten.
    pub ends: RefCell<BTreeMap<String, Option<UnixTime>>>,
    /// Writes to names that begin so fail.
    pub broken: RefCell<Option<String>>,
    /// What happens once a name that begins so was written.
    pub overtaken: RefCell<Option<(String, Overtaking)>>,
    /// Swaps that came too late.
    pub lost: Cell<u32>,
}

impl KeyValue for &Texts {
    fn now(&self) -> UnixMillis {
        NOW
    }

    async fn read(&self, names: &[String]) -> Result<Vec<Option<String>>, StoreError> {
        a_moment().await;
        let values = self.values.borrow();
        Ok(names.iter().map(|name| values.get(name).cloned()).collect())
    }

    async fn write(
        &self,
        name: &str,
        value: &str,
        expires_at: Option<UnixTime>,
    ) -> Result<(), StoreError> {
        a_moment().await;
        if self.broken.borrow().as_ref().is_some_and(|broken| name.starts_with(broken)) {
            return Err(StoreError::new("is on fire"));
        }
        self.ends.borrow_mut().insert(name.to_owned(), expires_at);
        self.values.borrow_mut().insert(name.to_owned(), value.to_owned());
        let overtaken =
            self.overtaken.borrow_mut().take_if(|(written, _)| name.starts_with(written.as_str()));
        if let Some((_, happens)) = overtaken {
            happens(self);
        }
        Ok(())
    }

    async fn delete(&self, name: &str) -> Result<(), StoreError> {
        a_moment().await;
        self.values.borrow_mut().remove(name);
        Ok(())
    }

    async fn names(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<String>, StoreError> {
        a_moment().await;
        let values = self.values.borrow();
        let after = |name: &&String| cursor.is_none_or(|cursor| name.as_str() > cursor);
        let mut rest = values.keys().filter(|name| name.starts_with(prefix)).filter(after);
        let items: Vec<String> = rest.by_ref().take(limit).cloned().collect();
        let cursor = rest.next().and_then(|_| items.last().cloned());
        Ok(Page { items, cursor })
    }
}

/// Nobody waits for a turn: the swap alone decides.
impl SwapStore for &Texts {
    async fn load(&self, name: &str) -> Result<Option<String>, StoreError> {
        a_moment().await;
        Ok(self.values.borrow().get(name).cloned())
    }

    async fn swap(
        &self,
        name: &str,
        expected: Option<&str>,
        next: &str,
        _until: UnixMillis,
    ) -> Result<bool, StoreError> {
        a_moment().await;
        let mut values = self.values.borrow_mut();
        if values.get(name).map(String::as_str) != expected {
            self.lost.set(self.lost.get() + 1);
            return Ok(false);
        }
        values.insert(name.to_owned(), next.to_owned());
        Ok(true)
    }

    fn release(&self, _name: &str) {}
}
