//! The promise of the log: whatever was done to a journal, if it verifies against the signed
//! checkpoint, then the entries that the checkpoint covers are those that were signed.
#![no_main]

use std::ops::ControlFlow;
use std::sync::LazyLock;

use audit::{Filter, VerifierKey, VerifyOptions};
use libfuzzer_sys::fuzz_target;

const ENTRIES: &str = include_str!("../../audit/tests/vectors/entries.ndjson");

static KEY: LazyLock<VerifierKey> = LazyLock::new(|| {
    let note = include_bytes!("../../audit/tests/vectors/log/checkpoint");
    dta_fuzz::file("checkpoint", note);
    let text = include_str!("../../audit/tests/vectors/log/authority.vkey");
    VerifierKey::from_file(text).expect("the vector is a key")
});

fuzz_target!(|bytes: &[u8]| {
    let (key, directory) = (&*KEY, dta_fuzz::scratch());
    dta_fuzz::file("journal", bytes);
    match audit::verify(directory, key, VerifyOptions::default()) {
        Err(error) => dta_fuzz::say(&error),
        Ok(report) => {
            let signed = ENTRIES.lines().count();
            assert_eq!(report.signed, signed as u64);
            let mut lines = ENTRIES.lines();
            audit::show(directory, &Filter::default(), |entry| {
                if entry.index < report.signed {
                    assert_eq!(Some(entry.bytes), lines.next().map(str::as_bytes));
                }
                ControlFlow::Continue(())
            })
            .expect("a journal that verifies can be shown");
            assert_eq!(lines.next(), None);
        }
    }
});
