//! Checkpoints: signed tree heads, as c2sp.org/tlog-checkpoint has them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::note::NoteError;
use crate::{Hash, Origin, TreeHead, VerifierKey};

/// A tree head that the log's key signed, with the note that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    head: TreeHead,
    note: String,
}

impl Checkpoint {
    /// Reads a signed note and checks its signature and its origin.
    ///
    /// # Errors
    /// [`CheckpointFault`] says which.
    pub fn open(note: &str, key: &VerifierKey) -> Result<Self, CheckpointFault> {
        // The origin is compared first: "another log" says more than "another key".
        let first = note.lines().next().unwrap_or_default();
        if first != key.origin().as_str() {
            return Err(CheckpointFault::OtherOrigin {
                found: first.chars().take(255).collect(),
                expected: key.origin().to_string(),
            });
        }
        let head = parse_body(key.open(note)?).ok_or(CheckpointFault::Body)?;
        Ok(Self {
            head,
            note: note.to_owned(),
        })
    }

    /// Signs a tree head; the result is checked with the public key.
    pub(crate) fn seal(
        head: TreeHead,
        key: &VerifierKey,
        signature: &[u8],
    ) -> Result<Self, NoteError> {
        Ok(Self {
            head,
            note: key.seal(&body(key.origin(), &head), signature)?,
        })
    }

    /// The signed tree head.
    pub fn head(&self) -> TreeHead {
        self.head
    }

    /// The signed note, as it stands in the file `checkpoint`.
    pub fn note(&self) -> &str {
        &self.note
    }
}

/// The text that is signed: origin, size and root in base64, each on its line.
pub(crate) fn body(origin: &Origin, head: &TreeHead) -> String {
    format!(
        "{origin}\n{}\n{}\n",
        head.size,
        BASE64.encode(head.root.as_bytes())
    )
}

fn parse_body(text: &str) -> Option<TreeHead> {
    let mut lines = text.lines().skip(1);
    let (size, root) = (lines.next()?, lines.next()?);
    let head = TreeHead {
        size: size.parse().ok()?,
        root: Hash::from(<[u8; 32]>::try_from(BASE64.decode(root).ok()?).ok()?),
    };
    let plain = size == head.size.to_string() && lines.all(|line| !line.is_empty());
    plain.then_some(head)
}

/// A checkpoint is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointFault {
    /// It belongs to another log.
    #[error("it is of the log {found:?}, expected {expected:?}")]
    OtherOrigin {
        /// Its first line.
        found: String,
        /// The name in the verifier key.
        expected: String,
    },
    /// The note or its signature.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The signed text is not a tree head.
    #[error("its text is not an origin, a size and a root")]
    Body,
}
