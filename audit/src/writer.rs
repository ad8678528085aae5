//! The one thread that writes the journal: group commit, the latch, and the clock's rules.
//!
//! It takes whatever is waiting, writes it as one batch, syncs once, and only then answers. A failed
//! write or sync blocks the log until it is opened anew; what was written of that batch is cut off
//! again, since a page whose sync failed cannot be trusted to reach the disk later.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Instant;

use tokio::sync::oneshot;

use crate::clock_watch::{ClockFault, ClockWatch};
use crate::entry::{self, EncodeError};
use crate::error::is_disk_full;
use crate::event::Class;
use crate::tree::Tree;
use crate::{AppendError, Clock, Event, LogState, Reading, Receipt, Timestamp, frame};

/// What the writer and the callers of the log share.
#[derive(Debug)]
pub(crate) struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    capacity: usize,
    committed: Mutex<Committed>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<Pending>,
    closed: bool,
}

/// What is durable.
#[derive(Debug)]
pub(crate) struct Committed {
    pub(crate) tree: Tree,
    /// When the oldest entry that no checkpoint covers became durable.
    pub(crate) unsigned_since: Option<Instant>,
    pub(crate) state: LogState,
    pub(crate) syncs: u64,
}

#[derive(Debug)]
struct Pending {
    event: Event,
    answer: Answer,
}

/// Where the outcome goes.
#[derive(Debug)]
pub(crate) enum Answer {
    Future(oneshot::Sender<Result<Receipt, AppendError>>),
    Thread(mpsc::SyncSender<Result<Receipt, AppendError>>),
    /// The log's own event: nobody waits.
    Nobody,
}

impl Answer {
    // A caller who no longer waits is no error: it has given up, and its reply never left.
    fn give(self, outcome: Result<Receipt, AppendError>) {
        match self {
            Self::Future(sender) => drop(sender.send(outcome)),
            Self::Thread(sender) => drop(sender.send(outcome)),
            Self::Nobody => {}
        }
    }
}

impl Shared {
    pub(crate) fn new(tree: Tree, capacity: usize, unsigned_since: Option<Instant>) -> Self {
        let committed = Committed {
            tree,
            unsigned_since,
            state: LogState::Good,
            syncs: 0,
        };
        Self {
            queue: Mutex::default(),
            wake: Condvar::new(),
            capacity,
            committed: Mutex::new(committed),
        }
    }

    /// Hands an event to the writer.
    pub(crate) fn push(&self, event: Event, answer: Answer) -> Result<(), AppendError> {
        let mut queue = lock(&self.queue);
        if queue.closed {
            return Err(AppendError::Closed);
        }
        if queue.waiting.len() >= self.capacity {
            return Err(AppendError::QueueFull {
                waiting: queue.waiting.len(),
            });
        }
        queue.waiting.push(Pending { event, answer });
        drop(queue);
        self.wake.notify_one();
        Ok(())
    }

    /// Lets the writer finish what is waiting and end.
    pub(crate) fn close(&self) {
        lock(&self.queue).closed = true;
        self.wake.notify_one();
    }

    pub(crate) fn committed(&self) -> MutexGuard<'_, Committed> {
        lock(&self.committed)
    }

    /// Waits for events; `None` when the log was closed and nothing is left.
    fn next_batch(&self) -> Option<Vec<Pending>> {
        let mut queue = self
            .wake
            .wait_while(lock(&self.queue), |queue| {
                queue.waiting.is_empty() && !queue.closed
            })
            .unwrap_or_else(PoisonError::into_inner);
        let batch = std::mem::take(&mut queue.waiting);
        (!batch.is_empty()).then_some(batch)
    }
}

/// Locks, also after a panic elsewhere: every value behind these locks is whole at all times.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The writer's own view of the journal; it ends with the last durable entry.
pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) journal: File,
    pub(crate) length: u64,
    pub(crate) tree: Tree,
    pub(crate) last: Timestamp,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) watch: ClockWatch,
    pub(crate) reserve: PathBuf,
    pub(crate) trouble: Trouble,
}

/// What keeps the writer from writing everything.
#[derive(Default)]
pub(crate) struct Trouble {
    /// The error that every refused event is answered with.
    block: Option<Block>,
    /// Whether the present clock fault has its entry.
    clock_fault_logged: bool,
}

#[derive(Clone)]
struct Block {
    error: AppendError,
    /// Reserved events still fit into the space of the reserve.
    reserve_open: bool,
}

/// A batch being put together: nothing of it counts before it is durable.
struct Batch {
    bytes: Vec<u8>,
    tree: Tree,
    last: Timestamp,
    staged: Vec<(Pending, Receipt)>,
}

/// Closes the queue when the writer ends, also by a panic, so that nobody waits for nothing.
struct CloseOnDrop(Arc<Shared>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        let mut queue = lock(&self.0.queue);
        queue.closed = true;
        // Dropping the answers tells their callers.
        queue.waiting.clear();
    }
}

impl Writer {
    /// Writes until the log is closed.
    pub(crate) fn run(mut self) {
        let shared = CloseOnDrop(Arc::clone(&self.shared));
        while let Some(pending) = shared.0.next_batch() {
            self.commit(pending);
        }
        // Closing the file is not enough while a child process that is being spawned still holds it.
        if let Err(error) = rustix::fs::flock(&self.journal, rustix::fs::FlockOperation::Unlock) {
            tracing::warn!(%error, "the audit log's lock could not be released");
        }
    }

    fn commit(&mut self, pending: Vec<Pending>) {
        let reading = self.clock.now();
        let fault = self.watch.fault(reading, self.last);
        let mut batch = self.new_batch();
        let time = self.entry_time(reading, fault);
        match fault {
            None => self.trouble.clock_fault_logged = false,
            Some(fault) if !self.trouble.clock_fault_logged => {
                tracing::error!(error = %fault.error(), "issuing stops until the clock is right");
                self.trouble.clock_fault_logged = true;
                let event = fault.event();
                // A log that is blocked takes nothing, nor this.
                if self.refusal(event.class(), None).is_none() {
                    let answer = Answer::Nobody;
                    self.stage(&mut batch, Pending { event, answer }, time);
                }
            }
            Some(_) => {}
        }
        // Before anybody is refused for it.
        self.shared.committed().state = self.state(fault.is_some());
        for pending in pending {
            match self.refusal(pending.event.class(), fault) {
                Some(error) => pending.answer.give(Err(error)),
                None => self.stage(&mut batch, pending, time),
            }
        }
        if !batch.staged.is_empty() {
            self.write(batch, time);
        }
    }

    fn new_batch(&self) -> Batch {
        Batch {
            bytes: Vec::with_capacity(4096),
            tree: self.tree.clone(),
            last: self.last,
            staged: Vec::new(),
        }
    }

    /// The time of the next entries: never before the last one, and not a wall clock that jumped,
    /// which would keep the log from going on once the clock is set right.
    fn entry_time(&self, reading: Reading, fault: Option<ClockFault>) -> Timestamp {
        fault
            .map_or(reading.wall, |fault| fault.expected)
            .max(self.last)
    }

    fn refusal(&self, class: Class, clock: Option<ClockFault>) -> Option<AppendError> {
        match &self.trouble.block {
            Some(block) if block.reserve_open && class == Class::Reserved => None,
            Some(block) => Some(block.error.clone()),
            None if class == Class::Issuing => clock.map(ClockFault::error),
            None => None,
        }
    }

    fn stage(&self, batch: &mut Batch, pending: Pending, time: Timestamp) {
        let index = batch.tree.size();
        match entry::encode(&pending.event, index, time) {
            Ok(bytes) => {
                frame::push_record(&mut batch.bytes, self.length, &bytes);
                batch.tree.push(&bytes);
                batch.last = time;
                batch.staged.push((pending, Receipt { index, time }));
            }
            Err(EncodeError::TooLong(length)) => {
                pending.answer.give(Err(AppendError::TooLong { length }));
            }
            Err(EncodeError::NotRepresentable) => {
                pending.answer.give(Err(AppendError::NotRepresentable));
            }
        }
    }

    fn write(&mut self, batch: Batch, time: Timestamp) {
        if let Err(error) = self.journal.write_all_at(&batch.bytes, self.length) {
            return self.write_failed(batch, time, error);
        }
        if let Err(error) = self.journal.sync_data() {
            let error = self.block("syncing", error);
            return batch.fail(&error);
        }
        self.length += batch.bytes.len() as u64;
        self.tree = batch.tree;
        self.last = batch.last;
        let mut committed = self.shared.committed();
        committed.tree = self.tree.clone();
        committed.unsigned_since.get_or_insert_with(Instant::now);
        committed.syncs += 1;
        drop(committed);
        for (pending, receipt) in batch.staged {
            pending.answer.give(Ok(receipt));
        }
    }

    /// A full disk blocks the log too, but the reserve makes room for the events that say so.
    fn write_failed(&mut self, batch: Batch, time: Timestamp, error: io::Error) {
        let first_time = self.trouble.block.is_none() && is_disk_full(&error);
        let error = self.block("writing", error);
        let block = self
            .trouble
            .block
            .as_mut()
            .expect("the log was just blocked");
        let cut = self.journal.set_len(self.length);
        block.reserve_open = first_time && cut.is_ok() && fs::remove_file(&self.reserve).is_ok();
        let reserve_open = block.reserve_open;
        self.shared.committed().state = self.state(false);
        if !reserve_open {
            return batch.fail(&error);
        }
        let mut retry = self.new_batch();
        for (pending, _) in batch.staged {
            match pending.event.class() {
                Class::Reserved => self.stage(&mut retry, pending, time),
                _ => pending.answer.give(Err(error.clone())),
            }
        }
        if !retry.staged.is_empty() {
            self.write(retry, time);
        }
    }

    /// Latches. What was written after the last durable entry is cut off as far as the disk allows;
    /// opening the log anew repairs the rest.
    fn block(&mut self, operation: &'static str, source: io::Error) -> AppendError {
        tracing::error!(operation, error = %source, "the audit log is blocked");
        if let Err(error) = self.journal.set_len(self.length) {
            tracing::error!(%error, "the journal's unfinished end could not be cut off");
        }
        let (index, source) = (self.tree.size(), Arc::new(source));
        let error = AppendError::Blocked {
            operation,
            index,
            source,
        };
        self.trouble.block = Some(Block {
            error: error.clone(),
            reserve_open: false,
        });
        self.shared.committed().state = self.state(false);
        error
    }

    fn state(&self, clock_is_wrong: bool) -> LogState {
        match &self.trouble.block {
            Some(block) if block.reserve_open => LogState::DiskFull,
            Some(_) => LogState::Failed,
            None if clock_is_wrong => LogState::ClockFault,
            None => LogState::Good,
        }
    }
}

impl Batch {
    fn fail(self, error: &AppendError) {
        for (pending, _) in self.staged {
            pending.answer.give(Err(error.clone()));
        }
    }
}
