//! Bodies of replies are read or refused, and what is read comes back the same after it is written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::api::{AuthorityInfo, ClientShareReply, ServerShareReply, TimePermitReply};

fuzz_target!(|bytes: &[u8]| {
    match ClientShareReply::parse(bytes) {
        Ok(reply) => assert_eq!(ClientShareReply::parse(&reply.to_json()), Ok(reply)),
        Err(error) => dta_fuzz::say(&error),
    }
    match ServerShareReply::parse(bytes) {
        Ok(reply) => assert_eq!(ServerShareReply::parse(&reply.to_json()), Ok(reply)),
        Err(error) => dta_fuzz::say(&error),
    }
    match TimePermitReply::parse(bytes) {
        Ok(reply) => assert_eq!(TimePermitReply::parse(&reply.to_json()), Ok(reply)),
        Err(error) => dta_fuzz::say(&error),
    }
    match AuthorityInfo::parse(bytes) {
        Ok(info) => assert_eq!(AuthorityInfo::parse(&info.to_json()), Ok(info)),
        Err(error) => dta_fuzz::say(&error),
    }
});
