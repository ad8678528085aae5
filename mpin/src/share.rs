//! What a D-TA issues, and how the shares of several D-TAs become one.
//!
//! All three are secret: `s * Q` is the server's key, and with it or with a hash of a share
//! whoever steals a token can try PINs offline. So they are boxed, wiped on drop, neither cloned
//! nor printed, and compared in constant time.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::encoding::{decode_g1, decode_g2, encode_g1, encode_g2};
use crate::{Blst, Commitment, Curve, DecodeError, Encoding};

macro_rules! share {
    ($(#[$doc:meta])* $name:ident, $group:ident, $len:literal,
     $encode:ident, $decode:ident, $to_compressed:ident, $add:ident, $is_identity:ident) => {
        $(#[$doc])*
        pub struct $name<C: Curve = Blst> {
            pub(crate) point: Box<Zeroizing<C::$group>>,
        }

        impl<C: Curve> $name<C> {
            /// Bytes of the compressed form.
            pub const LEN: usize = $len;

            /// Decodes the compressed form, checking curve and subgroup and refusing infinity.
            pub fn from_compressed(bytes: &[u8]) -> Result<Self, DecodeError> {
                Self::decode(Encoding::Compressed, bytes)
            }

            /// Decodes any encoding, checking curve and subgroup and refusing infinity.
            pub fn decode(encoding: Encoding, bytes: &[u8]) -> Result<Self, DecodeError> {
                Ok(Self::new($decode::<C>(encoding, bytes)?))
            }

            /// The compressed form.
            pub fn to_compressed(&self) -> Zeroizing<[u8; $len]> {
                Zeroizing::new(C::$to_compressed(&self.point))
            }

            /// Any encoding; the lengths and byte orders are those of [`Encoding`].
            pub fn encode(&self, encoding: Encoding) -> Zeroizing<Vec<u8>> {
                $encode::<C>(encoding, &self.point)
            }

            /// Adds the shares of several D-TAs. The caller has verified each against the
            /// commitment it pinned. Refuses none, two equal ones, and a sum at infinity; one
            /// share alone is its own sum.
            pub fn combine(shares: &[Self]) -> Result<Self, CombineError> {
                let sum = sum_of_distinct(
                    shares.iter().map(|share| &**share.point),
                    C::$to_compressed,
                    C::$add,
                    C::$is_identity,
                )?;
                Ok(Self::new(sum))
            }

            pub(crate) fn new(point: C::$group) -> Self {
                Self { point: Box::new(Zeroizing::new(point)) }
            }
        }

        impl<C: Curve> ConstantTimeEq for $name<C> {
            fn ct_eq(&self, other: &Self) -> subtle::Choice {
                self.to_compressed().as_slice().ct_eq(other.to_compressed().as_slice())
            }
        }

        impl<C: Curve> fmt::Debug for $name<C> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

share!(
    /// `s * A`, a point of G1: one D-TA's share of a device's secret, or the sum of several.
    ClientShare, G1, 48,
    encode_g1, decode_g1, g1_to_compressed, g1_add, g1_is_identity
);

share!(
    /// `s * A_T`, a point of G1: one D-TA's permit for one identity and one day, or the sum of
    /// several.
    TimePermit, G1, 48,
    encode_g1, decode_g1, g1_to_compressed, g1_add, g1_is_identity
);

share!(
    /// `s * Q`, a point of G2: one D-TA's share of the M-Pin server's secret, or the sum of
    /// several.
    ServerShare, G2, 96,
    encode_g2, decode_g2, g2_to_compressed, g2_add, g2_is_identity
);

impl<C: Curve> ServerShare<C> {
    /// Checks `e(G1, S) = e(C, Q)`: the share belongs to the secret that was committed to.
    pub fn verify(&self, commitment: &Commitment<C>) -> Result<(), ShareMismatch> {
        let belongs = C::pairings_cancel(
            (&C::g1_neg(&C::g1_generator()), &self.point),
            (&commitment.point, &C::g2_generator()),
        );
        belongs.then_some(()).ok_or(ShareMismatch)
    }
}

/// The share was made under another secret than the commitment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the share does not belong to the pinned commitment")]
pub struct ShareMismatch;

impl ShareMismatch {
    /// What a person may do about it.
    pub fn remedy(&self) -> Option<&'static str> {
        Some(
            "compare the pinned commitment with the D-TA's operators; the key may have been rotated",
        )
    }
}

/// Why shares cannot be combined. Positions count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CombineError {
    /// Nothing to combine.
    #[error("there is no share to combine")]
    Empty,
    /// The same share twice, so one D-TA twice.
    #[error("shares {first} and {second} are equal, expected one from each D-TA")]
    Equal {
        /// Position of the one.
        first: usize,
        /// Position of the other.
        second: usize,
    },
    /// They cancel one another.
    #[error("the shares sum to infinity")]
    ZeroSum,
}

impl CombineError {
    /// What a person may do about it.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            CombineError::Empty => Some("name at least one D-TA"),
            CombineError::Equal { .. } => Some("check that no D-TA is configured twice"),
            CombineError::ZeroSum => Some("do not use these D-TAs together: one answers the other"),
        }
    }
}

/// The sum of points that differ pairwise and do not cancel.
pub(crate) fn sum_of_distinct<'a, P: Copy + 'a, const N: usize>(
    points: impl Iterator<Item = &'a P> + Clone,
    to_bytes: impl Fn(&P) -> [u8; N],
    add: impl Fn(&P, &P) -> P,
    is_identity: impl Fn(&P) -> bool,
) -> Result<P, CombineError> {
    let encoded: Vec<_> = points
        .clone()
        .map(|point| Zeroizing::new(to_bytes(point)))
        .collect();
    for (second, bytes) in encoded.iter().enumerate() {
        let equal = |other: &Zeroizing<[u8; N]>| other.as_slice().ct_eq(bytes.as_slice()).into();
        if let Some(first) = encoded[..second].iter().position(equal) {
            return Err(CombineError::Equal {
                first: first + 1,
                second: second + 1,
            });
        }
    }
    let sum = points
        .copied()
        .reduce(|sum, point| add(&sum, &point))
        .ok_or(CombineError::Empty)?;
    if is_identity(&sum) {
        return Err(CombineError::ZeroSum);
    }
    Ok(sum)
}
