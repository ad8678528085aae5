//! A process killed at any moment leaves the old content or the new.
//!
//! The child is this test binary, started again with only the test [`child`]; SIGKILL hits it after a
//! random delay. 50 rounds, 1,000 with `DTA_TEST_LONG` set.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::testing::{World, customer, now, signing_key};
use crate::{StateDir, StateError};

const CHILD_JOB: &str = "DTA_STATE_TEST_CHILD";
const CHILD_DIRECTORY: &str = "DTA_STATE_TEST_DIRECTORY";

fn rounds() -> usize {
    if std::env::var_os("DTA_TEST_LONG").is_some() {
        1000
    } else {
        50
    }
}

/// Not a test of its own: what the parent kills. Says on standard output what it has finished.
#[test]
fn child() {
    let Some(job) = std::env::var_os(CHILD_JOB) else {
        return;
    };
    let directory = std::path::PathBuf::from(std::env::var_os(CHILD_DIRECTORY).unwrap());
    let world: World =
        serde_json::from_slice(&fs::read(directory.join("world.json")).unwrap()).unwrap();
    let path = directory.join("dta");
    say("start");
    if job == "genesis" {
        world.create(&path).unwrap();
        say("generation 0");
        return;
    }
    if job == "reshare" {
        let next: World =
            serde_json::from_slice(&fs::read(directory.join("next.json")).unwrap()).unwrap();
        let mut state = StateDir::open(&path).unwrap();
        let generation = world.reshare(&mut state, &next).unwrap().generation;
        say(&format!("generation {generation}"));
        return;
    }
    let key = world.key();
    let mut state = StateDir::open(&path).unwrap();
    let bank = "bank".parse().unwrap();
    let first = state.generation().unwrap();
    for number in first.. {
        let new = signing_key(u32::try_from(number).unwrap());
        let generation = state
            .add_signing_key(&key, &bank, new, now())
            .unwrap()
            .generation;
        say(&format!("generation {generation}"));
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").unwrap();
    out.flush().unwrap();
}

fn start(job: &str, directory: &Path) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "kill_tests::child",
            "--exact",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(CHILD_JOB, job)
        .env(CHILD_DIRECTORY, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.ends_with("start\n") {
        line.clear();
        assert!(
            lines.read_line(&mut line).unwrap() > 0,
            "the child never started"
        );
    }
    (child, lines)
}

/// Kills the child and gives the last generation it reported.
fn kill(mut child: Child, lines: BufReader<std::process::ChildStdout>) -> Option<u64> {
    child.kill().unwrap();
    child.wait().unwrap();
    let reported = lines.lines().map_while(Result::ok);
    // A line that was cut in two has no digits after the word.
    reported
        .filter_map(|line| line.strip_prefix("generation ")?.parse().ok())
        .last()
}

fn random_delay(at_most: Duration) -> Duration {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).unwrap();
    at_most.mul_f64(f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX))
}

fn directory_with(world: &World) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(
        directory.path().join("world.json"),
        serde_json::to_vec(world).unwrap(),
    )
    .unwrap();
    directory
}

#[test]
fn a_genesis_killed_at_any_moment_is_not_done_or_done() {
    let world = World::new();
    let whole = Instant::now();
    world
        .create(&directory_with(&world).path().join("dta"))
        .unwrap();
    let at_most = whole.elapsed() * 3 / 2;
    let (mut not_done, mut done) = (0, 0);
    for round in 0..rounds() {
        let directory = directory_with(&world);
        let (child, lines) = start("genesis", directory.path());
        std::thread::sleep(random_delay(at_most));
        let reported = kill(child, lines);
        let path = directory.path().join("dta");
        match StateDir::open(&path) {
            Ok(state) => {
                done += 1;
                assert_eq!(
                    state.unlock(&world.key()).unwrap().generation(),
                    0,
                    "round {round}"
                );
                state.log_key(&world.key()).unwrap();
            }
            Err(StateError::Missing { .. }) => {
                not_done += 1;
                assert_eq!(reported, None, "round {round}: it was done and is gone");
                let state = world.create(&path).unwrap();
                state.unlock(&world.key()).unwrap();
            }
            Err(error) => panic!("round {round}: {error}"),
        }
    }
    assert_eq!(not_done + done, rounds());
}

#[test]
fn a_change_killed_at_any_moment_is_not_done_or_done_and_none_that_returned_is_lost() {
    let world = World::new();
    let directory = directory_with(&world);
    let path = directory.path().join("dta");
    let mut state = world.create(&path).unwrap();
    state.add_customer(&world.key(), customer("bank")).unwrap();
    drop(state);
    let mut before = 1;
    for round in 0..rounds() {
        let (child, lines) = start("change", directory.path());
        std::thread::sleep(random_delay(Duration::from_millis(30)));
        let reported = kill(child, lines).unwrap_or(before);
        let state = StateDir::open(&path).unwrap();
        let registry = state.unlock(&world.key()).unwrap();
        let found = registry.generation();
        assert!(
            found == reported || found == reported + 1,
            "round {round}: generation {reported} was reported, {found} found"
        );
        assert_eq!(
            registry.signing_keys().count() as u64 + 1,
            found,
            "round {round}"
        );
        before = found;
    }
    assert!(before > 1, "no change was ever made");
}

#[test]
fn a_reshare_killed_at_any_moment_is_not_done_or_done_and_one_epoch_always_opens() {
    let world = World::new();
    let whole = Instant::now();
    let (mut not_done, mut done) = (0, 0);
    let mut at_most = Duration::from_millis(50);
    for round in 0..rounds() {
        let directory = directory_with(&world);
        let path = directory.path().join("dta");
        let mut state = world.create(&path).unwrap();
        for name in ["bank", "shop"] {
            state.add_customer(&world.key(), customer(name)).unwrap();
        }
        drop(state);
        let next = world.next();
        let json = serde_json::to_vec(&next).unwrap();
        fs::write(directory.path().join("next.json"), json).unwrap();
        let (child, lines) = start("reshare", directory.path());
        std::thread::sleep(random_delay(at_most));
        let reported = kill(child, lines);

        let state = StateDir::open(&path).unwrap();
        let epoch = state.chain().current().unlock.epoch().number();
        let (opens, closed) = match epoch {
            1 => (world.key(), world.key_of(&next)),
            _ => (world.key_of(&next), world.key()),
        };
        let registry = state.unlock(&opens).unwrap();
        assert_eq!(registry.master_keys().count(), 2, "round {round}");
        for master in registry.master_keys() {
            opens.open_master(master).unwrap();
            closed.open_master(master).unwrap_err();
        }
        state.log_key(&opens).unwrap();
        assert!(state.unlock(&closed).is_err(), "round {round}");
        if epoch == 1 {
            not_done += 1;
            assert_eq!(reported, None, "round {round}: it was done and is gone");
        } else {
            done += 1;
            // Most of the time is the child's start; look where it matters.
            at_most = at_most.min(whole.elapsed()).max(Duration::from_millis(5)) * 9 / 10;
        }
    }
    assert_eq!(not_done + done, rounds());
}
