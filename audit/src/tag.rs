//! The log key, and the tag under which an identity appears in the log.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::Hex;

/// HMAC-SHA256(log key, A): how an identity appears in an entry. Without the log key it says nothing
/// about the identity; with it, an auditor can answer "was a share issued for this identity".
pub type IdentityTag = Hex<32>;

/// The secret key of the identity tags: 32 random bytes, kept sealed like a customer's key.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct LogKey(Box<[u8; 32]>);

impl LogKey {
    /// A fresh random key.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = Box::new([0; 32]);
        getrandom::fill(bytes.as_mut_slice())?;
        Ok(Self(bytes))
    }

    /// The key that was sealed earlier.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(Box::new(*bytes))
    }

    /// The key's bytes, for sealing it.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(*self.0)
    }

    /// The tag of an identity: HMAC-SHA256 over the point `A = H1(identity)`, 48 bytes compressed G1.
    pub fn tag(&self, point: &[u8; 48]) -> IdentityTag {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_slice())
            .expect("HMAC takes a key of any length");
        mac.update(point);
        Hex(mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for LogKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LogKey(..)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_tag_is_the_plain_hmac_of_the_point() {
        // Computed with Python: hmac.new(bytes(range(32)), bytes(48), "sha256").hexdigest()
        let key = LogKey::from_bytes(&core::array::from_fn(|i| i as u8));
        assert_eq!(
            key.tag(&[0; 48]).to_string(),
            "f3558b8fd8276997b572958d7d6fe44eb5203cf9bd10fad28e190db12eaec699"
        );
    }

    #[test]
    fn a_log_key_is_random_and_never_printed() {
        let (one, other) = (LogKey::random().unwrap(), LogKey::random().unwrap());
        assert_ne!(*one.to_bytes(), *other.to_bytes());
        assert_eq!(format!("{one:?}"), "LogKey(..)");
    }
}
