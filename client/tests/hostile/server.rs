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
use mpin::{
    ClientShare, Day, Identity, IdentityPoint, MasterSecret, PermitPoint, ServerShare, Statement,
    Suite, TimePermit,
};
use rustls_pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use wire::api::{
    AUTHORITY_PATH, AuthorityIdHex, AuthorityInfo, Blind, CLIENT_SHARES_PATH, ClientShareReply,
    ClientShareRequest, CommitmentHex, CustomerInfo, CustomerStatus, IdentityHex, IssuedPermit,
    KeyVersion, Limits, MasterKeyInfo, NodeKeyInfo, PermitDate, ProofHex, Role, SERVER_SHARES_PATH,
    ServerShareReply, ServerShareRequest, ShareHex, TIME_PERMITS_PATH, TimePermitReply,
    TimePermitRequest, share_proof_context,
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

struct State {
    trick: Trick,
    authority: AuthorityIdHex,
    public_authority: String,
    customer: VerifyingKey,
    suite: Suite,
    master: MasterSecret,
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

    fn info(&self, customer: Option<CustomerInfo>) -> AuthorityInfo {
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

    fn issue(
        &self,
        parts: &RequestParts<'_>,
        body: &[u8],
        who: &VerifiedRequest,
    ) -> Result<Vec<u8>, Problem> {
        let stranger = MasterSecret::random().unwrap();
        let other_secret = self.trick == Trick::OtherSecret;
        let master = if other_secret {
            &stranger
        } else {
            &self.master
        };
        match parts.path {
            CLIENT_SHARES_PATH => self.client_share(master, &ClientShareRequest::parse(body)?),
            SERVER_SHARES_PATH => self.server_share(master, &ServerShareRequest::parse(body)?),
            TIME_PERMITS_PATH => self.time_permits(master, &TimePermitRequest::parse(body)?),
            AUTHORITY_PATH => Ok(self.info(Some(self.customer_info(who))).to_json()),
            _ => Err(Problem::new(ProblemType::NotFound, "no such path")),
        }
    }

    fn client_share(
        &self,
        master: &MasterSecret,
        request: &ClientShareRequest,
    ) -> Result<Vec<u8>, Problem> {
        let point = IdentityPoint::hash(self.suite, &self.person(&request.identity));
        let share: ClientShare = master.client_share(&point);
        let statement = [Statement::client_share(&point, &share)];
        let reply = ClientShareReply {
            share: self.share(&*share.to_compressed()),
            key: self.version(),
            commitment: self.named_commitment(),
            proof: self.proof(master, &statement),
            blind: Blind::from_bytes([3; 32]),
        };
        Ok(reply.to_json().to_vec())
    }

    fn server_share(
        &self,
        master: &MasterSecret,
        _request: &ServerShareRequest,
    ) -> Result<Vec<u8>, Problem> {
        let share: ServerShare = master.server_share();
        let reply = ServerShareReply {
            share: self.share(&*share.to_compressed()),
            key: self.version(),
            commitment: self.named_commitment(),
            blind: Blind::from_bytes([3; 32]),
        };
        Ok(reply.to_json().to_vec())
    }

    fn time_permits(
        &self,
        master: &MasterSecret,
        request: &TimePermitRequest,
    ) -> Result<Vec<u8>, Problem> {
        let late = u32::from(self.trick == Trick::OtherDays);
        let asked: Vec<(IdentityHex, PermitDate)> = request.permits().collect();
        let points: Vec<PermitPoint> = asked
            .iter()
            .map(|(identity, day)| {
                let day = Day::new(day.day_number());
                PermitPoint::hash(self.suite, day, &self.person(identity))
            })
            .collect();
        let permits: Vec<TimePermit> = points
            .iter()
            .map(|point| master.time_permit(point))
            .collect();
        let statements: Vec<_> = points
            .iter()
            .zip(&permits)
            .map(|(point, permit)| Statement::time_permit(point, permit))
            .collect();
        let mut issued: Vec<_> = asked
            .iter()
            .zip(&permits)
            .map(|((identity, day), permit)| IssuedPermit {
                identity: *identity,
                day: day.plus_days(late).unwrap(),
                share: self.share(&*permit.to_compressed()),
            })
            .collect();
        if self.trick == Trick::FewerPermits {
            issued.pop();
        }
        let reply = TimePermitReply {
            permits: issued,
            key: self.version(),
            commitment: self.named_commitment(),
            proof: self.proof(master, &statements),
            blind: Blind::from_bytes([3; 32]),
        };
        Ok(reply.to_json().to_vec())
    }

    fn customer_info(&self, who: &VerifiedRequest) -> CustomerInfo {
        CustomerInfo {
            id: "acme".into(),
            status: CustomerStatus::Active,
            keyid: who.keyid.clone(),
            roles: vec![Role::Enrol],
            keys: vec![MasterKeyInfo {
                key: KeyVersion::FIRST,
                suite: self.suite.as_str().parse().unwrap(),
                commitment: self.commitment(),
                proof: None,
            }],
            limits: Limits {
                permit_days: 2,
                permit_identities: 1000,
            },
        }
    }

    fn person(&self, identity: &IdentityHex) -> Identity {
        let mut bytes = *identity.as_bytes();
        bytes[0] ^= u8::from(self.trick == Trick::OtherPerson);
        Identity::from_bytes(bytes)
    }

    fn share(&self, bytes: &[u8]) -> ShareHex {
        match self.trick {
            Trick::NoPoint => ShareHex::from_bytes([0x99; 48]),
            _ => ShareHex::from_bytes(bytes),
        }
    }

    fn version(&self) -> KeyVersion {
        KeyVersion::new(1 + u32::from(self.trick == Trick::OtherVersion)).unwrap()
    }

    fn commitment(&self) -> CommitmentHex {
        CommitmentHex::from_bytes(self.master.commitment().to_compressed())
    }

    fn named_commitment(&self) -> CommitmentHex {
        match self.trick {
            Trick::OtherCommitment => CommitmentHex::from_bytes([9; 48]),
            _ => self.commitment(),
        }
    }

    fn proof(&self, master: &MasterSecret, statements: &[Statement<'_>]) -> Option<ProofHex> {
        let suite = self.suite.as_str().parse().unwrap();
        let context = share_proof_context(&self.authority, KeyVersion::FIRST, suite);
        let proof = master.prove(statements, &context).unwrap();
        (self.trick != Trick::NoProof).then(|| ProofHex::from_bytes(proof.to_bytes()))
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
