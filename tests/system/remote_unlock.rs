//! Unlocking from anywhere: requests and answers in armour, sessions that operators open and close, live progress,
//! clocks that are set, and whoever must not take part.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ceremony::session::{Armoured, Envelope, Seen};
use serde_json::{Value, json};

use crate::common::process::{Ran, dta as dta_binary};
use crate::common::{Dta, write_private};

impl Dta {
    /// `dta unlock --remote` on a machine that has nothing but the holder's own files and a request.
    fn answer(&self, number: u8, request: &Path, out: &Path) -> Ran {
        let arguments: [&str; 11] = [
            "unlock",
            "--remote",
            &request.display().to_string(),
            "--out",
            &out.display().to_string(),
            "--share",
            &self.share(number).display().to_string(),
            "--holder-key",
            &self.holder_key(number).display().to_string(),
            "--passphrase-file",
            &self.arg("passphrase"),
        ];
        self.dta(&arguments)
    }

    /// Opens a session and writes its request.
    fn request(&self, name: &str) -> std::path::PathBuf {
        self.operator(&["session", "open"]).ok();
        self.operator(&["session", "request", "--out", &self.arg(name)])
            .ok();
        self.path(name)
    }

    /// The words of the audit log: event, and what else tells them apart.
    fn session_events(&self) -> Vec<String> {
        let told = |entry: &Value| {
            let word = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            let event = word("event");
            match event.as_str() {
                "unlock-share" => Some(format!("{event} {} {}", entry["slot"], word("verdict"))),
                "session-closed" => Some(format!("{event} {}", word("reason"))),
                "session-opened" | "unlocked" => Some(event),
                _ => None,
            }
        };
        self.audit_entries().iter().filter_map(told).collect()
    }
}

/// A request with something changed in it, armoured anew by somebody in the middle.
fn changed(request: &Path, change: impl FnOnce(&mut Value)) -> String {
    let text = std::fs::read(request).unwrap();
    let mut document = serde_json::from_slice(&Armoured::Request.read(&text).unwrap()).unwrap();
    change(&mut document);
    Armoured::Request.write(document.to_string().as_bytes())
}

#[test]
fn holders_far_apart_unlock_by_text_that_anybody_may_carry() {
    let mut dta = Dta::found("far", 2, 3);
    dta.start();
    let request = dta.request("request.txt");
    let said = dta.answer(1, &request, &dta.path("answer-1.txt")).ok();
    assert_eq!(said, "", "the holder's screen is standard error");
    let said = dta.answer(3, &request, &dta.path("answer-3.txt")).stderr;
    assert!(said.contains("far asks for: unlock"), "{said}");
    assert!(said.contains("far-holder-3  <- you"), "{said}");
    assert!(said.contains(dta.authority_id()), "{said}");
    assert_eq!(dta.status()["accepted"], json!([]));

    let said = dta.operator(&["session", "submit", &dta.arg("answer-1.txt")]);
    assert_eq!(
        said.ok(),
        "share 1 of far-holder-1 is accepted\nsealed, 1 of 2\n"
    );
    // The same answer again counts once, and is not worth a line in the log.
    let said = dta.operator(&["session", "submit", &dta.arg("answer-1.txt")]);
    assert!(said.failed(4).contains("share refused, duplicate"));
    let shown = dta.operator(&["session", "show"]).ok();
    assert!(shown.contains("  accepted  far-holder-1\n"), "{shown}");
    assert!(shown.contains("  -         far-holder-2\n"), "{shown}");

    // Mail adds its own.
    let answer = std::fs::read_to_string(dta.path("answer-3.txt")).unwrap();
    let mail: String = answer.lines().map(|line| format!("> {line}\r\n")).collect();
    std::fs::write(
        dta.path("mail.txt"),
        format!("Here it is.\r\n{mail}Bye\r\n"),
    )
    .unwrap();
    let said = dta.operator(&["session", "submit", &dta.arg("mail.txt")]);
    assert_eq!(said.ok(), "share 3 of far-holder-3 is accepted\nunlocked\n");
    assert_eq!(
        dta.session_events(),
        [
            "session-opened",
            "unlock-share 1 accepted",
            "unlock-share 3 accepted",
            "unlocked"
        ]
    );
}

#[test]
fn nothing_is_overwritten_and_an_answer_can_go_to_standard_output() {
    let mut dta = Dta::found("pipe", 1, 1);
    dta.start();
    let request = dta.request("request.txt");
    std::fs::write(dta.path("taken"), "mine").unwrap();
    dta.answer(1, &request, &dta.path("taken")).failed(6);
    assert_eq!(std::fs::read(dta.path("taken")).unwrap(), b"mine");
    dta.operator(&["session", "request", "--out", &dta.arg("taken")])
        .failed(6);
    let text = dta.operator(&["session", "request"]).ok();
    assert_eq!(text, std::fs::read_to_string(&request).unwrap());
    assert!(text.lines().all(|line| line.len() <= 64), "{text}");
    let answer = dta.dta(&[
        "unlock",
        "--remote",
        &request.display().to_string(),
        "--share",
        &dta.share(1).display().to_string(),
        "--holder-key",
        &dta.holder_key(1).display().to_string(),
        "--passphrase-file",
        &dta.arg("passphrase"),
    ]);
    let answer = answer.ok();
    assert!(answer.starts_with("-----BEGIN DTA SESSION ANSWER-----\n"));
    write_private(&dta.path("answer.txt"), &answer);
    let said = dta.operator(&["session", "submit", &dta.arg("answer.txt"), "--json"]);
    let said: Value = serde_json::from_str(&said.ok()).unwrap();
    assert_eq!(said["status"]["state"], "unlocked");
}

#[test]
fn text_that_was_mangled_on_its_way_is_noticed_and_said() {
    let mut dta = Dta::found("mangled", 2, 3);
    dta.start();
    let request = dta.request("request.txt");
    let text = std::fs::read_to_string(&request).unwrap();
    let at = text.find('\n').unwrap() + 20;
    let flipped = if &text[at..=at] == "A" { "B" } else { "A" };
    let mangled = format!("{}{flipped}{}", &text[..at], &text[at + 1..]);
    for (damaged, said) in [
        (mangled.as_str(), "its checksum does not fit"),
        (&text[..text.len() / 2], "it was cut off"),
        (
            "hello",
            "there is no line `-----BEGIN DTA SESSION REQUEST-----`",
        ),
    ] {
        std::fs::write(dta.path("bad.txt"), damaged).unwrap();
        let refused = dta
            .answer(1, &dta.path("bad.txt"), &dta.path("no.txt"))
            .failed(4);
        assert!(refused.contains(said), "{refused}");
    }
    dta.answer(1, &request, &dta.path("answer.txt")).ok();
    let refused = dta.operator(&["session", "submit", &request.display().to_string()]);
    assert!(
        refused
            .failed(4)
            .contains("this is a request, where an answer is expected")
    );
    let answer = std::fs::read_to_string(dta.path("answer.txt")).unwrap();
    std::fs::write(dta.path("bad.txt"), answer.replacen('A', "", 1)).unwrap();
    dta.operator(&["session", "submit", &dta.arg("bad.txt")])
        .failed(4);
    assert_eq!(dta.status()["accepted"], json!([]));
    dta.operator(&["session", "submit", &dta.arg("answer.txt")])
        .ok();
}

#[test]
fn a_made_up_d_ta_is_refused_and_the_reason_said() {
    let mut dta = Dta::found("twin", 2, 3);
    // Own token, own node key, holders of the same names: all that a copyist can have.
    let mut made_up = Dta::found("twin", 2, 3);
    dta.start();
    made_up.start();
    let request = made_up.request("request.txt");
    let out = dta.path("no.txt");
    let said = dta.answer(1, &request, &out).failed(4);
    assert!(said.contains("share refused, other-set"), "{said}");
    assert!(said.contains(made_up.authority_id()), "{said}");

    // Over its socket it is the same, and its owner learns nothing.
    let socket = made_up.arg("operator.sock");
    let said = dta.dta(&[
        "unlock",
        "--share",
        &dta.share(1).display().to_string(),
        "--holder-key",
        &dta.holder_key(1).display().to_string(),
        "--passphrase-file",
        &dta.arg("passphrase"),
        "--socket",
        &socket,
    ]);
    assert!(said.failed(4).contains("other-set"));
    assert_eq!(made_up.status()["accepted"], json!([]));

    // The real roster copied into its manifest: nobody of that roster signed it.
    let real = dta.request("real.txt");
    let mut roster = Value::Null;
    changed(&real, |document| {
        roster = document["chain"][0]["manifest"]["unlock"]["roster"].clone();
    });
    let copied = changed(&request, |document| {
        document["chain"][0]["manifest"]["unlock"]["roster"] = roster;
    });
    std::fs::write(dta.path("copied.txt"), copied).unwrap();
    let said = dta.answer(1, &dta.path("copied.txt"), &out).failed(4);
    assert!(said.contains("manifest chain does not hold"), "{said}");
    assert!(said.contains("do not answer"), "{said}");

    // The real manifest, and a session that another node key signed.
    let mut chain = Value::Null;
    changed(&real, |document| chain = document["chain"].clone());
    let borrowed = changed(&request, |document| document["chain"] = chain);
    std::fs::write(dta.path("borrowed.txt"), borrowed).unwrap();
    let said = dta.answer(1, &dta.path("borrowed.txt"), &out).failed(4);
    assert!(
        said.contains("the session names another authority"),
        "{said}"
    );
    assert!(!out.exists());
}

#[test]
fn a_session_with_anything_changed_is_refused_and_the_reason_said() {
    let mut dta = Dta::found("changed", 2, 3);
    dta.start();
    let request = dta.request("request.txt");
    let out = dta.path("no.txt");
    let refused = |change: &dyn Fn(&mut Value)| {
        std::fs::write(dta.path("changed.txt"), changed(&request, change)).unwrap();
        dta.answer(1, &dta.path("changed.txt"), &out).failed(4)
    };
    let unsigned = "the session is not signed by a node of this authority";
    let said = refused(&|document| document["session"]["session"]["purpose"] = "reshare".into());
    assert!(said.contains(unsigned), "{said}");
    let said = refused(&|document| {
        document["session"]["session"]["hpke_key"] = "09".repeat(32).into();
    });
    assert!(said.contains(unsigned), "{said}");
    let said = refused(&|document| {
        document["session"]["session"]["expires"] = "2099-01-01T00:00:00Z".into();
    });
    assert!(said.contains(unsigned), "{said}");
    let said = refused(&|document| document["session"]["extra"] = 1.into());
    assert!(said.contains("not a session request"), "{said}");
    assert!(!out.exists());
}

#[test]
fn a_rolled_back_manifest_is_refused_and_the_epochs_said() {
    let mut dta = Dta::found("rolled", 2, 3);
    dta.start();
    let request = dta.request("request.txt");
    // This holder has answered a later epoch of this authority.
    let seen = dta.holder_key(1).with_extension("holder.seen");
    let later = json!({"v": 1, "authorities": {
        dta.authority_id(): {"epoch": 2, "manifest": "01".repeat(32)}
    }});
    write_private(&seen, &later.to_string());
    let said = dta.answer(1, &request, &dta.path("no.txt")).failed(4);
    assert!(
        said.contains("shows epoch 1, but this holder has seen epoch 2"),
        "{said}"
    );
    assert!(said.contains("compare the manifest hash"), "{said}");
    // Another holder, who has seen nothing later, is told that this is the first time.
    let said = dta.answer(2, &request, &dta.path("answer.txt"));
    assert!(
        said.stderr
            .contains("has not answered this authority before")
    );
    let remembered = dta.holder_key(2).with_extension("holder.seen");
    let id = dta.authority_id().parse().unwrap();
    let epoch = Seen::load(&remembered).unwrap().epoch_of(id);
    assert_eq!(epoch, Some(quorum::Epoch::new(1)));
}

#[test]
fn nobody_replaces_a_session_and_only_the_operators_word_ends_it() {
    let mut dta = Dta::found("hold", 2, 3);
    dta.start();
    dta.operator(&["session", "show"]).failed(4);
    dta.operator(&["session", "close"]).failed(4);
    let opened = dta
        .operator(&["session", "open", "--minutes", "90", "--json"])
        .ok();
    let opened: Value = serde_json::from_str(&opened).unwrap();
    let left = dta.status()["session"]["left"].as_u64().unwrap();
    assert!((5_390..=5_400).contains(&left), "{left}");
    dta.enter_share(1, &dta.share(1)).ok();
    let said = dta.operator(&["session", "open"]).failed(6);
    assert!(said.contains("an unlock session is open already"), "{said}");
    assert_eq!(dta.status()["session"]["id"], opened["session"]["session"]);
    assert_eq!(dta.status()["accepted"].as_array().unwrap().len(), 1);
    dta.operator(&["session", "request", "--out", &dta.arg("old.txt")])
        .ok();
    let said = dta.operator(&["session", "close"]).ok();
    assert_eq!(said, "closed: the shares that the session held are wiped\n");
    assert_eq!(dta.status()["state"], "sealed");
    assert_eq!(
        dta.session_events(),
        [
            "session-opened",
            "unlock-share 1 accepted",
            "session-closed closed"
        ]
    );
    // An answer to a session that is over is worth nothing in the next one.
    dta.answer(2, &dta.path("old.txt"), &dta.path("old-answer.txt"))
        .ok();
    dta.operator(&["session", "open"]).ok();
    let said = dta.operator(&["session", "submit", &dta.arg("old-answer.txt")]);
    assert!(said.failed(4).contains("this answers another session"));
    let said = dta.operator(&["session", "open", "--minutes", "0"]);
    assert_eq!(said.code, 2, "{said:?}");
}

#[test]
fn strangers_cannot_fill_poison_or_silence_a_session() {
    let mut dta = Dta::found("junk", 2, 3);
    let stranger = Dta::found("junk", 2, 3);
    dta.start();
    let request = dta.request("request.txt");
    dta.enter_share(1, &dta.share(1)).ok();
    dta.answer(2, &request, &dta.path("answer.txt")).ok();
    let good = std::fs::read(dta.path("answer.txt")).unwrap();
    let good = Envelope::from_armour(&good).unwrap();
    let entries = dta.audit_entries().len();
    for number in 0..40_u8 {
        let mut junk = good.clone();
        junk.ciphertext[usize::from(number)] ^= 1;
        write_private(&dta.path("junk.txt"), &junk.to_armour());
        let said = dta.operator(&["session", "submit", &dta.arg("junk.txt")]);
        assert!(
            said.failed(4)
                .contains("not signed by a holder of this set")
        );
    }
    // A holder of the same name and number, from elsewhere, has no reason to answer either.
    stranger
        .answer(2, &request, &dta.path("foreign.txt"))
        .failed(4);
    let mut huge = good.clone();
    huge.ciphertext = vec![7; 20_000];
    write_private(&dta.path("huge.txt"), &huge.to_armour());
    let said = dta.operator(&["session", "submit", &dta.arg("huge.txt")]);
    assert!(said.failed(4).contains("at most 16384 are read"));
    assert_eq!(dta.audit_entries().len(), entries, "junk is not logged");
    let warned = dta.authority_log().matches("an answer is refused").count();
    assert!(warned <= 7, "{warned} lines for 40 refusals");
    assert_eq!(dta.status()["accepted"].as_array().unwrap().len(), 1);
    let said = dta.operator(&["session", "submit", &dta.arg("answer.txt")]);
    assert!(said.ok().ends_with("unlocked\n"));
}

#[test]
fn every_holder_sees_the_others_come_and_the_end() {
    let mut dta = Dta::found("watch", 2, 3);
    dta.start();
    let mut watching = Command::new(dta_binary())
        .args(["unlock", "--wait", "--socket", &dta.arg("operator.sock")])
        .args(["--passphrase-file", &dta.arg("passphrase"), "--share"])
        .arg(dta.share(1))
        .arg("--holder-key")
        .arg(dta.holder_key(1))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let mut until = |wanted: &str| {
        lines
            .by_ref()
            .map(Result::unwrap)
            .find(|line| line.contains(wanted))
            .unwrap_or_else(|| panic!("no line {wanted:?}"))
    };
    until("Ctrl-C ends only this display");
    let line = until("1 of 2");
    assert!(
        line.ends_with("may come: watch-holder-2, watch-holder-3"),
        "{line}"
    );
    assert!(line.len() <= 80 && !line.contains('\u{1b}'), "{line}");

    // Ctrl-C on one screen changes nothing for the others.
    let mut other = Command::new(dta_binary())
        .args(["session", "show", "--wait", "--socket"])
        .arg(dta.path("operator.sock"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut shown = BufReader::new(other.stdout.take().unwrap()).lines();
    assert!(shown.any(|line| line.unwrap().contains("1 of 2")));
    let id = rustix::process::Pid::from_child(&other);
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    assert!(!other.wait().unwrap().success());
    assert_eq!(dta.status()["accepted"].as_array().unwrap().len(), 1);

    dta.enter_share(3, &dta.share(3)).ok();
    until("unlocked");
    assert!(watching.wait().unwrap().success());
}

#[test]
fn whoever_waits_is_told_when_the_session_ends_without_unlocking() {
    let mut dta = Dta::found("over", 2, 3);
    dta.start();
    dta.enter_share(1, &dta.share(1)).ok();
    let watching = Command::new(dta_binary())
        .args(["session", "show", "--wait", "--socket"])
        .arg(dta.path("operator.sock"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    dta.operator(&["session", "close"]).ok();
    let ran = Ran::from(watching.wait_with_output().unwrap());
    // Whether it came before the close or after it: there is nothing to wait for.
    assert!([3, 4].contains(&ran.code), "{ran:?}");
}

/// An authority whose clock the test sets, by a file that libfaketime reads.
struct Clock {
    file: std::path::PathBuf,
}

impl Clock {
    /// Starts the authority under this clock; `monotonic` says whether the monotonic clock follows it.
    fn start(dta: &mut Dta, monotonic: &str) -> Self {
        let file = dta.path("clock");
        std::fs::write(&file, "+0").unwrap();
        let library = Command::new("faketime")
            .args(["-m", "-f", "+0", "printenv", "LD_PRELOAD"])
            .output()
            .expect("scripts/prerequisites.sh tests installs faketime");
        let library = String::from_utf8(library.stdout).unwrap();
        dta.hsm.start_with(dta_binary()).unwrap();
        let mut authority = dta.spawn_authority(&[
            ("LD_PRELOAD", library.trim()),
            ("FAKETIME_TIMESTAMP_FILE", &file.display().to_string()),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", monotonic),
        ]);
        let socket = dta.path("operator.sock");
        authority.wait_until("listening", || {
            std::os::unix::net::UnixStream::connect(&socket).is_ok()
        });
        dta.authority = Some(authority);
        Self { file }
    }

    fn set(&self, offset: &str) {
        let new = self.file.with_extension("new");
        std::fs::write(&new, offset).unwrap();
        std::fs::rename(&new, &self.file).unwrap();
    }
}

fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(20), "never {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_session_that_expires_wipes_what_was_pending_and_the_log_says_so() {
    let mut dta = Dta::found("expiry", 2, 3);
    let clock = Clock::start(&mut dta, "0");
    let request = dta.request("request.txt");
    dta.enter_share(1, &dta.share(1)).ok();
    dta.answer(2, &request, &dta.path("late.txt")).ok();
    // Ten minutes, and a little.
    clock.set("+601");
    wait_for("sealed", || dta.status()["state"] == "sealed");
    assert_eq!(dta.status()["accepted"], json!([]));
    assert_eq!(
        dta.session_events(),
        [
            "session-opened",
            "unlock-share 1 accepted",
            "session-closed expired"
        ]
    );
    // The late answer finds no session, and in the next one it is another session's.
    dta.operator(&["session", "submit", &dta.arg("late.txt")])
        .failed(4);
    dta.operator(&["session", "open"]).ok();
    let said = dta.operator(&["session", "submit", &dta.arg("late.txt")]);
    assert!(said.failed(4).contains("this answers another session"));
    // The holders' clocks say that this session is not open yet, and by how much.
    let said = dta.enter_share(1, &dta.share(1)).failed(4);
    assert!(said.contains("s earlier"), "{said}");
}

#[test]
fn a_clock_set_back_prolongs_no_session() {
    let mut dta = Dta::found("back", 2, 3);
    let clock = Clock::start(&mut dta, "1");
    let opened = dta.operator(&["session", "open", "--minutes", "1"]).ok();
    assert!(opened.contains("until"), "{opened}");
    let before = dta.status()["session"].clone();
    clock.set("-3600");
    let after = dta.status()["session"].clone();
    assert_eq!(before["id"], after["id"]);
    assert_eq!(before["expires"], after["expires"], "what was signed stays");
    assert!(
        after["left"].as_u64().unwrap() <= before["left"].as_u64().unwrap(),
        "{before} {after}"
    );
    clock.set("+0");
    dta.enter_share(1, &dta.share(1)).ok();
    dta.enter_share(2, &dta.share(2)).ok();
    assert_eq!(dta.status()["state"], "unlocked");
    dta.audit_verify().ok();
}
