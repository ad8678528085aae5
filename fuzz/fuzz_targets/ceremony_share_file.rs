//! Share files. After an `s`: what stands inside, properly sealed to the holder. Else: the file itself.
#![no_main]

use std::sync::LazyLock;

use ceremony::Passphrase;
use ceremony::holder::HolderSecrets;
use ceremony::sharefile::{self, Unsealed};
use libfuzzer_sys::fuzz_target;

/// A throw-away holder.
static HOLDER: LazyLock<HolderSecrets> = LazyLock::new(|| {
    let path = dta_fuzz::key_file(include_bytes!("../seeds/ceremony_holder_key/key"));
    let passphrase = Passphrase::entered(dta_fuzz::PASSPHRASE.to_owned());
    HolderSecrets::open(&path, &passphrase.expect("it is not empty")).expect("the seed is a key")
});

fuzz_target!(|bytes: &[u8]| {
    let path = match bytes.split_first() {
        Some((b's', plaintext)) => {
            let recipient = HOLDER.public().recipient.to_string();
            let recipient: age::x25519::Recipient = recipient.parse().expect("it is native");
            let sealed = age::encrypt(&recipient, plaintext).expect("memory takes it");
            dta_fuzz::file("fuzz.share", &sealed)
        }
        _ => dta_fuzz::file("fuzz.share", bytes),
    };
    match sharefile::unseal(&path, &HOLDER) {
        // The work behind a PIN is not done here.
        Ok(Unsealed::UnderPin(under_pin)) => {
            let header = Unsealed::UnderPin(under_pin).header();
            assert!(header.index.get() <= header.threshold.n());
        }
        Ok(Unsealed::Plain(opened)) => {
            assert_eq!(opened.share().encode().as_slice(), opened.encoded());
        }
        Err(error) => {
            dta_fuzz::say(&error);
            let _ = (error.verdict(), error.remedy());
        }
    }
    if let Err(error) = sharefile::look_at(&path) {
        dta_fuzz::say(&error);
    }
});
