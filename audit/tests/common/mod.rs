//! What the tests of the log share: a signing key, a log in a temporary directory, a clock to turn.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use audit::{
    Clock, CustomerChange, Event, Hex, Log, OpenError, Options, Origin, Reading, Recovered,
    Request, Timestamp, VerifierKey,
};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use tempfile::TempDir;

/// 2026-11-20T18:48:00.123Z.
pub const NOON: u64 = 1_795_200_480_123;

/// Whether the long counts are wanted.
pub fn count(short: usize, long: usize) -> usize {
    if std::env::var_os("DTA_TEST_LONG").is_some() {
        long
    } else {
        short
    }
}

/// A node key in software.
pub struct Node {
    pair: Ed25519KeyPair,
    pub key: VerifierKey,
}

impl Node {
    pub fn new(authority: u8) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[authority; 32]).unwrap();
        let public_key = pair.public_key().as_ref().try_into().unwrap();
        let key = VerifierKey::ed25519(Origin::of_authority(&[authority; 32]), public_key);
        Self { pair, key }
    }

    pub fn sign(&self, text: &[u8]) -> Result<Vec<u8>, Infallible> {
        Ok(self.pair.sign(text).as_ref().to_vec())
    }
}

/// A log's place on the disk, and how it is opened.
pub struct Place {
    pub root: TempDir,
    pub node: Node,
    pub options: Options,
}

impl Place {
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("anchor")).unwrap();
        let options = Options {
            reserve_bytes: 4096,
            ..Options::default()
        };
        Self {
            root,
            node: Node::new(7),
            options,
        }
    }

    pub fn with_anchor() -> Self {
        let mut place = Self::new();
        place.options.anchor_dir = Some(place.root.path().join("anchor"));
        place
    }

    pub fn dir(&self) -> PathBuf {
        self.root.path().join("audit")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    /// The copy of the checkpoint in the anchor directory.
    pub fn anchored(&self) -> PathBuf {
        let mut files = fs::read_dir(self.root.path().join("anchor")).unwrap();
        files.next().unwrap().unwrap().path()
    }

    pub fn create(&self) -> Log {
        let sign = |text: &[u8]| self.node.sign(text);
        Log::create(&self.dir(), &self.node.key, self.options.clone(), sign).unwrap()
    }

    pub fn open(&self) -> Result<(Log, Recovered), OpenError> {
        Log::open(&self.dir(), &self.node.key, self.options.clone())
    }

    pub fn checkpoint(&self, log: &Log) {
        log.checkpoint(|text| self.node.sign(text)).unwrap();
    }

    /// A copy of the log's directory, to be tampered with.
    pub fn copy(&self) -> Self {
        let copy = Self {
            options: self.options.clone(),
            ..Self::new()
        };
        copy_dir(&self.dir(), &copy.dir());
        copy
    }

    /// A log of some entries, each in its own batch, with a checkpoint over all but the last `tail`.
    pub fn filled(entries: u64, tail: u64) -> Self {
        let place = Self::new();
        let log = place.create();
        for number in 0..entries {
            if number == entries - tail {
                place.checkpoint(&log);
            }
            log.append_blocking(client_share(number)).unwrap();
        }
        if tail == 0 {
            place.checkpoint(&log);
        }
        drop(log);
        place
    }
}

pub fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// An issuing event; its nonce carries the number.
pub fn client_share(number: u64) -> Event {
    Event::ClientShare {
        request: request(number),
        identity: Hex([0x1d; 32]),
    }
}

pub fn request(number: u64) -> Request {
    Request {
        customer: "acme".to_owned(),
        key: "k1".to_owned(),
        keyid: "BhJw2PE3zR6qJZvIb0oMcA".to_owned(),
        nonce: format!("nonce-{number:010}"),
        expires: NOON / 1000 + 60,
    }
}

pub fn customer_change(customer: &str, generation: u64) -> CustomerChange {
    CustomerChange {
        customer: customer.to_owned(),
        generation,
        operator: Some(1000),
    }
}

pub fn locked() -> Event {
    Event::Locked {
        reason: "operator".to_owned(),
        operator: Some(1000),
    }
}

/// A clock that shows what the test sets.
#[derive(Default)]
pub struct HandClock {
    wall: AtomicU64,
    monotonic: AtomicU64,
}

impl HandClock {
    pub fn at(wall: u64) -> Arc<Self> {
        let clock = Self::default();
        clock.wall.store(wall, Ordering::SeqCst);
        Arc::new(clock)
    }

    /// Time passes on both clocks.
    pub fn pass(&self, millis: u64) {
        self.wall.fetch_add(millis, Ordering::SeqCst);
        self.monotonic.fetch_add(millis, Ordering::SeqCst);
    }

    /// Somebody sets the wall clock.
    pub fn set(&self, wall: u64) {
        self.wall.store(wall, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Reading {
        Reading {
            wall: Timestamp::from_unix_millis(self.wall.load(Ordering::SeqCst)),
            monotonic_millis: self.monotonic.load(Ordering::SeqCst),
        }
    }
}

/// An entry as a test compares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub index: u64,
    pub offset: u64,
    pub time: String,
    pub event: Event,
    pub bytes: Vec<u8>,
}

/// All entries of a log on the disk.
pub fn entries(directory: &Path) -> Vec<Shown> {
    let mut all = Vec::new();
    audit::show(directory, &audit::Filter::default(), |entry| {
        all.push(Shown {
            index: entry.index,
            offset: entry.offset,
            time: entry.time.to_string(),
            event: entry.event().unwrap(),
            bytes: entry.bytes.to_vec(),
        });
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    all
}

/// The names of the events of a log on the disk.
pub fn names(directory: &Path) -> Vec<&'static str> {
    entries(directory)
        .iter()
        .map(|entry| entry.event.name())
        .collect()
}

/// An error and its causes in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    text
}
