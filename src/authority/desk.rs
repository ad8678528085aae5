//! The operator's desk: one operation after another, the only writer of the state directory.
//!
//! Every step is logged before it is answered. Here are the dispatch and the way back to sealed; sessions and
//! shares are in `sessions`, customers in `customers`. Operations wait for disk and HSM and belong on a
//! blocking thread.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use audit::{Event, Log};
use quorum::NodeKey;
use serde::Serialize;
use serde_json::Value;
use state::StateDir;
use tokio::sync::watch;
use wire::Problem;
use wire::operator::{ManifestChainReply, Op, StatusReport};

use super::issuer::audit_unavailable;
use super::keyring::Keyring;
use super::phase::{Phase, Sealed};
use super::reshare::Resharing;
use super::status::StatusSource;
use super::token::Token;
use super::vault::Vault;
use crate::service::link::{PublicKeyRow, Snapshot};

/// What the desk works with.
pub(super) struct Equipment {
    pub(super) token: Token,
    pub(super) node: NodeKey,
    pub(super) log: Arc<Log>,
    pub(super) vault: Arc<Vault>,
    pub(super) status: Arc<StatusSource>,
    pub(super) snapshots: watch::Sender<Arc<Snapshot>>,
    pub(super) public_authority: String,
    pub(super) session_time: Duration,
    pub(super) digests: Digests,
}

/// How long an HSM that did not destroy a key is left alone.
pub(super) const RETIRE_PAUSE: Duration = Duration::from_secs(30);

/// What the process says of itself: SHA-256 of binary and configuration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digests {
    pub(super) binary: [u8; 32],
    pub(super) config: [u8; 32],
}

/// The desk. One operation at a time.
pub(super) struct Desk {
    pub(super) equipment: Equipment,
    papers: Mutex<Papers>,
}

/// What lies on the desk.
pub(super) struct Papers {
    pub(super) state: StateDir,
    pub(super) phase: Phase,
    /// Events of a change that is durable in the state directory and could not be logged yet. At most
    /// one change: the next one is not made before they are.
    pub(super) unlogged: Vec<Event>,
    /// The generation of a change that an earlier process made and did not log; it is logged once its
    /// MACs are checked.
    pub(super) recovered: Option<u64>,
    /// A reshare that waits for its holders; only while unlocked.
    pub(super) resharing: Option<Box<Resharing>>,
    /// When to look again for seal keys that must not exist any more.
    pub(super) retire_again: Option<Instant>,
}

impl Desk {
    /// A desk in front of a sealed authority, with the generation of a change that is not logged.
    pub(super) fn new(equipment: Equipment, state: StateDir, recovered: Option<u64>) -> Self {
        let phase = Phase::Sealed(Sealed);
        Self {
            equipment,
            papers: Mutex::new(Papers {
                state,
                phase,
                unlogged: Vec::new(),
                recovered,
                resharing: None,
                // A reshare may have been cut short by the end of the process before.
                retire_again: Some(Instant::now()),
            }),
        }
    }

    /// Performs an operation for the user `uid`.
    ///
    /// # Errors
    /// The problem, as it goes to the operator.
    pub(super) fn perform(&self, op: Op, uid: u32) -> Result<Value, Problem> {
        if matches!(op, Op::Lock {}) {
            // Whoever locks in haste does not wait for an operation that waits for a slow HSM.
            self.equipment.vault.seal();
        }
        let mut papers = self.papers();
        self.expire(&mut papers);
        match op {
            Op::Status {} => Ok(json(&self.equipment.status.report())),
            Op::ManifestChain {} => Ok(json(&manifest_chain(&papers.state))),
            Op::SessionOpen { purpose, minutes } => self
                .open_session(&mut papers, &purpose, minutes)
                .map(|reply| json(&reply)),
            Op::SessionClose {} => self.close_session(&mut papers).map(|reply| json(&reply)),
            Op::SessionGet {} => self.get_session(&mut papers).map(|reply| json(&reply)),
            Op::ShareSubmit { session, envelope } => self
                .submit(&mut papers, &session, &envelope)
                .map(|reply| json(&reply)),
            Op::Lock {} => Ok(json(&self.lock(&mut papers, uid))),
            op @ (Op::ReshareOpen { .. }
            | Op::ReshareConsent { .. }
            | Op::ReshareConfirm { .. }
            | Op::ReshareWaive { .. }
            | Op::ReshareCommit {}
            | Op::ReshareAbort {}) => self.reshare(&mut papers, op, uid),
            op => self.manage_customers(&mut papers, op, uid),
        }
    }

    /// Ends a session whose time is over, and destroys what a reshare left to be destroyed.
    pub(super) fn tick(&self) {
        let mut papers = self.papers();
        self.expire(&mut papers);
        let due = |time: &Instant| *time <= Instant::now();
        // While a reshare is open its new key is there by right.
        if papers.retire_again.as_ref().is_some_and(due) && papers.resharing.is_none() {
            self.retire_keys(&mut papers);
        }
    }

    /// Wipes everything and closes the desk, for the end of the process.
    pub(super) fn close(&self) {
        let mut papers = self.papers();
        self.seal(&mut papers, "stop", None);
        papers.phase = Phase::Stopping;
        if let Err(problem) = self.log_rest(&mut papers) {
            tracing::error!(%problem, "the last change is not logged; the next start will say so");
        }
    }

    fn lock(&self, papers: &mut Papers, uid: u32) -> StatusReport {
        self.seal(papers, "operator", Some(uid));
        self.equipment.status.report()
    }

    /// Wipes first and logs afterwards: a log that cannot be written must not keep secrets open.
    pub(super) fn seal(&self, papers: &mut Papers, reason: &str, operator: Option<u32>) {
        self.equipment.vault.seal();
        let resharing = papers.resharing.take();
        let event = match &papers.phase {
            Phase::Sealed(_) | Phase::Stopping => return,
            Phase::Unlocked(_) => Event::Locked {
                reason: reason.to_owned(),
                operator,
            },
            Phase::Unlocking(unlocking) => Event::SessionClosed {
                session: unlocking.id(),
                reason: if operator.is_some() { "locked" } else { reason }.to_owned(),
            },
        };
        papers.phase = Phase::Sealed(Sealed);
        self.note(&papers.phase);
        self.publish();
        tracing::info!(reason, "sealed");
        if let Err(error) = self.equipment.log.append_blocking(event) {
            tracing::error!(%error, "the secrets are wiped, but the log did not take the entry");
        }
        if let Some(resharing) = resharing {
            self.close_reshare(
                papers,
                *resharing,
                if operator.is_some() { "locked" } else { reason },
            );
        }
    }

    fn expire(&self, papers: &mut Papers) {
        if let Some(over) = papers.resharing.take_if(|resharing| resharing.expire()) {
            self.close_reshare(papers, *over, "expired");
        }
        let Phase::Unlocking(unlocking) = &mut papers.phase else {
            return;
        };
        if !unlocking.session.expire(Instant::now()) {
            return;
        }
        let event = Event::SessionClosed {
            session: unlocking.id(),
            reason: "expired".to_owned(),
        };
        papers.phase = Phase::Sealed(Sealed);
        self.note(&papers.phase);
        tracing::info!("the unlock session expired; the shares it held are wiped");
        if let Err(error) = self.equipment.log.append_blocking(event) {
            tracing::error!(%error, "the log did not take the end of the session");
        }
    }

    /// Makes an event durable before whatever follows.
    pub(super) fn log(&self, event: Event) -> Result<(), Problem> {
        self.equipment
            .log
            .append_blocking(event)
            .map(drop)
            .map_err(audit_unavailable)
    }

    /// Writes down where the authority stands, for the status.
    pub(super) fn note(&self, phase: &Phase) {
        self.equipment.status.note(phase);
    }

    /// Tells the proxies what they need to know now.
    pub(super) fn publish(&self) {
        let rows = |keyring: &Keyring| {
            keyring
                .verifying_keys()
                .map(|key| PublicKeyRow { pem: key.to_pem() })
                .collect()
        };
        let keys = self.equipment.vault.with(rows).ok();
        let before = Snapshot::clone(&self.equipment.snapshots.borrow());
        self.equipment
            .snapshots
            .send_replace(Arc::new(Snapshot { keys, ..before }));
    }

    /// Everything on the desk is valid between two operations, whatever panicked within one.
    pub(super) fn papers(&self) -> MutexGuard<'_, Papers> {
        self.papers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn manifest_chain(state: &StateDir) -> ManifestChainReply {
    ManifestChainReply {
        chain: state.chain().manifests().iter().map(json).collect(),
    }
}

/// The replies on this socket are plain JSON by their types.
pub(super) fn json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("replies have string keys and no floats")
}

#[cfg(test)]
#[path = "desk_tests.rs"]
mod tests;
