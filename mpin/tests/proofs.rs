//! Knowledge and share proofs, on both backends.
#![allow(clippy::unwrap_used)]

mod common;

use common::{ORDER, secret, unhex};
use mpin::{
    ClientShare, Commitment, Curve, Day, Identity, IdentityPoint, KeyContext, KnowledgeProof,
    MAX_PROOF_STATEMENTS, MasterSecret, PermitPoint, ProofError, ShareProof, Statement, Suite,
    TimePermit,
};

on_both_backends!(
    a_knowledge_proof_holds_for_its_own_commitment_and_context_only,
    a_changed_knowledge_proof_is_refused,
    a_proof_of_another_length_or_with_a_large_scalar_is_refused,
    one_proof_covers_a_chunk_of_shares_and_permits,
    a_share_under_another_key_is_refused,
    a_share_proof_holds_for_its_own_commitment_context_and_order_only,
    shares_whose_errors_cancel_are_refused,
    a_proof_about_nothing_or_too_much_is_refused,
    a_stuck_generator_does_not_repeat_a_nonce,
    a_live_generator_never_repeats_a_proof,
);

const CONTEXT: &[u8] = b"a customer's key";

fn identity(number: usize) -> Identity {
    Identity::of_mpin_id(format!("user {number}").as_bytes())
}

/// Points and shares of `count` users.
fn shares<C: Curve>(
    master: &MasterSecret<C>,
    count: usize,
) -> Vec<(IdentityPoint<C>, ClientShare<C>)> {
    (0..count)
        .map(|number| IdentityPoint::hash(Suite::Ro, &identity(number)))
        .map(|point| (point, master.client_share(&point)))
        .collect()
}

fn statements<C: Curve>(shares: &[(IdentityPoint<C>, ClientShare<C>)]) -> Vec<Statement<'_, C>> {
    shares
        .iter()
        .map(|(point, share)| Statement::client_share(point, share))
        .collect()
}

fn assert_refused(result: Result<(), ProofError>) {
    let error = result.unwrap_err();
    assert!(matches!(error, ProofError::Refused));
    assert_eq!(
        error.to_string(),
        "the proof does not hold for this commitment, context and shares"
    );
    assert!(error.remedy().unwrap().contains("pinned commitment"));
}

fn a_knowledge_proof_holds_for_its_own_commitment_and_context_only<C: Curve>() {
    let master = secret::<C>(1);
    let commitment = master.commitment();
    let context = KeyContext {
        authority: &[1; 32],
        customer: "acme",
        key: "k1",
        suite: Suite::Ro,
    };
    let proof = master.prove_knowledge(&context.to_bytes()).unwrap();
    let proof = KnowledgeProof::<C>::from_bytes(&proof.to_bytes()).unwrap();
    proof.verify(&commitment, &context.to_bytes()).unwrap();
    for other in [
        KeyContext {
            authority: &[2; 32],
            ..context
        },
        KeyContext {
            customer: "acmek",
            key: "1",
            ..context
        },
        KeyContext {
            key: "k2",
            ..context
        },
        KeyContext {
            suite: Suite::Nu,
            ..context
        },
    ] {
        assert_refused(proof.verify(&commitment, &other.to_bytes()));
    }
    assert_refused(proof.verify(&secret::<C>(2).commitment(), &context.to_bytes()));
}

fn a_changed_knowledge_proof_is_refused<C: Curve>() {
    let master = secret::<C>(1);
    let bytes = master.prove_knowledge(CONTEXT).unwrap().to_bytes();
    for at in [1, 31, 33, 63] {
        let mut wrong = bytes;
        wrong[at] ^= 1;
        let proof = KnowledgeProof::<C>::from_bytes(&wrong).unwrap();
        assert_refused(proof.verify(&master.commitment(), CONTEXT));
    }
}

fn a_proof_of_another_length_or_with_a_large_scalar_is_refused<C: Curve>() {
    let error = KnowledgeProof::<C>::from_bytes(&[0; 63]).unwrap_err();
    assert_eq!(error.to_string(), "a proof has 64 bytes, found 63");
    let error = ShareProof::<C>::from_bytes(&[0; 65]).unwrap_err();
    assert_eq!(error.to_string(), "a proof has 64 bytes, found 65");
    for at in [0, 32] {
        let mut bytes = [0; 64];
        bytes[at..at + 32].copy_from_slice(&unhex(ORDER));
        let error = ShareProof::<C>::from_bytes(&bytes).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a scalar of the proof is not below the group order"
        );
    }
}

fn one_proof_covers_a_chunk_of_shares_and_permits<C: Curve>() {
    let master = secret::<C>(1);
    let shares = shares(&master, 5);
    let permits: Vec<(PermitPoint<C>, TimePermit<C>)> = (0..5)
        .map(|number| PermitPoint::hash(Suite::Ro, Day::new(20_000), &identity(number)))
        .map(|point| (point, master.time_permit(&point)))
        .collect();
    let mut all = statements(&shares);
    all.extend(
        permits
            .iter()
            .map(|(point, permit)| Statement::time_permit(point, permit)),
    );
    let proof = master.prove(&all, CONTEXT).unwrap();
    let proof = ShareProof::<C>::from_bytes(&proof.to_bytes()).unwrap();
    proof.verify(&master.commitment(), &all, CONTEXT).unwrap();
    assert_eq!(format!("{proof:?}"), "ShareProof(..)");
}

fn a_share_under_another_key_is_refused<C: Curve>() {
    let (master, stale) = (secret::<C>(1), secret::<C>(2));
    let mut shares = shares(&master, 3);
    shares[1].1 = stale.client_share(&shares[1].0);
    let proof = master.prove(&statements(&shares), CONTEXT).unwrap();
    assert_refused(proof.verify(&master.commitment(), &statements(&shares), CONTEXT));
    let proof = stale.prove(&statements(&shares), CONTEXT).unwrap();
    assert_refused(proof.verify(&master.commitment(), &statements(&shares), CONTEXT));
}

fn a_share_proof_holds_for_its_own_commitment_context_and_order_only<C: Curve>() {
    let master = secret::<C>(1);
    let commitment = master.commitment();
    let shares = shares(&master, 3);
    let proof = master.prove(&statements(&shares), CONTEXT).unwrap();
    proof
        .verify(&commitment, &statements(&shares), CONTEXT)
        .unwrap();
    assert_refused(proof.verify(&commitment, &statements(&shares), b"another key"));
    assert_refused(proof.verify(&commitment, &statements(&shares[..2]), CONTEXT));
    let other: Commitment<C> = secret::<C>(2).commitment();
    assert_refused(proof.verify(&other, &statements(&shares), CONTEXT));
    let mut swapped = statements(&shares);
    swapped.swap(0, 1);
    assert_refused(proof.verify(&commitment, &swapped, CONTEXT));
    // The share of one user is not that of another.
    let crossed = [Statement::client_share(&shares[0].0, &shares[1].1)];
    assert_refused(proof.verify(&commitment, &crossed, CONTEXT));
}

fn shares_whose_errors_cancel_are_refused<C: Curve>() {
    // D_1 + E and D_2 - E: the sum of all shares is right, each of the two is not.
    let master = secret::<C>(1);
    let mut shares = shares(&master, 2);
    let error = C::hash_to_g1(b"error", b"test");
    let moved = |share: &ClientShare<C>, by: &C::G1| {
        let point = C::g1_from_compressed(&share.to_compressed()).ok().unwrap();
        let bytes = C::g1_to_compressed(&C::g1_add(&point, by));
        ClientShare::<C>::from_compressed(&bytes).unwrap()
    };
    shares[0].1 = moved(&shares[0].1, &error);
    shares[1].1 = moved(&shares[1].1, &C::g1_neg(&error));
    let proof = master.prove(&statements(&shares), CONTEXT).unwrap();
    assert_refused(proof.verify(&master.commitment(), &statements(&shares), CONTEXT));
}

fn a_proof_about_nothing_or_too_much_is_refused<C: Curve>() {
    let master = secret::<C>(1);
    let error = master.prove(&[], CONTEXT).unwrap_err();
    assert_eq!(error.to_string(), "there is no share to prove");
    let (point, share) = shares(&master, 1).remove(0);
    let many: Vec<_> = (0..=MAX_PROOF_STATEMENTS)
        .map(|_| Statement::client_share(&point, &share))
        .collect();
    let error = master.prove(&many, CONTEXT).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a proof covers at most 256 shares, found 257"
    );
    let proof = master.prove(&many[..1], CONTEXT).unwrap();
    let error = proof
        .verify(&master.commitment(), &many, CONTEXT)
        .unwrap_err();
    assert!(matches!(error, ProofError::TooMany { found: 257 }));
}

/// `k = z + c * s`.
fn nonce<C: Curve>(master: &MasterSecret<C>, proof: &[u8; 64]) -> [u8; 32] {
    let scalar = |bytes: &[u8]| C::scalar_from_be_bytes(bytes.try_into().unwrap()).unwrap();
    let product = C::scalar_mul(&scalar(&proof[..32]), &scalar(&master.to_be_bytes()[..]));
    *C::scalar_to_be_bytes(&C::scalar_add(&scalar(&proof[32..]), &product))
}

fn a_stuck_generator_does_not_repeat_a_nonce<C: Curve>() {
    let (master, other) = (secret::<C>(1), secret::<C>(2));
    let stuck = [0; 32];
    let shares = shares(&master, 2);
    let both = statements(&shares);
    let nonces = [
        nonce(
            &master,
            &master.prove_knowledge_with(b"one", &stuck).to_bytes(),
        ),
        nonce(
            &master,
            &master.prove_knowledge_with(b"two", &stuck).to_bytes(),
        ),
        nonce(
            &other,
            &other.prove_knowledge_with(b"one", &stuck).to_bytes(),
        ),
        nonce(
            &master,
            &master.prove_with(&both, b"one", &stuck).unwrap().to_bytes(),
        ),
        nonce(
            &master,
            &master.prove_with(&both, b"two", &stuck).unwrap().to_bytes(),
        ),
        nonce(
            &master,
            &master
                .prove_with(&both[..1], b"one", &stuck)
                .unwrap()
                .to_bytes(),
        ),
        nonce(
            &master,
            &master
                .prove_with(&both[1..], b"one", &stuck)
                .unwrap()
                .to_bytes(),
        ),
    ];
    let distinct: std::collections::HashSet<_> = nonces.iter().collect();
    assert_eq!(distinct.len(), nonces.len());
    // The same statement gives the same proof, which says nothing new.
    let again = master.prove_knowledge_with(b"one", &stuck).to_bytes();
    assert_eq!(
        again,
        master.prove_knowledge_with(b"one", &stuck).to_bytes()
    );
}

fn a_live_generator_never_repeats_a_proof<C: Curve>() {
    let master = secret::<C>(1);
    let prove = || master.prove_knowledge(CONTEXT).unwrap().to_bytes();
    assert_ne!(prove(), prove());
}
