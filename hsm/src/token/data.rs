//! Small private data objects (`CKO_DATA`): what must not roll back together with the disk.

use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};

use crate::error::HsmError;
use crate::types::KeyLabel;

use super::Login;
use super::fault::Fault;
use super::keys::{find_all, find_one, refuse_taken};

const WHAT: &str = "data object";

/// Creates the object or replaces its value in one call, then reads it back.
pub(super) fn put(login: &Login, label: &KeyLabel, bytes: &[u8]) -> Result<(), Fault> {
    let session = &login.session;
    if find_all(session, ObjectClass::DATA, label)?.is_empty() {
        refuse_taken(session, label)?;
        session.create_object(&[
            Attribute::Class(ObjectClass::DATA),
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Modifiable(true),
            Attribute::Application(b"dta".into()),
            Attribute::Label(label.as_str().into()),
            Attribute::Value(bytes.into()),
        ])?;
    } else {
        let object = find_one(session, ObjectClass::DATA, WHAT, label)?;
        session.update_attributes(object, &[Attribute::Value(bytes.into())])?;
    }
    if get(login, label)? == bytes {
        return Ok(());
    }
    let problem = format!(
        "the data object {label:?} reads back other than written",
        label = label.as_str()
    );
    Err(Fault::Lost { problem })
}

pub(super) fn get(login: &Login, label: &KeyLabel) -> Result<Vec<u8>, Fault> {
    let object = find_one(&login.session, ObjectClass::DATA, WHAT, label)?;
    value(login, object)?.ok_or_else(|| {
        HsmError::KeyMissing {
            what: WHAT.to_owned(),
            label: label.to_string(),
        }
        .into()
    })
}

fn value(login: &Login, object: ObjectHandle) -> Result<Option<Vec<u8>>, Fault> {
    let attributes = login
        .session
        .get_attributes(object, &[AttributeType::Value])?;
    Ok(attributes
        .into_iter()
        .find_map(|attribute| match attribute {
            Attribute::Value(bytes) => Some(bytes),
            _ => None,
        }))
}
