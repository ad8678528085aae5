//! JSON of manifests: parsing never panics, and canonical JSON is a fixed point.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quorum::{ManifestChain, SignedManifest};

fuzz_target!(|bytes: &[u8]| {
    let _ = ManifestChain::from_json(bytes);
    if let Ok(signed) = SignedManifest::from_json(bytes) {
        let json = signed.to_json();
        let again = SignedManifest::from_json(&json).expect("canonical JSON parses");
        assert_eq!(again.to_json(), json);
        assert_eq!(again.manifest.hash(), signed.manifest.hash());
    }
});
