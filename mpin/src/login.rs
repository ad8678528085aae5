//! What both sides of a login share: points and scalars on the wire, and who claims to log in.

use std::fmt;

use zeroize::Zeroize;

use crate::encoding::{decode_g1, encode_g1};
use crate::point::mhash;
use crate::random::{self, RandomError};
use crate::{Blst, Curve, Day, DecodeError, Encoding, Identity, IdentityPoint, PermitPoint, Suite};

/// Who claims to log in, and under a permit of which day, if any.
pub struct Claim<C: Curve = Blst> {
    identity: IdentityPoint<C>,
    permit: Option<(Day, PermitPoint<C>)>,
}

impl<C: Curve> Claim<C> {
    /// A login without a permit.
    pub fn without_permit(suite: Suite, identity: &Identity) -> Self {
        Self {
            identity: IdentityPoint::hash(suite, identity),
            permit: None,
        }
    }

    /// A login under the permit of `day`.
    pub fn with_permit(suite: Suite, identity: &Identity, day: Day) -> Self {
        Self {
            identity: IdentityPoint::hash(suite, identity),
            permit: Some((day, PermitPoint::hash(suite, day, identity))),
        }
    }

    /// `A`.
    pub fn identity_point(&self) -> &IdentityPoint<C> {
        &self.identity
    }

    /// The day of the permit.
    pub fn day(&self) -> Option<Day> {
        self.permit.as_ref().map(|(day, _)| *day)
    }

    /// `A`, or `A + A_T` under a permit.
    pub(crate) fn base(&self) -> C::G1 {
        match &self.permit {
            None => self.identity.point,
            Some((_, permit)) => C::g1_add(&self.identity.point, &permit.point),
        }
    }
}

impl<C: Curve> Clone for Claim<C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C: Curve> Copy for Claim<C> {}

impl<C: Curve> fmt::Debug for Claim<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("identity", &self.identity)
            .field("day", &self.day())
            .finish()
    }
}

/// `U` or `V` as it travels: a point of G1 in the prime-order subgroup, never infinity.
pub struct LoginPoint<C: Curve = Blst> {
    pub(crate) point: C::G1,
}

impl<C: Curve> LoginPoint<C> {
    /// Decodes 48 bytes of compressed G1, checking curve and subgroup and refusing infinity.
    pub fn from_compressed(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::decode(Encoding::Compressed, bytes)
    }

    /// Decodes any encoding, with the same checks.
    pub fn decode(encoding: Encoding, bytes: &[u8]) -> Result<Self, DecodeError> {
        Ok(Self {
            point: decode_g1::<C>(encoding, bytes)?,
        })
    }

    /// 48 bytes.
    pub fn to_compressed(&self) -> [u8; 48] {
        C::g1_to_compressed(&self.point)
    }

    /// Any encoding.
    pub fn encode(&self, encoding: Encoding) -> Vec<u8> {
        encode_g1::<C>(encoding, &self.point).to_vec()
    }
}

impl<C: Curve> Clone for LoginPoint<C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C: Curve> Copy for LoginPoint<C> {}

impl<C: Curve> PartialEq for LoginPoint<C> {
    fn eq(&self, other: &Self) -> bool {
        self.point == other.point
    }
}

impl<C: Curve> Eq for LoginPoint<C> {}

impl<C: Curve> fmt::Debug for LoginPoint<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LoginPoint({})", hex::encode(self.to_compressed()))
    }
}

/// `y`, the server's challenge: a scalar other than zero.
pub struct Challenge<C: Curve = Blst> {
    pub(crate) scalar: C::Scalar,
}

impl<C: Curve> Challenge<C> {
    /// A fresh challenge.
    pub fn random() -> Result<Self, RandomError> {
        Ok(Self {
            scalar: random::nonzero_scalar::<C>()?,
        })
    }

    /// Reads 32 bytes, big endian. (Milagro puts 16 zero bytes before them.)
    pub fn from_be_bytes(bytes: &[u8; 32]) -> Result<Self, ScalarError> {
        Ok(Self {
            scalar: scalar_from_be_bytes::<C>(bytes)?,
        })
    }

    /// The 32 bytes, big endian.
    pub fn to_be_bytes(&self) -> [u8; 32] {
        *C::scalar_to_be_bytes(&self.scalar)
    }
}

impl<C: Curve> fmt::Debug for Challenge<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Challenge({})", hex::encode(self.to_be_bytes()))
    }
}

/// Why 32 bytes are not a scalar of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScalarError {
    /// All bytes are zero.
    #[error("the scalar is zero")]
    Zero,
    /// Not canonical.
    #[error("the scalar is not below the group order")]
    NotBelowOrder,
}

pub(crate) fn scalar_from_be_bytes<C: Curve>(bytes: &[u8; 32]) -> Result<C::Scalar, ScalarError> {
    let scalar = C::scalar_from_be_bytes(bytes).ok_or(ScalarError::NotBelowOrder)?;
    if random::is_zero::<C>(&scalar) {
        return Err(ScalarError::Zero);
    }
    Ok(scalar)
}

/// The one message of a one-pass login.
#[derive(Debug)]
pub struct OnePassLogin<C: Curve = Blst> {
    /// Unix seconds on the device's clock.
    pub time: u32,
    /// What is signed along; may be empty.
    pub message: Vec<u8>,
    /// `U`, or `UT` under a permit.
    pub u: LoginPoint<C>,
    /// `V`.
    pub v: LoginPoint<C>,
}

/// `y = mhash(time, U || message) mod r`, with `U` as `04 || x || y`.
pub(crate) fn one_pass_challenge<C: Curve>(
    time: u32,
    u: &LoginPoint<C>,
    message: &[u8],
) -> C::Scalar {
    let mut wide = [0; 64];
    wide[32..].copy_from_slice(&mhash(time, &[&u.encode(Encoding::Milagro), message]));
    let challenge = C::scalar_reduce(&wide);
    wide.zeroize();
    challenge
}
