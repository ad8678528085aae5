//! The small values that name things: thresholds, indexes, epochs, set ids and hashes.
//!
//! Each is a newtype that cannot hold a bad value. Byte ids are written as lower-case hex, in text
//! and in JSON; they are public and compare in variable time.

use std::fmt;
use std::str::FromStr;

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

/// M of N: `1 <= m <= n <= 16`.
///
/// `m` holders together open, `m - 1` learn nothing. `1 of 1` is allowed and means no split.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Threshold {
    m: u8,
    n: u8,
}

impl Threshold {
    /// The largest N.
    pub const MAX_HOLDERS: u8 = 16;

    /// M of N.
    ///
    /// # Errors
    /// When `m` is 0, `n` is over 16, or `m` is over `n`.
    pub fn new(m: u8, n: u8) -> Result<Self, ThresholdError> {
        if m == 0 {
            Err(ThresholdError::Zero { n })
        } else if n > Self::MAX_HOLDERS {
            Err(ThresholdError::TooMany { m, n })
        } else if m > n {
            Err(ThresholdError::MoreThanHolders { m, n })
        } else {
            Ok(Self { m, n })
        }
    }

    /// How many holders are needed, 1..=16.
    pub fn m(self) -> u8 {
        self.m
    }

    /// How many holders there are, 1..=16.
    pub fn n(self) -> u8 {
        self.n
    }

    /// True when any one holder opens alone, so that there is no split: the tools say so.
    pub fn opens_alone(self) -> bool {
        self.m == 1
    }

    /// Every index of the set, `1..=n` in order.
    pub fn indexes(self) -> impl Iterator<Item = ShareIndex> {
        (1..=self.n).map(ShareIndex)
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.m, self.n)
    }
}

/// M and N do not make a threshold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ThresholdError {
    /// `m` is 0.
    #[error("0 of {n} is no threshold: at least one holder must be needed")]
    Zero {
        /// N as asked.
        n: u8,
    },
    /// `n` is over 16.
    #[error("{m} of {n} has too many holders: at most 16 are possible")]
    TooMany {
        /// M as asked.
        m: u8,
        /// N as asked.
        n: u8,
    },
    /// `m` is over `n`.
    #[error("{m} of {n} can never be reached: M must not be more than N")]
    MoreThanHolders {
        /// M as asked.
        m: u8,
        /// N as asked.
        n: u8,
    },
}

/// The place of a share in its set, 1..=16; also the x-coordinate of the share. Never 0, where the
/// secret itself lies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct ShareIndex(u8);

impl ShareIndex {
    /// An index.
    ///
    /// # Errors
    /// When it is 0 or over 16.
    pub fn new(index: u8) -> Result<Self, ShareIndexError> {
        if (1..=Threshold::MAX_HOLDERS).contains(&index) {
            Ok(Self(index))
        } else {
            Err(ShareIndexError(index))
        }
    }

    /// The number, 1..=16.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for ShareIndex {
    type Error = ShareIndexError;

    fn try_from(index: u8) -> Result<Self, ShareIndexError> {
        Self::new(index)
    }
}

impl From<ShareIndex> for u8 {
    fn from(index: ShareIndex) -> u8 {
        index.0
    }
}

impl fmt::Display for ShareIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A share index outside 1..=16.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0} is no share index: indexes go from 1 to 16")]
pub struct ShareIndexError(pub u8);

/// Counts the sets of a D-TA: 1 at genesis, one more with each reshare.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(u32);

impl Epoch {
    /// The epoch of genesis.
    pub const GENESIS: Self = Self(1);

    /// An epoch by number. Whether it is the right one is decided by the chain.
    pub fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    pub fn number(self) -> u32 {
        self.0
    }

    /// Four bytes, big endian, as they enter every derivation.
    pub fn to_be_bytes(self) -> [u8; 4] {
        self.0.to_be_bytes()
    }

    /// The epoch after this one; none after the last (2^32 - 1).
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Hex text that is not an id.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what} is {bytes} bytes as {} lower-case hex digits", bytes * 2)]
pub struct IdError {
    what: &'static str,
    bytes: usize,
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; $bytes]);

        impl $name {
            #[doc = concat!("From its ", stringify!($bytes), " bytes.")]
            pub fn from_bytes(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            #[doc = concat!("Its ", stringify!($bytes), " bytes.")]
            pub fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                decode_lower_hex(text)
                    .map(Self)
                    .ok_or(IdError { what: $what, bytes: $bytes })
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }
    };
}

hex_id!(
    /// Names one split: 16 random bytes, fresh for each ceremony that makes shares.
    SetId, 16, "a set id"
);
hex_id!(
    /// SHA-256 of a manifest, see [`crate::Manifest::hash`].
    ManifestHash, 32, "a manifest hash"
);
hex_id!(
    /// The name of a D-TA for its whole life: the hash of its genesis manifest.
    AuthorityId, 32, "an authority id"
);
hex_id!(
    /// Tells whether a `k_hsm` is the right one without telling anything about it (made by `state`).
    CheckValue, 32, "a check value"
);

impl SetId {
    /// A fresh set id.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }
}

impl From<ManifestHash> for AuthorityId {
    /// The hash of **genesis** as the authority's id; for any other manifest this is meaningless.
    fn from(genesis: ManifestHash) -> Self {
        Self(genesis.0)
    }
}

/// Decodes exactly `2 * N` lower-case hex digits: one text per value, so that text may be compared.
pub(crate) fn decode_lower_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        return None;
    }
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_threshold_up_to_sixteen_is_accepted_and_no_other() {
        for m in 0..=20u8 {
            for n in 0..=20u8 {
                let good = m >= 1 && m <= n && n <= 16;
                assert_eq!(Threshold::new(m, n).is_ok(), good, "{m} of {n}");
            }
        }
    }

    #[test]
    fn a_bad_threshold_says_what_is_wrong() {
        let message = |m, n| Threshold::new(m, n).unwrap_err().to_string();
        assert_eq!(
            message(0, 3),
            "0 of 3 is no threshold: at least one holder must be needed"
        );
        assert_eq!(
            message(4, 3),
            "4 of 3 can never be reached: M must not be more than N"
        );
        assert_eq!(
            message(2, 17),
            "2 of 17 has too many holders: at most 16 are possible"
        );
    }

    #[test]
    fn index_zero_and_seventeen_are_refused() {
        for index in [0, 17, 255] {
            let error = ShareIndex::new(index).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("{index} is no share index: indexes go from 1 to 16")
            );
        }
        assert!(serde_json::from_str::<ShareIndex>("0").is_err());
        assert_eq!(serde_json::from_str::<ShareIndex>("16").unwrap().get(), 16);
    }

    #[test]
    fn ids_are_lower_case_hex_of_their_exact_length() {
        let id = SetId::from_bytes([0xab; 16]);
        let text = "ab".repeat(16);
        assert_eq!(id.to_string(), text);
        assert_eq!(text.parse::<SetId>().unwrap(), id);
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{text}\""));
        for bad in [
            "",
            "ab",
            &"AB".repeat(16),
            &"ab".repeat(17),
            &"zz".repeat(16),
        ] {
            assert_eq!(
                bad.parse::<SetId>().unwrap_err().to_string(),
                "a set id is 16 bytes as 32 lower-case hex digits"
            );
        }
    }
}
