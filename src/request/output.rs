//! Printing and writing what was issued.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use thiserror::Error;
use zeroize::Zeroizing;

use super::Form;
use crate::term::{CliError, CliResult, Exit};

/// One result in the three forms that it can be shown in.
pub(super) struct Shown {
    /// Lines of `name  value` for a person.
    pub(super) human: Zeroizing<String>,
    /// Hexadecimal digits, one share a line.
    pub(super) raw: Zeroizing<String>,
    /// One JSON object on one line.
    pub(super) json: Zeroizing<String>,
}

/// Refuses a file that exists, before anything is asked of a D-TA.
pub(super) fn check(form: &Form) -> CliResult {
    match &form.out {
        Some(path) => refuse_existing(path),
        None => Ok(()),
    }
}

/// Shows a result as asked for.
pub(super) fn show(form: &Form, shown: &Shown) -> CliResult {
    let bare = if form.json { &shown.json } else { &shown.raw };
    if let Some(path) = &form.out {
        write_new(path, bare.as_bytes(), Access::Private)?;
        println!("written: {}", path.display());
    } else if form.json || form.raw {
        print!("{}", bare.as_str());
    } else {
        print!("{}", shown.human.as_str());
    }
    Ok(())
}

/// Who may read a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Its owner only.
    Private,
    /// Everybody.
    Public,
}

/// Refuses a path at which something exists.
pub(crate) fn refuse_existing(path: &Path) -> CliResult {
    match path.symlink_metadata() {
        Ok(_) => Err(OutputError::Exists(path.to_owned()).into()),
        Err(_) => Ok(()),
    }
}

/// Writes a new file; what exists is never overwritten, and a half-written file is not left.
pub(crate) fn write_new(path: &Path, bytes: &[u8], access: Access) -> CliResult {
    let mode = match access {
        Access::Private => 0o600,
        Access::Public => 0o644,
    };
    let failed = |source: std::io::Error| match source.kind() {
        ErrorKind::AlreadyExists => OutputError::Exists(path.to_owned()),
        _ => OutputError::Write {
            path: path.to_owned(),
            source,
        },
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .map_err(failed)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| sync_directory(path));
    written.map_err(|source| {
        // Ours, made a moment ago; that it cannot be removed either adds nothing to the error.
        let _ = std::fs::remove_file(path);
        failed(source).into()
    })
}

/// Makes the file's name durable.
fn sync_directory(path: &Path) -> std::io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)?.sync_all()
}

#[derive(Debug, Error)]
enum OutputError {
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    #[error("cannot write {}", path.display())]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
}

impl From<OutputError> for CliError {
    fn from(error: OutputError) -> Self {
        let (exit, remedy) = match &error {
            OutputError::Exists(_) => (Exit::Conflict, "name another file; nothing is overwritten"),
            OutputError::Write { .. } => (Exit::Failed, "check the directory and its free space"),
        };
        CliError::new(exit, error).with_remedy(Some(remedy))
    }
}
