//! Whatever a plan file holds, `check` names mistakes and never panics; what it accepts has a sound threshold.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| match ceremony::plan::check(text) {
    Ok(plan) => {
        let threshold = plan.unlock.threshold;
        assert_eq!(plan.unlock.holders.len(), usize::from(threshold.n()));
        assert!(threshold.m() <= threshold.n());
        assert!(!plan.suites.is_empty());
        let _ = plan.notices();
    }
    Err(mistakes) => {
        assert!(!mistakes.0.is_empty());
        let lines = text.lines().count().max(1) + 1;
        assert!(
            mistakes
                .0
                .iter()
                .all(|mistake| (1..=lines).contains(&mistake.line))
        );
        dta_fuzz::say(&mistakes);
    }
});
