//! One request through the proxy: refuse what is plainly wrong, forward the rest whole.
//!
//! The checks are those of the authority, by the same code, against the pushed keys. They spare the
//! authority work; they authorise nothing, since it checks again. The signature is checked before the body
//! is read: whoever has no key holds nothing here while it waits for one. Bodies are neither logged nor kept.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue};
use hyper::header::{TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use hyper::http::request::Parts;
use hyper::{Request, Response};
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use wire::signature::{Content, Expected, VerifiedHead, verify_head};
use wire::{Problem, ProblemType};

use super::problems;
use super::upstream::{Link, Registry, View, internal_uri, unavailable};
use crate::service::clock::unix_seconds;
use crate::service::http::{discard_body, is_signed, problem_reply, read_body, request_parts};
use crate::service::refusals::RefusalCounter;
use crate::service::routes::Call;

/// Time for the body of one request to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);

/// Time that a refused request's body gets to arrive and be thrown away.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(1);

/// Fields that belong to one connection (RFC 9110 section 7.6.1), and those that HTTP/2 sets itself.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HOST,
    CONTENT_LENGTH,
];

/// A reply of the proxy's own, or the authority's streamed through.
pub(super) type ReplyBody = Either<Full<Bytes>, Incoming>;

/// What every request needs.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) public_authority: String,
    pub(super) views: watch::Receiver<Arc<View>>,
    pub(super) refusals: Arc<RefusalCounter>,
    /// One for each request in work.
    pub(super) slots: Semaphore,
}

impl Proxy {
    /// Answers one request, whatever happens.
    pub(super) async fn handle(&self, request: Request<Incoming>) -> Response<ReplyBody> {
        if let Some(page) = problems::page(request.method(), request.uri().path()) {
            return page.map(Either::Left);
        }
        match self.answer(request).await {
            Ok(reply) => reply.map(Either::Right),
            Err(problem) => self.refuse(&problem).map(Either::Left),
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Incoming>, Problem> {
        let call = Call::find(request.method(), request.uri().path())?;
        let view = Arc::clone(&self.views.borrow());
        let (link, registry) = usable(&view)?;
        let (head, body) = request.into_parts();
        let claims = call.needs_signature() || is_signed(&head);
        let signed = claims.then(|| self.verify(call, &head, registry));
        let signed = match signed.transpose() {
            Ok(signed) => signed,
            Err(problem) => {
                let _ = tokio::time::timeout(DISCARD_TIMEOUT, discard_body(body)).await;
                return Err(problem);
            }
        };
        let early_slot = signed.as_ref().map(|_| self.slot()).transpose()?;
        let body = tokio::time::timeout(BODY_TIMEOUT, read_body(body, call.body_limit()))
            .await
            .map_err(|_| {
                Problem::new(ProblemType::Malformed, "the body did not arrive in time")
            })??;
        let _slot = early_slot.map_or_else(|| self.slot(), Ok)?;
        if let Some(signed) = signed {
            signed.check_body(&body)?;
        }
        link.clone().send(forwarded(head, body)).await
    }

    fn verify(
        &self,
        call: Call,
        head: &Parts,
        registry: &Registry,
    ) -> Result<VerifiedHead, Problem> {
        let expected = Expected {
            public_authority: &self.public_authority,
            authority_id_hex: &registry.authority_id,
            now_unix: unix_seconds(),
        };
        let content = match call.body_limit() {
            0 => Content::Absent,
            _ => Content::Present,
        };
        verify_head(&request_parts(head), content, &expected, |id| {
            registry.key(id).cloned()
        })
    }

    fn slot(&self) -> Result<SemaphorePermit<'_>, Problem> {
        self.slots.try_acquire().map_err(|_| {
            Problem::new(ProblemType::Overloaded, "too many requests are in work")
                .with_retry_after(1)
        })
    }

    fn refuse(&self, problem: &Problem) -> Response<Full<Bytes>> {
        self.refusals.count(problem.kind());
        tracing::debug!(problem = problem.kind().name(), "refused");
        let mut reply = problem_reply(problem);
        if let Some(allow) = problem.extension("allow").and_then(|allow| allow.as_str())
            && let Ok(allow) = HeaderValue::from_str(allow)
        {
            reply.headers_mut().insert(ALLOW, allow);
        }
        reply
    }
}

fn usable(view: &View) -> Result<(&Link, &Registry), Problem> {
    match view {
        View::Unlocked(link, registry) => Ok((link, registry)),
        View::Sealed(_) => {
            let detail = "nothing is issued until the holders unlock it";
            Err(Problem::new(ProblemType::Sealed, detail).with_retry_after(10))
        }
        View::Unreachable => Err(unavailable("there is no connection to the authority")),
    }
}

/// The request as it came: method, path, query, every end-to-end field in order, body.
fn forwarded(head: Parts, body: Bytes) -> Request<Full<Bytes>> {
    let target = head
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let mut request = Request::new(Full::new(body));
    *request.uri_mut() = internal_uri(target);
    *request.method_mut() = head.method;
    *request.headers_mut() = head.headers;
    for name in HOP_BY_HOP {
        request.headers_mut().remove(name);
    }
    request
}
