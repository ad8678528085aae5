//! The envelope that an authority is sent: parsing survives anything and loses nothing, and nobody's
//! signature but the holder's own fits.
#![no_main]

use std::sync::LazyLock;

use ceremony::session::{Envelope, SignedSession};
use libfuzzer_sys::fuzz_target;
use quorum::ManifestChain;

/// The session of the demo that the seeds answer.
static SESSION: LazyLock<SignedSession> = LazyLock::new(|| {
    SignedSession::parse(include_bytes!("../seeds/ceremony_session/session"))
        .expect("the seed is a session")
});

static CHAIN: LazyLock<ManifestChain> = LazyLock::new(|| {
    ManifestChain::from_json(include_bytes!("../seeds/quorum_manifest/chain-two"))
        .expect("the seed is a chain")
});

static SEED: LazyLock<Envelope> = LazyLock::new(|| {
    Envelope::parse(include_bytes!("../seeds/ceremony_envelope/envelope"))
        .expect("the seed is an envelope")
});

fuzz_target!(|bytes: &[u8]| match Envelope::parse(bytes) {
    Ok(envelope) => {
        let json = serde_json::to_vec(&envelope).expect("what was parsed can be written");
        assert_eq!(Envelope::parse(&json).ok().as_ref(), Some(&envelope));
        let hash = SESSION.session.hash();
        for holder in CHAIN.current().unlock.roster() {
            if envelope.is_signed_by(&holder.sign_key, &hash) {
                assert_eq!(envelope.index, holder.index);
                assert_eq!(envelope.index, SEED.index);
                assert_eq!(envelope.ciphertext, SEED.ciphertext);
            }
        }
    }
    Err(error) => dta_fuzz::say(&error),
});
