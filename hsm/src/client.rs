//! The blocking client of the process `dta hsm`.
//!
//! One connection, kept open and shared by all callers one after another: the token answers one at
//! a time anyway. Every call ends within its time limit. When the process was restarted the client
//! connects again by itself; a request that is safe to repeat is then repeated once, one that makes
//! a key is not. Inside an async program call it from a blocking thread.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::net::{RecvFlags, SocketAddrUnix, SocketFlags, SocketType, sockopt};
use zeroize::Zeroizing;

use crate::error::HsmError;
use crate::protocol::{self, Broken, Frame, MAX_AAD_BYTES, Reply, Request};
use crate::types::{NodeKey, Sealed, TokenInfo};

/// How long the client waits.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For the process to accept and greet.
    pub connect: Duration,
    /// For the answer to one request.
    pub request: Duration,
}

impl Default for Timeouts {
    /// 3 s to connect; 20 s per request, because making a key on a network HSM takes its time.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            request: Duration::from_secs(20),
        }
    }
}

/// A handle on the process `dta hsm`. Clones share one connection.
#[derive(Debug, Clone)]
pub struct HsmClient {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    socket: PathBuf,
    timeouts: Timeouts,
    connection: Mutex<Option<UnixStream>>,
}

impl HsmClient {
    /// Connects to the process at `socket` and reads its greeting.
    ///
    /// # Errors
    /// [`HsmError::NotRunning`], [`HsmError::PeerNotAllowed`], [`HsmError::Busy`],
    /// [`HsmError::Timeout`], [`HsmError::Protocol`].
    pub fn connect(socket: &Path) -> Result<Self, HsmError> {
        let client = Self::new(socket, Timeouts::default());
        let connection = client.open_connection()?;
        *client.connection() = Some(connection);
        Ok(client)
    }

    /// A handle that connects on its first request, for callers that start before the process does.
    pub fn new(socket: &Path, timeouts: Timeouts) -> Self {
        let socket = socket.to_path_buf();
        Self {
            shared: Arc::new(Shared {
                socket,
                timeouts,
                connection: Mutex::new(None),
            }),
        }
    }

    /// The socket this client talks to.
    pub fn socket(&self) -> &Path {
        &self.shared.socket
    }

    /// What the token says about itself. A token that answers this may still have lost its keys:
    /// see [`HsmClient::check_seal_key`].
    ///
    /// # Errors
    /// Any that says why the token cannot be reached.
    pub fn token_info(&self) -> Result<TokenInfo, HsmError> {
        match self.ask(&Request::TokenInfo {}, &[])?.head {
            Reply::Token { info } => Ok(info),
            other => Err(unexpected(&other)),
        }
    }

    /// Makes an AES-256 seal key (`CKM_AES_KEY_GEN`): sensitive, not extractable, for encryption
    /// and decryption only. Its attributes are read back.
    ///
    /// # Errors
    /// [`HsmError::AlreadyExists`]: nothing is overwritten. [`HsmError::UnsafeKey`]: the token did
    /// not honour the attributes; the key has been destroyed again.
    pub fn create_seal_key(&self, label: &str) -> Result<(), HsmError> {
        self.expect_done(
            &Request::CreateSealKey {
                label: label.parse()?,
            },
            &[],
        )
    }

    /// Makes a signing key: Ed25519 (`CKM_EC_EDWARDS_KEY_PAIR_GEN`) where the token can, else ECDSA
    /// P-256 (`CKM_EC_KEY_PAIR_GEN`). A test signature is verified outside the token.
    ///
    /// # Errors
    /// As [`HsmClient::create_seal_key`].
    pub fn create_node_key(&self, label: &str) -> Result<NodeKey, HsmError> {
        self.expect_node_key(&Request::CreateNodeKey {
            label: label.parse()?,
        })
    }

    /// The public half of the node key of that label.
    ///
    /// # Errors
    /// [`HsmError::KeyMissing`], [`HsmError::UnsafeKey`].
    pub fn find_node_key(&self, label: &str) -> Result<NodeKey, HsmError> {
        self.expect_node_key(&Request::FindNodeKey {
            label: label.parse()?,
        })
    }

    /// Whether the token holds a seal key of that label. Says nothing about its attributes.
    ///
    /// # Errors
    /// Any that says why the token cannot be reached.
    pub fn seal_key_exists(&self, label: &str) -> Result<bool, HsmError> {
        match self
            .ask(
                &Request::SealKeyExists {
                    label: label.parse()?,
                },
                &[],
            )?
            .head
        {
            Reply::Exists { present } => Ok(present),
            other => Err(unexpected(&other)),
        }
    }

    /// The health check: checks the key's attributes, seals and opens a random value with it. After
    /// a token was removed only its real keys tell; sessions and random numbers go on working.
    ///
    /// # Errors
    /// [`HsmError::KeyMissing`], [`HsmError::UnsafeKey`], [`HsmError::TokenRemoved`] and those that
    /// say why the token cannot be reached.
    pub fn check_seal_key(&self, label: &str) -> Result<(), HsmError> {
        self.expect_done(
            &Request::CheckSealKey {
                label: label.parse()?,
            },
            &[],
        )
    }

    /// AES-256-GCM inside the token with a fresh 12-byte IV and a 128-bit tag.
    /// At most 32,768 bytes of plaintext and 4,096 of AAD.
    ///
    /// # Errors
    /// [`HsmError::KeyMissing`], [`HsmError::UnsafeKey`], [`HsmError::TooLarge`].
    pub fn seal(&self, label: &str, aad: &[u8], plaintext: &[u8]) -> Result<Sealed, HsmError> {
        let request = Request::Seal {
            label: label.parse()?,
            aad: bounded_aad(aad)?,
        };
        let Frame { head, body } = self.ask(&request, plaintext)?;
        match head {
            Reply::Sealed { iv } => Ok(Sealed {
                iv,
                ciphertext: body.as_bytes().to_vec(),
            }),
            other => Err(unexpected(&other)),
        }
    }

    /// Opens what [`HsmClient::seal`] made.
    ///
    /// # Errors
    /// [`HsmError::DoesNotOpen`] when ciphertext, IV, AAD or key is another one: the HSM is well.
    pub fn open(
        &self,
        label: &str,
        aad: &[u8],
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, HsmError> {
        let request = Request::Open {
            label: label.parse()?,
            aad: bounded_aad(aad)?,
            iv: sealed.iv,
        };
        self.expect_bytes(&request, &sealed.ciphertext)
    }

    /// Signs `message` with the node key: 64 bytes, Ed25519 over the message, or P-256 `r || s` over
    /// its SHA-256. At most 32,768 bytes; the caller puts a prefix of its own in front.
    ///
    /// # Errors
    /// [`HsmError::KeyMissing`], [`HsmError::UnsafeKey`], [`HsmError::TooLarge`].
    pub fn sign(&self, label: &str, message: &[u8]) -> Result<Vec<u8>, HsmError> {
        let bytes = self.expect_bytes(
            &Request::Sign {
                label: label.parse()?,
            },
            message,
        )?;
        Ok(bytes.to_vec())
    }

    /// Random bytes from the token (`C_GenerateRandom`), at most 4,096.
    ///
    /// # Errors
    /// [`HsmError::TooLarge`].
    pub fn random(&self, bytes: usize) -> Result<Zeroizing<Vec<u8>>, HsmError> {
        self.expect_bytes(&Request::Random { bytes }, &[])
    }

    /// Creates the private data object (`CKO_DATA`) of that label or replaces its value. At most
    /// 32,768 bytes.
    ///
    /// # Errors
    /// [`HsmError::AmbiguousKey`] when two objects carry the label.
    pub fn put_data(&self, label: &str, bytes: &[u8]) -> Result<(), HsmError> {
        self.expect_done(
            &Request::PutData {
                label: label.parse()?,
            },
            bytes,
        )
    }

    /// The value of the private data object of that label.
    ///
    /// # Errors
    /// [`HsmError::KeyMissing`] when there is none.
    pub fn get_data(&self, label: &str) -> Result<Vec<u8>, HsmError> {
        let bytes = self.expect_bytes(
            &Request::GetData {
                label: label.parse()?,
            },
            &[],
        )?;
        Ok(bytes.to_vec())
    }

    /// Destroys the seal key or node key of that label. Fine when there is none.
    ///
    /// # Errors
    /// Any that says why the token cannot be reached.
    pub fn destroy_key(&self, label: &str) -> Result<(), HsmError> {
        self.expect_done(
            &Request::DestroyKey {
                label: label.parse()?,
            },
            &[],
        )
    }

    fn expect_done(&self, request: &Request, body: &[u8]) -> Result<(), HsmError> {
        match self.ask(request, body)?.head {
            Reply::Done {} => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    fn expect_node_key(&self, request: &Request) -> Result<NodeKey, HsmError> {
        match self.ask(request, &[])?.head {
            Reply::NodeKey { key } => Ok(key),
            other => Err(unexpected(&other)),
        }
    }

    fn expect_bytes(&self, request: &Request, body: &[u8]) -> Result<Zeroizing<Vec<u8>>, HsmError> {
        let Frame { head, body } = self.ask(request, body)?;
        match head {
            Reply::Bytes {} => Ok(body.into_bytes()),
            other => Err(unexpected(&other)),
        }
    }

    /// One request, one reply; a failure reported by the process becomes this call's error.
    fn ask(&self, request: &Request, body: &[u8]) -> Result<Frame<Reply>, HsmError> {
        request.check_body(body)?;
        let deadline = Instant::now() + self.shared.timeouts.request;
        let mut connection = self.connection();
        let mut outcome = self.exchange(&mut connection, request, body, deadline);
        if matches!(outcome, Err(HsmError::ConnectionLost { .. })) && request.is_repeatable() {
            outcome = self.exchange(&mut connection, request, body, deadline);
        }
        let frame = outcome?;
        match frame.head {
            Reply::Failed { error } => Err(error),
            _ => Ok(frame),
        }
    }

    /// Leaves the connection in place only after a whole reply: after a timeout the late answer
    /// must not be taken for the answer to the next request.
    fn exchange(
        &self,
        connection: &mut Option<UnixStream>,
        request: &Request,
        body: &[u8],
        deadline: Instant,
    ) -> Result<Frame<Reply>, HsmError> {
        let stream = match connection.take().filter(is_quiet) {
            Some(stream) => stream,
            None => self.open_connection()?,
        };
        let broken = |broken| self.explain(broken, request.doing(), self.shared.timeouts.request);
        protocol::send(&stream, request, body, deadline).map_err(broken)?;
        let frame = protocol::receive(&stream, deadline).map_err(broken)?;
        *connection = Some(stream);
        Ok(frame)
    }

    fn open_connection(&self) -> Result<UnixStream, HsmError> {
        let wait = self.shared.timeouts.connect;
        let deadline = Instant::now() + wait;
        let stream = connect_within(&self.shared.socket, wait).map_err(|e| match e.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => self.timeout("connecting", wait),
            _ => HsmError::NotRunning {
                socket: self.shared.socket.clone(),
                problem: e.to_string(),
            },
        })?;
        let greeting = protocol::receive::<Reply>(&stream, deadline)
            .map_err(|broken| self.explain(broken, "waiting for its greeting", wait))?;
        match greeting.head {
            Reply::Hello { .. } => Ok(stream),
            Reply::Failed { error } => Err(error),
            other => Err(unexpected(&other)),
        }
    }

    fn explain(&self, broken: Broken, doing: &str, waited: Duration) -> HsmError {
        match broken {
            Broken::Closed | Broken::Lost => HsmError::ConnectionLost {
                socket: self.shared.socket.clone(),
            },
            Broken::TimedOut => self.timeout(doing, waited),
            Broken::Invalid(error) => error,
        }
    }

    fn timeout(&self, doing: &str, waited: Duration) -> HsmError {
        HsmError::timeout(doing, waited)
    }

    /// A panic elsewhere cannot leave the connection half used: it is taken out while in use.
    fn connection(&self) -> MutexGuard<'_, Option<UnixStream>> {
        self.shared
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the peer has neither closed nor said anything since the last reply.
fn is_quiet(stream: &UnixStream) -> bool {
    let mut byte = [0; 1];
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    matches!(
        rustix::net::recv(stream, &mut byte, flags),
        Err(rustix::io::Errno::WOULDBLOCK)
    )
}

/// `UnixStream::connect` would wait without limit for a process whose queue is full.
fn connect_within(socket: &Path, wait: Duration) -> io::Result<UnixStream> {
    let family = rustix::net::AddressFamily::UNIX;
    let fd = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_timeout(&fd, sockopt::Timeout::Send, Some(wait))?;
    rustix::net::connect(&fd, &SocketAddrUnix::new(socket)?)?;
    Ok(UnixStream::from(fd))
}

fn bounded_aad(aad: &[u8]) -> Result<Vec<u8>, HsmError> {
    if aad.len() > MAX_AAD_BYTES {
        let what = "the AAD".to_owned();
        return Err(HsmError::TooLarge {
            what,
            size: aad.len(),
            limit: MAX_AAD_BYTES,
        });
    }
    Ok(aad.to_vec())
}

fn unexpected(reply: &Reply) -> HsmError {
    HsmError::Protocol {
        problem: format!("the answer does not fit the request: {reply:?}"),
    }
}
