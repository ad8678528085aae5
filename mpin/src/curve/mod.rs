//! The one group interface and its two backends.
//!
//! [`Curve`] is what M-Pin needs of BLS12-381 and nothing more. Its functions are the only place
//! where a backend is visible; everything above is written once, for any `C: Curve`, and one
//! provider-generic test suite runs on both.
//!
//! Invariants every backend keeps:
//! - a `Scalar` is a canonical integer below the group order `r`, zero allowed, wiped on drop;
//! - a `G1` or `G2` lies in the subgroup of order `r`, infinity allowed; the only ways in are the
//!   generator, hashing, checked decoding and arithmetic on such points;
//! - multiplying by a scalar takes time that does not depend on the scalar.

mod blst;
mod blst_ffi;
mod zkcrypto;

use zeroize::{Zeroize, Zeroizing};

pub use self::blst::Blst;
pub use self::zkcrypto::Zkcrypto;

/// Characteristic `p` of the base field, 48 bytes big endian.
pub(crate) const FIELD: [u8; 48] = [
    0x1a, 0x01, 0x11, 0xea, 0x39, 0x7f, 0xe6, 0x9a, 0x4b, 0x1b, 0xa7, 0xb6, 0x43, 0x4b, 0xac, 0xd7,
    0x64, 0x77, 0x4b, 0x84, 0xf3, 0x85, 0x12, 0xbf, 0x67, 0x30, 0xd2, 0xa0, 0xf6, 0xb0, 0xf6, 0x24,
    0x1e, 0xab, 0xff, 0xfe, 0xb1, 0x53, 0xff, 0xff, 0xb9, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xaa, 0xab,
];

/// Full cofactor of G1, `h = 0x396c8c005555e1568c00aaab0000aaab`, little endian.
pub(crate) const G1_COFACTOR_LE: [u8; 16] =
    0x396c_8c00_5555_e156_8c00_aaab_0000_aaab_u128.to_le_bytes();

/// Why a backend refused the bytes of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PointFault {
    /// No point of the curve has these coordinates.
    NotOnCurve,
    /// The point is on the curve but outside the subgroup of prime order.
    NotInSubgroup,
}

mod sealed {
    /// Keeps [`super::Curve`] to the backends of this room: its invariants are security.
    pub trait Sealed {}
}

/// What M-Pin needs of BLS12-381. Implemented by [`Blst`] and [`Zkcrypto`] only.
///
/// Byte strings are big endian. Points use the Zcash/IETF encodings: 48 (G1) and 96 (G2) bytes
/// compressed, 96 and 192 uncompressed, coordinates of G2 as `c1 || c0`.
pub trait Curve:
    sealed::Sealed + Copy + Clone + PartialEq + Eq + std::fmt::Debug + Send + Sync + 'static
{
    /// Name of the backend, for bench and test output.
    const NAME: &'static str;
    /// Integer modulo `r`, wiped on drop.
    type Scalar: Zeroize + Send + Sync;
    /// Point of G1.
    type G1: Copy + PartialEq + Zeroize + Send + Sync;
    /// Point of G2.
    type G2: Copy + PartialEq + Zeroize + Send + Sync;

    /// Reads a canonical scalar; `None` when it is not below `r`.
    fn scalar_from_be_bytes(bytes: &[u8; 32]) -> Option<Self::Scalar>;
    /// Reduces a 512-bit integer modulo `r`: uniform input gives a uniform scalar.
    fn scalar_reduce(bytes: &[u8; 64]) -> Self::Scalar;
    /// `hash_to_field` of RFC 9380, section 5.2, for the scalar field (`L` = 48,
    /// `expand_message_xmd`, SHA-256), as RFC 9497 uses it.
    fn hash_to_scalar(message: &[u8], dst: &[u8]) -> Self::Scalar;
    /// The canonical 32 bytes.
    fn scalar_to_be_bytes(scalar: &Self::Scalar) -> Zeroizing<[u8; 32]>;
    /// `a + b`.
    fn scalar_add(a: &Self::Scalar, b: &Self::Scalar) -> Self::Scalar;
    /// `a - b`.
    fn scalar_sub(a: &Self::Scalar, b: &Self::Scalar) -> Self::Scalar;
    /// `a * b`.
    fn scalar_mul(a: &Self::Scalar, b: &Self::Scalar) -> Self::Scalar;

    /// RFC 9380 `BLS12381G1_XMD:SHA-256_SSWU_RO_`.
    fn hash_to_g1(message: &[u8], dst: &[u8]) -> Self::G1;
    /// RFC 9380 `BLS12381G1_XMD:SHA-256_SSWU_NU_`.
    fn encode_to_g1(message: &[u8], dst: &[u8]) -> Self::G1;
    /// One step of the legacy `mapit`: `h * (x, y)` with the even `y` and the full cofactor `h`.
    /// `None` when no point has this `x`, or when the product is infinity.
    fn legacy_point(x: &[u8; 48]) -> Option<Self::G1>;

    /// The standard generator of G1.
    fn g1_generator() -> Self::G1;
    /// `a + b`.
    fn g1_add(a: &Self::G1, b: &Self::G1) -> Self::G1;
    /// `-a`.
    fn g1_neg(a: &Self::G1) -> Self::G1;
    /// `scalar * a`, constant time in the scalar.
    fn g1_mul(a: &Self::G1, scalar: &Self::Scalar) -> Self::G1;
    /// Whether `a` is infinity.
    fn g1_is_identity(a: &Self::G1) -> bool;
    /// 48 bytes.
    fn g1_to_compressed(a: &Self::G1) -> [u8; 48];
    /// 96 bytes.
    fn g1_to_uncompressed(a: &Self::G1) -> [u8; 96];
    /// Decodes with curve and subgroup check. The caller has already refused coordinates that
    /// are not below `p` and the encoding of infinity.
    fn g1_from_compressed(bytes: &[u8; 48]) -> Result<Self::G1, PointFault>;
    /// As [`Curve::g1_from_compressed`], for 96 bytes.
    fn g1_from_uncompressed(bytes: &[u8; 96]) -> Result<Self::G1, PointFault>;

    /// The standard generator `Q` of G2.
    fn g2_generator() -> Self::G2;
    /// `a + b`.
    fn g2_add(a: &Self::G2, b: &Self::G2) -> Self::G2;
    /// `scalar * a`, constant time in the scalar.
    fn g2_mul(a: &Self::G2, scalar: &Self::Scalar) -> Self::G2;
    /// Whether `a` is infinity.
    fn g2_is_identity(a: &Self::G2) -> bool;
    /// 96 bytes.
    fn g2_to_compressed(a: &Self::G2) -> [u8; 96];
    /// 192 bytes.
    fn g2_to_uncompressed(a: &Self::G2) -> [u8; 192];
    /// As [`Curve::g1_from_compressed`], for 96 bytes of G2.
    fn g2_from_compressed(bytes: &[u8; 96]) -> Result<Self::G2, PointFault>;
    /// As [`Curve::g1_from_compressed`], for 192 bytes of G2.
    fn g2_from_uncompressed(bytes: &[u8; 192]) -> Result<Self::G2, PointFault>;

    /// Whether `e(p1, q1) * e(p2, q2) = 1`. A pair with infinity in it contributes 1.
    fn pairings_cancel(first: (&Self::G1, &Self::G2), second: (&Self::G1, &Self::G2)) -> bool;
}
