//! Master secrets, shares and their sums, on both backends.
#![allow(clippy::unwrap_used)]

mod common;

use common::{ORDER, secret, unhex};
use mpin::{
    ClientShare, CombineError, Commitment, Curve, Day, Identity, IdentityPoint, MasterSecret,
    MasterSecretError, PermitPoint, ServerShare, Suite, TimePermit,
};

on_both_backends!(
    a_master_secret_of_zero_or_at_or_above_the_order_is_refused,
    a_random_master_secret_reads_back_and_differs_from_the_next,
    a_server_share_belongs_to_its_own_commitment_only,
    combined_server_shares_belong_to_the_combined_commitment,
    equal_shares_are_refused_and_named,
    shares_that_sum_to_infinity_are_refused,
    combining_nothing_is_refused,
    one_share_is_its_own_sum,
    combining_does_not_depend_on_the_order,
    a_permit_and_a_client_share_of_the_same_bytes_differ_in_ro_and_nu,
    the_milagro_hole_is_there_in_milagro_and_closed_in_ro_and_nu,
    suites_and_days_give_different_points,
    secrets_do_not_print,
);

fn point<C: Curve>(name: &str) -> IdentityPoint<C> {
    IdentityPoint::hash(Suite::Ro, &Identity::of_mpin_id(name.as_bytes()))
}

fn a_master_secret_of_zero_or_at_or_above_the_order_is_refused<C: Curve>() {
    let order: [u8; 32] = unhex(ORDER).try_into().unwrap();
    let error = |bytes: &[u8; 32]| MasterSecret::<C>::from_be_bytes(bytes).unwrap_err();
    assert_eq!(error(&[0; 32]), MasterSecretError::Zero);
    assert_eq!(error(&[0; 32]).to_string(), "the master secret is zero");
    for bytes in [order, [0xff; 32]] {
        assert_eq!(error(&bytes), MasterSecretError::NotBelowOrder);
        assert_eq!(
            error(&bytes).to_string(),
            "the master secret is not below the group order"
        );
    }
    let mut largest = order;
    largest[31] -= 1;
    let secret = MasterSecret::<C>::from_be_bytes(&largest).unwrap();
    assert_eq!(*secret.to_be_bytes(), largest);
}

fn a_random_master_secret_reads_back_and_differs_from_the_next<C: Curve>() {
    let secret = MasterSecret::<C>::random().unwrap();
    let again = MasterSecret::<C>::from_be_bytes(&secret.to_be_bytes()).unwrap();
    assert_eq!(secret.commitment(), again.commitment());
    assert_ne!(
        secret.commitment(),
        MasterSecret::<C>::random().unwrap().commitment()
    );
}

fn a_server_share_belongs_to_its_own_commitment_only<C: Curve>() {
    let (mine, other) = (secret::<C>(1), secret::<C>(2));
    mine.server_share().verify(&mine.commitment()).unwrap();
    let error = other.server_share().verify(&mine.commitment()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the share does not belong to the pinned commitment"
    );
    assert!(error.remedy().unwrap().contains("rotated"));
}

fn combined_server_shares_belong_to_the_combined_commitment<C: Curve>() {
    let secrets = [secret::<C>(1), secret(2), secret(3)];
    let share = ServerShare::combine(&secrets.each_ref().map(MasterSecret::server_share)).unwrap();
    let all = Commitment::combine(&secrets.each_ref().map(MasterSecret::commitment)).unwrap();
    share.verify(&all).unwrap();
    let two = Commitment::combine(&[secrets[0].commitment(), secrets[1].commitment()]).unwrap();
    assert!(share.verify(&two).is_err());
}

fn equal_shares_are_refused_and_named<C: Curve>() {
    let (a, b, a_again) = (secret::<C>(1), secret::<C>(2), secret::<C>(1));
    let point = point("alice");
    let shares = [&a, &b, &a_again].map(|secret| secret.client_share(&point));
    let error = ClientShare::combine(&shares).unwrap_err();
    assert_eq!(
        error,
        CombineError::Equal {
            first: 1,
            second: 3
        }
    );
    assert_eq!(
        error.to_string(),
        "shares 1 and 3 are equal, expected one from each D-TA"
    );
    assert_eq!(
        error.remedy(),
        Some("check that no D-TA is configured twice")
    );
    let error = Commitment::combine(&[a.commitment(), a_again.commitment()]).unwrap_err();
    assert_eq!(
        error,
        CombineError::Equal {
            first: 1,
            second: 2
        }
    );
}

fn shares_that_sum_to_infinity_are_refused<C: Curve>() {
    let a = secret::<C>(7);
    let zero = C::scalar_from_be_bytes(&[0; 32]).unwrap();
    let scalar = C::scalar_from_be_bytes(&a.to_be_bytes()).unwrap();
    let negated = C::scalar_to_be_bytes(&C::scalar_sub(&zero, &scalar));
    let b = MasterSecret::<C>::from_be_bytes(&negated).unwrap();
    let point = point("alice");
    let clients = [a.client_share(&point), b.client_share(&point)];
    assert_eq!(
        ClientShare::combine(&clients).unwrap_err(),
        CombineError::ZeroSum
    );
    let servers = [a.server_share(), b.server_share()];
    let error = ServerShare::combine(&servers).unwrap_err();
    assert_eq!(error.to_string(), "the shares sum to infinity");
    let commitments = [a.commitment(), b.commitment()];
    assert_eq!(
        Commitment::combine(&commitments).unwrap_err(),
        CombineError::ZeroSum
    );
}

fn combining_nothing_is_refused<C: Curve>() {
    assert_eq!(
        ClientShare::<C>::combine(&[]).unwrap_err(),
        CombineError::Empty
    );
    assert_eq!(
        ServerShare::<C>::combine(&[]).unwrap_err(),
        CombineError::Empty
    );
    let error = TimePermit::<C>::combine(&[]).unwrap_err();
    assert_eq!(error.to_string(), "there is no share to combine");
}

fn one_share_is_its_own_sum<C: Curve>() {
    let shares = [secret::<C>(1).client_share(&point("alice"))];
    let sum = ClientShare::combine(&shares).unwrap();
    assert_eq!(*sum.to_compressed(), *shares[0].to_compressed());
}

fn combining_does_not_depend_on_the_order<C: Curve>() {
    let point = point("alice");
    let share = |number| secret::<C>(number).client_share(&point);
    let forth = ClientShare::combine(&[share(1), share(2), share(3)]).unwrap();
    let back = ClientShare::combine(&[share(3), share(1), share(2)]).unwrap();
    assert_eq!(*forth.to_compressed(), *back.to_compressed());
}

fn a_permit_and_a_client_share_of_the_same_bytes_differ_in_ro_and_nu<C: Curve>() {
    // The tags differ, so even one and the same message gives two points.
    let message = [7; 36];
    let client = C::hash_to_g1(&message, b"DTA-V1-CLIENT_BLS12381G1_XMD:SHA-256_SSWU_RO_");
    let permit = C::hash_to_g1(&message, b"DTA-V1-PERMIT_BLS12381G1_XMD:SHA-256_SSWU_RO_");
    assert!(client != permit);
    let client = C::encode_to_g1(&message, b"BLS12381G1_XMD:SHA-256_SSWU_NU_MPIN");
    let permit = C::encode_to_g1(&message, b"DTA-V1-PERMIT_BLS12381G1_XMD:SHA-256_SSWU_NU_");
    assert!(client != permit);

    let identity = Identity::from_bytes([7; 32]);
    let master = secret::<C>(1);
    for suite in [Suite::Ro, Suite::Nu] {
        let share = master.client_share(&IdentityPoint::hash(suite, &identity));
        let day = Day::new(0x0707_0707);
        let permit = master.time_permit(&PermitPoint::hash(suite, day, &identity));
        assert_ne!(*share.to_compressed(), *permit.to_compressed(), "{suite}");
    }
}

fn the_milagro_hole_is_there_in_milagro_and_closed_in_ro_and_nu<C: Curve>() {
    use sha2::Digest;
    let identity = Identity::of_mpin_id(b"alice");
    let day = Day::new(20_000);
    let crafted = Identity::from_bytes(
        sha2::Sha256::new()
            .chain_update(day.number().to_be_bytes())
            .chain_update([0; 16])
            .chain_update(identity.as_bytes())
            .finalize()
            .into(),
    );
    let same = |suite| {
        IdentityPoint::<C>::hash(suite, &crafted).to_compressed()
            == PermitPoint::<C>::hash(suite, day, &identity).to_compressed()
    };
    assert!(same(Suite::Milagro));
    assert!(!same(Suite::Ro));
    assert!(!same(Suite::Nu));
}

fn suites_and_days_give_different_points<C: Curve>() {
    let identity = Identity::of_mpin_id(b"alice");
    let mut points = std::collections::HashSet::new();
    for suite in Suite::ALL {
        points.insert(IdentityPoint::<C>::hash(suite, &identity).to_compressed());
        for day in 0..10 {
            let point = PermitPoint::<C>::hash(suite, Day::new(day), &identity);
            points.insert(point.to_compressed());
        }
    }
    assert_eq!(points.len(), 33);
}

fn secrets_do_not_print<C: Curve>() {
    let master = secret::<C>(1);
    assert_eq!(format!("{master:?}"), "MasterSecret(..)");
    assert_eq!(
        format!("{:?}", master.client_share(&point("alice"))),
        "ClientShare(..)"
    );
    assert_eq!(format!("{:?}", master.server_share()), "ServerShare(..)");
}
