//! The shape of a signed request: all that the profile demands of it whoever verifies it, and when.

use std::borrow::Cow;

use super::base::{query_component, signature_base, single_field};
use super::structured::{Bare, Component, SignatureInput, parse_bytes_member};
use super::{DTA_AUTHORITY, Nonce, REQUEST_TAG, RequestParts, SKEW_SECONDS, WINDOW_SECONDS};
use crate::keys::Algorithm;
use crate::problem::{Problem, ProblemType};

pub(super) const LABEL: &str = "dta";
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

/// Whether a request has a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// It has none, or an empty one.
    Absent,
    /// It has one.
    Present,
}

impl Content {
    pub(super) fn of(body: &[u8]) -> Content {
        if body.is_empty() {
            Content::Absent
        } else {
            Content::Present
        }
    }
}

/// The components that a signature over such a request covers.
pub(super) fn required(content: Content) -> impl Iterator<Item = &'static str> {
    let bodyless = content == Content::Absent;
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
pub(super) struct Shape {
    input: SignatureInput,
    pub(super) signature: Vec<u8>,
    pub(super) signature_field: String,
    pub(super) created: u64,
    pub(super) expires: u64,
    pub(super) nonce: Nonce,
    pub(super) keyid: String,
    pub(super) algorithm: Algorithm,
    pub(super) dta_authority: String,
    pub(super) body_digest: Option<[u8; 32]>,
}

impl Shape {
    pub(super) fn parse(parts: &RequestParts<'_>, content: Content) -> Result<Shape, Problem> {
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
        check_coverage(&input.components, content)?;
        let parameters = Parameters::of(&input.parameters)?;
        let dta_authority = field(DTA_AUTHORITY)?
            .ok_or_else(|| malformed(format!("header field `{DTA_AUTHORITY}` is missing")))?;
        if field("content-encoding")?.is_some() {
            return Err(malformed("`content-encoding` is not supported"));
        }
        let body_digest = match content {
            Content::Absent => None,
            Content::Present => Some(check_content(field(CONTENT_TYPE)?, field(CONTENT_DIGEST)?)?),
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
    pub(super) fn base(
        &self,
        parts: &RequestParts<'_>,
        public_authority: &str,
    ) -> Result<String, Problem> {
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

    pub(super) fn check_time(&self, now: u64) -> Result<(), Problem> {
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

fn check_coverage(components: &[Component], content: Content) -> Result<(), Problem> {
    let demanded = || required(content).collect::<Vec<_>>().join(" ");
    for (at, component) in components.iter().enumerate() {
        let shown = component.serialize();
        if !component.parameters.is_empty() {
            let detail = format!("component {shown} must have no parameters");
            return Err(insufficient(detail));
        }
        if components[..at].contains(component) {
            return Err(malformed(format!("component {shown} is covered twice")));
        }
        if !required(content).any(|name| name == component.name) {
            let detail = format!(
                "{shown} must not be covered, expected exactly {}",
                demanded()
            );
            return Err(insufficient(detail));
        }
    }
    match required(content).find(|name| components.iter().all(|found| found.name != *name)) {
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
