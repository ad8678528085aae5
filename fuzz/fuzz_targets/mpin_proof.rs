//! Any bytes as a proof: what is read is written back byte for byte, and holds for nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mpin::{Blst, KnowledgeProof, MasterSecret, Zkcrypto};

fuzz_target!(|input: &[u8]| {
    let blst = KnowledgeProof::<Blst>::from_bytes(input);
    let zkcrypto = KnowledgeProof::<Zkcrypto>::from_bytes(input);
    assert_eq!(blst.is_ok(), zkcrypto.is_ok());
    let Ok(proof) = blst else { return };
    assert_eq!(&proof.to_bytes()[..], input);
    let master = MasterSecret::<Blst>::from_be_bytes(&[7; 32]).expect("below the order");
    assert!(proof.verify(&master.commitment(), b"fuzz").is_err());
});
