//! Entries inside records whose framing and checksums are right: line by line, each is taken in order
//! or ends the journal, and whatever it holds can be shown.
#![no_main]

use std::ops::ControlFlow;

use libfuzzer_sys::fuzz_target;

const ORIGIN: &[u8] = b"dta/fuzz";

/// A journal of these entries, as docs/formats.md has it.
fn journal<'a>(entries: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = b"DTA-LOG\n\0\0\0\x01\0\x08".to_vec();
    out.extend_from_slice(ORIGIN);
    out.extend_from_slice(&crc32c::crc32c(&out).to_be_bytes());
    for entry in entries {
        let mut head = b"DTAE".to_vec();
        head.extend_from_slice(&(entry.len() as u32).to_be_bytes());
        head.extend_from_slice(&(out.len() as u64).to_be_bytes());
        let sum = crc32c::crc32c_append(crc32c::crc32c(&head), entry);
        out.extend([&head, &sum.to_be_bytes()[..], entry].concat());
    }
    out
}

fuzz_target!(|bytes: &[u8]| {
    let lines: Vec<_> = bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| (1..=65_535).contains(&line.len()))
        .collect();
    dta_fuzz::file("journal", &journal(lines.iter().copied()));
    let filter = audit::Filter {
        customer: Some("acme".to_owned()),
        ..audit::Filter::default()
    };
    let _ = audit::show(dta_fuzz::scratch(), &filter, |entry| {
        assert!(entry.fields()["customer"] == "acme");
        ControlFlow::Continue(())
    });
    let mut shown = 0;
    let outcome = audit::show(dta_fuzz::scratch(), &audit::Filter::default(), |entry| {
        assert_eq!(entry.bytes, lines[shown]);
        let _ = (entry.generation(), entry.nonce());
        if let Ok(event) = entry.event() {
            assert_eq!(event.name(), entry.event);
        }
        shown += 1;
        ControlFlow::Continue(())
    });
    match outcome {
        Ok(()) => assert_eq!(shown, lines.len()),
        Err(error) => dta_fuzz::say(&error),
    }
});
