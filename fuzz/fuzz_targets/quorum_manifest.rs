//! JSON of manifests: parsing never panics, canonical JSON is a fixed point, and a chain that verifies
//! still does so after it is written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quorum::{ManifestChain, SignedManifest};

fuzz_target!(|bytes: &[u8]| {
    match ManifestChain::from_json(bytes) {
        Ok(chain) => assert_eq!(ManifestChain::from_json(&chain.to_json()), Ok(chain)),
        Err(error) => dta_fuzz::say(&error),
    }
    match SignedManifest::from_json(bytes) {
        Ok(signed) => {
            let json = signed.to_json();
            let again = SignedManifest::from_json(&json).expect("canonical JSON parses");
            assert_eq!(again, signed);
            assert_eq!(again.to_json(), json);
            assert_eq!(again.manifest.hash(), signed.manifest.hash());
        }
        Err(error) => dta_fuzz::say(&error),
    }
});
