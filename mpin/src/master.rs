//! The master secret of one D-TA for one customer key, and everything it issues.

use std::fmt;

use zeroize::Zeroizing;

use crate::random::{self, RandomError};
use crate::{
    Blst, ClientShare, Commitment, Curve, IdentityPoint, PermitPoint, ServerShare, TimePermit,
};

/// `s`, a scalar with `0 < s < r`. Boxed, wiped on drop, neither cloned nor printed.
///
/// ```compile_fail,E0599
/// let secret: mpin::MasterSecret = mpin::MasterSecret::random()?;
/// let copy = secret.clone();
/// # Ok::<(), mpin::RandomError>(())
/// ```
pub struct MasterSecret<C: Curve = Blst> {
    pub(crate) scalar: Box<Zeroizing<C::Scalar>>,
}

impl<C: Curve> MasterSecret<C> {
    /// Makes a fresh secret from the operating system's randomness.
    pub fn random() -> Result<Self, RandomError> {
        Ok(Self::new(random::nonzero_scalar::<C>()?))
    }

    /// Reads 32 bytes, big endian. Refuses 0 and whatever is not below the group order.
    pub fn from_be_bytes(bytes: &[u8; 32]) -> Result<Self, MasterSecretError> {
        let scalar = C::scalar_from_be_bytes(bytes).ok_or(MasterSecretError::NotBelowOrder)?;
        if random::is_zero::<C>(&scalar) {
            return Err(MasterSecretError::Zero);
        }
        Ok(Self::new(scalar))
    }

    /// The 32 bytes, big endian, for sealing.
    pub fn to_be_bytes(&self) -> Zeroizing<[u8; 32]> {
        C::scalar_to_be_bytes(&self.scalar)
    }

    /// `C = s * G1`.
    pub fn commitment(&self) -> Commitment<C> {
        Commitment {
            point: C::g1_mul(&C::g1_generator(), &self.scalar),
        }
    }

    /// `s * A`. Deterministic: asking again gives the same share.
    pub fn client_share(&self, identity: &IdentityPoint<C>) -> ClientShare<C> {
        ClientShare::new(C::g1_mul(&identity.point, &self.scalar))
    }

    /// `s * A_T`. Deterministic.
    pub fn time_permit(&self, permit: &PermitPoint<C>) -> TimePermit<C> {
        TimePermit::new(C::g1_mul(&permit.point, &self.scalar))
    }

    /// `s * Q`. Deterministic.
    pub fn server_share(&self) -> ServerShare<C> {
        ServerShare::new(C::g2_mul(&C::g2_generator(), &self.scalar))
    }

    fn new(scalar: C::Scalar) -> Self {
        Self {
            scalar: Box::new(Zeroizing::new(scalar)),
        }
    }
}

impl<C: Curve> fmt::Debug for MasterSecret<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterSecret(..)")
    }
}

/// Why 32 bytes are not a master secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MasterSecretError {
    /// All bytes are zero.
    #[error("the master secret is zero")]
    Zero,
    /// Not canonical.
    #[error("the master secret is not below the group order")]
    NotBelowOrder,
}
