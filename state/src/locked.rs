//! Memory for one key that is never written to swap.
//!
//! The key gets pages of its own, so that unlocking them cannot unlock somebody else's. Keeping them
//! out of core dumps as well (`MADV_DONTDUMP`) has no safe interface; the service makes the whole
//! process undumpable instead.

use zeroize::Zeroize;

/// 32 bytes on a locked page of their own. Wiped, then unlocked, when dropped.
pub(crate) struct LockedKey {
    // Dropped before the memory it locks.
    _lock: region::LockGuard,
    memory: Vec<u8>,
    offset: usize,
}

impl LockedKey {
    /// Locks a page and lets `fill` write the key.
    pub(crate) fn new(fill: impl FnOnce(&mut [u8; 32])) -> Result<Self, LockMemoryError> {
        let page = region::page::size();
        let memory = vec![0; 2 * page];
        let offset = memory.as_ptr().align_offset(page);
        let lock = region::lock(memory[offset..].as_ptr(), page)
            .map_err(|e| LockMemoryError(e.to_string()))?;
        let mut key = Self {
            _lock: lock,
            memory,
            offset,
        };
        fill(
            key.memory[offset..]
                .first_chunk_mut()
                .expect("a page has more than 32 bytes"),
        );
        Ok(key)
    }

    /// The key.
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        self.memory[self.offset..]
            .first_chunk()
            .expect("a page has more than 32 bytes")
    }
}

impl Drop for LockedKey {
    fn drop(&mut self) {
        self.memory.zeroize();
    }
}

/// The system does not let this process lock memory.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("cannot lock memory for the sealing key: {0}")]
pub struct LockMemoryError(String);

impl LockMemoryError {
    /// What the operator can do about it.
    pub fn remedy(&self) -> &'static str {
        "raise the limit of locked memory (LimitMEMLOCK=1M in the systemd unit, ulimit -l in a shell)"
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_locked_key_holds_what_was_filled_in_on_a_locked_page() {
        let key = LockedKey::new(|key| key.fill(0x5a)).unwrap();
        assert_eq!(key.bytes(), &[0x5a; 32]);
        let locked = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = locked.lines().find(|l| l.starts_with("VmLck:")).unwrap();
        assert!(!line.contains(" 0 kB"), "{line}");
    }
}
