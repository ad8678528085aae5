//! One signed request, decided: DESIGN section 6, in its order, with every secret borrowed from the keyring.
//!
//! Pure but for the replay cache: the caller brings time and request, and carries out the [`Decision`].
//! What was refused before a valid signature is counted; everything after is logged before it is
//! answered.

use std::sync::{Mutex, PoisonError};

use audit::{Event, IdentityTag, RefusedRequest, Request as LoggedRequest};
use hyper::http::request::Parts;
use mpin::IdentityPoint;
use state::{CustomerStatus, Operation, Role};
use wire::api::{
    AuthorityIdHex, ClientShareRequest, CustomerInfo, KeyVersion, PermitDate, ServerShareRequest,
    TimePermitRequest,
};
use wire::signature::{Expected, SKEW_SECONDS, VerifiedRequest, verify_request};
use wire::{Problem, ProblemType};

use super::issue::{Issuance, Issued, MAX_PERMITS};
use super::keyring::{Caller, Keyring, Master, identity};
use super::replay::{Burn, ReplayCache};
use super::window;
use crate::service::http::{is_signed, request_parts};
use crate::service::routes::Call;

/// The authority's own names, never taken from a request.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) public_authority: String,
    pub(super) authority_id: AuthorityIdHex,
    pub(super) authority_id_hex: String,
}

/// A request as it arrived, and when.
pub(super) struct Arrived<'a> {
    pub(super) call: Call,
    pub(super) head: &'a Parts,
    pub(super) body: &'a [u8],
    /// Unix seconds.
    pub(super) now: u64,
}

impl Arrived<'_> {
    /// Whether the request claims to be signed.
    pub(super) fn is_signed(&self) -> bool {
        is_signed(self.head)
    }
}

/// What is to be done about a request.
pub(super) enum Decision {
    /// Refused before a valid signature, or not known to be more than a copy: counted, not logged, so
    /// that whoever has no key can neither fill the log nor keep the disk busy.
    Unproven(Problem),
    /// Refused after one: the event is logged first.
    Refused(Problem, Event),
    /// Failed on this side: nothing is issued, nothing is logged.
    Failed(Problem),
    /// To be sent once the event is durable.
    Issue(Issued),
    /// Asked who the caller is; nothing is issued, nothing is logged.
    Introduce(Box<CustomerInfo>),
}

/// Decides one signed request.
pub(super) fn decide(
    arrived: &Arrived<'_>,
    names: &Names,
    keyring: &Keyring,
    replay: &Mutex<ReplayCache>,
) -> Decision {
    let verified = match verify(arrived, names, keyring) {
        Ok(verified) => verified,
        Err(problem) => return Decision::Unproven(problem),
    };
    let caller = keyring
        .caller(&verified.keyid)
        .expect("its signature was just verified");
    let mut case = Case {
        arrived,
        names,
        keyring,
        caller,
        verified,
        version: None,
    };
    match case.decide(replay) {
        Ok(decision) => decision,
        Err(problem) if problem.kind().is_failure() => Decision::Failed(problem),
        Err(problem) => {
            let event = case.refused_event(&problem);
            Decision::Refused(problem, event)
        }
    }
}

fn verify(
    arrived: &Arrived<'_>,
    names: &Names,
    keyring: &Keyring,
) -> Result<VerifiedRequest, Problem> {
    let expected = Expected {
        public_authority: &names.public_authority,
        authority_id_hex: &names.authority_id_hex,
        now_unix: arrived.now,
    };
    verify_request(
        &request_parts(arrived.head),
        arrived.body,
        &expected,
        |keyid| keyring.verifying_key(keyid, arrived.now).cloned(),
    )
}

/// A request whose signature holds.
struct Case<'a> {
    arrived: &'a Arrived<'a>,
    names: &'a Names,
    keyring: &'a Keyring,
    caller: Caller<'a>,
    verified: VerifiedRequest,
    /// The master key it means, once that is known; for the entry of a refusal.
    version: Option<KeyVersion>,
}

impl<'a> Case<'a> {
    fn decide(&mut self, replay: &Mutex<ReplayCache>) -> Result<Decision, Problem> {
        if let Some(decision) = self.burn_nonce(replay)? {
            return Ok(decision);
        }
        if self.arrived.call == Call::Authority {
            return Ok(Decision::Introduce(Box::new(self.caller.describe())));
        }
        self.require_active()?;
        let issued = match self.arrived.call {
            Call::ClientShare => self.client_share()?,
            Call::ServerShare => self.server_share()?,
            Call::TimePermits => self.time_permits()?,
            Call::Authority => unreachable!("answered above"),
        };
        Ok(Decision::Issue(issued))
    }

    /// Nothing when the nonce is fresh, else how the request ends.
    fn burn_nonce(&self, replay: &Mutex<ReplayCache>) -> Result<Option<Decision>, Problem> {
        let VerifiedRequest {
            keyid,
            nonce,
            expires,
            ..
        } = &self.verified;
        let deadline = expires.saturating_add(SKEW_SECONDS);
        let replayed = || {
            let detail = format!("the nonce {nonce} was used before with this key");
            Problem::new(ProblemType::Replayed, detail)
        };
        // The cache is whole at every moment, whatever panicked meanwhile.
        let mut replay = replay.lock().unwrap_or_else(PoisonError::into_inner);
        match replay.burn(keyid, nonce.as_str(), deadline, self.arrived.now) {
            Burn::Fresh => Ok(None),
            Burn::Replayed => Err(replayed()),
            Burn::ReplayedAgain => Ok(Some(Decision::Unproven(replayed()))),
            Burn::Late => {
                let detail = format!("`expires` was {expires}, and it is later here by now");
                let problem = Problem::new(ProblemType::Expired, detail);
                Ok(Some(Decision::Unproven(problem)))
            }
            Burn::Full => {
                let detail = "too many nonces are kept at the moment";
                Err(Problem::new(ProblemType::Overloaded, detail).with_retry_after(5))
            }
        }
    }

    fn require_active(&self) -> Result<(), Problem> {
        match self.caller.customer.status {
            CustomerStatus::Active => Ok(()),
            CustomerStatus::Suspended => Err(Problem::new(
                ProblemType::Suspended,
                "this customer is suspended",
            )),
        }
    }

    /// The key must have the role, and the customer's policy must allow what it is for.
    fn require(&self, role: Role, operation: Operation) -> Result<(), Problem> {
        let denied = |detail| Err(Problem::new(ProblemType::NotPermitted, detail));
        if !self.caller.signing_key.roles.contains(&role) {
            return denied(format!("this signing key has not the role {role}"));
        }
        if !self.caller.customer.policy.allows(operation) {
            return denied(format!("the customer's policy does not allow {operation}"));
        }
        Ok(())
    }

    fn client_share(&mut self) -> Result<Issued, Problem> {
        self.require(Role::Enrol, Operation::ClientShare)?;
        let request = ClientShareRequest::parse(self.arrived.body)?;
        let master = self.master(request.key)?;
        let point = IdentityPoint::hash(master.suite, &identity(request.identity));
        let tag = self.tag(&point);
        self.issuance(master).client_share(&request, &point, tag)
    }

    fn server_share(&mut self) -> Result<Issued, Problem> {
        self.require(Role::ServerShare, Operation::ServerShare)?;
        let request = ServerShareRequest::parse(self.arrived.body)?;
        let master = self.master(request.key)?;
        self.issuance(master).server_share(&request)
    }

    fn time_permits(&mut self) -> Result<Issued, Problem> {
        self.require(Role::Permit, Operation::TimePermit)?;
        let request = TimePermitRequest::parse(self.arrived.body)?;
        let master = self.master(request.key)?;
        self.check_permits(&request)?;
        let tags = request
            .identities
            .iter()
            .map(|hex| self.tag(&IdentityPoint::hash(master.suite, &identity(*hex))))
            .collect();
        self.issuance(master).time_permits(&request, tags)
    }

    fn check_permits(&self, request: &TimePermitRequest) -> Result<(), Problem> {
        let policy = &self.caller.customer.policy;
        let permits = request.identities.len() * usize::from(request.days);
        let most = MAX_PERMITS.min(policy.max_batch) as usize;
        if permits > most {
            let detail = format!("{permits} permits; at most {most} are given at a time");
            return Err(Problem::new(ProblemType::TooLarge, detail));
        }
        let today = PermitDate::from_unix_seconds(self.arrived.now)
            .expect("a clock that verified a signature is within the calendar");
        let allowed = policy.permit_window_days.days();
        window::check(today, allowed, request.from, request.days.into())
    }

    fn master(&mut self, wanted: Option<KeyVersion>) -> Result<&'a Master, Problem> {
        let master = self.caller.master(wanted)?;
        self.version = Some(master.info.key);
        Ok(master)
    }

    fn tag(&self, point: &IdentityPoint) -> IdentityTag {
        self.keyring.log_key.tag(&point.to_compressed())
    }

    fn issuance(&self, master: &'a Master) -> Issuance<'a> {
        let logged = LoggedRequest {
            customer: self.caller.customer.id.to_string(),
            key: master.info.key.to_string(),
            keyid: self.verified.keyid.clone(),
            nonce: self.verified.nonce.to_string(),
            expires: self.verified.expires,
        };
        Issuance {
            authority_id: &self.names.authority_id,
            master,
            logged,
        }
    }

    fn refused_event(&self, problem: &Problem) -> Event {
        let request = RefusedRequest {
            customer: self.caller.customer.id.to_string(),
            key: self.version.map(|version| version.to_string()),
            keyid: self.verified.keyid.clone(),
            nonce: self.verified.nonce.to_string(),
            expires: self.verified.expires,
        };
        let op = self.arrived.call.operation().to_owned();
        Event::Refused {
            request,
            op,
            problem: problem.kind().name().to_owned(),
            identity: None,
        }
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
