//! Requests and locks side by side.
#![allow(clippy::unwrap_used)]

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
