//! The only `unsafe` code of this room: calls into blst's C functions.
//!
//! Why it is needed: blst's safe wrappers speak of signatures only; they neither give the point
//! `A` itself, which audit and limits key on, nor multiply an arbitrary point. Invariants that
//! make every call here sound:
//! - pointers come from Rust references to initialised, `repr(C)`, plain-old-data values or from
//!   arrays of exactly the length that the C function reads or writes; none outlives its call;
//! - blst keeps no state and no pointer after a call, so there is no aliasing across calls;
//! - outputs are initialised before the call (`default()`), never assumed after a failure.
//!
//! What blst demands of *values* (not of memory) is kept by the types in the `blst` module beside this one.
#![allow(unsafe_code)]

use ::blst::{
    BLST_ERROR, blst_bendian_from_scalar, blst_encode_to_g1, blst_fp12, blst_hash_to_g1, blst_p1,
    blst_p1_add_or_double, blst_p1_affine, blst_p1_affine_in_g1, blst_p1_cneg, blst_p1_compress,
    blst_p1_deserialize, blst_p1_from_affine, blst_p1_generator, blst_p1_is_inf, blst_p1_mult,
    blst_p1_serialize, blst_p1_to_affine, blst_p1_uncompress, blst_p2, blst_p2_add_or_double,
    blst_p2_affine, blst_p2_affine_in_g2, blst_p2_compress, blst_p2_deserialize,
    blst_p2_from_affine, blst_p2_generator, blst_p2_is_inf, blst_p2_mult, blst_p2_serialize,
    blst_p2_to_affine, blst_p2_uncompress, blst_scalar, blst_scalar_fr_check,
    blst_scalar_from_be_bytes, blst_scalar_from_bendian, blst_sk_add_n_check, blst_sk_mul_n_check,
    blst_sk_sub_n_check,
};

use super::PointFault;

/// Bits of a canonical scalar.
const SCALAR_BITS: usize = 255;

pub(super) fn scalar_from_be(bytes: &[u8; 32]) -> Option<blst_scalar> {
    let mut out = blst_scalar::default();
    // SAFETY: reads 32 bytes, writes one scalar; see the module's invariants.
    let canonical = unsafe {
        blst_scalar_from_bendian(&mut out, bytes.as_ptr());
        blst_scalar_fr_check(&out)
    };
    canonical.then_some(out)
}

pub(super) fn scalar_reduce(bytes: &[u8]) -> blst_scalar {
    let mut out = blst_scalar::default();
    // SAFETY: reads `len` bytes. The result says only whether the scalar is non-zero.
    unsafe { blst_scalar_from_be_bytes(&mut out, bytes.as_ptr(), bytes.len()) };
    out
}

pub(super) fn scalar_to_be(scalar: &blst_scalar, out: &mut [u8; 32]) {
    // SAFETY: writes 32 bytes.
    unsafe { blst_bendian_from_scalar(out.as_mut_ptr(), scalar) }
}

pub(super) fn scalar_add(a: &blst_scalar, b: &blst_scalar) -> blst_scalar {
    let mut out = blst_scalar::default();
    // SAFETY: reads two scalars, writes one. The result says only whether the sum is non-zero.
    unsafe { blst_sk_add_n_check(&mut out, a, b) };
    out
}

pub(super) fn scalar_sub(a: &blst_scalar, b: &blst_scalar) -> blst_scalar {
    let mut out = blst_scalar::default();
    // SAFETY: as `scalar_add`.
    unsafe { blst_sk_sub_n_check(&mut out, a, b) };
    out
}

pub(super) fn scalar_mul(a: &blst_scalar, b: &blst_scalar) -> blst_scalar {
    let mut out = blst_scalar::default();
    // SAFETY: as `scalar_add`.
    unsafe { blst_sk_mul_n_check(&mut out, a, b) };
    out
}

pub(super) fn hash_to_g1(message: &[u8], dst: &[u8]) -> blst_p1 {
    let mut out = blst_p1::default();
    // SAFETY: reads the two slices by their own lengths; the third is absent (length 0).
    unsafe {
        blst_hash_to_g1(
            &mut out,
            message.as_ptr(),
            message.len(),
            dst.as_ptr(),
            dst.len(),
            std::ptr::null(),
            0,
        );
    }
    out
}

pub(super) fn encode_to_g1(message: &[u8], dst: &[u8]) -> blst_p1 {
    let mut out = blst_p1::default();
    // SAFETY: as `hash_to_g1`.
    unsafe {
        blst_encode_to_g1(
            &mut out,
            message.as_ptr(),
            message.len(),
            dst.as_ptr(),
            dst.len(),
            std::ptr::null(),
            0,
        );
    }
    out
}

pub(super) fn g1_generator() -> blst_p1 {
    // SAFETY: the pointer is to a static constant of the C library.
    unsafe { *blst_p1_generator() }
}

pub(super) fn g1_add(a: &blst_p1, b: &blst_p1) -> blst_p1 {
    let mut out = blst_p1::default();
    // SAFETY: reads two points, writes one.
    unsafe { blst_p1_add_or_double(&mut out, a, b) };
    out
}

pub(super) fn g1_neg(a: &blst_p1) -> blst_p1 {
    let mut out = *a;
    // SAFETY: changes one point in place.
    unsafe { blst_p1_cneg(&mut out, true) };
    out
}

/// For points of the subgroup only: blst uses the endomorphism here.
pub(super) fn g1_mul(a: &blst_p1, scalar: &blst_scalar) -> blst_p1 {
    let mut out = blst_p1::default();
    // SAFETY: reads one point and ceil(255 / 8) = 32 bytes of the scalar.
    unsafe { blst_p1_mult(&mut out, a, scalar.b.as_ptr(), SCALAR_BITS) };
    out
}

/// For any point of the curve: below 176 bits blst uses a plain window and no endomorphism.
pub(super) fn g1_mul_128(a: &blst_p1, little_endian: &[u8; 16]) -> blst_p1 {
    let mut out = blst_p1::default();
    // SAFETY: reads one point and 128 / 8 = 16 bytes.
    unsafe { blst_p1_mult(&mut out, a, little_endian.as_ptr(), 128) };
    out
}

pub(super) fn g1_is_identity(a: &blst_p1) -> bool {
    // SAFETY: reads one point.
    unsafe { blst_p1_is_inf(a) }
}

pub(super) fn g1_to_affine(a: &blst_p1) -> blst_p1_affine {
    let mut out = blst_p1_affine::default();
    // SAFETY: reads one point, writes one.
    unsafe { blst_p1_to_affine(&mut out, a) };
    out
}

pub(super) fn g1_compress(a: &blst_p1) -> [u8; 48] {
    let mut out = [0; 48];
    // SAFETY: writes 48 bytes.
    unsafe { blst_p1_compress(out.as_mut_ptr(), a) };
    out
}

pub(super) fn g1_serialize(a: &blst_p1) -> [u8; 96] {
    let mut out = [0; 96];
    // SAFETY: writes 96 bytes.
    unsafe { blst_p1_serialize(out.as_mut_ptr(), a) };
    out
}

/// On the curve, perhaps outside the subgroup.
pub(super) fn g1_uncompress_unchecked(bytes: &[u8; 48]) -> Option<blst_p1> {
    let mut affine = blst_p1_affine::default();
    // SAFETY: reads 48 bytes, writes one point.
    let error = unsafe { blst_p1_uncompress(&mut affine, bytes.as_ptr()) };
    (error == BLST_ERROR::BLST_SUCCESS).then(|| g1_from_affine(&affine))
}

pub(super) fn g1_uncompress(bytes: &[u8; 48]) -> Result<blst_p1, PointFault> {
    let mut affine = blst_p1_affine::default();
    // SAFETY: reads 48 bytes, writes one point.
    let error = unsafe { blst_p1_uncompress(&mut affine, bytes.as_ptr()) };
    g1_checked(error, &affine)
}

pub(super) fn g1_deserialize(bytes: &[u8; 96]) -> Result<blst_p1, PointFault> {
    let mut affine = blst_p1_affine::default();
    // SAFETY: reads at most 96 bytes (it also knows the 48-byte form), writes one point.
    let error = unsafe { blst_p1_deserialize(&mut affine, bytes.as_ptr()) };
    g1_checked(error, &affine)
}

fn g1_checked(error: BLST_ERROR, affine: &blst_p1_affine) -> Result<blst_p1, PointFault> {
    check(error)?;
    // SAFETY: reads one point, which a successful decode has written.
    if !unsafe { blst_p1_affine_in_g1(affine) } {
        return Err(PointFault::NotInSubgroup);
    }
    Ok(g1_from_affine(affine))
}

/// blst itself says of `x = 0`, the points of order 3, that they are outside the subgroup.
fn check(error: BLST_ERROR) -> Result<(), PointFault> {
    match error {
        BLST_ERROR::BLST_SUCCESS => Ok(()),
        BLST_ERROR::BLST_POINT_NOT_IN_GROUP => Err(PointFault::NotInSubgroup),
        _ => Err(PointFault::NotOnCurve),
    }
}

fn g1_from_affine(affine: &blst_p1_affine) -> blst_p1 {
    let mut out = blst_p1::default();
    // SAFETY: reads one point, writes one.
    unsafe { blst_p1_from_affine(&mut out, affine) };
    out
}

pub(super) fn g2_generator() -> blst_p2 {
    // SAFETY: the pointer is to a static constant of the C library.
    unsafe { *blst_p2_generator() }
}

pub(super) fn g2_add(a: &blst_p2, b: &blst_p2) -> blst_p2 {
    let mut out = blst_p2::default();
    // SAFETY: reads two points, writes one.
    unsafe { blst_p2_add_or_double(&mut out, a, b) };
    out
}

/// For points of the subgroup only, as [`g1_mul`].
pub(super) fn g2_mul(a: &blst_p2, scalar: &blst_scalar) -> blst_p2 {
    let mut out = blst_p2::default();
    // SAFETY: reads one point and ceil(255 / 8) = 32 bytes of the scalar.
    unsafe { blst_p2_mult(&mut out, a, scalar.b.as_ptr(), SCALAR_BITS) };
    out
}

pub(super) fn g2_is_identity(a: &blst_p2) -> bool {
    // SAFETY: reads one point.
    unsafe { blst_p2_is_inf(a) }
}

pub(super) fn g2_to_affine(a: &blst_p2) -> blst_p2_affine {
    let mut out = blst_p2_affine::default();
    // SAFETY: reads one point, writes one.
    unsafe { blst_p2_to_affine(&mut out, a) };
    out
}

pub(super) fn g2_compress(a: &blst_p2) -> [u8; 96] {
    let mut out = [0; 96];
    // SAFETY: writes 96 bytes.
    unsafe { blst_p2_compress(out.as_mut_ptr(), a) };
    out
}

pub(super) fn g2_serialize(a: &blst_p2) -> [u8; 192] {
    let mut out = [0; 192];
    // SAFETY: writes 192 bytes.
    unsafe { blst_p2_serialize(out.as_mut_ptr(), a) };
    out
}

pub(super) fn g2_uncompress(bytes: &[u8; 96]) -> Result<blst_p2, PointFault> {
    let mut affine = blst_p2_affine::default();
    // SAFETY: reads 96 bytes, writes one point.
    let error = unsafe { blst_p2_uncompress(&mut affine, bytes.as_ptr()) };
    g2_checked(error, &affine)
}

pub(super) fn g2_deserialize(bytes: &[u8; 192]) -> Result<blst_p2, PointFault> {
    let mut affine = blst_p2_affine::default();
    // SAFETY: reads at most 192 bytes (it also knows the 96-byte form), writes one point.
    let error = unsafe { blst_p2_deserialize(&mut affine, bytes.as_ptr()) };
    g2_checked(error, &affine)
}

fn g2_checked(error: BLST_ERROR, affine: &blst_p2_affine) -> Result<blst_p2, PointFault> {
    check(error)?;
    // SAFETY: reads one point, which a successful decode has written.
    if !unsafe { blst_p2_affine_in_g2(affine) } {
        return Err(PointFault::NotInSubgroup);
    }
    let mut out = blst_p2::default();
    // SAFETY: reads one point, writes one.
    unsafe { blst_p2_from_affine(&mut out, affine) };
    Ok(out)
}

/// Whether `e(p1, q1) = e(p2, q2)`. No point is infinity.
pub(super) fn pairings_equal(
    (p1, q1): (&blst_p1, &blst_p2),
    (p2, q2): (&blst_p1, &blst_p2),
) -> bool {
    blst_fp12::finalverify(
        &blst_fp12::miller_loop(&g2_to_affine(q1), &g1_to_affine(p1)),
        &blst_fp12::miller_loop(&g2_to_affine(q2), &g1_to_affine(p2)),
    )
}
