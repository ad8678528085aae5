//! Wire forms of points, and everything that is refused as one, on both backends.
#![allow(clippy::unwrap_used)]

mod common;

use common::{FIELD, cases, plus_small_order, secret, unhex};
use mpin::{
    Blst, ClientShare, Commitment, Curve, DecodeError, Encoding, Identity, IdentityPoint,
    LoginPoint, ServerShare, Suite, TimePermit, Token, Zkcrypto,
};
use proptest::prelude::*;

on_both_backends!(
    every_encoding_reads_back,
    the_byte_orders_are_those_of_the_documents,
    another_length_is_refused_with_both_lengths,
    a_wrong_first_byte_is_refused,
    infinity_is_refused_in_every_form,
    a_coordinate_at_or_above_the_modulus_is_refused,
    a_point_off_the_curve_is_refused,
    a_point_plus_a_small_order_point_is_refused,
    a_twist_point_outside_the_subgroup_is_refused,
);

fn share<C: Curve>() -> ClientShare<C> {
    let identity = Identity::of_mpin_id(b"alice");
    secret::<C>(1).client_share(&IdentityPoint::hash(Suite::Ro, &identity))
}

fn refused<C: Curve>(encoding: Encoding, bytes: &[u8]) -> DecodeError {
    ClientShare::<C>::decode(encoding, bytes).unwrap_err()
}

fn refused_g2<C: Curve>(encoding: Encoding, bytes: &[u8]) -> DecodeError {
    ServerShare::<C>::decode(encoding, bytes).unwrap_err()
}

fn every_encoding_reads_back<C: Curve>() {
    let (client, server) = (share::<C>(), secret::<C>(1).server_share());
    for encoding in Encoding::ALL {
        assert_eq!(encoding.to_string().parse::<Encoding>().unwrap(), encoding);
        let bytes = client.encode(encoding);
        assert_eq!(bytes.len(), encoding.g1_len());
        let again = ClientShare::<C>::decode(encoding, &bytes).unwrap();
        assert_eq!(*again.to_compressed(), *client.to_compressed());
        let bytes = server.encode(encoding);
        assert_eq!(bytes.len(), encoding.g2_len());
        let again = ServerShare::<C>::decode(encoding, &bytes).unwrap();
        assert_eq!(*again.to_compressed(), *server.to_compressed());
    }
    let error = "Milagro".parse::<Encoding>().unwrap_err();
    assert!(
        error
            .to_string()
            .contains("expected compressed, uncompressed, milagro or miracl")
    );
}

fn the_byte_orders_are_those_of_the_documents<C: Curve>() {
    let client = share::<C>();
    let plain = client.encode(Encoding::Uncompressed);
    assert_eq!(client.encode(Encoding::Milagro)[0], 4);
    assert_eq!(client.encode(Encoding::Milagro)[1..], plain[..]);
    assert_eq!(
        client.encode(Encoding::Miracl),
        client.encode(Encoding::Milagro)
    );
    assert_eq!(client.to_compressed()[1..], plain[1..48]);

    let server = secret::<C>(1).server_share();
    let plain = server.encode(Encoding::Uncompressed);
    let (milagro, miracl) = (
        server.encode(Encoding::Milagro),
        server.encode(Encoding::Miracl),
    );
    assert_eq!(milagro[..48], plain[48..96]);
    assert_eq!(milagro[48..96], plain[..48]);
    assert_eq!(milagro[96..144], plain[144..]);
    assert_eq!(milagro[144..], plain[96..144]);
    assert_eq!((miracl[0], &miracl[1..]), (4, &plain[..]));
    assert_eq!(server.to_compressed()[1..], plain[1..96]);
}

fn another_length_is_refused_with_both_lengths<C: Curve>() {
    for encoding in Encoding::ALL {
        let bytes = share::<C>().encode(encoding);
        let longer = [&bytes[..], &[0]].concat();
        for wrong in [&bytes[1..], &[], &longer] {
            let error = refused::<C>(encoding, wrong);
            assert_eq!(
                error.to_string(),
                format!(
                    "a point in this encoding has {} bytes, found {}",
                    encoding.g1_len(),
                    wrong.len()
                )
            );
        }
        let bytes = secret::<C>(1).server_share().encode(encoding);
        assert!(matches!(
            refused_g2::<C>(encoding, &bytes[1..]),
            DecodeError::Length { .. }
        ));
    }
    for error in [
        TimePermit::<C>::from_compressed(&[0; 47]).unwrap_err(),
        Commitment::<C>::from_compressed(&[0; 47]).unwrap_err(),
        Token::<C>::from_compressed(&[0; 47]).unwrap_err(),
        LoginPoint::<C>::from_compressed(&[0; 47]).unwrap_err(),
    ] {
        assert_eq!(
            error,
            DecodeError::Length {
                expected: 48,
                found: 47
            }
        );
    }
}

fn a_wrong_first_byte_is_refused<C: Curve>() {
    for encoding in Encoding::ALL {
        let bytes = share::<C>().encode(encoding);
        let g2_bytes = secret::<C>(1).server_share().encode(encoding);
        for flip in [0x80, 0x40] {
            let mut wrong = bytes.to_vec();
            wrong[0] ^= flip;
            assert_eq!(
                refused::<C>(encoding, &wrong),
                DecodeError::Form,
                "{encoding} {flip:x}"
            );
            let mut wrong = g2_bytes.to_vec();
            // In Milagro's G2 the first byte in Zcash order is that of c1.
            let first = if encoding == Encoding::Milagro { 48 } else { 0 };
            wrong[first] ^= flip;
            assert_eq!(
                refused_g2::<C>(encoding, &wrong),
                DecodeError::Form,
                "{encoding} {flip:x}"
            );
        }
    }
    // The 97-byte forms: flags inside the coordinate, where a backend would look for them.
    for flag in [0x80, 0x40, 0x20] {
        let mut wrong = share::<C>().encode(Encoding::Milagro).to_vec();
        wrong[1] |= flag;
        assert_eq!(refused::<C>(Encoding::Milagro, &wrong), DecodeError::Form);
    }
    // The sign flag of a compressed point chooses the other root: a valid point, not this one.
    let mut other = *share::<C>().to_compressed();
    other[0] ^= 0x20;
    let other = ClientShare::<C>::from_compressed(&other).unwrap();
    assert_eq!(
        ClientShare::combine(&[share::<C>(), other]).unwrap_err(),
        mpin::CombineError::ZeroSum
    );
}

fn infinity_is_refused_in_every_form<C: Curve>() {
    let zeros = |first: u8, len: usize| [&[first][..], &vec![0; len - 1]].concat();
    let g1 = [
        (Encoding::Compressed, zeros(0xc0, 48)),
        (Encoding::Uncompressed, zeros(0x40, 96)),
    ];
    for (encoding, bytes) in g1 {
        assert_eq!(refused::<C>(encoding, &bytes), DecodeError::Infinity);
        assert_eq!(
            refused::<C>(encoding, &bytes).to_string(),
            "the point is infinity"
        );
    }
    let g2 = [
        (Encoding::Compressed, zeros(0xc0, 96)),
        (Encoding::Uncompressed, zeros(0x40, 192)),
    ];
    for (encoding, bytes) in g2 {
        assert_eq!(refused_g2::<C>(encoding, &bytes), DecodeError::Infinity);
    }
    // All-zero coordinates, and MIRACL's own (0, 1), are on no curve of ours.
    let mut zero_one = zeros(4, 97);
    assert_eq!(
        refused::<C>(Encoding::Milagro, &zero_one),
        DecodeError::NotOnCurve
    );
    zero_one[96] = 1;
    assert_eq!(
        refused::<C>(Encoding::Miracl, &zero_one),
        DecodeError::NotOnCurve
    );
    assert_eq!(
        refused_g2::<C>(Encoding::Milagro, &[0; 192]),
        DecodeError::NotOnCurve
    );
    // A half-written infinity is no infinity.
    let mut stray = zeros(0xc0, 48);
    stray[47] = 1;
    assert_eq!(
        refused::<C>(Encoding::Compressed, &stray),
        DecodeError::Form
    );
    assert_eq!(
        refused::<C>(Encoding::Compressed, &zeros(0xe0, 48)),
        DecodeError::Form
    );
}

fn a_coordinate_at_or_above_the_modulus_is_refused<C: Curve>() {
    let field = unhex(FIELD);
    let mut above = field.clone();
    above[47] += 1;
    for coordinate in [&field, &above] {
        let mut compressed = coordinate.clone();
        compressed[0] |= 0x80;
        assert_eq!(
            refused::<C>(Encoding::Compressed, &compressed),
            DecodeError::Coordinate
        );
        let good = share::<C>().encode(Encoding::Milagro);
        for at in [1, 49] {
            let mut bytes = good.to_vec();
            bytes[at..at + 48].copy_from_slice(coordinate);
            let error = refused::<C>(Encoding::Milagro, &bytes);
            assert_eq!(
                error.to_string(),
                "a coordinate of the point is not below the field's modulus"
            );
        }
        let good = secret::<C>(1).server_share().encode(Encoding::Uncompressed);
        for at in [0, 48, 96, 144] {
            let mut bytes = good.to_vec();
            bytes[at..at + 48].copy_from_slice(coordinate);
            let error = refused_g2::<C>(Encoding::Uncompressed, &bytes);
            assert_eq!(error, DecodeError::Coordinate);
        }
    }
}

fn a_point_off_the_curve_is_refused<C: Curve>() {
    for encoding in [Encoding::Uncompressed, Encoding::Milagro, Encoding::Miracl] {
        let mut bytes = share::<C>().encode(encoding).to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        assert_eq!(refused::<C>(encoding, &bytes), DecodeError::NotOnCurve);
        let mut bytes = secret::<C>(1).server_share().encode(encoding).to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        assert_eq!(
            refused_g2::<C>(encoding, &bytes).to_string(),
            "the point is not on the curve"
        );
    }
    // x = 1: no y fits.
    let mut compressed = [0; 48];
    (compressed[0], compressed[47]) = (0x80, 1);
    assert_eq!(
        refused::<C>(Encoding::Compressed, &compressed),
        DecodeError::NotOnCurve
    );
}

fn a_point_plus_a_small_order_point_is_refused<C: Curve>() {
    let moved = plus_small_order(&share::<C>().to_compressed());
    let error = refused::<C>(Encoding::Compressed, &moved);
    assert_eq!(error, DecodeError::NotInSubgroup);
    assert_eq!(
        error.to_string(),
        "the point is not in the subgroup of prime order"
    );
    assert!(matches!(
        LoginPoint::<C>::from_compressed(&moved),
        Err(DecodeError::NotInSubgroup)
    ));
    let mut small = common::point_of_order_three().to_uncompressed().to_vec();
    assert_eq!(
        refused::<C>(Encoding::Uncompressed, &small),
        DecodeError::NotInSubgroup
    );
    small.insert(0, 4);
    assert_eq!(
        refused::<C>(Encoding::Milagro, &small),
        DecodeError::NotInSubgroup
    );
}

fn a_twist_point_outside_the_subgroup_is_refused<C: Curve>() {
    let outside = (0..=u8::MAX)
        .find_map(|x| {
            let mut bytes = [0; 96];
            (bytes[0], bytes[95]) = (0x80, x);
            let point: Option<bls12_381::G2Affine> =
                bls12_381::G2Affine::from_compressed_unchecked(&bytes).into();
            point.filter(|point| !bool::from(point.is_torsion_free()))
        })
        .unwrap();
    let compressed = outside.to_compressed();
    assert_eq!(
        refused_g2::<C>(Encoding::Compressed, &compressed),
        DecodeError::NotInSubgroup
    );
    let plain = outside.to_uncompressed();
    assert_eq!(
        refused_g2::<C>(Encoding::Uncompressed, &plain),
        DecodeError::NotInSubgroup
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn both_backends_say_the_same_of_any_48_bytes(bytes in proptest::array::uniform32(any::<u8>()), first in any::<u8>()) {
        // x below 2^256 is below p, so that curve and subgroup are reached.
        let mut g1 = [0; 48];
        g1[16..].copy_from_slice(&bytes);
        g1[0] = first;
        let blst = ClientShare::<Blst>::from_compressed(&g1).map(|share| share.to_compressed());
        let zkcrypto = ClientShare::<Zkcrypto>::from_compressed(&g1).map(|share| share.to_compressed());
        prop_assert_eq!(blst, zkcrypto);
    }

    #[test]
    fn both_backends_say_the_same_of_a_share_with_one_byte_changed(
        number in 1_u64.., at in 0_usize..193, flip in 1_u8.., which in 0_usize..4,
    ) {
        let encoding = Encoding::ALL[which];
        let mut bytes = secret::<Blst>(number).server_share().encode(encoding).to_vec();
        let at = at % bytes.len();
        bytes[at] ^= flip;
        let blst = ServerShare::<Blst>::decode(encoding, &bytes).map(|share| share.to_compressed());
        let zkcrypto =
            ServerShare::<Zkcrypto>::decode(encoding, &bytes).map(|share| share.to_compressed());
        prop_assert_eq!(blst, zkcrypto);
    }
}
