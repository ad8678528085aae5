//! Fresh randomness from the operating system, where a secret is made.

use zeroize::Zeroizing;

use crate::Curve;

/// The operating system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct RandomError(#[source] getrandom::Error);

impl RandomError {
    /// What a person may do about it.
    pub fn remedy(&self) -> Option<&'static str> {
        Some("check that getrandom(2) is allowed to this process (seccomp, container profile)")
    }
}

/// `N` fresh bytes.
pub(crate) fn bytes<const N: usize>() -> Result<Zeroizing<[u8; N]>, RandomError> {
    let mut out = Zeroizing::new([0; N]);
    getrandom::fill(out.as_mut()).map_err(RandomError)?;
    Ok(out)
}

/// A fresh scalar, uniform up to 2^-256, never zero.
pub(crate) fn nonzero_scalar<C: Curve>() -> Result<C::Scalar, RandomError> {
    loop {
        let scalar = C::scalar_reduce(&*bytes()?);
        if !is_zero::<C>(&scalar) {
            return Ok(scalar);
        }
    }
}

/// Whether the scalar is zero.
pub(crate) fn is_zero<C: Curve>(scalar: &C::Scalar) -> bool {
    use subtle::ConstantTimeEq;
    C::scalar_to_be_bytes(scalar).ct_eq(&[0; 32]).into()
}
