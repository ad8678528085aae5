//! Lines of the operator socket, in both directions, and the values in replies.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::operator::{
    CustomerListReply, CustomerReport, ManifestChainReply, Op, Reply, Request, SessionReply,
    ShareReply, StatusReport,
};

fuzz_target!(|bytes: &[u8]| {
    match Request::parse(bytes) {
        Ok(request) => {
            let again = Request::parse(&request.to_line()).expect("what was written can be read");
            assert_eq!(again.id, request.id);
            // Sessions and envelopes are opaque here and may hold fractions, which JSON readers round.
            if !matches!(request.op, Op::ShareSubmit { .. }) {
                assert_eq!(again, request);
            }
        }
        Err(problem) => dta_fuzz::say(&problem),
    }
    match Reply::parse(bytes) {
        Ok(reply) => {
            let line = reply.to_line();
            assert_eq!(
                line.iter().position(|byte| *byte == b'\n'),
                Some(line.len() - 1)
            );
            let again = Reply::parse(&line).expect("what was written can be read");
            assert_eq!(
                (again.id, again.result.is_ok()),
                (reply.id, reply.result.is_ok())
            );
            let _ = reply.clone().into_ok::<StatusReport>();
            let _ = reply.clone().into_ok::<SessionReply>();
            let _ = reply.clone().into_ok::<ShareReply>();
            let _ = reply.clone().into_ok::<ManifestChainReply>();
            let _ = reply.clone().into_ok::<CustomerListReply>();
            let _ = reply.into_ok::<CustomerReport>();
        }
        Err(problem) => dta_fuzz::say(&problem),
    }
});
