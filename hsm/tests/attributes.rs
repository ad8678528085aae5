//! What the keys made here let nobody do, not even somebody with the PIN and the vendor's library.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use hsm::harness::{self, SoftHsm};

hsm::enable_test_server!();

const PROBE_VARIABLE: &str = "DTA_HSM_TEST_PIN_FILE";

#[test]
fn keys_cannot_leave_the_token_even_with_the_pin_in_hand() {
    let mut softhsm = SoftHsm::start();
    let client = softhsm.client();
    client.create_seal_key("seal-1").unwrap();
    client.create_node_key("node-1").unwrap();
    softhsm.stop();
    let (name, value) = softhsm.environment();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["thief", "--exact", "--nocapture"])
        .env(name, value)
        .env(PROBE_VARIABLE, softhsm.pin_file())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Not a test of its own: uses the library directly, in a process with the token's SOFTHSM2_CONF.
#[test]
fn thief() {
    let Some(pin_file) = std::env::var_os(PROBE_VARIABLE) else {
        return;
    };
    let pin = std::fs::read_to_string(pin_file).unwrap();
    let pkcs11 = Pkcs11::new(harness::softhsm_module().unwrap()).unwrap();
    pkcs11
        .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
        .unwrap();
    let slot = pkcs11.get_slots_with_initialized_token().unwrap()[0];
    let session = pkcs11.open_rw_session(slot).unwrap();
    session
        .login(UserType::User, Some(&AuthPin::from(pin)))
        .unwrap();
    let seal = find(&session, ObjectClass::SECRET_KEY, "seal-1");
    let node = find(&session, ObjectClass::PRIVATE_KEY, "node-1");
    for key in [seal, node] {
        cannot_be_read(&session, key);
        cannot_be_wrapped(&session, key);
        cannot_be_changed(&session, key);
        cannot_be_copied_into_the_open(&session, key);
    }
    cannot_wrap_others(&session, seal);
}

fn cannot_be_read(session: &Session, key: ObjectHandle) {
    // SoftHSM2 answers Ok with an empty list; other tokens refuse.
    let values = session
        .get_attributes(key, &[AttributeType::Value])
        .unwrap_or_default();
    assert!(
        values.is_empty(),
        "the token gave away {} attributes",
        values.len()
    );
}

fn cannot_be_wrapped(session: &Session, key: ObjectHandle) {
    let wrapping = session
        .generate_key(
            &Mechanism::AesKeyGen,
            &[
                Attribute::KeyType(KeyType::AES),
                Attribute::ValueLen(32.into()),
                Attribute::Wrap(true),
            ],
        )
        .unwrap();
    let refused = session
        .wrap_key(&Mechanism::AesKeyWrapPad, wrapping, key)
        .unwrap_err();
    assert!(
        matches!(refused, Error::Pkcs11(RvError::KeyUnextractable, _)),
        "{refused}"
    );
}

fn cannot_be_changed(session: &Session, key: ObjectHandle) {
    for change in [
        Attribute::Extractable(true),
        Attribute::Sensitive(false),
        Attribute::Wrap(true),
        Attribute::Derive(true),
        Attribute::Label("another".into()),
    ] {
        let refused = session.update_attributes(key, std::slice::from_ref(&change));
        assert!(refused.is_err(), "{change:?} was accepted");
    }
}

fn cannot_be_copied_into_the_open(session: &Session, key: ObjectHandle) {
    let open = [Attribute::Extractable(true), Attribute::Sensitive(false)];
    assert!(session.copy_object(key, &open).is_err());
}

fn cannot_wrap_others(session: &Session, seal: ObjectHandle) {
    let other = session
        .generate_key(
            &Mechanism::AesKeyGen,
            &[
                Attribute::KeyType(KeyType::AES),
                Attribute::ValueLen(32.into()),
                Attribute::Extractable(true),
            ],
        )
        .unwrap();
    assert!(
        session
            .wrap_key(&Mechanism::AesKeyWrapPad, seal, other)
            .is_err()
    );
}

fn find(session: &Session, class: ObjectClass, label: &str) -> ObjectHandle {
    let template = [Attribute::Class(class), Attribute::Label(label.into())];
    let found = session.find_objects(&template).unwrap();
    assert_eq!(found.len(), 1);
    found[0]
}
