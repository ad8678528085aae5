//! Files that a ceremony leaves behind: written whole or not at all, never over another file.
//!
//! A new file is written beside its place under a temporary name, synced, and linked to its name only if that name
//! is still free; then the directory is synced. A crash leaves either nothing or the whole file. This module does
//! not know what it writes and never follows a name that exists.

use std::fs::{File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Who may read a file once it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privacy {
    /// Mode 0600: the owner alone.
    Secret,
    /// Mode 0644: anybody.
    Public,
}

impl Privacy {
    fn mode(self) -> u32 {
        match self {
            Self::Secret => 0o600,
            Self::Public => 0o644,
        }
    }
}

/// Why a file could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The name is taken; the file there is untouched.
    #[error("{} exists already and is left as it is", .0.display())]
    Exists(PathBuf),
    /// The operating system refused.
    #[error("cannot {verb} {}", path.display())]
    Io {
        /// `read`, `write` or `make`.
        verb: &'static str,
        /// The file in question.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Longer than any file of this kind can be.
    #[error("{} has more than {limit} bytes", path.display())]
    TooLong {
        /// The file in question.
        path: PathBuf,
        /// Largest length in bytes that is read.
        limit: u64,
    },
    /// The file holds a secret and everybody on the machine may read it.
    #[error("{} holds a secret and has mode {mode:03o}: others on this machine can read it", path.display())]
    Exposed {
        /// The file in question.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

impl FileError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Exists(_) => {
                Some("choose another name or directory; nothing is ever overwritten")
            }
            Self::Exposed { .. } => Some("chmod 600 the file"),
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => {
                    Some("check the path; directories are not created for you")
                }
                io::ErrorKind::PermissionDenied => {
                    Some("check who owns the directory and the file")
                }
                io::ErrorKind::StorageFull => Some("make room on the disk and run it again"),
                _ => None,
            },
            Self::TooLong { .. } => Some("check that this is the file you meant"),
        }
    }

    fn io(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            verb,
            path: path.to_owned(),
            source,
        }
    }
}

/// Writes `contents` to the new file `path`, durable when this returns.
///
/// # Errors
/// [`FileError::Exists`] when the name is taken, [`FileError::Io`] otherwise; nothing is left behind in either case.
pub fn create(path: &Path, contents: &[u8], privacy: Privacy) -> Result<(), FileError> {
    let staged = stage(path, contents, privacy)?;
    staged
        .persist_noclobber(path)
        .map_err(|failed| match failed.error.kind() {
            io::ErrorKind::AlreadyExists => FileError::Exists(path.to_owned()),
            _ => FileError::io("write", path)(failed.error),
        })?;
    sync_directory(path)
}

/// Puts `contents` in the place of whatever `path` holds, in one step.
///
/// # Errors
/// [`FileError::Io`]; the old contents are then still there.
pub fn replace(path: &Path, contents: &[u8], privacy: Privacy) -> Result<(), FileError> {
    let staged = stage(path, contents, privacy)?;
    staged
        .persist(path)
        .map_err(|failed| FileError::io("write", path)(failed.error))?;
    sync_directory(path)
}

/// Reads at most `limit` bytes; a longer file is refused.
///
/// # Errors
/// [`FileError::Io`] or [`FileError::TooLong`].
pub fn read(path: &Path, limit: u64) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let file = File::open(path).map_err(FileError::io("read", path))?;
    read_from(&file, path, limit)
}

/// [`read`] for a file that a person made and that holds a secret: one that everybody may read is refused.
///
/// # Errors
/// As [`read`], and [`FileError::Exposed`].
pub fn read_secret(path: &Path, limit: u64) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let file = File::open(path).map_err(FileError::io("read", path))?;
    let mode = file.metadata().map_err(FileError::io("read", path))?.mode() & 0o777;
    if mode & 0o007 != 0 {
        return Err(FileError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    read_from(&file, path, limit)
}

/// Makes the next reading of `path` come from its medium, as far as the system complies: what was synced is dropped from
/// the page cache.
pub fn forget_cached(path: &Path) {
    if let Ok(file) = File::open(path) {
        // Advice: a file system that cannot follow it (tmpfs) has no other medium to read from.
        let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
    }
}

fn read_from(file: &File, path: &Path, limit: u64) -> Result<Zeroizing<Vec<u8>>, FileError> {
    // Room for everything at once: a vector that grows leaves copies of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(limit).unwrap_or(0) + 1));
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(FileError::io("read", path))?;
    if bytes.len() as u64 > limit {
        return Err(FileError::TooLong {
            path: path.to_owned(),
            limit,
        });
    }
    Ok(bytes)
}

fn stage(
    path: &Path,
    contents: &[u8],
    privacy: Privacy,
) -> Result<tempfile::NamedTempFile, FileError> {
    let failed = FileError::io("write", path);
    let write = || {
        let mut staged = tempfile::Builder::new()
            .prefix(".dta-")
            .permissions(Permissions::from_mode(privacy.mode()))
            .tempfile_in(directory(path))?;
        staged.write_all(contents)?;
        staged.as_file().sync_all()?;
        Ok(staged)
    };
    write().map_err(failed)
}

/// Makes the name `path` durable: syncs the directory that it stands in.
pub(crate) fn sync_directory(path: &Path) -> Result<(), FileError> {
    let directory = directory(path);
    File::open(directory)
        .and_then(|opened| opened.sync_all())
        .map_err(FileError::io("write", directory))
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_exists_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.share");
        create(&path, b"first", Privacy::Secret).unwrap();
        let error = create(&path, b"second", Privacy::Secret).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("x.share exists already and is left as it is"),
            "{error}"
        );
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        assert_eq!(
            std::fs::read_dir(dir.path()).unwrap().count(),
            1,
            "no temporary file is left"
        );
    }

    #[test]
    fn secret_files_have_mode_0600() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        create(&path, b"secret", Privacy::Secret).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_secret_that_others_can_read_is_refused_with_a_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("passphrase");
        create(&path, b"secret", Privacy::Public).unwrap();
        let error = read_secret(&path, 100).unwrap_err();
        assert!(error.to_string().contains("has mode 644"), "{error}");
        assert_eq!(error.remedy(), Some("chmod 600 the file"));
    }

    #[test]
    fn a_file_that_is_too_long_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        create(&path, &[0; 11], Privacy::Public).unwrap();
        assert!(
            read(&path, 10)
                .unwrap_err()
                .to_string()
                .ends_with("has more than 10 bytes")
        );
        assert_eq!(read(&path, 11).unwrap().len(), 11);
    }
}
