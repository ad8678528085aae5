//! What the test device and the test M-Pin server say to each other: one JSON object per line.
//!
//! ```text
//! device  {"version":1,"mpin_id":"...","day":20777,"u":"..."}     day only under a permit
//! server  {"reply":"challenge","y":"..."}
//! device  {"v":"..."}
//! server  {"reply":"accepted"}  or  {"reply":"bad-pin"}
//! ```
//!
//! Instead of any of its lines the server may say `{"reply":"refused","reason":"..."}`, with a
//! `remedy` where there is one. Points are 48 bytes of compressed G1 in hexadecimal, `y` is 32 bytes, big endian. No line is longer than
//! [`MAX_LINE`] bytes.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The one version of this protocol.
pub(super) const VERSION: u8 = 1;
/// The longest line.
const MAX_LINE: u64 = 4096;
/// How long either side waits for the other. The user has typed the PIN before the first line.
const PATIENCE: Duration = Duration::from_secs(10);

/// The device's first line: who, on which day, and `U`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hello {
    pub(super) version: u8,
    pub(super) mpin_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) day: Option<u32>,
    pub(super) u: String,
}

/// The device's second line: `V`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    pub(super) v: String,
}

/// Every line of the server.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Reply {
    Challenge {
        y: String,
    },
    Accepted,
    BadPin,
    Refused {
        reason: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        remedy: Option<String>,
    },
}

/// Why a line could not be exchanged.
#[derive(Debug, Error)]
pub(super) enum LineError {
    #[error("the connection broke")]
    Io(#[from] io::Error),
    #[error("the other side hung up")]
    Closed,
    #[error("a line is longer than {MAX_LINE} bytes")]
    TooLong,
    #[error("a line is not what this protocol says")]
    Json(#[from] serde_json::Error),
}

/// One connection, line by line.
pub(super) struct Lines {
    stream: BufReader<TcpStream>,
}

impl Lines {
    pub(super) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    pub(super) fn send(&mut self, message: &impl Serialize) -> Result<(), LineError> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        self.stream.get_mut().write_all(&line)?;
        Ok(())
    }

    pub(super) fn receive<T: DeserializeOwned>(&mut self) -> Result<T, LineError> {
        let mut line = Vec::new();
        (&mut self.stream)
            .take(MAX_LINE)
            .read_until(b'\n', &mut line)?;
        match line.last() {
            None => Err(LineError::Closed),
            Some(b'\n') => Ok(serde_json::from_slice(&line)?),
            Some(_) if line.len() as u64 == MAX_LINE => Err(LineError::TooLong),
            Some(_) => Err(LineError::Closed),
        }
    }
}
