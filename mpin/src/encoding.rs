//! The four wire forms of points, both ways.
//!
//! | encoding | G1 | G2 |
//! |---|---|---|
//! | [`Encoding::Compressed`] | 48 bytes, Zcash/IETF | 96 bytes, `x.c1 \|\| x.c0` |
//! | [`Encoding::Uncompressed`] | 96 bytes, `x \|\| y` | 192, `x.c1 \|\| x.c0 \|\| y.c1 \|\| y.c0` |
//! | [`Encoding::Milagro`] | 97 bytes, `04 \|\| x \|\| y` | 192, `x.c0 \|\| x.c1 \|\| y.c0 \|\| y.c1` |
//! | [`Encoding::Miracl`] | 97 bytes, `04 \|\| x \|\| y` | 193, `04 \|\|` as uncompressed |
//!
//! Decoding refuses whatever is not exactly one point of the prime-order subgroup: another
//! length, a coordinate that is not below `p`, stray flag bits, points off the curve, points of
//! another order, and infinity.

use std::fmt;
use std::str::FromStr;

use zeroize::{Zeroize, Zeroizing};

use crate::Curve;
use crate::curve::{FIELD, PointFault};

const COMPRESSED: u8 = 0x80;
const INFINITY: u8 = 0x40;
const LARGEST: u8 = 0x20;
const FLAGS: u8 = COMPRESSED | INFINITY | LARGEST;
/// First byte of an uncompressed point in SEC 1, and so in Milagro and MIRACL.
const SEC1: u8 = 0x04;

/// A wire form of points. The default is [`Encoding::Compressed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Encoding {
    /// Zcash/IETF, 48 and 96 bytes.
    #[default]
    Compressed,
    /// Zcash/IETF, 96 and 192 bytes.
    Uncompressed,
    /// Apache Milagro's C library, 97 and 192 bytes.
    Milagro,
    /// MIRACL Core, 97 and 193 bytes.
    Miracl,
}

impl Encoding {
    /// Every encoding, in the order of the documentation.
    pub const ALL: [Encoding; 4] = [
        Encoding::Compressed,
        Encoding::Uncompressed,
        Encoding::Milagro,
        Encoding::Miracl,
    ];

    /// `compressed`, `uncompressed`, `milagro` or `miracl`: the name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Encoding::Compressed => "compressed",
            Encoding::Uncompressed => "uncompressed",
            Encoding::Milagro => "milagro",
            Encoding::Miracl => "miracl",
        }
    }

    /// Bytes of a G1 point.
    pub fn g1_len(self) -> usize {
        match self {
            Encoding::Compressed => 48,
            Encoding::Uncompressed => 96,
            Encoding::Milagro | Encoding::Miracl => 97,
        }
    }

    /// Bytes of a G2 point.
    pub fn g2_len(self) -> usize {
        match self {
            Encoding::Compressed => 96,
            Encoding::Uncompressed | Encoding::Milagro => 192,
            Encoding::Miracl => 193,
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A name that is none of the encodings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an encoding, expected compressed, uncompressed, milagro or miracl")]
pub struct UnknownEncoding(String);

impl FromStr for Encoding {
    type Err = UnknownEncoding;

    fn from_str(name: &str) -> Result<Self, UnknownEncoding> {
        Encoding::ALL
            .into_iter()
            .find(|encoding| encoding.as_str() == name)
            .ok_or_else(|| UnknownEncoding(name.to_owned()))
    }
}

/// Why bytes are not a point that we take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Another number of bytes.
    #[error("a point in this encoding has {expected} bytes, found {found}")]
    Length {
        /// Bytes expected.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
    /// Wrong first byte or flag bits.
    #[error("the first byte of the point does not fit the encoding")]
    Form,
    /// A coordinate is not below the field's modulus.
    #[error("a coordinate of the point is not below the field's modulus")]
    Coordinate,
    /// The encoding of infinity.
    #[error("the point is infinity")]
    Infinity,
    /// No such point.
    #[error("the point is not on the curve")]
    NotOnCurve,
    /// On the curve, with a part of small order.
    #[error("the point is not in the subgroup of prime order")]
    NotInSubgroup,
}

impl From<PointFault> for DecodeError {
    fn from(fault: PointFault) -> Self {
        match fault {
            PointFault::NotOnCurve => DecodeError::NotOnCurve,
            PointFault::NotInSubgroup => DecodeError::NotInSubgroup,
        }
    }
}

/// Encodes a point of G1.
pub(crate) fn encode_g1<C: Curve>(encoding: Encoding, point: &C::G1) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(encoding.g1_len()));
    match encoding {
        Encoding::Compressed => extend(&mut out, C::g1_to_compressed(point)),
        Encoding::Uncompressed => extend(&mut out, C::g1_to_uncompressed(point)),
        Encoding::Milagro | Encoding::Miracl => {
            out.push(SEC1);
            extend(&mut out, C::g1_to_uncompressed(point));
        }
    }
    out
}

/// Decodes a point of G1, never infinity, always in the subgroup.
pub(crate) fn decode_g1<C: Curve>(encoding: Encoding, bytes: &[u8]) -> Result<C::G1, DecodeError> {
    expect_length(encoding.g1_len(), bytes)?;
    let coordinates = match encoding {
        Encoding::Compressed => {
            let bytes = array(bytes);
            check_compressed(&bytes[..])?;
            return Ok(C::g1_from_compressed(&bytes)?);
        }
        Encoding::Uncompressed => bytes,
        Encoding::Milagro | Encoding::Miracl => without_sec1_prefix(bytes)?,
    };
    check_uncompressed(coordinates)?;
    Ok(C::g1_from_uncompressed(&array(coordinates))?)
}

/// Encodes a point of G2.
pub(crate) fn encode_g2<C: Curve>(encoding: Encoding, point: &C::G2) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(encoding.g2_len()));
    match encoding {
        Encoding::Compressed => extend(&mut out, C::g2_to_compressed(point)),
        Encoding::Uncompressed => extend(&mut out, C::g2_to_uncompressed(point)),
        Encoding::Milagro => extend(&mut out, swap_halves(C::g2_to_uncompressed(point))),
        Encoding::Miracl => {
            out.push(SEC1);
            extend(&mut out, C::g2_to_uncompressed(point));
        }
    }
    out
}

/// Decodes a point of G2, never infinity, always in the subgroup.
pub(crate) fn decode_g2<C: Curve>(encoding: Encoding, bytes: &[u8]) -> Result<C::G2, DecodeError> {
    expect_length(encoding.g2_len(), bytes)?;
    let coordinates: Zeroizing<[u8; 192]> = match encoding {
        Encoding::Compressed => {
            let bytes = array(bytes);
            check_compressed(&bytes[..])?;
            return Ok(C::g2_from_compressed(&bytes)?);
        }
        Encoding::Uncompressed => array(bytes),
        Encoding::Milagro => Zeroizing::new(swap_halves(*array(bytes))),
        Encoding::Miracl => array(without_sec1_prefix(bytes)?),
    };
    check_uncompressed(&coordinates[..])?;
    Ok(C::g2_from_uncompressed(&coordinates)?)
}

/// Appends the bytes of a point and wipes the copy on the stack.
fn extend<const N: usize>(out: &mut Vec<u8>, mut bytes: [u8; N]) {
    out.extend_from_slice(&bytes);
    bytes.zeroize();
}

/// Swaps the halves `c0` and `c1` of both coordinates of a G2 point.
fn swap_halves(mut bytes: [u8; 192]) -> [u8; 192] {
    for coordinate in bytes.chunks_exact_mut(96) {
        let (first, second) = coordinate.split_at_mut(48);
        first.swap_with_slice(second);
    }
    bytes
}

/// The caller has compared the length.
fn array<const N: usize>(bytes: &[u8]) -> Zeroizing<[u8; N]> {
    let mut out = Zeroizing::new([0; N]);
    out.copy_from_slice(bytes);
    out
}

fn expect_length(expected: usize, bytes: &[u8]) -> Result<(), DecodeError> {
    if bytes.len() != expected {
        return Err(DecodeError::Length {
            expected,
            found: bytes.len(),
        });
    }
    Ok(())
}

fn without_sec1_prefix(bytes: &[u8]) -> Result<&[u8], DecodeError> {
    match bytes.split_first() {
        Some((&SEC1, coordinates)) => Ok(coordinates),
        _ => Err(DecodeError::Form),
    }
}

/// Flags and ranges of a compressed point: one coordinate of one or two field elements.
fn check_compressed(bytes: &[u8]) -> Result<(), DecodeError> {
    if bytes[0] & COMPRESSED == 0 {
        return Err(DecodeError::Form);
    }
    if bytes[0] & INFINITY != 0 {
        return Err(infinity_or_malformed(bytes, COMPRESSED | INFINITY));
    }
    check_field_elements(bytes, bytes[0] & !FLAGS)
}

/// Flags and ranges of an uncompressed point in Zcash/IETF order.
fn check_uncompressed(bytes: &[u8]) -> Result<(), DecodeError> {
    if bytes[0] & INFINITY != 0 {
        return Err(infinity_or_malformed(bytes, INFINITY));
    }
    if bytes[0] & FLAGS != 0 {
        return Err(DecodeError::Form);
    }
    check_field_elements(bytes, bytes[0])
}

fn infinity_or_malformed(bytes: &[u8], flags: u8) -> DecodeError {
    let rest_is_zero = bytes[1..].iter().fold(0, |all, byte| all | byte) == 0;
    if bytes[0] == flags && rest_is_zero {
        return DecodeError::Infinity;
    }
    DecodeError::Form
}

/// Whether each 48 bytes are below `p`, with the first byte replaced (its flags removed).
/// Byte strings of one length compare as big-endian numbers do.
fn check_field_elements(bytes: &[u8], first_byte: u8) -> Result<(), DecodeError> {
    let (first, rest) = bytes.split_at(48);
    let first_fits = (first_byte, &first[1..]) < (FIELD[0], &FIELD[1..]);
    if !first_fits || rest.chunks_exact(48).any(|element| element >= &FIELD[..]) {
        return Err(DecodeError::Coordinate);
    }
    Ok(())
}
