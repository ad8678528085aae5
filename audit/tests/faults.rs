//! A failing disk: the journal's writes and syncs fail in a child process, by a shim that is compiled
//! with `cc` and preloaded. The child is this test program again, running only [`child`].
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use audit::{Clock, Log, Options, Reading, SystemClock, Timestamp, VerifyOptions, verify};
use common::*;

/// The variable that makes [`child`] run, with the log's directory.
const CHILD: &str = "DTA_TEST_AUDIT_FAULTS";

/// Runs only in a child process: appends what it is told to and says what came of it.
#[test]
fn child() {
    let Some(directory) = std::env::var_os(CHILD) else {
        return;
    };
    let max_wait = Duration::from_millis(300);
    let clock = Arc::new(Jumping::default());
    let options = Options {
        reserve_bytes: 4096,
        max_wait,
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        ..Options::default()
    };
    let log = match Log::open(Path::new(&directory), &Node::new(7).key, options) {
        Ok((log, _)) => log,
        Err(error) => return println!("> cannot open: {}", chain(&error)),
    };
    println!("> open");
    for (number, line) in std::io::stdin().lines().enumerate() {
        let event = match line.unwrap().as_str() {
            "issue" => client_share(number as u64),
            "lock" => locked(),
            "jump" => {
                clock.0.store(true, Ordering::SeqCst);
                locked()
            }
            "add" => audit::Event::CustomerAdded(customer_change("acme", 1)),
            other => panic!("unknown command {other}"),
        };
        match log.append_blocking(event) {
            Ok(receipt) => println!("> {} {}", receipt.index, log.state().as_str()),
            Err(error) => println!(
                "> {}; {}; try: {}",
                log.state().as_str(),
                chain(&error),
                error.remedy().unwrap_or("nothing")
            ),
        }
    }
}

/// The system's clock; from the jump on its wall clock is an hour late.
#[derive(Default)]
struct Jumping(AtomicBool);

impl Clock for Jumping {
    fn now(&self) -> Reading {
        let Reading {
            wall,
            monotonic_millis,
        } = SystemClock.now();
        let late = 3_600_000 * u64::from(self.0.load(Ordering::SeqCst));
        Reading {
            wall: Timestamp::from_unix_millis(wall.unix_millis() - late),
            monotonic_millis,
        }
    }
}

/// A child process whose disk can be made to fail.
struct Faulty {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    control: PathBuf,
}

impl Faulty {
    fn start(place: &Place) -> Self {
        let control = place.root.path().join("fault");
        fs::write(&control, "-").unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture"])
            .env(CHILD, place.dir())
            .env("DTA_FAULT", &control)
            .env("LD_PRELOAD", shim())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut faulty = Self {
            child,
            input,
            output,
            control,
        };
        assert_eq!(faulty.answer(), "open");
        faulty
    }

    /// What fails from now on: see shim.c.
    fn fail(&self, fault: &str) {
        fs::write(&self.control, fault).unwrap();
    }

    fn ask(&mut self, command: &str) -> String {
        writeln!(self.input, "{command}").unwrap();
        self.answer()
    }

    fn answer(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(
                self.output.read_line(&mut line).unwrap(),
                0,
                "the child ended"
            );
            if let Some((_, answer)) = line.split_once("> ") {
                return answer.trim_end().to_owned();
            }
        }
    }

    fn stop(mut self) {
        self.fail("-");
        drop(self.input);
        assert!(self.child.wait().unwrap().success());
    }
}

fn shim() -> &'static Path {
    static SHIM: OnceLock<PathBuf> = OnceLock::new();
    SHIM.get_or_init(|| {
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join("audit-fault-shim.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/shim.c");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .args([&library, &source])
            .arg("-ldl")
            .status()
            .expect("these tests need a C compiler named cc");
        assert!(built.success());
        library
    })
}

fn created() -> Place {
    let place = Place::new();
    drop(place.create());
    place
}

const RESTART: &str =
    "try: see to the disk of the audit log, run `dta audit verify`, then restart the authority";

#[test]
fn the_first_failed_sync_blocks_the_log_until_it_is_opened_anew() {
    let place = created();
    let mut faulty = Faulty::start(&place);
    assert_eq!(faulty.ask("issue"), "0 good");
    faulty.fail("s");
    let said = format!(
        "failed; the audit log is blocked: syncing entry 1 failed: Input/output error (os error 5); \
         {RESTART}"
    );
    assert_eq!(faulty.ask("issue"), said);
    faulty.fail("-");
    for command in ["issue", "add", "lock", "jump"] {
        assert_eq!(
            faulty.ask(command),
            said,
            "latched, although the disk is well again"
        );
    }
    faulty.stop();

    assert_eq!(
        names(&place.dir()),
        ["client-share"],
        "what was not durable is not there"
    );
    let (log, recovered) = place.open().unwrap();
    assert_eq!((recovered.size, recovered.repaired), (1, None));
    assert_eq!(log.append_blocking(client_share(1)).unwrap().index, 1);
}

#[test]
fn a_failed_write_blocks_the_log_too() {
    let place = created();
    let mut faulty = Faulty::start(&place);
    faulty.fail("w");
    let said = faulty.ask("issue");
    assert!(
        said.starts_with("failed; the audit log is blocked: writing entry 0 failed: "),
        "{said}"
    );
    faulty.fail("-");
    assert_eq!(faulty.ask("lock"), said);
    faulty.stop();
    assert!(place.open().is_ok());
}

#[test]
fn a_full_disk_stops_issuing_and_still_takes_the_lock_event() {
    let place = created();
    let mut faulty = Faulty::start(&place);
    assert_eq!(faulty.ask("issue"), "0 good");
    faulty.fail("n");
    let said = "disk-full; the audit log is blocked: writing entry 1 failed: No space left on device \
        (os error 28); try: free space on the disk of the audit log, then restart the authority";
    assert_eq!(faulty.ask("issue"), said);
    assert!(!place.path("reserve").exists(), "its space was given back");
    assert_eq!(faulty.ask("lock"), "1 disk-full");
    assert_eq!(faulty.ask("add"), said);
    assert_eq!(faulty.ask("lock"), "2 disk-full");
    faulty.fail("N");
    let said = faulty.ask("lock");
    assert!(
        said.starts_with("failed; the audit log is blocked: writing entry 3 failed: No"),
        "{said}"
    );
    faulty.stop();

    assert_eq!(names(&place.dir()), ["client-share", "locked", "locked"]);
    let report = verify(&place.dir(), &place.node.key, VerifyOptions::default()).unwrap();
    assert_eq!(
        (report.size, report.torn_bytes),
        (3, 0),
        "the half-written entry was cut off"
    );
    let (log, _) = place.open().unwrap();
    assert!(place.path("reserve").exists(), "there is a reserve again");
    assert_eq!(log.append_blocking(client_share(1)).unwrap().index, 3);
}

#[test]
fn a_lock_event_on_a_disk_that_is_full_already_opens_the_reserve_itself() {
    let place = created();
    let mut faulty = Faulty::start(&place);
    faulty.fail("n");
    assert_eq!(faulty.ask("lock"), "0 disk-full");
    assert!(
        faulty
            .ask("issue")
            .starts_with("disk-full; the audit log is blocked")
    );
    faulty.stop();
    assert_eq!(names(&place.dir()), ["locked"]);
}

#[test]
fn a_disk_that_hangs_is_waited_for_in_bounded_time() {
    let place = created();
    let mut faulty = Faulty::start(&place);
    faulty.fail("h");
    let began = std::time::Instant::now();
    assert_eq!(
        faulty.ask("issue"),
        "good; the audit log did not become durable within 300 ms; try: look at the load and the \
         health of the disk of the audit log"
    );
    assert!(began.elapsed() < Duration::from_secs(5));
    faulty.fail("-");
    assert!(faulty.ask("issue").ends_with(" good"));
    faulty.stop();
    assert_eq!(names(&place.dir()), ["client-share", "client-share"]);
}
