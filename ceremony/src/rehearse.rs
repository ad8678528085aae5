//! A rehearsal: the founding ceremony for a plan on a throw-away token, and a drill with what came of it.
//!
//! The caller brings the token and a directory that vanishes; this module brings throw-away keys for the holders whose keys are
//! not at hand. The transcript of it says that it was a rehearsal, so it proves nothing afterwards.

use std::path::{Path, PathBuf};

use hsm::HsmClient;
use quorum::{Collector, ShareIndex, Timestamp};
use state::{SealContext, SealingKey, StateDir, open_k_hsm};

use crate::approval::Approved;
use crate::holder::{HolderSecrets, HolderSecretsError};
use crate::init::{self, Desk, DeskError, GenesisError, Init, InitError, Purpose, Seat, Step};
use crate::plan::{Plan, PlannedHolder};
use crate::sharefile::{self, ShareFileName};
use crate::transcript::StepRecord;

/// The two steps of the drill, after those of the ceremony.
pub const DRILL: [Step<'static>; 2] = [Step::DrillShares, Step::DrillOpen];

/// What a rehearsal is held with.
pub struct Rehearsal<'a> {
    /// The very plan.
    pub plan: &'a Plan,
    /// A client of a `dta hsm` with a throw-away token that has the plan's label.
    pub hsm: &'a HsmClient,
    /// A directory that is removed afterwards.
    pub directory: &'a Path,
    /// Keys of holders who rehearse with their own; the others get throw-away keys.
    pub keys: Vec<HolderSecrets>,
    /// The program and its version.
    pub tool: &'a str,
    /// What the screen does.
    pub screen: Screen,
}

/// The screen of a rehearsal.
#[derive(Clone, Copy)]
pub struct Screen {
    /// The machine's clock.
    pub now: fn() -> Timestamp,
    /// A step is done.
    pub report: fn(&StepRecord, u32),
    /// It is the turn of this holder.
    pub turn: fn(Seat<'_>),
}

/// Rehearses: every step of the ceremony, then a drill in which M holders open what was made.
///
/// # Errors
/// What would have stopped the ceremony.
pub fn rehearse(rehearsal: Rehearsal<'_>) -> Result<(), InitError> {
    let Rehearsal {
        plan,
        hsm,
        directory,
        tool,
        screen,
        ..
    } = rehearsal;
    let keys = complete(plan, rehearsal.keys)?;
    let mut rehearsed = plan.clone();
    rehearsed.unlock.holders = keys.iter().map(PlannedHolder::of).collect();
    let total = init::sequence(plan).len() + DRILL.len();
    let mut desk = RehearsalDesk {
        keys: &keys,
        screen,
        total: u32::try_from(total).unwrap_or(u32::MAX),
        done: 0,
    };
    let (state_dir, out_dir) = (directory.join("state"), directory.join("ceremony"));
    let order = Init {
        plan: &rehearsed,
        approved: &Approved::by_nobody(),
        purpose: Purpose::Rehearse,
        hsm,
        state_dir: &state_dir,
        out_dir: &out_dir,
        tool,
    };
    let report = init::run(order, &mut desk).map_err(init::InitFailure::into_error)?;
    drill(&rehearsed, &mut desk, (hsm, &state_dir, &report.shares))
}

/// A key for each holder of the plan, in the order of the roster: the holder's own, or a throw-away one.
fn complete(
    plan: &Plan,
    mut own: Vec<HolderSecrets>,
) -> Result<Vec<HolderSecrets>, HolderSecretsError> {
    let holders = plan.unlock.holders.iter();
    holders
        .map(|holder| {
            match own
                .iter()
                .position(|key| key.public().sign_key == holder.sign_key)
            {
                Some(at) => Ok(own.swap_remove(at)),
                None => HolderSecrets::generate(&holder.name),
            }
        })
        .collect()
}

/// M holders open the state directory as after a restart.
fn drill(
    plan: &Plan,
    desk: &mut RehearsalDesk<'_>,
    (hsm, state_dir, shares): (&HsmClient, &Path, &[PathBuf]),
) -> Result<(), InitError> {
    let state = StateDir::open(state_dir)?;
    let chain = state.chain();
    let mut collector = Collector::new(chain);
    let needed = usize::from(plan.unlock.threshold.m());
    // The last M holders: a drill that always uses the first would never miss the others.
    let indexes: Vec<_> = plan.unlock.threshold.indexes().collect();
    for (index, key) in indexes.iter().zip(desk.keys).rev().take(needed) {
        let opened = sharefile::open(share_of(*index, shares)?, key)?;
        let index = opened.share().index();
        let verdict = collector.offer(index, opened.encoded());
        if !verdict.is_accepted() {
            return Err(GenesisError::Refused {
                index,
                verdict: verdict.to_string(),
            }
            .into());
        }
    }
    desk.drilled(plan, &DRILL[0]);
    let secret = collector.combine().map_err(GenesisError::from)?;
    let context = SealContext::of(chain);
    let wrap = state.wraps().first().ok_or(InitError::NoWrap)?;
    let k_hsm = open_k_hsm(hsm, wrap, &context, &chain.current().check_value)?;
    let set_id = chain.current().unlock.set_id();
    let key = SealingKey::derive(&k_hsm, &secret.k_quorum(&set_id), context)?;
    state.unlock(&key)?;
    desk.drilled(plan, &DRILL[1]);
    Ok(())
}

/// The first copy of a share among the files that were written.
fn share_of(index: ShareIndex, shares: &[PathBuf]) -> Result<&Path, InitError> {
    let is_it = |path: &&PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.and_then(|name| name.parse::<ShareFileName>().ok())
            .is_some_and(|name| name.index == index && name.copy == 1)
    };
    shares
        .iter()
        .find(is_it)
        .map(PathBuf::as_path)
        .ok_or(InitError::NoSuchShare(index))
}

struct RehearsalDesk<'a> {
    keys: &'a [HolderSecrets],
    screen: Screen,
    total: u32,
    done: u32,
}

impl RehearsalDesk<'_> {
    fn drilled(&mut self, plan: &Plan, step: &Step<'_>) {
        let record = StepRecord {
            number: self.done + 1,
            step: step.name().to_owned(),
            detail: step.line(plan),
            time: self.now(),
        };
        self.report(&record, self.total);
    }
}

impl Desk for RehearsalDesk<'_> {
    fn now(&self) -> Timestamp {
        (self.screen.now)()
    }

    fn report(&mut self, step: &StepRecord, _: u32) {
        self.done = step.number;
        (self.screen.report)(step, self.total);
    }

    fn call(&mut self, seat: Seat<'_>) -> Result<HolderSecrets, DeskError> {
        (self.screen.turn)(seat);
        self.keys
            .iter()
            .find(|key| key.public().sign_key == seat.holder.sign_key)
            .map(HolderSecrets::twin)
            .ok_or_else(|| DeskError::Absent(seat.holder.name.clone()))
    }

    fn thank(&mut self, _: Seat<'_>) {}
}
