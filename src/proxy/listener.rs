//! The public side: accepts TCP, speaks TLS 1.3, then HTTP/1.1 or HTTP/2, within limits and timeouts.
//!
//! No peer can hold a slot without using it: handshake, first request, headers and body each have
//! their time, and a connection without a request in work is closed after a while, over HTTP/2 too,
//! where a peer that answers pings would else keep it for ever.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;

use super::handler::Proxy;
use crate::service::process::Shutdown;

/// Time for the TLS handshake, and then for the first request.
const OPENING_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for the headers of one HTTP/1.1 request, idle time between two of them included.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// For how long a connection may have no request in work, once it has had one.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Time that requests in flight get when the process is told to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);
/// The pause after a failed `accept`, which mostly means that file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const MAX_HEADERS: usize = 64;
const MAX_HEADER_BYTES: u32 = 16 * 1024;
const MAX_STREAMS: u32 = 128;

/// Serves until shutdown is requested, then lets what is in flight finish.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: TlsAcceptor,
    proxy: Arc<Proxy>,
    max_connections: u32,
    shutdown: Shutdown,
) {
    let slots = Arc::new(Semaphore::new(max_connections as usize));
    let graceful = GracefulShutdown::new();
    let protocols = Arc::new(Protocols::new());
    loop {
        let (slot, stream) = tokio::select! {
            accepted = accept(&listener, &slots) => accepted,
            () = shutdown.requested() => break,
        };
        let connection = Connection {
            tls: tls.clone(),
            proxy: Arc::clone(&proxy),
            protocols: Arc::clone(&protocols),
            watcher: graceful.watcher(),
            _slot: slot,
        };
        tokio::spawn(connection.run(stream));
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests did not finish in time and are cut off");
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> (OwnedSemaphorePermit, TcpStream) {
    let slot = Arc::clone(slots)
        .acquire_owned()
        .await
        .expect("the semaphore of slots is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (slot, stream),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// How each protocol is spoken; chosen by ALPN, never by guessing.
struct Protocols {
    http1: auto::Builder<TokioExecutor>,
    http2: auto::Builder<TokioExecutor>,
}

impl Protocols {
    fn new() -> Self {
        let mut http1 = auto::Builder::new(TokioExecutor::new()).http1_only();
        http1
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEADER_BYTES as usize);
        let mut http2 = auto::Builder::new(TokioExecutor::new()).http2_only();
        http2
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEADER_BYTES)
            .keep_alive_interval(HEADER_TIMEOUT)
            .keep_alive_timeout(OPENING_TIMEOUT);
        Self { http1, http2 }
    }

    fn speaking(&self, version: Version) -> &auto::Builder<TokioExecutor> {
        if version == Version::HTTP_2 {
            &self.http2
        } else {
            &self.http1
        }
    }
}

struct Connection {
    tls: TlsAcceptor,
    proxy: Arc<Proxy>,
    protocols: Arc<Protocols>,
    watcher: Watcher,
    _slot: OwnedSemaphorePermit,
}

impl Connection {
    async fn run(self, stream: TcpStream) {
        // Replies are small; waiting to fill a packet would only delay them.
        let _ = stream.set_nodelay(true);
        let handshake = tokio::time::timeout(OPENING_TIMEOUT, self.tls.accept(stream));
        let Ok(Ok(stream)) = handshake.await else {
            tracing::debug!("a TLS handshake failed or took too long");
            return;
        };
        let version = match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Version::HTTP_2,
            _ => Version::HTTP_11,
        };
        let activity = Arc::new(Activity::new());
        let watched = Arc::clone(&activity);
        let proxy = self.proxy;
        let service = service_fn(move |request: Request<Incoming>| {
            let (proxy, work) = (Arc::clone(&proxy), Work::begin(&watched));
            async move {
                let reply = proxy.handle(request).await;
                drop(work);
                Ok::<_, Infallible>(reply)
            }
        });
        let connection = self
            .protocols
            .speaking(version)
            .serve_connection(TokioIo::new(stream), service);
        tokio::select! {
            result = self.watcher.watch(connection.into_owned()) => {
                if let Err(error) = result {
                    tracing::debug!(error, "a connection ended badly");
                }
            }
            () = activity.ends(OPENING_TIMEOUT, IDLE_TIMEOUT) => {
                tracing::debug!("a connection without a request is closed");
            }
        }
    }
}

/// What happens on a connection.
struct Activity(Mutex<Doing>);

struct Doing {
    /// Requests in work.
    requests: usize,
    /// Whether there has been one.
    spoken: bool,
    /// When it opened, or when its last request was answered.
    since: Instant,
}

impl Activity {
    fn new() -> Self {
        Self(Mutex::new(Doing {
            requests: 0,
            spoken: false,
            since: Instant::now(),
        }))
    }

    /// Resolves once there has been no request for `opening`, or none since the last one for `idle`.
    async fn ends(&self, opening: Duration, idle: Duration) {
        loop {
            let (limit, quiet) = {
                let doing = self.doing();
                let limit = if doing.spoken { idle } else { opening };
                let quiet = (doing.requests == 0).then(|| doing.since.elapsed());
                (limit, quiet.unwrap_or_default())
            };
            match limit.checked_sub(quiet) {
                None | Some(Duration::ZERO) => return,
                Some(left) => tokio::time::sleep(left).await,
            }
        }
    }

    /// It is whole at every moment, whatever panicked meanwhile.
    fn doing(&self) -> MutexGuard<'_, Doing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request in work, until it is dropped.
struct Work(Arc<Activity>);

impl Work {
    fn begin(activity: &Arc<Activity>) -> Self {
        let mut doing = activity.doing();
        doing.requests += 1;
        doing.spoken = true;
        drop(doing);
        Self(Arc::clone(activity))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let mut doing = self.0.doing();
        doing.requests -= 1;
        doing.since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(40);
    const LONG: Duration = Duration::from_secs(3_600);

    async fn ended(activity: &Activity, opening: Duration, idle: Duration) -> bool {
        tokio::time::timeout(4 * SHORT, activity.ends(opening, idle))
            .await
            .is_ok()
    }

    #[tokio::test]
    async fn a_connection_ends_when_it_is_idle_and_not_while_a_request_is_in_work() {
        let activity = Arc::new(Activity::new());
        assert!(!ended(&activity, LONG, SHORT).await);
        assert!(ended(&activity, SHORT, LONG).await);
        let (first, second) = (Work::begin(&activity), Work::begin(&activity));
        drop(first);
        assert!(!ended(&activity, SHORT, SHORT).await);
        drop(second);
        assert!(!ended(&activity, SHORT, LONG).await);
        assert!(ended(&activity, LONG, SHORT).await);
    }
}
