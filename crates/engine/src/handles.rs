//! Values that the shell refers to by numbers.

use edgegate::error::Error;

/// A list whose free places are used again. Handles begin at 1.
#[derive(Debug)]
pub(super) struct Handles<T> {
    places: Vec<Option<T>>,
}

impl<T> Handles<T> {
    pub(super) const fn new() -> Self {
        Self { places: Vec::new() }
    }

    pub(super) fn add(&mut self, thing: T) -> usize {
        let place = self.places.iter().position(Option::is_none).unwrap_or_else(|| {
            self.places.push(None);
            self.places.len().saturating_sub(1)
        });
        if let Some(empty) = self.places.get_mut(place) {
            *empty = Some(thing);
        }
        place.saturating_add(1)
    }

    pub(super) fn get_mut(&mut self, handle: usize) -> Option<&mut T> {
        self.places.get_mut(handle.checked_sub(1)?)?.as_mut()
    }

    pub(super) fn remove(&mut self, handle: usize) {
        drop(self.take(handle));
    }

    pub(super) fn take(&mut self, handle: usize) -> Option<T> {
        self.places.get_mut(handle.checked_sub(1)?)?.take()
    }
}

/// The error for a handle that was freed, or belongs to another instance.
pub(super) fn no_such_handle() -> Error {
    Error::Config { path: String::new(), problem: "this verifier has been disposed of".to_owned() }
}
