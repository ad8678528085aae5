//! What travels: API types, problem types, the request and response signatures, and the operator
//! socket's messages. Everything here is pure: bytes in, types out. Clock, randomness, sockets and
//! key storage belong to the caller.
//!
//! | module | what |
//! |---|---|
//! | [`problem`] | the closed list of problem types, RFC 9457 `application/problem+json` |
//! | [`api`] | bodies of `/v1`, parsed strictly, every error naming its field |
//! | [`keys`] | customers' and nodes' signature keys: Ed25519 and ECDSA P-256 |
//! | [`signature`] | the strict RFC 9421 profile `dta-v1`, for requests and for responses |
//! | [`operator`] | the operator socket: one JSON object per line |
//!
//! The crate refuses to be lenient: whatever has two readings is malformed.

#![forbid(unsafe_code)]

pub mod api;
pub mod keys;
pub mod operator;
pub mod problem;
pub mod signature;

pub use problem::{Problem, ProblemType};

/// Serialises `value` as canonical JSON: members sorted, no white space. For objects with ASCII
/// keys that hold only strings, integers below 2^53, booleans, arrays and objects this is RFC 8785.
///
/// # Errors
/// Whatever `Serialize` of the value reports; the types of this crate report nothing.
pub fn canonical_json<T: serde::Serialize + ?Sized>(
    value: &T,
) -> Result<Vec<u8>, serde_json::Error> {
    let mut value = serde_json::to_value(value)?;
    // Sorted anyway, unless some crate in the build asks serde_json to keep the order of insertion: a
    // customer's program may well.
    value.sort_all_objects();
    serde_json::to_vec(&value)
}
