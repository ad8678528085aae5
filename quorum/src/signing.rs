//! Holders' Ed25519 keys and what they sign.
//!
//! Every signature is over `PURPOSE || 0x0a || message`, and no purpose contains a line feed, so a
//! signature made for one purpose is worthless for any other. Public keys of small order and
//! non-canonical keys are refused when parsed: under such a key one signature fits many messages.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::ids::decode_lower_hex;

/// What a signature is for: the first line of the signed bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Purpose(&'static str);

impl Purpose {
    /// A manifest; the message is its hash (32 bytes).
    pub const MANIFEST: Self = Self::new("dta manifest v1");

    /// A purpose by its line, for example `dta unlock session v1`.
    ///
    /// # Panics
    /// At compile time when used for a constant: when the line is empty, does not begin with `dta `,
    /// or holds anything but printable ASCII.
    pub const fn new(line: &'static str) -> Self {
        let bytes = line.as_bytes();
        assert!(
            bytes.len() > 4
                && bytes[0] == b'd'
                && bytes[1] == b't'
                && bytes[2] == b'a'
                && bytes[3] == b' ',
            "a purpose begins with `dta `"
        );
        let mut at = 0;
        while at < bytes.len() {
            assert!(
                bytes[at] >= 0x20 && bytes[at] < 0x7f,
                "a purpose is printable ASCII"
            );
            at += 1;
        }
        Self(line)
    }

    /// The bytes that are signed: this line, a line feed, the message.
    pub fn frame(self, message: &[u8]) -> Vec<u8> {
        [self.0.as_bytes(), b"\n", message].concat()
    }
}

/// A holder's signing key, made from a 32-byte Ed25519 seed (RFC 8032). The seed is wiped when
/// dropped; the key can be neither cloned nor printed.
pub struct HolderSigningKey {
    seed: Zeroizing<[u8; 32]>,
    pair: Ed25519KeyPair,
}

impl HolderSigningKey {
    /// From its seed, 32 bytes from a good generator.
    pub fn from_seed(seed: Zeroizing<[u8; 32]>) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&*seed)
            .expect("every 32 bytes are an Ed25519 seed");
        Self { seed, pair }
    }

    /// The seed, for the holder's key file.
    pub fn seed(&self) -> &Zeroizing<[u8; 32]> {
        &self.seed
    }

    /// The public key.
    pub fn public(&self) -> HolderKey {
        let bytes = self.pair.public_key().as_ref();
        HolderKey(
            bytes
                .try_into()
                .expect("an Ed25519 public key has 32 bytes"),
        )
    }

    /// Signs `message` for `purpose`.
    pub fn sign(&self, purpose: Purpose, message: &[u8]) -> HolderSignature {
        let signature = self.pair.sign(&purpose.frame(message));
        HolderSignature(
            signature
                .as_ref()
                .try_into()
                .expect("an Ed25519 signature has 64 bytes"),
        )
    }
}

impl fmt::Debug for HolderSigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HolderSigningKey({}, ..)", self.public())
    }
}

/// A holder's public key: 32 bytes, canonical and of large order. Hex in text and JSON.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HolderKey([u8; 32]);

impl HolderKey {
    /// From its 32 bytes (RFC 8032, section 5.1.2).
    ///
    /// # Errors
    /// When the bytes are one of the points of small order, or `y` is not below `2^255 - 19`.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, HolderKeyError> {
        let mut y = bytes;
        y[31] &= 0x7f;
        if SMALL_ORDER_Y.contains(&y) || is_not_reduced(&y) {
            return Err(HolderKeyError::SmallOrder);
        }
        Ok(Self(bytes))
    }

    /// Its 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Checks that `signature` was made by this key over `message` for `purpose`.
    ///
    /// # Errors
    /// When it was not.
    pub fn verify(
        &self,
        purpose: Purpose,
        message: &[u8],
        signature: &HolderSignature,
    ) -> Result<(), SignatureInvalid> {
        UnparsedPublicKey::new(&ED25519, self.0)
            .verify(&purpose.frame(message), &signature.0)
            .map_err(|_| SignatureInvalid)
    }
}

impl FromStr for HolderKey {
    type Err = HolderKeyError;

    fn from_str(text: &str) -> Result<Self, HolderKeyError> {
        Self::from_bytes(decode_lower_hex(text).ok_or(HolderKeyError::Hex)?)
    }
}

impl TryFrom<String> for HolderKey {
    type Error = HolderKeyError;

    fn try_from(text: String) -> Result<Self, HolderKeyError> {
        text.parse()
    }
}

impl From<HolderKey> for String {
    fn from(key: HolderKey) -> String {
        key.to_string()
    }
}

impl fmt::Display for HolderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for HolderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HolderKey({self})")
    }
}

/// Bytes or text that are no holder's key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HolderKeyError {
    /// Not 64 lower-case hex digits.
    #[error("a holder's signing key is 32 bytes as 64 lower-case hex digits")]
    Hex,
    /// A key under which anybody can sign.
    #[error("this Ed25519 key is not canonical or of small order, so it proves nothing")]
    SmallOrder,
}

/// An Ed25519 signature by a holder, 64 bytes. Hex in JSON.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HolderSignature([u8; 64]);

impl HolderSignature {
    /// From its 64 bytes, `R || S` (RFC 8032). Whether it is valid is for [`HolderKey::verify`].
    pub fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// Its 64 bytes.
    pub fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl TryFrom<String> for HolderSignature {
    type Error = SignatureInvalid;

    fn try_from(text: String) -> Result<Self, SignatureInvalid> {
        decode_lower_hex(&text).map(Self).ok_or(SignatureInvalid)
    }
}

impl From<HolderSignature> for String {
    fn from(signature: HolderSignature) -> String {
        hex::encode(signature.0)
    }
}

impl fmt::Debug for HolderSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HolderSignature({})", hex::encode(self.0))
    }
}

/// A signature that was not made by the key over the message for the purpose.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the signature does not verify")]
pub struct SignatureInvalid;

/// The y-coordinates of the points of order 1, 2, 4 and 8 (little endian, sign bit clear). The
/// remaining encodings of these points are not reduced.
const SMALL_ORDER_Y: [[u8; 32]; 5] = [
    [0; 32],
    [
        1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0,
    ],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0x7f,
    ],
];

/// True when `y` (little endian, sign bit clear) is at least `p = 2^255 - 19`.
fn is_not_reduced(y: &[u8; 32]) -> bool {
    y[0] >= 0xed && y[1..31].iter().all(|&b| b == 0xff) && y[31] == 0x7f
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::signing_key;

    const OTHER: Purpose = Purpose::new("dta test v1");

    #[test]
    fn a_signature_holds_for_its_key_purpose_and_message_only() {
        let (alice, bob) = (signing_key(1), signing_key(2));
        let signature = alice.sign(Purpose::MANIFEST, b"message");
        let verify =
            |key: HolderKey, purpose, message: &[u8]| key.verify(purpose, message, &signature);
        assert_eq!(
            verify(alice.public(), Purpose::MANIFEST, b"message"),
            Ok(())
        );
        for refused in [
            verify(bob.public(), Purpose::MANIFEST, b"message"),
            verify(alice.public(), OTHER, b"message"),
            verify(alice.public(), Purpose::MANIFEST, b"Message"),
        ] {
            assert_eq!(
                refused.unwrap_err().to_string(),
                "the signature does not verify"
            );
        }
    }

    #[test]
    fn every_flipped_bit_of_a_signature_is_refused() {
        let key = signing_key(1);
        let good = key.sign(OTHER, b"message");
        for bit in 0..512 {
            let mut bytes = *good.as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let refused = key
                .public()
                .verify(OTHER, b"message", &HolderSignature(bytes));
            assert_eq!(refused, Err(SignatureInvalid), "bit {bit}");
        }
    }

    #[test]
    fn keys_under_which_anybody_can_sign_are_refused() {
        // R = identity, S = 0: the library accepts this "signature" of anything under the identity.
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut forged = [0; 64];
        forged[0] = 1;
        assert!(
            UnparsedPublicKey::new(&ED25519, identity)
                .verify(b"anything", &forged)
                .is_ok()
        );

        let p_plus = |n: u8| {
            let mut y = SMALL_ORDER_Y[4];
            y[0] = 0xed + n;
            y
        };
        let small_order = SMALL_ORDER_Y.into_iter().chain((0..19).map(p_plus));
        for mut bytes in small_order {
            for sign in [0, 0x80] {
                bytes[31] = bytes[31] & 0x7f | sign;
                let error = HolderKey::from_bytes(bytes).unwrap_err();
                assert_eq!(
                    error.to_string(),
                    "this Ed25519 key is not canonical or of small order, so it proves nothing"
                );
            }
        }
    }

    #[test]
    fn a_key_is_rebuilt_from_its_seed_and_never_printed() {
        let key = signing_key(3);
        let again = HolderSigningKey::from_seed(key.seed().clone());
        assert_eq!(key.public(), again.public());
        let printed = format!("{key:?}");
        assert_eq!(printed, format!("HolderSigningKey({}, ..)", key.public()));
        assert_eq!(
            "AB".repeat(32)
                .parse::<HolderKey>()
                .unwrap_err()
                .to_string(),
            "a holder's signing key is 32 bytes as 64 lower-case hex digits"
        );
    }
}
