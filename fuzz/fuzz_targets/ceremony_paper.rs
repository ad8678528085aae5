//! A page of words or its QR text, typed or scanned: what is read is written again as the same page
//! both ways, and opens for its holder or says why not. After a `q`: page data whose checksum is right.
#![no_main]

use std::sync::LazyLock;

use ceremony::Passphrase;
use ceremony::holder::HolderSecrets;
use ceremony::paper::Page;
use libfuzzer_sys::fuzz_target;
use sha2::{Digest as _, Sha256};

/// A throw-away holder.
static HOLDER: LazyLock<HolderSecrets> = LazyLock::new(|| {
    let path = dta_fuzz::key_file(include_bytes!("../seeds/ceremony_holder_key/key"));
    let passphrase = Passphrase::entered(dta_fuzz::PASSPHRASE.to_owned());
    HolderSecrets::open(&path, &passphrase.expect("it is not empty")).expect("the seed is a key")
});

fn read(text: &str) {
    match Page::read(text) {
        Ok(page) => {
            assert_eq!(Page::read(&page.qr_text()).ok().as_ref(), Some(&page));
            let lines = page.lines();
            let numbered = lines.iter().enumerate();
            let words: String = numbered
                .map(|(at, line)| format!("{} {line}\n", at + 1))
                .collect();
            assert_eq!(Page::read(&words).ok().as_ref(), Some(&page));
            let _ = (page.form().describe(), page.copy(), page.checksum());
            match page.unseal(&HOLDER) {
                Ok(unsealed) => assert!(!unsealed.header().holder.as_str().is_empty()),
                Err(error) => dta_fuzz::say(&error),
            }
        }
        Err(error) => {
            dta_fuzz::say(&error);
            let _ = (error.verdict(), error.remedy());
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    match bytes.split_first() {
        Some((b'q', data)) => {
            let sum = Sha256::new().chain_update("dta share paper v1\n");
            let sum = sum.chain_update(data).finalize();
            let data = [data, &sum[..4]].concat();
            read(&format!("DTA-SHARE-PAPER:{}", hex::encode_upper(data)));
        }
        _ => read(&String::from_utf8_lossy(bytes)),
    }
});
