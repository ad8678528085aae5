//! Unlocking, share by share: sessions are opened, answers judged, and with the M-th share everything opens.
//!
//! Each verdict is logged before it is answered. A wrong share never spoils the others, and a failure after the
//! last one keeps them all: whoever submits next makes it try again.

use std::time::{Duration, Instant};

use audit::{Event, Hex, Participant, Set};
use ceremony::HexBytes;
use ceremony::session::{
    Checkpoint, Envelope, OpenError, Opening, Refused, SessionPurpose, UnlockSession,
};
use quorum::{Holder, Timestamp, Verdict};
use serde_json::Value;
use wire::operator::{AcceptedShare, SessionReply, ShareReply, StatusReport};
use wire::{Problem, ProblemType};

use super::config::SessionMinutes;
use super::desk::{Desk, Papers, json};
use super::keyring::Keyring;
use super::phase::{Phase, Unlocked, Unlocking};
use super::token::{TokenError, with_remedy};
use super::unlock;
use crate::service::clock::unix_seconds;
use crate::service::process::causes;

impl Unlocking {
    /// The session's id, 32 hex digits.
    pub(super) fn id(&self) -> String {
        self.session.document().session.session.to_string()
    }

    fn describe(&self) -> SessionReply {
        SessionReply {
            session: json(self.session.document()),
        }
    }

    /// Says that an answer was refused: the first, the second, the fourth, the eighth, so that nobody fills a log with junk.
    fn warn_of(&mut self, refused: &Refused, signer: &Participant) {
        self.refused += 1;
        if self.refused.is_power_of_two() {
            let (count, reason) = (self.refused, refused.as_str());
            tracing::warn!(
                holder = signer.holder,
                reason,
                count,
                "an answer is refused"
            );
        }
    }

    fn participants(&self) -> Vec<Participant> {
        self.session.accepted().map(participant).collect()
    }
}

impl Desk {
    /// The open session.
    pub(super) fn get_session(&self, papers: &mut Papers) -> Result<SessionReply, Problem> {
        papers
            .phase
            .unlocking()
            .map(|unlocking| unlocking.describe())
    }

    /// Opens a session, once the HSM has been compared with the disk.
    pub(super) fn open_session(
        &self,
        papers: &mut Papers,
        purpose: &str,
        minutes: Option<u16>,
    ) -> Result<SessionReply, Problem> {
        papers.phase.sealed()?;
        let purpose: SessionPurpose = purpose
            .parse()
            .map_err(|error| Problem::new(ProblemType::Malformed, format!("{error}")))?;
        if purpose != SessionPurpose::Unlock {
            let detail = "a sealed authority opens sessions for the purpose unlock only";
            return Err(Problem::new(ProblemType::Conflict, detail));
        }
        let lifetime = match minutes.map(SessionMinutes::try_from) {
            None => self.equipment.session_time,
            Some(Ok(minutes)) => minutes.duration(),
            Some(Err(error)) => return Err(Problem::new(ProblemType::Malformed, error)),
        };
        let token = &self.equipment.token;
        token
            .compare(papers.state.chain())
            .map_err(|error| error.problem())?;
        let opening = self.opening(papers, purpose, lifetime)?;
        let session =
            UnlockSession::open(opening, |bytes| token.sign(bytes)).map_err(opening_problem)?;
        let unlocking = Unlocking {
            session: Box::new(session),
            refused: 0,
        };
        self.log(session_opened(&unlocking.session))?;
        let reply = unlocking.describe();
        papers.phase = Phase::Unlocking(unlocking);
        self.note(&papers.phase);
        Ok(reply)
    }

    /// Ends the open session on an operator's word. Nothing else replaces a session that holders have answered.
    pub(super) fn close_session(&self, papers: &mut Papers) -> Result<StatusReport, Problem> {
        papers.phase.unlocking()?;
        self.seal(papers, "closed", None);
        Ok(self.equipment.status.report())
    }

    pub(super) fn opening<'a>(
        &'a self,
        papers: &'a Papers,
        purpose: SessionPurpose,
        lifetime: Duration,
    ) -> Result<Opening<'a>, Problem> {
        let head = self.equipment.log.last_checkpoint().head();
        let now = Timestamp::from_unix_seconds(unix_seconds());
        Ok(Opening {
            chain: papers.state.chain(),
            node: &self.equipment.node.node,
            purpose,
            checkpoint: Some(Checkpoint {
                size: head.size,
                root: HexBytes(head.root.0),
            }),
            binary: self.equipment.digests.binary,
            config: self.equipment.digests.config,
            created: now.ok_or_else(|| {
                Problem::new(ProblemType::Internal, "the clock is outside the calendar")
            })?,
            now: Instant::now(),
            lifetime,
        })
    }

    /// Judges one answer; with the M-th share, opens everything.
    pub(super) fn submit(
        &self,
        papers: &mut Papers,
        session: &Value,
        envelope: &Value,
    ) -> Result<ShareReply, Problem> {
        let unlocking = papers.phase.unlocking()?;
        let envelope = Envelope::parse(envelope.to_string().as_bytes())
            .map_err(|error| Problem::new(ProblemType::Malformed, error.to_string()))?;
        if *session != json(unlocking.session.document()) {
            return Err(refused_problem(&Refused::OtherSession));
        }
        let signer = Participant {
            index: envelope.index.get(),
            holder: envelope.holder.to_string(),
        };
        let again = unlocking.session.has_judged(&envelope);
        let verdict = match unlocking.session.accept(&envelope, Instant::now()) {
            Ok(verdict) => verdict,
            Err(refused) => {
                // Only what a holder signed is worth an entry; strangers could fill the disk.
                if let (Refused::DoesNotOpen(_), false) = (&refused, again) {
                    let verdict = refused.as_str();
                    self.log(judged(unlocking, &signer, verdict))?;
                }
                unlocking.warn_of(&refused, &signer);
                return Err(refused_problem(&refused));
            }
        };
        if !again {
            self.log(judged(unlocking, &signer, verdict.as_str()))?;
        }
        let complete = unlocking.session.is_complete();
        self.note(&papers.phase);
        tracing::info!(
            holder = signer.holder,
            verdict = verdict.as_str(),
            "a share was judged"
        );
        // Not only after a new share: an earlier attempt may have failed at the HSM.
        if complete {
            self.finish(papers)?;
        } else if !verdict.is_accepted() {
            return Err(verdict_problem(&verdict));
        }
        Ok(ShareReply {
            verdict: verdict.as_str().to_owned(),
            share: AcceptedShare {
                index: signer.index,
                holder: signer.holder,
            },
            status: self.equipment.status.report(),
        })
    }

    /// Opens everything with the shares that are there.
    fn finish(&self, papers: &mut Papers) -> Result<(), Problem> {
        let unlocking = papers.phase.unlocking()?;
        let session = unlocking.id();
        let opened = unlock::open(&unlocking.session, &papers.state, &self.equipment.token);
        let (key, keyring) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                let reason = causes(&error);
                tracing::error!(reason, "M shares are there, but it did not open");
                self.log(Event::UnlockFailed {
                    session,
                    reason: reason.clone(),
                })?;
                return Err(still_sealed(error.problem(), &reason));
            }
        };
        if let Some(generation) = papers.recovered {
            let change = "committed just before the process ended".to_owned();
            self.log(Event::ChangeRecovered { change, generation })?;
            papers.recovered = None;
        }
        self.log(unlocked(unlocking, &keyring))?;
        self.equipment.vault.unseal(keyring);
        papers.phase = Phase::Unlocked(Unlocked { key });
        self.note(&papers.phase);
        self.publish();
        tracing::info!("unlocked");
        Ok(())
    }
}

fn session_opened(session: &UnlockSession) -> Event {
    let document = &session.document().session;
    Event::SessionOpened {
        session: document.session.to_string(),
        purpose: document.purpose.as_str().to_owned(),
        set: set_of(session),
        expires: document.expires.unix_seconds(),
        manifest: Hex(*document.manifest_hash.as_bytes()),
    }
}

fn set_of(session: &UnlockSession) -> Set {
    let document = &session.document().session;
    Set {
        set: Hex(*document.set_id.as_bytes()),
        epoch: document.epoch.number(),
        m: session.threshold().m(),
        n: session.threshold().n(),
    }
}

fn judged(unlocking: &Unlocking, signer: &Participant, verdict: &str) -> Event {
    Event::UnlockShare {
        session: unlocking.id(),
        slot: signer.index,
        holder: signer.holder.clone(),
        verdict: verdict.to_owned(),
    }
}

fn unlocked(unlocking: &Unlocking, keyring: &Keyring) -> Event {
    Event::Unlocked {
        session: unlocking.id(),
        set: set_of(&unlocking.session),
        holders: unlocking.participants(),
        generation: keyring.registry().generation(),
    }
}

pub(super) fn participant(holder: &Holder) -> Participant {
    Participant {
        index: holder.index.get(),
        holder: holder.name.to_string(),
    }
}

pub(super) fn opening_problem(error: OpenError<hsm::HsmError>) -> Problem {
    match error {
        OpenError::Sign(error) => TokenError::Hsm(error).problem(),
        error => Problem::new(ProblemType::HsmUnavailable, error.to_string()),
    }
}

fn refused_problem(refused: &Refused) -> Problem {
    let problem = Problem::new(ProblemType::ShareRefused, refused.to_string());
    with_remedy(problem.with_verdict(refused.as_str()), refused.remedy())
}

fn verdict_problem(verdict: &Verdict) -> Problem {
    let problem = Problem::new(ProblemType::ShareRefused, verdict.to_string());
    with_remedy(problem.with_verdict(verdict.as_str()), verdict.remedy())
}

fn still_sealed(problem: Problem, reason: &str) -> Problem {
    let detail = format!("the share is accepted and kept, but it is still sealed: {reason}");
    let remedy = problem.extension("remedy").cloned();
    let problem = Problem::new(problem.kind(), detail);
    remedy
        .into_iter()
        .fold(problem, |problem, remedy| problem.with("remedy", remedy))
}
