//! The nonces that a log shows to have been burnt lately, collected in flat memory.

use crate::{Entry, Timestamp};

/// A nonce is kept if it expires no earlier than this many seconds before the last entry.
const MARGIN_SECONDS: u64 = 600;

/// How many are collected before the expired ones are dropped for the first time.
const FIRST_PRUNING: usize = 1024;

/// A nonce that was used once and must not be used again until it has expired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BurntNonce {
    /// The id of the signing key.
    pub keyid: String,
    /// The nonce.
    pub nonce: String,
    /// The request's `expires`, unix seconds.
    pub expires: u64,
}

/// Collects the nonces of entries, in the order of the log.
#[derive(Debug)]
pub(crate) struct RecentNonces {
    now: Timestamp,
    nonces: Vec<BurntNonce>,
    prune_at: usize,
}

impl RecentNonces {
    /// A collection that is made at `now`.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            now,
            nonces: Vec::new(),
            prune_at: FIRST_PRUNING,
        }
    }

    /// Takes note of an entry's nonce, if it has one.
    pub(crate) fn note(&mut self, entry: &Entry<'_>) {
        self.nonces.extend(entry.nonce());
        if self.nonces.len() >= self.prune_at {
            self.prune(entry.time);
            self.prune_at = FIRST_PRUNING.max(2 * self.nonces.len());
        }
    }

    /// Those that matter after an entry of time `last`, which was the last one.
    pub(crate) fn finish(mut self, last: Timestamp) -> Vec<BurntNonce> {
        self.prune(last);
        self.nonces
    }

    // By the earlier of both times: a clock that was set back must not make burnt nonces usable.
    fn prune(&mut self, last: Timestamp) {
        let since = self
            .now
            .min(last)
            .unix_seconds()
            .saturating_sub(MARGIN_SECONDS);
        self.nonces.retain(|nonce| nonce.expires >= since);
    }
}
