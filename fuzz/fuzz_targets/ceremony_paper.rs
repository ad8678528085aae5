//! A page of words reads back as itself, or is refused.
#![no_main]

use ceremony::paper::Page;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(page) = Page::read(text) {
        assert_eq!(Page::read(&page.qr_text()).ok(), Some(page));
    }
});
