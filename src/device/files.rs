//! The device file (the token and whose it is, never a PIN or a share) and the server-share file.
//!
//! A device file is one JSON object:
//! `{"mpin_id":hex,"suite":"RO","token":hex of 48 bytes,"version":1}`. It is written with mode 0600 and
//! never over another file.

use std::io;
use std::path::{Path, PathBuf};

use mpin::{DecodeError, Identity, ServerShare, Suite, Token, UnknownSuite};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use crate::request::output::{Access, write_new};
use crate::term::{CliError, CliResult, Exit};

const VERSION: u8 = 1;

/// What a device keeps.
pub(super) struct DeviceFile {
    mpin_id: Vec<u8>,
    suite: Suite,
    token: Token,
}

impl DeviceFile {
    pub(super) fn new(mpin_id: Vec<u8>, suite: Suite, token: Token) -> Self {
        Self {
            mpin_id,
            suite,
            token,
        }
    }

    pub(super) fn mpin_id(&self) -> &[u8] {
        &self.mpin_id
    }

    pub(super) fn identity(&self) -> Identity {
        Identity::of_mpin_id(&self.mpin_id)
    }

    pub(super) fn suite(&self) -> Suite {
        self.suite
    }

    pub(super) fn token(&self) -> &Token {
        &self.token
    }

    /// Writes a new file, mode 0600.
    pub(super) fn write(&self, path: &Path) -> CliResult {
        let stored = Stored {
            version: VERSION,
            mpin_id: hex::encode(&self.mpin_id),
            suite: self.suite.to_string(),
            token: hex::encode(self.token.to_compressed()),
        };
        let text = serde_json::to_vec(&stored).map(Zeroizing::new);
        let text = text.map_err(|error| CliError::new(Exit::Failed, error))?;
        write_new(path, &text, Access::Private)
    }

    pub(super) fn read(path: &Path) -> Result<Self, FileError> {
        let text = read(path)?;
        let stored: Stored = serde_json::from_str(&text).map_err(|source| FileError::Json {
            path: path.to_owned(),
            source,
        })?;
        if stored.version != VERSION {
            let (path, found) = (path.to_owned(), stored.version);
            return Err(FileError::Version { path, found });
        }
        let suite = stored.suite.parse();
        let suite = suite.map_err(|source| FileError::Suite {
            path: path.to_owned(),
            source,
        })?;
        let token = unhex(path, "token", &stored.token)?;
        let token = Token::from_compressed(&token).map_err(|source| FileError::Point {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            mpin_id: unhex(path, "mpin_id", &stored.mpin_id)?.to_vec(),
            suite,
            token,
        })
    }
}

/// Reads a combined server share: 192 hexadecimal digits.
pub(super) fn read_server_share(path: &Path) -> Result<ServerShare, FileError> {
    let bytes = unhex(path, "server share", read(path)?.trim())?;
    ServerShare::from_compressed(&bytes).map_err(|source| FileError::Point {
        path: path.to_owned(),
        source,
    })
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u8,
    mpin_id: String,
    suite: String,
    token: String,
}

impl Drop for Stored {
    fn drop(&mut self) {
        self.token.zeroize();
    }
}

fn read(path: &Path) -> Result<Zeroizing<String>, FileError> {
    std::fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|source| FileError::Read {
            path: path.to_owned(),
            source,
        })
}

fn unhex(path: &Path, field: &'static str, text: &str) -> Result<Zeroizing<Vec<u8>>, FileError> {
    hex::decode(text)
        .map(Zeroizing::new)
        .map_err(|_| FileError::Hex {
            path: path.to_owned(),
            field,
        })
}

/// Why a file was not read or written.
#[derive(Debug, Error)]
pub(super) enum FileError {
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is not a device file", path.display())]
    Json {
        path: PathBuf,
        source: serde_json::Error,
    },
    #[error("{} is a device file of version {found}, expected {VERSION}", path.display())]
    Version { path: PathBuf, found: u8 },
    #[error("{} names no suite", path.display())]
    Suite { path: PathBuf, source: UnknownSuite },
    #[error("the {field} in {} is not hexadecimal", path.display())]
    Hex { path: PathBuf, field: &'static str },
    #[error("{} holds no point of the right group", path.display())]
    Point { path: PathBuf, source: DecodeError },
}

impl From<FileError> for CliError {
    fn from(error: FileError) -> Self {
        CliError::new(Exit::Failed, error).with_remedy(Some(
            "check the file's name; `dta device enroll` makes a device file",
        ))
    }
}
