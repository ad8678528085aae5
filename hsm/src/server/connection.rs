//! One thread per connection: greet, then request and reply until the peer leaves.

use std::collections::HashMap;
use std::net::Shutdown as Direction;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use zeroize::Zeroizing;

use crate::config::Config;
use crate::error::HsmError;
use crate::protocol::{self, Body, Broken, Frame, Reply, Request};
use crate::token::Token;
use crate::types::Sealed;

use super::MAX_CONNECTIONS;

/// How long a frame may take once its first byte is there, and a reply to be taken.
const FRAME_WITHIN: Duration = Duration::from_secs(5);

/// The live connections and the token they share.
pub(super) struct Connections {
    token: Token,
    allowed: Vec<u32>,
    live: Mutex<Live>,
    one_ended: Condvar,
}

#[derive(Default)]
struct Live {
    next: u64,
    streams: HashMap<u64, UnixStream>,
    stopping: bool,
}

impl Connections {
    pub(super) fn new(token: Token, config: &Config) -> Self {
        let mut allowed: Vec<u32> = config.allow_users.iter().map(|user| user.uid).collect();
        allowed.extend([0, rustix::process::geteuid().as_raw()]);
        Self {
            token,
            allowed,
            live: Mutex::default(),
            one_ended: Condvar::new(),
        }
    }

    /// Serves `stream` in a thread of its own, or turns it away with the reason as greeting.
    pub(super) fn serve(self: &Arc<Self>, stream: UnixStream) {
        let admitted = stream
            .set_nonblocking(false)
            .map_err(|e| HsmError::Protocol {
                problem: e.to_string(),
            })
            .and_then(|()| self.admit(&stream));
        let number = match admitted {
            Ok(number) => number,
            Err(error) => {
                tracing::warn!(%error, "turned a connection away");
                // It is being turned away: whether it hears why is its own affair.
                let _ = say(&stream, &Reply::Failed { error }, &[]);
                return;
            }
        };
        let this = Arc::clone(self);
        let spawned = std::thread::Builder::new()
            .name(format!("connection {number}"))
            .spawn(move || {
                let ended = Ended {
                    connections: &this,
                    number,
                };
                this.converse(&stream);
                drop(ended);
            });
        if let Err(e) = spawned {
            tracing::error!(error = %e, "cannot start a thread for a connection");
            self.forget(number);
        }
    }

    /// Ends idle connections at once, lets requests in hand finish. False when `within` passed.
    pub(super) fn drain(&self, within: Duration) -> bool {
        let mut live = self.live();
        live.stopping = true;
        for stream in live.streams.values() {
            // Only reading ends: the reply to a request in hand still goes out.
            let _ = stream.shutdown(Direction::Read);
        }
        let waited = self
            .one_ended
            .wait_timeout_while(live, within, |l| !l.streams.is_empty());
        waited
            .unwrap_or_else(PoisonError::into_inner)
            .0
            .streams
            .is_empty()
    }

    fn admit(&self, stream: &UnixStream) -> Result<u64, HsmError> {
        let peer =
            rustix::net::sockopt::socket_peercred(stream).map_err(|e| HsmError::Protocol {
                problem: format!("cannot tell who calls: {e}"),
            })?;
        let uid = peer.uid.as_raw();
        if !self.allowed.contains(&uid) {
            return Err(HsmError::PeerNotAllowed { uid });
        }
        let mut live = self.live();
        if live.streams.len() >= MAX_CONNECTIONS {
            return Err(HsmError::Busy {
                limit: MAX_CONNECTIONS,
            });
        }
        let handle = stream.try_clone().map_err(|e| HsmError::Protocol {
            problem: format!("out of resources: {e}"),
        })?;
        let number = live.next;
        live.next += 1;
        live.streams.insert(number, handle);
        tracing::debug!(number, uid, "connected");
        Ok(number)
    }

    fn converse(&self, stream: &UnixStream) {
        let server = env!("CARGO_PKG_VERSION").to_owned();
        let mut kept = say(stream, &Reply::Hello { server }, &[]);
        while kept.is_ok() && !self.live().stopping && has_input(stream) {
            kept = match protocol::receive::<Request>(stream, Instant::now() + FRAME_WITHIN) {
                Ok(Frame { head, body }) => {
                    let (reply, body) = self.answer(&head, &body);
                    say(stream, &reply, &body)
                }
                Err(Broken::Closed) => return,
                Err(Broken::Invalid(error)) => {
                    tracing::warn!(%error, "ended a connection");
                    // Where the next frame starts is not known any more: say why and end.
                    let _ = say(stream, &Reply::Failed { error }, &[]);
                    return;
                }
                Err(broken) => Err(broken),
            };
        }
        if let Err(broken) = kept {
            tracing::debug!(?broken, "connection broke");
        }
    }

    fn answer(&self, request: &Request, body: &Body) -> (Reply, Zeroizing<Vec<u8>>) {
        let begun = Instant::now();
        let done = self.perform(request, body.as_bytes());
        let microseconds = begun.elapsed().as_micros();
        let doing = request.doing();
        match done {
            Ok(answer) => {
                tracing::debug!(doing, microseconds, "answered");
                answer
            }
            Err(error) => {
                tracing::warn!(doing, microseconds, %error, "refused or failed");
                (Reply::Failed { error }, Zeroizing::default())
            }
        }
    }

    fn perform(
        &self,
        request: &Request,
        body: &[u8],
    ) -> Result<(Reply, Zeroizing<Vec<u8>>), HsmError> {
        request.check_body(body)?;
        let bare = |reply| Ok((reply, Zeroizing::default()));
        let bytes = |bytes: Zeroizing<Vec<u8>>| Ok((Reply::Bytes {}, bytes));
        match request {
            Request::TokenInfo {} => bare(Reply::Token {
                info: self.token.info()?,
            }),
            Request::CreateSealKey { label } => {
                self.token.create_seal_key(label)?;
                tracing::info!(%label, "made a seal key");
                bare(Reply::Done {})
            }
            Request::CreateNodeKey { label } => {
                let key = self.token.create_node_key(label)?;
                tracing::info!(%label, alg = %key.alg, "made a node key");
                bare(Reply::NodeKey { key })
            }
            Request::FindNodeKey { label } => bare(Reply::NodeKey {
                key: self.token.find_node_key(label)?,
            }),
            Request::SealKeyExists { label } => bare(Reply::Exists {
                present: self.token.seal_key_exists(label)?,
            }),
            Request::CheckSealKey { label } => {
                self.token.check_seal_key(label)?;
                bare(Reply::Done {})
            }
            Request::Seal { label, aad } => {
                let Sealed { iv, ciphertext } = self.token.seal(label, aad, body)?;
                Ok((Reply::Sealed { iv }, ciphertext.into()))
            }
            Request::Open { label, aad, iv } => {
                let sealed = Sealed {
                    iv: *iv,
                    ciphertext: body.to_vec(),
                };
                bytes(self.token.open(label, aad, &sealed)?)
            }
            Request::Sign { label } => bytes(self.token.sign(label, body)?.into()),
            Request::Random { bytes: count } => bytes(self.token.random(*count)?),
            Request::PutData { label } => {
                self.token.put_data(label, body)?;
                tracing::info!(%label, bytes = body.len(), "wrote a data object");
                bare(Reply::Done {})
            }
            Request::GetData { label } => bytes(self.token.get_data(label)?.into()),
            Request::DestroyKey { label } => {
                let destroyed = self.token.destroy_key(label)?;
                tracing::info!(%label, destroyed, "destroyed a key");
                bare(Reply::Done {})
            }
        }
    }

    fn forget(&self, number: u64) {
        self.live().streams.remove(&number);
        self.one_ended.notify_all();
    }

    /// Nothing in `Live` can be left half changed, so a panic elsewhere does not spoil it.
    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the connection off the list, also when its thread panics.
struct Ended<'a> {
    connections: &'a Connections,
    number: u64,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.connections.forget(self.number);
    }
}

fn say(stream: &UnixStream, reply: &Reply, body: &[u8]) -> Result<(), Broken> {
    protocol::send(stream, reply, body, Instant::now() + FRAME_WITHIN)
}

/// Waits, as long as it takes, until the peer says something or leaves.
fn has_input(stream: &UnixStream) -> bool {
    let mut fds = [PollFd::new(stream, PollFlags::IN)];
    loop {
        match rustix::event::poll(&mut fds, None) {
            Ok(_) => return true,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}
