//! Signing and verifying responses.
//!
//! The response key's signature covers `@status content-digest content-type` and, with `;req`, the
//! request's `@method @path signature`; for an unsigned request only `@method @path`. So one
//! request cannot be answered with another's reply. Parameters: `created keyid alg tag`. Every
//! response of a D-TA has a body, problems too.

use std::borrow::Cow;

use sha2::{Digest as _, Sha256};

use super::base::{signature_base, single_field};
use super::shape::{CONTENT_DIGEST, CONTENT_TYPE, SIGNATURE, SIGNATURE_INPUT};
use super::structured::{
    Bare, Component, SignatureInput, parse_bytes_member, serialize_bytes_member,
};
use super::{RESPONSE_TAG, SKEW_SECONDS, WINDOW_SECONDS, content_digest};
use crate::keys::{KeyError, SigningKey, VerifyingKey};

/// The request that a response answers.
#[derive(Clone, Copy, Debug)]
pub struct RequestBinding<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its path.
    pub path: &'a str,
    /// The value of its `Signature` field; `None` for an unsigned request.
    pub signature_field: Option<&'a str>,
}

/// A response as it was received.
#[derive(Clone, Debug)]
pub struct ResponseParts<'a> {
    /// The status code.
    pub status: u16,
    /// Every header field line, in order; names in any case.
    pub headers: Vec<(&'a str, &'a [u8])>,
}

/// What is known of a response whose signature holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedResponse {
    /// When it was signed, by the D-TA's clock: seconds since 1970.
    pub created: u64,
    /// The media type of the body.
    pub content_type: String,
}

/// A response to sign.
#[derive(Clone, Copy, Debug)]
pub struct ResponseToSign<'a> {
    /// The status code.
    pub status: u16,
    /// The media type of the body.
    pub content_type: &'a str,
    /// The body.
    pub body: &'a [u8],
    /// Now: seconds since 1970.
    pub created: u64,
}

/// Signs a response: the header fields to send with it, names in lower case, `content-type` and
/// `content-digest` among them.
///
/// # Errors
/// [`KeyError::Library`] if signing fails.
pub fn sign_response(
    response: &ResponseToSign<'_>,
    request: &RequestBinding<'_>,
    key: &SigningKey,
) -> Result<Vec<(&'static str, String)>, KeyError> {
    let digest = content_digest(response.body);
    let text = |value: &str| Bare::Text(value.to_owned());
    let created = i64::try_from(response.created).unwrap_or(i64::MAX);
    let input = SignatureInput {
        label: LABEL.to_owned(),
        components: components(request),
        parameters: vec![
            ("created".to_owned(), Bare::Integer(created)),
            ("keyid".to_owned(), text(&key.verifying_key().keyid())),
            (
                "alg".to_owned(),
                text(key.verifying_key().algorithm().as_str()),
            ),
            ("tag".to_owned(), text(RESPONSE_TAG)),
        ],
    };
    let base = base(
        &input,
        request,
        response.status,
        &digest,
        response.content_type,
    )
    .expect("every component of the profile has a value here");
    let signature = key.sign(base.as_bytes())?;
    Ok(vec![
        (CONTENT_TYPE, response.content_type.to_owned()),
        (CONTENT_DIGEST, digest),
        (SIGNATURE_INPUT, input.serialize()),
        (SIGNATURE, serialize_bytes_member(LABEL, &signature)),
    ])
}

/// Verifies a response against the request it is said to answer.
///
/// # Errors
/// [`ResponseError`] says what does not fit. [`ResponseError::OtherKey`] may mean that the
/// authority was unlocked anew: the caller fetches the certificate again, once.
pub fn verify_response(
    parts: &ResponseParts<'_>,
    body: &[u8],
    request: &RequestBinding<'_>,
    key: &VerifyingKey,
    now_unix: u64,
) -> Result<VerifiedResponse, ResponseError> {
    let field = |name| single_field(&parts.headers, name).map_err(ResponseError::Malformed);
    let (Some(input), Some(signature)) = (field(SIGNATURE_INPUT)?, field(SIGNATURE)?) else {
        return Err(ResponseError::Unsigned);
    };
    let unreadable = |error: super::structured::Unreadable| ResponseError::Malformed(error.0);
    let input = SignatureInput::parse(input).map_err(unreadable)?;
    let (label, signature) = parse_bytes_member(signature).map_err(unreadable)?;
    let mut covered = input.components.clone();
    let mut demanded = components(request);
    covered.sort_by_key(Component::serialize);
    demanded.sort_by_key(Component::serialize);
    if label != input.label || covered != demanded {
        return Err(ResponseError::Coverage);
    }
    let created = check_parameters(&input.parameters, key)?;
    let missing = |name: &str| ResponseError::Malformed(format!("`{name}` is missing"));
    let digest = field(CONTENT_DIGEST)?.ok_or_else(|| missing(CONTENT_DIGEST))?;
    let content_type = field(CONTENT_TYPE)?.ok_or_else(|| missing(CONTENT_TYPE))?;
    let (algorithm, claimed) = parse_bytes_member(digest).map_err(unreadable)?;
    if algorithm != "sha-256" || claimed[..] != Sha256::digest(body)[..] {
        return Err(ResponseError::Digest);
    }
    let base =
        base(&input, request, parts.status, digest, content_type).ok_or(ResponseError::Coverage)?;
    key.verify(base.as_bytes(), &signature)
        .map_err(|_| ResponseError::BadSignature)?;
    if created.abs_diff(now_unix) > WINDOW_SECONDS + SKEW_SECONDS {
        return Err(ResponseError::Stale {
            created,
            now: now_unix,
        });
    }
    Ok(VerifiedResponse {
        created,
        content_type: content_type.to_owned(),
    })
}

/// A response cannot be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// No signature at all.
    #[error("the response is not signed")]
    Unsigned,
    /// A field cannot be read.
    #[error("the response's signature cannot be read: {0}")]
    Malformed(String),
    /// Not exactly the components and parameters of the profile.
    #[error("the response's signature does not cover what it must, bound to this request")]
    Coverage,
    /// Signed by another key than the certified one.
    #[error("the response is signed by key {found}, not by the certified response key {expected}")]
    OtherKey {
        /// The `keyid` of the certified key.
        expected: String,
        /// The `keyid` that the response names.
        found: String,
    },
    /// The body is not the signed one.
    #[error("the response's body does not fit its signed digest")]
    Digest,
    /// The signature does not fit: forged, altered, or made for another request.
    #[error("the response's signature does not fit: it was altered or answers another request")]
    BadSignature,
    /// Signed too long ago, or in the future.
    #[error("the response was signed at {created}, but it is {now} here (seconds since 1970)")]
    Stale {
        /// When it was signed.
        created: u64,
        /// When it arrived.
        now: u64,
    },
}

impl ResponseError {
    /// What whoever sees this can do about it.
    pub fn remedy(&self) -> Option<&'static str> {
        Some(match self {
            ResponseError::Stale { .. } => "check your clock; the D-TA's may differ by 5 s at most",
            ResponseError::OtherKey { .. } => {
                "repeat; the authority may have been unlocked anew in between"
            }
            _ => "do not use the reply: something between you and the D-TA answered instead of it",
        })
    }
}

const LABEL: &str = "dta";

fn components(request: &RequestBinding<'_>) -> Vec<Component> {
    let mut components: Vec<_> = ["@status", CONTENT_DIGEST, CONTENT_TYPE]
        .map(Component::plain)
        .into();
    components.extend(["@method", "@path"].map(Component::of_request));
    if request.signature_field.is_some() {
        components.push(Component::of_request(SIGNATURE));
    }
    components
}

fn base(
    input: &SignatureInput,
    request: &RequestBinding<'_>,
    status: u16,
    digest: &str,
    content_type: &str,
) -> Option<String> {
    signature_base(input, |component| {
        let of_request = !component.parameters.is_empty();
        Some(match (component.name.as_str(), of_request) {
            ("@status", false) => Cow::from(status.to_string()),
            (CONTENT_DIGEST, false) => Cow::from(digest),
            (CONTENT_TYPE, false) => Cow::from(content_type),
            ("@method", true) => Cow::from(request.method),
            ("@path", true) => Cow::from(request.path),
            (SIGNATURE, true) => Cow::from(request.signature_field?),
            _ => return None,
        })
    })
    .ok()
}

/// The `created` of parameters that are exactly the profile's and name this key.
fn check_parameters(
    parameters: &[(String, Bare)],
    key: &VerifyingKey,
) -> Result<u64, ResponseError> {
    let mut names: Vec<_> = parameters.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    if names != ["alg", "created", "keyid", "tag"] {
        return Err(ResponseError::Coverage);
    }
    let mut created = None;
    for (name, value) in parameters {
        match (name.as_str(), value) {
            ("created", Bare::Integer(seconds)) => created = u64::try_from(*seconds).ok(),
            ("tag", Bare::Text(tag)) if tag == RESPONSE_TAG => {}
            ("keyid", Bare::Text(found)) if *found != key.keyid() => {
                return Err(ResponseError::OtherKey {
                    expected: key.keyid(),
                    found: found.clone(),
                });
            }
            ("keyid", Bare::Text(_)) => {}
            ("alg", Bare::Text(alg)) if alg == key.algorithm().as_str() => {}
            _ => return Err(ResponseError::Coverage),
        }
    }
    created.ok_or(ResponseError::Coverage)
}
