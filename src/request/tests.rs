#![allow(clippy::unwrap_used)]

use std::os::unix::fs::PermissionsExt as _;
use std::process::ExitCode;

use clap::Parser as _;
use tempfile::TempDir;

use super::*;

#[derive(clap::Parser)]
struct Line {
    #[command(subcommand)]
    command: RequestCommand,
}

fn parse(line: &str) -> Result<RequestCommand, clap::Error> {
    Line::try_parse_from(line.split_whitespace()).map(|line| line.command)
}

fn run_in(directory: &TempDir, line: &str) -> CliResult {
    let line = line.replace("DIR", &directory.path().display().to_string());
    run(parse(&line).unwrap())
}

#[test]
fn a_new_key_is_a_pair_of_files_that_belong_together() {
    for algorithm in ["ed25519", "ecdsa-p256-sha256"] {
        let directory = TempDir::new().unwrap();
        run_in(
            &directory,
            &format!("request new-key --out DIR/acme.key --algorithm {algorithm}"),
        )
        .unwrap();
        let private = directory.path().join("acme.key");
        let mode = std::fs::metadata(&private).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let key = client::config::read_signing_key(&private).unwrap();
        let public = std::fs::read_to_string(directory.path().join("acme.pub")).unwrap();
        assert_eq!(key.verifying_key().to_pem(), public);
        assert_eq!(key.verifying_key().algorithm().as_str(), algorithm);
    }
}

#[test]
fn a_new_key_overwrites_neither_half() {
    for existing in ["acme.key", "acme.pub"] {
        let directory = TempDir::new().unwrap();
        std::fs::write(directory.path().join(existing), "mine").unwrap();
        let error = run_in(&directory, "request new-key --out DIR/acme.key").unwrap_err();
        assert_eq!(error.exit_code(), ExitCode::from(Exit::Conflict as u8));
        let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
        assert_eq!(left.len(), 1);
        assert_eq!(
            std::fs::read_to_string(directory.path().join(existing)).unwrap(),
            "mine"
        );
    }
    let directory = TempDir::new().unwrap();
    let error = run_in(&directory, "request new-key --out DIR/acme.pub").unwrap_err();
    assert_eq!(error.exit_code(), ExitCode::from(Exit::Usage as u8));
}

#[test]
fn an_output_file_that_exists_is_refused_before_anything_is_asked() {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("share"), "mine").unwrap();
    // No customer.toml stands there either, but that is not looked at first.
    let error = run_in(
        &directory,
        "request server-share --config DIR/customer.toml --out DIR/share",
    );
    assert_eq!(
        error.unwrap_err().exit_code(),
        ExitCode::from(Exit::Conflict as u8)
    );
}

#[test]
fn a_configuration_that_cannot_be_read_is_a_usage_error() {
    let directory = TempDir::new().unwrap();
    let error = run_in(&directory, "request key --config DIR/customer.toml").unwrap_err();
    assert_eq!(error.exit_code(), ExitCode::from(Exit::Usage as u8));
}

#[test]
fn a_new_identity_is_written_in_hexadecimal_for_its_owner_only() {
    let directory = TempDir::new().unwrap();
    run_in(
        &directory,
        "request new-identity --id alice@example.com --out DIR/alice",
    )
    .unwrap();
    let path = directory.path().join("alice");
    let text = std::fs::read_to_string(&path).unwrap();
    let mpin_id = String::from_utf8(hex::decode(text.trim()).unwrap()).unwrap();
    assert!(mpin_id.starts_with(r#"{"id":"alice@example.com","salt":""#));
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[test]
fn the_documented_command_lines_are_understood() {
    let identity = "ab".repeat(32);
    for line in [
        format!("request client-share --config c --identity {identity}"),
        format!("request client-share --config c --dta alpha --identity {identity} --raw"),
        format!("request client-share --identity {identity} --encoding milagro --json"),
        "request client-share --mpin-id-hex 7b22 --out share".to_owned(),
        "request server-share --config c --encoding miracl --key k2".to_owned(),
        format!("request time-permit --identity {identity} --from 2026-11-20 --days 31"),
        format!(
            "request time-permit --identity {identity} --identity {}",
            "cd".repeat(32)
        ),
        "request key --config c --dta alpha --json".to_owned(),
    ] {
        parse(&line).unwrap();
    }
}

#[test]
fn a_wrong_command_line_is_refused_and_the_flag_named() {
    let identity = "ab".repeat(32);
    for (line, expected) in [
        ("request client-share".to_owned(), "--identity"),
        (
            format!("request client-share --identity {identity} --mpin-id-hex 00"),
            "--mpin-id-hex",
        ),
        (
            "request client-share --identity abc".to_owned(),
            "expected 64 hexadecimal digits",
        ),
        (
            format!("request client-share --identity {identity} --raw --json"),
            "--json",
        ),
        (
            "request server-share --encoding zip".to_owned(),
            "--encoding",
        ),
        (
            "request server-share --key 1".to_owned(),
            "expected a key version such as k1",
        ),
        (
            format!("request time-permit --identity {identity} --days 32"),
            "--days",
        ),
        (
            format!("request time-permit --identity {identity} --from 2026-02-30"),
            "YYYY-MM-DD",
        ),
        (
            "request new-key --out a --algorithm rsa".to_owned(),
            "expected ed25519",
        ),
    ] {
        let message = parse(&line).unwrap_err().to_string();
        assert!(message.contains(expected), "{line}: {message}");
    }
}

#[test]
fn an_identity_named_twice_is_refused() {
    let directory = TempDir::new().unwrap();
    let identity = "ab".repeat(32);
    let line = format!("request time-permit --identity {identity} --identity {identity}");
    let error = run_in(&directory, &line).unwrap_err();
    assert_eq!(error.exit_code(), ExitCode::from(Exit::Usage as u8));
}
