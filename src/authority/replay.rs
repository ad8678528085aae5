//! Burnt nonces: a signed request is answered once.
//!
//! A nonce is unique per signing key and stays burnt until its request would be refused as expired.
//! The cache lives in memory; after a restart it is filled again from the audit log, where every
//! nonce stands beside the entry that it caused.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use sha2::{Digest, Sha256};

/// The most nonces kept: over two minutes of 15,000 requests a second, 50 MB at the worst.
const CAPACITY: usize = 2_000_000;

/// What became of an attempt to burn a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Burn {
    /// Seen for the first time, and burnt by this call.
    Fresh,
    /// Burnt before; this is the first time that it came again.
    Replayed,
    /// Burnt before, and not the first time that it came again.
    ReplayedAgain,
    /// Its deadline has passed for somebody who looked at the clock later, or before the clock was set
    /// back: it may have been burnt and forgotten.
    Late,
    /// The cache is full: nothing may be answered, since a replay would not be noticed.
    Full,
}

/// The nonces that must not be accepted again.
#[derive(Debug, Default)]
pub(super) struct ReplayCache {
    burnt: HashMap<Mark, Seen>,
    by_deadline: BTreeMap<u64, Vec<Mark>>,
    /// What had an earlier deadline is forgotten. Unix seconds; never runs backwards.
    forgotten_before: u64,
}

/// How often a nonce came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Once,
    Again,
}

/// 128 bits of SHA-256 over key id and nonce. Who finds a collision under his own key id has only
/// refused himself a request.
type Mark = [u8; 16];

impl ReplayCache {
    /// Burns `nonce` of the key `keyid` until `deadline`. Times are Unix seconds.
    pub(super) fn burn(&mut self, keyid: &str, nonce: &str, deadline: u64, now: u64) -> Burn {
        self.forget_before(now);
        if deadline < self.forgotten_before {
            return Burn::Late;
        }
        let mark = mark(keyid, nonce);
        let full = self.burnt.len() >= CAPACITY;
        match self.burnt.entry(mark) {
            Entry::Occupied(mut seen) => match seen.insert(Seen::Again) {
                Seen::Once => Burn::Replayed,
                Seen::Again => Burn::ReplayedAgain,
            },
            Entry::Vacant(_) if full => Burn::Full,
            Entry::Vacant(free) => {
                free.insert(Seen::Once);
                self.by_deadline.entry(deadline).or_default().push(mark);
                Burn::Fresh
            }
        }
    }

    fn forget_before(&mut self, now: u64) {
        self.forgotten_before = self.forgotten_before.max(now);
        while let Some(bucket) = self.by_deadline.first_entry() {
            if *bucket.key() >= now {
                break;
            }
            for mark in bucket.remove() {
                self.burnt.remove(&mark);
            }
        }
    }
}

fn mark(keyid: &str, nonce: &str) -> Mark {
    // Neither a key id nor a nonce contains a line feed, so the pair is framed.
    let digest = Sha256::new_with_prefix(keyid)
        .chain_update(b"\n")
        .chain_update(nonce)
        .finalize();
    let mut mark = Mark::default();
    mark.copy_from_slice(&digest[..16]);
    mark
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_fresh_once_and_replayed_until_its_deadline_has_passed() {
        let mut cache = ReplayCache::default();
        assert_eq!(cache.burn("key", "nonce", 100, 40), Burn::Fresh);
        assert_eq!(cache.burn("key", "nonce", 100, 40), Burn::Replayed);
        assert_eq!(cache.burn("key", "nonce", 165, 100), Burn::ReplayedAgain);
        assert_eq!(cache.burn("key", "nonce", 165, 101), Burn::Fresh);
    }

    #[test]
    fn a_replay_that_raced_the_clock_is_not_taken_for_fresh() {
        let mut cache = ReplayCache::default();
        assert_eq!(cache.burn("key", "nonce", 100, 40), Burn::Fresh);
        // Two requests are verified at second 100; the other one is slower, and comes to burn its nonce
        // after a third has come at 101.
        assert_eq!(cache.burn("key", "other", 166, 101), Burn::Fresh);
        assert_eq!(cache.burn("key", "nonce", 100, 100), Burn::Late);
        // So is one of an hour ago after the clock was set back by that hour.
        assert_eq!(cache.burn("key", "nonce", 100, 40), Burn::Late);
    }

    #[test]
    fn two_keys_may_use_the_same_nonce() {
        let mut cache = ReplayCache::default();
        assert_eq!(cache.burn("key-1", "nonce", 100, 40), Burn::Fresh);
        assert_eq!(cache.burn("key-2", "nonce", 100, 40), Burn::Fresh);
        assert_eq!(cache.burn("key-", "2nonce", 100, 40), Burn::Fresh);
    }

    #[test]
    fn what_has_expired_takes_no_room() {
        let mut cache = ReplayCache::default();
        for n in 0..1_000_u64 {
            assert_eq!(cache.burn("key", &n.to_string(), n + 65, n), Burn::Fresh);
        }
        assert!(cache.burnt.len() <= 67, "{} kept", cache.burnt.len());
        assert_eq!(
            cache.burnt.len(),
            cache.by_deadline.values().map(Vec::len).sum::<usize>()
        );
    }
}
