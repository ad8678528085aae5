//! How far a log knows the changes of the registry.

use crate::Entry;

/// Collects the generations of entries, in the order of the log.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LastChange {
    whole: Option<u64>,
    /// A new customer whose further entries are still to come.
    begun: Option<u64>,
}

impl LastChange {
    /// Takes note of an entry's generation, if it has one that was checked.
    pub(crate) fn note(&mut self, entry: &Entry<'_>) {
        let Some(generation) = entry.generation() else {
            return;
        };
        match entry.event {
            // What was found on the disk: nobody had the key that its MACs are checked with.
            "start" => {}
            // Three entries tell of a new customer, the one of its master key is the last.
            "customer-added" => self.begun = Some(generation),
            "key-added" if self.begun == Some(generation) => {}
            _ => {
                self.begun = None;
                self.whole = self.whole.max(Some(generation));
            }
        }
    }

    /// The generation after the last change that has all its entries.
    pub(crate) fn whole(self) -> Option<u64> {
        self.whole
    }
}
