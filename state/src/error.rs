//! Why a state directory cannot be made, opened, read, written or changed.

use std::io;
use std::path::PathBuf;

use mpin::Suite;
use quorum::ChainError;

use crate::anchor::AnchorError;
use crate::customer::{CustomerStatus, PublicKeyError};
use crate::names::{CustomerId, KeyId};
use crate::seal::SealError;

/// Why a state directory cannot be made, opened, read or written. Carries no secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// Another process has the directory.
    #[error("the state directory {path} is in use{}", by(*pid), path = path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The process that wrote its id into the lock file.
        pid: Option<u32>,
    },
    /// There is no D-TA here yet.
    #[error("there is no state.db in {path}", path = path.display())]
    Missing {
        /// The directory.
        path: PathBuf,
    },
    /// There is a D-TA here already.
    #[error("{path} already holds a state.db, and nothing is overwritten", path = path.display())]
    Exists {
        /// The directory.
        path: PathBuf,
    },
    /// Others may enter the directory.
    #[error("{path} is open to other users (mode {mode:o})", path = path.display())]
    NotPrivate {
        /// The directory or file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Written by a newer program.
    #[error("state.db has schema version {found}, this program knows version {known}")]
    NewerSchema {
        /// The version found.
        found: i64,
        /// The version known.
        known: i64,
    },
    /// Not the database of a state directory, or one with additions.
    #[error("state.db is not as this program made it: {detail}")]
    NotState {
        /// What is different.
        detail: String,
    },
    /// A file could not be made, read or written.
    #[error("cannot {doing} {path}", path = path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The disk is full.
    #[error("the disk is full: {doing} in state.db did not happen")]
    DiskFull {
        /// What was being done.
        doing: &'static str,
    },
    /// SQLite failed.
    #[error("state.db failed while {doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The content is damaged or makes no sense.
    #[error("state.db is damaged: {detail}")]
    Corrupt {
        /// Where.
        detail: String,
    },
    /// The manifest chain does not verify.
    #[error("the manifest chain in state.db does not verify")]
    Chain(#[from] ChainError),
    /// The token does not fit the disk.
    #[error(transparent)]
    Anchor(#[from] AnchorError),
    /// A protected row was added or changed by hand.
    #[error("row {key} of table {table} in state.db was added or changed by hand")]
    TamperedRow {
        /// The table.
        table: &'static str,
        /// The row's key.
        key: String,
    },
    /// A protected table was changed by hand.
    #[error("table {table} in state.db was changed by hand: {detail}")]
    TamperedTable {
        /// The table.
        table: &'static str,
        /// In which way.
        detail: String,
    },
    /// An older copy of the database.
    #[error(
        "state.db is at generation {disk} and the audit log has seen generation {log}: an older copy was put back"
    )]
    OlderThanLog {
        /// The generation of the database.
        disk: u64,
        /// The last generation in the log.
        log: u64,
    },
    /// The audit log lacks changes.
    #[error(
        "state.db is at generation {disk} and the audit log has seen only generation {log}: entries are missing from the log"
    )]
    LogIsBehind {
        /// The generation of the database.
        disk: u64,
        /// The last generation in the log.
        log: u64,
    },
    /// The sealing key is of another D-TA or epoch.
    #[error("the sealing key is not the one of this directory's current epoch")]
    OtherSealingKey,
    /// Something sealed does not open.
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl StateError {
    /// What the operator can do about it; printed after `try:`.
    pub fn remedy(&self) -> Option<&'static str> {
        Some(match self {
            Self::InUse { .. } => "stop the other process first; only one may use the directory",
            Self::Missing { .. } => {
                "run `dta ceremony run`, or check `state_dir` in authority.toml"
            }
            Self::Exists { .. } => "give another directory; a D-TA is never made over another",
            Self::NotPrivate { .. } => {
                "chmod 700 the directory and chmod 600 state.db, then look into who could read it"
            }
            Self::NewerSchema { .. } => "use the newer version of dta that wrote it",
            Self::DiskFull { .. } => {
                "free some space and repeat the command; state.db is as it was before"
            }
            Self::NotState { .. } | Self::Corrupt { .. } | Self::Chain(_) => {
                "restore state.db from the latest backup"
            }
            Self::TamperedRow { .. } | Self::TamperedTable { .. } => {
                "do not serve from this directory: restore state.db from the latest backup, and look into who could write it"
            }
            Self::OlderThanLog { .. } => {
                "put back the latest copy of the state directory, not an older one"
            }
            Self::LogIsBehind { .. } => {
                "put back the latest copy of the audit log, not an older one"
            }
            Self::Anchor(error) => return error.remedy(),
            Self::Seal(error) => return error.remedy(),
            Self::Io { .. } | Self::Database { .. } | Self::OtherSealingKey => return None,
        })
    }

    /// The exit code of a command that ends with this: 6 for a conflict, 4 for a failed check, else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::InUse { .. } | Self::Exists { .. } | Self::NewerSchema { .. } => 6,
            Self::NotPrivate { .. }
            | Self::NotState { .. }
            | Self::Corrupt { .. }
            | Self::Chain(_)
            | Self::Anchor(_)
            | Self::TamperedRow { .. }
            | Self::TamperedTable { .. }
            | Self::OlderThanLog { .. }
            | Self::LogIsBehind { .. }
            | Self::OtherSealingKey
            | Self::Seal(_) => 4,
            Self::Missing { .. }
            | Self::Io { .. }
            | Self::DiskFull { .. }
            | Self::Database { .. } => 1,
        }
    }

    /// What SQLite said, in our words.
    pub(crate) fn database(doing: &'static str, source: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull { doing },
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::Corrupt {
                detail: source.to_string(),
            },
            _ => Self::Database { doing, source },
        }
    }
}

/// Why a change was not made. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// No such customer.
    #[error("there is no customer {id}")]
    UnknownCustomer {
        /// The name.
        id: CustomerId,
    },
    /// The name is taken.
    #[error("there already is a customer {id}")]
    CustomerExists {
        /// The name.
        id: CustomerId,
    },
    /// Nothing to change.
    #[error("customer {id} is {status} already")]
    StatusAlready {
        /// The name.
        id: CustomerId,
        /// The status.
        status: CustomerStatus,
    },
    /// No such key.
    #[error("there is no signing key {keyid}")]
    UnknownKey {
        /// The key's id.
        keyid: KeyId,
    },
    /// The key is registered, for this customer or another.
    #[error("signing key {keyid} is registered already, for customer {customer}")]
    KeyExists {
        /// The key's id.
        keyid: KeyId,
        /// Whose it is.
        customer: CustomerId,
    },
    /// Revoked before.
    #[error("signing key {keyid} was revoked before")]
    AlreadyRevoked {
        /// The key's id.
        keyid: KeyId,
    },
    /// A key that may do nothing.
    #[error("signing key {keyid} has no role")]
    NoRole {
        /// The key's id.
        keyid: KeyId,
    },
    /// A key that is never valid.
    #[error("signing key {keyid} ends before it begins")]
    NeverValid {
        /// The key's id.
        keyid: KeyId,
    },
    /// Public bytes of a wrong shape.
    #[error(transparent)]
    PublicKey(#[from] PublicKeyError),
    /// The policy does not list the suite.
    #[error("the policy does not allow suite {suite}")]
    SuiteNotAllowed {
        /// The suite.
        suite: Suite,
    },
    /// The state directory.
    #[error(transparent)]
    State(#[from] StateError),
}

impl ChangeError {
    /// What the operator can do about it; printed after `try:`.
    pub fn remedy(&self) -> Option<&'static str> {
        Some(match self {
            Self::UnknownCustomer { .. } | Self::UnknownKey { .. } => "dta customer list",
            Self::CustomerExists { .. } => "choose another name; names are never used again",
            Self::KeyExists { .. } | Self::AlreadyRevoked { .. } => {
                "make a new key pair; a key belongs to one customer and is revoked for good"
            }
            Self::NoRole { .. } => {
                "name at least one role: enrol, permit, server-share, revoke, ticket"
            }
            Self::SuiteNotAllowed { .. } => "allow the suite in the customer's policy, or use RO",
            Self::State(error) => return error.remedy(),
            Self::StatusAlready { .. } | Self::NeverValid { .. } | Self::PublicKey(_) => {
                return None;
            }
        })
    }

    /// The exit code of a command that ends with this: 6 for a conflict, else that of the state error
    /// or 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::CustomerExists { .. }
            | Self::StatusAlready { .. }
            | Self::KeyExists { .. }
            | Self::AlreadyRevoked { .. } => 6,
            Self::State(error) => error.exit_code(),
            _ => 1,
        }
    }
}

fn by(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" by process {pid}"))
        .unwrap_or_default()
}
