//! Reads a journal from the start and checks every record on the way, in flat memory.
//!
//! Opening, verifying and showing a log are all this one reader; it never changes the file.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use crate::entry::{self, EntryFault};
use crate::frame::{self, FrameFault, HeaderFault, RECORD_HEAD, RecordHead};
use crate::{Entry, MAX_ENTRY_BYTES, Timestamp};

/// What is wrong with a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Its framing or its checksum.
    #[error(transparent)]
    Frame(#[from] FrameFault),
    /// Its content.
    #[error(transparent)]
    Entry(#[from] EntryFault),
    /// An entry was dropped, duplicated or moved.
    #[error("it says index {found}")]
    Index {
        /// The index in the entry.
        found: u64,
    },
    /// An entry is older than the one before it.
    #[error("its time {time} is before that of the entry before it, {last}")]
    Time {
        /// The time in the entry.
        time: Timestamp,
        /// The time of the entry before it.
        last: Timestamp,
    },
}

/// A record that was durable once is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entry {index} at byte {offset} of the journal: {fault}")]
pub struct BadEntry {
    /// The index that the entry there should have.
    pub index: u64,
    /// Where its record starts in the journal, in bytes.
    pub offset: u64,
    /// What is wrong with it.
    pub fault: Fault,
}

/// A journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("the journal cannot be read")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Header(#[from] HeaderFault),
    #[error(transparent)]
    BadEntry(#[from] BadEntry),
}

/// What comes next in a journal.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    /// A good entry.
    Entry(Entry<'a>),
    /// Bytes at the end that no good entry follows: what a crash leaves, or a record being written.
    Torn(BadEntry),
    /// The end, right after a good entry.
    End,
}

/// A journal, read forward.
#[derive(Debug)]
pub(crate) struct JournalReader {
    file: BufReader<File>,
    origin: String,
    length: u64,
    offset: u64,
    index: u64,
    last: Timestamp,
    entry: Vec<u8>,
}

impl JournalReader {
    /// Reads the header; the file's length is taken now, so a growing journal is read up to here.
    pub(crate) fn new(mut file: File) -> Result<Self, ReadError> {
        let length = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(0))?;
        let mut head = Vec::new();
        (&mut file)
            .take(frame::MAX_FILE_HEADER as u64)
            .read_to_end(&mut head)?;
        let (origin, header) = frame::parse_file_header(&head)?;
        let origin = origin.to_owned();
        let offset = file.seek(SeekFrom::Start(header as u64))?;
        let file = BufReader::with_capacity(1 << 20, file);
        let last = Timestamp::from_unix_millis(0);
        Ok(Self {
            file,
            origin,
            length,
            offset,
            index: 0,
            last,
            entry: Vec::new(),
        })
    }

    /// The log's origin, from the header.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// Where the next record starts; after [`Step::End`] or [`Step::Torn`], the length of the good part.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The file's length when it was opened.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// The time of the last good entry; 1970 when there is none.
    pub(crate) fn last_time(&self) -> Timestamp {
        self.last
    }

    /// Reads and checks the next record.
    pub(crate) fn step(&mut self) -> Result<Step<'_>, ReadError> {
        if self.offset == self.length {
            return Ok(Step::End);
        }
        if let Err(fault) = self.read_record()? {
            let bad = BadEntry {
                index: self.index,
                offset: self.offset,
                fault: fault.into(),
            };
            return match self.is_followed_by_durable_record()? {
                true => Err(bad.into()),
                false => Ok(Step::Torn(bad)),
            };
        }
        let (index, offset) = (self.index, self.offset);
        // The checksum matched: what is wrong from here on was written so, and is no torn tail.
        let bad = |fault| BadEntry {
            index,
            offset,
            fault,
        };
        let head = entry::decode(&self.entry).map_err(|fault| bad(fault.into()))?;
        if head.index != index {
            return Err(bad(Fault::Index { found: head.index }).into());
        }
        if head.time < self.last {
            return Err(bad(Fault::Time {
                time: head.time,
                last: self.last,
            })
            .into());
        }
        self.index += 1;
        self.offset += (RECORD_HEAD + self.entry.len()) as u64;
        self.last = head.time;
        let (bytes, envelope) = (self.entry.as_slice(), head.envelope);
        Ok(Step::Entry(Entry {
            index,
            offset,
            time: head.time,
            event: head.event,
            bytes,
            envelope,
        }))
    }

    fn read_record(&mut self) -> Result<Result<(), FrameFault>, io::Error> {
        let left = self.length - self.offset;
        if left < RECORD_HEAD as u64 {
            return Ok(Err(FrameFault::Incomplete));
        }
        let mut head = [0; RECORD_HEAD];
        self.file.read_exact(&mut head)?;
        let head = match RecordHead::parse(&head, self.offset) {
            Ok(head) => head,
            Err(fault) => return Ok(Err(fault)),
        };
        if left - (RECORD_HEAD as u64) < head.length as u64 {
            return Ok(Err(FrameFault::Incomplete));
        }
        self.entry.resize(head.length, 0);
        self.file.read_exact(&mut self.entry)?;
        Ok(head.check(&self.entry))
    }

    /// Looks behind the bad record for a good one whose batch began after it: only then had the bad
    /// one been synced. Windows overlap by one record, so that none is missed.
    fn is_followed_by_durable_record(&mut self) -> Result<bool, io::Error> {
        const WINDOW: usize = 4 * (RECORD_HEAD + MAX_ENTRY_BYTES);
        const OVERLAP: usize = RECORD_HEAD + MAX_ENTRY_BYTES;
        let mut window = Vec::with_capacity(WINDOW);
        let mut start = self.offset + 1;
        while start < self.length {
            self.file.seek(SeekFrom::Start(start))?;
            window.clear();
            let wanted = (self.length - start).min(WINDOW as u64);
            (&mut self.file).take(wanted).read_to_end(&mut window)?;
            for at in 0..window.len() {
                let Some((head, rest)) = window[at..].split_first_chunk() else {
                    break;
                };
                let Ok(head) = RecordHead::parse(head, start + at as u64) else {
                    continue;
                };
                let good = rest
                    .get(..head.length)
                    .is_some_and(|entry| head.check(entry).is_ok());
                if good && head.synced > self.offset {
                    return Ok(true);
                }
            }
            if start + window.len() as u64 >= self.length {
                return Ok(false);
            }
            start += (WINDOW - OVERLAP) as u64;
        }
        Ok(false)
    }
}
