//! One D-TA: signed calls, verified replies, verified shares.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;
use mpin::{
    ClientShare, Commitment, Day, Identity, IdentityPoint, KeyContext, KnowledgeProof, PermitPoint,
    ServerShare, ShareProof, Statement, TimePermit,
};
use tokio::sync::Mutex;
use wire::api::{
    AUTHORITY_PATH, AuthorityInfo, CLIENT_SHARES_PATH, ClientShareReply, ClientShareRequest,
    CommitmentHex, IdentityHex, JSON_MEDIA_TYPE, KeyVersion, MasterKeyInfo, PermitDate, ProofHex,
    SERVER_SHARES_PATH, ServerShareReply, ServerShareRequest, Suite, TIME_PERMITS_PATH,
    TimePermitReply, TimePermitRequest, share_proof_context,
};
use wire::keys::{SigningKey, VerifyingKey};
use wire::problem::{MEDIA_TYPE, Problem};
use wire::signature::{
    RequestBinding, RequestToSign, ResponseError, ResponseParts, Stamp, VerifiedResponse,
    sign_request, verify_response,
};
use zeroize::Zeroizing;

use crate::clock::unix_seconds;
use crate::config::{DtaPins, KeyPin};
use crate::connection::{Connection, Message, Reply};
use crate::error::DtaError;

/// One configured D-TA.
pub(crate) struct Dta {
    pins: DtaPins,
    connection: Connection,
    timeout: Duration,
    response_key: Mutex<Option<ResponseKey>>,
}

/// A response key that the pinned node key certifies.
#[derive(Clone)]
struct ResponseKey {
    key: VerifyingKey,
    created: u64,
}

/// Something verified, with the master key that it was made with.
pub(crate) struct Verified<T> {
    pub(crate) value: T,
    pub(crate) key: KeyVersion,
    pub(crate) pin: KeyPin,
}

/// One verified permit.
pub(crate) struct VerifiedPermit {
    pub(crate) identity: IdentityHex,
    pub(crate) day: PermitDate,
    pub(crate) permit: TimePermit,
}

impl Dta {
    pub(crate) fn new(pins: DtaPins, timeout: Duration) -> Result<Dta, rustls::Error> {
        let tls = pins.roots.tls()?;
        Ok(Dta {
            connection: Connection::new(pins.endpoint.clone(), tls),
            pins,
            timeout,
            response_key: Mutex::new(None),
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.pins.name
    }

    /// The pinned master keys.
    pub(crate) fn pinned(&self) -> &BTreeMap<KeyVersion, KeyPin> {
        &self.pins.keys
    }

    /// A client share, proven to belong to the pinned commitment.
    pub(crate) async fn client_share(
        &self,
        signer: &SigningKey,
        identity: &IdentityHex,
        key: Option<KeyVersion>,
    ) -> Result<Verified<ClientShare>, DtaError> {
        let request = ClientShareRequest {
            identity: *identity,
            key,
            encoding: None,
            proof: true,
        };
        let body = self
            .post(signer, CLIENT_SHARES_PATH, request.to_json())
            .await?;
        let reply = ClientShareReply::parse(&body)?;
        let pin = self.pin(key, reply.key, &reply.commitment)?;
        let share = ClientShare::from_compressed(reply.share.as_bytes())?;
        let point = IdentityPoint::hash(
            suite(pin.suite),
            &Identity::from_bytes(*identity.as_bytes()),
        );
        let statement = [Statement::client_share(&point, &share)];
        self.check_proof(reply.proof.as_ref(), reply.key, &pin, &statement)?;
        Ok(Verified {
            value: share,
            key: reply.key,
            pin,
        })
    }

    /// A server share, checked against the pinned commitment by a pairing.
    pub(crate) async fn server_share(
        &self,
        signer: &SigningKey,
        key: Option<KeyVersion>,
    ) -> Result<Verified<ServerShare>, DtaError> {
        let request = ServerShareRequest {
            key,
            encoding: None,
        };
        let body = self
            .post(signer, SERVER_SHARES_PATH, request.to_json())
            .await?;
        let reply = ServerShareReply::parse(&body)?;
        let pin = self.pin(key, reply.key, &reply.commitment)?;
        let share = ServerShare::from_compressed(reply.share.as_bytes())?;
        share
            .verify(&pin.commitment)
            .map_err(|source| DtaError::ServerShare {
                key: reply.key,
                source,
            })?;
        Ok(Verified {
            value: share,
            key: reply.key,
            pin,
        })
    }

    /// Time permits, proven to belong to the pinned commitment; as many as one proof covers.
    pub(crate) async fn time_permits(
        &self,
        signer: &SigningKey,
        request: &TimePermitRequest,
    ) -> Result<Verified<Vec<VerifiedPermit>>, DtaError> {
        let body = self
            .post(signer, TIME_PERMITS_PATH, request.to_json())
            .await?;
        let reply = TimePermitReply::parse(&body)?;
        let pin = self.pin(request.key, reply.key, &reply.commitment)?;
        let asked: Vec<_> = request.permits().collect();
        let given = reply
            .permits
            .iter()
            .map(|permit| (permit.identity, permit.day));
        if !given.eq(asked.iter().copied()) {
            return Err(DtaError::OtherPermits);
        }
        let mut permits = Vec::with_capacity(asked.len());
        let mut points = Vec::with_capacity(asked.len());
        for issued in &reply.permits {
            let identity = Identity::from_bytes(*issued.identity.as_bytes());
            let day = Day::new(issued.day.day_number());
            points.push(PermitPoint::hash(suite(pin.suite), day, &identity));
            permits.push(VerifiedPermit {
                identity: issued.identity,
                day: issued.day,
                permit: TimePermit::from_compressed(issued.share.as_bytes())?,
            });
        }
        let statements: Vec<_> = points
            .iter()
            .zip(&permits)
            .map(|(point, permit)| Statement::time_permit(point, &permit.permit))
            .collect();
        self.check_proof(reply.proof.as_ref(), reply.key, &pin, &statements)?;
        drop(statements);
        Ok(Verified {
            value: permits,
            key: reply.key,
            pin,
        })
    }

    /// What the D-TA says about itself and about the caller. Whatever proof of knowledge comes with
    /// a commitment has been checked.
    pub(crate) async fn authority(&self, signer: &SigningKey) -> Result<AuthorityInfo, DtaError> {
        let body = self
            .call(signer, Method::GET, AUTHORITY_PATH, Vec::new())
            .await?;
        let info = AuthorityInfo::parse(&body)?;
        if let Some(customer) = &info.customer {
            for key in &customer.keys {
                self.check_knowledge(&customer.id, key)?;
            }
        }
        Ok(info)
    }

    /// The pin of the key that a reply names; the reply's own commitment is compared, never used.
    fn pin(
        &self,
        asked: Option<KeyVersion>,
        named: KeyVersion,
        commitment: &CommitmentHex,
    ) -> Result<KeyPin, DtaError> {
        if asked.is_some_and(|asked| asked != named) {
            return Err(DtaError::NotPinned(named));
        }
        let pin = self
            .pins
            .keys
            .get(&named)
            .ok_or(DtaError::NotPinned(named))?;
        if pin.commitment.to_compressed() != *commitment.as_bytes() {
            return Err(DtaError::OtherCommitment {
                key: named,
                found: *commitment,
            });
        }
        Ok(*pin)
    }

    fn check_proof(
        &self,
        proof: Option<&ProofHex>,
        key: KeyVersion,
        pin: &KeyPin,
        statements: &[Statement<'_>],
    ) -> Result<(), DtaError> {
        let context = share_proof_context(&self.pins.authority, key, pin.suite);
        let proof = proof.ok_or(DtaError::NoProof)?;
        let commitment: &Commitment = &pin.commitment;
        ShareProof::from_bytes(proof.as_bytes())
            .and_then(|proof| proof.verify(commitment, statements, &context))
            .map_err(|source| DtaError::Proof { key, source })
    }

    /// Whoever published the commitment knows the secret behind it, and made it for this customer.
    fn check_knowledge(&self, customer: &str, key: &MasterKeyInfo) -> Result<(), DtaError> {
        let Some(proof) = &key.proof else {
            return Ok(());
        };
        let context = KeyContext {
            authority: self.pins.authority.as_bytes(),
            customer,
            key: &key.key.to_string(),
            suite: suite(key.suite),
        };
        let commitment: Commitment = Commitment::from_compressed(key.commitment.as_bytes())?;
        let bytes = hex::decode(proof).unwrap_or_default();
        KnowledgeProof::from_bytes(&bytes)
            .and_then(|proof| proof.verify(&commitment, &context.to_bytes()))
            .map_err(|source| DtaError::Knowledge {
                key: key.key,
                source,
            })
    }

    async fn post(
        &self,
        signer: &SigningKey,
        path: &'static str,
        body: Vec<u8>,
    ) -> Result<Zeroizing<Vec<u8>>, DtaError> {
        self.call(signer, Method::POST, path, body).await
    }

    /// A signed call within the time allowed: the body of the positive, verified reply.
    async fn call(
        &self,
        signer: &SigningKey,
        method: Method,
        path: &'static str,
        body: Vec<u8>,
    ) -> Result<Zeroizing<Vec<u8>>, DtaError> {
        tokio::time::timeout(self.timeout, self.exchange(signer, method, path, body))
            .await
            .map_err(|_| DtaError::Timeout(self.timeout))?
    }

    async fn exchange(
        &self,
        signer: &SigningKey,
        method: Method,
        path: &'static str,
        body: Vec<u8>,
    ) -> Result<Zeroizing<Vec<u8>>, DtaError> {
        let response_key = self.response_key().await?;
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|_| DtaError::Random)?;
        let to_sign = RequestToSign {
            method: method.as_str(),
            path,
            query: None,
            body: &body,
            public_authority: &self.pins.endpoint.public_authority,
            authority_id_hex: &self.pins.authority.to_string(),
        };
        let headers = sign_request(&to_sign, &Stamp::new(unix_seconds(), random), signer)
            .map_err(DtaError::Sign)?;
        let signature = headers
            .iter()
            .find_map(|(name, value)| (*name == "signature").then(|| value.clone()))
            .expect("a signed request has a signature");
        let message = Message {
            method: method.clone(),
            path,
            headers,
            body,
        };
        let reply = self.connection.send(message).await?;
        let binding = RequestBinding {
            method: method.as_str(),
            path,
            signature_field: Some(&signature),
        };
        let verified = match verify(&reply, &binding, &response_key.key) {
            // Unlocked anew since the key was fetched: once more, with the key of now.
            Err(ResponseError::OtherKey { .. }) => {
                let fresh = self.fetch_response_key().await?;
                verify(&reply, &binding, &fresh.key)
            }
            result => result,
        };
        accept(reply, verified)
    }

    /// The known response key, or else the one that the D-TA shows.
    async fn response_key(&self) -> Result<ResponseKey, DtaError> {
        let known = self.response_key.lock().await.clone();
        match known {
            Some(known) => Ok(known),
            None => self.fetch_response_key().await,
        }
    }

    /// Asks for the response key, believes it if the pinned node key certifies it and it is not
    /// older than one seen before, and checks that the reply is signed by that very key.
    async fn fetch_response_key(&self) -> Result<ResponseKey, DtaError> {
        let message = Message {
            method: Method::GET,
            path: AUTHORITY_PATH,
            headers: Vec::new(),
            body: Vec::new(),
        };
        let reply = self.connection.send(message).await?;
        if reply.status != 200 {
            return Err(unverified(&reply, ResponseError::Unsigned));
        }
        let info = AuthorityInfo::parse(&reply.body)?;
        let certificate = info.response_key.ok_or(DtaError::NoResponseKey)?;
        let key = certificate.verify(&self.pins.authority, &self.pins.node_key)?;
        let binding = RequestBinding {
            method: "GET",
            path: AUTHORITY_PATH,
            signature_field: None,
        };
        if let Err(error) = verify(&reply, &binding, &key) {
            return Err(unverified(&reply, error));
        }
        let found = ResponseKey {
            key,
            created: certificate.statement.created,
        };
        let mut known = self.response_key.lock().await;
        if let Some(seen) = known.as_ref().filter(|seen| seen.created > found.created) {
            return Err(DtaError::StaleResponseKey {
                found: found.created,
                seen: seen.created,
            });
        }
        *known = Some(found.clone());
        Ok(found)
    }
}

fn verify(
    reply: &Reply,
    binding: &RequestBinding<'_>,
    key: &VerifyingKey,
) -> Result<VerifiedResponse, ResponseError> {
    let headers = reply.headers.iter();
    let parts = ResponseParts {
        status: reply.status,
        headers: headers
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect(),
    };
    verify_response(&parts, &reply.body, binding, key, unix_seconds())
}

/// The body of a positive reply whose signature holds.
fn accept(
    reply: Reply,
    verified: Result<VerifiedResponse, ResponseError>,
) -> Result<Zeroizing<Vec<u8>>, DtaError> {
    let verified = match verified {
        Ok(verified) => verified,
        Err(error) => return Err(unverified(&reply, error)),
    };
    match (reply.status, verified.content_type.as_str()) {
        (200, JSON_MEDIA_TYPE) => Ok(reply.body),
        (status, MEDIA_TYPE) => match Problem::from_json(&reply.body) {
            Ok(problem) if problem.status() == status => Err(DtaError::Refused(problem)),
            _ => Err(DtaError::Status {
                status,
                content_type: verified.content_type,
            }),
        },
        (status, _) => Err(DtaError::Status {
            status,
            content_type: verified.content_type,
        }),
    }
}

/// A reply that nobody vouches for; what it claims is shown, and not acted on.
fn unverified(reply: &Reply, source: ResponseError) -> DtaError {
    DtaError::Unverified {
        source,
        claim: Problem::from_json(&reply.body).ok(),
    }
}

/// The suite by the name that both rooms use.
fn suite(suite: Suite) -> mpin::Suite {
    match suite {
        Suite::Ro => mpin::Suite::Ro,
        Suite::Nu => mpin::Suite::Nu,
        Suite::Milagro => mpin::Suite::Milagro,
    }
}
