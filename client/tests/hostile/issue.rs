//! What a D-TA issues, rightly or under a trick.

use mpin::{
    ClientShare, Day, Identity, IdentityPoint, KeyContext, MasterSecret, PermitPoint, ServerShare,
    Statement, TimePermit,
};
use wire::api::{
    AUTHORITY_PATH, Blind, CLIENT_SHARES_PATH, ClientShareReply, ClientShareRequest, CommitmentHex,
    CustomerInfo, CustomerStatus, IdentityHex, IssuedPermit, KeyVersion, Limits, MasterKeyInfo,
    PermitDate, ProofHex, Role, SERVER_SHARES_PATH, ServerShareReply, ServerShareRequest, ShareHex,
    TIME_PERMITS_PATH, TimePermitReply, TimePermitRequest, share_proof_context,
};
use wire::signature::{RequestParts, VerifiedRequest};
use wire::{Problem, ProblemType};

use crate::server::{State, Trick};

impl State {
    pub(crate) fn issue(
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
                proof: Some(self.knowledge()),
            }],
            limits: Limits {
                permit_days: 2,
                permit_identities: 1000,
            },
        }
    }

    fn knowledge(&self) -> String {
        let context = KeyContext {
            authority: self.authority.as_bytes(),
            customer: if self.trick == Trick::OtherKnowledge {
                "zeta"
            } else {
                "acme"
            },
            key: "k1",
            suite: self.suite,
        };
        let proof = self.master.prove_knowledge(&context.to_bytes()).unwrap();
        hex::encode(proof.to_bytes())
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
}
