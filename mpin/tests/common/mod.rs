//! What the tests of this room share: both backends, vectors, secrets by number.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

pub mod world;

use mpin::{Curve, MasterSecret};

/// Runs generic tests on both backends: `tests::blst::NAME` and `tests::zkcrypto::NAME`.
#[macro_export]
macro_rules! on_both_backends {
    ($($test:ident),* $(,)?) => {
        mod blst {
            $(#[test] fn $test() { super::$test::<mpin::Blst>() })*
        }
        mod zkcrypto {
            $(#[test] fn $test() { super::$test::<mpin::Zkcrypto>() })*
        }
    };
}

/// Order of the groups, big endian.
pub const ORDER: &str = "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001";
/// Characteristic of the base field, big endian.
pub const FIELD: &str = "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab";

/// Cases of a property: 50, or 1,000 with `DTA_TEST_LONG=1`.
pub fn cases() -> u32 {
    if std::env::var_os("DTA_TEST_LONG").is_some() {
        1_000
    } else {
        50
    }
}

/// The records of a file in `tests/vectors`.
pub fn vectors<T: serde::de::DeserializeOwned>(name: &str) -> Vec<T> {
    let path = format!("{}/../tests/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Bytes of a hexadecimal text.
pub fn unhex(hex: &str) -> Vec<u8> {
    hex::decode(hex).unwrap()
}

/// The low 32 of Milagro's 48 bytes of a scalar.
pub fn legacy_scalar(hex: &str) -> [u8; 32] {
    let bytes = unhex(hex);
    assert_eq!(bytes.len(), 48);
    assert!(bytes[..16].iter().all(|byte| *byte == 0));
    bytes[16..].try_into().unwrap()
}

/// A master secret that every run makes alike.
pub fn secret<C: Curve>(number: u64) -> MasterSecret<C> {
    let mut bytes = [0x2a; 32];
    bytes[24..].copy_from_slice(&number.to_be_bytes());
    MasterSecret::from_be_bytes(&bytes).unwrap()
}

/// The point (0, 2), which is on the curve and has order 3.
pub fn point_of_order_three() -> bls12_381::G1Affine {
    let mut bytes = [0; 96];
    bytes[95] = 2;
    let point = bls12_381::G1Affine::from_uncompressed_unchecked(&bytes).unwrap();
    assert!(bool::from(point.is_on_curve()));
    point
}

/// Compressed bytes of a compressed point plus the point of order 3.
pub fn plus_small_order(compressed: &[u8; 48]) -> [u8; 48] {
    let point = bls12_381::G1Affine::from_compressed(compressed).unwrap();
    let sum = bls12_381::G1Projective::from(point) + point_of_order_three();
    bls12_381::G1Affine::from(sum).to_compressed()
}
