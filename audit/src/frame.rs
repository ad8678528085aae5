//! The bytes of the journal around the entries.
//!
//! ```text
//! file    = header *record
//! header  = "DTA-LOG\n"  be32(1)  be16(length of origin)  origin  be32(CRC32C of all before it)
//! record  = "DTAE"  be32(length of entry)  be64(synced)  be32(CRC32C)  entry
//! ```
//!
//! The CRC32C of a record covers its first 16 bytes and the entry. `synced` is the length of the
//! journal that was durable when the record was written, that is, where its batch starts. A record
//! whose `synced` lies past a damaged one therefore proves that the damaged one had reached the disk:
//! that is corruption and is refused, whereas damage in the last batch alone is a torn tail.

use crate::MAX_ENTRY_BYTES;

/// The bytes of a record before its entry.
pub(crate) const RECORD_HEAD: usize = 20;

const FILE_MAGIC: &[u8; 8] = b"DTA-LOG\n";
const FILE_VERSION: u32 = 1;
const RECORD_MAGIC: &[u8; 4] = b"DTAE";

/// The longest origin.
const MAX_ORIGIN_BYTES: usize = 255;

/// The file's header for a log of this origin.
pub(crate) fn file_header(origin: &str) -> Vec<u8> {
    let length = u16::try_from(origin.len()).expect("an origin is at most 255 bytes");
    let mut header = Vec::with_capacity(18 + origin.len());
    header.extend_from_slice(FILE_MAGIC);
    header.extend_from_slice(&FILE_VERSION.to_be_bytes());
    header.extend_from_slice(&length.to_be_bytes());
    header.extend_from_slice(origin.as_bytes());
    header.extend_from_slice(&crc32c::crc32c(&header).to_be_bytes());
    header
}

/// Reads the file's header from the start of the file: the origin and the header's length.
pub(crate) fn parse_file_header(bytes: &[u8]) -> Result<(&str, usize), HeaderFault> {
    let rest = bytes.strip_prefix(FILE_MAGIC).ok_or(HeaderFault::Magic)?;
    let (version, rest) = rest.split_first_chunk().ok_or(HeaderFault::Damaged)?;
    let version = u32::from_be_bytes(*version);
    if version != FILE_VERSION {
        return Err(HeaderFault::Version(version));
    }
    let (length, rest) = rest.split_first_chunk().ok_or(HeaderFault::Damaged)?;
    let length = usize::from(u16::from_be_bytes(*length));
    if length > MAX_ORIGIN_BYTES || rest.len() < length + 4 {
        return Err(HeaderFault::Damaged);
    }
    let end = bytes.len() - rest.len() + length;
    if crc32c::crc32c(&bytes[..end]).to_be_bytes() != bytes[end..end + 4] {
        return Err(HeaderFault::Damaged);
    }
    let origin = std::str::from_utf8(&rest[..length]).map_err(|_| HeaderFault::Damaged)?;
    Ok((origin, end + 4))
}

/// The longest header, in bytes.
pub(crate) const MAX_FILE_HEADER: usize = 18 + MAX_ORIGIN_BYTES;

/// The start of the file is not a journal's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFault {
    /// Another kind of file.
    #[error("it does not begin as a journal does")]
    Magic,
    /// Written by another version.
    #[error("it has format version {0}, this program reads version 1")]
    Version(u32),
    /// Cut off or changed.
    #[error("its header is damaged")]
    Damaged,
}

/// Appends one record to `out`.
pub(crate) fn push_record(out: &mut Vec<u8>, synced: u64, entry: &[u8]) {
    let length = u32::try_from(entry.len()).expect("an entry is at most 65,535 bytes");
    let start = out.len();
    out.extend_from_slice(RECORD_MAGIC);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&synced.to_be_bytes());
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&out[start..]), entry);
    out.extend_from_slice(&checksum.to_be_bytes());
    out.extend_from_slice(entry);
}

/// The fixed part of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordHead {
    /// Bytes of the entry, 1 to 65,535.
    pub(crate) length: usize,
    /// The journal's durable length when the record was written.
    pub(crate) synced: u64,
    covered: u32,
    checksum: u32,
}

impl RecordHead {
    /// Reads the fixed part of a record that starts at byte `offset` of the journal.
    pub(crate) fn parse(bytes: &[u8; RECORD_HEAD], offset: u64) -> Result<Self, FrameFault> {
        if !bytes.starts_with(RECORD_MAGIC) {
            return Err(FrameFault::Magic);
        }
        let word = |at: usize| [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        let length = u32::from_be_bytes(word(4)) as usize;
        if length == 0 || length > MAX_ENTRY_BYTES {
            return Err(FrameFault::Length(length));
        }
        let synced =
            u64::from(u32::from_be_bytes(word(8))) << 32 | u64::from(u32::from_be_bytes(word(12)));
        if synced > offset {
            return Err(FrameFault::Synced);
        }
        let covered = crc32c::crc32c(&bytes[..16]);
        Ok(Self {
            length,
            synced,
            covered,
            checksum: u32::from_be_bytes(word(16)),
        })
    }

    /// Compares the checksum.
    pub(crate) fn check(&self, entry: &[u8]) -> Result<(), FrameFault> {
        match crc32c::crc32c_append(self.covered, entry) == self.checksum {
            true => Ok(()),
            false => Err(FrameFault::Checksum),
        }
    }
}

/// The bytes of a record are not what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameFault {
    /// The file ends inside the record.
    #[error("the file ends inside it")]
    Incomplete,
    /// No record starts here.
    #[error("no record starts here")]
    Magic,
    /// The length is out of range.
    #[error("its length is {0}, expected 1 to 65535")]
    Length(usize),
    /// The record claims to be written after itself.
    #[error("its batch start lies behind it")]
    Synced,
    /// The bytes were changed.
    #[error("its checksum does not match")]
    Checksum,
}
