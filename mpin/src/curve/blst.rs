//! The default backend: Supranational's `blst` (C and assembly).

use zeroize::{Zeroize, Zeroizing};

use super::{Curve, G1_COFACTOR_LE, PointFault, blst_ffi as ffi, sealed};

/// The default backend: `blst`. A client share takes a third of [`super::Zkcrypto`]'s time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blst {}

/// Canonical scalar; `blst_scalar` wipes itself on drop.
pub struct Scalar(::blst::blst_scalar);

/// Point of G1 in Jacobian coordinates.
#[derive(Clone, Copy, PartialEq)]
pub struct G1(::blst::blst_p1);

/// Point of G2 in Jacobian coordinates.
#[derive(Clone, Copy, PartialEq)]
pub struct G2(::blst::blst_p2);

impl Zeroize for Scalar {
    fn zeroize(&mut self) {
        self.0.b.zeroize();
    }
}

impl Zeroize for G1 {
    fn zeroize(&mut self) {
        for coordinate in [&mut self.0.x, &mut self.0.y, &mut self.0.z] {
            coordinate.l.zeroize();
        }
    }
}

impl Zeroize for G2 {
    fn zeroize(&mut self) {
        for coordinate in [&mut self.0.x, &mut self.0.y, &mut self.0.z] {
            coordinate.fp.iter_mut().for_each(|part| part.l.zeroize());
        }
    }
}

impl sealed::Sealed for Blst {}

impl Curve for Blst {
    const NAME: &'static str = "blst";
    type Scalar = Scalar;
    type G1 = G1;
    type G2 = G2;

    fn scalar_from_be_bytes(bytes: &[u8; 32]) -> Option<Scalar> {
        ffi::scalar_from_be(bytes).map(Scalar)
    }

    fn scalar_reduce(bytes: &[u8; 64]) -> Scalar {
        Scalar(ffi::scalar_reduce(bytes))
    }

    fn hash_to_scalar(message: &[u8], dst: &[u8]) -> Scalar {
        // `None` stands for the scalar zero, which the default is.
        Scalar(::blst::blst_scalar::hash_to(message, dst).unwrap_or_default())
    }

    fn scalar_to_be_bytes(scalar: &Scalar) -> Zeroizing<[u8; 32]> {
        let mut out = Zeroizing::new([0; 32]);
        ffi::scalar_to_be(&scalar.0, &mut out);
        out
    }

    fn scalar_add(a: &Scalar, b: &Scalar) -> Scalar {
        Scalar(ffi::scalar_add(&a.0, &b.0))
    }

    fn scalar_sub(a: &Scalar, b: &Scalar) -> Scalar {
        Scalar(ffi::scalar_sub(&a.0, &b.0))
    }

    fn scalar_mul(a: &Scalar, b: &Scalar) -> Scalar {
        Scalar(ffi::scalar_mul(&a.0, &b.0))
    }

    fn hash_to_g1(message: &[u8], dst: &[u8]) -> G1 {
        G1(ffi::hash_to_g1(message, dst))
    }

    fn encode_to_g1(message: &[u8], dst: &[u8]) -> G1 {
        G1(ffi::encode_to_g1(message, dst))
    }

    fn legacy_point(x: &[u8; 48]) -> Option<G1> {
        let mut compressed = *x;
        compressed[0] |= 0x80;
        let point = ffi::g1_uncompress_unchecked(&compressed)?;
        let y_is_odd = ffi::g1_serialize(&point)[95] & 1 == 1;
        let even = if y_is_odd { ffi::g1_neg(&point) } else { point };
        let cleared = ffi::g1_mul_128(&even, &G1_COFACTOR_LE);
        (!ffi::g1_is_identity(&cleared)).then_some(G1(cleared))
    }

    fn g1_generator() -> G1 {
        G1(ffi::g1_generator())
    }

    fn g1_add(a: &G1, b: &G1) -> G1 {
        G1(ffi::g1_add(&a.0, &b.0))
    }

    fn g1_neg(a: &G1) -> G1 {
        G1(ffi::g1_neg(&a.0))
    }

    fn g1_mul(a: &G1, scalar: &Scalar) -> G1 {
        G1(ffi::g1_mul(&a.0, &scalar.0))
    }

    fn g1_is_identity(a: &G1) -> bool {
        ffi::g1_is_identity(&a.0)
    }

    fn g1_to_compressed(a: &G1) -> [u8; 48] {
        ffi::g1_compress(&a.0)
    }

    fn g1_to_uncompressed(a: &G1) -> [u8; 96] {
        ffi::g1_serialize(&a.0)
    }

    fn g1_from_compressed(bytes: &[u8; 48]) -> Result<G1, PointFault> {
        ffi::g1_uncompress(bytes).map(G1)
    }

    fn g1_from_uncompressed(bytes: &[u8; 96]) -> Result<G1, PointFault> {
        ffi::g1_deserialize(bytes).map(G1)
    }

    fn g2_generator() -> G2 {
        G2(ffi::g2_generator())
    }

    fn g2_add(a: &G2, b: &G2) -> G2 {
        G2(ffi::g2_add(&a.0, &b.0))
    }

    fn g2_mul(a: &G2, scalar: &Scalar) -> G2 {
        G2(ffi::g2_mul(&a.0, &scalar.0))
    }

    fn g2_is_identity(a: &G2) -> bool {
        ffi::g2_is_identity(&a.0)
    }

    fn g2_to_compressed(a: &G2) -> [u8; 96] {
        ffi::g2_compress(&a.0)
    }

    fn g2_to_uncompressed(a: &G2) -> [u8; 192] {
        ffi::g2_serialize(&a.0)
    }

    fn g2_from_compressed(bytes: &[u8; 96]) -> Result<G2, PointFault> {
        ffi::g2_uncompress(bytes).map(G2)
    }

    fn g2_from_uncompressed(bytes: &[u8; 192]) -> Result<G2, PointFault> {
        ffi::g2_deserialize(bytes).map(G2)
    }

    fn pairings_cancel((p1, q1): (&G1, &G2), (p2, q2): (&G1, &G2)) -> bool {
        let first_is_one = Self::g1_is_identity(p1) || Self::g2_is_identity(q1);
        let second_is_one = Self::g1_is_identity(p2) || Self::g2_is_identity(q2);
        if first_is_one || second_is_one {
            // A pairing of points other than infinity is never 1.
            return first_is_one && second_is_one;
        }
        ffi::pairings_equal((&p1.0, &q1.0), (&ffi::g1_neg(&p2.0), &q2.0))
    }
}
