//! The founding ceremony from plan to verified transcript, as people see it: approvals, rehearsal, script, golden screens.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::Dta;
use crate::common::process::{Ran, dta};

/// A D-TA before its ceremony whose plan names two approvers of whom both are needed.
fn planned(name: &str) -> Dta {
    let dta = Dta::before_the_ceremony(name, 2, 3);
    let mut arguments = vec!["ceremony".to_owned(), "plan".to_owned()];
    let mut flag = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
    flag("--authority", name.to_owned());
    flag("--m", "2".to_owned());
    flag("--hsm-config", dta.hsm.config_path().display().to_string());
    for number in 1..=3 {
        let public = dta.holder_key(number).with_extension("holder.pub");
        flag("--holder-pub", public.display().to_string());
    }
    for approver in ["xena", "yves"] {
        here(
            &dta,
            &["holder", "new", approver, "--passphrase-file", "passphrase"],
        )
        .ok();
        flag("--approver-pub", dta.arg(&format!("{approver}.holder.pub")));
    }
    let plan = dta.dta(&arguments).ok();
    std::fs::write(dta.path("plan.toml"), plan).unwrap();
    dta
}

/// Runs `dta` in the D-TA's own directory, where relative paths look the same on every machine.
fn here(dta: &Dta, arguments: &[&str]) -> Ran {
    with(dta, arguments, &[])
}

fn with(dta_: &Dta, arguments: &[&str], environment: &[(&str, &Path)]) -> Ran {
    let (name, value) = dta_.hsm.environment();
    Command::new(dta())
        .args(arguments)
        .current_dir(dta_.path("."))
        .env(name, value)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap()
        .into()
}

fn approve(dta: &Dta, name: &str) -> Ran {
    let key = format!("{name}.holder");
    here(
        dta,
        &[
            "ceremony",
            "approve",
            "plan.toml",
            "--holder-key",
            &key,
            "--passphrase-file",
            "passphrase",
        ],
    )
}

/// `dta ceremony run` with all holders and these approvals.
fn run(dta: &Dta, approvals: &[&str]) -> Ran {
    let hsm = dta.hsm.config_path().display().to_string();
    let mut arguments = vec![
        "ceremony",
        "run",
        "plan.toml",
        "--state-dir",
        "state",
        "--out",
        "out",
    ];
    arguments.extend(["--hsm-config", &hsm]);
    for approval in approvals {
        arguments.extend(["--approval", approval]);
    }
    let keys: Vec<_> = (1..=3)
        .map(|number| dta.holder_key(number).display().to_string())
        .collect();
    for key in &keys {
        arguments.extend(["--holder-key", key, "--passphrase-file", "passphrase"]);
    }
    here(dta, &arguments)
}

fn verify(dta: &Dta, plan: &str) -> Ran {
    here(
        dta,
        &[
            "ceremony",
            "verify",
            "--transcript",
            "out/transcript.json",
            "--manifest",
            "out/manifest.json",
            "--plan",
            plan,
            "--vkey",
            "out/authority.vkey",
        ],
    )
}

/// The approval of `name`, which must be the only one.
fn approval_of(dta: &Dta, name: &str) -> String {
    let plan = here(dta, &["ceremony", "check", "plan.toml", "--json"]).ok();
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    format!("{}-{name}.approval", plan["plan"].as_str().unwrap())
}

#[test]
fn a_plan_with_approvers_is_run_only_with_enough_approvals_of_exactly_this_plan() {
    let dta = planned("flow");
    let said = run(&dta, &[]).failed(4);
    assert!(
        said.contains("the plan needs 2 approvals of exactly this file and has 0"),
        "{said}"
    );

    approve(&dta, "xena").ok();
    let xena = approval_of(&dta, "xena");
    let said = run(&dta, &[&xena, &xena]).failed(4);
    assert!(said.contains("has 1 (xena)"), "{said}");
    assert!(
        said.contains("xena has approved already; two approvals of one person count once"),
        "{said}"
    );

    // A holder is no approver, and an approval of another plan is none of this.
    let key = dta.holder_key(1).display().to_string();
    let said = here(
        &dta,
        &[
            "ceremony",
            "approve",
            "plan.toml",
            "--holder-key",
            &key,
            "--passphrase-file",
            "passphrase",
        ],
    )
    .failed(4);
    assert!(
        said.contains("is not that of an approver whom this plan names"),
        "{said}"
    );
    let plan = std::fs::read_to_string(dta.path("plan.toml")).unwrap();
    std::fs::write(dta.path("plan.toml"), format!("{plan}\n# a comment\n")).unwrap();
    approve(&dta, "yves").ok();
    let other = approval_of(&dta, "yves");
    std::fs::write(dta.path("plan.toml"), &plan).unwrap();
    let said = run(&dta, &[&xena, &other]).failed(4);
    assert!(
        said.contains(&format!("{other}: yves approved another plan")),
        "{said}"
    );
    assert!(!dta.path("state").exists());

    approve(&dta, "yves").ok();
    let yves = approval_of(&dta, "yves");
    assert!(approve(&dta, "yves").failed(6).contains("exists already"));
    run(&dta, &[&xena, &yves]).ok();
    verify(&dta, "plan.toml").ok();
    std::fs::write(dta.path("other.toml"), format!("{plan}\n# a comment\n")).unwrap();
    let said = verify(&dta, "other.toml").failed(4);
    assert!(said.contains("error: plan: the transcript says"), "{said}");
}

#[test]
fn the_screens_of_a_founding_ceremony_are_the_golden_ones() {
    let dta = planned("golden");
    let mut said = String::new();
    let mut shown = |command: &str, ran: Ran| {
        said.push_str(&format!("$ dta ceremony {command}\n{}\n", ran.ok()))
    };
    shown(
        "check plan.toml",
        here(&dta, &["ceremony", "check", "plan.toml"]),
    );
    shown(
        "approve plan.toml --holder-key xena.holder",
        approve(&dta, "xena"),
    );
    approve(&dta, "yves").ok();
    let approvals = [approval_of(&dta, "xena"), approval_of(&dta, "yves")];
    shown(
        "run plan.toml --state-dir state --hsm-config hsm.toml --out out --approval FILE --approval FILE",
        run(&dta, &[&approvals[0], &approvals[1]]),
    );
    shown(
        "verify --transcript out/transcript.json --manifest out/manifest.json --plan plan.toml --vkey out/authority.vkey",
        verify(&dta, "plan.toml"),
    );
    golden("init.txt", &said);
}

#[test]
fn a_rehearsal_shows_the_golden_screens_and_leaves_nothing_behind() {
    let dta = planned("rehearsed");
    let temporary = tempfile::tempdir().unwrap();
    let before = listing(&dta.path("."));
    let ran = with(
        &dta,
        &["ceremony", "rehearse", "plan.toml"],
        &[("TMPDIR", temporary.path())],
    );
    golden(
        "rehearse.txt",
        &format!("$ dta ceremony rehearse plan.toml\n{}", ran.ok()),
    );
    assert_eq!(listing(temporary.path()), [""; 0], "no file is left");
    assert_eq!(listing(&dta.path(".")), before);
    assert_eq!(
        processes_that_mention(temporary.path()),
        [""; 0],
        "no process is left"
    );
}

#[test]
fn the_script_is_printed_and_words_go_both_ways() {
    let dta = planned("script");
    let text = here(&dta, &["ceremony", "script", "plan.toml"]).ok();
    assert!(text.contains("Exception sheets"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80));
    let html = here(&dta, &["ceremony", "script", "plan.toml", "--html"]).ok();
    assert!(html.starts_with("<!DOCTYPE html>"), "{html}");

    let hash = "7f".repeat(32);
    let said = here(&dta, &["ceremony", "words", &hash]).ok();
    assert!(
        said.contains("legal winner thank year wave sausage"),
        "{said}"
    );
    let words: Vec<_> = said.split_whitespace().skip(1).collect();
    let back = here(&dta, &[&["ceremony", "words"], &words[..]].concat()).ok();
    assert_eq!(back, said);
    let wrong = here(&dta, &["ceremony", "words", "legal winner"]).failed(4);
    assert!(
        wrong.contains("2 words; a hash of 32 bytes has 24"),
        "{wrong}"
    );
}

/// Compares with `tests/golden/NAME`; with `DTA_UPDATE_GOLDEN` set it writes that file instead.
#[track_caller]
fn golden(name: &str, said: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    let masked = masked(said);
    if std::env::var_os("DTA_UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &masked).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        masked,
        expected,
        "{} differs; DTA_UPDATE_GOLDEN=1 writes it anew",
        path.display()
    );
}

/// Hashes, keys and serial numbers become `#`, hashes in words `...`, the firmware `#`; all else must stay as it is.
fn masked(said: &str) -> String {
    let firmware = said
        .replace("firmware 2.5", "firmware #")
        .replace("firmware 2.6", "firmware #");
    let mut text = String::new();
    for line in firmware.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        let in_words = words.len() == 6
            && words
                .iter()
                .all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase()));
        if in_words && line.starts_with(' ') {
            text.push_str(&" ".repeat(line.len() - line.trim_start().len()));
            text.push_str("...");
        } else {
            text.push_str(&without_hex(line));
        }
        text.push('\n');
    }
    text
}

fn without_hex(line: &str) -> String {
    let is_hex = |text: &str| {
        text.len() >= 12
            && text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let mut masked = String::new();
    for part in line.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let run = part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let end = &part[run.len()..];
        masked.push_str(if is_hex(run) { "#" } else { run });
        masked.push_str(end);
    }
    masked
}

fn listing(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn processes_that_mention(directory: &Path) -> Vec<String> {
    let wanted = directory.display().to_string();
    let processes = std::fs::read_dir("/proc").unwrap();
    let command = |entry: std::io::Result<std::fs::DirEntry>| {
        let bytes = std::fs::read(entry.unwrap().path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\0', " ")
    };
    processes
        .map(command)
        .filter(|command| command.contains(&wanted))
        .collect()
}
