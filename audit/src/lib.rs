//! The tamper-evident log: append, checkpoint, verify.
//!
//! An append-only **journal** of canonical JSON **entries** is the durable truth. The entries are the
//! leaves of an RFC 6962 Merkle tree; a **checkpoint** is that tree's head in a note signed by the node
//! key, kept beside the journal and in an anchor directory on another disk. An entry is durable before
//! [`Log::append`] resolves, and all appends in flight share one `fdatasync`.
//!
//! What this room refuses to do: recreate a log that is missing, cut or not ours; go on after a failed
//! write; let an entry's time run backwards; hold a share, a proof or a digest of an unsealed reply.
#![forbid(unsafe_code)]

mod canonical;
mod checkpoint;
mod clock;
mod clock_watch;
mod entry;
mod error;
mod event;
mod files;
mod frame;
mod generation;
mod hexbytes;
mod kept;
mod log;
mod nonces;
mod note;
mod open;
mod reader;
mod tag;
mod tree;
mod verify;
mod writer;

pub use canonical::NotCanonical;
pub use checkpoint::{Checkpoint, CheckpointFault};
pub use clock::{Clock, Reading, SystemClock, Timestamp, TimestampError};
pub use entry::{Entry, EntryFault, MAX_ENTRY_BYTES};
pub use error::{AppendError, CheckpointError, OpenError, VerifyError};
pub use event::{CustomerChange, Event, Participant, RefusedRequest, Request, Set};
pub use frame::{FrameFault, HeaderFault};
pub use hexbytes::{Hash, Hex, HexError};
pub use log::{Log, LogState, Options, Receipt, Statistics};
pub use nonces::BurntNonce;
pub use note::{NoteError, Origin, VerifierKey, VerifierKeyError};
pub use open::{Recovered, Repair};
pub use reader::{BadEntry, Fault};
pub use tag::{IdentityTag, LogKey};
pub use tree::TreeHead;
pub use verify::{Filter, Progress, VerifyOptions, VerifyReport, show, verify};
