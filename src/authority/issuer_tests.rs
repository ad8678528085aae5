//! Many requests side by side, and requests beside a lock.
#![allow(clippy::unwrap_used)]

use std::convert::Infallible;

use futures_util::{FutureExt, StreamExt};
use http_body_util::StreamBody;
use hyper::body::Frame;

use super::super::testing::{World, signed};
use super::*;

#[tokio::test]
async fn what_was_issued_before_a_lock_stands_before_it_in_the_log() {
    let office = World::new().into_office();
    let body = format!(r#"{{"identity":"{}"}}"#, "ab".repeat(32));
    let head = signed(
        &office.names,
        &office.customer_key,
        Call::ClientShare,
        body.as_bytes(),
        unix_seconds(),
    );
    let prepared = office
        .issuer
        .prepare(Call::ClientShare, &head, body.as_bytes())
        .unwrap();
    office.vault.seal();
    let locked = Event::Locked {
        reason: "operator".to_owned(),
        operator: None,
    };
    office.log.append(locked).await.unwrap();
    assert_eq!(conclude(prepared).await.unwrap().status(), 200);
    assert_eq!(office.logged(), ["client-share", "locked"]);
}

#[tokio::test]
async fn bodies_that_never_end_take_no_more_memory_than_there_are_slots() {
    let office = World::new().into_office();
    let head = || {
        let request = hyper::Request::post("/v1/time-permits").body(());
        request.unwrap().into_parts().0
    };
    let endless = || {
        let frames = futures_util::stream::pending::<Result<Frame<Bytes>, Infallible>>();
        StreamBody::new(frames)
    };
    let mut waiting = futures_util::stream::FuturesUnordered::new();
    for _ in 0..MAX_REQUESTS {
        waiting.push(office.issuer.answer(Call::TimePermits, head(), endless()));
    }
    assert!(waiting.next().now_or_never().is_none());
    let one_more = office.issuer.answer(Call::TimePermits, head(), endless());
    assert_eq!(one_more.await.status(), 503);
}
