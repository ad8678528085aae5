//! The wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970; 0 if the clock stands before that, which every D-TA then refuses.
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
