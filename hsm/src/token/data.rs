//! Small private data objects (`CKO_DATA`): what must not roll back together with the disk.
//!
//! Tokens do not let a value be changed in place (SoftHSM2: `CKR_ATTRIBUTE_READ_ONLY`), so a new
//! object is made before the old one goes. `CKA_APPLICATION` counts the versions, `dta:1`, `dta:2`
//! and so on: when a crash leaves two behind, the higher one counts and the next write clears up.

use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};

use crate::error::HsmError;
use crate::types::KeyLabel;

use super::Login;
use super::fault::Fault;
use super::keys::{find_all, refuse_taken};

/// One object of a label.
struct Version {
    object: ObjectHandle,
    number: u64,
    value: Vec<u8>,
}

/// Writes the next version, reads it back, then destroys the earlier ones.
pub(super) fn put(login: &Login, label: &KeyLabel, bytes: &[u8]) -> Result<(), Fault> {
    let session = &login.session;
    let earlier = versions(login, label)?;
    if earlier.is_empty() {
        refuse_taken(session, label)?;
    }
    let number = earlier
        .iter()
        .map(|version| version.number)
        .max()
        .unwrap_or(0)
        + 1;
    create(login, label, number, bytes)?;
    if get(login, label)? != bytes {
        let problem = format!(
            "the data object {:?} reads back other than written",
            label.as_str()
        );
        return Err(Fault::Lost { problem });
    }
    for version in earlier {
        session.destroy_object(version.object)?;
    }
    Ok(())
}

/// Makes version `number` beside any other.
pub(super) fn create(
    login: &Login,
    label: &KeyLabel,
    number: u64,
    bytes: &[u8],
) -> Result<(), Fault> {
    login.session.create_object(&[
        Attribute::Class(ObjectClass::DATA),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Modifiable(false),
        Attribute::Application(format!("dta:{number}").into()),
        Attribute::Label(label.as_str().into()),
        Attribute::Value(bytes.into()),
    ])?;
    Ok(())
}

/// The value of the highest version.
pub(super) fn get(login: &Login, label: &KeyLabel) -> Result<Vec<u8>, Fault> {
    let newest = versions(login, label)?
        .into_iter()
        .max_by_key(|version| version.number);
    newest.map(|version| version.value).ok_or_else(|| {
        let what = "data object".to_owned();
        HsmError::KeyMissing {
            what,
            label: label.to_string(),
        }
        .into()
    })
}

fn versions(login: &Login, label: &KeyLabel) -> Result<Vec<Version>, Fault> {
    let objects = find_all(&login.session, ObjectClass::DATA, label)?;
    objects
        .into_iter()
        .map(|object| version(login, object))
        .collect()
}

/// An object that somebody else made has version 0: any of ours counts more.
fn version(login: &Login, object: ObjectHandle) -> Result<Version, Fault> {
    let wanted = [AttributeType::Application, AttributeType::Value];
    let mut version = Version {
        object,
        number: 0,
        value: Vec::new(),
    };
    for attribute in login.session.get_attributes(object, &wanted)? {
        match attribute {
            Attribute::Application(name) => version.number = number_of(&name).unwrap_or(0),
            Attribute::Value(value) => version.value = value,
            _ => {}
        }
    }
    Ok(version)
}

fn number_of(application: &[u8]) -> Option<u64> {
    std::str::from_utf8(application)
        .ok()?
        .strip_prefix("dta:")?
        .parse()
        .ok()
}
