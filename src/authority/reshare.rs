//! Reshare: the unlocked authority deals a new set, waits for its holders, and goes over to it in one transaction.
//!
//! The order, and what a crash after each step leaves:
//!
//! | step | a crash after it |
//! |---|---|
//! | the label of the new seal key is noted on the token | old epoch; the note is cleared at the next start |
//! | the new seal key is made | old epoch; the next start destroys it |
//! | the transaction in `state.db` | **new epoch**; from here on nothing leads back |
//! | the entry `reshared` | new epoch |
//! | the anchor object on the token | new epoch, and an older disk is refused |
//! | the old seal key is destroyed and its entry logged | the same; nothing of the old epoch opens |
//! | the note is cleared | done |
//!
//! The disk goes before the token: a token ahead of the disk would be refused as rolled back. Until the transaction the old
//! set is in force, whatever happens; after it the next start, unlock or minute does what is left.

use std::time::Instant;

use audit::{Event, Hex, Participant, Set};
use ceremony::init::seal_key_label;
use ceremony::plan;
use ceremony::reshare::{
    Confirmation, Dealing, Facts, Missing, Reshare, ReshareError, Successor, Waiver, check_plan,
};
use ceremony::session::{Envelope, SessionPurpose, UnlockSession};
use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use quorum::{Holder, HsmKey, ManifestSignature, SetDescription, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::Value;
use state::{
    AnchorObject, KHsm, OpenKHsmError, SealContext, SealingKey, Wrap, open_k_hsm, wrap_k_hsm,
};
use wire::operator::{Op, ReshareDone, ReshareProgress, ReshareReply};
use wire::{Problem, ProblemType};

use super::desk::{Desk, Papers, json};
use super::phase::Unlocked;
use super::sessions::{opening_problem, participant};
use super::token::{TokenError, with_remedy};
use crate::service::clock::unix_seconds;

/// An open reshare: what its holders have said so far, and the new `k_hsm` under the new seal key.
pub(super) struct Resharing {
    reshare: Reshare,
    wrap: Wrap,
}

impl Resharing {
    fn id(&self) -> String {
        self.reshare
            .session()
            .document()
            .session
            .session
            .to_string()
    }

    /// Whether its time is over.
    pub(super) fn expire(&mut self) -> bool {
        self.reshare.expire(Instant::now())
    }
}

impl Desk {
    /// Performs one of the operations of a reshare for the user `uid`.
    pub(super) fn reshare(&self, papers: &mut Papers, op: Op, uid: u32) -> Result<Value, Problem> {
        papers.phase.unlocked()?;
        match op {
            Op::ReshareOpen { plan } => self.open_reshare(papers, &plan, uid).map(|r| json(&r)),
            Op::ReshareConsent {
                envelope,
                signature,
            } => self
                .consent(papers, &envelope, &signature)
                .map(|r| json(&r)),
            Op::ReshareConfirm { confirmation } => {
                self.confirm(papers, &confirmation).map(|r| json(&r))
            }
            Op::ReshareWaive { waiver } => self.waive(papers, &waiver).map(|r| json(&r)),
            Op::ReshareCommit {} => self.commit(papers).map(|r| json(&r)),
            _ => {
                open(papers)?;
                if let Some(resharing) = papers.resharing.take() {
                    self.close_reshare(papers, *resharing, "operator");
                }
                Ok(json(&self.equipment.status.report()))
            }
        }
    }

    /// Ends a reshare without effect; the new seal key goes now, or later.
    pub(super) fn close_reshare(&self, papers: &mut Papers, resharing: Resharing, reason: &str) {
        let event = Event::ReshareClosed {
            session: resharing.id(),
            reason: reason.to_owned(),
        };
        drop(resharing);
        tracing::info!(reason, "the reshare is ended; the old set is in force");
        if let Err(error) = self.equipment.log.append_blocking(event) {
            tracing::error!(%error, "the log did not take the end of the reshare");
        }
        self.retire_keys(papers);
    }

    /// Destroys what must not exist any more; says in the log if that must wait.
    pub(super) fn retire_keys(&self, papers: &mut Papers) {
        match self.try_to_retire(papers) {
            Ok(_) => papers.retire_again = None,
            Err(problem) => {
                tracing::warn!(%problem, "a seal key is to be destroyed, but not yet");
                papers.retire_again = Some(Instant::now() + super::desk::RETIRE_PAUSE);
            }
        }
    }

    fn try_to_retire(&self, papers: &Papers) -> Result<Vec<String>, Problem> {
        let log = |event| self.log(event).map_err(Retiring);
        let retired = self.equipment.token.retire(papers.state.chain(), log);
        retired.map_err(|Retiring(problem)| problem)
    }

    fn open_reshare(
        &self,
        papers: &mut Papers,
        text: &str,
        operator: u32,
    ) -> Result<ReshareReply, Problem> {
        if papers.resharing.is_some() {
            let problem = Problem::new(ProblemType::Conflict, "a reshare is open already");
            let remedy = "wait until it expires, or end it with `dta ceremony reshare --abort`";
            return Err(with_remedy(problem, Some(remedy)));
        }
        let malformed =
            |error: &dyn std::fmt::Display| Problem::new(ProblemType::Malformed, error.to_string());
        let plan = plan::check(text).map_err(|mistakes| malformed(&mistakes))?;
        let chain = papers.state.chain();
        check_plan(&plan, chain).map_err(|error| {
            let problem = Problem::new(ProblemType::Conflict, error.to_string());
            with_remedy(problem, error.remedy())
        })?;
        let token = &self.equipment.token;
        // Nothing may be left of an earlier one, or there would be two keys and one note.
        self.try_to_retire(papers)?;
        let old_key = token.compare(chain).map_err(|error| error.problem())?;
        only_this_hsm(chain.current().hsm_keys.len())?;
        if plan.token.serial != old_key.hsm.as_str() {
            let detail = "the plan names another token than the one in force";
            return Err(Problem::new(ProblemType::Conflict, detail));
        }
        let hsm = |error| TokenError::Hsm(error).problem();

        let dealing =
            Dealing::deal(&plan, chain, &mut UnwrapErr(SysRng)).map_err(|e| refusal(&e))?;
        let key = HsmKey {
            key_label: seal_key_label(dealing.set_id(), dealing.epoch()),
            ..old_key.clone()
        };
        let context = SealContext {
            authority: chain.authority_id(),
            set_id: dealing.set_id(),
            epoch: dealing.epoch(),
        };
        let opening = self.opening(papers, SessionPurpose::Reshare, self.equipment.session_time)?;
        let session =
            UnlockSession::open(opening, |bytes| token.sign(bytes)).map_err(opening_problem)?;
        token
            .note_pending(chain.authority_id(), Some(key.key_label.clone()))
            .map_err(hsm)?;
        tracing::info!("reshare: the new seal key is noted");
        let made = || -> Result<Resharing, Problem> {
            let client = token.client();
            client
                .create_seal_key(key.key_label.as_str())
                .map_err(hsm)?;
            client.check_seal_key(key.key_label.as_str()).map_err(hsm)?;
            tracing::info!("reshare: the new seal key is made");
            let k_hsm =
                KHsm::random().map_err(|e| Problem::new(ProblemType::Internal, e.to_string()))?;
            let wrap = wrap_k_hsm(client, &key, &context, &k_hsm).map_err(hsm)?;
            let facts = Facts {
                hsm_keys: vec![key],
                check_value: k_hsm.check_value(&context.set_id, context.epoch),
                created: now()?,
            };
            let sign = |bytes: &[u8]| -> Result<[u8; 64], Problem> {
                let signature = token.sign(bytes).map_err(hsm)?;
                self.equipment
                    .node
                    .verify(bytes, &signature)
                    .ok()
                    .and_then(|()| signature.try_into().ok())
                    .ok_or_else(|| {
                        let detail = "the node key signed, and the signature does not verify";
                        Problem::new(ProblemType::HsmUnavailable, detail)
                    })
            };
            let reshare = dealing
                .propose(facts, session, sign)
                .map_err(|e| refusal(&e))??;
            Ok(Resharing { reshare, wrap })
        };
        let opened = made().and_then(|resharing| {
            let reply = ReshareReply {
                session: json(resharing.reshare.session().document()),
                proposal: json(resharing.reshare.proposal()),
                shares: resharing.reshare.sealed_shares().map_err(|e| refusal(&e))?,
            };
            self.log(opened_event(&resharing, operator))?;
            Ok((resharing, reply))
        });
        match opened {
            Ok((resharing, reply)) => {
                papers.resharing = Some(Box::new(resharing));
                tracing::info!("reshare: opened");
                Ok(reply)
            }
            Err(problem) => {
                self.retire_keys(papers);
                Err(problem)
            }
        }
    }

    fn consent(
        &self,
        papers: &mut Papers,
        envelope: &Value,
        signature: &Value,
    ) -> Result<ReshareProgress, Problem> {
        let resharing = open(papers)?;
        let envelope: Envelope = parsed(envelope)?;
        let signature: ManifestSignature = parsed(signature)?;
        let holder = resharing
            .reshare
            .consent(&envelope, &signature, Instant::now())
            .map_err(|error| refusal(&error))?;
        let event = Event::ReshareConsent {
            session: resharing.id(),
            slot: holder.index.get(),
            holder: holder.name.to_string(),
        };
        self.taken(resharing, event)
    }

    fn confirm(
        &self,
        papers: &mut Papers,
        confirmation: &Value,
    ) -> Result<ReshareProgress, Problem> {
        let resharing = open(papers)?;
        let confirmation: Confirmation = parsed(confirmation)?;
        let confirmed = resharing.reshare.confirm(&confirmation);
        let holder = confirmed.map_err(|error| refusal(&error))?;
        let event = Event::ReshareConfirmed {
            session: resharing.id(),
            slot: holder.index.get(),
            holder: holder.name.to_string(),
        };
        self.taken(resharing, event)
    }

    fn waive(&self, papers: &mut Papers, waiver: &Value) -> Result<ReshareProgress, Problem> {
        let resharing = open(papers)?;
        let waiver: Waiver = parsed(waiver)?;
        let waived = resharing.reshare.waive(&waiver);
        let signer = waived.map_err(|error| refusal(&error))?;
        let event = Event::ReshareWaiver {
            session: resharing.id(),
            slot: waiver.index.get(),
            holder: waiver.holder.to_string(),
            signer: participant(&signer),
        };
        self.taken(resharing, event)
    }

    fn taken(&self, resharing: &Resharing, event: Event) -> Result<ReshareProgress, Problem> {
        tracing::info!(event = event.name(), "reshare: a step");
        self.log(event)?;
        Ok(ReshareProgress {
            missing: resharing.reshare.missing().as_ref().map(Missing::to_string),
        })
    }

    /// Goes over to the new set. Up to the transaction a failure leaves everything as it was, the open reshare too.
    fn commit(&self, papers: &mut Papers) -> Result<ReshareDone, Problem> {
        self.settle(papers)?;
        let token = &self.equipment.token;
        token
            .compare(papers.state.chain())
            .map_err(|error| error.problem())?;
        let resharing = open(papers)?;
        let session = resharing.id();
        let successor = resharing.reshare.finish().map_err(|e| refusal(&e))?;
        let wrap = resharing.wrap.clone();
        let to = self.new_key(&successor, &wrap)?;
        let signed = successor.chain.manifests().last().cloned();
        let from = &papers.phase.unlocked()?.key;
        tracing::info!("reshare: committing");
        let change = papers
            .state
            .reshare(state::Reshare {
                manifest: signed.expect("a chain has manifests"),
                wraps: vec![wrap],
                from,
                to: &to,
            })
            .map_err(|error| {
                let detail = format!("{error}; the old set is in force");
                with_remedy(Problem::new(ProblemType::Conflict, detail), error.remedy())
            })?;
        tracing::info!("reshare: committed");
        papers.resharing = None;
        papers.phase = super::phase::Phase::Unlocked(Unlocked { key: to });
        self.equipment.status.go_over(successor.chain.clone());
        self.note(&papers.phase);
        papers.unlogged = vec![reshared(&session, &successor, change.generation)];
        let logged = self.log_rest(papers);
        let vault = &self.equipment.vault;
        // If a lock has come in between there is nothing left to change, but an old key to destroy.
        if let Ok(changed) = vault.change(|keyring| keyring.replace_registry(change.registry)) {
            changed.map_err(|error| Problem::new(ProblemType::Internal, error.to_string()))?;
        }
        let finished = logged.and_then(|()| self.leave_the_old_epoch(papers));
        let (destroyed, unfinished) = match finished {
            Ok(destroyed) => (destroyed, None),
            Err(problem) => {
                tracing::warn!(%problem, "reshared, but the old seal key is not destroyed yet");
                papers.retire_again = Some(Instant::now() + super::desk::RETIRE_PAUSE);
                (Vec::new(), Some(problem.detail().to_owned()))
            }
        };
        Ok(ReshareDone {
            chain: successor.chain.manifests().iter().map(json).collect(),
            destroyed,
            unfinished,
        })
    }

    /// K of the new epoch, by the way that every unlock will go: the wrap opened inside the HSM, the shares combined.
    fn new_key(&self, successor: &Successor, wrap: &Wrap) -> Result<SealingKey, Problem> {
        let context = SealContext::of(&successor.chain);
        let check = &successor.chain.current().check_value;
        let k_hsm = open_k_hsm(self.equipment.token.client(), wrap, &context, check).map_err(
            |error: OpenKHsmError| {
                let problem = Problem::new(ProblemType::HsmUnavailable, error.to_string());
                with_remedy(problem, error.remedy())
            },
        )?;
        let k_quorum = successor.secret.k_quorum(&context.set_id);
        SealingKey::derive(&k_hsm, &k_quorum, context).map_err(|error| {
            let problem = Problem::new(ProblemType::Internal, error.to_string());
            with_remedy(problem, Some(error.remedy()))
        })
    }

    fn leave_the_old_epoch(&self, papers: &mut Papers) -> Result<Vec<String>, Problem> {
        let (token, chain) = (&self.equipment.token, papers.state.chain());
        let label = AnchorObject::label(&chain.authority_id());
        token
            .client()
            .put_data(&label, &AnchorObject::of(chain).encode())
            .map_err(|error| TokenError::Hsm(error).problem())?;
        tracing::info!("reshare: the token's anchor is at the new epoch");
        let destroyed = self.try_to_retire(papers)?;
        tracing::info!("reshare: done");
        Ok(destroyed)
    }
}

/// What the closure that logs may fail with, beside the HSM.
struct Retiring(Problem);

impl From<TokenError> for Retiring {
    fn from(error: TokenError) -> Self {
        Self(error.problem())
    }
}

fn open(papers: &mut Papers) -> Result<&mut Resharing, Problem> {
    papers
        .resharing
        .as_deref_mut()
        .ok_or_else(|| Problem::new(ProblemType::NotFound, "no reshare is open"))
}

fn only_this_hsm(hsms: usize) -> Result<(), Problem> {
    if hsms == 1 {
        return Ok(());
    }
    let detail = format!("the manifest names {hsms} HSMs, and only one of them is connected");
    let problem = Problem::new(ProblemType::HsmUnavailable, detail);
    let remedy = "the old seal key must be destroyed on each; remove the others first";
    Err(with_remedy(problem, Some(remedy)))
}

fn parsed<T: DeserializeOwned>(value: &Value) -> Result<T, Problem> {
    serde_json::from_value(value.clone())
        .map_err(|error| Problem::new(ProblemType::Malformed, error.to_string()))
}

fn refusal(error: &ReshareError) -> Problem {
    let kind = match error {
        ReshareError::Incomplete(_) | ReshareError::OtherProposal => ProblemType::Conflict,
        ReshareError::Chain(_) | ReshareError::NewShare(_) | ReshareError::Combine(_) => {
            ProblemType::Internal
        }
        _ => ProblemType::ShareRefused,
    };
    let problem = with_remedy(Problem::new(kind, error.to_string()), error.remedy());
    match error.verdict() {
        Some(verdict) => problem.with_verdict(verdict),
        None => problem,
    }
}

fn now() -> Result<Timestamp, Problem> {
    Timestamp::from_unix_seconds(unix_seconds())
        .ok_or_else(|| Problem::new(ProblemType::Internal, "the clock is outside the calendar"))
}

fn opened_event(resharing: &Resharing, operator: u32) -> Event {
    let proposal = &resharing.reshare.proposal().proposal;
    Event::ReshareOpened {
        session: resharing.id(),
        plan: Hex(proposal.plan.0),
        manifest: Hex(*proposal.manifest.hash().as_bytes()),
        set: describe(&proposal.manifest.unlock),
        operator,
    }
}

fn reshared(session: &str, successor: &Successor, generation: u64) -> Event {
    let participants =
        |holders: &[Holder]| -> Vec<Participant> { holders.iter().map(participant).collect() };
    let manifest = successor.chain.current();
    Event::Reshared {
        session: session.to_owned(),
        manifest: Hex(*manifest.hash().as_bytes()),
        set: describe(&manifest.unlock),
        consented: participants(&successor.consented),
        waived: participants(&successor.waived),
        generation,
    }
}

fn describe(set: &SetDescription) -> Set {
    Set {
        set: Hex(*set.set_id().as_bytes()),
        epoch: set.epoch().number(),
        m: set.threshold().m(),
        n: set.threshold().n(),
    }
}
