//! Signing and verifying requests.

use std::borrow::Cow;

use sha2::{Digest as _, Sha256};

use super::base::{query_component, signature_base, single_field};
use super::structured::{
    Bare, Component, SignatureInput, parse_bytes_member, serialize_bytes_member,
};
use super::{
    DTA_AUTHORITY, Nonce, REQUEST_TAG, RequestParts, SKEW_SECONDS, WINDOW_SECONDS, content_digest,
};
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
    let shape = Shape::parse(parts, body)?;
    let base = shape.base(parts, expected.public_authority)?;
    if shape.dta_authority != expected.authority_id_hex {
        let detail = format!("`{DTA_AUTHORITY}` must be {}", expected.authority_id_hex);
        return Err(Problem::new(ProblemType::WrongAuthority, detail));
    }
    let key = key(&shape.keyid).ok_or_else(|| {
        let detail = format!("no signing key {:?} is registered here", shape.keyid);
        Problem::new(ProblemType::UnknownKey, detail)
    })?;
    let bad =
        |detail: String| Problem::new(ProblemType::BadSignature, detail).with_signature_base(&base);
    if key.algorithm() != shape.algorithm {
        let detail = format!("`alg` must be \"{}\", that of this key", key.algorithm());
        return Err(bad(detail));
    }
    shape.check_time(expected.now_unix)?;
    if let Some(digest) = shape.body_digest
        && digest[..] != Sha256::digest(body)[..]
    {
        let detail = "`content-digest` is not the SHA-256 of the body that arrived";
        return Err(bad(detail.to_owned()));
    }
    if key.verify(base.as_bytes(), &shape.signature).is_err() {
        let detail = "the signature does not fit key and signature base";
        return Err(bad(detail.to_owned()));
    }
    Ok(VerifiedRequest {
        keyid: shape.keyid,
        algorithm: shape.algorithm,
        nonce: shape.nonce,
        created: shape.created,
        expires: shape.expires,
        signature_field: shape.signature_field,
        signature_base: base,
    })
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
        components: required(request.body).map(Component::plain).collect(),
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

const LABEL: &str = "dta";
pub(super) const SIGNATURE_INPUT: &str = "signature-input";
pub(super) const SIGNATURE: &str = "signature";
pub(super) const CONTENT_DIGEST: &str = "content-digest";
pub(super) const CONTENT_TYPE: &str = "content-type";

const COMPONENTS: [&str; 7] = [
    "@method",
    "@authority",
    "@path",
    "@query",
    CONTENT_DIGEST,
    CONTENT_TYPE,
    DTA_AUTHORITY,
];
const PARAMETERS: [&str; 6] = ["created", "expires", "nonce", "keyid", "alg", "tag"];

/// The components that a signature over a request with this body covers.
fn required(body: &[u8]) -> impl Iterator<Item = &'static str> {
    let bodyless = body.is_empty();
    COMPONENTS
        .into_iter()
        .filter(move |name| !(bodyless && [CONTENT_DIGEST, CONTENT_TYPE].contains(name)))
}

fn malformed(detail: impl Into<String>) -> Problem {
    Problem::new(ProblemType::Malformed, detail)
}

fn insufficient(detail: impl Into<String>) -> Problem {
    Problem::new(ProblemType::InsufficientCoverage, detail)
}

/// Everything that can be said of a request without knowing the verifier, the key or the time.
struct Shape {
    input: SignatureInput,
    signature: Vec<u8>,
    signature_field: String,
    created: u64,
    expires: u64,
    nonce: Nonce,
    keyid: String,
    algorithm: Algorithm,
    dta_authority: String,
    body_digest: Option<[u8; 32]>,
}

impl Shape {
    fn parse(parts: &RequestParts<'_>, body: &[u8]) -> Result<Shape, Problem> {
        check_target(parts)?;
        let field = |name| single_field(&parts.headers, name).map_err(malformed);
        let (input_field, signature_field) = match (field(SIGNATURE_INPUT)?, field(SIGNATURE)?) {
            (Some(input), Some(signature)) => (input, signature),
            (None, None) => {
                let detail = "expected `signature-input` and `signature` (RFC 9421, tag dta-v1)";
                return Err(Problem::new(ProblemType::Unsigned, detail));
            }
            (Some(_), None) => return Err(malformed("`signature-input` without `signature`")),
            (None, Some(_)) => return Err(malformed("`signature` without `signature-input`")),
        };
        let input = SignatureInput::parse(input_field)
            .map_err(|error| malformed(format!("`signature-input`: {error}")))?;
        let (label, signature) = parse_bytes_member(signature_field)
            .map_err(|error| malformed(format!("`signature`: {error}")))?;
        if label != input.label {
            let detail = "`signature-input` and `signature` must have the same label";
            return Err(malformed(detail));
        }
        check_coverage(&input.components, body)?;
        let parameters = Parameters::of(&input.parameters)?;
        let dta_authority = field(DTA_AUTHORITY)?
            .ok_or_else(|| malformed(format!("header field `{DTA_AUTHORITY}` is missing")))?;
        if field("content-encoding")?.is_some() {
            return Err(malformed("`content-encoding` is not supported"));
        }
        let body_digest = match body {
            [] => None,
            _ => Some(check_content(field(CONTENT_TYPE)?, field(CONTENT_DIGEST)?)?),
        };
        Ok(Shape {
            signature,
            signature_field: signature_field.to_owned(),
            created: parameters.created,
            expires: parameters.expires,
            nonce: parameters.nonce,
            keyid: parameters.keyid,
            algorithm: parameters.algorithm,
            dta_authority: dta_authority.to_owned(),
            body_digest,
            input,
        })
    }

    /// The base, with the verifier's own name as `@authority`.
    fn base(&self, parts: &RequestParts<'_>, public_authority: &str) -> Result<String, Problem> {
        let query = query_component(parts.query);
        signature_base(&self.input, |component| {
            Some(Cow::from(match component.name.as_str() {
                "@method" => parts.method.to_owned(),
                "@authority" => public_authority.to_owned(),
                "@path" => parts.path.to_owned(),
                "@query" => query.clone(),
                name => single_field(&parts.headers, name).ok()??.to_owned(),
            }))
        })
        .map_err(|missing| malformed(format!("covered component {missing} is not in the request")))
    }

    fn check_time(&self, now: u64) -> Result<(), Problem> {
        if self.created > now.saturating_add(SKEW_SECONDS) {
            let detail = format!("`created` is {}, but it is {now} here", self.created);
            return Err(Problem::new(ProblemType::TooEarly, detail));
        }
        if self.expires.saturating_add(SKEW_SECONDS) < now {
            let detail = format!("`expires` was {}, but it is {now} here", self.expires);
            return Err(Problem::new(ProblemType::Expired, detail));
        }
        Ok(())
    }
}

/// The target must be what an origin server reads one way only.
fn check_target(parts: &RequestParts<'_>) -> Result<(), Problem> {
    let visible = |text: &str| text.bytes().all(|byte| (b'!'..=b'~').contains(&byte));
    let token = |text: &str| text.bytes().all(|byte| byte.is_ascii_uppercase());
    if parts.method.is_empty() || !token(parts.method) {
        return Err(malformed("the method must be upper-case letters"));
    }
    if !parts.path.starts_with('/') || !visible(parts.path) || parts.path.contains(['?', '#']) {
        return Err(malformed("the path must be absolute and of visible ASCII"));
    }
    if parts
        .query
        .is_some_and(|query| !visible(query) || query.contains('#'))
    {
        return Err(malformed("the query must be of visible ASCII"));
    }
    Ok(())
}

fn check_coverage(components: &[Component], body: &[u8]) -> Result<(), Problem> {
    let demanded = || required(body).collect::<Vec<_>>().join(" ");
    for (at, component) in components.iter().enumerate() {
        let shown = component.serialize();
        if !component.parameters.is_empty() {
            let detail = format!("component {shown} must have no parameters");
            return Err(insufficient(detail));
        }
        if components[..at].contains(component) {
            return Err(malformed(format!("component {shown} is covered twice")));
        }
        if !required(body).any(|name| name == component.name) {
            let detail = format!(
                "{shown} must not be covered, expected exactly {}",
                demanded()
            );
            return Err(insufficient(detail));
        }
    }
    match required(body).find(|name| components.iter().all(|found| found.name != *name)) {
        None => Ok(()),
        Some(name) => {
            let detail = format!("\"{name}\" is not covered, expected exactly {}", demanded());
            Err(insufficient(detail))
        }
    }
}

/// The digest that the request claims for its body.
fn check_content(kind: Option<&str>, digest: Option<&str>) -> Result<[u8; 32], Problem> {
    if kind != Some(crate::api::JSON_MEDIA_TYPE) {
        let detail = format!("`content-type` must be {}", crate::api::JSON_MEDIA_TYPE);
        return Err(malformed(detail));
    }
    let digest = digest.ok_or_else(|| malformed("header field `content-digest` is missing"))?;
    let (algorithm, bytes) = parse_bytes_member(digest)
        .map_err(|error| malformed(format!("`content-digest`: {error}")))?;
    match <[u8; 32]>::try_from(bytes) {
        Ok(bytes) if algorithm == "sha-256" => Ok(bytes),
        _ => Err(malformed(
            "`content-digest` must be one sha-256 of 32 bytes",
        )),
    }
}

struct Parameters {
    created: u64,
    expires: u64,
    nonce: Nonce,
    keyid: String,
    algorithm: Algorithm,
}

impl Parameters {
    fn of(parameters: &[(String, Bare)]) -> Result<Parameters, Problem> {
        for (at, (name, _)) in parameters.iter().enumerate() {
            if !PARAMETERS.contains(&name.as_str()) {
                return Err(malformed(format!(
                    "signature parameter `{name}` is unknown here"
                )));
            }
            if parameters[..at].iter().any(|(before, _)| before == name) {
                return Err(malformed(format!(
                    "signature parameter `{name}` occurs twice"
                )));
            }
        }
        let find = |wanted: &str| {
            let found = parameters.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value).ok_or_else(|| {
                let all = PARAMETERS.join(" ");
                insufficient(format!(
                    "signature parameter `{wanted}` is missing, expected {all}"
                ))
            })
        };
        let text = |wanted: &str| match find(wanted)? {
            Bare::Text(text) => Ok(text.as_str()),
            Bare::Integer(_) => Err(malformed(format!("`{wanted}` must be a string"))),
        };
        let seconds = |wanted: &str| {
            match find(wanted)? {
                Bare::Integer(number) => u64::try_from(*number).ok(),
                Bare::Text(_) => None,
            }
            .ok_or_else(|| malformed(format!("`{wanted}` must be seconds since 1970")))
        };

        if text("tag")? != REQUEST_TAG {
            return Err(malformed(format!("`tag` must be \"{REQUEST_TAG}\"")));
        }
        let (created, expires) = (seconds("created")?, seconds("expires")?);
        if expires <= created || expires - created > WINDOW_SECONDS {
            let detail = format!("`expires` must be 1 to {WINDOW_SECONDS} seconds after `created`");
            return Err(malformed(detail));
        }
        let nonce = text("nonce")?
            .parse()
            .map_err(|reason| malformed(format!("`nonce`: {reason}")))?;
        let algorithm = Algorithm::from_name(text("alg")?)
            .ok_or_else(|| malformed("`alg` must be \"ed25519\" or \"ecdsa-p256-sha256\""))?;
        let keyid = text("keyid")?;
        if keyid.is_empty() || keyid.len() > 64 {
            return Err(malformed("`keyid` must have 1 to 64 characters"));
        }
        Ok(Parameters {
            created,
            expires,
            nonce,
            keyid: keyid.to_owned(),
            algorithm,
        })
    }
}
