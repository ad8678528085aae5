//! Frames of the protocol between client and `dta hsm`: no bytes may panic either end, and whatever
//! one end accepts it writes again as a frame that says the same.
#![no_main]

use hsm::protocol::{Reply, Request, encode, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = parse::<Request>(bytes)
        && let Ok(frame) = encode(&request.head, request.body.as_bytes())
    {
        let again = parse::<Request>(&frame[4..]).expect("our own frame is parsed");
        assert_eq!(again.head, request.head);
        assert_eq!(again.body.as_bytes(), request.body.as_bytes());
    }
    if let Ok(reply) = parse::<Reply>(bytes)
        && let Ok(frame) = encode(&reply.head, reply.body.as_bytes())
    {
        assert_eq!(parse::<Reply>(&frame[4..]).expect("our own frame is parsed").head, reply.head);
    }
});
