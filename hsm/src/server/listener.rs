//! The listening socket: made with the right mode, never taken from a live process.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags};

use crate::config::Config;
use crate::error::HsmError;

/// A listening socket, together with the lock that keeps a second process away from its path.
pub(super) struct Listener {
    pub(super) socket: UnixListener,
    _lock: std::os::fd::OwnedFd,
}

impl std::ops::Deref for Listener {
    type Target = UnixListener;

    fn deref(&self) -> &UnixListener {
        &self.socket
    }
}

/// Binds `config.socket`, mode 0600, or 0660 when other users are allowed: the group of the socket
/// (the process's own) then decides who reaches it at all, `allow_users` who is served.
///
/// # Errors
/// [`HsmError::AlreadyRunning`] when a live process listens there, [`HsmError::Io`].
pub(super) fn bind(config: &Config) -> Result<Listener, HsmError> {
    let path = &config.socket;
    let lock = lock_beside(path)?;
    remove_stale(path)?;
    let mode = if config.allow_users.is_empty() {
        0o600
    } else {
        0o660
    };
    let socket =
        UnixListener::bind(path).map_err(|e| io_error(path, "cannot listen on the socket", &e))?;
    // Whoever connects before the mode is set is still asked who he is.
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(|e| io_error(path, "cannot set its mode", &e))?;
    socket
        .set_nonblocking(true)
        .map_err(|e| io_error(path, "cannot listen on the socket", &e))?;
    Ok(Listener {
        socket,
        _lock: lock,
    })
}

/// Two processes that start together would both find no live socket: only the holder of this lock
/// may look. It lasts as long as the process.
fn lock_beside(socket: &Path) -> Result<std::os::fd::OwnedFd, HsmError> {
    let mut name = socket.as_os_str().to_owned();
    name.push(".lock");
    let path = PathBuf::from(name);
    let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mode = Mode::RUSR | Mode::WUSR;
    let fd = rustix::fs::open(&path, flags, mode)
        .map_err(|e| io_error(&path, "cannot be made", &e.into()))?;
    match rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(fd),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(HsmError::AlreadyRunning {
            socket: socket.to_path_buf(),
        }),
        Err(e) => Err(io_error(&path, "cannot be locked", &e.into())),
    }
}

fn remove_stale(path: &Path) -> Result<(), HsmError> {
    let facts = match fs::symlink_metadata(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        other => other.map_err(|e| io_error(path, "cannot be examined", &e))?,
    };
    let own = rustix::process::geteuid().as_raw();
    if !facts.file_type().is_socket() || (facts.uid() != own && own != 0) {
        return Err(HsmError::Io {
            path: path.to_path_buf(),
            problem: "exists and is not a socket of this user; it is left alone".to_owned(),
        });
    }
    match UnixStream::connect(path) {
        Err(e) if e.kind() == ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(|e| io_error(path, "cannot remove the stale socket", &e))
        }
        // It answered, or it is too busy to: somebody is alive there.
        _ => Err(HsmError::AlreadyRunning {
            socket: path.to_path_buf(),
        }),
    }
}

fn io_error(path: &Path, what: &str, error: &std::io::Error) -> HsmError {
    HsmError::Io {
        path: path.to_path_buf(),
        problem: format!("{what}: {error}"),
    }
}
