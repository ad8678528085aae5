//! Keys by label: find exactly one, check its attributes before it is used, make, destroy.

use std::collections::HashMap;

use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use crate::error::HsmError;
use crate::types::{KeyLabel, NodeKeyAlg};

use super::fault::{Fault, is_unsupported};
use super::{Login, sealing};

/// Bytes of an AES-256 key.
const SEAL_KEY_BYTES: u64 = 32;

/// Keys whose attributes were checked in this session.
#[derive(Default)]
pub(super) struct CheckedKeys {
    pub(super) seal: HashMap<KeyLabel, ObjectHandle>,
    pub(super) node: HashMap<KeyLabel, (ObjectHandle, NodeKeyAlg)>,
}

/// What a key must say about itself.
pub(super) struct Expected {
    /// Must be reported true.
    pub(super) yes: &'static [AttributeType],
    /// Must be reported false.
    pub(super) no: &'static [AttributeType],
    /// Must not be reported true; a token need not know them.
    pub(super) never: &'static [AttributeType],
}

const SEAL_KEY: Expected = Expected {
    yes: &[
        AttributeType::Token,
        AttributeType::Private,
        AttributeType::Sensitive,
        AttributeType::AlwaysSensitive,
        AttributeType::NeverExtractable,
        AttributeType::Local,
        AttributeType::Encrypt,
        AttributeType::Decrypt,
    ],
    no: &[AttributeType::Extractable],
    never: &[
        AttributeType::Wrap,
        AttributeType::Unwrap,
        AttributeType::Sign,
        AttributeType::Verify,
        AttributeType::Derive,
    ],
};

/// Makes the key, reads its attributes back and uses it once.
pub(super) fn create_seal_key(login: &mut Login, label: &KeyLabel) -> Result<(), Fault> {
    refuse_taken(&login.session, label)?;
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::ValueLen(SEAL_KEY_BYTES.into()),
        Attribute::Label(label.as_str().into()),
        Attribute::Id(label.as_str().into()),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Modifiable(false),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
        Attribute::Wrap(false),
        Attribute::Unwrap(false),
        Attribute::Sign(false),
        Attribute::Verify(false),
        Attribute::Derive(false),
    ];
    let made = login.session.generate_key(&Mechanism::AesKeyGen, &template);
    let key = made.map_err(|e| needs(login, "CKM_AES_KEY_GEN with a 256-bit key", e))?;
    let checked =
        check_seal_key(&login.session, key, label).and_then(|()| sealing::round_trip(login, key));
    if let Err(fault) = checked {
        login.session.destroy_object(key)?;
        return Err(fault);
    }
    login.keys.seal.insert(label.clone(), key);
    Ok(())
}

/// The seal key of that label, its attributes checked at the first use in this session.
pub(super) fn seal_key(login: &mut Login, label: &KeyLabel) -> Result<ObjectHandle, Fault> {
    if let Some(key) = login.keys.seal.get(label) {
        return Ok(*key);
    }
    let key = find_one(&login.session, ObjectClass::SECRET_KEY, "seal key", label)?;
    check_seal_key(&login.session, key, label)?;
    login.keys.seal.insert(label.clone(), key);
    Ok(key)
}

pub(super) fn seal_key_exists(login: &Login, label: &KeyLabel) -> Result<bool, Fault> {
    Ok(!find_all(&login.session, ObjectClass::SECRET_KEY, label)?.is_empty())
}

/// Destroys every secret, private and public key of that label; says how many.
pub(super) fn destroy(login: &mut Login, label: &KeyLabel) -> Result<usize, Fault> {
    login.keys.seal.remove(label);
    login.keys.node.remove(label);
    let mut destroyed = 0;
    for class in [
        ObjectClass::SECRET_KEY,
        ObjectClass::PRIVATE_KEY,
        ObjectClass::PUBLIC_KEY,
    ] {
        for key in find_all(&login.session, class, label)? {
            login.session.destroy_object(key)?;
            destroyed += 1;
        }
    }
    Ok(destroyed)
}

/// Nothing is overwritten: any object of that label, whatever its class, is in the way.
pub(super) fn refuse_taken(session: &Session, label: &KeyLabel) -> Result<(), Fault> {
    let template = [
        Attribute::Token(true),
        Attribute::Label(label.as_str().into()),
    ];
    if session.find_objects(&template)?.is_empty() {
        return Ok(());
    }
    Err(HsmError::AlreadyExists {
        label: label.to_string(),
    }
    .into())
}

/// The one object of that class and label.
pub(super) fn find_one(
    session: &Session,
    class: ObjectClass,
    what: &str,
    label: &KeyLabel,
) -> Result<ObjectHandle, Fault> {
    let (what, name) = (what.to_owned(), label.to_string());
    match find_all(session, class, label)?.as_slice() {
        [] => Err(HsmError::KeyMissing { what, label: name }.into()),
        [one] => Ok(*one),
        many => Err(HsmError::AmbiguousKey {
            what,
            label: name,
            count: many.len(),
        }
        .into()),
    }
}

pub(super) fn find_all(
    session: &Session,
    class: ObjectClass,
    label: &KeyLabel,
) -> Result<Vec<ObjectHandle>, Fault> {
    let template = [
        Attribute::Token(true),
        Attribute::Class(class),
        Attribute::Label(label.as_str().into()),
    ];
    Ok(session.find_objects(&template)?)
}

/// Compares the attributes that the token reports with those the key must have.
pub(super) fn check_flags(
    session: &Session,
    key: ObjectHandle,
    label: &KeyLabel,
    expected: &Expected,
) -> Result<(), Fault> {
    let all = [expected.yes, expected.no, expected.never].concat();
    let reported: HashMap<AttributeType, bool> = session
        .get_attributes(key, &all)?
        .iter()
        .filter_map(|attribute| Some((attribute.attribute_type(), flag(attribute)?)))
        .collect();
    let value = |name: &AttributeType| reported.get(name).copied();
    let mut problems = Vec::new();
    for name in expected.yes {
        problems.extend(differs(*name, value(name), true));
    }
    for name in expected.no {
        problems.extend(differs(*name, value(name), false));
    }
    for name in expected.never {
        problems.extend(differs(*name, value(name).or(Some(false)), false));
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(HsmError::UnsafeKey {
        label: label.to_string(),
        problem: problems.join(", "),
    }
    .into())
}

/// `CKR_MECHANISM_INVALID` and its like become the name of what is missing.
pub(super) fn needs(login: &Login, mechanism: &str, error: cryptoki::error::Error) -> Fault {
    if !is_unsupported(&error) {
        return error.into();
    }
    HsmError::MechanismUnsupported {
        token: login.id.clone(),
        mechanism: mechanism.to_owned(),
    }
    .into()
}

fn check_seal_key(session: &Session, key: ObjectHandle, label: &KeyLabel) -> Result<(), Fault> {
    check_flags(session, key, label, &SEAL_KEY)?;
    let attributes =
        session.get_attributes(key, &[AttributeType::KeyType, AttributeType::ValueLen])?;
    let is_aes = attributes.contains(&Attribute::KeyType(KeyType::AES));
    let is_256 = attributes.contains(&Attribute::ValueLen(SEAL_KEY_BYTES.into()));
    if is_aes && is_256 {
        return Ok(());
    }
    let problem = "it is not a 256-bit AES key".to_owned();
    Err(HsmError::UnsafeKey {
        label: label.to_string(),
        problem,
    }
    .into())
}

fn differs(name: AttributeType, reported: Option<bool>, expected: bool) -> Option<String> {
    match reported {
        Some(value) if value == expected => None,
        Some(value) => Some(format!("{name} is {value}, expected {expected}")),
        None => Some(format!("{name} is not reported, expected {expected}")),
    }
}

fn flag(attribute: &Attribute) -> Option<bool> {
    match attribute {
        Attribute::Token(value)
        | Attribute::Private(value)
        | Attribute::Sensitive(value)
        | Attribute::AlwaysSensitive(value)
        | Attribute::Extractable(value)
        | Attribute::NeverExtractable(value)
        | Attribute::Local(value)
        | Attribute::Encrypt(value)
        | Attribute::Decrypt(value)
        | Attribute::Wrap(value)
        | Attribute::Unwrap(value)
        | Attribute::Sign(value)
        | Attribute::SignRecover(value)
        | Attribute::Verify(value)
        | Attribute::Derive(value) => Some(*value),
        _ => None,
    }
}
