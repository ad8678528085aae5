//! Problem documents are read or refused; one that is read is written in one form only.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::{Problem, ProblemType};

fuzz_target!(|bytes: &[u8]| {
    match Problem::from_json(bytes) {
        Ok(problem) => {
            assert_eq!(
                ProblemType::from_uri(&problem.kind().uri()),
                Some(problem.kind())
            );
            let _ = (
                problem.signature_base(),
                problem.retry_after(),
                problem.verdict(),
            );
            let written = problem.to_json();
            let again = Problem::from_json(&written).expect("what was written can be read");
            assert_eq!(
                (again.kind(), again.detail()),
                (problem.kind(), problem.detail())
            );
            dta_fuzz::say(&problem);
        }
        Err(error) => dta_fuzz::say(&error),
    }
});
