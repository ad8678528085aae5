//! Files and directories: private, locked, durable.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::FlockOperation;

use crate::error::StateError;

/// The database.
pub(crate) const DATABASE: &str = "state.db";
/// The database while genesis is being written.
pub(crate) const UNFINISHED: &str = "state.db.new";
const LOCK: &str = "state.lock";

/// Makes a private directory, durably; one that is there must be private.
pub(crate) fn make_directory(path: &Path) -> Result<(), StateError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => match path.parent() {
            Some(parent) if parent != Path::new("") => sync(parent),
            _ => sync(Path::new(".")),
        },
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => check_private(path),
        Err(e) => Err(io_error("make", path)(e)),
    }
}

/// The exclusive lock on a directory.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Drop for Lock {
    /// Closing the file would be enough but for a process that is being started at this moment: until
    /// it is, it has a copy of the descriptor. Unlocking is for all copies. Nothing is lost when it
    /// fails.
    fn drop(&mut self) {
        let _ = rustix::fs::flock(&self.0, FlockOperation::Unlock);
    }
}

/// Takes the exclusive lock and leaves our process id for whoever comes next.
pub(crate) fn lock(path: &Path) -> Result<Lock, StateError> {
    let file_path = path.join(LOCK);
    let mut file = private_file(&file_path, OpenOptions::new().create(true).truncate(false))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut text = String::new();
            let pid = file
                .read_to_string(&mut text)
                .ok()
                .and_then(|_| text.trim().parse().ok());
            return Err(StateError::InUse {
                path: path.to_owned(),
                pid,
            });
        }
        Err(e) => return Err(io_error("lock", &file_path)(e.into())),
    }
    file.set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(io_error("write", &file_path))?;
    Ok(Lock(file))
}

/// Removes what an interrupted genesis left behind. Only under the lock.
pub(crate) fn remove_unfinished(path: &Path) -> Result<(), StateError> {
    for name in [UNFINISHED.to_owned(), format!("{UNFINISHED}-journal")] {
        let file = path.join(name);
        match fs::remove_file(&file) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(io_error("remove the unfinished", &file)(e));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Opens a file that is private from the moment it is made.
pub(crate) fn private_file(path: &Path, options: &mut OpenOptions) -> Result<File, StateError> {
    let options = options.read(true).write(true).mode(0o600);
    options.open(path).map_err(io_error("open", path))
}

/// Refuses a directory or file that other users may enter or read, and a symbolic link.
pub(crate) fn check_private(path: &Path) -> Result<(), StateError> {
    let metadata = fs::symlink_metadata(path).map_err(io_error("look at", path))?;
    if metadata.is_symlink() {
        return Err(StateError::NotState {
            detail: format!("{} is a symbolic link", path.display()),
        });
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(StateError::NotPrivate {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(())
}

/// Whether there is anything of that name.
pub(crate) fn exists(path: &Path) -> Result<bool, StateError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(io_error("look at", path)(e)),
    }
}

/// Makes a file, or the names in a directory, durable.
pub(crate) fn sync(path: &Path) -> Result<(), StateError> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(io_error("sync", path))
}

/// What the system said, in our words.
pub(crate) fn io_error<'a>(
    doing: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> StateError + 'a {
    move |source| {
        if source.kind() == io::ErrorKind::StorageFull {
            return StateError::DiskFull { doing };
        }
        StateError::Io {
            doing,
            path: path.to_owned(),
            source,
        }
    }
}
