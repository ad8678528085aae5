//! Offline: verify a log from its files and the public key alone, and read its entries.
//!
//! Nothing is locked or written, so a log can be verified while the authority appends to it: the
//! checkpoint is read first, and the journal up to where it ended when it was opened.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::files::{CHECKPOINT, JOURNAL};
use crate::reader::{JournalReader, Step};
use crate::tree::Tree;
use crate::{Checkpoint, Entry, Hash, Timestamp, TreeHead, VerifierKey, VerifyError, files};

/// How far a verification is, in bytes of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read.
    pub done: u64,
    /// Bytes to read.
    pub total: u64,
}

/// What else to check, and who watches.
#[derive(Default)]
pub struct VerifyOptions<'a> {
    /// Files with checkpoints that were shown earlier: the log must contain what they signed.
    pub seen: Vec<PathBuf>,
    /// Called now and then.
    pub progress: Option<&'a mut dyn FnMut(Progress)>,
}

/// A log that verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// The log's name.
    pub origin: String,
    /// How many entries there are.
    pub size: u64,
    /// How many of them the latest checkpoint covers.
    pub signed: u64,
    /// The signed root.
    pub root: Hash,
    /// Well-formed entries after the latest checkpoint, which no signature covers yet.
    pub unsigned_tail: u64,
    /// Bytes after the last entry: a record being written, or what a crash left.
    pub torn_bytes: u64,
    /// How many checkpoints shown earlier were found to be part of this log.
    pub seen: usize,
    /// The time of the first entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    /// The time of the last entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
}

/// Verifies a log: framing, checksums, canonical form, order of indexes and times, the signature of
/// the latest checkpoint, and that the entries are those it signed.
///
/// # Errors
/// The first thing that is wrong, with index and byte offset where it is an entry.
pub fn verify(
    directory: &Path,
    key: &VerifierKey,
    options: VerifyOptions<'_>,
) -> Result<VerifyReport, VerifyError> {
    let mut checkpoints = vec![read_checkpoint(directory.join(CHECKPOINT), key)?];
    for path in options.seen {
        checkpoints.push(read_checkpoint(path, key)?);
    }
    let path = directory.join(JOURNAL);
    let mut reader = open_journal(&path, key)?;
    let mut watch = Watch::new(options.progress, reader.length());
    let mut tree = Tree::default();
    let (mut first, mut torn) = (None, None);
    loop {
        compare(&checkpoints, &tree)?;
        match reader.step().map_err(VerifyError::read(&path))? {
            Step::Entry(entry) => {
                tree.push(entry.bytes);
                first.get_or_insert(entry.time);
                watch.at(entry.offset);
            }
            Step::Torn(bad) => torn = Some(bad),
            Step::End => break,
        }
        if torn.is_some() {
            break;
        }
    }
    watch.done();
    let size = tree.size();
    for (path, checkpoint) in &checkpoints {
        let signed = checkpoint.head().size;
        if signed > size {
            return Err(match torn {
                Some(bad) => bad.into(),
                None => VerifyError::Shorter {
                    path: path.clone(),
                    found: size,
                    signed,
                },
            });
        }
    }
    let head = checkpoints[0].1.head();
    Ok(VerifyReport {
        origin: key.origin().to_string(),
        size,
        signed: head.size,
        root: head.root,
        unsigned_tail: size - head.size,
        torn_bytes: reader.length() - reader.offset(),
        seen: checkpoints.len() - 1,
        first,
        last: first.map(|_| reader.last_time()),
    })
}

/// Which entries to show; without any condition, all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only this event, such as `client-share`.
    pub event: Option<String>,
    /// Only entries of this customer.
    pub customer: Option<String>,
    /// Only entries of this moment or later.
    pub since: Option<Timestamp>,
}

impl Filter {
    fn admits(&self, entry: &Entry<'_>) -> bool {
        self.since.is_none_or(|since| entry.time >= since)
            && self.event.as_ref().is_none_or(|event| entry.event == event)
            && self.customer.as_ref().is_none_or(|customer| {
                entry
                    .fields()
                    .get("customer")
                    .and_then(|value| value.as_str())
                    == Some(customer)
            })
    }
}

/// Shows the entries that the filter admits to `visit`, in order, until it breaks. Framing and order
/// are checked on the way; whether the entries are the signed ones is for [`verify`].
///
/// # Errors
/// When the journal cannot be read or an entry is damaged.
pub fn show(
    directory: &Path,
    filter: &Filter,
    mut visit: impl FnMut(&Entry<'_>) -> ControlFlow<()>,
) -> Result<(), VerifyError> {
    let path = directory.join(JOURNAL);
    let file = File::open(&path).map_err(VerifyError::io(&path))?;
    let mut reader = JournalReader::new(file).map_err(VerifyError::read(&path))?;
    loop {
        match reader.step().map_err(VerifyError::read(&path))? {
            Step::Entry(entry) => {
                if filter.admits(&entry) && visit(&entry).is_break() {
                    return Ok(());
                }
            }
            Step::Torn(_) | Step::End => return Ok(()),
        }
    }
}

fn read_checkpoint(path: PathBuf, key: &VerifierKey) -> Result<(PathBuf, Checkpoint), VerifyError> {
    let note = files::read_if_there(&path)
        .and_then(|note| note.ok_or_else(|| std::io::ErrorKind::NotFound.into()))
        .map_err(VerifyError::io(&path))?;
    match Checkpoint::open(&note, key) {
        Ok(checkpoint) => Ok((path, checkpoint)),
        Err(source) => Err(VerifyError::Checkpoint { path, source }),
    }
}

fn open_journal(path: &Path, key: &VerifierKey) -> Result<JournalReader, VerifyError> {
    let file = File::open(path).map_err(VerifyError::io(path))?;
    let reader = JournalReader::new(file).map_err(VerifyError::read(path))?;
    match reader.origin() == key.origin().as_str() {
        true => Ok(reader),
        false => Err(VerifyError::OtherOrigin {
            found: reader.origin().to_owned(),
            expected: key.origin().to_string(),
        }),
    }
}

/// Compares the tree with every checkpoint of its present size.
fn compare(checkpoints: &[(PathBuf, Checkpoint)], tree: &Tree) -> Result<(), VerifyError> {
    for (path, checkpoint) in checkpoints {
        let TreeHead { size, root: signed } = checkpoint.head();
        if size == tree.size() {
            let found = tree.head().root;
            if found != signed {
                return Err(VerifyError::Differs {
                    path: path.clone(),
                    size,
                    found,
                    signed,
                });
            }
        }
    }
    Ok(())
}

/// Tells the caller about progress, once every mebibyte.
struct Watch<'a> {
    call: Option<&'a mut dyn FnMut(Progress)>,
    total: u64,
    next: u64,
}

impl<'a> Watch<'a> {
    fn new(call: Option<&'a mut dyn FnMut(Progress)>, total: u64) -> Self {
        Self {
            call,
            total,
            next: 0,
        }
    }

    fn at(&mut self, done: u64) {
        if done >= self.next
            && let Some(call) = &mut self.call
        {
            call(Progress {
                done,
                total: self.total,
            });
            self.next = done + (1 << 20);
        }
    }

    fn done(&mut self) {
        self.next = 0;
        self.at(self.total);
    }
}
