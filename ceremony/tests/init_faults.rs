//! The founding ceremony on SoftHSM2: what goes wrong half way, and what is left then.
#![allow(clippy::unwrap_used)]

mod machine;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ceremony::approval::Approved;
use ceremony::holder::HolderSecrets;
use ceremony::init::{self, Desk, DeskError, Init, KeysAtHand, Purpose, Seat};
use ceremony::plan;
use ceremony::screens::wall_clock;
use ceremony::transcript::StepRecord;
use hsm::HsmClient;
use machine::{Eventful, Machine, holder, plan_text, token_of};
use quorum::Timestamp;
use state::StateDir;

hsm::enable_test_server!();

#[test]
fn a_missing_holder_ends_the_ceremony_and_everything_is_taken_back() {
    let machine = Machine::new(2, 3);
    let mut keys = machine.keys();
    keys.remove(1);
    let mut desk = KeysAtHand::new(keys, wall_clock, |_, _| {});
    let absent = desk.suffices_for(&machine.plan.unlock).unwrap_err();
    assert_eq!(
        absent.to_string(),
        "the key of holder-2 is not among those given"
    );
    let failure = machine.run_at(&mut desk, "a").unwrap_err();
    assert_eq!(failure.to_string(), absent.to_string());
    let aftermath = failure.aftermath();
    assert!(
        aftermath.iter().all(|line| line.starts_with("removed: ")),
        "{aftermath:#?}"
    );
    // One share, the seal key, the node key, and both directories.
    assert_eq!(aftermath.len(), 5, "{aftermath:#?}");
    assert_eq!(
        aftermath
            .iter()
            .filter(|line| line.contains("on the token"))
            .count(),
        2
    );
    machine.assert_clean(&failure, "a");
    machine.run("a").unwrap();
}

#[test]
fn a_share_that_does_not_read_back_ends_the_ceremony() {
    // The plan seals the second holder's share to a key that the second holder does not have.
    let machine = Machine::new(2, 3);
    let good = plan_text(2, &machine.holders, &token_of(&machine.hsm.client()));
    let theirs = machine.holders[1].public().recipient.to_string();
    let text = good.replace(&theirs, &holder("other").public().recipient.to_string());
    let plan = plan::check(&text).unwrap();
    let mut desk = KeysAtHand::new(machine.keys(), wall_clock, |_, _| {});
    let failure = machine.run_plan(&plan, &mut desk, "a").unwrap_err();
    assert_eq!(
        failure.to_string(),
        "share 2 was written, but what was read back does not open"
    );
    let cause = std::error::Error::source(failure.error())
        .unwrap()
        .to_string();
    assert!(
        cause.ends_with("is not sealed to the key of holder-2: it is another holder's share"),
        "{cause}"
    );
    machine.assert_clean(&failure, "a");
}

#[test]
fn the_medium_that_vanishes_half_way_is_named() {
    let machine = Machine::new(2, 3);
    let out = machine.path("a-out");
    let mut desk = Eventful {
        keys: KeysAtHand::new(machine.keys(), wall_clock, |_, _| {}),
        at: 2,
        event: || fs::remove_dir_all(&out).unwrap(),
    };
    let failure = machine.run_at(&mut desk, "a").unwrap_err();
    assert_eq!(failure.to_string(), "a share cannot be written");
    machine.assert_clean(&failure, "a");
}

#[test]
fn an_hsm_that_dies_half_way_is_named_and_what_is_left_on_it_too() {
    let mut machine = Machine::new(2, 2);
    let hsm = machine.hsm.client();
    let (plan, keys) = (machine.plan.clone(), machine.keys());
    let (state_dir, out_dir) = (machine.path("a-state"), machine.path("a-out"));
    let softhsm = &mut machine.hsm;
    let mut desk = Eventful {
        keys: KeysAtHand::new(keys, wall_clock as fn() -> Timestamp, |_, _| {}),
        at: 2,
        event: || softhsm.kill(),
    };
    let init = Init {
        plan: &plan,
        approved: &Approved::by_nobody(),
        purpose: Purpose::Found,
        hsm: &hsm,
        state_dir: &state_dir,
        out_dir: &out_dir,
        tool: "dta test",
    };
    let failure = init::run(init, &mut desk).unwrap_err();
    assert!(
        matches!(failure.error(), init::InitError::Hsm(_)),
        "{failure}"
    );
    let left: Vec<_> = failure
        .aftermath()
        .iter()
        .filter(|line| line.starts_with("left: key dta-"))
        .collect();
    assert_eq!(left.len(), 2, "{:#?}", failure.aftermath());
    machine.hsm.restart();
    machine.run("b").unwrap();
}

/// Kills its own process at a step: a desk for the test below.
struct Deadly {
    keys: KeysAtHand<fn() -> Timestamp>,
    at: u32,
}

impl Desk for Deadly {
    fn now(&self) -> Timestamp {
        self.keys.now()
    }

    fn report(&mut self, step: &StepRecord, _: u32) {
        if step.number == self.at {
            let this = rustix::process::getpid();
            rustix::process::kill_process(this, rustix::process::Signal::KILL).unwrap();
        }
    }

    fn call(&mut self, seat: Seat<'_>) -> Result<HolderSecrets, DeskError> {
        self.keys.call(seat)
    }

    fn thank(&mut self, _: Seat<'_>) {}
}

const KILL_AT: &str = "DTA_CEREMONY_TEST_KILL_AT";
const KILL_IN: &str = "DTA_CEREMONY_TEST_KILL_IN";
const KILL_SOCKET: &str = "DTA_CEREMONY_TEST_KILL_SOCKET";

/// Not a test of its own: the process that the next test kills.
#[test]
fn a_ceremony_to_be_killed() {
    let Some(at) = std::env::var_os(KILL_AT) else {
        return;
    };
    let dir = PathBuf::from(std::env::var_os(KILL_IN).unwrap());
    let hsm = HsmClient::connect(Path::new(&std::env::var_os(KILL_SOCKET).unwrap())).unwrap();
    let holders = [holder("holder-1"), holder("holder-2")];
    let plan = plan::check(&plan_text(2, &holders, &token_of(&hsm))).unwrap();
    let keys = KeysAtHand::new(
        Vec::from(holders),
        wall_clock as fn() -> Timestamp,
        |_, _| {},
    );
    let mut desk = Deadly {
        keys,
        at: at.to_str().unwrap().parse().unwrap(),
    };
    let (state_dir, out_dir) = (dir.join("a-state"), dir.join("a-out"));
    let init = Init {
        plan: &plan,
        approved: &Approved::by_nobody(),
        purpose: Purpose::Found,
        hsm: &hsm,
        state_dir: &state_dir,
        out_dir: &out_dir,
        tool: "dta test",
    };
    init::run(init, &mut desk).unwrap();
}

#[test]
fn killed_at_any_step_there_is_no_d_ta_or_a_whole_one_and_a_fresh_run_works() {
    let machine = Machine::new(2, 2);
    const LAST: u32 = 17;
    for at in 1..=LAST {
        let dir = tempfile::tempdir().unwrap();
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["a_ceremony_to_be_killed", "--exact", "--test-threads=1"])
            .env(KILL_AT, at.to_string())
            .env(KILL_IN, dir.path())
            .env(KILL_SOCKET, machine.hsm.socket())
            .output()
            .unwrap()
            .status;
        assert!(!status.success(), "step {at} was not reached");
        let state = dir.path().join("a-state");
        match StateDir::open(&state) {
            Ok(_) => assert_eq!(at, LAST, "a D-TA exists before the last step"),
            Err(error) => {
                assert!(
                    error.to_string().starts_with("there is no state.db in"),
                    "{error}"
                );
                assert_ne!(at, LAST);
            }
        }
        // The same directories: refused as soon as they hold anything, untouched otherwise.
        let (hsm, out) = (machine.hsm.client(), dir.path().join("a-out"));
        let init = Init {
            plan: &machine.plan,
            approved: &Approved::by_nobody(),
            purpose: Purpose::Found,
            hsm: &hsm,
            state_dir: &state,
            out_dir: &out,
            tool: "dta test",
        };
        let again = init::run(
            init,
            &mut KeysAtHand::new(machine.keys(), wall_clock, |_, _| {}),
        );
        let first_share_written = 12;
        if at < first_share_written {
            again.unwrap();
        } else {
            let error = again.unwrap_err();
            assert!(
                error.error().remedy().unwrap().contains("killed half way"),
                "{error}"
            );
        }
    }
    machine.run("fresh").unwrap();
}
