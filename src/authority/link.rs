//! The proxies' side of the authority: HTTP/2 over a Unix socket from a permitted user.
//!
//! This file moves requests and replies; what is answered is decided in [`Issuer`], which knows
//! nothing of sockets. Later an mTLS listener stands beside this one.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use http_body_util::{Either, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use wire::api::JSON_MEDIA_TYPE;
use wire::{Problem, ProblemType};

use super::issuer::Issuer;
use crate::service::http::{problem_reply, read_body, reply};
use crate::service::link::{
    INTERNAL_PREFIX, REFUSALS_PATH, REGISTRY_PATH, RefusalReport, Snapshot,
};
use crate::service::process::Shutdown;
use crate::service::routes::Call;
use crate::service::unix::{AllowedUsers, BoundSocket};

const KEEP_ALIVE: Duration = Duration::from_secs(20);
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// The most connections at once; a proxy has one.
const MAX_CONNECTIONS: usize = 64;
/// The most streams of snapshots on one connection; a proxy reads one.
const MAX_SNAPSHOT_STREAMS: usize = 2;
const MAX_STREAMS: u32 = 1_024;
const MAX_HEADER_BYTES: u32 = 32 * 1024;
/// A report of one minute names each problem type at most once.
const REPORT_LIMIT: usize = 4 * 1024;

type BoxedStream = std::pin::Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Infallible>> + Send>>;
type ReplyBody = Either<Full<Bytes>, StreamBody<BoxedStream>>;

/// What every connection needs.
#[derive(Clone)]
pub(crate) struct ProxySocket {
    pub(crate) issuer: Arc<Issuer>,
    pub(crate) snapshots: watch::Receiver<Arc<Snapshot>>,
    pub(crate) users: AllowedUsers,
}

impl ProxySocket {
    /// Serves until shutdown is requested, then lets what is in flight finish.
    pub(crate) async fn serve(self, socket: BoundSocket, shutdown: Shutdown) {
        let graceful = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                () = shutdown.requested() => break,
            };
            let stream = match accepted {
                Ok(stream) => stream,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a proxy's connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            if let Err(error) = self.users.admit(&stream) {
                tracing::warn!(%error, "a proxy's connection is refused");
                continue;
            }
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                tracing::warn!("too many proxies' connections");
                continue;
            };
            let connection = Connection {
                socket: self.clone(),
                watchers: Arc::new(Semaphore::new(MAX_SNAPSHOT_STREAMS)),
                shutdown: shutdown.clone(),
                _place: place,
            };
            connection.spawn(stream, &graceful);
        }
        drop(socket);
        if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown())
            .await
            .is_err()
        {
            tracing::warn!("some requests did not finish in time and are cut off");
        }
    }
}

/// One proxy's connection.
struct Connection {
    socket: ProxySocket,
    /// One for each stream of snapshots.
    watchers: Arc<Semaphore>,
    shutdown: Shutdown,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    fn spawn(self, stream: UnixStream, graceful: &GracefulShutdown) {
        let this = Arc::new(self);
        let service = service_fn(move |request| {
            let this = Arc::clone(&this);
            async move { Ok::<_, Infallible>(this.answer(request).await) }
        });
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEADER_BYTES)
            .keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a proxy's connection ended");
            }
        });
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<ReplyBody> {
        if request.uri().path().starts_with(INTERNAL_PREFIX) {
            return self.answer_internal(request).await;
        }
        let issuer = &self.socket.issuer;
        let call = match Call::find(request.method(), request.uri().path()) {
            Ok(call) => call,
            Err(problem) => return issuer.refuse_unsigned(&problem).map(Either::Left),
        };
        let (head, body) = request.into_parts();
        issuer.answer(call, head, body).await.map(Either::Left)
    }

    async fn answer_internal(&self, request: Request<Incoming>) -> Response<ReplyBody> {
        match (request.method(), request.uri().path()) {
            (&Method::GET, REGISTRY_PATH) => match self.snapshots() {
                Ok(stream) => Response::new(Either::Right(StreamBody::new(stream))),
                Err(problem) => problem_reply(&problem).map(Either::Left),
            },
            (&Method::POST, REFUSALS_PATH) => match self.take_report(request).await {
                Ok(()) => reply(204, JSON_MEDIA_TYPE, Vec::new(), None).map(Either::Left),
                Err(problem) => problem_reply(&problem).map(Either::Left),
            },
            _ => {
                let problem = Problem::new(ProblemType::NotFound, "there is nothing at this path");
                problem_reply(&problem).map(Either::Left)
            }
        }
    }

    /// The stream of snapshots. Each holds a line of all keys, so there are few.
    fn snapshots(&self) -> Result<BoxedStream, Problem> {
        let watcher = Arc::clone(&self.watchers).try_acquire_owned();
        let watcher = watcher.map_err(|_| {
            let detail = "this connection has its streams of snapshots";
            Problem::new(ProblemType::Overloaded, detail)
        })?;
        let shutdown = self.shutdown.clone();
        let lines = snapshot_lines(self.socket.snapshots.clone(), watcher);
        let until = lines.take_until(async move { shutdown.requested().await });
        Ok(Box::pin(until))
    }

    async fn take_report(&self, request: Request<Incoming>) -> Result<(), Problem> {
        let body = read_body(request.into_body(), REPORT_LIMIT).await?;
        let report: RefusalReport = serde_json::from_slice(&body)
            .map_err(|error| Problem::new(ProblemType::Malformed, error.to_string()))?;
        self.socket.issuer.take_refusals(report)
    }
}

/// The present snapshot at once, then one line after each change. The permit goes with the stream.
fn snapshot_lines(
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    permit: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Frame<Bytes>, Infallible>> {
    snapshots.mark_changed();
    stream::unfold((snapshots, permit), |(mut snapshots, permit)| async move {
        snapshots.changed().await.ok()?;
        let snapshot = Arc::clone(&snapshots.borrow_and_update());
        let mut line = serde_json::to_vec(&*snapshot).expect("a snapshot is plain JSON");
        line.push(b'\n');
        Some((Ok(Frame::data(Bytes::from(line))), (snapshots, permit)))
    })
}
