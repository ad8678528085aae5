//! Problems: the closed list of reasons for which a D-TA does not do what it was asked, each with
//! its HTTP status, and the RFC 9457 document that carries one.
//!
//! *Denied* (the caller must change something) and *failed* (the D-TA cannot just now) are told
//! apart by [`ProblemType::is_failure`]. A problem never contains anything secret: its details are
//! made of what the caller sent and of public configuration.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// The media type of a problem document (RFC 9457, section 6.1).
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Every reason for a refusal or a failure. The list is closed: clients may match on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProblemType {
    /// The authority has not been unlocked.
    Sealed,
    /// The HSM does not answer, or not with the right key.
    HsmUnavailable,
    /// The audit log cannot be written, so nothing is issued.
    AuditUnavailable,
    /// Too much work at once.
    Overloaded,
    /// The proxy cannot reach its authority.
    AuthorityUnavailable,
    /// The D-TA itself went wrong.
    Internal,
    /// The request has not the shape that the API documents.
    Malformed,
    /// The body or the headers are longer than allowed.
    TooLarge,
    /// There is nothing at this path, or no such customer, session or key.
    NotFound,
    /// There is something at this path, for another method; the member `allow` names it.
    MethodNotAllowed,
    /// What is to be made exists already, or the state does not allow it now.
    Conflict,
    /// The request carries no signature.
    Unsigned,
    /// The signature, its algorithm or the body's digest does not fit.
    BadSignature,
    /// The signature does not cover exactly what the profile demands.
    InsufficientCoverage,
    /// The request was signed for another D-TA.
    WrongAuthority,
    /// The request's time window has passed.
    Expired,
    /// The request's time window has not begun.
    TooEarly,
    /// The nonce was used before.
    Replayed,
    /// No customer has registered the signing key.
    UnknownKey,
    /// The customer is suspended.
    Suspended,
    /// The signing key or the customer's policy does not allow this.
    NotPermitted,
    /// The day is outside the permit window.
    WrongDay,
    /// The identity is revoked for that day.
    Revoked,
    /// The customer's rate limit is reached.
    RateLimited,
    /// The customer has no live master key of this version.
    KeyUnknown,
    /// Several master keys are live: the request must name one.
    KeyRequired,
    /// A quorum share was not accepted; the member `verdict` says why.
    ShareRefused,
}

impl ProblemType {
    /// Every problem type, in the order of the documentation.
    pub const ALL: [ProblemType; 27] = [
        ProblemType::Sealed,
        ProblemType::HsmUnavailable,
        ProblemType::AuditUnavailable,
        ProblemType::Overloaded,
        ProblemType::AuthorityUnavailable,
        ProblemType::Internal,
        ProblemType::Malformed,
        ProblemType::TooLarge,
        ProblemType::NotFound,
        ProblemType::MethodNotAllowed,
        ProblemType::Conflict,
        ProblemType::Unsigned,
        ProblemType::BadSignature,
        ProblemType::InsufficientCoverage,
        ProblemType::WrongAuthority,
        ProblemType::Expired,
        ProblemType::TooEarly,
        ProblemType::Replayed,
        ProblemType::UnknownKey,
        ProblemType::Suspended,
        ProblemType::NotPermitted,
        ProblemType::WrongDay,
        ProblemType::Revoked,
        ProblemType::RateLimited,
        ProblemType::KeyUnknown,
        ProblemType::KeyRequired,
        ProblemType::ShareRefused,
    ];

    /// The name, as in the URI: `wrong-authority`.
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status code.
    pub const fn status(self) -> u16 {
        self.row().1
    }

    /// The title: the same for every occurrence (RFC 9457, section 3.1.3).
    pub const fn title(self) -> &'static str {
        self.row().2
    }

    /// What whoever sees the problem can do about it.
    pub const fn remedy(self) -> &'static str {
        self.row().3
    }

    /// The `type` member: a path relative to the D-TA, `/problems/NAME`.
    pub fn uri(self) -> String {
        format!("/problems/{}", self.name())
    }

    /// The problem type with this name.
    pub fn from_name(name: &str) -> Option<ProblemType> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The problem type with this `type` member.
    pub fn from_uri(uri: &str) -> Option<ProblemType> {
        Self::from_name(uri.strip_prefix("/problems/")?)
    }

    /// Whether the D-TA failed (status 5xx: the same request may succeed later) rather than
    /// refused.
    pub const fn is_failure(self) -> bool {
        self.status() >= 500
    }

    /// Name, status, title, remedy: one row per problem type.
    const fn row(self) -> (&'static str, u16, &'static str, &'static str) {
        match self {
            Self::Sealed => (
                "sealed",
                503,
                "the authority is sealed",
                "ask the operators to unlock it: `dta status`, then `dta unlock` by each holder",
            ),
            Self::HsmUnavailable => (
                "hsm-unavailable",
                503,
                "the HSM is unavailable",
                "check the `dta hsm` process and its token",
            ),
            Self::AuditUnavailable => (
                "audit-unavailable",
                503,
                "the audit log cannot be written",
                "check the disk under `audit/`, then restart the authority",
            ),
            Self::Overloaded => (
                "overloaded",
                503,
                "too much work at once",
                "repeat the request after the time in `Retry-After`",
            ),
            Self::AuthorityUnavailable => (
                "authority-unavailable",
                503,
                "the proxy cannot reach its authority",
                "check that `dta authority` runs and that `authority_socket` names its socket",
            ),
            Self::Internal => (
                "internal",
                500,
                "the D-TA itself went wrong",
                "repeat the request; if it happens again, report it with the time",
            ),
            Self::Malformed => (
                "malformed",
                400,
                "the request has not the documented shape",
                "compare the request with docs/api.md; the detail names the part",
            ),
            Self::TooLarge => (
                "too-large",
                413,
                "the request is too large",
                "send fewer identities at a time",
            ),
            Self::NotFound => (
                "not-found",
                404,
                "there is no such thing",
                "check the name, method and path against docs/api.md",
            ),
            Self::MethodNotAllowed => (
                "method-not-allowed",
                405,
                "this path takes another method",
                "use the method that `allow` names",
            ),
            Self::Conflict => (
                "conflict",
                409,
                "the present state does not allow this",
                "look at the present state first; nothing was changed",
            ),
            Self::Unsigned => (
                "unsigned",
                401,
                "the request carries no signature",
                "sign the request as docs/api.md shows",
            ),
            Self::BadSignature => (
                "bad-signature",
                401,
                "the signature does not fit",
                "compare `signature_base` with the one you signed, byte by byte",
            ),
            Self::InsufficientCoverage => (
                "insufficient-coverage",
                401,
                "the signature does not cover exactly what it must",
                "cover the components and parameters that the detail lists, and no others",
            ),
            Self::WrongAuthority => (
                "wrong-authority",
                403,
                "the request was signed for another D-TA",
                "send it to the D-TA whose id is in `dta-authority`, or pin this one's id",
            ),
            Self::Expired => (
                "expired",
                401,
                "the request's time window has passed",
                "sign the request afresh; if it happens again, check your clock",
            ),
            Self::TooEarly => (
                "too-early",
                401,
                "the request's time window has not begun",
                "check your clock against the D-TA's",
            ),
            Self::Replayed => (
                "replayed",
                409,
                "the nonce was used before",
                "sign every request afresh, with a new random nonce",
            ),
            Self::UnknownKey => (
                "unknown-key",
                401,
                "no customer has registered this signing key",
                "send your public key to the operators, who run `dta customer key add`",
            ),
            Self::Suspended => (
                "suspended",
                403,
                "the customer is suspended",
                "ask the operators of the D-TA",
            ),
            Self::NotPermitted => (
                "not-permitted",
                403,
                "this key may not do that",
                "use a key with that role, or ask the operators to grant it",
            ),
            Self::WrongDay => (
                "wrong-day",
                422,
                "the day is outside the permit window",
                "ask for days from today (UTC) on, as many as your limits allow",
            ),
            Self::Revoked => (
                "revoked",
                403,
                "the identity is revoked",
                "lift the revocation with a key that has that role, if it was a mistake",
            ),
            Self::RateLimited => (
                "rate-limited",
                429,
                "the rate limit is reached",
                "repeat the request after the time in `Retry-After`",
            ),
            Self::KeyUnknown => (
                "key-unknown",
                422,
                "there is no such master key",
                "ask `GET /v1/authority`, signed, for your live key versions",
            ),
            Self::KeyRequired => (
                "key-required",
                422,
                "several master keys are live",
                "name one in `key`; `GET /v1/authority`, signed, lists them",
            ),
            Self::ShareRefused => (
                "share-refused",
                403,
                "the quorum share was not accepted",
                "the verdict says why; shares accepted before are kept",
            ),
        }
    }
}

impl fmt::Display for ProblemType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One occurrence of a problem: the document of RFC 9457, with members `type`, `title`, `status`,
/// `detail` and extension members.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    kind: ProblemType,
    detail: String,
    extensions: Map<String, Value>,
}

impl Problem {
    /// A problem whose `detail` says what was wrong, where, and what was expected.
    pub fn new(kind: ProblemType, detail: impl Into<String>) -> Problem {
        Problem {
            kind,
            detail: detail.into(),
            extensions: Map::new(),
        }
    }

    /// Adds the member `signature_base`: the base that the verifier built, for comparison.
    #[must_use]
    pub fn with_signature_base(self, base: &str) -> Problem {
        self.with("signature_base", Value::from(base))
    }

    /// Adds the member `retry_after`, in seconds; the HTTP layer also sends `Retry-After`.
    #[must_use]
    pub fn with_retry_after(self, seconds: u32) -> Problem {
        self.with("retry_after", Value::from(seconds))
    }

    /// Adds the member `verdict` of a refused quorum share, e.g. `duplicate`.
    #[must_use]
    pub fn with_verdict(self, verdict: &str) -> Problem {
        self.with("verdict", Value::from(verdict))
    }

    /// Adds an extension member. Names of standard members are ignored: they have their own place.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Problem {
        if !STANDARD_MEMBERS.contains(&name) {
            self.extensions.insert(name.to_owned(), value);
        }
        self
    }

    /// The problem type.
    pub fn kind(&self) -> ProblemType {
        self.kind
    }

    /// The HTTP status code.
    pub fn status(&self) -> u16 {
        self.kind.status()
    }

    /// The explanation of this occurrence.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// An extension member.
    pub fn extension(&self, name: &str) -> Option<&Value> {
        self.extensions.get(name)
    }

    /// The signature base that the verifier built.
    pub fn signature_base(&self) -> Option<&str> {
        self.extension("signature_base")?.as_str()
    }

    /// Seconds after which a repetition makes sense.
    pub fn retry_after(&self) -> Option<u32> {
        u32::try_from(self.extension("retry_after")?.as_u64()?).ok()
    }

    /// The verdict on a refused quorum share.
    pub fn verdict(&self) -> Option<&str> {
        self.extension("verdict")?.as_str()
    }

    /// What whoever sees this can do about it.
    pub fn remedy(&self) -> Option<&'static str> {
        Some(self.kind.remedy())
    }

    /// The document, as canonical JSON.
    pub fn to_json(&self) -> Vec<u8> {
        self.to_value().to_string().into_bytes()
    }

    /// Reads a problem document. The `type` must be one of ours and `status` must be its status;
    /// a foreign `title` is ignored.
    ///
    /// # Errors
    /// [`NotAProblem`] says which member is missing or wrong.
    pub fn from_json(bytes: &[u8]) -> Result<Problem, NotAProblem> {
        let value: Value =
            serde_json::from_slice(bytes).map_err(|e| NotAProblem(format!("not JSON: {e}")))?;
        Self::from_value(value)
    }

    fn to_value(&self) -> Value {
        let mut members = self.extensions.clone();
        members.insert("type".into(), self.kind.uri().into());
        members.insert("title".into(), self.kind.title().into());
        members.insert("status".into(), self.kind.status().into());
        members.insert("detail".into(), self.detail.clone().into());
        let mut value = Value::Object(members);
        value.sort_all_objects();
        value
    }

    fn from_value(value: Value) -> Result<Problem, NotAProblem> {
        let Value::Object(mut members) = value else {
            return Err(NotAProblem("expected a JSON object".into()));
        };
        let Some(Value::String(uri)) = members.remove("type") else {
            return Err(NotAProblem("member `type` is missing".into()));
        };
        let kind = ProblemType::from_uri(&uri)
            .ok_or_else(|| NotAProblem(format!("unknown problem type {uri:?}")))?;
        if members.remove("status").and_then(|status| status.as_u64()) != Some(kind.status().into())
        {
            let status = kind.status();
            return Err(NotAProblem(format!(
                "member `status` must be {status} for {uri}"
            )));
        }
        let Some(Value::String(detail)) = members.remove("detail") else {
            return Err(NotAProblem("member `detail` is missing".into()));
        };
        members.remove("title");
        Ok(Problem {
            kind,
            detail,
            extensions: members,
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.detail)
    }
}

impl std::error::Error for Problem {}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Problem {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Problem::from_value(Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// The bytes are not a problem document of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a problem document: {0}")]
pub struct NotAProblem(String);

const STANDARD_MEMBERS: [&str; 4] = ["type", "title", "status", "detail"];

#[cfg(test)]
#[path = "problem_tests.rs"]
mod tests;
