//! Lines between the test device and the test M-Pin server are read or refused, and what is read
//! comes back the same after it is written.
#![no_main]
#![allow(dead_code, reason = "the file of the binary is used in part")]

#[path = "../../src/device/messages.rs"]
mod messages;

use libfuzzer_sys::fuzz_target;
use messages::{Answer, Hello, Reply};
use mpin::{Identity, LoginPoint};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn read<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Option<T> {
    let message = serde_json::from_slice::<T>(bytes).ok()?;
    let json = serde_json::to_vec(&message).expect("a message is plain JSON");
    assert!(!json.contains(&b'\n'));
    let again = serde_json::from_slice::<T>(&json).expect("what was written can be read");
    assert_eq!(serde_json::to_vec(&again).ok(), Some(json));
    Some(again)
}

fn point(text: &str) {
    if let Ok(point) =
        hex::decode(text).map(|bytes| LoginPoint::<mpin::Blst>::from_compressed(&bytes))
        && let Ok(point) = point
    {
        assert_eq!(
            hex::encode(point.to_compressed()),
            text.to_ascii_lowercase()
        );
    }
}

fuzz_target!(|bytes: &[u8]| {
    if let Some(hello) = read::<Hello>(bytes) {
        point(&hello.u);
        let _ = hex::decode(&hello.mpin_id).map(|id| Identity::of_mpin_id(&id));
    }
    if let Some(answer) = read::<Answer>(bytes) {
        point(&answer.v);
    }
    read::<Reply>(bytes);
});
