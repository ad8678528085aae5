//! The calls of the API: which method and path is which. Proxy and authority share this table.

use hyper::Method;
use wire::api::{
    AUTHORITY_PATH, CLIENT_SHARES_PATH, MAX_BODY, MAX_TIME_PERMITS_BODY, SERVER_SHARES_PATH,
    TIME_PERMITS_PATH,
};
use wire::{Problem, ProblemType};

/// A call of `/v1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// `POST /v1/client-shares`
    ClientShare,
    /// `POST /v1/server-shares`
    ServerShare,
    /// `POST /v1/time-permits`
    TimePermits,
    /// `GET /v1/authority`
    Authority,
}

impl Call {
    const ALL: [Call; 4] = [
        Call::ClientShare,
        Call::ServerShare,
        Call::TimePermits,
        Call::Authority,
    ];

    /// The call at this method and path.
    ///
    /// # Errors
    /// `not-found` for an unknown path, `method-not-allowed` for a known one with another method.
    pub(crate) fn find(method: &Method, path: &str) -> Result<Call, Problem> {
        let Some(call) = Self::ALL.into_iter().find(|call| call.path() == path) else {
            return Err(Problem::new(
                ProblemType::NotFound,
                "there is nothing at this path",
            ));
        };
        if *method != call.method() {
            let detail = format!("{path} takes {} only", call.method());
            return Err(Problem::new(ProblemType::MethodNotAllowed, detail)
                .with("allow", call.method().as_str().into()));
        }
        Ok(call)
    }

    /// The longest body, in bytes.
    pub(crate) fn body_limit(self) -> usize {
        match self {
            Self::ClientShare | Self::ServerShare => MAX_BODY,
            Self::TimePermits => MAX_TIME_PERMITS_BODY,
            Self::Authority => 0,
        }
    }

    /// Whether the call is refused without a signature.
    pub(crate) fn needs_signature(self) -> bool {
        self != Self::Authority
    }

    /// The name in audit entries.
    pub(crate) fn operation(self) -> &'static str {
        match self {
            Self::ClientShare => "client-share",
            Self::ServerShare => "server-share",
            Self::TimePermits => "time-permits",
            Self::Authority => "authority",
        }
    }

    /// The path.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::ClientShare => CLIENT_SHARES_PATH,
            Self::ServerShare => SERVER_SHARES_PATH,
            Self::TimePermits => TIME_PERMITS_PATH,
            Self::Authority => AUTHORITY_PATH,
        }
    }

    /// The method.
    pub(crate) fn method(self) -> Method {
        match self {
            Self::Authority => Method::GET,
            Self::ClientShare | Self::ServerShare | Self::TimePermits => Method::POST,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_found_at_its_method_and_path() {
        for call in Call::ALL {
            assert_eq!(Call::find(&call.method(), call.path()).unwrap(), call);
        }
    }

    #[test]
    fn unknown_paths_and_wrong_methods_are_told_apart() {
        for path in [
            "/",
            "/v1",
            "/v1/client-shares/",
            "/V1/client-shares",
            "/internal/v1/registry",
        ] {
            let problem = Call::find(&Method::POST, path).unwrap_err();
            assert_eq!(problem.kind(), ProblemType::NotFound, "{path}");
        }
        let problem = Call::find(&Method::GET, "/v1/client-shares").unwrap_err();
        assert_eq!(problem.kind(), ProblemType::MethodNotAllowed);
        assert_eq!(problem.detail(), "/v1/client-shares takes POST only");
    }
}
