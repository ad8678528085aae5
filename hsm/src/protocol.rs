//! The protocol between [`crate::HsmClient`] and the process `dta hsm`, version 1.
//!
//! A Unix stream socket carries frames:
//!
//! ```text
//! offset  bytes  what
//! 0       4      length of the rest, big endian, 3 to 65,536
//! 4       1      protocol version, 1
//! 5       2      length H of the head, big endian
//! 7       H      head: one JSON object
//! 7 + H   rest   body: raw bytes
//! ```
//!
//! The process speaks first: its greeting is a reply with `{"reply":"hello",...}`, or the error for
//! which it will not serve this peer. Then the client sends a request and reads one reply, as often
//! as it likes. Whatever may be secret (a plaintext, an opened key) travels in the body only, which
//! both ends keep in buffers that are zeroised; heads hold nothing secret. A frame that is too
//! large, too short, of another version or with an unknown field ends the connection.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::HsmError;
use crate::types::{IV_BYTES, KeyLabel, NodeKey, TAG_BYTES, TokenInfo};

/// The version of this protocol.
pub const VERSION: u8 = 1;
/// The most bytes after the length field of a frame.
pub const MAX_FRAME_BYTES: usize = 65_536;
/// The most random bytes one request returns.
pub const MAX_RANDOM_BYTES: usize = 4_096;
/// The most bytes a plaintext, message or data object may have; a ciphertext has 16 more. Leaves
/// room for the head.
pub const MAX_BODY_BYTES: usize = 32_768;
/// The most bytes of AAD; it travels as hex in the head.
pub const MAX_AAD_BYTES: usize = 4_096;

const LENGTH_BYTES: usize = 4;
const HEADER_BYTES: usize = 3;

/// What a client asks for. The body belongs to the variants that say so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Request {
    /// What the token says about itself.
    TokenInfo {},
    /// Make the AES-256 key of that label.
    CreateSealKey {
        /// Its label; must be free.
        label: KeyLabel,
    },
    /// Make the signing key of that label.
    CreateNodeKey {
        /// Its label; must be free.
        label: KeyLabel,
    },
    /// The public half of a signing key.
    FindNodeKey {
        /// Its label.
        label: KeyLabel,
    },
    /// Whether a seal key of that label is there.
    SealKeyExists {
        /// Its label.
        label: KeyLabel,
    },
    /// Seal and open a random value with the real key.
    CheckSealKey {
        /// Its label.
        label: KeyLabel,
    },
    /// AES-256-GCM encrypt; body: the plaintext.
    Seal {
        /// The seal key.
        label: KeyLabel,
        /// The additional authenticated data.
        #[serde(with = "hex::serde")]
        aad: Vec<u8>,
    },
    /// AES-256-GCM decrypt; body: ciphertext and tag.
    Open {
        /// The seal key.
        label: KeyLabel,
        /// The additional authenticated data.
        #[serde(with = "hex::serde")]
        aad: Vec<u8>,
        /// The IV, 12 bytes.
        #[serde(with = "hex::serde")]
        iv: [u8; IV_BYTES],
    },
    /// Sign; body: the message, not its digest.
    Sign {
        /// The node key.
        label: KeyLabel,
    },
    /// Random bytes from the token.
    Random {
        /// How many, at most [`MAX_RANDOM_BYTES`].
        bytes: usize,
    },
    /// Create or replace a private data object; body: its value.
    PutData {
        /// Its label.
        label: KeyLabel,
    },
    /// The value of a private data object.
    GetData {
        /// Its label.
        label: KeyLabel,
    },
    /// Destroy the seal key or node key of that label; nothing happens when there is none.
    DestroyKey {
        /// Its label.
        label: KeyLabel,
    },
}

impl Request {
    /// What is being done, for messages and logs: `opening a ciphertext`.
    pub fn doing(&self) -> &'static str {
        match self {
            Self::TokenInfo {} => "reading the token's description",
            Self::CreateSealKey { .. } => "making a seal key",
            Self::CreateNodeKey { .. } => "making a node key",
            Self::FindNodeKey { .. } | Self::SealKeyExists { .. } => "looking for a key",
            Self::CheckSealKey { .. } => "checking the seal key",
            Self::Seal { .. } => "sealing",
            Self::Open { .. } => "opening a ciphertext",
            Self::Sign { .. } => "signing",
            Self::Random { .. } => "drawing random bytes",
            Self::PutData { .. } => "writing a data object",
            Self::GetData { .. } => "reading a data object",
            Self::DestroyKey { .. } => "destroying a key",
        }
    }

    /// Refuses a body that no request of this kind may have.
    pub(crate) fn check_body(&self, body: &[u8]) -> Result<(), HsmError> {
        let limit = match self {
            Self::Open { .. } => MAX_BODY_BYTES + TAG_BYTES,
            _ => MAX_BODY_BYTES,
        };
        if body.len() <= limit {
            return Ok(());
        }
        let what = "the value sent to the HSM".to_owned();
        Err(HsmError::TooLarge {
            what,
            size: body.len(),
            limit,
        })
    }

    /// Whether doing it twice is the same as doing it once.
    pub(crate) fn is_repeatable(&self) -> bool {
        !matches!(
            self,
            Self::CreateSealKey { .. } | Self::CreateNodeKey { .. }
        )
    }
}

/// What the process answers. The body belongs to the variants that say so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Reply {
    /// The greeting: this peer is served.
    Hello {
        /// The version of the process, for people.
        server: String,
    },
    /// Done; nothing to return.
    Done {},
    /// The token.
    Token {
        /// Its facts.
        info: TokenInfo,
    },
    /// A signing key.
    NodeKey {
        /// Its public half.
        key: NodeKey,
    },
    /// Whether the key is there.
    Exists {
        /// True when it is.
        present: bool,
    },
    /// Body: ciphertext and tag.
    Sealed {
        /// The IV that was used.
        #[serde(with = "hex::serde")]
        iv: [u8; IV_BYTES],
    },
    /// Body: the plaintext, signature, random bytes or data value.
    Bytes {},
    /// It did not work.
    Failed {
        /// Why.
        error: HsmError,
    },
}

/// A parsed frame: a head and the raw bytes after it.
#[derive(Debug)]
pub struct Frame<Head> {
    /// The typed JSON head.
    pub head: Head,
    /// The body; empty for most. `Debug` does not print it.
    pub body: Body,
}

/// Raw bytes that may be secret: zeroised on drop, never printed.
#[derive(Default)]
pub struct Body(Zeroizing<Vec<u8>>);

impl Body {
    /// A copy of `bytes`.
    pub fn copy_of(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, still zeroised on drop.
    pub fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

impl From<Zeroizing<Vec<u8>>> for Body {
    fn from(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
    }
}

/// Parses what follows the length field of a frame.
///
/// # Errors
/// [`HsmError::Protocol`] for another version, a head that reaches beyond the frame or is not the
/// JSON of `Head`.
pub fn parse<Head: DeserializeOwned>(frame: &[u8]) -> Result<Frame<Head>, HsmError> {
    let [version, high, low, rest @ ..] = frame else {
        return Err(protocol("the frame is shorter than its header"));
    };
    if *version != VERSION {
        return Err(protocol(&format!(
            "the frame has version {version}, expected {VERSION}"
        )));
    }
    let head_length = usize::from(u16::from_be_bytes([*high, *low]));
    let Some((head, body)) = rest.split_at_checked(head_length) else {
        return Err(protocol("the head reaches beyond the frame"));
    };
    let head = serde_json::from_slice(head)
        .map_err(|e| protocol(&format!("the head is not understood: {e}")))?;
    Ok(Frame {
        head,
        body: Body::copy_of(body),
    })
}

/// A whole frame, length field included.
///
/// # Errors
/// [`HsmError::TooLarge`] when head and body exceed [`MAX_FRAME_BYTES`].
pub fn encode<Head: Serialize>(head: &Head, body: &[u8]) -> Result<Zeroizing<Vec<u8>>, HsmError> {
    let head = serde_json::to_vec(head)
        .map_err(|e| protocol(&format!("the head cannot be written: {e}")))?;
    let size = HEADER_BYTES + head.len() + body.len();
    let too_large = || HsmError::TooLarge {
        what: "the frame".to_owned(),
        size,
        limit: MAX_FRAME_BYTES,
    };
    if size > MAX_FRAME_BYTES {
        return Err(too_large());
    }
    let length = u32::try_from(size).map_err(|_| too_large())?;
    let head_length = u16::try_from(head.len()).map_err(|_| too_large())?;
    // Reserved in full beforehand: growing would leave an unzeroised copy of the body behind.
    let mut frame = Zeroizing::new(Vec::with_capacity(LENGTH_BYTES + size));
    frame.extend_from_slice(&length.to_be_bytes());
    frame.push(VERSION);
    frame.extend_from_slice(&head_length.to_be_bytes());
    frame.extend_from_slice(&head);
    frame.extend_from_slice(body);
    Ok(frame)
}

/// Why no frame came or went.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The peer closed the connection between two frames.
    Closed,
    /// It closed or broke the connection within one.
    Lost,
    /// The deadline passed.
    TimedOut,
    /// What came is not a frame of this protocol.
    Invalid(HsmError),
}

/// Sends one frame before `deadline`.
pub(crate) fn send<Head: Serialize>(
    stream: &UnixStream,
    head: &Head,
    body: &[u8],
    deadline: Instant,
) -> Result<(), Broken> {
    let frame = encode(head, body).map_err(Broken::Invalid)?;
    let mut unsent = frame.as_slice();
    while !unsent.is_empty() {
        stream
            .set_write_timeout(Some(remaining(deadline)?))
            .map_err(|_| Broken::Lost)?;
        match (&mut &*stream).write(unsent) {
            Ok(0) => return Err(Broken::Lost),
            Ok(sent) => unsent = &unsent[sent..],
            Err(e) => retry_or_break(&e)?,
        }
    }
    Ok(())
}

/// Receives one frame before `deadline`; the caller has seen to it that one is on its way.
pub(crate) fn receive<Head: DeserializeOwned>(
    stream: &UnixStream,
    deadline: Instant,
) -> Result<Frame<Head>, Broken> {
    let mut length = [0; LENGTH_BYTES];
    fill(stream, &mut length, deadline).map_err(|at| match at {
        (0, Broken::Lost) => Broken::Closed,
        (_, broken) => broken,
    })?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > MAX_FRAME_BYTES {
        return Err(Broken::Invalid(HsmError::TooLarge {
            what: "the frame".to_owned(),
            size: length,
            limit: MAX_FRAME_BYTES,
        }));
    }
    let mut frame = Zeroizing::new(vec![0; length]);
    fill(stream, &mut frame, deadline).map_err(|(_, broken)| broken)?;
    parse(&frame).map_err(Broken::Invalid)
}

/// Fills `buffer`; on failure also says how many bytes had come.
fn fill(stream: &UnixStream, buffer: &mut [u8], deadline: Instant) -> Result<(), (usize, Broken)> {
    let mut filled = 0;
    while filled < buffer.len() {
        let wait = remaining(deadline).map_err(|b| (filled, b))?;
        stream
            .set_read_timeout(Some(wait))
            .map_err(|_| (filled, Broken::Lost))?;
        match (&mut &*stream).read(&mut buffer[filled..]) {
            Ok(0) => return Err((filled, Broken::Lost)),
            Ok(count) => filled += count,
            Err(e) => retry_or_break(&e).map_err(|b| (filled, b))?,
        }
    }
    Ok(())
}

fn remaining(deadline: Instant) -> Result<Duration, Broken> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        Err(Broken::TimedOut)
    } else {
        Ok(left)
    }
}

fn retry_or_break(error: &std::io::Error) -> Result<(), Broken> {
    match error.kind() {
        // A timeout shows as WouldBlock; the deadline is looked at before the next attempt.
        ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut => Ok(()),
        _ => Err(Broken::Lost),
    }
}

fn protocol(problem: &str) -> HsmError {
    HsmError::Protocol {
        problem: problem.to_owned(),
    }
}
