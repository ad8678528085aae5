//! A D-TA on a real TLS socket, made of the wire types, that can be told to misbehave.
//!
//! It keeps the rules for requests: one that the profile refuses, or a nonce used twice, fails the
//! test by a signed problem.

use std::collections::HashSet;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use mpin::{MasterSecret, Suite};
use rustls_pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use wire::api::{
    AUTHORITY_PATH, AuthorityIdHex, AuthorityInfo, CommitmentHex, CustomerInfo, NodeKeyInfo,
};
use wire::keys::{Algorithm, SigningKey, VerifyingKey};
use wire::problem::MEDIA_TYPE;
use wire::signature::{
    Expected, RequestBinding, RequestParts, ResponseStatement, ResponseToSign, VerifiedRequest,
    sign_response, verify_request,
};
use wire::{Problem, ProblemType};

/// What a hostile D-TA, or somebody in its place, does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trick {
    None,
    /// Leaves the signature of replies to signed requests out.
    Unsigned,
    /// Answers `sealed`, unsigned.
    Sealed,
    /// Shows its name, but no response key.
    NoResponseKey,
    /// Refuses, signed.
    Refuse,
    /// Certifies its response key with another node key.
    OtherNodeKey,
    /// Signs replies with a key that is not certified.
    OtherResponseKey,
    /// Changes the body after signing.
    AlteredBody,
    /// Changes the status after signing.
    AlteredStatus,
    /// Answers every request with its first reply to a signed request.
    Replay,
    /// Makes shares with another master secret, proofs included.
    OtherSecret,
    /// Names another commitment.
    OtherCommitment,
    /// Names another key version.
    OtherVersion,
    /// Proves to know the secret of a key made for another customer.
    OtherKnowledge,
    /// Leaves the proof out.
    NoProof,
    /// Makes the share of another identity, or the permit of another day.
    OtherPerson,
    /// Says the permits are of other days than asked for.
    OtherDays,
    /// Leaves the last permit out.
    FewerPermits,
    /// Sends no point.
    NoPoint,
    /// Sends what is not documented.
    OtherForm,
    /// Sends two megabytes.
    Endless,
    /// Never answers.
    Silent,
}

/// A running D-TA.
pub(crate) struct TestDta {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) ca_pem: String,
    pub(crate) authority: AuthorityIdHex,
    pub(crate) suite: Suite,
    pub(crate) node_key: VerifyingKey,
    pub(crate) commitment: CommitmentHex,
    state: Arc<Mutex<State>>,
}

pub(crate) struct State {
    pub(crate) trick: Trick,
    pub(crate) authority: AuthorityIdHex,
    public_authority: String,
    customer: VerifyingKey,
    pub(crate) suite: Suite,
    pub(crate) master: MasterSecret,
    node: SigningKey,
    response: SigningKey,
    response_created: u64,
    nonces: HashSet<String>,
    first_reply: Option<Reply>,
    calls: usize,
}

#[derive(Clone)]
struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

/// What distinguishes one D-TA of a test from another.
pub(crate) struct Setup {
    pub(crate) name: &'static str,
    pub(crate) suite: Suite,
    pub(crate) master: MasterSecret,
    pub(crate) node: Algorithm,
    /// The protocols it offers: `h2`, `http/1.1`.
    pub(crate) protocols: &'static [&'static [u8]],
}

impl Setup {
    pub(crate) fn named(name: &'static str) -> Setup {
        Setup {
            name,
            suite: Suite::Ro,
            master: MasterSecret::random().unwrap(),
            node: Algorithm::Ed25519,
            protocols: &[b"h2", b"http/1.1"],
        }
    }
}

impl TestDta {
    pub(crate) async fn start(setup: Setup, customer: &VerifyingKey) -> TestDta {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let node = SigningKey::generate(setup.node).unwrap();
        let mut id = [0; 32];
        getrandom::fill(&mut id).unwrap();
        let authority = AuthorityIdHex::from_bytes(id);
        let commitment = CommitmentHex::from_bytes(setup.master.commitment().to_compressed());
        let node_key = node.verifying_key().clone();
        let state = Arc::new(Mutex::new(State {
            trick: Trick::None,
            authority,
            public_authority: address.to_string(),
            customer: customer.clone(),
            suite: setup.suite,
            master: setup.master,
            node,
            response: SigningKey::generate(Algorithm::Ed25519).unwrap(),
            response_created: now(),
            nonces: HashSet::new(),
            first_reply: None,
            calls: 0,
        }));
        let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key)
            .unwrap();
        tls.alpn_protocols = setup.protocols.iter().map(|name| name.to_vec()).collect();
        tokio::spawn(serve(
            listener,
            TlsAcceptor::from(Arc::new(tls)),
            Arc::clone(&state),
        ));
        TestDta {
            name: setup.name,
            address,
            ca_pem: certified.cert.pem(),
            authority,
            suite: setup.suite,
            node_key,
            commitment,
            state,
        }
    }

    pub(crate) fn play(&self, trick: Trick) {
        self.state.lock().unwrap().trick = trick;
    }

    /// How many signed requests were answered.
    pub(crate) fn calls(&self) -> usize {
        self.state.lock().unwrap().calls
    }

    /// Unlocks anew: another response key, made so many seconds after the first.
    pub(crate) fn unlock_anew(&self, seconds_later: i64) {
        let mut state = self.state.lock().unwrap();
        state.response = SigningKey::generate(Algorithm::Ed25519).unwrap();
        state.response_created = state
            .response_created
            .checked_add_signed(seconds_later)
            .unwrap();
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, state: Arc<Mutex<State>>) {
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        let (acceptor, state) = (acceptor.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            // A client that does not trust the certificate ends here.
            let Ok(tls) = acceptor.accept(tcp).await else {
                return;
            };
            let service = service_fn(|request| answer(request, Arc::clone(&state)));
            let connection = auto::Builder::new(TokioExecutor::new());
            connection
                .serve_connection(TokioIo::new(tls), service)
                .await
                .ok();
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<Mutex<State>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let silent = state.lock().unwrap().trick == Trick::Silent;
    if silent {
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
    let reply = state.lock().unwrap().reply(&head, &body);
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    Ok(response.body(Full::new(Bytes::from(reply.body))).unwrap())
}

impl State {
    fn reply(&mut self, head: &http::request::Parts, body: &[u8]) -> Reply {
        let headers = head.headers.iter();
        let parts = RequestParts {
            method: head.method.as_str(),
            path: head.uri.path(),
            query: head.uri.query(),
            headers: headers
                .map(|(name, value)| (name.as_str(), value.as_bytes()))
                .collect(),
        };
        if self.trick == Trick::Sealed {
            let problem = Problem::new(ProblemType::Sealed, "0 of 3 shares");
            return unsigned(problem.status(), MEDIA_TYPE, problem.to_json());
        }
        let signature = head
            .headers
            .get("signature")
            .map(|value| value.to_str().unwrap());
        if signature.is_none() {
            return self.public(&parts);
        }
        self.calls += 1;
        let result = self
            .verified(&parts, body)
            .and_then(|who| self.issue(&parts, body, &who));
        let reply = match result {
            Ok(body) => self.signed(200, "application/json", &body, &parts, signature),
            Err(problem) => {
                let body = problem.to_json();
                self.signed(problem.status(), MEDIA_TYPE, &body, &parts, signature)
            }
        };
        let first = self
            .first_reply
            .get_or_insert_with(|| reply.clone())
            .clone();
        self.spoil(reply, first)
    }

    /// The reply to an unsigned request: who this is.
    fn public(&self, parts: &RequestParts<'_>) -> Reply {
        assert_eq!((parts.method, parts.path), ("GET", AUTHORITY_PATH));
        let body = self.info(None).to_json();
        self.signed(200, "application/json", &body, parts, None)
    }

    pub(crate) fn info(&self, customer: Option<CustomerInfo>) -> AuthorityInfo {
        let statement = ResponseStatement::new(
            self.authority,
            "node-1",
            self.response.verifying_key(),
            self.response_created,
        );
        let stranger = SigningKey::generate(Algorithm::Ed25519).unwrap();
        let node = if self.trick == Trick::OtherNodeKey {
            &stranger
        } else {
            &self.node
        };
        let signature = node.sign(&statement.message()).unwrap();
        AuthorityInfo {
            name: "test".into(),
            authority: self.authority,
            node_key: NodeKeyInfo::new("node-1", self.node.verifying_key()),
            response_key: (self.trick != Trick::NoResponseKey)
                .then(|| statement.certify(&signature)),
            time: now(),
            customer,
        }
    }

    fn verified(
        &mut self,
        parts: &RequestParts<'_>,
        body: &[u8],
    ) -> Result<VerifiedRequest, Problem> {
        let expected = Expected {
            public_authority: &self.public_authority,
            authority_id_hex: &self.authority.to_string(),
            now_unix: now(),
        };
        let customer = self.customer.clone();
        let verified = verify_request(parts, body, &expected, |keyid| {
            (keyid == customer.keyid()).then_some(customer)
        })?;
        if !self.nonces.insert(verified.nonce.to_string()) {
            return Err(Problem::new(
                ProblemType::Replayed,
                "the nonce was used before",
            ));
        }
        if self.trick == Trick::Refuse {
            return Err(Problem::new(ProblemType::Suspended, "acme is suspended"));
        }
        Ok(verified)
    }

    fn signed(
        &self,
        status: u16,
        content_type: &str,
        body: &[u8],
        request: &RequestParts<'_>,
        signature: Option<&str>,
    ) -> Reply {
        let body = if self.trick == Trick::OtherForm && signature.is_some() {
            b"{}"
        } else {
            body
        };
        let response = ResponseToSign {
            status,
            content_type,
            body,
            created: now(),
        };
        let binding = RequestBinding {
            method: request.method,
            path: request.path,
            signature_field: signature,
        };
        let uncertified = SigningKey::generate(Algorithm::Ed25519).unwrap();
        let other = self.trick == Trick::OtherResponseKey;
        let key = if other { &uncertified } else { &self.response };
        Reply {
            status,
            headers: sign_response(&response, &binding, key).unwrap(),
            body: body.to_vec(),
        }
    }

    /// What is done to a signed reply on its way.
    fn spoil(&self, reply: Reply, first: Reply) -> Reply {
        match self.trick {
            Trick::Unsigned => unsigned(reply.status, "application/json", reply.body),
            Trick::Replay => first,
            Trick::Endless => Reply {
                body: vec![b' '; 2 * 1024 * 1024],
                ..reply
            },
            Trick::AlteredBody => {
                let mut body = reply.body;
                body.push(b' ');
                Reply { body, ..reply }
            }
            Trick::AlteredStatus => Reply {
                status: 201,
                ..reply
            },
            _ => reply,
        }
    }
}

fn unsigned(status: u16, content_type: &str, body: Vec<u8>) -> Reply {
    Reply {
        status,
        headers: vec![("content-type", content_type.to_owned())],
        body,
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}
