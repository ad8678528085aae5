//! Text that people read on screens and sign: names, age recipients, times.
//!
//! A name goes onto a ceremony screen and into a signed manifest, so it holds nothing that could
//! make one name look like another arrangement of text: no control, bidirectional or zero-width
//! characters, no space at either end.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of a holder, an authority, a token or a key: 1 to 64 bytes of letters, digits, ASCII
/// punctuation and single inner spaces.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    /// The largest length in bytes of UTF-8.
    pub const MAX_BYTES: usize = 64;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(NameError::TooLong { bytes: text.len() });
        }
        if text.starts_with(' ') || text.ends_with(' ') || text.contains("  ") {
            return Err(NameError::Spaces);
        }
        let printable = |c: char| c == ' ' || c.is_ascii_punctuation() || c.is_alphanumeric();
        match text.chars().find(|&c| !printable(c)) {
            Some(character) => Err(NameError::Character { character }),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.0
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Text that is no [`Name`].
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NameError {
    /// Nothing.
    #[error("a name must not be empty")]
    Empty,
    /// Over 64 bytes.
    #[error("a name has at most 64 bytes, this one has {bytes}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A space at an end, or two in a row.
    #[error("a name has single spaces, and none at its ends")]
    Spaces,
    /// A character outside the allowed ones.
    #[error("a name consists of letters, digits, punctuation and spaces, not of {character:?}")]
    Character {
        /// The first one.
        character: char,
    },
}

/// A holder's age recipient (`age1...`, native or of a plugin): where this holder's shares are
/// sealed to. The shape is checked here; that it can be sealed to is checked by `ceremony`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Recipient(String);

impl Recipient {
    /// Longest accepted text in bytes; a post-quantum recipient has about 2,000.
    pub const MAX_BYTES: usize = 4096;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Recipient {
    type Err = RecipientError;

    fn from_str(text: &str) -> Result<Self, RecipientError> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let long_enough = text.len() > "age1".len();
        if text.starts_with("age1")
            && long_enough
            && text.len() <= Self::MAX_BYTES
            && text.bytes().all(plain)
        {
            Ok(Self(text.to_owned()))
        } else {
            Err(RecipientError)
        }
    }
}

impl TryFrom<String> for Recipient {
    type Error = RecipientError;

    fn try_from(text: String) -> Result<Self, RecipientError> {
        text.parse()
    }
}

impl From<Recipient> for String {
    fn from(recipient: Recipient) -> String {
        recipient.0
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Text that is no [`Recipient`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an age recipient begins with age1 and has lower-case letters, digits and hyphens")]
pub struct RecipientError;

/// A moment in UTC to the second, written `2026-11-20T18:48:00Z` (RFC 3339), years 1970 to 9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(u64);

const SECONDS_A_DAY: u64 = 86_400;
/// 9999-12-31T23:59:59Z.
const LAST_SECOND: u64 = 253_402_300_799;

impl Timestamp {
    /// From seconds since 1970-01-01T00:00:00Z; none beyond the year 9999.
    pub fn from_unix_seconds(seconds: u64) -> Option<Self> {
        (seconds <= LAST_SECOND).then_some(Self(seconds))
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    pub fn unix_seconds(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.0 / SECONDS_A_DAY);
        let second = self.0 % SECONDS_A_DAY;
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        )
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        // Parse loosely, then demand that it prints the same: this refuses 31 February and the like.
        let number =
            |range: std::ops::Range<usize>| -> Option<u64> { text.get(range)?.parse().ok() };
        let parse = || {
            let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
            let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
            let in_range = (1970..=9999).contains(&year) && (1..=12).contains(&month);
            let days = in_range.then(|| days_from_civil(year, month, day))?;
            Self::from_unix_seconds(days * SECONDS_A_DAY + hour * 3600 + minute * 60 + second)
        };
        parse()
            .filter(|time| time.to_string() == text)
            .ok_or(TimestampError)
    }
}

impl TryFrom<String> for Timestamp {
    type Error = TimestampError;

    fn try_from(text: String) -> Result<Self, TimestampError> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> String {
        time.to_string()
    }
}

/// Text that is no [`Timestamp`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a time is written YYYY-MM-DDTHH:MM:SSZ, in UTC")]
pub struct TimestampError;

/// Days since 1970-01-01 to (year, month, day) of the Gregorian calendar, counted from 1 March of
/// year 0 in cycles of 400 years (146,097 days).
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

/// The inverse of [`civil_from_days`], for years from 1970 and months 1..=12.
fn days_from_civil(year: u64, month: u64, day: u64) -> u64 {
    let year = year - u64::from(month <= 2);
    let (era, year_of_era) = (year / 400, year % 400);
    let march_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * march_month + 2) / 5 + day.saturating_sub(1);
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era).saturating_sub(719_468)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_that_could_deceive_a_reader_are_refused() {
        let message = |text: &str| text.parse::<Name>().unwrap_err().to_string();
        assert_eq!(message(""), "a name must not be empty");
        assert_eq!(
            message(" alice"),
            "a name has single spaces, and none at its ends"
        );
        assert_eq!(
            message("alice  b"),
            "a name has single spaces, and none at its ends"
        );
        assert_eq!(
            message(&"a".repeat(65)),
            "a name has at most 64 bytes, this one has 65"
        );
        for bad in ["a\nb", "a\u{202e}b", "a\u{200b}b", "a\0"] {
            assert!(
                message(bad).starts_with("a name consists of letters, digits"),
                "{bad:?}"
            );
        }
        for good in ["alice", "Zoë Müller", "D-TA one (Frankfurt)", "3f2a"] {
            assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
        }
    }

    #[test]
    fn recipients_have_the_shape_of_age() {
        assert!("age1yubikey1qwerty".parse::<Recipient>().is_ok());
        for bad in ["", "age1", "AGE1abc", "ssh-ed25519 AAAA", "age1abc\n"] {
            assert!(bad.parse::<Recipient>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn times_are_rfc_3339_and_only_one_way() {
        let time: Timestamp = "2026-11-20T18:48:00Z".parse().unwrap();
        assert_eq!(time.unix_seconds(), 1_795_200_480);
        for bad in [
            "2026-02-30T00:00:00Z",
            "2026-11-20T24:00:00Z",
            "2026-11-20 18:48:00Z",
            "2026-11-20T18:48:00+00:00",
            "1969-12-31T23:59:59Z",
            "2026-13-01T00:00:00Z",
            "+026-11-20T18:48:00Z",
            "",
        ] {
            assert_eq!(
                bad.parse::<Timestamp>().unwrap_err().to_string(),
                "a time is written YYYY-MM-DDTHH:MM:SSZ, in UTC",
                "{bad}"
            );
        }
    }

    proptest! {
        #[test]
        fn every_second_survives_printing_and_parsing(seconds in 0..=LAST_SECOND) {
            let time = Timestamp::from_unix_seconds(seconds).unwrap();
            prop_assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
        }
    }
}
