//! The two backends agree on every operation, for random inputs.
//!
//! 50 cases each; 1,000 with `DTA_TEST_LONG=1`. A failure prints its inputs and is kept as a
//! regression.
#![allow(clippy::unwrap_used)]

mod common;

use common::cases;
use mpin::device::{DatedPermit, Device, Ephemeral, Factors};
use mpin::server::{Login, PermitPolicy, Verifier};
use mpin::{
    Blst, Challenge, Claim, ClientShare, Commitment, Curve, Day, Encoding, Identity, IdentityPoint,
    KnowledgeProof, LoginPoint, MasterSecret, PermitPoint, Pin, ServerShare, ShareProof, Statement,
    Suite, TimePermit, Token, Zkcrypto,
};
use proptest::array::uniform32;
use proptest::prelude::*;

/// Uniform bytes for a 512-bit integer.
fn wide() -> impl Strategy<Value = [u8; 64]> {
    (uniform32(any::<u8>()), uniform32(any::<u8>())).prop_map(|(high, low)| {
        let mut out = [0; 64];
        out[..32].copy_from_slice(&high);
        out[32..].copy_from_slice(&low);
        out
    })
}

fn suite() -> impl Strategy<Value = Suite> {
    proptest::sample::select(Suite::ALL.to_vec())
}

/// A master secret, as canonical bytes.
fn master() -> impl Strategy<Value = [u8; 32]> {
    wide().prop_map(|bytes| *Blst::scalar_to_be_bytes(&Blst::scalar_reduce(&bytes)))
}

/// Every result of scalar arithmetic as bytes.
fn scalars<C: Curve>(a: &[u8; 64], b: &[u8; 64]) -> Vec<[u8; 32]> {
    let (a, b) = (C::scalar_reduce(a), C::scalar_reduce(b));
    let zero = C::scalar_from_be_bytes(&[0; 32]).unwrap();
    [
        C::scalar_add(&a, &b),
        C::scalar_sub(&a, &b),
        C::scalar_sub(&zero, &a),
        C::scalar_mul(&a, &b),
        C::scalar_mul(&a, &zero),
        C::scalar_add(&a, &C::scalar_sub(&zero, &a)),
        a,
    ]
    .iter()
    .map(|scalar| *C::scalar_to_be_bytes(scalar))
    .collect()
}

/// Every result of group arithmetic as bytes.
fn groups<C: Curve>(message: &[u8], dst: &[u8], scalar: &[u8; 64]) -> Vec<Vec<u8>> {
    let s = C::scalar_reduce(scalar);
    let (ro, nu) = (C::hash_to_g1(message, dst), C::encode_to_g1(message, dst));
    let sum = C::g1_add(&ro, &nu);
    let doubled = C::g1_add(&ro, &ro);
    let product = C::g1_mul(&ro, &s);
    let q = C::g2_generator();
    let sq = C::g2_mul(&q, &s);
    assert!(C::g1_is_identity(&C::g1_add(&ro, &C::g1_neg(&ro))));
    assert!(C::pairings_cancel((&C::g1_neg(&product), &q), (&ro, &sq)));
    assert!(!C::pairings_cancel((&product, &q), (&ro, &sq)));
    let mut out: Vec<Vec<u8>> = [ro, nu, sum, doubled, product, C::g1_neg(&ro)]
        .iter()
        .flat_map(|p| {
            [
                C::g1_to_compressed(p).to_vec(),
                C::g1_to_uncompressed(p).to_vec(),
            ]
        })
        .collect();
    for p in [q, sq, C::g2_add(&q, &sq), C::g2_add(&sq, &sq)] {
        out.push(C::g2_to_compressed(&p).to_vec());
        out.push(C::g2_to_uncompressed(&p).to_vec());
    }
    out
}

/// Every value that a D-TA issues or publishes, as bytes.
fn issued<C: Curve>(
    secret: &[u8; 32],
    suite: Suite,
    identity: &Identity,
    day: Day,
) -> Vec<Vec<u8>> {
    let master = MasterSecret::<C>::from_be_bytes(secret).unwrap();
    let point = IdentityPoint::hash(suite, identity);
    let permit_point = PermitPoint::hash(suite, day, identity);
    let mut out = vec![
        master.to_be_bytes().to_vec(),
        master.commitment().to_compressed().to_vec(),
        point.to_compressed().to_vec(),
        permit_point.to_compressed().to_vec(),
    ];
    for encoding in Encoding::ALL {
        out.push(master.client_share(&point).encode(encoding).to_vec());
        out.push(master.time_permit(&permit_point).encode(encoding).to_vec());
        out.push(master.server_share().encode(encoding).to_vec());
    }
    out
}

/// Both proofs, as bytes.
fn proofs<C: Curve>(secret: &[u8; 32], identity: &Identity, fresh: &[u8; 32]) -> [[u8; 64]; 2] {
    let master = MasterSecret::<C>::from_be_bytes(secret).unwrap();
    let point = IdentityPoint::hash(Suite::Ro, identity);
    let share = master.client_share(&point);
    let statements = [Statement::client_share(&point, &share)];
    let proof = master.prove_with(&statements, b"context", fresh).unwrap();
    [
        master.prove_knowledge_with(b"context", fresh).to_bytes(),
        proof.to_bytes(),
    ]
}

/// Moves a commitment from one backend to the other.
fn crossed<A: Curve, B: Curve>(commitment: Commitment<A>) -> Commitment<B> {
    Commitment::from_compressed(&commitment.to_compressed()).unwrap()
}

/// One login with the device on backend `D` and the server on backend `S`.
fn login_across<D: Curve, S: Curve>(
    secrets: &[[u8; 32]; 2],
    suite: Suite,
    pin: u32,
    scalars: (&[u8; 32], &[u8; 32]),
) -> ([u8; 48], [u8; 48], Login) {
    let (identity, day) = (Identity::of_mpin_id(&secrets[0]), Day::new(pin));
    let issuers = secrets
        .each_ref()
        .map(|s| MasterSecret::<D>::from_be_bytes(s).unwrap());
    let point = IdentityPoint::hash(suite, &identity);
    let permit_point = PermitPoint::hash(suite, day, &identity);
    let share = ClientShare::combine(&issuers.each_ref().map(|m| m.client_share(&point))).unwrap();
    let permits = issuers.each_ref().map(|m| m.time_permit(&permit_point));
    let permit = TimePermit::combine(&permits).unwrap();
    let pin = Pin::new(pin).unwrap();
    let token = Token::extract(share, &point, &pin).unwrap();
    let factors = Factors {
        suite,
        identity: &identity,
        token: &token,
        pin: &pin,
    };
    let device = Device::with_permit(
        &factors,
        &DatedPermit {
            day,
            permit: &permit,
        },
    )
    .unwrap();

    let shares = secrets
        .each_ref()
        .map(|s| MasterSecret::<S>::from_be_bytes(s).unwrap().server_share());
    let verifier = Verifier::new(
        ServerShare::combine(&shares).unwrap(),
        PermitPolicy::Required,
    );
    let login = device.begin_with(Ephemeral::from_be_bytes(scalars.0).unwrap());
    let u = login.u().to_compressed();
    let claim = Claim::<S>::with_permit(suite, &identity, day);
    let y = Challenge::<S>::from_be_bytes(scalars.1).unwrap();
    let pending = verifier
        .open_with(&claim, day, LoginPoint::from_compressed(&u).unwrap(), y)
        .unwrap();
    let y = Challenge::<D>::from_be_bytes(&pending.challenge().to_be_bytes()).unwrap();
    let v = login.respond(&y).unwrap().to_compressed();
    let outcome = verifier.finish(pending, &LoginPoint::from_compressed(&v).unwrap());
    (u, v, outcome)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn scalar_arithmetic_agrees(a in wide(), b in wide()) {
        prop_assert_eq!(scalars::<Blst>(&a, &b), scalars::<Zkcrypto>(&a, &b));
    }

    #[test]
    fn reading_a_scalar_agrees(bytes in uniform32(any::<u8>())) {
        let blst = Blst::scalar_from_be_bytes(&bytes).map(|s| Blst::scalar_to_be_bytes(&s));
        let zkcrypto =
            Zkcrypto::scalar_from_be_bytes(&bytes).map(|s| Zkcrypto::scalar_to_be_bytes(&s));
        prop_assert_eq!(blst, zkcrypto);
    }

    #[test]
    fn hashing_to_a_scalar_agrees(
        message in proptest::collection::vec(any::<u8>(), 0..300),
        dst in proptest::collection::vec(any::<u8>(), 1..100),
    ) {
        let blst = Blst::scalar_to_be_bytes(&Blst::hash_to_scalar(&message, &dst));
        let zkcrypto = Zkcrypto::scalar_to_be_bytes(&Zkcrypto::hash_to_scalar(&message, &dst));
        prop_assert_eq!(blst, zkcrypto);
    }

    #[test]
    fn group_arithmetic_and_hashing_agree(
        message in proptest::collection::vec(any::<u8>(), 0..300),
        dst in proptest::collection::vec(any::<u8>(), 1..100),
        scalar in wide(),
    ) {
        prop_assert_eq!(
            groups::<Blst>(&message, &dst, &scalar),
            groups::<Zkcrypto>(&message, &dst, &scalar)
        );
    }

    #[test]
    fn everything_issued_agrees(
        secret in master(), suite in suite(), identity in uniform32(any::<u8>()), day in any::<u32>(),
    ) {
        let (identity, day) = (Identity::from_bytes(identity), Day::new(day));
        prop_assert_eq!(
            issued::<Blst>(&secret, suite, &identity, day),
            issued::<Zkcrypto>(&secret, suite, &identity, day)
        );
    }

    #[test]
    fn proofs_agree_and_each_backend_believes_the_other(
        secret in master(), identity in uniform32(any::<u8>()), fresh in uniform32(any::<u8>()),
    ) {
        let identity = Identity::from_bytes(identity);
        let [knowledge, proof] = proofs::<Blst>(&secret, &identity, &fresh);
        prop_assert_eq!([knowledge, proof], proofs::<Zkcrypto>(&secret, &identity, &fresh));

        let master = MasterSecret::<Blst>::from_be_bytes(&secret).unwrap();
        let commitment: Commitment<Zkcrypto> = crossed(master.commitment());
        let knowledge = KnowledgeProof::<Zkcrypto>::from_bytes(&knowledge).unwrap();
        prop_assert!(knowledge.verify(&commitment, b"context").is_ok());
        let share = master.client_share(&IdentityPoint::hash(Suite::Ro, &identity));
        let share = ClientShare::<Zkcrypto>::from_compressed(&share.to_compressed()[..]).unwrap();
        let point = IdentityPoint::<Zkcrypto>::hash(Suite::Ro, &identity);
        let statements = [Statement::client_share(&point, &share)];
        let proof = ShareProof::<Zkcrypto>::from_bytes(&proof).unwrap();
        prop_assert!(proof.verify(&commitment, &statements, b"context").is_ok());
    }

    #[test]
    fn a_device_on_one_backend_logs_in_to_a_server_on_the_other(
        secrets in [master(), master()], suite in suite(), pin in 0..=Pin::MAX, x in master(), y in master(),
    ) {
        let forth = login_across::<Blst, Zkcrypto>(&secrets, suite, pin, (&x, &y));
        let back = login_across::<Zkcrypto, Blst>(&secrets, suite, pin, (&x, &y));
        prop_assert_eq!(forth, back);
        prop_assert_eq!(forth.2, Login::Accepted);
    }
}
