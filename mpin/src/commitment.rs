//! `C = s * G1`: the one value of a master secret that may be public, and what clients pin.

use std::fmt;

use crate::encoding::decode_g1;
use crate::share::{CombineError, sum_of_distinct};
use crate::{Blst, Curve, DecodeError, Encoding};

/// `C = s * G1`, 48 bytes compressed. Public.
pub struct Commitment<C: Curve = Blst> {
    pub(crate) point: C::G1,
}

impl<C: Curve> Commitment<C> {
    /// Decodes 48 bytes of compressed G1, checking curve and subgroup and refusing infinity.
    pub fn from_compressed(bytes: &[u8]) -> Result<Self, DecodeError> {
        Ok(Self {
            point: decode_g1::<C>(Encoding::Compressed, bytes)?,
        })
    }

    /// The 48 bytes.
    pub fn to_compressed(&self) -> [u8; 48] {
        C::g1_to_compressed(&self.point)
    }

    /// The commitment to the sum of the secrets: what a combined share belongs to. Refuses equal
    /// commitments and a sum at infinity.
    pub fn combine(commitments: &[Self]) -> Result<Self, CombineError> {
        let point = sum_of_distinct(
            commitments.iter().map(|commitment| &commitment.point),
            C::g1_to_compressed,
            C::g1_add,
            C::g1_is_identity,
        )?;
        Ok(Self { point })
    }
}

impl<C: Curve> Clone for Commitment<C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C: Curve> Copy for Commitment<C> {}

impl<C: Curve> PartialEq for Commitment<C> {
    fn eq(&self, other: &Self) -> bool {
        self.point == other.point
    }
}

impl<C: Curve> Eq for Commitment<C> {}

impl<C: Curve> fmt::Display for Commitment<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.to_compressed()))
    }
}

impl<C: Curve> fmt::Debug for Commitment<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Commitment({self})")
    }
}
