//! The errors of the log's operations, each with what a person can do about it.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::checkpoint::CheckpointFault;
use crate::note::NoteError;
use crate::reader::ReadError;
use crate::{BadEntry, Hash, HeaderFault, Timestamp};

/// An event was not logged; what it records must not happen.
///
/// After [`AppendError::TimedOut`] the entry may still reach the log: an entry without its reply is
/// harmless, a reply without its entry never leaves.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// Writing or syncing failed, now or earlier; the log stays blocked until it is opened anew.
    #[error("the audit log is blocked: {operation} entry {index} failed")]
    Blocked {
        /// `writing` or `syncing`.
        operation: &'static str,
        /// The first entry that could not be made durable.
        index: u64,
        /// What the operating system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// The disk did not answer in time.
    #[error("the audit log did not become durable within {} ms", after.as_millis())]
    TimedOut {
        /// How long the event waited.
        after: Duration,
    },
    /// Too many events are waiting for the disk.
    #[error("{waiting} events are waiting for the audit log already")]
    QueueFull {
        /// How many.
        waiting: usize,
    },
    /// The wall clock is before the last entry; nothing is issued.
    #[error("the clock says {wall}, which is before the last audit entry, {last}")]
    ClockBehind {
        /// The wall clock.
        wall: Timestamp,
        /// The time of the last entry.
        last: Timestamp,
    },
    /// The wall clock left the monotonic clock by five minutes or more; nothing is issued.
    #[error("the clock jumped to {wall}, expected about {expected}")]
    ClockJumped {
        /// The wall clock.
        wall: Timestamp,
        /// What the monotonic clock says it should be.
        expected: Timestamp,
    },
    /// The entry would be too long.
    #[error("the entry has {length} bytes, at most 65535 are allowed")]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// A number in the event is 2^53 or more.
    #[error("the event holds a number that canonical JSON cannot carry")]
    NotRepresentable,
    /// The log is being closed, or its writer died.
    #[error("the audit log is closed")]
    Closed,
}

impl AppendError {
    /// What a person can do about it.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Blocked { source, .. } if is_disk_full(source) => {
                Some("free space on the disk of the audit log, then restart the authority")
            }
            Self::Blocked { .. } => Some(
                "see to the disk of the audit log, run `dta audit verify`, then restart the authority",
            ),
            Self::TimedOut { .. } | Self::QueueFull { .. } => {
                Some("look at the load and the health of the disk of the audit log")
            }
            Self::ClockBehind { .. } => Some("set the machine's clock; issuing resumes by itself"),
            Self::ClockJumped { .. } => {
                Some("set the machine's clock; if it is right now, restart the authority")
            }
            Self::TooLong { .. } | Self::NotRepresentable | Self::Closed => None,
        }
    }
}

/// A checkpoint was not made or not kept.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The node key did not sign.
    #[error("the audit checkpoint could not be signed")]
    Signer(#[source] Box<dyn Error + Send + Sync>),
    /// The signature does not belong to the node key of this log.
    #[error("the audit checkpoint's signature is not that of this log's node key")]
    Signature(#[source] NoteError),
    /// The file could not be written.
    #[error("the audit checkpoint cannot be written to {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The copy in the anchor directory is not the one that was put there last.
    #[error("the checkpoint {} was changed by somebody else", path.display())]
    AnchorChanged {
        /// The file.
        path: PathBuf,
    },
}

impl CheckpointError {
    /// What a person can do about it.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Signer(_) => Some("look at the HSM with `dta status`"),
            Self::Signature(_) => Some("check that the token is this authority's own"),
            Self::Write { .. } => Some("check that the directory exists, is mounted and has space"),
            Self::AnchorChanged { .. } => {
                Some("find out whether a second copy of this authority is running")
            }
        }
    }
}

/// A log was not created or not opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is a log already.
    #[error("there is an audit log in {} already", path.display())]
    Exists {
        /// The directory.
        path: PathBuf,
    },
    /// There is none.
    #[error("the audit log {} is missing", path.display())]
    Missing {
        /// The file that is not there.
        path: PathBuf,
    },
    /// Another process has it open.
    #[error("the audit log {} is in use by another process", path.display())]
    InUse {
        /// The journal.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("{} cannot be used", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The journal's header.
    #[error("{} is not an audit journal", path.display())]
    Header {
        /// The journal.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: HeaderFault,
    },
    /// The journal belongs to another log.
    #[error("the journal is of the log {found:?}, expected {expected:?}")]
    OtherOrigin {
        /// The origin in its header.
        found: String,
        /// The origin in the verifier key.
        expected: String,
    },
    /// An entry was changed or damaged.
    #[error("the audit log was changed or damaged: {0}")]
    BadEntry(#[source] BadEntry),
    /// A checkpoint is not this log's, or was changed.
    #[error("the checkpoint {} is refused", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: CheckpointFault,
    },
    /// The journal has fewer entries than were signed.
    #[error(
        "the audit log has {found} entries, but {} was signed over {signed}: it was cut, or an older \
         copy was put back",
        path.display()
    )]
    Shorter {
        /// The checkpoint.
        path: PathBuf,
        /// How many entries there are.
        found: u64,
        /// How many were signed.
        signed: u64,
    },
    /// The journal's entries are not those that were signed.
    #[error(
        "the first {size} entries of the audit log are not those that {} was signed over: root \
         {found}, signed {signed}",
        path.display()
    )]
    Differs {
        /// The checkpoint.
        path: PathBuf,
        /// How many entries it covers.
        size: u64,
        /// The root over the journal's entries.
        found: Hash,
        /// The signed root.
        signed: Hash,
    },
    /// The copy in the anchor directory is gone.
    #[error("the log's checkpoint {} is missing, though it was kept there", path.display())]
    AnchorMissing {
        /// The file.
        path: PathBuf,
    },
    /// The first checkpoint of a new log.
    #[error("the audit log's first checkpoint could not be made")]
    FirstCheckpoint(#[source] CheckpointError),
    /// What was found on opening could not be logged.
    #[error("the audit log cannot be written")]
    Append(#[source] AppendError),
}

impl OpenError {
    /// What a person can do about it.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Exists { .. } => Some("choose another directory; a log is never overwritten"),
            Self::Missing { .. } => {
                Some("mount or restore the directory that holds the log; it is never recreated")
            }
            Self::InUse { .. } => Some("stop the other authority that uses this directory"),
            Self::Io { source, .. } if is_disk_full(source) => Some("free space on that disk"),
            Self::Io { .. } => Some("check owner, permissions and the disk"),
            Self::Header { .. } | Self::OtherOrigin { .. } => {
                Some("check that the directory is this authority's own")
            }
            Self::BadEntry(_) | Self::Shorter { .. } | Self::Differs { .. } => Some(
                "keep the files as they are, run `dta audit verify`, and restore the newest copy of \
                 the log",
            ),
            Self::Checkpoint { .. } => Some("check that directory and node key belong together"),
            Self::AnchorMissing { .. } => Some("mount the disk of `anchor_dir`"),
            Self::FirstCheckpoint(error) => error.remedy(),
            Self::Append(error) => error.remedy(),
        }
    }

    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            path: path.into(),
            source,
        }
    }

    pub(crate) fn read(path: impl Into<PathBuf>) -> impl FnOnce(ReadError) -> Self {
        move |error| match error {
            ReadError::Io(source) => Self::Io {
                path: path.into(),
                source,
            },
            ReadError::Header(source) => Self::Header {
                path: path.into(),
                source,
            },
            ReadError::BadEntry(bad) => Self::BadEntry(bad),
        }
    }
}

/// A log did not verify, or could not be read.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The journal or a checkpoint is not there.
    #[error("{} is missing", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The journal's header.
    #[error("{} is not an audit journal", path.display())]
    Header {
        /// The journal.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: HeaderFault,
    },
    /// The journal belongs to another log.
    #[error("the journal is of the log {found:?}, expected {expected:?}")]
    OtherOrigin {
        /// The origin in its header.
        found: String,
        /// The origin in the verifier key.
        expected: String,
    },
    /// A checkpoint is not this log's, or was changed.
    #[error("the checkpoint {} is refused", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: CheckpointFault,
    },
    /// The first bad entry.
    #[error(transparent)]
    BadEntry(#[from] BadEntry),
    /// Entries that were signed are gone.
    #[error(
        "the log ends after {found} entries, but {} was signed over {signed}: entry {found} is the \
         first one missing",
        path.display()
    )]
    Shorter {
        /// The checkpoint.
        path: PathBuf,
        /// How many entries there are.
        found: u64,
        /// How many were signed.
        signed: u64,
    },
    /// Every entry is well formed, and yet they are not those that were signed.
    #[error(
        "entries 0 to {} are well formed but are not those that {} was signed over: root {found}, \
         signed {signed}",
        size.saturating_sub(1),
        path.display()
    )]
    Differs {
        /// The checkpoint.
        path: PathBuf,
        /// How many entries it covers.
        size: u64,
        /// The root over the journal's entries.
        found: Hash,
        /// The signed root.
        signed: Hash,
    },
}

impl VerifyError {
    /// What a person can do about it.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Io { .. } => Some("check the path and the permissions"),
            Self::Missing { .. } | Self::Header { .. } => {
                Some("give the directory that holds `journal` and `checkpoint`")
            }
            Self::OtherOrigin { .. } | Self::Checkpoint { .. } => {
                Some("check that log and verifier key belong to the same authority")
            }
            Self::BadEntry(_) | Self::Shorter { .. } | Self::Differs { .. } => {
                Some("keep the files as they are and compare them with another copy of the log")
            }
        }
    }

    /// Whether the log was read and found wrong, as against not having been read at all.
    pub fn is_verdict(&self) -> bool {
        !matches!(self, Self::Io { .. })
    }

    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| match source.kind() {
            io::ErrorKind::NotFound => Self::Missing { path },
            _ => Self::Io { path, source },
        }
    }

    pub(crate) fn read(path: impl Into<PathBuf>) -> impl FnOnce(ReadError) -> Self {
        move |error| match error {
            ReadError::Io(source) => Self::Io {
                path: path.into(),
                source,
            },
            ReadError::Header(source) => Self::Header {
                path: path.into(),
                source,
            },
            ReadError::BadEntry(bad) => Self::BadEntry(bad),
        }
    }
}

/// Whether an error means that there is no space left.
pub(crate) fn is_disk_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
