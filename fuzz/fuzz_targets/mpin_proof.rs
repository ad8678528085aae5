//! Any bytes as a proof: what is read is written back byte for byte, and holds for nothing; both
//! backends say the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mpin::{
    Blst, Identity, IdentityPoint, KnowledgeProof, MasterSecret, ShareProof, Statement, Suite,
    Zkcrypto,
};

fuzz_target!(|input: &[u8]| {
    let blst = KnowledgeProof::<Blst>::from_bytes(input);
    let zkcrypto = KnowledgeProof::<Zkcrypto>::from_bytes(input);
    assert_eq!(blst.is_ok(), zkcrypto.is_ok());
    let (proof, share_proof) = match (blst, ShareProof::<Blst>::from_bytes(input)) {
        (Ok(proof), Ok(share_proof)) => (proof, share_proof),
        (Err(error), Err(_)) => return dta_fuzz::say(&error),
        _ => panic!("both kinds of proofs are the same two scalars"),
    };
    assert_eq!(&proof.to_bytes()[..], input);
    assert_eq!(&share_proof.to_bytes()[..], input);
    let master = MasterSecret::<Blst>::from_be_bytes(&[7; 32]).expect("below the order");
    let commitment = master.commitment();
    assert!(proof.verify(&commitment, b"fuzz").is_err());
    let point = IdentityPoint::hash(Suite::Ro, &Identity::from_bytes([1; 32]));
    let share = master.client_share(&point);
    let statements = [Statement::client_share(&point, &share)];
    assert!(
        share_proof
            .verify(&commitment, &statements, b"fuzz")
            .is_err()
    );
});
