//! The one connection to the authority: HTTP/2, all requests side by side, restored when it breaks.
//!
//! The same connection brings the stream of [`Snapshot`]s, so what the proxy knows can never outlive
//! its way to the authority: without a connection every answer is `authority-unavailable`, at once.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::{Request, Response, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use thiserror::Error;
use tokio::net::UnixStream;
use tokio::sync::watch;
use wire::keys::VerifyingKey;
use wire::{Problem, ProblemType};

use crate::service::link::{REGISTRY_PATH, Snapshot};

/// How long the authority may take to answer one request.
const REPLY_TIMEOUT: Duration = Duration::from_secs(15);
/// The pause between two attempts to connect.
const RETRY: Duration = Duration::from_millis(50);
/// A connection on which the other side no longer answers pings is given up after this.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// The longest line of the snapshot stream, in bytes: 100,000 keys.
const MAX_SNAPSHOT: usize = 32 * 1024 * 1024;

/// What the proxy knows of its authority at this moment.
#[derive(Debug)]
pub(crate) enum View {
    /// No connection, or no snapshot on it yet.
    Unreachable,
    /// Connected; nothing is issued.
    Sealed(Link),
    /// Connected; requests signed by a known key are forwarded.
    Unlocked(Link, Registry),
}

/// The public keys of the customers.
#[derive(Debug)]
pub(crate) struct Registry {
    /// The id that requests must name in `dta-authority`, 64 hex digits.
    pub(crate) authority_id: String,
    keys: HashMap<String, VerifyingKey>,
}

impl Registry {
    /// The key with this id.
    pub(crate) fn key(&self, keyid: &str) -> Option<&VerifyingKey> {
        self.keys.get(keyid)
    }
}

/// A handle on the connection; requests sent through its copies travel side by side.
#[derive(Clone, Debug)]
pub(crate) struct Link(SendRequest<Full<Bytes>>);

impl Link {
    /// Sends a request and returns the authority's reply as it came.
    ///
    /// # Errors
    /// `authority-unavailable` if the connection broke or no reply came in time. Issuing is
    /// deterministic and a nonce is burnt at most once, so the caller may sign and send again.
    pub(crate) async fn send(
        mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Problem> {
        match tokio::time::timeout(REPLY_TIMEOUT, self.0.send_request(request)).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the connection to the authority broke");
                Err(unavailable("the connection to the authority broke"))
            }
            Err(_) => Err(unavailable("the authority did not answer in time")),
        }
    }
}

/// The problem of a proxy without its authority.
pub(crate) fn unavailable(detail: &str) -> Problem {
    Problem::new(ProblemType::AuthorityUnavailable, detail).with_retry_after(1)
}

/// Where the authority is, and what it should be called.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) socket: PathBuf,
    pub(crate) public_authority: String,
}

/// Keeps a connection to the authority for as long as the runtime lives; the receiver always holds the
/// present view.
pub(crate) fn connect(target: Target) -> watch::Receiver<Arc<View>> {
    let (views, receiver) = watch::channel(Arc::new(View::Unreachable));
    tokio::spawn(async move {
        let mut last_said = String::new();
        while !views.is_closed() {
            let error = follow(&target, &views).await;
            views.send_replace(Arc::new(View::Unreachable));
            let said = error.to_string();
            if said != last_said {
                tracing::warn!(socket = %target.socket.display(), cause = ?error, "no authority: {said}");
                last_said = said;
            }
            tokio::time::sleep(RETRY).await;
        }
    });
    receiver
}

#[derive(Debug, Error)]
enum LinkError {
    #[error("cannot connect to the authority's socket")]
    Connect(#[source] std::io::Error),
    #[error("the connection to the authority broke")]
    Broken(#[from] hyper::Error),
    #[error("the authority refused the snapshot stream with status {0}")]
    Refused(u16),
    #[error("the authority ended the snapshot stream")]
    Ended,
    #[error("the authority sent a snapshot longer than {MAX_SNAPSHOT} bytes")]
    TooLong,
    #[error("the authority sent a snapshot that cannot be read: {0}")]
    Unreadable(String),
}

/// Connects once and publishes every snapshot until the connection ends, always with a reason.
async fn follow(target: &Target, views: &watch::Sender<Arc<View>>) -> LinkError {
    match try_follow(target, views).await {
        Ok(()) => LinkError::Ended,
        Err(error) => error,
    }
}

async fn try_follow(target: &Target, views: &watch::Sender<Arc<View>>) -> Result<(), LinkError> {
    let stream = UnixStream::connect(&target.socket)
        .await
        .map_err(LinkError::Connect)?;
    let (mut sender, connection) = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(stream))
        .await?;
    tokio::spawn(connection);

    let mut request = Request::new(Full::default());
    *request.uri_mut() = internal_uri(REGISTRY_PATH);
    let reply = sender.send_request(request).await?;
    if !reply.status().is_success() {
        return Err(LinkError::Refused(reply.status().as_u16()));
    }
    let mut body = reply.into_body();
    let mut buffer = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            buffer.extend_from_slice(&data);
        }
        while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
            let line = buffer.split_to(end + 1);
            let view = read_snapshot(&line, Link(sender.clone()), &target.public_authority)?;
            tracing::info!(state = view.state(), "the authority pushed its registry");
            views.send_replace(Arc::new(view));
        }
        if buffer.len() > MAX_SNAPSHOT {
            return Err(LinkError::TooLong);
        }
    }
    Ok(())
}

impl View {
    fn state(&self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Sealed(_) => "sealed",
            Self::Unlocked(..) => "unlocked",
        }
    }
}

fn read_snapshot(line: &[u8], link: Link, own: &str) -> Result<View, LinkError> {
    let snapshot: Snapshot =
        serde_json::from_slice(line).map_err(|error| LinkError::Unreadable(error.to_string()))?;
    if snapshot.public_authority != own {
        let theirs = &snapshot.public_authority;
        tracing::error!(
            own,
            theirs,
            "`public_authority` differs from the authority's: nothing will fit"
        );
    }
    let Some(rows) = snapshot.keys else {
        return Ok(View::Sealed(link));
    };
    let keys = rows
        .iter()
        .map(|row| VerifyingKey::from_pem(&row.pem).map(|key| (key.keyid(), key)))
        .collect::<Result<_, _>>()
        .map_err(|error| LinkError::Unreadable(error.to_string()))?;
    let authority_id = snapshot.authority_id;
    Ok(View::Unlocked(link, Registry { authority_id, keys }))
}

/// A URI on the link. The host is fixed: the authority compares `@authority` with its own configuration.
pub(crate) fn internal_uri(path_and_query: &str) -> Uri {
    Uri::builder()
        .scheme("http")
        .authority("authority")
        .path_and_query(path_and_query)
        .build()
        .expect("a path taken from a parsed URI, or one of our own, is valid")
}
