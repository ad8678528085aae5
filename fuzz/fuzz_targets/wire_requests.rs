//! Bodies of requests are read or refused, and what is read comes back the same after it is written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::api::{ClientShareRequest, ServerShareRequest, TimePermitRequest};

fuzz_target!(|bytes: &[u8]| {
    match ClientShareRequest::parse(bytes) {
        Ok(request) => assert_eq!(ClientShareRequest::parse(&request.to_json()), Ok(request)),
        Err(error) => dta_fuzz::say(&wire::Problem::from(error)),
    }
    match ServerShareRequest::parse(bytes) {
        Ok(request) => assert_eq!(ServerShareRequest::parse(&request.to_json()), Ok(request)),
        Err(error) => dta_fuzz::say(&error),
    }
    match TimePermitRequest::parse(bytes) {
        Ok(request) => {
            let permits = request.identities.len() * usize::from(request.days);
            assert_eq!(request.permits().count(), permits);
            assert_eq!(TimePermitRequest::parse(&request.to_json()), Ok(request));
        }
        Err(error) => dta_fuzz::say(&error),
    }
});
