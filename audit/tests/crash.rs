//! `kill -9` in the middle of appends and checkpoints: every acknowledged entry is there.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use audit::{Event, Log, Options, VerifyOptions, verify};
use common::*;

/// The variable that makes [`child`] run, with the log's directory.
const CHILD: &str = "DTA_TEST_AUDIT_CRASH";

/// Runs only in a child process: appends and signs until it is killed, and says what is durable.
#[test]
fn child() {
    let Some(directory) = std::env::var_os(CHILD) else {
        return;
    };
    let place = Place::new();
    let options = Options {
        reserve_bytes: 4096,
        ..Options::default()
    };
    let (log, recovered) = Log::open(Path::new(&directory), &place.node.key, options).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            loop {
                log.checkpoint(|text| place.node.sign(text)).unwrap();
            }
        });
        for writer in 0..4 {
            let log = &log;
            scope.spawn(move || {
                for number in 0.. {
                    let number = recovered_number(recovered.size, writer, number);
                    let receipt = log.append_blocking(client_share(number)).unwrap();
                    println!("> {} {number} <", receipt.index);
                }
            });
        }
    });
}

/// A number that no other writer and no other round uses.
fn recovered_number(size: u64, writer: u64, number: u64) -> u64 {
    size * 100_000 + writer * 25_000 + number
}

/// Lets the child run for a while, kills it, and returns what it acknowledged.
fn run_and_kill(directory: &Path, after: Duration) -> BTreeMap<u64, u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(CHILD, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let killer = std::thread::spawn(move || {
        std::thread::sleep(after);
        child.kill().unwrap();
        child.wait().unwrap();
    });
    let mut acknowledged = BTreeMap::new();
    for line in output.lines() {
        // A line is believed only if it was written whole.
        let line = line.unwrap();
        let Some((_, rest)) = line.split_once("> ") else {
            continue;
        };
        let Some((index, number)) = rest
            .strip_suffix(" <")
            .and_then(|rest| rest.split_once(' '))
        else {
            continue;
        };
        acknowledged.insert(index.parse().unwrap(), number.parse().unwrap());
    }
    killer.join().unwrap();
    acknowledged
}

#[test]
fn no_acknowledged_entry_is_lost_when_the_process_is_killed() {
    let rounds = count(50, 1000);
    let mut total = 0;
    let mut place = Place::new();
    drop(place.create());
    for round in 0..rounds {
        // A fresh log now and then, so that reading it stays quick.
        if round % 25 == 24 {
            place = Place::new();
            drop(place.create());
        }
        let mut random = [0; 1];
        getrandom::fill(&mut random).unwrap();
        let after = Duration::from_millis(10 + u64::from(random[0] / 4));
        let acknowledged = run_and_kill(&place.dir(), after);
        total += acknowledged.len();

        let (log, recovered) = place.open().unwrap();
        drop(log);
        let report = verify(&place.dir(), &place.node.key, VerifyOptions::default()).unwrap();
        let repair_entry = u64::from(recovered.repaired.is_some());
        assert_eq!(report.size, recovered.size + repair_entry, "round {round}");
        let shown = entries(&place.dir());
        for (index, number) in acknowledged {
            let Event::ClientShare { request, .. } = &shown[usize::try_from(index).unwrap()].event
            else {
                panic!("round {round}: entry {index} is another one");
            };
            assert_eq!(
                request.nonce,
                format!("nonce-{number:010}"),
                "round {round}"
            );
        }
    }
    assert!(total > rounds, "only {total} entries in {rounds} rounds");
}
