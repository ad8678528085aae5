//! Every cause that an operator may meet, provoked for real on SoftHSM2.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use hsm::harness::{self, SoftHsm, TestServer};
use hsm::{HsmClient, HsmError, PinState, TokenId};

hsm::enable_test_server!();

/// A token that is not served yet, after `change` was made to its hsm.toml.
fn token_with(change: impl Fn(&str) -> String) -> SoftHsm {
    let softhsm = SoftHsm::new().unwrap();
    let config = fs::read_to_string(softhsm.config_path()).unwrap();
    fs::write(softhsm.config_path(), change(&config)).unwrap();
    softhsm
}

fn failure(client: &HsmClient) -> HsmError {
    client.token_info().unwrap_err()
}

#[test]
fn a_module_that_is_not_there_is_named_and_the_process_runs_all_the_same() {
    let mut softhsm = token_with(|config| {
        let module = harness::softhsm_module().unwrap();
        config.replace(module.to_str().unwrap(), "/nonexistent/libpkcs11.so")
    });
    softhsm.restart();
    let error = failure(&softhsm.client());
    assert_eq!(
        error.to_string(),
        "the PKCS#11 module /nonexistent/libpkcs11.so does not exist"
    );
    assert!(error.remedy().unwrap().contains("apt-get install softhsm2"));
}

#[test]
fn a_file_that_is_no_module_is_not_loadable() {
    let mut softhsm = token_with(|config| {
        let module = harness::softhsm_module().unwrap();
        config.replace(module.to_str().unwrap(), "pin")
    });
    fs::write(softhsm.directory().join("not-a-module"), "text").unwrap();
    let config = fs::read_to_string(softhsm.config_path()).unwrap();
    fs::write(
        softhsm.config_path(),
        config.replace("module = \"pin\"", "module = \"./not-a-module\""),
    )
    .unwrap();
    softhsm.restart();
    let error = failure(&softhsm.client());
    assert!(
        matches!(error, HsmError::ModuleNotLoadable { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("not-a-module"), "{error}");
}

#[test]
fn a_module_without_its_own_configuration_is_not_loadable() {
    let softhsm = SoftHsm::new().unwrap();
    let environment = [("SOFTHSM2_CONF".into(), "/nonexistent/softhsm2.conf".into())];
    let server = TestServer::start(&softhsm.config_path(), &environment).unwrap();
    let error = failure(&server.client());
    assert!(
        matches!(error, HsmError::ModuleNotLoadable { .. }),
        "{error}"
    );
    assert!(
        error.to_string().contains("C_Initialize returned CKR_"),
        "{error}"
    );
    assert!(error.remedy().unwrap().contains("SOFTHSM2_CONF"));
}

#[test]
fn a_wrong_label_lists_the_tokens_that_are_there() {
    let mut softhsm =
        token_with(|config| config.replace("token_label = \"test-", "token_label = \"tset-"));
    let there = softhsm.label().to_owned();
    softhsm.restart();
    let error = failure(&softhsm.client());
    let HsmError::NoSuchToken { wanted, present } = &error else {
        panic!("{error}")
    };
    assert!(wanted.starts_with("labelled \"tset-"), "{wanted}");
    assert_eq!(
        present.iter().map(|id| &id.label).collect::<Vec<_>>(),
        [&there]
    );
    assert!(
        error
            .to_string()
            .contains(&format!("present: {there:?} (serial ")),
        "{error}"
    );
}

#[test]
fn a_wrong_serial_is_another_token_and_the_right_one_is_found() {
    let mut softhsm = token_with(|config| format!("{config}token_serial = \"0123456789abcdef\"\n"));
    softhsm.restart();
    let error = failure(&softhsm.client());
    let HsmError::NoSuchToken { wanted, present } = error else {
        panic!("{error}")
    };
    assert!(wanted.ends_with("with serial 0123456789abcdef"), "{wanted}");

    let config = fs::read_to_string(softhsm.config_path()).unwrap();
    fs::write(
        softhsm.config_path(),
        config.replace("0123456789abcdef", &present[0].serial),
    )
    .unwrap();
    softhsm.restart();
    assert_eq!(softhsm.client().token_info().unwrap().id(), present[0]);
}

#[test]
fn two_tokens_of_one_label_need_a_serial() {
    let mut softhsm = SoftHsm::new().unwrap();
    let label = softhsm.label().to_owned();
    let (name, value) = softhsm.environment();
    let status = Command::new("softhsm2-util")
        .args([
            "--init-token",
            "--free",
            "--label",
            &label,
            "--pin",
            "1234",
            "--so-pin",
            "12345678",
        ])
        .env(name, value)
        .output()
        .unwrap();
    assert!(status.status.success());
    softhsm.restart();
    let error = failure(&softhsm.client());
    let HsmError::AmbiguousToken { present, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(present.len(), 2);
    assert!(error.remedy().unwrap().contains("token_serial"));
}

#[test]
fn a_wrong_pin_is_said_offered_once_and_read_again_when_corrected() {
    let mut softhsm = SoftHsm::new().unwrap();
    let right = fs::read_to_string(softhsm.pin_file()).unwrap();
    fs::write(softhsm.pin_file(), "0000").unwrap();
    softhsm.restart();
    let client = softhsm.client();
    let error = failure(&client);
    let HsmError::WrongPin { token, tries } = &error else {
        panic!("{error}")
    };
    assert_eq!(token.label, softhsm.label());
    assert_eq!(*tries, PinState::CountLow);
    assert!(
        error
            .to_string()
            .ends_with("(COUNT_LOW: at least one wrong PIN since the last login)")
    );
    assert!(
        error
            .remedy()
            .unwrap()
            .contains("the same PIN is not offered again")
    );
    assert_eq!(failure(&client), error);

    fs::write(softhsm.pin_file(), format!("{right}\n")).unwrap();
    assert_eq!(client.token_info().unwrap().label, softhsm.label());
}

#[test]
fn a_pin_file_that_is_missing_or_open_to_others_is_said() {
    let mut softhsm = SoftHsm::new().unwrap();
    let away = softhsm.directory().join("pin.away");
    fs::rename(softhsm.pin_file(), &away).unwrap();
    softhsm.restart();
    let client = softhsm.client();
    let error = failure(&client);
    assert!(
        error.to_string().contains("cannot be read: No such file"),
        "{error}"
    );
    assert!(error.remedy().unwrap().contains("mode 0600"));

    fs::rename(&away, softhsm.pin_file()).unwrap();
    fs::set_permissions(softhsm.pin_file(), fs::Permissions::from_mode(0o644)).unwrap();
    let error = failure(&client);
    assert!(
        error
            .to_string()
            .ends_with("has mode 0644, expected 0600 or 0400"),
        "{error}"
    );

    fs::set_permissions(softhsm.pin_file(), fs::Permissions::from_mode(0o400)).unwrap();
    client.token_info().unwrap();
}

#[test]
fn a_token_removed_at_run_time_is_said_and_works_again_when_it_is_back() {
    let softhsm = SoftHsm::start();
    let client = softhsm.client();
    client.create_seal_key("seal-1").unwrap();
    client.create_node_key("node-1").unwrap();
    let sealed = client.seal("seal-1", b"aad", b"secret").unwrap();

    let away = softhsm.directory().join("away");
    fs::rename(softhsm.token_directory(), &away).unwrap();
    let removed = |error: HsmError| match error {
        HsmError::TokenRemoved {
            token: TokenId { label, .. },
            ..
        } => label == softhsm.label(),
        other => panic!("{other}"),
    };
    assert!(removed(client.check_seal_key("seal-1").unwrap_err()));
    assert!(removed(client.open("seal-1", b"aad", &sealed).unwrap_err()));
    assert!(removed(client.seal("seal-1", b"aad", b"x").unwrap_err()));
    assert!(removed(client.sign("node-1", b"x").unwrap_err()));
    assert!(removed(client.token_info().unwrap_err()));
    assert!(removed(client.create_seal_key("seal-2").unwrap_err()));
    let remedy = client.token_info().unwrap_err().remedy().unwrap();
    assert!(remedy.contains("plug the token back in"), "{remedy}");

    fs::rename(&away, softhsm.token_directory()).unwrap();
    client.check_seal_key("seal-1").unwrap();
    assert_eq!(
        client.open("seal-1", b"aad", &sealed).unwrap().as_slice(),
        b"secret"
    );
    client.sign("node-1", b"x").unwrap();
}

#[test]
fn a_token_that_is_away_at_start_is_used_as_soon_as_it_is_there() {
    let mut softhsm = SoftHsm::new().unwrap();
    let away = softhsm.directory().join("away");
    fs::rename(softhsm.token_directory(), &away).unwrap();
    softhsm.restart();
    let client = softhsm.client();
    failure(&client);
    fs::rename(&away, softhsm.token_directory()).unwrap();
    assert_eq!(client.token_info().unwrap().label, softhsm.label());
}

#[test]
fn a_key_brought_in_from_outside_is_refused() {
    let mut softhsm = SoftHsm::new().unwrap();
    import_aes_key(&softhsm, "seal-1");
    softhsm.restart();
    let client = softhsm.client();
    assert!(client.seal_key_exists("seal-1").unwrap());
    for error in [
        client.seal("seal-1", b"", b"secret").unwrap_err(),
        client.check_seal_key("seal-1").unwrap_err(),
    ] {
        let HsmError::UnsafeKey { label, problem } = &error else {
            panic!("{error}")
        };
        assert_eq!(label, "seal-1");
        assert!(
            problem.contains("CKA_LOCAL is false, expected true"),
            "{problem}"
        );
        assert!(error.remedy().unwrap().starts_with("do not use this key"));
    }
}

#[test]
fn two_keys_of_one_label_are_never_chosen_between() {
    let mut softhsm = SoftHsm::new().unwrap();
    import_aes_key(&softhsm, "seal-1");
    import_aes_key(&softhsm, "seal-1");
    softhsm.restart();
    let error = softhsm.client().seal("seal-1", b"", b"secret").unwrap_err();
    let expected = "the token holds 2 objects of class seal key labelled \"seal-1\", expected one";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_bad_label_does_not_reach_the_token() {
    let softhsm = SoftHsm::start();
    for label in ["", "with space", "ümlaut", &"x".repeat(65)] {
        let error = softhsm.client().create_seal_key(label).unwrap_err();
        assert!(matches!(error, HsmError::BadLabel { .. }), "{error}");
    }
}

#[test]
fn a_process_that_is_not_there_is_said_at_once() {
    let begun = Instant::now();
    let error = HsmClient::connect(Path::new("/nonexistent/hsm.sock")).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("no dta hsm process answers on /nonexistent/hsm.sock")
    );
    assert!(
        error
            .remedy()
            .unwrap()
            .contains("systemctl start dta-hsm@NAME")
    );
    assert!(begun.elapsed() < Duration::from_secs(1));
}

fn import_aes_key(softhsm: &SoftHsm, label: &str) {
    let file = softhsm.directory().join("key.bin");
    fs::write(&file, [7; 32]).unwrap();
    let pin = fs::read_to_string(softhsm.pin_file()).unwrap();
    let (name, value) = softhsm.environment();
    let output = Command::new("softhsm2-util")
        .args([
            "--import",
            file.to_str().unwrap(),
            "--aes",
            "--token",
            softhsm.label(),
        ])
        .args(["--label", label, "--id", "01", "--pin", &pin, "--force"])
        .env(name, value)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
