//! Signing and verifying requests.

use std::borrow::Cow;

use sha2::{Digest as _, Sha256};

use super::base::{query_component, signature_base, single_field};
use super::shape::{
    CONTENT_DIGEST, CONTENT_TYPE, Content, LABEL, SIGNATURE, SIGNATURE_INPUT, Shape, required,
};
use super::structured::{Bare, Component, SignatureInput, serialize_bytes_member};
use super::{DTA_AUTHORITY, Nonce, REQUEST_TAG, RequestParts, WINDOW_SECONDS, content_digest};
use crate::keys::{Algorithm, KeyError, SigningKey, VerifyingKey};
use crate::problem::{Problem, ProblemType};

/// What the verifier knows itself and never takes from a request.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Its public name, as clients write it in their URL: host in lower case, and the port unless
    /// it is 443. Configuration key `public_authority`.
    pub public_authority: &'a str,
    /// Its authority id: 64 lower-case hex digits.
    pub authority_id_hex: &'a str,
    /// Its clock: seconds since 1970.
    pub now_unix: u64,
}

/// What is known of a request whose signature holds. The nonce is not burnt yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedRequest {
    /// The key that signed.
    pub keyid: String,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// The nonce: to be burnt under this `keyid`.
    pub nonce: Nonce,
    /// When it was signed: seconds since 1970.
    pub created: u64,
    /// Until when it holds: seconds since 1970.
    pub expires: u64,
    /// The value of the `Signature` field, which the response's signature covers.
    pub signature_field: String,
    /// The signature base, which the `info` of a sealed reply covers.
    pub signature_base: String,
}

/// Verifies a signed request.
///
/// Refusals come in this order, each as its own problem type: no signature (`unsigned`), shape
/// (`malformed`, `insufficient-coverage`), `wrong-authority`, `unknown-key`, algorithm
/// (`bad-signature`), time (`too-early`, `expired`), digest of the body and signature
/// (`bad-signature`, with the signature base).
///
/// # Errors
/// A [`Problem`] whose detail says what was expected. It tells nothing that the caller did not send.
pub fn verify_request(
    parts: &RequestParts<'_>,
    body: &[u8],
    expected: &Expected<'_>,
    key: impl FnOnce(&str) -> Option<VerifyingKey>,
) -> Result<VerifiedRequest, Problem> {
    let claim = Claim::read(parts, Content::of(body), expected, key)?;
    claim.check_digest(body)?;
    claim.check_signature()?;
    Ok(claim.into_request())
}

/// Verifies a signed request before its body is there, which the signature covers by its digest: so
/// that nobody without a key makes a verifier wait for a body and hold it.
///
/// Refusals come in the order of [`verify_request`], but for the digest: see
/// [`VerifiedHead::check_body`].
///
/// # Errors
/// As [`verify_request`].
pub fn verify_head(
    parts: &RequestParts<'_>,
    content: Content,
    expected: &Expected<'_>,
    key: impl FnOnce(&str) -> Option<VerifyingKey>,
) -> Result<VerifiedHead, Problem> {
    let claim = Claim::read(parts, content, expected, key)?;
    claim.check_signature()?;
    Ok(VerifiedHead(claim))
}

/// A request whose signature holds, and whose body is still to come.
pub struct VerifiedHead(Claim);

impl VerifiedHead {
    /// Compares the body that came with the signed digest.
    ///
    /// # Errors
    /// `bad-signature`, with the signature base.
    pub fn check_body(&self, body: &[u8]) -> Result<(), Problem> {
        self.0.check_digest(body)
    }
}

/// A request of a good shape for this verifier, from a known key, in time. Digest and signature are
/// still to be compared.
struct Claim {
    shape: Shape,
    base: String,
    key: VerifyingKey,
}

impl Claim {
    fn read(
        parts: &RequestParts<'_>,
        content: Content,
        expected: &Expected<'_>,
        key: impl FnOnce(&str) -> Option<VerifyingKey>,
    ) -> Result<Claim, Problem> {
        let shape = Shape::parse(parts, content)?;
        let base = shape.base(parts, expected.public_authority)?;
        if shape.dta_authority != expected.authority_id_hex {
            let detail = format!("`{DTA_AUTHORITY}` must be {}", expected.authority_id_hex);
            return Err(Problem::new(ProblemType::WrongAuthority, detail));
        }
        let key = key(&shape.keyid).ok_or_else(|| {
            let detail = format!("no signing key {:?} is registered here", shape.keyid);
            Problem::new(ProblemType::UnknownKey, detail)
        })?;
        let claim = Claim { shape, base, key };
        if claim.key.algorithm() != claim.shape.algorithm {
            let detail = format!(
                "`alg` must be \"{}\", that of this key",
                claim.key.algorithm()
            );
            return Err(claim.bad(&detail));
        }
        claim.shape.check_time(expected.now_unix)?;
        Ok(claim)
    }

    fn check_digest(&self, body: &[u8]) -> Result<(), Problem> {
        let fits = match self.shape.body_digest {
            Some(digest) => digest[..] == Sha256::digest(body)[..],
            None => body.is_empty(),
        };
        if fits {
            return Ok(());
        }
        Err(self.bad("`content-digest` is not the SHA-256 of the body that arrived"))
    }

    fn check_signature(&self) -> Result<(), Problem> {
        self.key
            .verify(self.base.as_bytes(), &self.shape.signature)
            .map_err(|_| self.bad("the signature does not fit key and signature base"))
    }

    fn bad(&self, detail: &str) -> Problem {
        Problem::new(ProblemType::BadSignature, detail).with_signature_base(&self.base)
    }

    fn into_request(self) -> VerifiedRequest {
        let shape = self.shape;
        VerifiedRequest {
            keyid: shape.keyid,
            algorithm: shape.algorithm,
            nonce: shape.nonce,
            created: shape.created,
            expires: shape.expires,
            signature_field: shape.signature_field,
            signature_base: self.base,
        }
    }
}

/// The `keyid` that a request claims, of whatever shape it otherwise is; for counting refusals.
pub fn request_keyid(parts: &RequestParts<'_>) -> Option<String> {
    let value = single_field(&parts.headers, SIGNATURE_INPUT).ok()??;
    let input = SignatureInput::parse(value).ok()?;
    input
        .parameters
        .into_iter()
        .find_map(|(name, value)| match value {
            Bare::Text(keyid) if name == "keyid" => Some(keyid),
            _ => None,
        })
}

/// A request before it is signed.
#[derive(Clone, Copy, Debug)]
pub struct RequestToSign<'a> {
    /// The method.
    pub method: &'a str,
    /// The absolute path.
    pub path: &'a str,
    /// The query without its `?`.
    pub query: Option<&'a str>,
    /// The body, JSON; empty for none.
    pub body: &'a [u8],
    /// The D-TA's public name, see [`Expected::public_authority`].
    pub public_authority: &'a str,
    /// The D-TA's authority id: 64 lower-case hex digits.
    pub authority_id_hex: &'a str,
}

/// Time and nonce of a signature.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// Now: seconds since 1970.
    pub created: u64,
    /// Until when: at most [`WINDOW_SECONDS`] later.
    pub expires: u64,
    /// A nonce that was never used with this key.
    pub nonce: Nonce,
}

impl Stamp {
    /// From now for the whole window, with a nonce from 16 random bytes of the caller.
    pub fn new(now_unix: u64, random: [u8; 16]) -> Stamp {
        Stamp {
            created: now_unix,
            expires: now_unix + WINDOW_SECONDS,
            nonce: Nonce::from_random(random),
        }
    }
}

/// Signs a request: the header fields to send with it, names in lower case. A body brings
/// `content-type` and `content-digest` along.
///
/// # Errors
/// [`KeyError::Library`] if signing fails.
pub fn sign_request(
    request: &RequestToSign<'_>,
    stamp: &Stamp,
    key: &SigningKey,
) -> Result<Vec<(&'static str, String)>, KeyError> {
    let mut headers = vec![(DTA_AUTHORITY, request.authority_id_hex.to_owned())];
    if !request.body.is_empty() {
        headers.push((CONTENT_TYPE, crate::api::JSON_MEDIA_TYPE.to_owned()));
        headers.push((CONTENT_DIGEST, content_digest(request.body)));
    }
    let number = |seconds: u64| Bare::Integer(i64::try_from(seconds).unwrap_or(i64::MAX));
    let text = |value: &str| Bare::Text(value.to_owned());
    let input = SignatureInput {
        label: LABEL.to_owned(),
        components: required(Content::of(request.body))
            .map(Component::plain)
            .collect(),
        parameters: vec![
            ("created".to_owned(), number(stamp.created)),
            ("expires".to_owned(), number(stamp.expires)),
            ("nonce".to_owned(), text(stamp.nonce.as_str())),
            ("keyid".to_owned(), text(&key.verifying_key().keyid())),
            (
                "alg".to_owned(),
                text(key.verifying_key().algorithm().as_str()),
            ),
            ("tag".to_owned(), text(REQUEST_TAG)),
        ],
    };
    let query = query_component(request.query);
    let base = signature_base(&input, |component| {
        Some(Cow::from(match component.name.as_str() {
            "@method" => request.method,
            "@authority" => request.public_authority,
            "@path" => request.path,
            "@query" => &query,
            name => &headers.iter().find(|(found, _)| *found == name)?.1,
        }))
    })
    .expect("every component of the profile has a value here");
    let signature = key.sign(base.as_bytes())?;
    headers.push((SIGNATURE_INPUT, input.serialize()));
    headers.push((SIGNATURE, serialize_bytes_member(LABEL, &signature)));
    Ok(headers)
}
