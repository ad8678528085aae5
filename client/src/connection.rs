//! One HTTPS connection to a D-TA: HTTP/2 if it offers that, else HTTP/1.1.
//!
//! An HTTP/2 connection is kept and shared; an HTTP/1.1 connection serves one request. Nothing is
//! repeated here: a signed request may be sent once only.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use crate::config::Endpoint;
use crate::error::DtaError;

/// The longest reply, in bytes: 256 permits are a tenth of it.
const MAX_REPLY: usize = 1024 * 1024;

/// A reply, whole.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    /// Secret: it may hold a share.
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// What is to be sent; the host comes from the endpoint.
pub(crate) struct Message {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

/// The way to one D-TA.
pub(crate) struct Connection {
    endpoint: Endpoint,
    tls: Arc<ClientConfig>,
    shared: Mutex<Option<http2::SendRequest<Full<Bytes>>>>,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    pub(crate) fn new(endpoint: Endpoint, tls: Arc<ClientConfig>) -> Connection {
        Connection {
            endpoint,
            tls,
            shared: Mutex::new(None),
        }
    }

    /// Sends one request and reads the whole reply.
    pub(crate) async fn send(&self, message: Message) -> Result<Reply, DtaError> {
        let response = match self.sender().await? {
            Sender::Http2(mut sender) => {
                let uri = format!("https://{}{}", self.endpoint.public_authority, message.path);
                sender.send_request(request(message, &uri)?).await
            }
            Sender::Http1(mut sender) => {
                let path = message.path;
                let mut request = request(message, path)?;
                let host = self.endpoint.public_authority.parse();
                let host = host.map_err(|_| DtaError::Request)?;
                request.headers_mut().insert(http::header::HOST, host);
                sender.send_request(request).await
            }
        };
        read(response.map_err(DtaError::Http)?).await
    }

    /// The kept connection if it still lives, else a new one.
    async fn sender(&self) -> Result<Sender, DtaError> {
        let mut shared = self.shared.lock().await;
        if let Some(sender) = shared.as_mut() {
            if sender.ready().await.is_ok() {
                return Ok(Sender::Http2(sender.clone()));
            }
            *shared = None;
        }
        let sender = self.connect().await?;
        if let Sender::Http2(sender) = &sender {
            *shared = Some(sender.clone());
        }
        Ok(sender)
    }

    async fn connect(&self) -> Result<Sender, DtaError> {
        let address = (self.endpoint.host.as_str(), self.endpoint.port);
        let tcp = TcpStream::connect(address)
            .await
            .map_err(DtaError::Connect)?;
        tcp.set_nodelay(true).map_err(DtaError::Connect)?;
        let name =
            ServerName::try_from(self.endpoint.host.clone()).map_err(|_| DtaError::Request)?;
        let tls = TlsConnector::from(Arc::clone(&self.tls))
            .connect(name, tcp)
            .await
            .map_err(DtaError::Tls)?;
        let http2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
        let io = TokioIo::new(tls);
        if http2 {
            let handshake = http2::handshake(TokioExecutor::new(), io).await;
            let (sender, connection) = handshake.map_err(DtaError::Http)?;
            // Its error also reaches the request that waits on it.
            tokio::spawn(async move { connection.await.ok() });
            Ok(Sender::Http2(sender))
        } else {
            let (sender, connection) = http1::handshake(io).await.map_err(DtaError::Http)?;
            tokio::spawn(async move { connection.await.ok() });
            Ok(Sender::Http1(sender))
        }
    }
}

fn request(message: Message, uri: &str) -> Result<Request<Full<Bytes>>, DtaError> {
    let uri: Uri = uri.parse().map_err(|_| DtaError::Request)?;
    let mut builder = Request::builder().method(message.method).uri(uri);
    for (name, value) in &message.headers {
        builder = builder.header(*name, value);
    }
    let body = Full::new(Bytes::from(message.body));
    builder.body(body).map_err(|_| DtaError::Request)
}

async fn read(response: Response<Incoming>) -> Result<Reply, DtaError> {
    let (head, body) = response.into_parts();
    let collected = Limited::new(body, MAX_REPLY)
        .collect()
        .await
        .map_err(|error| match error.downcast::<hyper::Error>() {
            Ok(error) => DtaError::Http(*error),
            Err(_) => DtaError::TooLong { most: MAX_REPLY },
        })?;
    Ok(Reply {
        status: head.status.as_u16(),
        headers: head.headers,
        body: Zeroizing::new(collected.to_bytes().to_vec()),
    })
}
