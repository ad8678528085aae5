//! Bodies of requests, replies, problems and operator lines are read or refused. A request that is
//! read comes back the same after it is written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::api::{
    AuthorityInfo, ClientShareReply, ClientShareRequest, ServerShareRequest, TimePermitReply,
    TimePermitRequest,
};
use wire::operator::{Reply, Request};

fuzz_target!(|data: &[u8]| {
    if let Ok(request) = ClientShareRequest::parse(data) {
        assert_eq!(ClientShareRequest::parse(&request.to_json()), Ok(request));
    }
    if let Ok(request) = TimePermitRequest::parse(data) {
        assert_eq!(TimePermitRequest::parse(&request.to_json()), Ok(request));
    }
    if let Ok(request) = Request::parse(data) {
        assert_eq!(Request::parse(&request.to_line()), Ok(request));
    }
    let _ = ServerShareRequest::parse(data);
    let _ = ClientShareReply::parse(data);
    let _ = TimePermitReply::parse(data);
    let _ = AuthorityInfo::parse(data);
    let _ = Reply::parse(data);
    let _ = wire::Problem::from_json(data);
});
