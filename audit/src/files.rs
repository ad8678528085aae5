//! The log's files other than the journal: checkpoint, its copy in the anchor directory, reserve.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::{Checkpoint, CheckpointError, Origin};

/// The journal's name in the log's directory.
pub(crate) const JOURNAL: &str = "journal";
/// The latest checkpoint's name in the log's directory.
pub(crate) const CHECKPOINT: &str = "checkpoint";
/// The file that holds space for the last words of a full disk.
pub(crate) const RESERVE: &str = "reserve";

/// Where the checkpoint of a log lies in an anchor directory: several logs may share one.
pub(crate) fn anchor_path(directory: &Path, origin: &Origin) -> PathBuf {
    directory.join(format!("{}.checkpoint", origin.as_str().replace('/', "-")))
}

/// Writes a file so that it is there with the old or the new content at any moment: write, fsync,
/// rename, fsync of the directory. Mode 0600. An anchor directory may be shared: whatever stands where
/// the draft goes is removed, never opened.
pub(crate) fn write_atomically(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let draft = path.with_file_name(name);
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    sync_parent(path)
}

/// Makes the directory entry of a file durable.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

/// Reads a small text file; `None` when there is none.
pub(crate) fn read_if_there(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes sure that the reserve is there and really occupies its bytes.
pub(crate) fn fill_reserve(path: &Path, bytes: u64) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|found| found.len() == bytes) {
        return Ok(());
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    io::copy(&mut io::Read::take(io::repeat(0), bytes), &mut file)?;
    file.flush()?;
    file.sync_all()
}

/// Where the latest checkpoint is kept.
#[derive(Debug)]
pub(crate) struct CheckpointFiles {
    own: PathBuf,
    anchor: Option<Anchor>,
}

#[derive(Debug)]
struct Anchor {
    path: PathBuf,
    content: String,
}

impl CheckpointFiles {
    /// The files as they were found: `anchored` is the content of the copy.
    pub(crate) fn new(own: PathBuf, anchored: Option<(PathBuf, String)>) -> Self {
        let anchor = anchored.map(|(path, content)| Anchor { path, content });
        Self { own, anchor }
    }

    /// Writes a new checkpoint to all places. The copy in the anchor directory is replaced only if it
    /// is the one that was put there last.
    pub(crate) fn store(&mut self, checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            |source| CheckpointError::Write { path, source }
        };
        if let Some(anchor) = &self.anchor {
            let found = read_if_there(&anchor.path).map_err(failed(&anchor.path))?;
            if found.as_deref() != Some(&anchor.content) {
                return Err(CheckpointError::AnchorChanged {
                    path: anchor.path.clone(),
                });
            }
        }
        let note = checkpoint.note();
        write_atomically(&self.own, note.as_bytes()).map_err(failed(&self.own))?;
        if let Some(anchor) = &mut self.anchor {
            write_atomically(&anchor.path, note.as_bytes()).map_err(failed(&anchor.path))?;
            note.clone_into(&mut anchor.content);
        }
        Ok(())
    }
}
