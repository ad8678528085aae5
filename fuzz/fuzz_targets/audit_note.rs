//! Verifier keys and checkpoints: never a panic, and a key that is read is written back alike.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static KEY: LazyLock<audit::VerifierKey> = LazyLock::new(|| {
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
        .parse()
        .expect("the key of the Go implementation's example")
});

fuzz_target!(|text: &str| {
    if let Ok(key) = audit::VerifierKey::from_file(text) {
        assert_eq!(audit::VerifierKey::from_file(&key.to_file()), Ok(key));
    }
    let _ = audit::Checkpoint::open(text, &KEY);
});
