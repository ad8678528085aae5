//! The strict RFC 9421 profile `dta-v1`, for requests, and `dta-v1-response`, for responses.
//!
//! RFC 9421 leaves a verifier many choices; every one of them is made here, once, to the strict
//! side. A signed request has exactly one signature, over exactly these components, each once, in
//! any order and without parameters:
//!
//! `@method @authority @path @query content-digest content-type dta-authority`
//!
//! A request without a body leaves out the two content fields. The signature parameters are exactly
//! `created expires nonce keyid alg tag`. `Signature-Input`, `Signature` and `Content-Digest` must
//! be in the canonical form of RFC 9651, with one member each, so that there is only one way to
//! read them. `@authority` is never taken from the request: it is the verifier's own name.
//!
//! A response is signed by the response key and bound to its request, see [`verify_response`]; the
//! node key vouches for the response key, see [`ResponseCertificate`].
//!
//! What this module does not do: remember nonces. The authority burns `(keyid, nonce)` after a
//! request was verified, and keeps it until `expires` plus [`SKEW_SECONDS`].

mod base;
mod certificate;
mod request;
mod response;
mod shape;
mod structured;

pub use certificate::{CertificateError, ResponseCertificate, ResponseStatement};
pub use request::{
    Expected, RequestToSign, Stamp, VerifiedHead, VerifiedRequest, request_keyid, sign_request,
    verify_head, verify_request,
};
pub use response::{
    RequestBinding, ResponseError, ResponseParts, ResponseToSign, VerifiedResponse, sign_response,
    verify_response,
};
pub use shape::Content;

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

/// The `tag` of a signed request.
pub const REQUEST_TAG: &str = "dta-v1";
/// The `tag` of a signed response.
pub const RESPONSE_TAG: &str = "dta-v1-response";
/// The longest time from `created` to `expires`, in seconds.
pub const WINDOW_SECONDS: u64 = 60;
/// How far two clocks may differ, in seconds.
pub const SKEW_SECONDS: u64 = 5;
/// The longest value of a header field that takes part in a signature, in bytes.
pub const MAX_FIELD: usize = 1024;

/// The field that carries the authority id of the D-TA that a request is meant for.
pub const DTA_AUTHORITY: &str = "dta-authority";

/// The parts of a request that a signature can cover, as they were received.
#[derive(Clone, Debug)]
pub struct RequestParts<'a> {
    /// The method, e.g. `POST`.
    pub method: &'a str,
    /// The path as it stands in the request line: absolute, not decoded, without the query.
    pub path: &'a str,
    /// The query without its `?`; `None` if the request line has no `?`.
    pub query: Option<&'a str>,
    /// Every header field line as it was received, in order; names in any case.
    pub headers: Vec<(&'a str, &'a [u8])>,
}

/// A nonce: 16 to 64 characters of base64url.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Nonce(String);

impl Nonce {
    /// From 16 random bytes of the caller: 22 characters.
    pub fn from_random(bytes: [u8; 16]) -> Nonce {
        Nonce(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Nonce {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Nonce, Self::Err> {
        let base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if (16..=64).contains(&text.len()) && text.bytes().all(base64url) {
            Ok(Nonce(text.to_owned()))
        } else {
            Err("expected 16 to 64 base64url characters")
        }
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The value of `Content-Digest` (RFC 9530) for a body: `sha-256=:...:`.
pub fn content_digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(body)))
}

#[cfg(test)]
mod tests;
