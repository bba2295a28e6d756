//! The policy's own list of passwords that nobody may choose. It has megabytes: it is read once an hour by an isolate, by one request at a
//! time, and only for a password that all else has let through.

use core::cell::{Cell, RefCell};
use std::rc::Rc;

use super::{super::Backend, AccountFlow, Accounts};
use crate::{
    account::{
        common_passwords::CommonPasswords,
        password::{Password, Weakness},
    },
    error::{Error, FieldFault, StoreError},
    guard::backend::unavailable,
    time::UnixMillis,
};

/// How long an isolate goes by what it has read.
const KEPT_MILLIS: u64 = 60 * 60 * 1000;

/// What an isolate keeps of it.
#[derive(Debug, Default)]
pub(super) struct KeptList {
    list: RefCell<Option<(Rc<CommonPasswords>, UnixMillis)>>,
    is_read: Cell<bool>,
}

/// Somebody is reading it.
struct Reading<'k>(&'k Cell<bool>);

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl<B: Backend, A: Accounts> AccountFlow<'_, B, A> {
    /// Refuses a new password that is on the list. Whoever asks has taken what bounds such requests.
    ///
    /// # Errors
    /// [`Error::ValidationFailed`] for this field; [`Error::StoreUnavailable`]: without the list none is taken.
    pub(super) async fn check_list(&self, field: &str, password: &Password) -> Result<(), Error> {
        if !self.accounts.has_password_list {
            return Ok(());
        }
        let list = self.own_list().await.map_err(|fault| unavailable("password_list", &fault))?;
        if password.is_on(&list) {
            let message = Weakness::Common.message();
            let fault = FieldFault { field: field.to_owned(), message };
            return Err(Error::ValidationFailed { details: vec![fault] });
        }
        Ok(())
    }

    async fn own_list(&self) -> Result<Rc<CommonPasswords>, StoreError> {
        let kept = &self.edge.memory().list;
        if let Some((list, until)) = &*kept.list.borrow()
            && self.now < *until
        {
            return Ok(Rc::clone(list));
        }
        if kept.is_read.replace(true) {
            return Err(StoreError::new("the list is being read"));
        }
        let reading = Reading(&kept.is_read);
        let bytes = self.edge.password_list().await?;
        let list = CommonPasswords::parse(&bytes);
        let list = Rc::new(list.map_err(|fault| StoreError::new(fault.to_string()))?);
        let until = self.now.saturating_add(KEPT_MILLIS);
        kept.list.replace(Some((Rc::clone(&list), until)));
        drop(reading);
        Ok(list)
    }
}
