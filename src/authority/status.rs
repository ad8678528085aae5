//! `dta status`: what stands on the board, and what HSM and log say at this moment.
//!
//! Nothing here waits for the desk, where an operation may be waiting for a slow HSM.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use audit::{Log, LogState};
use ceremony::session::UnlockSession;
use quorum::ManifestChain;
use wire::operator::{
    AcceptedShare, AuditReport, AuditState, AuthorityState, HsmState, SessionReport, SetReport,
    StatusReport,
};

use super::phase::Phase;
use super::token::Token;

/// What the desk last wrote down.
#[derive(Clone, Debug)]
struct Board {
    state: AuthorityState,
    accepted: Vec<AcceptedShare>,
    session: Option<(SessionReport, Instant)>,
}

/// Where a status comes from.
pub(super) struct StatusSource {
    chain: Mutex<ManifestChain>,
    token: Token,
    log: Arc<Log>,
    board: Mutex<Board>,
}

impl StatusSource {
    /// The status of an authority that has just started.
    pub(super) fn new(chain: ManifestChain, token: Token, log: Arc<Log>) -> Self {
        let state = AuthorityState::Sealed;
        let board = Mutex::new(Board {
            state,
            accepted: Vec::new(),
            session: None,
        });
        Self {
            chain: Mutex::new(chain),
            token,
            log,
            board,
        }
    }

    /// The status now. Asks the HSM, for some seconds at most.
    pub(super) fn report(&self) -> StatusReport {
        let chain = self.chain().clone();
        match self.token.check_key(&chain) {
            Ok(_) => self.with_hsm(HsmState::Ready, None),
            Err(error) => self.with_hsm(HsmState::Unavailable, Some(error.to_string())),
        }
    }

    fn with_hsm(&self, hsm: HsmState, hsm_reason: Option<String>) -> StatusReport {
        let chain = self.chain().clone();
        let unlock = &chain.current().unlock;
        let Board {
            state,
            accepted,
            session,
        } = self.board().clone();
        StatusReport {
            state,
            set: SetReport {
                id: unlock.set_id().to_string(),
                epoch: unlock.epoch().number(),
                m: unlock.threshold().m(),
                n: unlock.threshold().n(),
            },
            accepted,
            session: session.map(|(report, deadline)| SessionReport {
                left: deadline.saturating_duration_since(Instant::now()).as_secs(),
                ..report
            }),
            hsm,
            hsm_reason,
            audit: describe_log(&self.log),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// Writes down where the authority stands now.
    pub(super) fn note(&self, phase: &Phase) {
        let (accepted, session) = match phase {
            Phase::Unlocking(unlocking) => describe_session(&unlocking.session),
            Phase::Sealed(_) | Phase::Unlocked(_) | Phase::Stopping => (Vec::new(), None),
        };
        *self.board() = Board {
            state: phase.state(),
            accepted,
            session,
        };
    }

    /// Goes over to the manifests after a reshare.
    pub(super) fn go_over(&self, chain: ManifestChain) {
        *self.chain() = chain;
    }

    fn chain(&self) -> MutexGuard<'_, ManifestChain> {
        // It is replaced as a whole, too.
        self.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        // The board is replaced as a whole, so it is whole whatever panicked.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn describe_log(log: &Log) -> AuditReport {
    let (state, reason) = match log.state() {
        LogState::Good => (AuditState::Ready, None),
        trouble @ (LogState::ClockFault | LogState::DiskFull | LogState::Failed) => {
            (AuditState::Blocked, Some(trouble.as_str().to_owned()))
        }
    };
    let size = log.statistics().entries;
    AuditReport {
        size,
        state,
        reason,
    }
}

/// Whose shares are there, and the session with its deadline by the monotonic clock.
fn describe_session(
    session: &UnlockSession,
) -> (Vec<AcceptedShare>, Option<(SessionReport, Instant)>) {
    let accepted = session.accepted().map(|holder| AcceptedShare {
        index: holder.index.get(),
        holder: holder.name.to_string(),
    });
    let document = &session.document().session;
    let report = SessionReport {
        id: document.session.to_string(),
        expires: document.expires.unix_seconds(),
        left: 0,
    };
    (accepted.collect(), Some((report, session.deadline())))
}
