//! Hashing identities to the curve: `A = H1(identity)` and `A_T = H1(day, identity)`.
//!
//! The D-TA does all of this itself, with another domain separation tag for permits, so that
//! nobody can ask for the client share of a crafted hash and get tomorrow's permit. (Suite
//! `MILAGRO` has that hole by construction.) Points are public to whoever knows the identity;
//! time and branches may depend on them.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::{Blst, Curve, Day, Identity, Suite};

const CLIENT_RO: &[u8] = b"DTA-V1-CLIENT_BLS12381G1_XMD:SHA-256_SSWU_RO_";
const PERMIT_RO: &[u8] = b"DTA-V1-PERMIT_BLS12381G1_XMD:SHA-256_SSWU_RO_";
/// The tag of MIRACL Core's stock `encode_to_curve`.
const CLIENT_NU: &[u8] = b"BLS12381G1_XMD:SHA-256_SSWU_NU_MPIN";
const PERMIT_NU: &[u8] = b"DTA-V1-PERMIT_BLS12381G1_XMD:SHA-256_SSWU_NU_";

/// `A = H1(identity)`, the point that a client share belongs to.
pub struct IdentityPoint<C: Curve = Blst> {
    pub(crate) point: C::G1,
}

impl<C: Curve> IdentityPoint<C> {
    /// Hashes an identity. (Infinity would come out with probability 2^-255.)
    pub fn hash(suite: Suite, identity: &Identity) -> Self {
        let point = match suite {
            Suite::Ro => C::hash_to_g1(identity.as_bytes(), CLIENT_RO),
            Suite::Nu => C::encode_to_g1(identity.as_bytes(), CLIENT_NU),
            Suite::Milagro => mapit::<C>(identity.as_bytes()),
        };
        Self { point }
    }
}

/// `A_T = H1(day, identity)`, the point that a time permit belongs to.
pub struct PermitPoint<C: Curve = Blst> {
    pub(crate) point: C::G1,
}

impl<C: Curve> PermitPoint<C> {
    /// Hashes `be32(day) || identity`. (Infinity would come out with probability 2^-255.)
    pub fn hash(suite: Suite, day: Day, identity: &Identity) -> Self {
        let mut message = [0; 36];
        message[..4].copy_from_slice(&day.number().to_be_bytes());
        message[4..].copy_from_slice(identity.as_bytes());
        let point = match suite {
            Suite::Ro => C::hash_to_g1(&message, PERMIT_RO),
            Suite::Nu => C::encode_to_g1(&message, PERMIT_NU),
            Suite::Milagro => {
                // The 16 zero bytes of the hashed identity are hashed again.
                let mut hash_id = [0; 48];
                hash_id[16..].copy_from_slice(identity.as_bytes());
                mapit::<C>(&mhash(day.number(), &[&hash_id]))
            }
        };
        Self { point }
    }
}

macro_rules! public_point {
    ($name:ident) => {
        impl<C: Curve> $name<C> {
            /// The 48 bytes by which limits, revocations and the audit log know this point.
            pub fn to_compressed(&self) -> [u8; 48] {
                C::g1_to_compressed(&self.point)
            }
        }

        impl<C: Curve> Clone for $name<C> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<C: Curve> Copy for $name<C> {}

        impl<C: Curve> PartialEq for $name<C> {
            fn eq(&self, other: &Self) -> bool {
                self.point == other.point
            }
        }

        impl<C: Curve> Eq for $name<C> {}

        impl<C: Curve> fmt::Debug for $name<C> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(
                    f,
                    concat!(stringify!($name), "({})"),
                    hex::encode(self.to_compressed())
                )
            }
        }
    };
}

public_point!(IdentityPoint);
public_point!(PermitPoint);

/// Milagro's `mhash(n, m)` without its 16 leading zero bytes: SHA-256 over `be32(n)`, which is
/// left out when `n` is 0, and the parts of `m`.
pub(crate) fn mhash(n: u32, parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    if n > 0 {
        hash.update(n.to_be_bytes());
    }
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

/// Milagro's `mapit(0^16 || hash)`: from `x = hash` upwards, the first `x` with a point on the
/// curve whose product with the cofactor is not infinity; the even `y`.
fn mapit<C: Curve>(hash: &[u8; 32]) -> C::G1 {
    // A hash has 256 bits and p has 381, so `x` starts below p, and no run of misses gets there.
    let mut x = [0; 48];
    x[16..].copy_from_slice(hash);
    loop {
        if let Some(point) = C::legacy_point(&x) {
            return point;
        }
        increment(&mut x);
    }
}

fn increment(big_endian: &mut [u8; 48]) {
    for byte in big_endian.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Zkcrypto;

    #[test]
    fn an_increment_carries() {
        let mut x = [0; 48];
        x[46..].copy_from_slice(&[0xfe, 0xff]);
        increment(&mut x);
        assert_eq!(x[46..], [0xff, 0x00]);
    }

    #[test]
    fn mapit_goes_on_when_the_cofactor_sends_a_point_to_infinity() {
        // x = 0 is on the curve (y = 2), but that point has order 3, which divides the cofactor;
        // no point has x = 1, 2 or 3.
        assert!(Blst::legacy_point(&[0; 48]).is_none());
        assert!(Zkcrypto::legacy_point(&[0; 48]).is_none());
        let blst = Blst::g1_to_compressed(&mapit::<Blst>(&[0; 32]));
        let zkcrypto = Zkcrypto::g1_to_compressed(&mapit::<Zkcrypto>(&[0; 32]));
        assert_eq!(blst, zkcrypto);
    }

    #[test]
    fn mapit_sends_neighbouring_inputs_to_one_point_as_the_documents_say() {
        let mut low = [0; 32];
        let mut collided = false;
        for last in 1..=16 {
            let point = mapit::<Blst>(&low);
            low[31] = last;
            collided |= mapit::<Blst>(&low) == point;
        }
        assert!(collided);
    }
}
