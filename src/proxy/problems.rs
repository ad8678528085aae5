//! `GET /problems/NAME`: the page behind the `type` of a problem document.

use hyper::Method;
use wire::ProblemType;

use crate::service::http::{Reply, reply};

/// The page at this path, if there is one; other paths and methods are not for this module.
pub(super) fn page(method: &Method, path: &str) -> Option<Reply> {
    let kind = ProblemType::from_uri(path).filter(|_| *method == Method::GET)?;
    let text = format!(
        "{name} (HTTP status {status})\n\n{title}\n\nTry: {remedy}\n",
        name = kind.name(),
        status = kind.status(),
        title = kind.title(),
        remedy = kind.remedy(),
    );
    Some(reply(
        200,
        "text/plain; charset=utf-8",
        text.into_bytes(),
        None,
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_type_has_its_page_and_nothing_else_has_one() {
        for kind in ProblemType::ALL {
            assert_eq!(page(&Method::GET, &kind.uri()).unwrap().status(), 200);
        }
        assert!(page(&Method::GET, "/problems/unheard-of").is_none());
        assert!(page(&Method::POST, "/problems/sealed").is_none());
        assert!(page(&Method::GET, "/v1/authority").is_none());
    }
}
