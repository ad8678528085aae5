//! PIN extraction and recombination: what makes a device's secret two factors.
//!
//! `token = D - PIN * A` is what a device stores; the PIN is in the user's head. A token that was
//! stolen alone says nothing of the PIN, and there is no way here to test a PIN against a token.

use std::fmt;

use zeroize::Zeroizing;

use crate::encoding::decode_g1;
use crate::{Blst, ClientShare, Curve, DecodeError, Encoding, IdentityPoint};

/// A PIN of 4 to 8 digits, read as a number. Wiped on drop.
///
/// Clients built on Milagro or MIRACL Core know four digits only. Leading zeros do not count:
/// `01234` is `1234`.
pub struct Pin(Zeroizing<u32>);

impl Pin {
    /// The largest PIN.
    pub const MAX: u32 = 99_999_999;

    /// Takes a PIN as a number.
    pub fn new(number: u32) -> Result<Self, PinError> {
        if number > Self::MAX {
            return Err(PinError);
        }
        Ok(Self(Zeroizing::new(number)))
    }

    /// Reads 4 to 8 decimal digits.
    pub fn from_digits(digits: &str) -> Result<Self, PinError> {
        let well_formed =
            (4..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !well_formed {
            return Err(PinError);
        }
        Self::new(digits.parse().map_err(|_| PinError)?)
    }

    /// `PIN * A`, constant time in the PIN.
    fn times<C: Curve>(&self, identity: &IdentityPoint<C>) -> Zeroizing<C::G1> {
        let mut bytes = Zeroizing::new([0; 32]);
        bytes[28..].copy_from_slice(&self.0.to_be_bytes());
        let scalar = C::scalar_from_be_bytes(&bytes).expect("a PIN is below the group order");
        Zeroizing::new(C::g1_mul(&identity.point, &scalar))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(..)")
    }
}

/// Not a PIN. Does not repeat what was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a PIN is 4 to 8 decimal digits")]
pub struct PinError;

impl PinError {
    /// What a person may do about it.
    pub fn remedy(&self) -> Option<&'static str> {
        Some("type 4 to 8 digits, without spaces")
    }
}

/// `D - PIN * A`, a point of G1: what a device stores. Boxed, wiped on drop, neither cloned nor
/// printed.
pub struct Token<C: Curve = Blst> {
    point: Box<Zeroizing<C::G1>>,
}

impl<C: Curve> Token<C> {
    /// Takes the PIN out of a client share, which is destroyed: a device that kept it would
    /// need no PIN.
    pub fn extract(
        share: ClientShare<C>,
        identity: &IdentityPoint<C>,
        pin: &Pin,
    ) -> Result<Self, TokenError> {
        let minus_pin = Zeroizing::new(C::g1_neg(&pin.times(identity)));
        Self::new(C::g1_add(&share.point, &minus_pin))
    }

    /// Puts the PIN back: `token + PIN * A`. With a wrong PIN this is another point, and nothing
    /// here can tell.
    pub fn recombine(
        &self,
        identity: &IdentityPoint<C>,
        pin: &Pin,
    ) -> Result<ClientShare<C>, TokenError> {
        let sum = C::g1_add(&self.point, &pin.times(identity));
        if C::g1_is_identity(&sum) {
            return Err(TokenError);
        }
        Ok(ClientShare::new(sum))
    }

    /// Decodes 48 bytes of compressed G1, checking curve and subgroup and refusing infinity.
    pub fn from_compressed(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::decode(Encoding::Compressed, bytes)
    }

    /// Decodes any encoding, with the same checks.
    pub fn decode(encoding: Encoding, bytes: &[u8]) -> Result<Self, DecodeError> {
        let point = decode_g1::<C>(encoding, bytes)?;
        Ok(Self {
            point: Box::new(Zeroizing::new(point)),
        })
    }

    /// The 48 bytes to be stored.
    pub fn to_compressed(&self) -> Zeroizing<[u8; 48]> {
        Zeroizing::new(C::g1_to_compressed(&self.point))
    }

    /// Any encoding.
    pub fn encode(&self, encoding: Encoding) -> Zeroizing<Vec<u8>> {
        crate::encoding::encode_g1::<C>(encoding, &self.point)
    }

    fn new(point: C::G1) -> Result<Self, TokenError> {
        if C::g1_is_identity(&point) {
            return Err(TokenError);
        }
        Ok(Self {
            point: Box::new(Zeroizing::new(point)),
        })
    }
}

impl<C: Curve> fmt::Debug for Token<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Share and PIN cancel one another, which happens only by design.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client share and the PIN cancel one another")]
pub struct TokenError;
