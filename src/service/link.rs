//! The protocol between proxy and authority: HTTP/2 with prior knowledge, over a Unix socket now and
//! mTLS later.
//!
//! Customers' requests travel as they came. Beside them stand two internal calls: the authority
//! streams [`Snapshot`]s, one JSON object per line, and the proxy reports the [`RefusalReport`] of a minute.
//! The snapshot lets a proxy refuse early; it authorises nothing, since the authority decides again.

use serde::{Deserialize, Serialize};

/// `GET`: the stream of snapshots, one at once and one after each change.
pub(crate) const REGISTRY_PATH: &str = "/internal/v1/registry";

/// `POST`: the counters of refusals of one minute.
pub(crate) const REFUSALS_PATH: &str = "/internal/v1/refusals";

/// The prefix of what only a proxy may call, and what no customer may reach through one.
pub(crate) const INTERNAL_PREFIX: &str = "/internal/";

/// What a proxy must know to refuse early.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Snapshot {
    /// The id that requests must name in `dta-authority`, 64 hex digits.
    pub(crate) authority_id: String,
    /// `host[:port]` as the authority expects it signed; a proxy configured otherwise says so.
    pub(crate) public_authority: String,
    /// Absent while sealed: nothing is issued. Else every signing key that has not been revoked, of
    /// suspended customers too: the authority itself refuses those, with a signed reply and an audit
    /// entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) keys: Option<Vec<PublicKeyRow>>,
}

/// One registered signing key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PublicKeyRow {
    /// PEM `PUBLIC KEY`; key id and algorithm follow from it.
    pub(crate) pem: String,
}

/// How often a proxy refused, before a valid signature, during one minute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefusalReport {
    /// Unix seconds at which the minute began.
    pub(crate) minute: u64,
    /// Problem type name to number of refusals.
    pub(crate) counts: std::collections::BTreeMap<String, u64>,
}
