//! Whether the wall clock can be right: not before the last entry, and not five minutes or more away
//! from where the monotonic clock says it should be.

use crate::{AppendError, Event, Reading, Timestamp};

/// How far the wall clock may leave the monotonic clock, in milliseconds.
const MAX_JUMP_MILLIS: u64 = 5 * 60 * 1000;

/// Both clocks as they were when the log was opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClockWatch(pub(crate) Reading);

impl ClockWatch {
    /// What is wrong with a reading, given the time of the last entry.
    pub(crate) fn fault(self, reading: Reading, last: Timestamp) -> Option<ClockFault> {
        let elapsed = reading
            .monotonic_millis
            .saturating_sub(self.0.monotonic_millis);
        let expected = self.0.wall.unix_millis().saturating_add(elapsed);
        let wall = reading.wall;
        if wall.unix_millis().abs_diff(expected) >= MAX_JUMP_MILLIS {
            let expected = Timestamp::from_unix_millis(expected);
            return Some(ClockFault {
                kind: ClockFaultKind::Jumped,
                wall,
                expected,
            });
        }
        let behind = ClockFault {
            kind: ClockFaultKind::Behind,
            wall,
            expected: last,
        };
        (wall < last).then_some(behind)
    }
}

/// The wall clock cannot be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClockFault {
    kind: ClockFaultKind,
    wall: Timestamp,
    /// What the wall clock should at least, or about, say.
    pub(crate) expected: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClockFaultKind {
    Behind,
    Jumped,
}

impl ClockFault {
    /// How an issuing event is refused.
    pub(crate) fn error(self) -> AppendError {
        let Self { wall, expected, .. } = self;
        match self.kind {
            ClockFaultKind::Behind => AppendError::ClockBehind {
                wall,
                last: expected,
            },
            ClockFaultKind::Jumped => AppendError::ClockJumped { wall, expected },
        }
    }

    /// How the fault itself is logged.
    pub(crate) fn event(self) -> Event {
        let fault = match self.kind {
            ClockFaultKind::Behind => "behind",
            ClockFaultKind::Jumped => "jumped",
        };
        Event::ClockFault {
            wall: self.wall,
            expected: self.expected,
            fault: fault.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_before_the_last_entry_or_five_minutes_off_is_at_fault() {
        let at = |millis| Timestamp::from_unix_millis(millis);
        let read = |wall, monotonic_millis| Reading {
            wall: at(wall),
            monotonic_millis,
        };
        let watch = ClockWatch(read(1_000_000, 50));
        let kind = |reading, last| watch.fault(reading, at(last)).map(|fault| fault.kind);

        assert_eq!(kind(read(1_000_000, 50), 1_000_000), None);
        assert_eq!(kind(read(1_299_999, 50), 1_000_000), None);
        assert_eq!(
            kind(read(1_300_000, 50), 1_000_000),
            Some(ClockFaultKind::Jumped)
        );
        assert_eq!(kind(read(1_300_000, 60), 1_000_000), None);
        assert_eq!(
            kind(read(999_999, 50), 1_000_000),
            Some(ClockFaultKind::Behind)
        );
        assert_eq!(kind(read(700_001, 50), 600_000), None);
        assert_eq!(
            kind(read(700_000, 50), 600_000),
            Some(ClockFaultKind::Jumped)
        );
    }
}
