//! Unix sockets: who may connect, and how a server takes its place in the file system.
//!
//! A server never removes anything but a socket that nobody answers on: a second process started by
//! mistake is refused instead of stealing the first one's place.

use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;
use tokio::net::{UnixListener, UnixStream};

use crate::term::{CliError, Exit};

/// The users that may connect: root, the process's own user and those the configuration names.
#[derive(Clone, Debug)]
pub(crate) struct AllowedUsers(Vec<u32>);

impl AllowedUsers {
    /// Root, the own user, and `others`.
    pub(crate) fn own_and(others: &[hsm::User]) -> Self {
        let own = rustix::process::geteuid().as_raw();
        Self(
            [0, own]
                .into_iter()
                .chain(others.iter().map(|user| user.uid))
                .collect(),
        )
    }

    /// The user id at the other end, if it may connect.
    pub(crate) fn admit(&self, stream: &UnixStream) -> Result<u32, PeerRefused> {
        let uid = stream.peer_cred().map_err(PeerRefused::Unknown)?.uid();
        if self.0.contains(&uid) {
            Ok(uid)
        } else {
            Err(PeerRefused::NotAllowed(uid))
        }
    }
}

/// Why a connection is closed before its first byte is read.
#[derive(Debug, Error)]
pub(crate) enum PeerRefused {
    #[error("user {0} may not use this socket")]
    NotAllowed(u32),
    #[error("the kernel did not say who connected")]
    Unknown(#[source] io::Error),
}

/// Why a socket could not be bound.
#[derive(Debug, Error)]
pub(crate) enum BindError {
    #[error("another process answers on {}", .0.display())]
    Taken(PathBuf),
    #[error("{} exists and is not a socket", .0.display())]
    NotASocket(PathBuf),
    #[error("cannot bind the socket {}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl From<BindError> for CliError {
    fn from(error: BindError) -> Self {
        let (exit, remedy) = match &error {
            BindError::Taken(_) => (Exit::Conflict, "stop the process that runs there first"),
            BindError::NotASocket(_) => {
                (Exit::Conflict, "move the file away, or name another path")
            }
            BindError::Io { .. } => (
                Exit::Failed,
                "check that its directory exists and that this user may write there",
            ),
        };
        Self::new(exit, error).with_remedy(Some(remedy))
    }
}

/// A listening socket that removes its file when it is dropped.
#[derive(Debug)]
pub(crate) struct BoundSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl BoundSocket {
    /// Binds `path` with mode 0660, replacing a socket file that nobody listens on any more.
    pub(crate) fn bind(path: &Path) -> Result<Self, BindError> {
        let io = |source| BindError::Io {
            path: path.to_owned(),
            source,
        };
        match std::fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                return Err(BindError::NotASocket(path.to_owned()));
            }
            Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => {
                return Err(BindError::Taken(path.to_owned()));
            }
            Ok(_) => std::fs::remove_file(path).map_err(io)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(io(error)),
        }
        let listener = UnixListener::bind(path).map_err(io)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660)).map_err(io)?;
        Ok(Self {
            listener,
            path: path.to_owned(),
        })
    }

    /// The next connection.
    pub(crate) async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }
}

impl Drop for BoundSocket {
    fn drop(&mut self) {
        // Nothing depends on it: a stale socket is replaced at the next start.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_in_use_is_not_taken_over_and_a_stale_one_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.sock");
        let first = BoundSocket::bind(&path).unwrap();
        let error = BoundSocket::bind(&path).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("another process answers on {}", path.display())
        );
        drop(first);
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        BoundSocket::bind(&path).unwrap();
        assert!(!path.exists(), "the socket file goes with its owner");
    }

    #[tokio::test]
    async fn a_file_in_the_place_of_the_socket_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.sock");
        std::fs::write(&path, "precious").unwrap();
        let error = BoundSocket::bind(&path).unwrap_err();
        assert!(
            error.to_string().ends_with("exists and is not a socket"),
            "{error}"
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }

    #[tokio::test]
    async fn the_own_user_is_admitted_and_told_apart() {
        let (left, _right) = UnixStream::pair().unwrap();
        let own = rustix::process::geteuid().as_raw();
        assert_eq!(AllowedUsers::own_and(&[]).admit(&left).unwrap(), own);
        let error = AllowedUsers(vec![own + 1]).admit(&left).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("user {own} may not use this socket")
        );
    }
}
