//! The three things a D-TA issues: points computed, reply bodies written, audit events filled in.
//!
//! Nothing here decides whether to issue, and nothing leaves from here: the caller logs the event, and
//! only when that is durable sends the body.

use audit::{Event, IdentityTag, Request as LoggedRequest};
use mpin::{Day, IdentityPoint, PermitPoint, Statement};
use wire::api::{
    AuthorityIdHex, Blind, ClientShareReply, ClientShareRequest, Encoding, IssuedPermit, ProofHex,
    ServerShareReply, ServerShareRequest, ShareHex, TimePermitReply, TimePermitRequest,
    share_proof_context,
};
use wire::{Problem, ProblemType};
use zeroize::Zeroizing;

use super::keyring::{Master, identity};

/// The most permits in one reply: one chunk, one proof, one audit entry.
pub(super) const MAX_PERMITS: u32 = 256;

/// Something to be issued, once its event is durable.
pub(super) struct Issued {
    pub(super) body: Zeroizing<Vec<u8>>,
    pub(super) event: Event,
}

/// What is issued under which key, for which request.
pub(super) struct Issuance<'a> {
    pub(super) authority_id: &'a AuthorityIdHex,
    pub(super) master: &'a Master,
    pub(super) logged: LoggedRequest,
}

impl Issuance<'_> {
    /// `s * A`. The point `A` is the caller's, who needed it for the log before.
    pub(super) fn client_share(
        self,
        request: &ClientShareRequest,
        point: &IdentityPoint,
        tag: IdentityTag,
    ) -> Result<Issued, Problem> {
        let share = self.master.secret.client_share(point);
        let proof = match request.proof {
            true => Some(self.prove(&[Statement::client_share(point, &share)])?),
            false => None,
        };
        let reply = ClientShareReply {
            share: ShareHex::from_bytes(share.encode(encoding(request.encoding)).as_slice()),
            key: self.master.info.key,
            commitment: self.master.info.commitment,
            proof,
            blind: blind()?,
        };
        let event = Event::ClientShare {
            request: self.logged,
            identity: tag,
        };
        Ok(Issued {
            body: reply.to_json(),
            event,
        })
    }

    /// `s * Q`.
    pub(super) fn server_share(self, request: &ServerShareRequest) -> Result<Issued, Problem> {
        let share = self.master.secret.server_share();
        let reply = ServerShareReply {
            share: ShareHex::from_bytes(share.encode(encoding(request.encoding)).as_slice()),
            key: self.master.info.key,
            commitment: self.master.info.commitment,
            blind: blind()?,
        };
        let event = Event::ServerShare {
            request: self.logged,
        };
        Ok(Issued {
            body: reply.to_json(),
            event,
        })
    }

    /// `s * A_T` for each identity and day.
    pub(super) fn time_permits(
        self,
        request: &TimePermitRequest,
        tags: Vec<IdentityTag>,
    ) -> Result<Issued, Problem> {
        let suite = self.master.suite;
        let asked: Vec<_> = request.permits().collect();
        let points: Vec<_> = asked
            .iter()
            .map(|(id, day)| PermitPoint::hash(suite, Day::new(day.day_number()), &identity(*id)))
            .collect();
        let shares: Vec<_> = points
            .iter()
            .map(|point| self.master.secret.time_permit(point))
            .collect();
        let proof = match request.proof {
            true => {
                let pairs = points.iter().zip(&shares);
                let statements: Vec<_> = pairs
                    .map(|(point, share)| Statement::time_permit(point, share))
                    .collect();
                Some(self.prove(&statements)?)
            }
            false => None,
        };
        let encoding = encoding(request.encoding);
        let permits = asked
            .iter()
            .zip(&shares)
            .map(|((identity, day), share)| IssuedPermit {
                identity: *identity,
                day: *day,
                share: ShareHex::from_bytes(share.encode(encoding).as_slice()),
            });
        let reply = TimePermitReply {
            permits: permits.collect(),
            key: self.master.info.key,
            commitment: self.master.info.commitment,
            proof,
            blind: blind()?,
        };
        let event = Event::TimePermits {
            request: self.logged,
            identities: tags,
            from: request.from.to_string(),
            days: request.days.into(),
            chunk: 0,
        };
        Ok(Issued {
            body: reply.to_json(),
            event,
        })
    }

    fn prove(&self, statements: &[Statement<'_>]) -> Result<ProofHex, Problem> {
        let info = &self.master.info;
        let context = share_proof_context(self.authority_id, info.key, info.suite);
        let proof = self.master.secret.prove(statements, &context);
        Ok(ProofHex::from_bytes(
            proof.map_err(|error| internal(&error))?.to_bytes(),
        ))
    }
}

fn encoding(wanted: Option<Encoding>) -> mpin::Encoding {
    match wanted {
        None | Some(Encoding::Compressed) => mpin::Encoding::Compressed,
        Some(Encoding::Uncompressed) => mpin::Encoding::Uncompressed,
        Some(Encoding::Milagro) => mpin::Encoding::Milagro,
        Some(Encoding::Miracl) => mpin::Encoding::Miracl,
    }
}

/// Random bytes that make the digest of an unsealed reply useless for guessing what is in it.
fn blind() -> Result<Blind, Problem> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| internal(&error))?;
    Ok(Blind::from_bytes(bytes))
}

fn internal(error: &dyn std::error::Error) -> Problem {
    tracing::error!(%error, "a reply could not be made");
    Problem::new(
        ProblemType::Internal,
        "the reply could not be made; the log says why",
    )
}
