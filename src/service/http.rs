//! Small pieces of HTTP that both processes use: bounded bodies and problem replies.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Body;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use wire::problem::MEDIA_TYPE;
use wire::signature::RequestParts;
use wire::{Problem, ProblemType};

/// A reply whose body is in memory.
pub(crate) type Reply = Response<Full<Bytes>>;

/// How much of a body that is too long is still read, in bytes. A caller that writes its whole request
/// before it reads would else see a reset connection in place of the refusal.
const MOST_DISCARDED: usize = 1 << 20;

/// Reads a whole body of at most `limit` bytes.
///
/// # Errors
/// `too-large` for a longer one, of which up to [`MOST_DISCARDED`] bytes are read and thrown away;
/// `malformed` for one that breaks off.
pub(crate) async fn read_body<B>(mut body: B, limit: usize) -> Result<Bytes, Problem>
where
    B: Body<Data = Bytes> + Unpin,
{
    let most = limit + MOST_DISCARDED;
    let mut length = 0_usize;
    let mut kept = Vec::new();
    while let Some(frame) = body.frame().await {
        let cut = |_| Problem::new(ProblemType::Malformed, "the body ended before its end");
        let Ok(data) = frame.map_err(cut)?.into_data() else {
            continue;
        };
        length = length.saturating_add(data.len());
        if length <= limit {
            kept.extend_from_slice(&data);
        } else if length > most || body.size_hint().lower() > MOST_DISCARDED as u64 {
            break;
        }
    }
    if length > limit {
        let detail = format!("the body is longer than the {limit} bytes allowed here");
        return Err(Problem::new(ProblemType::TooLarge, detail));
    }
    Ok(kept.into())
}

/// Reads what a caller sends anyway and throws it away, up to [`MOST_DISCARDED`] bytes, so that it sees the
/// refusal.
pub(crate) async fn discard_body<B>(mut body: B)
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut left = MOST_DISCARDED;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

/// The request line and fields as the signature profile reads them.
pub(crate) fn request_parts(head: &Parts) -> RequestParts<'_> {
    RequestParts {
        method: head.method.as_str(),
        path: head.uri.path(),
        query: head.uri.query(),
        headers: head
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect(),
    }
}

/// Whether a request claims to be signed.
pub(crate) fn is_signed(head: &Parts) -> bool {
    head.headers.contains_key("signature") || head.headers.contains_key("signature-input")
}

/// An unsigned `application/problem+json` reply.
pub(crate) fn problem_reply(problem: &Problem) -> Reply {
    reply(
        problem.status(),
        MEDIA_TYPE,
        problem.to_json(),
        problem.retry_after(),
    )
}

/// A reply with a body of the given media type; never to be cached.
pub(crate) fn reply(
    status: u16,
    media_type: &'static str,
    body: Vec<u8>,
    retry_after: Option<u32>,
) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(body)));
    *reply.status_mut() =
        StatusCode::from_u16(status).expect("every status here is one of HTTP's own");
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    reply
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_at_the_limit_is_read_and_one_byte_more_is_too_large() {
        let body = |length: usize| Full::new(Bytes::from(vec![b'x'; length]));
        assert_eq!(read_body(body(8), 8).await.unwrap().len(), 8);
        let problem = read_body(body(4 * MOST_DISCARDED), 8).await.unwrap_err();
        assert_eq!(problem.kind(), ProblemType::TooLarge);
        let problem = read_body(body(9), 8).await.unwrap_err();
        assert_eq!(problem.kind(), ProblemType::TooLarge);
        assert_eq!(
            problem.detail(),
            "the body is longer than the 8 bytes allowed here"
        );
    }

    #[tokio::test]
    async fn a_problem_reply_carries_its_status_type_and_retry_after() {
        let problem = Problem::new(ProblemType::Sealed, "no quorum yet").with_retry_after(5);
        let reply = problem_reply(&problem);
        assert_eq!(reply.status(), 503);
        assert_eq!(reply.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(reply.headers()[RETRY_AFTER], "5");
        let body = read_body(reply.into_body(), 1_000).await.unwrap();
        assert_eq!(Problem::from_json(&body).unwrap(), problem);
    }
}
