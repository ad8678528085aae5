//! The wall clock, for both processes. Whether it may be believed is for the audit log to say, which
//! holds it against the monotonic clock and its own last entry before anything is issued.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970-01-01 UTC; a clock before that reads as 0, which every signature refuses.
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}
