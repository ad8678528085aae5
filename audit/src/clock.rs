//! Time as entries carry it, and the clock that the log reads.
//!
//! Entry times never go backwards. The caller supplies the clock, so that tests can turn it back.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::{Date, Month, OffsetDateTime};

/// The last millisecond that has a four-digit year: 9999-12-31T23:59:59.999Z.
const LAST_MILLISECOND: u64 = 253_402_300_799_999;

/// A moment in UTC with millisecond resolution, between 1970 and the year 9999.
///
/// Written as RFC 3339 in exactly 24 characters, `2026-11-20T18:48:00.123Z`, so that the order of
/// the texts is the order of the moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

/// A text is not a timestamp as entries write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a UTC time such as 2026-11-20T18:48:00.123Z")]
pub struct TimestampError;

impl Timestamp {
    /// A moment from milliseconds since 1970-01-01; later than the year 9999 becomes its last one.
    pub fn from_unix_millis(millis: u64) -> Self {
        Self(millis.min(LAST_MILLISECOND))
    }

    /// Milliseconds since 1970-01-01.
    pub fn unix_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since 1970-01-01.
    pub fn unix_seconds(self) -> u64 {
        self.0 / 1000
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.0 / 1000).expect("the year is at most 9999");
        let moment =
            OffsetDateTime::from_unix_timestamp(seconds).expect("the year is at most 9999");
        write!(
            formatter,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            moment.year(),
            u8::from(moment.month()),
            moment.day(),
            moment.hour(),
            moment.minute(),
            moment.second(),
            self.0 % 1000
        )
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        parse(text.as_bytes()).ok_or(TimestampError)
    }
}

fn parse(text: &[u8]) -> Option<Timestamp> {
    let shape = b"dddd-dd-ddTdd:dd:dd.dddZ";
    let fits = text.len() == shape.len()
        && text.iter().zip(shape).all(|(byte, want)| match want {
            b'd' => byte.is_ascii_digit(),
            _ => byte == want,
        });
    if !fits {
        return None;
    }
    let number = |from: usize, to: usize| {
        text[from..to]
            .iter()
            .fold(0_u16, |value, digit| value * 10 + u16::from(digit - b'0'))
    };
    let small = |from: usize| number(from, from + 2) as u8;
    let month = Month::try_from(small(5)).ok()?;
    let date = Date::from_calendar_date(i32::from(number(0, 4)), month, small(8)).ok()?;
    let moment = date
        .with_hms_milli(small(11), small(14), small(17), number(20, 23))
        .ok()?;
    let millis = moment.assume_utc().unix_timestamp_nanos() / 1_000_000;
    Some(Timestamp(u64::try_from(millis).ok()?))
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

/// One reading of both clocks, taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The wall clock.
    pub wall: Timestamp,
    /// Milliseconds on a clock that nobody sets and that counts suspended time too.
    pub monotonic_millis: u64,
}

/// Where the log takes its time from.
pub trait Clock: Send + Sync {
    /// Reads both clocks.
    fn now(&self) -> Reading;
}

/// The machine's clocks: `CLOCK_REALTIME` and `CLOCK_BOOTTIME`.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Reading {
        Reading {
            wall: Timestamp::from_unix_millis(read_millis(rustix::time::ClockId::Realtime)),
            monotonic_millis: read_millis(rustix::time::ClockId::Boottime),
        }
    }
}

fn read_millis(clock: rustix::time::ClockId) -> u64 {
    let reading = rustix::time::clock_gettime(clock);
    // A wall clock before 1970 reads as 1970, which is before any entry and therefore refused.
    let seconds = u64::try_from(reading.tv_sec).unwrap_or(0);
    seconds * 1000 + u64::try_from(reading.tv_nsec).unwrap_or(0) / 1_000_000
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_timestamp_has_one_spelling() {
        let moment = Timestamp::from_unix_millis(1_795_200_480_123);
        assert_eq!(moment.to_string(), "2026-11-20T18:48:00.123Z");
        assert_eq!("2026-11-20T18:48:00.123Z".parse(), Ok(moment));
        for wrong in [
            "2026-11-20T18:48:00Z",
            "2026-11-20t18:48:00.123Z",
            "2026-11-20T18:48:00.123+00:00",
            "2026-13-20T18:48:00.123Z",
            "2026-02-30T18:48:00.123Z",
            "2026-11-20T24:00:00.000Z",
            "1969-12-31T23:59:59.999Z",
            "",
        ] {
            assert_eq!(wrong.parse::<Timestamp>(), Err(TimestampError), "{wrong}");
        }
    }

    #[test]
    fn the_system_clock_is_past_the_day_this_was_written() {
        assert!(SystemClock.now().wall.to_string().as_str() > "2026-01-01");
    }

    proptest! {
        #[test]
        fn order_of_texts_is_order_of_moments(a in 0..=LAST_MILLISECOND, b in 0..=LAST_MILLISECOND) {
            let (first, second) = (Timestamp(a), Timestamp(b));
            prop_assert_eq!(first.to_string().cmp(&second.to_string()), a.cmp(&b));
            prop_assert_eq!(first.to_string().parse(), Ok(first));
        }
    }
}
