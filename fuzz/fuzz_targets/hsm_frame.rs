//! Frames of the protocol between client and `dta hsm`: no bytes may panic either end, and whatever
//! one end accepts it writes again as a frame that says the same.
#![no_main]

use hsm::protocol::{Reply, Request, encode, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match parse::<Request>(bytes) {
        Ok(request) => {
            let _ = request.head.doing();
            if let Ok(frame) = encode(&request.head, request.body.as_bytes()) {
                let again = parse::<Request>(&frame[4..]).expect("our own frame is parsed");
                assert_eq!(again.head, request.head);
                assert_eq!(again.body.as_bytes(), request.body.as_bytes());
            }
        }
        Err(error) => dta_fuzz::say(&error),
    }
    match parse::<Reply>(bytes) {
        Ok(reply) => {
            if let Reply::Failed { error } = &reply.head {
                dta_fuzz::say(error);
                let _ = error.remedy();
            }
            if let Ok(frame) = encode(&reply.head, reply.body.as_bytes()) {
                let again = parse::<Reply>(&frame[4..]).expect("our own frame is parsed");
                assert_eq!(again.head, reply.head);
            }
        }
        Err(error) => dta_fuzz::say(&error),
    }
});
