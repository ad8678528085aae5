//! What happens by the clock, beside all requests: checkpoints, expiring sessions, counted refusals; and
//! the last of each at the end.

use std::sync::Arc;
use std::time::Duration;

use audit::{CheckpointError, Event, Log};
use tokio::time::{MissedTickBehavior, interval};

use super::desk::Desk;
use super::issuer::Issuer;
use super::token::Token;
use crate::service::process::{Shutdown, causes};

/// How often it looks whether a checkpoint is due; the log itself says when one is.
const CHECKPOINT_TICK: Duration = Duration::from_millis(250);
/// How often it looks whether a session has expired.
const DESK_TICK: Duration = Duration::from_secs(1);
/// How often finished minutes of refusals are logged; no flood makes it more often.
const REFUSALS_TICK: Duration = Duration::from_secs(60);

/// What is looked after.
#[derive(Clone)]
pub(super) struct Upkeep {
    pub(super) log: Arc<Log>,
    /// A connection of its own: a checkpoint does not wait for an operation at the desk.
    pub(super) token: Token,
    pub(super) desk: Arc<Desk>,
    pub(super) issuer: Arc<Issuer>,
}

impl Upkeep {
    /// Runs until shutdown is requested.
    pub(super) async fn run(self, shutdown: Shutdown) {
        tokio::select! {
            () = self.checkpoints() => {}
            () = self.look_at_desk() => {}
            () = self.refusals() => {}
            () = shutdown.requested() => {}
        }
    }

    /// The end: secrets wiped, the last entries written and, if the HSM answers, signed. Blocks.
    pub(super) fn finish(&self) {
        self.desk.close();
        for event in self.issuer.last_refusals() {
            self.log_last(event);
        }
        self.log_last(Event::Stop {
            reason: "signal".to_owned(),
        });
        if let Err(error) = self.checkpoint() {
            tracing::warn!(
                error = causes(&error),
                "the last entries are not under a checkpoint"
            );
        }
    }

    fn log_last(&self, event: Event) {
        if let Err(error) = self.log.append_blocking(event) {
            tracing::error!(%error, "the log did not take one of the last entries");
        }
    }

    async fn checkpoints(&self) {
        let mut ticks = interval(CHECKPOINT_TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            ticks.tick().await;
            if self.log.checkpoint_due().is_none() {
                continue;
            }
            match in_background(self.clone(), |this| this.checkpoint()).await {
                Some(Err(error)) if !failing => {
                    failing = true;
                    let error = causes(&error);
                    tracing::warn!(error, "no checkpoint was made");
                }
                Some(Ok(())) if failing => {
                    failing = false;
                    tracing::info!("checkpoints are made again");
                }
                Some(_) | None => {}
            }
        }
    }

    async fn look_at_desk(&self) {
        let mut ticks = interval(DESK_TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            in_background(self.clone(), |this| this.desk.tick()).await;
        }
    }

    async fn refusals(&self) {
        let mut ticks = interval(REFUSALS_TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.issuer.log_refusals().await;
        }
    }

    fn checkpoint(&self) -> Result<(), CheckpointError> {
        self.log
            .checkpoint(|message| self.token.sign(message))
            .map(drop)
    }
}

/// Runs what waits for disk or HSM on a thread that may block; `None` if it panicked.
async fn in_background<T: Send + 'static>(
    upkeep: Upkeep,
    work: impl FnOnce(&Upkeep) -> T + Send + 'static,
) -> Option<T> {
    let done = tokio::task::spawn_blocking(move || work(&upkeep)).await;
    done.inspect_err(|panic| tracing::error!(%panic, "upkeep failed within"))
        .ok()
}
