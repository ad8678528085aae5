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

mod io;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub(crate) use self::io::{Broken, receive, send};
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

fn protocol(problem: &str) -> HsmError {
    HsmError::Protocol {
        problem: problem.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn label() -> KeyLabel {
        "seal-1".parse().unwrap()
    }

    #[test]
    fn a_frame_has_the_documented_bytes() {
        let frame = encode(&Request::Sign { label: label() }, b"message").unwrap();
        let head = br#"{"op":"sign","label":"seal-1"}"#;
        let expected = [&[0, 0, 0, 40, 1, 0, 30][..], head, b"message"].concat();
        assert_eq!(*frame, expected);
    }

    #[test]
    fn the_largest_request_fits_a_frame() {
        let request = Request::Open {
            label: "x".repeat(64).parse().unwrap(),
            aad: vec![0xff; MAX_AAD_BYTES],
            iv: [0xff; IV_BYTES],
        };
        let body = vec![7; MAX_BODY_BYTES + TAG_BYTES];
        request.check_body(&body).unwrap();
        let frame = encode(&request, &body).unwrap();
        assert_eq!(parse::<Request>(&frame[4..]).unwrap().head, request);
        assert_eq!(
            encode(&request, &[7; MAX_FRAME_BYTES])
                .unwrap_err()
                .to_string(),
            "the frame has 73860 bytes, at most 65536 are allowed"
        );
    }

    #[test]
    fn every_error_crosses_the_protocol_unchanged() {
        let token = crate::types::TokenId {
            label: "acme".to_owned(),
            serial: "7".to_owned(),
        };
        let tries = crate::types::PinState::FinalTry;
        for error in [
            HsmError::ModuleNotFound {
                path: "/lib/x.so".into(),
            },
            HsmError::NoSuchToken {
                wanted: "w".to_owned(),
                present: vec![token.clone()],
            },
            HsmError::WrongPin { token, tries },
            HsmError::DoesNotOpen {
                label: "seal-1".to_owned(),
            },
            HsmError::Timeout {
                doing: "signing".to_owned(),
                milliseconds: 1_500,
            },
            HsmError::Busy { limit: 64 },
        ] {
            let reply = Reply::Failed { error };
            let frame = encode(&reply, &[]).unwrap();
            assert_eq!(parse::<Reply>(&frame[4..]).unwrap().head, reply);
        }
    }

    #[test]
    fn a_body_is_never_printed() {
        let frame = encode(&Reply::Bytes {}, b"secret").unwrap();
        let parsed = parse::<Reply>(&frame[4..]).unwrap();
        assert_eq!(
            format!("{parsed:?}"),
            "Frame { head: Bytes, body: Body(6 bytes) }"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn what_is_encoded_is_parsed(aad: Vec<u8>, iv: [u8; IV_BYTES], body: Vec<u8>) {
            let request = Request::Open { label: label(), aad, iv };
            let frame = encode(&request, &body).unwrap();
            let parsed = parse::<Request>(&frame[4..]).unwrap();
            prop_assert_eq!(parsed.head, request);
            prop_assert_eq!(parsed.body.as_bytes(), body);
        }

        #[test]
        fn garbage_is_refused_and_never_panics(bytes: Vec<u8>, start in 0_usize..40) {
            let mut frame = encode(&Request::Sign { label: label() }, b"").unwrap()[4..].to_vec();
            frame.truncate(start);
            frame.extend(bytes);
            let _ = parse::<Request>(&frame);
            let _ = parse::<Reply>(&frame);
        }
    }
}
