//! Canonical JSON and hex: the one form of everything that is hashed or signed here.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// The canonical JSON of a document of this crate, without a line end.
pub(crate) fn to_bytes(value: &impl Serialize) -> Vec<u8> {
    quorum::canonical_json(value)
        .expect("documents of this crate have string keys, which always serialise")
}

/// SHA-256 of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> HexBytes<32> {
    HexBytes(Sha256::digest(bytes).into())
}

/// `N` public bytes that are written as `2 * N` lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HexBytes<const N: usize>(pub [u8; N]);

impl<const N: usize> HexBytes<N> {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> fmt::Display for HexBytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl<const N: usize> fmt::Debug for HexBytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<const N: usize> Serialize for HexBytes<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, const N: usize> Deserialize<'de> for HexBytes<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_hex(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

/// Exactly `2 * N` lower-case hex digits.
fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    match hex::decode_to_slice(text, &mut bytes) {
        Ok(()) if lower => Ok(bytes),
        _ => Err(format!("expected {} lower-case hex digits", 2 * N)),
    }
}

impl<const N: usize> std::str::FromStr for HexBytes<N> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse_hex(text).map(Self)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted_and_nothing_is_spaced() {
        #[derive(Serialize)]
        struct Unsorted {
            b: u8,
            a: &'static str,
        }
        assert_eq!(to_bytes(&Unsorted { b: 1, a: "x" }), br#"{"a":"x","b":1}"#);
    }

    #[test]
    fn hex_has_one_form() {
        assert!("0aff".parse::<HexBytes<2>>().is_ok());
        assert_eq!(
            "0aFf".parse::<HexBytes<2>>().unwrap_err(),
            "expected 4 lower-case hex digits"
        );
        assert!("0af".parse::<HexBytes<2>>().is_err());
        assert!("0aff00".parse::<HexBytes<2>>().is_err());
    }
}
