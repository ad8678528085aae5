//! Creating a log, and opening one again: everything is checked before anything is written.
//!
//! The journal is read from the start. A torn tail, which only the last unsynced batch can leave, is
//! cut off and said in a new entry; any other damage, a missing file, a journal shorter than or
//! different from one of its checkpoints, and another log's files are refused.

use std::error::Error;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rustix::fs::FlockOperation;

use crate::clock_watch::ClockWatch;
use crate::files::{self, CHECKPOINT, JOURNAL, RESERVE};
use crate::frame;
use crate::generation::LastChange;
use crate::kept::Kept;
use crate::log::{Latest, seal_checkpoint};
use crate::nonces::RecentNonces;
use crate::reader::{JournalReader, Step};
use crate::tree::Tree;
use crate::writer::{Shared, Trouble, Writer};
use crate::{
    BadEntry, BurntNonce, Entry, Event, Log, OpenError, Options, Timestamp, TreeHead, VerifierKey,
};

/// What was found in a log that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// How many entries there were.
    pub size: u64,
    /// The registry's generation after the last change that has all its entries: an older state
    /// directory is a copy that was put back.
    pub generation: Option<u64>,
    /// The torn tail that was cut off.
    pub repaired: Option<Repair>,
    nonces: Vec<BurntNonce>,
}

/// A torn tail that was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repair {
    /// The journal's length after the repair, in bytes.
    pub offset: u64,
    /// How many bytes were removed.
    pub removed: u64,
}

impl Recovered {
    /// The nonces of logged requests that expire at `since` (unix seconds) or later. Nonces that
    /// expired more than ten minutes before the last entry are not kept.
    pub fn recent_nonces(&self, since: u64) -> impl Iterator<Item = &BurntNonce> {
        self.nonces
            .iter()
            .filter(move |nonce| nonce.expires >= since)
    }
}

impl Log {
    /// Makes the log of a new authority: an empty journal, and a first checkpoint over it, so that a
    /// missing checkpoint is never normal. The directory may exist, a log in it may not.
    ///
    /// `sign` is as for [`Log::checkpoint`].
    ///
    /// # Errors
    /// When there is a log already, when the first checkpoint cannot be signed, or when a file cannot
    /// be written.
    pub fn create<E>(
        directory: &Path,
        key: &VerifierKey,
        options: Options,
        sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
    ) -> Result<Self, OpenError>
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(OpenError::io(directory))?;
        let (journal, checkpoint) = (directory.join(JOURNAL), directory.join(CHECKPOINT));
        for path in [&journal, &checkpoint] {
            if path.try_exists().map_err(OpenError::io(path))? {
                return Err(OpenError::Exists {
                    path: directory.to_owned(),
                });
            }
        }
        let first = seal_checkpoint(Tree::default().head(), key, sign)
            .map_err(OpenError::FirstCheckpoint)?;
        files::write_atomically(&checkpoint, first.note().as_bytes())
            .map_err(OpenError::io(&checkpoint))?;
        let header = frame::file_header(key.origin().as_str());
        files::write_atomically(&journal, &header).map_err(OpenError::io(&journal))?;
        files::sync_parent(directory).map_err(OpenError::io(directory))?;
        Self::open(directory, key, options).map(|(log, _)| log)
    }

    /// Opens the log of this authority and takes its exclusive lock.
    ///
    /// # Errors
    /// [`OpenError`] names what is wrong; nothing was changed then.
    pub fn open(
        directory: &Path,
        key: &VerifierKey,
        options: Options,
    ) -> Result<(Self, Recovered), OpenError> {
        Self::open_with(directory, key, options, |_| ())
    }

    /// Opens the log and shows every entry in it to `visit`, in order. The log is checked against its
    /// checkpoints only after the last one.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn open_with(
        directory: &Path,
        key: &VerifierKey,
        options: Options,
        visit: impl FnMut(&Entry<'_>),
    ) -> Result<(Self, Recovered), OpenError> {
        let path = directory.join(JOURNAL);
        let journal = lock_journal(&path)?;
        let kept = Kept::read(directory, key, &options)?;
        // Bytes that a killed process wrote and never synced are made durable before they count.
        journal.sync_all().map_err(OpenError::io(&path))?;
        let found = Found::read(
            &path,
            key,
            &kept,
            RecentNonces::new(options.clock.now().wall),
            visit,
        )?;
        kept.compare(&found)?;
        let repaired = cut_torn_tail(&journal, &path, &found)?;
        let reserve = directory.join(RESERVE);
        files::fill_reserve(&reserve, options.reserve_bytes).map_err(OpenError::io(&reserve))?;
        let new_anchor = kept.new_anchor(&found)?;
        let recovered = Recovered {
            size: found.tree.size(),
            generation: found.generation,
            repaired,
            nonces: found.nonces.clone(),
        };
        let log = start(journal, &found, kept, key, &options, reserve)?;
        if let Some(Repair { offset, removed }) = repaired {
            log.append_blocking(Event::LogRepaired { offset, removed })
                .map_err(OpenError::Append)?;
        }
        if let Some(directory) = new_anchor {
            log.append_blocking(Event::AnchorAdded { directory })
                .map_err(OpenError::Append)?;
        }
        Ok((log, recovered))
    }
}

fn lock_journal(path: &Path) -> Result<File, OpenError> {
    let journal = match OpenOptions::new()
        .read(true)
        .write(true)
        .mode(0o600)
        .open(path)
    {
        Ok(journal) => journal,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(OpenError::Missing {
                path: path.to_owned(),
            });
        }
        Err(error) => return Err(OpenError::io(path)(error)),
    };
    match rustix::fs::flock(&journal, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(journal),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::InUse {
            path: path.to_owned(),
        }),
        Err(error) => Err(OpenError::io(path)(error.into())),
    }
}

/// What one reading of the journal finds.
pub(crate) struct Found {
    pub(crate) tree: Tree,
    /// The tree heads at the sizes of the checkpoints.
    pub(crate) heads: Vec<TreeHead>,
    /// The length of the good part, and of the whole file.
    good: u64,
    length: u64,
    pub(crate) torn: Option<BadEntry>,
    last: Timestamp,
    generation: Option<u64>,
    pub(crate) anchors: Vec<String>,
    nonces: Vec<BurntNonce>,
}

impl Found {
    fn read(
        path: &Path,
        key: &VerifierKey,
        kept: &Kept,
        mut nonces: RecentNonces,
        mut visit: impl FnMut(&Entry<'_>),
    ) -> Result<Self, OpenError> {
        let failed = || OpenError::read(path);
        let file = File::open(path).map_err(OpenError::io(path))?;
        let mut reader = JournalReader::new(file).map_err(failed())?;
        if reader.origin() != key.origin().as_str() {
            return Err(OpenError::OtherOrigin {
                found: reader.origin().to_owned(),
                expected: key.origin().to_string(),
            });
        }
        let sizes: Vec<u64> = kept
            .all()
            .map(|(_, checkpoint)| checkpoint.head().size)
            .collect();
        let mut tree = Tree::default();
        let mut heads = Vec::new();
        let (mut changes, mut anchors) = (LastChange::default(), Vec::new());
        let torn = loop {
            if sizes.contains(&tree.size()) {
                heads.push(tree.head());
            }
            match reader.step().map_err(failed())? {
                Step::Entry(entry) => {
                    tree.push(entry.bytes);
                    changes.note(&entry);
                    nonces.note(&entry);
                    if let ("anchor-added", Ok(Event::AnchorAdded { directory })) =
                        (entry.event, entry.event())
                    {
                        anchors.push(directory);
                    }
                    visit(&entry);
                }
                Step::Torn(bad) => break Some(bad),
                Step::End => break None,
            }
        };
        let (good, length, last) = (reader.offset(), reader.length(), reader.last_time());
        Ok(Self {
            tree,
            heads,
            good,
            length,
            torn,
            last,
            generation: changes.whole(),
            anchors,
            nonces: nonces.finish(last),
        })
    }
}

fn cut_torn_tail(journal: &File, path: &Path, found: &Found) -> Result<Option<Repair>, OpenError> {
    let Some(bad) = &found.torn else {
        return Ok(None);
    };
    let repair = Repair {
        offset: found.good,
        removed: found.length - found.good,
    };
    tracing::warn!(%bad, removed = repair.removed, "the audit log ended in an incomplete entry");
    journal
        .set_len(repair.offset)
        .and_then(|()| journal.sync_all())
        .map_err(OpenError::io(path))?;
    Ok(Some(repair))
}

fn start(
    journal: File,
    found: &Found,
    kept: Kept,
    key: &VerifierKey,
    options: &Options,
    reserve: PathBuf,
) -> Result<Log, OpenError> {
    let (files, checkpoint) = kept.into_files();
    let unsigned = found.tree.size() > checkpoint.head().size;
    let shared = Arc::new(Shared::new(
        found.tree.clone(),
        options.max_waiting,
        unsigned.then(Instant::now),
    ));
    let writer = Writer {
        shared: Arc::clone(&shared),
        journal,
        length: found.good,
        tree: found.tree.clone(),
        last: found.last,
        clock: Arc::clone(&options.clock),
        watch: ClockWatch(options.clock.now()),
        reserve: reserve.clone(),
        trouble: Trouble::default(),
    };
    let writer = std::thread::Builder::new()
        .name("audit-log".to_owned())
        .spawn(move || writer.run())
        .map_err(OpenError::io(reserve))?;
    Ok(Log {
        shared,
        writer: Some(writer),
        files: Mutex::new(files),
        latest: Mutex::new(Latest {
            checkpoint,
            tried: None,
        }),
        key: key.clone(),
        max_wait: options.max_wait,
        checkpoint_every: options.checkpoint_every,
    })
}
