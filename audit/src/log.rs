//! The open log: append events, sign checkpoints.

use std::error::Error;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::checkpoint::body;
use crate::files::CheckpointFiles;
use crate::writer::{Answer, Shared, lock};
use crate::{
    AppendError, Checkpoint, CheckpointError, Clock, Event, SystemClock, Timestamp, TreeHead,
    VerifierKey,
};

/// How a log behaves. [`Options::default`] is what production uses, with an `anchor_dir` added.
#[derive(Clone)]
pub struct Options {
    /// A directory on another disk where the last checkpoint is kept too.
    pub anchor_dir: Option<PathBuf>,
    /// How long an append waits for the disk: 2 seconds.
    pub max_wait: Duration,
    /// How many events may wait for the disk at once: 1,024.
    pub max_waiting: usize,
    /// How often a checkpoint is due at most: every second.
    pub checkpoint_every: Duration,
    /// The size of the file that keeps space for the last entries on a full disk: 1 MiB.
    pub reserve_bytes: u64,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            anchor_dir: None,
            max_wait: Duration::from_secs(2),
            max_waiting: 1024,
            checkpoint_every: Duration::from_secs(1),
            reserve_bytes: 1 << 20,
            clock: Arc::new(SystemClock),
        }
    }
}

/// An event is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The entry's position in the log, from 0.
    pub index: u64,
    /// The entry's time.
    pub time: Timestamp,
}

/// How the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogState {
    /// Everything is written.
    Good,
    /// Issuing events are refused until the clock is right.
    ClockFault,
    /// The disk is full: only lock, unlock and stop events are written, into the reserve.
    DiskFull,
    /// A write or a sync failed: nothing is written until the log is opened anew.
    Failed,
}

impl LogState {
    /// The word in `dta status`: `good`, `clock-fault`, `disk-full` or `failed`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::ClockFault => "clock-fault",
            Self::DiskFull => "disk-full",
            Self::Failed => "failed",
        }
    }
}

/// Counters since the log was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// How many entries the log holds.
    pub entries: u64,
    /// How many times the disk was synced for them.
    pub syncs: u64,
}

/// The audit log of a running authority. One process at a time; made by [`Log::create`] and
/// [`Log::open`]. Dropping it writes what is waiting and ends.
#[derive(Debug)]
pub struct Log {
    pub(crate) shared: Arc<Shared>,
    pub(crate) writer: Option<JoinHandle<()>>,
    /// Held while a checkpoint is signed and written.
    pub(crate) files: Mutex<CheckpointFiles>,
    /// Held for moments only: a request reads it while the HSM signs.
    pub(crate) latest: Mutex<Latest>,
    pub(crate) key: VerifierKey,
    pub(crate) max_wait: Duration,
    pub(crate) checkpoint_every: Duration,
}

/// The latest checkpoint that is kept, and when the last one was tried.
#[derive(Debug)]
pub(crate) struct Latest {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) tried: Option<Instant>,
}

impl Log {
    /// Appends an event. The event is handed over at once; the future resolves when its entry is
    /// durable, together with all others in flight. Needs a tokio runtime with timers.
    ///
    /// # Errors
    /// What the event records must then not happen: see [`AppendError`].
    pub fn append(
        &self,
        event: Event,
    ) -> impl Future<Output = Result<Receipt, AppendError>> + Send + use<> {
        let (sender, answer) = oneshot::channel();
        let queued = self.shared.push(event, Answer::Future(sender));
        let after = self.max_wait;
        async move {
            queued?;
            match tokio::time::timeout(after, answer).await {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(_)) => Err(AppendError::Closed),
                Err(_) => Err(AppendError::TimedOut { after }),
            }
        }
    }

    /// Appends an event and waits for it, on a thread that may block.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub fn append_blocking(&self, event: Event) -> Result<Receipt, AppendError> {
        let (sender, answer) = mpsc::sync_channel(1);
        self.shared.push(event, Answer::Thread(sender))?;
        let after = self.max_wait;
        answer
            .recv_timeout(after)
            .unwrap_or_else(|error| match error {
                mpsc::RecvTimeoutError::Timeout => Err(AppendError::TimedOut { after }),
                mpsc::RecvTimeoutError::Disconnected => Err(AppendError::Closed),
            })
    }

    /// The head of the tree over all durable entries.
    pub fn tree_head(&self) -> TreeHead {
        self.shared.committed().tree.head()
    }

    /// The tree head to sign, when there are entries after the last checkpoint and the last attempt
    /// is at least a second ago.
    pub fn checkpoint_due(&self) -> Option<TreeHead> {
        let latest = lock(&self.latest);
        let waited = latest
            .tried
            .is_none_or(|tried| tried.elapsed() >= self.checkpoint_every);
        let signed = latest.checkpoint.head().size;
        let head = self.tree_head();
        (waited && head.size > signed).then_some(head)
    }

    /// Signs the present tree head and keeps it as the latest checkpoint, here and in the anchor
    /// directory. Blocks on the signer and on the disk; appends go on meanwhile.
    ///
    /// `sign` signs the given bytes with the node key and returns 64 bytes: Ed25519, or P-256 over
    /// SHA-256 as `r || s`.
    ///
    /// # Errors
    /// When signing or writing fails; the previous checkpoint then stays the latest.
    pub fn checkpoint<E>(
        &self,
        sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
    ) -> Result<Checkpoint, CheckpointError>
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let mut files = lock(&self.files);
        let now = Instant::now();
        lock(&self.latest).tried = Some(now);
        let checkpoint = seal_checkpoint(self.tree_head(), &self.key, sign)?;
        files.store(&checkpoint)?;
        lock(&self.latest).checkpoint = checkpoint.clone();
        let mut committed = self.shared.committed();
        let all_signed = committed.tree.size() == checkpoint.head().size;
        committed.unsigned_since = (!all_signed).then_some(now);
        Ok(checkpoint)
    }

    /// The latest checkpoint, to be named in replies and unlock sessions.
    pub fn last_checkpoint(&self) -> Checkpoint {
        lock(&self.latest).checkpoint.clone()
    }

    /// For how long there have been entries that no checkpoint covers; zero when there are none.
    pub fn unsigned_for(&self) -> Duration {
        self.shared
            .committed()
            .unsigned_since
            .map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// How the log is, as of the last append.
    pub fn state(&self) -> LogState {
        self.shared.committed().state
    }

    /// Counters since the log was opened.
    pub fn statistics(&self) -> Statistics {
        let committed = self.shared.committed();
        Statistics {
            entries: committed.tree.size(),
            syncs: committed.syncs,
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.shared.close();
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the audit log's writer panicked");
        }
    }
}

/// Signs a tree head and checks the signature.
pub(crate) fn seal_checkpoint<E>(
    head: TreeHead,
    key: &VerifierKey,
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
) -> Result<Checkpoint, CheckpointError>
where
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let signature = sign(body(key.origin(), &head).as_bytes())
        .map_err(|error| CheckpointError::Signer(error.into()))?;
    Checkpoint::seal(head, key, &signature).map_err(CheckpointError::Signature)
}
