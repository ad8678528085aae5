//! Requests and replies of the three calls that issue: client shares, server shares, time permits.

use std::collections::HashSet;
use std::io;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::fields::{
    Blind, CommitmentHex, Encoding, FieldError, IdentityHex, KeyVersion, PermitDate, ProofHex,
    ShareHex,
};
use super::object::Fields;
use super::{MAX_DAYS, MAX_IDENTITIES, MAX_PROVEN_PERMITS};

/// Body of `POST /v1/client-shares`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClientShareRequest {
    /// SHA-256 of the `mpin_id`.
    pub identity: IdentityHex,
    /// The master key; absent: the only live one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyVersion>,
    /// How the share is to be written; absent: compressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
    /// Whether the reply is to carry a proof that the share fits the commitment.
    #[serde(skip_serializing_if = "is_false")]
    pub proof: bool,
}

impl ClientShareRequest {
    /// Reads a body, strictly.
    ///
    /// # Errors
    /// [`FieldError`] names the field and what was expected.
    pub fn parse(body: &[u8]) -> Result<Self, FieldError> {
        let mut fields = Fields::parse(body)?;
        let request = ClientShareRequest {
            identity: fields.required("identity")?,
            key: fields.optional("key")?,
            encoding: fields.optional("encoding")?,
            proof: fields.flag("proof")?,
        };
        fields.finish()?;
        Ok(request)
    }

    /// The body, as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        to_json(self)
    }
}

/// Body of the reply to [`ClientShareRequest`].
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientShareReply {
    /// `s * A`, `A = H1(identity)`: G1 in the encoding asked for, 48 bytes if compressed.
    pub share: ShareHex,
    /// The master key it was made with.
    pub key: KeyVersion,
    /// That key's commitment. A client compares it with the one it pinned, and believes the pin.
    pub commitment: CommitmentHex,
    /// The proof, if one was asked for; its context is [`super::share_proof_context`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<ProofHex>,
    /// 32 random bytes.
    pub blind: Blind,
}

impl ClientShareReply {
    /// Reads a body whose response signature has been verified.
    ///
    /// # Errors
    /// [`FieldError`] says what does not fit.
    pub fn parse(body: &[u8]) -> Result<Self, FieldError> {
        from_json(body)
    }

    /// The body, as JSON: secret, wiped on drop.
    pub fn to_json(&self) -> Zeroizing<Vec<u8>> {
        to_secret_json(self)
    }
}

/// Body of `POST /v1/server-shares`; an empty object is enough.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ServerShareRequest {
    /// The master key; absent: the only live one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyVersion>,
    /// How the share is to be written; absent: compressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
}

impl ServerShareRequest {
    /// Reads a body, strictly.
    ///
    /// # Errors
    /// [`FieldError`] names the field and what was expected.
    pub fn parse(body: &[u8]) -> Result<Self, FieldError> {
        let mut fields = Fields::parse(body)?;
        let request = ServerShareRequest {
            key: fields.optional("key")?,
            encoding: fields.optional("encoding")?,
        };
        fields.finish()?;
        Ok(request)
    }

    /// The body, as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        to_json(self)
    }
}

/// Body of the reply to [`ServerShareRequest`].
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerShareReply {
    /// `s * Q`: G2 in the encoding asked for, 96 bytes if compressed. It needs no proof: a pairing
    /// checks it against the commitment.
    pub share: ShareHex,
    /// The master key it was made with.
    pub key: KeyVersion,
    /// That key's commitment.
    pub commitment: CommitmentHex,
    /// 32 random bytes.
    pub blind: Blind,
}

impl ServerShareReply {
    /// Reads a body whose response signature has been verified.
    ///
    /// # Errors
    /// [`FieldError`] says what does not fit.
    pub fn parse(body: &[u8]) -> Result<Self, FieldError> {
        from_json(body)
    }

    /// The body, as JSON: secret, wiped on drop.
    pub fn to_json(&self) -> Zeroizing<Vec<u8>> {
        to_secret_json(self)
    }
}

/// Body of `POST /v1/time-permits`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TimePermitRequest {
    /// 1 to 1,000 identities, none twice.
    pub identities: Vec<IdentityHex>,
    /// The first day, in UTC.
    pub from: PermitDate,
    /// How many days from then on: 1 to 31.
    pub days: u8,
    /// The master key; absent: the only live one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyVersion>,
    /// How the shares are to be written; absent: compressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
    /// Whether the reply is to carry a proof over all its permits, of which there may then be 256.
    #[serde(skip_serializing_if = "is_false")]
    pub proof: bool,
}

impl TimePermitRequest {
    /// Reads a body, strictly.
    ///
    /// # Errors
    /// [`FieldError`] names the field and what was expected.
    pub fn parse(body: &[u8]) -> Result<Self, FieldError> {
        let mut fields = Fields::parse(body)?;
        let request = TimePermitRequest {
            identities: fields.required_list("identities", MAX_IDENTITIES)?,
            from: fields.required("from")?,
            days: fields.required_count("days", MAX_DAYS)?,
            key: fields.optional("key")?,
            encoding: fields.optional("encoding")?,
            proof: fields.flag("proof")?,
        };
        fields.finish()?;
        let mut seen = HashSet::new();
        if let Some(at) = request.identities.iter().position(|one| !seen.insert(one)) {
            return Err(FieldError::new(
                format!("identities[{at}]"),
                "was listed before",
            ));
        }
        if request.from.plus_days(request.days.into()).is_none() {
            return Err(FieldError::new("days", "reaches beyond the year 9999"));
        }
        let permits = request.identities.len() * usize::from(request.days);
        if request.proof && permits > MAX_PROVEN_PERMITS {
            let reason =
                format!("covers at most {MAX_PROVEN_PERMITS} permits, asked for {permits}");
            return Err(FieldError::new("proof", reason));
        }
        Ok(request)
    }

    /// The body, as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        to_json(self)
    }

    /// Every identity and day asked for, in the order of the reply: identity by identity, the days
    /// of each in a row.
    pub fn permits(&self) -> impl Iterator<Item = (IdentityHex, PermitDate)> + '_ {
        self.identities.iter().flat_map(move |identity| {
            (0..u32::from(self.days))
                .filter_map(move |offset| self.from.plus_days(offset).map(|day| (*identity, day)))
        })
    }
}

/// One permit of a [`TimePermitReply`].
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedPermit {
    /// Whose.
    pub identity: IdentityHex,
    /// For which day, in UTC.
    pub day: PermitDate,
    /// `s * A_T`, `A_T = H1(day, identity)`: G1 in the encoding asked for.
    pub share: ShareHex,
}

/// Body of the reply to [`TimePermitRequest`].
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimePermitReply {
    /// One for each of [`TimePermitRequest::permits`], in that order.
    pub permits: Vec<IssuedPermit>,
    /// The master key they were made with.
    pub key: KeyVersion,
    /// That key's commitment.
    pub commitment: CommitmentHex,
    /// One proof over all permits in order, if one was asked for; its context is
    /// [`super::share_proof_context`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<ProofHex>,
    /// 32 random bytes.
    pub blind: Blind,
}

impl TimePermitReply {
    /// Reads a body whose response signature has been verified.
    ///
    /// # Errors
    /// [`FieldError`] says what does not fit.
    pub fn parse(body: &[u8]) -> Result<Self, FieldError> {
        from_json(body)
    }

    /// The body, as JSON: secret, wiped on drop.
    pub fn to_json(&self) -> Zeroizing<Vec<u8>> {
        to_secret_json(self)
    }
}

// `skip_serializing_if` passes a reference.
fn is_false(flag: &bool) -> bool {
    !flag
}

pub(super) fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("bodies hold strings, integers and booleans only")
}

/// As [`to_json`], into memory of the right size: a vector that grows leaves copies of shares behind.
fn to_secret_json<T: Serialize>(value: &T) -> Zeroizing<Vec<u8>> {
    let holds = "bodies hold strings, integers and booleans only";
    let mut length = Length(0);
    serde_json::to_writer(&mut length, value).expect(holds);
    let mut json = Zeroizing::new(Vec::with_capacity(length.0));
    serde_json::to_writer(&mut *json, value).expect(holds);
    json
}

/// Counts what is written.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn from_json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, FieldError> {
    serde_json::from_slice(body).map_err(|error| FieldError::new("body", error.to_string()))
}
