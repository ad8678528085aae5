//! Every command of the guides, run as it stands there.
//!
//! The ```sh blocks of a guide are run in order, in one shell. A prelude stands in for what a test has
//! not: it answers passphrase prompts from a file, names the test's operator socket, and does what the
//! guide says that somebody else does meanwhile (starting the D-TA, registering a key).

use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::customer::{Customer, new_identity};
use crate::common::process::{Ran, dta};
use crate::common::{Dta, write_private};

/// All ```sh blocks of a guide, in order.
fn commands(guide: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(guide);
    let text = std::fs::read_to_string(path).unwrap();
    let mut inside = false;
    let mut commands = String::new();
    for line in text.lines() {
        match line.trim_end() {
            "```sh" => inside = true,
            "```" => inside = false,
            command if inside => {
                commands.push_str(command);
                commands.push('\n');
            }
            _ => {}
        }
    }
    assert!(!commands.is_empty(), "{guide} has commands");
    commands
}

/// Runs a script in `directory` with the binary under test first on the path.
fn shell(directory: &Path, script: &str, environment: &[(&str, &str)]) -> Ran {
    let binaries = dta().parent().unwrap().display();
    let path = format!("{binaries}:/usr/local/bin:/usr/bin:/bin");
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", script])
        .current_dir(directory)
        .env("PATH", path)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Ran::from(output)
}

/// What stands in for the holders' keyboards and for the D-TA's service manager.
const CEREMONY_PRELUDE: &str = r#"
dta() {
  case "$1 ${2:-}" in
    "holder new"|"ceremony approve") command dta "$@" --passphrase-file passphrase ;;
    "holder inspect" | "holder duplicate") command dta "$@" --passphrase-file passphrase ;;
    "ceremony run")
      local keys=() name
      for name in alice bob carol; do keys+=(--holder-key $name.holder --passphrase-file passphrase); done
      command dta "$@" "${keys[@]}"
      start ;;
    "unlock --remote") command dta "$@" --passphrase-file passphrase ;;
    "ceremony reshare")
      local more=() arg
      for arg in "$@"; do
        if [ "$arg" = --holder-key ]; then more+=(--passphrase-file passphrase); fi
      done
      command dta "$@" "${more[@]}" --socket operator.sock ;;
    "unlock "*) command dta "$@" --passphrase-file passphrase --socket operator.sock ;;
    "session "*|"lock "*) command dta "$@" --socket operator.sock ;;
    "status "*) command dta "$@" --socket operator.sock ;;
    *) command dta "$@" ;;
  esac
}
start() {
  command dta hsm --config hsm.toml 2>hsm.log & servers+=($!)
  until [ -S hsm.sock ]; do sleep 0.05; done
  mkdir anchor
  command dta authority --config authority.toml 2>authority.log & servers+=($!)
  until [ -S operator.sock ]; do sleep 0.05; done
}
servers=()
trap 'kill "${servers[@]}"' EXIT
"#;

#[test]
fn the_ceremony_guide_can_be_followed_from_the_first_key_to_an_unlocked_d_ta() {
    let hsm = hsm::harness::SoftHsm::new().unwrap();
    let directory = hsm.directory();
    write_private(&directory.join("passphrase"), "eleven otters row upstream");
    let authority = "state_dir = \"state\"\nhsm_socket = \"hsm.sock\"\noperator_socket = \"operator.sock\"\n\
                     proxy_socket = \"authority.sock\"\nanchor_dir = \"anchor\"\n\
                     public_authority = \"east.example\"\n";
    write_private(&directory.join("authority.toml"), authority);
    let script = format!("{CEREMONY_PRELUDE}\n{}", commands("ceremony.md"));
    let (name, value) = hsm.environment();
    let conf = (name.to_str().unwrap(), value.to_str().unwrap());
    let said = shell(directory, &script, &[conf]).ok();
    assert!(said.contains("no mistakes"), "{said}");
    assert!(
        said.contains("The D-TA exists, and 2 of 3 holders can open it."),
        "{said}"
    );
    assert!(
        said.contains("share 1 of alice is accepted\nsealed, 1 of 2"),
        "{said}"
    );
    assert!(said.contains("state     unlocked"), "{said}");
    assert!(
        said.contains("From now on 2 of 3 holders open it"),
        "{said}"
    );
}

#[test]
fn every_command_of_the_operations_guide_works() {
    let mut dta = Dta::found("ops", 1, 1);
    dta.start();
    let customer = Customer::of(&[], "acme");
    let other = Customer::of(&[], "next");
    let directory = customer.path(".");
    std::fs::copy(customer.path("customer.pub"), directory.join("acme.pub")).unwrap();
    std::fs::copy(other.path("customer.pub"), directory.join("next.pub")).unwrap();
    let prelude = format!(
        "dta() {{
           case \"$1\" in
             audit) command dta \"$@\" ;;
             unlock) command dta \"$@\" --socket {socket} --passphrase-file {passphrase} ;;
             lock) command dta \"$@\" --socket {socket}; unlock ;;
             # Sealed is what the guide expects before the first unlock.
             status) command dta \"$@\" --socket {socket} || [ $? = 3 ] ;;
             *) command dta \"$@\" --socket {socket} ;;
           esac
         }}
         unlock() {{ command dta unlock --share {share} --holder-key {holder} --socket {socket} --passphrase-file {passphrase}; }}",
        socket = dta.arg("operator.sock"),
        passphrase = dta.arg("passphrase"),
        share = dta.share(1).display(),
        holder = dta.holder_key(1).display(),
    );
    let keyid = customer.key.verifying_key().keyid();
    let filled = commands("operations.md")
        .replace("SHARE", &dta.share(1).display().to_string())
        .replace("HOLDER", &dta.holder_key(1).display().to_string())
        .replace("KEYID", &keyid)
        .replace("AUDIT", &dta.arg("state/audit"))
        .replace("VKEY", &dta.arg("out/authority.vkey"));
    let said = shell(&directory, &format!("{prelude}\n{filled}"), &[]).ok();
    for expected in ["unlocked", "acme", "suspended", "verified"] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

#[test]
fn every_command_of_the_api_guide_works_against_a_live_d_ta() {
    let dta = Dta::unlocked("one");
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    std::os::unix::fs::symlink(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("docs"),
        here.join("docs"),
    )
    .unwrap();
    write_private(&here.join("one-ca.pem"), &dta.ca_pem);
    // Whenever the guide makes a key, somebody registers it; and it is removed before the next is made.
    let prelude = format!(
        r#"
number=0
register() {{
  number=$((number + 1))
  {{ printf 'key_file = "acme.key"\n'
     command dta customer add "acme$number" --key acme.pub --socket {socket}; }} \
    | sed 's|^\[\[dta\]\]$|[[dta]]\nca_file = "one-ca.pem"|' >customer.toml
  COMMITMENT=$(sed -n 's/^commitment = "\(.*\)"/\1/p' customer.toml)
  export DTA_AUTHORITY=$(sed -n 's/^authority = "\(.*\)"/\1/p' customer.toml)
  export DTA_NODE_KEY=$(sed -n 's/^node_key = "\(.*\)"/\1/p' customer.toml)
}}
dta() {{ command dta "$@"; case "$1 $2" in "request new-key") register ;; esac; }}
openssl() {{
  case "$*" in "genpkey "*) rm -f acme.key ;; esac
  command openssl "$@"
  case "$*" in *-pubout*) register ;; esac
}}
# What the excerpt about the signature base takes as given.
covered='"@method"' created=$(date +%s) nonce=AAAAAAAAAAAAAAAAAAAAAA keyid=none
method=POST authority=one.example path=/v1/client-shares; echo '{{}}' >request
digest() {{ printf 'sha-256=:%s:' "$(command openssl dgst -sha256 -binary | base64 -w 0)"; }}
python3() {{ /usr/bin/python3 "$@"; }}
"#,
        socket = dta.arg("operator.sock"),
    );
    let filled = commands("api.md")
        .replace(
            "https://one.example",
            &format!("https://{}", dta.public_authority()),
        )
        .replace("export DTA_AUTHORITY=...", "# registered above:")
        .replace("export DTA_NODE_KEY=...", "# registered above:")
        .replace("IDENTITY", &new_identity());
    let said = shell(here, &format!("{prelude}\n{filled}"), &[]).ok();
    assert!(said.matches("\"share\"").count() >= 4, "{said}");
    assert!(said.contains("\"permits\""), "{said}");
}

#[test]
fn the_sample_configurations_name_every_key_and_are_read() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/samples");
    for (role, missing) in [
        ("authority", "state_dir"),
        ("proxy", "tls_cert"),
        ("hsm", "pin_file"),
    ] {
        let text = std::fs::read_to_string(samples.join(format!("{role}.toml"))).unwrap();
        // Defaults that are commented out are part of the sample: all are tried with it.
        let all: String = text
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(default) if default.contains(" = ") => format!("{default}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let table: toml::Table = toml::from_str(&all).unwrap();
        assert!(table.contains_key(missing), "{role}");
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("config.toml");
        std::fs::write(&config, all.replace("/etc/dta/hsm.pin", "no-such-pin")).unwrap();
        let config = config.display().to_string();
        let said = crate::common::process::run(&[role, "--config", &config], &[]);
        // It gets past its configuration, and stops at the first file that is not there.
        assert!(!said.stderr.contains("unknown key"), "{role}: {said:?}");
        assert!(
            !said.stderr.contains("not a valid configuration"),
            "{role}: {said:?}"
        );
        assert_ne!(said.code, 0, "{role}: {said:?}");
    }
}
