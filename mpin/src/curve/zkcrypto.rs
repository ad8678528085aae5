//! The second backend: zkcrypto's `bls12_381`, pure Rust. It needs no C compiler, and it is the
//! independent oracle against which every operation of the first is tested.

use bls12_381::hash_to_curve::{ExpandMsgXmd, HashToCurve, HashToField};
use bls12_381::{
    G1Affine, G1Projective, G2Affine, G2Prepared, G2Projective, Gt, multi_miller_loop,
};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use super::{Curve, G1_COFACTOR_LE, PointFault, sealed};

/// The pure-Rust backend: zkcrypto's `bls12_381`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zkcrypto {}

/// Canonical scalar, wiped on drop.
pub struct Scalar(bls12_381::Scalar);

/// Point of G1 in projective coordinates.
#[derive(Clone, Copy, PartialEq)]
pub struct G1(G1Projective);

/// Point of G2 in projective coordinates.
#[derive(Clone, Copy, PartialEq)]
pub struct G2(G2Projective);

impl Zeroize for Scalar {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

impl Drop for Scalar {
    fn drop(&mut self) {
        self.zeroize();
    }
}

impl Zeroize for G1 {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

impl Zeroize for G2 {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

impl sealed::Sealed for Zkcrypto {}

impl Curve for Zkcrypto {
    const NAME: &'static str = "bls12_381";
    type Scalar = Scalar;
    type G1 = G1;
    type G2 = G2;

    fn scalar_from_be_bytes(bytes: &[u8; 32]) -> Option<Scalar> {
        let mut little_endian = Zeroizing::new(*bytes);
        little_endian.reverse();
        Option::from(bls12_381::Scalar::from_bytes(&little_endian)).map(Scalar)
    }

    fn scalar_reduce(bytes: &[u8; 64]) -> Scalar {
        let mut little_endian = Zeroizing::new(*bytes);
        little_endian.reverse();
        Scalar(bls12_381::Scalar::from_bytes_wide(&little_endian))
    }

    fn hash_to_scalar(message: &[u8], dst: &[u8]) -> Scalar {
        let mut out = [bls12_381::Scalar::zero()];
        bls12_381::Scalar::hash_to_field::<ExpandMsgXmd<Sha256>, _>([message], dst, &mut out);
        Scalar(out[0])
    }

    fn scalar_to_be_bytes(scalar: &Scalar) -> Zeroizing<[u8; 32]> {
        let mut out = Zeroizing::new(scalar.0.to_bytes());
        out.reverse();
        out
    }

    fn scalar_add(a: &Scalar, b: &Scalar) -> Scalar {
        Scalar(a.0 + b.0)
    }

    fn scalar_sub(a: &Scalar, b: &Scalar) -> Scalar {
        Scalar(a.0 - b.0)
    }

    fn scalar_mul(a: &Scalar, b: &Scalar) -> Scalar {
        Scalar(a.0 * b.0)
    }

    fn hash_to_g1(message: &[u8], dst: &[u8]) -> G1 {
        G1(<G1Projective as HashToCurve<ExpandMsgXmd<Sha256>>>::hash_to_curve([message], dst))
    }

    fn encode_to_g1(message: &[u8], dst: &[u8]) -> G1 {
        G1(<G1Projective as HashToCurve<ExpandMsgXmd<Sha256>>>::encode_to_curve([message], dst))
    }

    fn legacy_point(x: &[u8; 48]) -> Option<G1> {
        let mut compressed = *x;
        compressed[0] |= 0x80;
        // "Unchecked" leaves out the subgroup check only: decompressing finds a point of the curve.
        let point: G1Affine = Option::from(G1Affine::from_compressed_unchecked(&compressed))?;
        let y_is_odd = point.to_uncompressed()[95] & 1 == 1;
        let even = if y_is_odd { -point } else { point };
        // `bls12_381` multiplies by plain double-and-add, right for any point of the curve.
        let mut cofactor = [0; 32];
        cofactor[..16].copy_from_slice(&G1_COFACTOR_LE);
        let cofactor: Option<bls12_381::Scalar> = bls12_381::Scalar::from_bytes(&cofactor).into();
        let cleared = even * cofactor.expect("the cofactor has 126 bits, r has 255");
        (!bool::from(cleared.is_identity())).then_some(G1(cleared))
    }

    fn g1_generator() -> G1 {
        G1(G1Projective::generator())
    }

    fn g1_add(a: &G1, b: &G1) -> G1 {
        G1(a.0 + b.0)
    }

    fn g1_neg(a: &G1) -> G1 {
        G1(-a.0)
    }

    fn g1_mul(a: &G1, scalar: &Scalar) -> G1 {
        G1(a.0 * scalar.0)
    }

    fn g1_is_identity(a: &G1) -> bool {
        a.0.is_identity().into()
    }

    fn g1_to_compressed(a: &G1) -> [u8; 48] {
        G1Affine::from(a.0).to_compressed()
    }

    fn g1_to_uncompressed(a: &G1) -> [u8; 96] {
        G1Affine::from(a.0).to_uncompressed()
    }

    fn g1_from_compressed(bytes: &[u8; 48]) -> Result<G1, PointFault> {
        g1_checked(Option::from(G1Affine::from_compressed_unchecked(bytes)))
    }

    fn g1_from_uncompressed(bytes: &[u8; 96]) -> Result<G1, PointFault> {
        g1_checked(Option::from(G1Affine::from_uncompressed_unchecked(bytes)))
    }

    fn g2_generator() -> G2 {
        G2(G2Projective::generator())
    }

    fn g2_add(a: &G2, b: &G2) -> G2 {
        G2(a.0 + b.0)
    }

    fn g2_mul(a: &G2, scalar: &Scalar) -> G2 {
        G2(a.0 * scalar.0)
    }

    fn g2_is_identity(a: &G2) -> bool {
        a.0.is_identity().into()
    }

    fn g2_to_compressed(a: &G2) -> [u8; 96] {
        G2Affine::from(a.0).to_compressed()
    }

    fn g2_to_uncompressed(a: &G2) -> [u8; 192] {
        G2Affine::from(a.0).to_uncompressed()
    }

    fn g2_from_compressed(bytes: &[u8; 96]) -> Result<G2, PointFault> {
        g2_checked(Option::from(G2Affine::from_compressed_unchecked(bytes)))
    }

    fn g2_from_uncompressed(bytes: &[u8; 192]) -> Result<G2, PointFault> {
        g2_checked(Option::from(G2Affine::from_uncompressed_unchecked(bytes)))
    }

    fn pairings_cancel((p1, q1): (&G1, &G2), (p2, q2): (&G1, &G2)) -> bool {
        let q1 = G2Prepared::from(G2Affine::from(q1.0));
        let q2 = G2Prepared::from(G2Affine::from(q2.0));
        let terms = [(&G1Affine::from(p1.0), &q1), (&G1Affine::from(p2.0), &q2)];
        multi_miller_loop(&terms).final_exponentiation() == Gt::identity()
    }
}

fn g1_checked(point: Option<G1Affine>) -> Result<G1, PointFault> {
    let point = point
        .filter(|point| point.is_on_curve().into())
        .ok_or(PointFault::NotOnCurve)?;
    if !bool::from(point.is_torsion_free()) {
        return Err(PointFault::NotInSubgroup);
    }
    Ok(G1(point.into()))
}

fn g2_checked(point: Option<G2Affine>) -> Result<G2, PointFault> {
    let point = point
        .filter(|point| point.is_on_curve().into())
        .ok_or(PointFault::NotOnCurve)?;
    if !bool::from(point.is_torsion_free()) {
        return Err(PointFault::NotInSubgroup);
    }
    Ok(G2(point.into()))
}
