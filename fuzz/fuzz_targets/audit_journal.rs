//! Journals as files: reading one never panics, and entries come in order, from where they stand.
#![no_main]

use std::ops::ControlFlow;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    dta_fuzz::file("journal", bytes);
    let mut next = 0;
    let shown = audit::show(dta_fuzz::scratch(), &audit::Filter::default(), |entry| {
        assert_eq!(entry.index, next);
        assert!(bytes[entry.offset as usize..][20..].starts_with(entry.bytes));
        next += 1;
        ControlFlow::Continue(())
    });
    if let Err(error) = shown {
        dta_fuzz::say(&error);
    }
});
