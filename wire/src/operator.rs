//! The operator socket: one JSON object per line, in both directions.
//!
//! Request `{"v":1,"id":7,"op":"customer-show","name":"acme"}`; reply `{"id":7,"ok":{...}}` or
//! `{"id":7,"problem":{...}}` with the problem types of HTTP. Requests with an unknown operation,
//! an unknown member or a member of another operation are refused. Unlock sessions and envelopes
//! travel as JSON values that `ceremony` defines; here they are opaque.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::api::{CustomerStatus, Fields, KeyVersion, Role, Suite};
use crate::problem::{Problem, ProblemType};

/// The version of this protocol.
pub const VERSION: u64 = 1;
/// The longest request in bytes, its line feed not counted.
pub const MAX_LINE: usize = 1024 * 1024;
/// The longest reply in bytes, its line feed not counted: a list of 40,000 customers.
pub const MAX_REPLY: usize = 64 * 1024 * 1024;

/// One request.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Chosen by the caller; comes back in the reply.
    pub id: u64,
    /// What is to be done.
    pub op: Op,
}

/// What an operator can ask for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Op {
    /// The state of the authority: [`StatusReport`].
    Status {},
    /// Opens an unlock session: [`SessionReply`].
    SessionOpen {
        /// What the shares will be used for: `unlock`; holders are shown it.
        purpose: String,
        /// How long it stays open, 1 to 1440; what the configuration says if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        minutes: Option<u16>,
    },
    /// The open session: [`SessionReply`].
    SessionGet {},
    /// Ends the open session and wipes the shares it holds: [`StatusReport`].
    SessionClose {},
    /// Submits one sealed and signed share: [`ShareReply`].
    ShareSubmit {
        /// The session the holder signed, as it was received.
        session: Value,
        /// The envelope that `ceremony` defines.
        envelope: Value,
    },
    /// Wipes the unlocked secrets: [`StatusReport`].
    Lock {},
    /// The manifest chain: [`ManifestChainReply`].
    ManifestChain {},
    /// Deals a new set as a plan says and asks the holders for it: [`ReshareReply`].
    ReshareOpen {
        /// The text of the plan.
        plan: String,
    },
    /// Submits an old holder's share and signature for the open reshare: [`ReshareProgress`].
    ReshareConsent {
        /// The envelope that `ceremony` defines.
        envelope: Value,
        /// The holder's signature over the proposed manifest, as `quorum` defines it.
        signature: Value,
    },
    /// Submits a new holder's confirmation: [`ReshareProgress`].
    ReshareConfirm {
        /// The confirmation that `ceremony` defines.
        confirmation: Value,
    },
    /// Submits an old holder's waiver of a new holder's confirmation: [`ReshareProgress`].
    ReshareWaive {
        /// The waiver that `ceremony` defines.
        waiver: Value,
    },
    /// Commits the open reshare: [`ReshareDone`].
    ReshareCommit {},
    /// Ends the open reshare without effect: [`StatusReport`].
    ReshareAbort {},
    /// Registers a customer and makes its first master key: [`CustomerReport`].
    CustomerAdd {
        /// The customer's name: 1 to 64 of `a-z 0-9 -`, beginning with a letter or digit.
        name: String,
        /// Its first signing key, PEM `PUBLIC KEY`.
        key_pem: String,
        /// The suite of its first master key.
        suite: Suite,
        /// The roles of the signing key; empty: all.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        roles: Vec<Role>,
    },
    /// All customers: [`CustomerListReply`].
    CustomerList {},
    /// One customer: [`CustomerReport`].
    CustomerShow {
        /// The customer's name.
        name: String,
    },
    /// Stops serving a customer: [`CustomerReport`].
    CustomerSuspend {
        /// The customer's name.
        name: String,
    },
    /// Serves a suspended customer again: [`CustomerReport`].
    CustomerResume {
        /// The customer's name.
        name: String,
    },
    /// Registers a further signing key: [`CustomerReport`].
    KeyAdd {
        /// The customer's name.
        name: String,
        /// The key, PEM `PUBLIC KEY`.
        key_pem: String,
        /// Its roles; empty: all.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        roles: Vec<Role>,
    },
    /// Revokes a signing key: [`CustomerReport`].
    KeyRevoke {
        /// The customer's name.
        name: String,
        /// The key's `keyid`.
        keyid: String,
    },
}

impl Request {
    /// Reads one line, with or without its line feed.
    ///
    /// # Errors
    /// A `malformed` problem that names what does not fit; the caller answers it under id 0.
    pub fn parse(line: &[u8]) -> Result<Request, Problem> {
        let malformed = |detail: String| Problem::new(ProblemType::Malformed, detail);
        // Read twice: once for members that occur twice, once for the values.
        Fields::parse(line)?;
        let mut members: Map<String, Value> =
            serde_json::from_slice(line).map_err(|error| malformed(error.to_string()))?;
        match members.remove("v") {
            Some(version) if version == VERSION => {}
            _ => return Err(malformed(format!("field `v`: expected {VERSION}"))),
        }
        let id = members
            .remove("id")
            .and_then(|id| id.as_u64())
            .ok_or_else(|| malformed("field `id`: expected a number from 0 on".into()))?;
        let op = Op::deserialize(Value::Object(members)).map_err(|e| malformed(e.to_string()))?;
        Ok(Request { id, op })
    }

    /// The request as one line, with its line feed.
    pub fn to_line(&self) -> Vec<u8> {
        let mut value = serde_json::to_value(&self.op).expect("operations are plain JSON");
        value["v"] = VERSION.into();
        value["id"] = self.id.into();
        line_of(&value)
    }
}

/// One reply.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The id of the request.
    pub id: u64,
    /// What came of it.
    pub result: Result<Value, Problem>,
}

impl Reply {
    /// A positive reply.
    pub fn ok<T: Serialize>(id: u64, value: &T) -> Reply {
        let result = serde_json::to_value(value)
            .map_err(|error| Problem::new(ProblemType::Internal, error.to_string()));
        Reply { id, result }
    }

    /// A negative reply.
    pub fn problem(id: u64, problem: Problem) -> Reply {
        let result = Err(problem);
        Reply { id, result }
    }

    /// Reads one line, with or without its line feed.
    ///
    /// # Errors
    /// A `malformed` problem that says what does not fit.
    pub fn parse(line: &[u8]) -> Result<Reply, Problem> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Members {
            id: u64,
            ok: Option<Value>,
            problem: Option<Problem>,
        }
        let malformed = |detail: String| Problem::new(ProblemType::Malformed, detail);
        let members: Members =
            serde_json::from_slice(line).map_err(|error| malformed(error.to_string()))?;
        let result = match (members.ok, members.problem) {
            (Some(value), None) => Ok(value),
            (None, Some(problem)) => Err(problem),
            _ => return Err(malformed("expected either `ok` or `problem`".into())),
        };
        Ok(Reply {
            id: members.id,
            result,
        })
    }

    /// The reply as one line, with its line feed.
    pub fn to_line(&self) -> Vec<u8> {
        let value = match &self.result {
            Ok(value) => serde_json::json!({"id": self.id, "ok": value}),
            Err(problem) => serde_json::json!({"id": self.id, "problem": problem}),
        };
        line_of(&value)
    }

    /// The value of a positive reply, as the type that belongs to the operation.
    ///
    /// # Errors
    /// The problem of a negative reply; `malformed` if the value is of another type.
    pub fn into_ok<T: DeserializeOwned>(self) -> Result<T, Problem> {
        serde_json::from_value(self.result?)
            .map_err(|error| Problem::new(ProblemType::Malformed, error.to_string()))
    }
}

/// `dta status --json`, and the reply to `status` and `lock`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusReport {
    /// Sealed, unlocking or unlocked.
    pub state: AuthorityState,
    /// The unlock set.
    pub set: SetReport,
    /// Whose shares the open session has accepted, by index.
    pub accepted: Vec<AcceptedShare>,
    /// The open unlock session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionReport>,
    /// Whether the HSM answers with the right key.
    pub hsm: HsmState,
    /// Why it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hsm_reason: Option<String>,
    /// The audit log.
    pub audit: AuditReport,
    /// The version of the running `dta`.
    pub version: String,
}

/// The states of an authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthorityState {
    /// Nothing is unlocked and no session is open.
    Sealed,
    /// A session is open and collects shares.
    Unlocking,
    /// Issuing.
    Unlocked,
}

/// An unlock set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetReport {
    /// The set id, 16 bytes in hex.
    pub id: String,
    /// The epoch.
    pub epoch: u32,
    /// How many shares unlock.
    pub m: u8,
    /// How many there are.
    pub n: u8,
}

/// An accepted share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedShare {
    /// Its index.
    pub index: u8,
    /// Its holder's name.
    pub holder: String,
}

/// An open unlock session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionReport {
    /// Its id.
    pub id: String,
    /// When it ends: seconds since 1970, by the authority's clock.
    pub expires: u64,
    /// In how many seconds it ends, whatever happened to that clock since.
    #[serde(default)]
    pub left: u64,
}

/// What is known of the HSM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HsmState {
    /// It answers with the right key.
    Ready,
    /// It does not.
    Unavailable,
}

/// What is known of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditReport {
    /// How many entries it has.
    pub size: u64,
    /// Whether entries can be written.
    pub state: AuditState,
    /// Why they cannot: `clock-fault`, `disk-full` or `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Whether entries can be written to the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditState {
    /// They can.
    Ready,
    /// They cannot, so nothing is issued.
    Blocked,
}

/// The reply to `session-open` and `session-get`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionReply {
    /// The signed session document that `ceremony` defines.
    pub session: Value,
}

/// The reply to `share-submit` when the share was accepted; otherwise the problem `share-refused`
/// with its `verdict`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareReply {
    /// `accepted`.
    pub verdict: String,
    /// The share that was accepted.
    pub share: AcceptedShare,
    /// The state now: `unlocking` while shares are missing.
    pub status: StatusReport,
}

/// The reply to `reshare-open`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReshareReply {
    /// The signed session document that `ceremony` defines, with the purpose `reshare`.
    pub session: Value,
    /// The signed proposal that `ceremony` defines.
    pub proposal: Value,
    /// The new shares as share files, each sealed to its holder, in the order of their indexes.
    pub shares: Vec<String>,
}

/// The reply to whatever brings a reshare further.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReshareProgress {
    /// What is still missing, in words; absent when it can be committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

/// The reply to `reshare-commit`: from now on only the new set opens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReshareDone {
    /// The signed manifests, genesis first, the new one last.
    pub chain: Vec<Value>,
    /// The labels of the seal keys that were destroyed, each verified to be gone.
    pub destroyed: Vec<String>,
    /// Why an old seal key is not destroyed yet; the authority tries again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfinished: Option<String>,
}

/// The reply to `manifest-chain`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManifestChainReply {
    /// The signed manifests that `quorum` defines, genesis first.
    pub chain: Vec<Value>,
}

/// The reply to `customer-list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerListReply {
    /// All customers, by name.
    pub customers: Vec<CustomerReport>,
}

/// What the registry holds of one customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerReport {
    /// The name.
    pub name: String,
    /// Active or suspended.
    pub status: CustomerStatus,
    /// The master keys, oldest first.
    pub keys: Vec<crate::api::MasterKeyInfo>,
    /// The signing keys, oldest first.
    pub signing_keys: Vec<SigningKeyReport>,
    /// What the customer puts into its customer.toml to pin this D-TA and its keys.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub customer_toml: String,
}

impl CustomerReport {
    /// The master key of this version.
    pub fn key(&self, version: KeyVersion) -> Option<&crate::api::MasterKeyInfo> {
        self.keys.iter().find(|info| info.key == version)
    }
}

/// What the registry holds of one signing key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKeyReport {
    /// The `keyid`.
    pub keyid: String,
    /// `ed25519` or `ecdsa-p256-sha256`.
    pub alg: String,
    /// What the key may ask for.
    pub roles: Vec<Role>,
    /// Whether it has been revoked.
    pub revoked: bool,
}

fn line_of(value: &Value) -> Vec<u8> {
    let mut line = value.to_string().into_bytes();
    line.push(b'\n');
    line
}

#[cfg(test)]
#[path = "operator_tests.rs"]
mod tests;
