//! The values that occur in bodies: each a newtype that cannot hold a bad one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::{Date, Month};
use zeroize::Zeroizing;

use crate::problem::{Problem, ProblemType};

/// A field of a body does not hold what it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("field `{field}`: {reason}")]
pub struct FieldError {
    /// The field, `identities[3]` for an element; `body` for the object itself.
    pub field: String,
    /// What was expected, and what was found.
    pub reason: String,
}

impl FieldError {
    pub(crate) fn new(field: impl Into<String>, reason: impl Into<String>) -> FieldError {
        FieldError {
            field: field.into(),
            reason: reason.into(),
        }
    }
}

impl From<FieldError> for Problem {
    fn from(error: FieldError) -> Problem {
        Problem::new(ProblemType::Malformed, error.to_string())
    }
}

/// Implements a public newtype over a fixed number of bytes that is hex in text and JSON.
macro_rules! fixed_hex {
    ($(#[$doc:meta])* $name:ident, $length:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; $length]);

        impl $name {
            /// From the bytes themselves.
            pub const fn from_bytes(bytes: [u8; $length]) -> Self {
                $name(bytes)
            }

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = String;

            /// Reads exactly twice as many hex digits as bytes; upper case is accepted.
            fn from_str(text: &str) -> Result<Self, String> {
                let mut bytes = [0; $length];
                decode_hex(text, &mut bytes)?;
                Ok($name(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        string_serde!($name);
    };
}

/// Implements serde by `Display` and `FromStr`.
macro_rules! string_serde {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?
                    .parse()
                    .map_err(serde::de::Error::custom)
            }
        }
    };
}

fixed_hex!(
    /// `identity`: SHA-256 of the `mpin_id`, 32 bytes, 64 hex digits.
    IdentityHex,
    32
);
fixed_hex!(
    /// The authority id: the hash of the genesis manifest, 32 bytes, 64 hex digits.
    AuthorityIdHex,
    32
);
fixed_hex!(
    /// A commitment `C = s * G1` to a master secret: compressed G1, 48 bytes, 96 hex digits.
    CommitmentHex,
    48
);
fixed_hex!(
    /// `blind`: 32 random bytes in an unsealed reply, so that its digest is no oracle for a share.
    Blind,
    32
);

/// `key`: the version of a master key, `k1`, `k2`, ...
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyVersion(u32);

impl KeyVersion {
    /// The first version, `k1`.
    pub const FIRST: KeyVersion = KeyVersion(1);

    /// From the number: 1 and more.
    pub const fn new(number: u32) -> Option<KeyVersion> {
        if number == 0 {
            None
        } else {
            Some(KeyVersion(number))
        }
    }

    /// The number: 1 for `k1`.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl FromStr for KeyVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix('k').unwrap_or_default();
        let canonical = !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
        match digits.parse() {
            Ok(number) if canonical => Ok(KeyVersion(number)),
            _ => Err(format!(
                "expected a key version such as k1, got {}",
                quote(text)
            )),
        }
    }
}

impl fmt::Display for KeyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "k{}", self.0)
    }
}

string_serde!(KeyVersion);

/// A day in UTC: `YYYY-MM-DD` on the wire, days since 1970-01-01 in the mathematics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PermitDate(u32);

impl PermitDate {
    /// From the number of days since 1970-01-01, up to 9999-12-31.
    pub fn from_day_number(day: u32) -> Option<PermitDate> {
        let date = PermitDate(day);
        date.calendar().map(|_| date)
    }

    /// The day in which this second since 1970 lies.
    pub fn from_unix_seconds(seconds: u64) -> Option<PermitDate> {
        u32::try_from(seconds / 86_400)
            .ok()
            .and_then(Self::from_day_number)
    }

    /// Days since 1970-01-01.
    pub const fn day_number(self) -> u32 {
        self.0
    }

    /// The day so many days later.
    pub fn plus_days(self, days: u32) -> Option<PermitDate> {
        self.0.checked_add(days).and_then(Self::from_day_number)
    }

    fn calendar(self) -> Option<Date> {
        let julian = i32::try_from(self.0)
            .ok()?
            .checked_add(UNIX_EPOCH_JULIAN_DAY)?;
        Date::from_julian_day(julian)
            .ok()
            .filter(|date| date.year() <= 9999)
    }
}

const UNIX_EPOCH_JULIAN_DAY: i32 = 2_440_588;

impl FromStr for PermitDate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse_date(text).ok_or_else(|| {
            format!(
                "expected a date YYYY-MM-DD from 1970-01-01 on, got {}",
                quote(text)
            )
        })
    }
}

fn parse_date(text: &str) -> Option<PermitDate> {
    let bytes = text.as_bytes();
    let shape = bytes.len() == 10
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if !shape {
        return None;
    }
    let month = Month::try_from(text[5..7].parse::<u8>().ok()?).ok()?;
    let date =
        Date::from_calendar_date(text[..4].parse().ok()?, month, text[8..].parse().ok()?).ok()?;
    let day = date.to_julian_day().checked_sub(UNIX_EPOCH_JULIAN_DAY)?;
    u32::try_from(day).ok().map(PermitDate)
}

impl fmt::Display for PermitDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = self
            .calendar()
            .expect("only days with a calendar date are constructed");
        let month = u8::from(date.month());
        write!(f, "{:04}-{month:02}-{:02}", date.year(), date.day())
    }
}

string_serde!(PermitDate);

/// Implements a small enum of names: `as_str`, `FromStr`, `Display`, serde.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [$name] = &[$($name::$variant,)+];

            /// The name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text,)+ }
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text).ok_or_else(|| {
                    let names: Vec<_> = Self::ALL.iter().map(|value| value.as_str()).collect();
                    format!("expected {} ({}), got {}", $what, names.join(", "), quote(text))
                })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        string_serde!($name);
    };
}
pub(crate) use {named, string_serde};

named!(
    /// `encoding`: how the points of a reply are written.
    Encoding, "an encoding" {
        /// Zcash/IETF: G1 48 bytes, G2 96 bytes. The default.
        Compressed = "compressed",
        /// Zcash/IETF: G1 96 bytes, G2 192 bytes.
        Uncompressed = "uncompressed",
        /// Apache Milagro: G1 97 bytes `04 x y`; G2 192 bytes `x.c0 x.c1 y.c0 y.c1`.
        Milagro = "milagro",
        /// MIRACL Core: G1 97 bytes; G2 193 bytes `04 x.c1 x.c0 y.c1 y.c0`.
        Miracl = "miracl",
    }
);

named!(
    /// The hash-to-curve suite of a master key.
    Suite, "a suite" {
        /// RFC 9380 `BLS12381G1_XMD:SHA-256_SSWU_RO_`. The default.
        Ro = "RO",
        /// RFC 9380 `BLS12381G1_XMD:SHA-256_SSWU_NU_`.
        Nu = "NU",
        /// Apache Milagro's `mapit`, for existing devices only.
        Milagro = "MILAGRO",
    }
);

/// `share`: a point that is secret, in the encoding asked for. Wiped on drop, prints nothing.
#[derive(PartialEq, Eq)]
pub struct ShareHex(Zeroizing<Vec<u8>>);

impl ShareHex {
    /// From the encoded point: 48 to 193 bytes, by group and encoding.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> ShareHex {
        ShareHex(Zeroizing::new(bytes.into()))
    }

    /// The encoded point.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for ShareHex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShareHex(..)")
    }
}

impl Serialize for ShareHex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(hex::encode(&*self.0)))
    }
}

impl<'de> Deserialize<'de> for ShareHex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        // The text is secret: the message must not quote it.
        let bytes = hex::decode(text.as_bytes())
            .map_err(|_| serde::de::Error::custom("expected a share in hex"))?;
        Ok(ShareHex::from_bytes(bytes))
    }
}

/// `proof`: a proof that shares fit the commitment, of the length that `mpin` defines.
///
/// Together with a share a proof is harmless; without it, it is an oracle for the share. It is
/// therefore never logged, and prints nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct ProofHex(Vec<u8>);

impl ProofHex {
    /// From the encoded proof.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> ProofHex {
        ProofHex(bytes.into())
    }

    /// The encoded proof.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for ProofHex {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        hex::decode(text)
            .map(ProofHex)
            .map_err(|_| "expected a proof in hex".to_owned())
    }
}

impl fmt::Display for ProofHex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for ProofHex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProofHex(..)")
    }
}

string_serde!(ProofHex);

/// Fills `bytes` from exactly twice as many hex digits.
fn decode_hex(text: &str, bytes: &mut [u8]) -> Result<(), String> {
    let digits = bytes.len() * 2;
    let expected = format!(
        "expected {digits} hexadecimal digits ({} bytes)",
        bytes.len()
    );
    if text.len() != digits {
        return Err(format!(
            "{expected}, got {} characters",
            text.chars().count()
        ));
    }
    hex::decode_to_slice(text, bytes).map_err(|_| {
        let position = text
            .bytes()
            .position(|byte| !byte.is_ascii_hexdigit())
            .unwrap_or_default();
        format!("{expected}, but position {position} holds none")
    })
}

/// A received text, for a message: escaped and cut.
pub(crate) fn quote(text: &str) -> String {
    let mut shown: String = text.chars().take(40).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}
