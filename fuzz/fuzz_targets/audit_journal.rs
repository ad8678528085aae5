//! Journals: reading one never panics, and entries come in order.
#![no_main]

use std::ops::ControlFlow;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static DIRECTORY: LazyLock<std::path::PathBuf> = LazyLock::new(|| {
    let path = std::env::temp_dir().join(format!("dta-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&path).expect("the temporary directory is writable");
    path
});

fuzz_target!(|bytes: &[u8]| {
    std::fs::write(DIRECTORY.join("journal"), bytes).expect("the temporary directory is writable");
    let mut next = 0;
    let _ = audit::show(&DIRECTORY, &audit::Filter::default(), |entry| {
        assert_eq!(entry.index, next);
        next += 1;
        ControlFlow::Continue(())
    });
});
