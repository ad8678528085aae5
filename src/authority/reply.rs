//! From a decision to bytes: the reply with the response key's signature, and the event that must be durable
//! before it leaves.

use audit::Event;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CACHE_CONTROL, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use wire::api::{AuthorityInfo, JSON_MEDIA_TYPE};
use wire::keys::SigningKey;
use wire::problem::MEDIA_TYPE;
use wire::signature::{RequestBinding, ResponseToSign, sign_response};
use wire::{Problem, ProblemType};
use zeroize::Zeroizing;

use super::decide::Arrived;
use super::issue::Issued;
use crate::service::http::Reply;

/// A reply before it is signed.
pub(super) struct Draft {
    status: u16,
    media_type: &'static str,
    body: Zeroizing<Vec<u8>>,
    event: Option<Event>,
}

impl Draft {
    /// A share or permits.
    pub(super) fn share(issued: Issued) -> Self {
        let Issued { body, event } = issued;
        Self {
            status: 200,
            media_type: JSON_MEDIA_TYPE,
            body,
            event: Some(event),
        }
    }

    /// The refusal of a correctly signed request.
    pub(super) fn refusal(problem: &Problem, event: Event) -> Self {
        let body = Zeroizing::new(problem.to_json());
        Self {
            status: problem.status(),
            media_type: MEDIA_TYPE,
            body,
            event: Some(event),
        }
    }

    /// Who this authority is.
    pub(super) fn introduction(info: AuthorityInfo) -> Self {
        let body = Zeroizing::new(info.to_json());
        Self {
            status: 200,
            media_type: JSON_MEDIA_TYPE,
            body,
            event: None,
        }
    }

    /// Signs the reply, bound to the request. The event must be durable before it leaves.
    pub(super) fn sign(
        self,
        request: &Arrived<'_>,
        key: &SigningKey,
    ) -> Result<(Reply, Option<Event>), Problem> {
        let response = ResponseToSign {
            status: self.status,
            content_type: self.media_type,
            body: &self.body,
            created: request.now,
        };
        let signature = request.head.headers.get("signature");
        let binding = RequestBinding {
            method: request.head.method.as_str(),
            path: request.head.uri.path(),
            signature_field: signature.and_then(|field| field.to_str().ok()),
        };
        let fields = sign_response(&response, &binding, key).map_err(|error| {
            tracing::error!(%error, "a reply could not be signed");
            Problem::new(ProblemType::Internal, "the reply could not be signed")
        })?;
        // Wiped when the last reference to the body is dropped.
        let mut reply = Response::new(Full::new(Bytes::from_owner(self.body)));
        *reply.status_mut() =
            StatusCode::from_u16(self.status).expect("every status here is one of HTTP's own");
        let headers = reply.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for (name, value) in fields {
            let value = HeaderValue::try_from(value).expect("signature fields are visible ASCII");
            headers.insert(HeaderName::from_static(name), value);
        }
        Ok((reply, self.event))
    }
}
