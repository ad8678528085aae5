//! Shares as things that people keep: PINs, duplicate sets, paper, hardware keys.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::common::process::{Ran, run};
use crate::common::{Dta, write_private};

/// An age plugin as small as it can be, for `age1test1...`: it "wraps" a file key by adding 1 to each byte.
const PLUGIN: &str = r#"#!/usr/bin/env python3
import base64, sys
def read():
    words, body = sys.stdin.readline().split()[1:], ""
    while True:
        line = sys.stdin.readline().rstrip("\n")
        body += line
        if len(line) < 64:
            return words, base64.b64decode(body + "=" * (-len(body) % 4))
def send(words, body=b""):
    print("-> " + words, base64.b64encode(body).decode().rstrip("="), sep="\n", flush=True)
def phase(wanted):
    found = []
    while True:
        words, body = read()
        if words[0] == "done":
            return found
        if words[0] == wanted:
            found.append((words[1:], body))
def shifted(body, by):
    return bytes((byte + by) % 256 for byte in body)
if sys.argv[1].endswith("recipient-v1"):
    for number, (_, key) in enumerate(phase("wrap-file-key")):
        send("recipient-stanza %d test" % number, shifted(key, 1))
        read()
else:
    for words, body in phase("recipient-stanza"):
        if words[1] == "test":
            send("file-key " + words[0], shifted(body, -1))
            read()
send("done")
"#;
const RECIPIENT: &str = "age1test1wfjkx6tsd9jkuaqra6j3p";
const IDENTITY: &str = "AGE-PLUGIN-TEST-1D9JX2MN5D968JAGUYQJ";

fn share(dta: &Dta, number: u8, copy: u8) -> PathBuf {
    let first = dta.share(number).display().to_string();
    first.replace("-1.share", &format!("-{copy}.share")).into()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// A holder's command with the own key.
fn as_holder(dta: &Dta, number: u8, words: &[&str], arguments: &[String]) -> Ran {
    let mut all: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    all.extend([
        "--holder-key".to_owned(),
        text(&dta.holder_key(number)),
        "--passphrase-file".to_owned(),
        dta.arg("passphrase"),
    ]);
    all.extend(arguments.iter().cloned());
    dta.dta(&all)
}

fn unlock(dta: &Dta, number: u8, arguments: &[String]) -> Ran {
    let socket = ["--socket".to_owned(), dta.arg("operator.sock")];
    as_holder(dta, number, &["unlock"], &[arguments, &socket].concat())
}

fn flags(pairs: &[(&str, String)]) -> Vec<String> {
    let pair = |(flag, value): &(&str, String)| [(*flag).to_owned(), value.clone()];
    pairs.iter().flat_map(pair).collect()
}

/// Two of two holders, two copies of each share, the second one of holder 1 under a PIN.
fn with_duplicates(name: &str) -> Dta {
    let dta = Dta::before_the_ceremony(name, 2, 2);
    let plan = std::fs::read_to_string(dta.path("plan.toml")).unwrap();
    std::fs::write(
        dta.path("plan.toml"),
        plan.replace("\nn = 2", "\nn = 2\ncopies = 2"),
    )
    .unwrap();
    write_private(&dta.path("pin"), "2468\n");
    write_private(&dta.path("wrong"), "2469\n");
    let mut arguments = dta.ceremony_arguments();
    let pin = format!("{}:2={}", dta.holder(1), dta.arg("pin"));
    arguments.extend(["--pin-file".to_owned(), pin]);
    dta.dta(&arguments).ok();
    dta
}

#[test]
fn a_duplicate_set_has_pins_of_its_own_and_counts_once() {
    let mut dta = with_duplicates("dupes");
    let (first, second) = (share(&dta, 1, 1), share(&dta, 1, 2));
    let inspect = |path: &Path| {
        let said = as_holder(&dta, 1, &["holder", "inspect", &text(path), "--json"], &[]).ok();
        serde_json::from_str::<serde_json::Value>(&said).unwrap()
    };
    let (one, two) = (inspect(&first), inspect(&second));
    assert_eq!((&one["pin"], &one["copy"]), (&false.into(), &1.into()));
    assert_eq!((&two["pin"], &two["copy"]), (&true.into(), &2.into()));
    assert_eq!(
        (&one["index"], &one["set_id"]),
        (&two["index"], &two["set_id"])
    );
    assert!(share(&dta, 2, 2).exists());

    dta.start();
    let before = std::fs::read(&second).unwrap();
    let with = |pin: &str| flags(&[("--share", text(&second)), ("--pin-file", dta.arg(pin))]);
    let said = unlock(&dta, 1, &with("wrong")).failed(4);
    assert!(said.contains("wrong PIN for"), "{said}");
    let said = unlock(&dta, 1, &flags(&[("--share", text(&second))])).failed(4);
    assert!(
        said.contains("is under a PIN") && said.contains("--pin-file"),
        "{said}"
    );
    assert_eq!(std::fs::read(&second).unwrap(), before);
    unlock(&dta, 1, &with("pin")).ok();
    let said = unlock(&dta, 1, &flags(&[("--share", text(&first))])).failed(4);
    assert!(said.contains("duplicate"), "{said}");
    unlock(&dta, 2, &flags(&[("--share", text(&share(&dta, 2, 2)))])).ok();
    assert_eq!(dta.status()["state"], "unlocked");
}

#[test]
fn a_pin_for_a_copy_that_the_plan_does_not_have_is_refused() {
    let dta = Dta::before_the_ceremony("nopin", 1, 1);
    write_private(&dta.path("pin"), "2468\n");
    let mut arguments = dta.ceremony_arguments();
    let pin = format!("{}:2={}", dta.holder(1), dta.arg("pin"));
    arguments.extend(["--pin-file".to_owned(), pin]);
    let said = dta.dta(&arguments).failed(2);
    assert!(
        said.contains("the plan has no copy 2 of a share for nopin-holder-1"),
        "{said}"
    );
}

#[test]
fn a_share_can_be_seen_from_outside_without_its_key() {
    let dta = Dta::found("outside", 1, 1);
    let said = dta.dta(&["holder", "inspect", &text(&dta.share(1))]).ok();
    assert!(said.contains("nothing was opened"), "{said}");
    assert!(said.contains("index     1\ncopy      1"), "{said}");
    let said = dta
        .dta(&["holder", "inspect", &dta.arg("plan.toml")])
        .failed(4);
    assert!(said.contains("not a .holder.pub file"), "{said}");
}

#[test]
fn a_share_on_paper_unlocks_and_a_mangled_word_is_named() {
    let mut dta = Dta::found("paper", 1, 2);
    let name = share(&dta, 1, 3)
        .file_stem()
        .unwrap()
        .to_string_lossy()
        .into_owned();
    let page = dta.path(&format!("{name}.paper.txt"));
    let duplicate = flags(&[
        ("--share", text(&dta.share(1))),
        ("--copy", "3".to_owned()),
        ("--onto", "paper".to_owned()),
        ("--dir", text(page.parent().unwrap())),
    ]);
    // Nobody types and nothing was scanned: what was not read back is no copy.
    let said = as_holder(&dta, 1, &["holder", "duplicate"], &duplicate).failed(4);
    assert!(said.contains("line 1 is missing"), "{said}");
    assert!(!page.exists());
    let scanned = [duplicate, flags(&[("--paper-readback", text(&page))])].concat();
    as_holder(&dta, 1, &["holder", "duplicate"], &scanned).ok();
    assert!(page.with_extension("html").exists());

    let printed = std::fs::read_to_string(&page).unwrap();
    let line = printed
        .lines()
        .find(|line| line.starts_with("  4  "))
        .unwrap();
    let word = line.split_whitespace().nth(3).unwrap();
    let mangled = dta.path("mangled.txt");
    std::fs::write(
        &mangled,
        printed.replace(line, &line.replacen(word, "horsey", 1)),
    )
    .unwrap();
    dta.start();
    let said = unlock(&dta, 1, &flags(&[("--paper", text(&mangled))])).failed(4);
    assert!(
        said.contains("line 4, word 3: \"horsey\" is not on the word list"),
        "{said}"
    );
    let said = unlock(&dta, 2, &flags(&[("--paper", text(&page))])).failed(4);
    assert!(said.contains("wrong-holder"), "{said}");
    let said = dta
        .dta(&["holder", "inspect", "--paper", &text(&page)])
        .ok();
    assert!(
        said.contains("a share on paper, sealed to the holder's key"),
        "{said}"
    );
    unlock(&dta, 1, &flags(&[("--paper", text(&page))])).ok();
    assert_eq!(dta.status()["state"], "unlocked");
}

#[test]
fn a_holder_with_a_hardware_key_gets_and_opens_a_share_through_an_age_plugin() {
    let dta = Dta::before_the_ceremony("plugin", 1, 1);
    let plugin = dta.path("age-plugin-test");
    std::fs::write(&plugin, PLUGIN).unwrap();
    std::fs::set_permissions(&plugin, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(dta.path("identity"), format!("# slot 1\n{IDENTITY}\n")).unwrap();
    let (name, value) = dta.hsm.environment();
    let path = std::env::var("PATH").unwrap();
    let with_plugin = format!("{}:{path}", dta.arg("."));
    let dta_on = |path: &str, arguments: &[String]| {
        let conf = (name.to_string_lossy(), value.to_string_lossy());
        run(arguments, &[(&conf.0, &conf.1), ("PATH", path)])
    };
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let new = format!(
        "holder new dora --dir {0} --recipient {RECIPIENT} --identity-file {0}/identity --passphrase-file {0}/passphrase",
        dta.arg(".")
    );
    dta_on(&path, &words(&new)).ok();
    let hsm_config = dta.hsm.config_path().display().to_string();
    let public = dta.arg("dora.holder.pub");
    let plan = format!(
        "ceremony plan --authority plugin --m 1 --holder-pub {public} --hsm-config {hsm_config}"
    );
    std::fs::write(dta.path("plan.toml"), dta_on(&path, &words(&plan)).ok()).unwrap();
    let ceremony = format!(
        "ceremony run {} --state-dir {} --hsm-config {hsm_config} --out {} --holder-key {} --passphrase-file {}",
        dta.arg("plan.toml"),
        dta.arg("state"),
        dta.arg("out"),
        dta.arg("dora.holder"),
        dta.arg("passphrase"),
    );
    let said = dta_on(&path, &words(&ceremony)).failed(4);
    assert!(
        said.contains("age-plugin-test is not on the PATH"),
        "{said}"
    );
    dta_on(&with_plugin, &words(&ceremony)).ok();
    let inspect = format!(
        "holder inspect {} --holder-key {} --passphrase-file {}",
        text(&dta.share(1)),
        dta.arg("dora.holder"),
        dta.arg("passphrase"),
    );
    let said = dta_on(&with_plugin, &words(&inspect)).ok();
    assert!(
        said.contains("share 1 of 1, 1 open\nholder    dora"),
        "{said}"
    );
}
