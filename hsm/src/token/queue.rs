//! A lock with a time limit: callers wait for their turn at the token, but not for ever.

use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// One value that one caller at a time holds. `std::sync::Mutex` cannot give up waiting.
#[derive(Default)]
pub(super) struct Queue<T> {
    /// `None` while somebody holds the value.
    place: Mutex<Place<T>>,
    returned: Condvar,
}

struct Place<T>(Option<T>);

impl<T: Default> Default for Place<T> {
    fn default() -> Self {
        Self(Some(T::default()))
    }
}

impl<T> Queue<T> {
    /// The value, or nothing when its holder did not return it in time.
    pub(super) fn take(&self, within: Duration) -> Option<Held<'_, T>> {
        let place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .returned
            .wait_timeout_while(place, within, |place| place.0.is_none());
        let value = waited.unwrap_or_else(PoisonError::into_inner).0.0.take()?;
        Some(Held {
            queue: self,
            value: Some(value),
        })
    }
}

/// The value; goes back on drop, also when its holder panics.
pub(super) struct Held<'a, T> {
    queue: &'a Queue<T>,
    /// `None` only while it is being dropped.
    value: Option<T>,
}

impl<T> Deref for Held<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("the value is there until drop")
    }
}

impl<T> DerefMut for Held<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("the value is there until drop")
    }
}

impl<T> Drop for Held<'_, T> {
    fn drop(&mut self) {
        let mut place = self
            .queue
            .place
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        place.0 = self.value.take();
        self.queue.returned.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_gives_up_when_the_holder_does_not_return() {
        let queue = Queue::<u8>::default();
        let held = queue.take(Duration::ZERO).unwrap();
        assert!(queue.take(Duration::from_millis(5)).is_none());
        drop(held);
        assert!(queue.take(Duration::ZERO).is_some());
    }

    #[test]
    fn a_panicking_holder_returns_the_value() {
        let queue = Queue::<u8>::default();
        let holder = std::thread::scope(|scope| {
            scope
                .spawn(|| {
                    *queue.take(Duration::ZERO).unwrap() = 7;
                    let _held = queue.take(Duration::ZERO).unwrap();
                    panic!("on purpose");
                })
                .join()
        });
        assert!(holder.is_err());
        assert_eq!(*queue.take(Duration::ZERO).unwrap(), 7);
    }
}
