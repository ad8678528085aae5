//! Bodies of the calls under `/v1`.
//!
//! **Requests** are parsed strictly: exactly one JSON object, no member twice, no unknown member,
//! every error naming its field and what was expected there ([`FieldError`], which becomes a
//! `malformed` problem). **Replies** are authenticated by the response signature before they are
//! parsed; a member that this version does not know is ignored there, so that a D-TA may say more
//! without breaking its clients.
//!
//! A share in a reply is secret: [`ShareHex`] is wiped on drop and prints nothing.

mod authority;
mod fields;
mod object;
mod shares;

pub use authority::{
    AuthorityInfo, CustomerInfo, CustomerStatus, Limits, MasterKeyInfo, NodeKeyInfo, Role,
};
pub use fields::{
    AuthorityIdHex, Blind, CommitmentHex, Encoding, FieldError, IdentityHex, KeyVersion,
    PermitDate, ProofHex, ShareHex, Suite,
};
pub use object::Fields;
pub use shares::{
    ClientShareReply, ClientShareRequest, IssuedPermit, ServerShareReply, ServerShareRequest,
    TimePermitReply, TimePermitRequest,
};

/// `POST`: a client share for one identity.
pub const CLIENT_SHARES_PATH: &str = "/v1/client-shares";
/// `POST`: the server share of one master key.
pub const SERVER_SHARES_PATH: &str = "/v1/server-shares";
/// `POST`: time permits for some identities and days.
pub const TIME_PERMITS_PATH: &str = "/v1/time-permits";
/// `GET`: who this D-TA is; signed: also what the caller may do here.
pub const AUTHORITY_PATH: &str = "/v1/authority";
/// The media type of every request body and every positive reply.
pub const JSON_MEDIA_TYPE: &str = "application/json";

/// The longest body of a request in bytes, other than for time permits.
pub const MAX_BODY: usize = 64 * 1024;
/// The longest body of a request for time permits in bytes.
pub const MAX_TIME_PERMITS_BODY: usize = 256 * 1024;
/// The most identities in one request for time permits; policy may allow fewer.
pub const MAX_IDENTITIES: usize = 1000;
/// The most permits in one reply that carries a proof: what one proof of `mpin` covers.
pub const MAX_PROVEN_PERMITS: usize = 256;
/// The most days in one request for time permits; policy may allow fewer.
pub const MAX_DAYS: u8 = 31;

/// The context of every proof in a reply (`mpin`'s `MasterSecret::prove` and `ShareProof::verify`):
/// `dta share proof v1`, then authority id (64 hex digits), key version and suite, each on a line
/// of its own and each line ended by a line feed. Authority and client build it here.
pub fn share_proof_context(authority: &AuthorityIdHex, key: KeyVersion, suite: Suite) -> Vec<u8> {
    format!("dta share proof v1\n{authority}\n{key}\n{suite}\n").into_bytes()
}

#[cfg(test)]
mod tests;
