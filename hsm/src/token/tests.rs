//! The token in this process. SoftHSM2 finds its token through the environment, so each test starts
//! this binary again with only itself to run and `SOFTHSM2_CONF` set.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;
use crate::harness::SoftHsm;
use crate::token::keys::seal_key;

const CONFIG_VARIABLE: &str = "DTA_HSM_TOKEN_TEST_CONFIG";

/// Runs `check` with a token, in a process of its own.
fn with_token(test: &str, check: impl Fn(&Token)) {
    if let Some(config) = std::env::var_os(CONFIG_VARIABLE).map(PathBuf::from) {
        return check(&Token::new(Config::read(&config).unwrap()));
    }
    let softhsm = SoftHsm::new().unwrap();
    let (name, value) = softhsm.environment();
    let output = Command::new(std::env::current_exe().unwrap())
        .args([&format!("token::tests::{test}"), "--exact", "--nocapture"])
        .env(name, value)
        .env(CONFIG_VARIABLE, softhsm.config_path())
        .output()
        .unwrap();
    let (out, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success() && out.contains("1 passed"),
        "{out}\n{errors}"
    );
}

#[test]
fn both_ways_of_calling_seal_and_open_each_others_output() {
    with_token(
        "both_ways_of_calling_seal_and_open_each_others_output",
        |token| {
            let label: KeyLabel = "seal-1".parse().unwrap();
            token.create_seal_key(&label).unwrap();
            let whole = token.seal(&label, b"aad", b"secret").unwrap();
            set_calls(token, GcmCalls::InParts);
            let in_parts = token.seal(&label, b"aad", b"secret").unwrap();
            assert_eq!(
                token.open(&label, b"aad", &whole).unwrap().as_slice(),
                b"secret"
            );
            token.check_seal_key(&label).unwrap();
            let refused = token.open(&label, b"other", &whole).unwrap_err();
            assert!(matches!(refused, HsmError::DoesNotOpen { .. }), "{refused}");
            set_calls(token, GcmCalls::OneShot);
            assert_eq!(
                token.open(&label, b"aad", &in_parts).unwrap().as_slice(),
                b"secret"
            );
        },
    );
}

#[test]
fn a_new_session_goes_on_with_the_same_login_and_key_handles() {
    with_token(
        "a_new_session_goes_on_with_the_same_login_and_key_handles",
        |token| {
            let label: KeyLabel = "seal-1".parse().unwrap();
            token.create_seal_key(&label).unwrap();
            token
                .with(OnLoss::Report, |login, _| {
                    let before = seal_key(login, &label)?;
                    sealing::call_in_parts(login)?;
                    assert_eq!(seal_key(login, &label)?, before);
                    sealing::round_trip(login, before)
                })
                .unwrap();
        },
    );
}

#[test]
fn our_own_reading_of_the_token_agrees_with_the_binding() {
    with_token(
        "our_own_reading_of_the_token_agrees_with_the_binding",
        |token| {
            let info = token.info().unwrap();
            token
                .with(OnLoss::Report, |login, _| {
                    let theirs = login.pkcs11.get_token_info(login.slot)?;
                    assert_eq!(info.label, theirs.label());
                    assert_eq!(info.serial, theirs.serial_number());
                    assert_eq!(info.manufacturer, theirs.manufacturer_id());
                    assert_eq!(info.model, theirs.model());
                    assert_eq!(info.firmware, theirs.firmware_version().to_string());
                    Ok(())
                })
                .unwrap();
        },
    );
}

#[test]
fn p256_is_taken_where_the_token_cannot_do_ed25519() {
    with_token("p256_is_taken_where_the_token_cannot_do_ed25519", |token| {
        let label: KeyLabel = "node-1".parse().unwrap();
        let made = token
            .with(OnLoss::Report, |login, _| {
                nodekey::create(login, &label, &[crate::types::NodeKeyAlg::EcdsaP256])
            })
            .unwrap();
        assert_eq!(
            (made.alg.as_str(), made.public_key.len()),
            ("ecdsa-p256", 65)
        );
        assert_eq!(token.find_node_key(&label).unwrap(), made);
        let signature = token.sign(&label, b"message").unwrap();
        let verifier = aws_lc_rs::signature::UnparsedPublicKey::new(
            &aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED,
            &made.public_key,
        );
        verifier.verify(b"message", &signature).unwrap();
    });
}

#[test]
fn a_token_that_can_neither_is_told_by_the_mechanisms_it_lacks() {
    with_token(
        "a_token_that_can_neither_is_told_by_the_mechanisms_it_lacks",
        |token| {
            let label: KeyLabel = "node-1".parse().unwrap();
            let refused = token.with(OnLoss::Report, |login, _| {
                nodekey::create(login, &label, &[])
            });
            let error = refused.unwrap_err().to_string();
            let expected = "does not support CKM_EDDSA with Ed25519 or CKM_ECDSA with P-256";
            assert!(error.ends_with(expected), "{error}");
        },
    );
}

#[test]
fn of_two_versions_of_a_data_object_the_higher_counts_and_the_next_write_clears_up() {
    let test = "of_two_versions_of_a_data_object_the_higher_counts_and_the_next_write_clears_up";
    with_token(test, |token| {
        let label: KeyLabel = "manifest".parse().unwrap();
        token.put_data(&label, b"old").unwrap();
        token
            .with(OnLoss::Report, |login, _| {
                data::create(login, &label, 2, b"new")?;
                assert_eq!(data::get(login, &label)?, b"new");
                data::put(login, &label, b"newest")?;
                let class = cryptoki::object::ObjectClass::DATA;
                assert_eq!(keys::find_all(&login.session, class, &label)?.len(), 1);
                Ok(())
            })
            .unwrap();
        assert_eq!(token.get_data(&label).unwrap(), b"newest");
    });
}

#[test]
fn a_refused_pin_is_not_offered_again_even_if_it_would_be_right_by_now() {
    let test = "a_refused_pin_is_not_offered_again_even_if_it_would_be_right_by_now";
    with_token(test, |token| {
        let directory = token.config.socket.parent().unwrap();
        let pin_file = directory.join("pin");
        std::fs::write(&pin_file, "00000").unwrap();
        let refused = token.ping().unwrap_err();
        assert!(matches!(refused, HsmError::WrongPin { .. }), "{refused}");

        let so_pin = std::fs::read_to_string(directory.join("so-pin")).unwrap();
        set_user_pin(token, &so_pin, "00000");
        assert_eq!(token.ping().unwrap_err(), refused);
        set_user_pin(token, &so_pin, "11111");
        std::fs::write(&pin_file, "11111").unwrap();
        token.ping().unwrap();
    });
}

/// SoftHSM2 never locks a PIN, so the codes themselves are asked.
#[test]
fn a_locked_pin_is_told_by_the_code_or_by_the_flag() {
    use cryptoki::context::Function::Login;
    let token = TokenId {
        label: "acme".to_owned(),
        serial: "7".to_owned(),
    };
    let told = |code, tries| login_error(&Error::Pkcs11(code, Login), &token, tries).unwrap();
    for locked in [
        told(RvError::PinLocked, PinState::Normal),
        told(RvError::PinIncorrect, PinState::Locked),
    ] {
        assert_eq!(
            locked.to_string(),
            "the user PIN of token \"acme\" (serial 7) is locked"
        );
        assert!(locked.remedy().unwrap().contains("security officer"));
    }
    let last = told(RvError::PinIncorrect, PinState::FinalTry);
    assert!(
        last.to_string()
            .ends_with("(FINAL_TRY: the next wrong PIN locks it)")
    );
    assert!(last.remedy().unwrap().starts_with("one try is left"));
    let unusable = told(RvError::UserPinNotInitialized, PinState::Normal).to_string();
    assert!(
        unusable.contains("CKR_USER_PIN_NOT_INITIALIZED"),
        "{unusable}"
    );
}

#[test]
fn a_module_path_that_is_a_directory_is_not_loadable() {
    let problem = Module::load(Path::new("/tmp")).err().map(|e| e.to_string());
    assert!(
        problem
            .as_deref()
            .is_some_and(|p| p.contains("cannot be loaded")),
        "{problem:?}"
    );
}

fn set_calls(token: &Token, calls: GcmCalls) {
    token
        .with(OnLoss::Report, |login, _| {
            login.gcm = calls;
            Ok(())
        })
        .unwrap();
}

/// As the security officer does with the vendor's tool.
fn set_user_pin(token: &Token, so_pin: &str, pin: &str) {
    let state = token.state.take(QUEUE_WITHIN).unwrap();
    let module = state.module.as_ref().unwrap();
    let (slot, _) = module.find_token(&token.config).unwrap();
    let session = module.library().open_rw_session(slot).unwrap();
    session
        .login(UserType::So, Some(&so_pin.to_owned().into()))
        .unwrap();
    session.init_pin(&pin.to_owned().into()).unwrap();
}
