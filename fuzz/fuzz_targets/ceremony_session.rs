//! The signed session document that a holder's tool is sent: parsing survives anything, the hash
//! stays, and only the document that the node key signed has its signature.
#![no_main]

use std::sync::LazyLock;

use ceremony::session::SignedSession;
use libfuzzer_sys::fuzz_target;
use quorum::ManifestChain;

static CHAIN: LazyLock<ManifestChain> = LazyLock::new(|| {
    ManifestChain::from_json(include_bytes!("../seeds/quorum_manifest/chain-two"))
        .expect("the seed is a chain")
});

static SEED: LazyLock<SignedSession> = LazyLock::new(|| {
    SignedSession::parse(include_bytes!("../seeds/ceremony_session/session"))
        .expect("the seed is a session")
});

fuzz_target!(|bytes: &[u8]| match SignedSession::parse(bytes) {
    Ok(session) => {
        let json = serde_json::to_vec(&session).expect("what was parsed can be written");
        let again = SignedSession::parse(&json).expect("what was written can be parsed");
        assert_eq!(again, session);
        assert_eq!(again.session.hash(), session.session.hash());
        let node = &CHAIN.current().node_keys[0];
        let bytes = session.session.signed_bytes();
        if node.verify(&bytes, session.signature.as_bytes()).is_ok() {
            assert_eq!(session.session, SEED.session);
        }
    }
    Err(error) => dta_fuzz::say(&error),
});
