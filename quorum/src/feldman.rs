//! Feldman's verifiable secret sharing of one scalar, over `vsss-rs` and `bls12_381`.
//!
//! `vsss-rs` leaves to its caller what matters most here, so this wrapper: owns the polynomial and
//! wipes it; pins the generator of G1 (the crate would take it from the data); demands exactly M
//! commitments, each a point of the group and not the identity; verifies every share; and checks that
//! what was combined lies under the first commitment, because `combine` returns `Ok` with a wrong
//! secret for a wrong share. No type here can be cloned or printed.
//!
//! Source: P. Feldman, "A practical scheme for non-interactive verifiable secret sharing", 1987.

use std::fmt;

use bls12_381::{G1Affine, G1Projective, Scalar};
use hkdf::Hkdf;
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use vsss_rs::{
    FeldmanVerifierSet, IdentifierPrimeField, Polynomial, PrimeFieldShare, ReadableShareSet,
    Share as _, ValueGroup,
};
use zeroize::Zeroizing;

use crate::ids::{SetId, ShareIndex, Threshold, decode_lower_hex};

type Point = PrimeFieldShare<Scalar>;
type Verifier = ValueGroup<G1Projective>;

/// Splits `secret` into N values of which any M give it back, and M public commitments against which
/// each value can be checked alone.
///
/// The values come in the order of their indexes, `1..=n`.
pub fn split(
    secret: &UnlockSecret,
    threshold: Threshold,
    rng: &mut impl CryptoRng,
) -> (Vec<ShareValue>, Commitments) {
    let m = usize::from(threshold.m());
    let mut polynomial = Zeroizing::new(<Vec<Point> as Polynomial<Point>>::create(m));
    polynomial
        .fill(&IdentifierPrimeField(**secret.0), rng, m)
        .expect("the polynomial was made with room for M coefficients");

    let values = threshold
        .indexes()
        .map(|index| {
            let value = polynomial.evaluate(&x_coordinate(index), m);
            ShareValue::new(index, value.0)
        })
        .collect();

    let generator = G1Projective::generator();
    let mut points = vec![generator * polynomial[0].value().0];
    points.extend(polynomial[1..].iter().map(|c| generator * c.identifier().0));
    (values, Commitments::of_points(points))
}

/// The scalar `u` that a quorum holds together: uniform in `1..r`. Wiped when dropped.
pub struct UnlockSecret(Box<Zeroizing<Scalar>>);

impl UnlockSecret {
    /// A fresh secret.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        use vsss_rs::elliptic_curve::Field;
        loop {
            let scalar = Zeroizing::new(<Scalar as Field>::random(rng));
            if *scalar != Scalar::zero() {
                return Self(Box::new(scalar));
            }
        }
    }

    /// `k_quorum`, 32 bytes: HKDF-SHA256 (RFC 5869) of `u` (32 bytes, big endian), salt = set id,
    /// info = `dta k_quorum v1`.
    pub fn k_quorum(&self, set_id: &SetId) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(Some(set_id.as_bytes()), &*to_be_bytes(&self.0))
            .expand(b"dta k_quorum v1", &mut *key)
            .expect("32 bytes are within what HKDF-SHA256 gives");
        key
    }
}

impl fmt::Debug for UnlockSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnlockSecret(..)")
    }
}

/// One value of a split: the polynomial at its index. Wiped when dropped.
pub struct ShareValue {
    index: ShareIndex,
    value: Box<Zeroizing<Scalar>>,
}

impl ShareValue {
    /// Its place in the set.
    pub fn index(&self) -> ShareIndex {
        self.index
    }

    fn new(index: ShareIndex, value: Scalar) -> Self {
        Self {
            index,
            value: Box::new(Zeroizing::new(value)),
        }
    }

    /// From 32 bytes, big endian; none when it is 0 or not below the group order.
    pub(crate) fn from_be_bytes(index: ShareIndex, bytes: &[u8; 32]) -> Option<Self> {
        let mut little_endian = Zeroizing::new(*bytes);
        little_endian.reverse();
        let value = Zeroizing::new(Option::from(Scalar::from_bytes(&little_endian))?);
        (*value != Scalar::zero()).then(|| Self::new(index, *value))
    }

    /// The value as 32 bytes, big endian.
    pub(crate) fn to_be_bytes(&self) -> Zeroizing<[u8; 32]> {
        to_be_bytes(&self.value)
    }

    fn to_point(&self) -> Zeroizing<Point> {
        Zeroizing::new(Point::with_identifier_and_value(
            x_coordinate(self.index),
            IdentifierPrimeField(**self.value),
        ))
    }
}

impl fmt::Debug for ShareValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShareValue({}, ..)", self.index)
    }
}

/// The Feldman commitments of one split: exactly M points `coefficient * G1`, the secret's first.
///
/// Public. In JSON an array of M compressed points (48 bytes each, Zcash/IETF encoding) as hex.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Commitments {
    verifiers: Vec<Verifier>,
}

impl Commitments {
    /// From compressed points, the secret's commitment first.
    ///
    /// # Errors
    /// When there are none or more than 16, or one is no point of G1 (curve and subgroup are checked)
    /// or the identity.
    pub fn from_compressed(points: &[[u8; 48]]) -> Result<Self, CommitmentsError> {
        if points.is_empty() || points.len() > usize::from(Threshold::MAX_HOLDERS) {
            return Err(CommitmentsError::Count { have: points.len() });
        }
        let decode = |(at, bytes): (usize, &[u8; 48])| {
            Option::<G1Affine>::from(G1Affine::from_compressed(bytes))
                .filter(|point| !bool::from(point.is_identity()))
                .map(G1Projective::from)
                .ok_or(CommitmentsError::Point { number: at + 1 })
        };
        let points: Result<_, _> = points.iter().enumerate().map(decode).collect();
        Ok(Self::of_points(points?))
    }

    /// The compressed points, 48 bytes each.
    pub fn to_compressed(&self) -> Vec<[u8; 48]> {
        let compress = |v: &Verifier| G1Affine::from(v.0).to_compressed();
        self.verifiers.iter().map(compress).collect()
    }

    /// M: how many values open the secret.
    pub fn m(&self) -> u8 {
        u8::try_from(self.verifiers.len()).expect("there are at most 16 commitments")
    }

    /// True when `value` is the value of this split at its index.
    pub fn accept(&self, value: &ShareValue) -> bool {
        let generator = ValueGroup(G1Projective::generator());
        let pinned: Vec<Verifier> = FeldmanVerifierSet::<Point, _>::with_generator_and_verifiers(
            generator,
            &self.verifiers,
        );
        pinned.verify_share(&*value.to_point()).is_ok()
    }

    /// The secret under these commitments, from exactly M values with different indexes; none when
    /// what they give does not lie under the first commitment.
    pub(crate) fn combine<'a>(
        &self,
        values: impl IntoIterator<Item = &'a ShareValue>,
    ) -> Option<UnlockSecret> {
        let points: Zeroizing<Vec<Point>> =
            Zeroizing::new(values.into_iter().map(|v| *v.to_point()).collect());
        if points.len() != self.verifiers.len() {
            return None;
        }
        // With M = 1 every value is the secret; `vsss-rs` has no such sharing.
        let secret = Zeroizing::new(match points.as_slice() {
            [only] => only.value().0,
            several => several.combine().ok()?.0,
        });
        let commitment = G1Projective::generator() * *secret;
        (commitment == self.verifiers[0].0).then(|| UnlockSecret(Box::new(secret)))
    }

    fn of_points(points: Vec<G1Projective>) -> Self {
        Self {
            verifiers: points.into_iter().map(ValueGroup).collect(),
        }
    }
}

impl fmt::Debug for Commitments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(Vec::<String>::from(self.clone()))
            .finish()
    }
}

impl TryFrom<Vec<String>> for Commitments {
    type Error = CommitmentsError;

    fn try_from(texts: Vec<String>) -> Result<Self, CommitmentsError> {
        let decode = |(at, text): (usize, &String)| {
            decode_lower_hex(text).ok_or(CommitmentsError::Point { number: at + 1 })
        };
        let points: Result<Vec<_>, _> = texts.iter().enumerate().map(decode).collect();
        Self::from_compressed(&points?)
    }
}

impl From<Commitments> for Vec<String> {
    fn from(commitments: Commitments) -> Vec<String> {
        commitments
            .to_compressed()
            .iter()
            .map(hex::encode)
            .collect()
    }
}

/// Bytes that are no commitments.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CommitmentsError {
    /// None, or more than 16.
    #[error("a set has 1 to 16 commitments, one for each holder needed, not {have}")]
    Count {
        /// How many there are.
        have: usize,
    },
    /// One is no compressed point of G1.
    #[error("commitment {number} is not a compressed point of G1 other than the identity")]
    Point {
        /// Which one, from 1.
        number: usize,
    },
}

fn x_coordinate(index: ShareIndex) -> IdentifierPrimeField<Scalar> {
    IdentifierPrimeField(Scalar::from(u64::from(index.get())))
}

fn to_be_bytes(scalar: &Scalar) -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new(scalar.to_bytes());
    bytes.reverse();
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::rng;

    fn every_threshold() -> impl Iterator<Item = Threshold> {
        (1..=16).flat_map(|n| (1..=n).map(move |m| Threshold::new(m, n).unwrap()))
    }

    #[test]
    fn any_m_values_of_every_threshold_give_the_secret_back() {
        let mut rng = rng(1);
        for threshold in every_threshold() {
            let secret = UnlockSecret::random(&mut rng);
            let (values, commitments) = split(&secret, threshold, &mut rng);
            assert_eq!(values.len(), usize::from(threshold.n()));
            assert_eq!(commitments.m(), threshold.m());
            let m = usize::from(threshold.m());
            for chosen in [&values[..m], &values[values.len() - m..]] {
                let again = commitments.combine(chosen).unwrap();
                assert_eq!(*again.0, *secret.0, "{threshold}");
            }
        }
    }

    #[test]
    fn every_value_of_every_threshold_verifies_and_none_verifies_elsewhere() {
        let mut rng = rng(2);
        for threshold in every_threshold() {
            let (values, commitments) = split(&UnlockSecret::random(&mut rng), threshold, &mut rng);
            let (_, other) = split(&UnlockSecret::random(&mut rng), threshold, &mut rng);
            for value in &values {
                assert!(commitments.accept(value), "{threshold}: {}", value.index());
                assert!(!other.accept(value), "{threshold}: {}", value.index());
            }
        }
    }

    #[test]
    fn one_value_too_few_never_combines() {
        let mut rng = rng(3);
        for threshold in every_threshold() {
            let (values, commitments) = split(&UnlockSecret::random(&mut rng), threshold, &mut rng);
            let m = usize::from(threshold.m());
            assert!(
                commitments.combine(&values[..m - 1]).is_none(),
                "{threshold}"
            );
        }
    }

    #[test]
    fn one_wrong_value_among_m_never_combines_to_another_secret() {
        let mut rng = rng(4);
        for threshold in every_threshold() {
            let (mut values, commitments) =
                split(&UnlockSecret::random(&mut rng), threshold, &mut rng);
            values.truncate(usize::from(threshold.m()));
            let index = values[0].index();
            values[0] = ShareValue::new(index, **UnlockSecret::random(&mut rng).0);
            assert!(commitments.combine(&values).is_none(), "{threshold}");
        }
    }

    #[test]
    fn the_same_value_twice_never_combines() {
        let mut rng = rng(5);
        let threshold = Threshold::new(2, 3).unwrap();
        let (values, commitments) = split(&UnlockSecret::random(&mut rng), threshold, &mut rng);
        assert!(commitments.combine([&values[0], &values[0]]).is_none());
    }

    #[test]
    fn a_value_under_another_index_is_not_accepted() {
        let mut rng = rng(6);
        let (values, commitments) = split(
            &UnlockSecret::random(&mut rng),
            Threshold::new(2, 3).unwrap(),
            &mut rng,
        );
        let moved = ShareValue::new(values[1].index(), **values[0].value);
        assert!(!commitments.accept(&moved));
    }

    #[test]
    fn commitments_outside_the_group_are_refused_by_number() {
        let mut rng = rng(7);
        let (_, good) = split(
            &UnlockSecret::random(&mut rng),
            Threshold::new(3, 3).unwrap(),
            &mut rng,
        );
        let mut identity = [0; 48];
        identity[0] = 0xc0;
        // (0, 2): on the curve, of order 3, so outside the subgroup of order r.
        let mut outside = [0; 48];
        outside[0] = 0x80;
        assert!(bool::from(
            G1Affine::from_compressed_unchecked(&outside).is_some()
        ));
        for bad in [[0; 48], [0xff; 48], identity, outside] {
            let mut points = good.to_compressed();
            points[1] = bad;
            assert_eq!(
                Commitments::from_compressed(&points)
                    .unwrap_err()
                    .to_string(),
                "commitment 2 is not a compressed point of G1 other than the identity"
            );
        }
        for count in [0, 17] {
            let points = vec![good.to_compressed()[0]; count];
            assert_eq!(
                Commitments::from_compressed(&points)
                    .unwrap_err()
                    .to_string(),
                format!("a set has 1 to 16 commitments, one for each holder needed, not {count}")
            );
        }
    }

    #[test]
    fn k_quorum_differs_with_the_secret_and_with_the_set() {
        let mut rng = rng(8);
        let (one, two) = (
            UnlockSecret::random(&mut rng),
            UnlockSecret::random(&mut rng),
        );
        let (set, other) = (SetId::random(&mut rng), SetId::random(&mut rng));
        assert_eq!(one.k_quorum(&set), one.k_quorum(&set));
        assert_ne!(one.k_quorum(&set), one.k_quorum(&other));
        assert_ne!(one.k_quorum(&set), two.k_quorum(&set));
    }

    #[test]
    fn secrets_print_as_dots() {
        let mut rng = rng(9);
        let secret = UnlockSecret::random(&mut rng);
        assert_eq!(format!("{secret:?}"), "UnlockSecret(..)");
        let (values, _) = split(&secret, Threshold::new(1, 1).unwrap(), &mut rng);
        assert_eq!(format!("{:?}", values[0]), "ShareValue(1, ..)");
    }
}
