//! Opening a log after anything happened to its journal: it is refused, or what is left after the
//! repair verifies and has every entry that was signed.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use audit::{Clock, Log, Options, Reading, Timestamp, VerifierKey, VerifyOptions};
use libfuzzer_sys::fuzz_target;

/// A clock that stands still, some hours after the vectors were made.
struct Still;

impl Clock for Still {
    fn now(&self) -> Reading {
        Reading {
            wall: Timestamp::from_unix_millis(1_795_210_000_000),
            monotonic_millis: 1_000,
        }
    }
}

struct World {
    directory: PathBuf,
    key: VerifierKey,
    signed: u64,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let text = include_str!("../../audit/tests/vectors/log/authority.vkey");
    let note = include_bytes!("../../audit/tests/vectors/log/checkpoint");
    dta_fuzz::file("checkpoint", note);
    World {
        directory: dta_fuzz::scratch().to_owned(),
        key: VerifierKey::from_file(text).expect("the vector is a key"),
        signed: include_str!("../../audit/tests/vectors/entries.ndjson")
            .lines()
            .count() as u64,
    }
});

fuzz_target!(|bytes: &[u8]| {
    let World {
        directory,
        key,
        signed,
    } = &*WORLD;
    let journal = dta_fuzz::file("journal", bytes);
    let options = Options {
        reserve_bytes: 16,
        clock: Arc::new(Still),
        ..Options::default()
    };
    match Log::open(directory, key, options) {
        Err(error) => {
            dta_fuzz::say(&error);
            let _ = error.remedy();
            assert!(fs::read(&journal).is_ok_and(|left| left == bytes));
        }
        Ok((log, recovered)) => {
            assert!(recovered.size >= *signed);
            drop(log);
            let report = audit::verify(directory, key, VerifyOptions::default())
                .expect("a log that was opened verifies");
            assert_eq!((report.signed, report.torn_bytes), (*signed, 0));
            let repaired = u64::from(recovered.repaired.is_some());
            assert_eq!(report.size, recovered.size + repaired);
        }
    }
});
