//! The node key: Ed25519 where the token can, else ECDSA P-256.
//!
//! The first use in a session checks the private key's attributes and that a signature verifies
//! outside the token under the public key that the token shows.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use cryptoki::error::Error;
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use sha2::{Digest, Sha256};

use crate::error::HsmError;
use crate::types::{KeyLabel, NodeKey, NodeKeyAlg};

use super::Login;
use super::fault::{Fault, is_unsupported};
use super::keys::{Expected, check_flags, find_one, needs, refuse_taken};

/// DER of the object identifier of Ed25519 (RFC 8410): 1.3.101.112.
const ED25519_OID: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
/// The other spelling that PKCS#11 3.0 allows: PrintableString `edwards25519`.
const ED25519_NAME: &[u8] = b"\x13\x0cedwards25519";
/// DER of the object identifier of P-256 (RFC 5480): 1.2.840.10045.3.1.7.
const P256_OID: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

const ED25519_KEY_BYTES: usize = 32;
const P256_POINT_BYTES: usize = 65;
const SIGNATURE_BYTES: usize = 64;
/// Signed only to see whether the key works; no other message of the project begins like this.
const SELF_TEST: &[u8] = b"dta node key self-test v1\n";
const WHAT: &str = "node key";

const NODE_KEY: Expected = Expected {
    yes: &[
        AttributeType::Token,
        AttributeType::Private,
        AttributeType::Sensitive,
        AttributeType::AlwaysSensitive,
        AttributeType::NeverExtractable,
        AttributeType::Local,
        AttributeType::Sign,
    ],
    no: &[AttributeType::Extractable],
    never: &[
        AttributeType::Decrypt,
        AttributeType::Unwrap,
        AttributeType::SignRecover,
        AttributeType::Derive,
    ],
};

/// Makes a key pair with the first of `algs` that the token accepts.
pub(super) fn create(
    login: &mut Login,
    label: &KeyLabel,
    algs: &[NodeKeyAlg],
) -> Result<NodeKey, Fault> {
    refuse_taken(&login.session, label)?;
    let spellings = algs.iter().flat_map(|alg| match alg {
        NodeKeyAlg::Ed25519 => {
            vec![
                (Mechanism::EccEdwardsKeyPairGen, ED25519_OID),
                (Mechanism::EccEdwardsKeyPairGen, ED25519_NAME),
            ]
        }
        NodeKeyAlg::EcdsaP256 => vec![(Mechanism::EccKeyPairGen, P256_OID)],
    });
    for (mechanism, curve) in spellings {
        match generate(login, label, &mechanism, curve) {
            Ok(pair) => return accept(login, label, pair),
            Err(e) if is_unsupported(&e) => {}
            Err(e) => return Err(e.into()),
        }
    }
    let mechanism = "CKM_EDDSA with Ed25519 or CKM_ECDSA with P-256".to_owned();
    Err(HsmError::MechanismUnsupported {
        token: login.id.clone(),
        mechanism,
    }
    .into())
}

/// The public half, after the check of the first use in this session.
pub(super) fn find(login: &mut Login, label: &KeyLabel) -> Result<NodeKey, Fault> {
    let public = find_one(&login.session, ObjectClass::PUBLIC_KEY, WHAT, label)?;
    let (private, alg) = private_key(login, label)?;
    let key = NodeKey {
        alg,
        public_key: public_key(login, public, alg, label)?,
    };
    if !login.keys.node.contains_key(label) {
        self_test(login, label, private, &key)?;
        login.keys.node.insert(label.clone(), (private, alg));
    }
    Ok(key)
}

/// 64 bytes: Ed25519, or `r || s` over SHA-256.
pub(super) fn sign(login: &mut Login, label: &KeyLabel, message: &[u8]) -> Result<Vec<u8>, Fault> {
    if !login.keys.node.contains_key(label) {
        find(login, label)?;
    }
    let (key, alg) = private_key(login, label)?;
    sign_with(login, key, alg, message)
}

fn generate(
    login: &Login,
    label: &KeyLabel,
    mechanism: &Mechanism,
    curve: &[u8],
) -> Result<(ObjectHandle, ObjectHandle), Error> {
    let name: Vec<u8> = label.as_str().into();
    let public = [
        Attribute::Label(name.clone()),
        Attribute::Id(name.clone()),
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Modifiable(false),
        Attribute::EcParams(curve.to_vec()),
        Attribute::Verify(true),
    ];
    let private = [
        Attribute::Label(name.clone()),
        Attribute::Id(name),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Modifiable(false),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        Attribute::SignRecover(false),
        Attribute::Decrypt(false),
        Attribute::Unwrap(false),
        Attribute::Derive(false),
    ];
    login
        .session
        .generate_key_pair(mechanism, &public, &private)
}

/// Checks a new pair as at any first use; destroys it when it is not what was asked for.
fn accept(
    login: &mut Login,
    label: &KeyLabel,
    (public, private): (ObjectHandle, ObjectHandle),
) -> Result<NodeKey, Fault> {
    let checked = find(login, label);
    if checked.is_err() {
        login.session.destroy_object(public)?;
        login.session.destroy_object(private)?;
    }
    checked
}

/// The private key and its algorithm, its attributes checked unless that was done in this session.
fn private_key(login: &Login, label: &KeyLabel) -> Result<(ObjectHandle, NodeKeyAlg), Fault> {
    if let Some(checked) = login.keys.node.get(label) {
        return Ok(*checked);
    }
    let session = &login.session;
    let key = find_one(session, ObjectClass::PRIVATE_KEY, WHAT, label)?;
    check_flags(session, key, label, &NODE_KEY)?;
    let attributes =
        session.get_attributes(key, &[AttributeType::KeyType, AttributeType::EcParams])?;
    let is_on = |curve: &[u8]| attributes.contains(&Attribute::EcParams(curve.to_vec()));
    let is_edwards = attributes.contains(&Attribute::KeyType(KeyType::EC_EDWARDS));
    if is_edwards && (is_on(ED25519_OID) || is_on(ED25519_NAME)) {
        return Ok((key, NodeKeyAlg::Ed25519));
    }
    if attributes.contains(&Attribute::KeyType(KeyType::EC)) && is_on(P256_OID) {
        return Ok((key, NodeKeyAlg::EcdsaP256));
    }
    Err(unsafe_key(
        label,
        "it is neither an Ed25519 nor a P-256 key",
    ))
}

fn public_key(
    login: &Login,
    public: ObjectHandle,
    alg: NodeKeyAlg,
    label: &KeyLabel,
) -> Result<Vec<u8>, Fault> {
    let attributes = login
        .session
        .get_attributes(public, &[AttributeType::EcPoint])?;
    let point = attributes.iter().find_map(|attribute| match attribute {
        Attribute::EcPoint(point) => decode_point(point, alg),
        _ => None,
    });
    point.ok_or_else(|| unsafe_key(label, "its public key (CKA_EC_POINT) has an unknown form"))
}

/// `CKA_EC_POINT`: by the standard a DER OCTET STRING, by some tokens a BIT STRING or bare.
fn decode_point(encoded: &[u8], alg: NodeKeyAlg) -> Option<Vec<u8>> {
    let length = match alg {
        NodeKeyAlg::Ed25519 => ED25519_KEY_BYTES,
        NodeKeyAlg::EcdsaP256 => P256_POINT_BYTES,
    };
    let octets = [0x04, u8::try_from(length).ok()?];
    let bits = [0x03, u8::try_from(length + 1).ok()?, 0x00];
    let point = match encoded {
        bare if bare.len() == length => bare,
        _ => encoded
            .strip_prefix(&octets)
            .or_else(|| encoded.strip_prefix(&bits))?,
    };
    let is_uncompressed = alg == NodeKeyAlg::Ed25519 || point.first() == Some(&0x04);
    (point.len() == length && is_uncompressed).then(|| point.to_vec())
}

fn sign_with(
    login: &Login,
    key: ObjectHandle,
    alg: NodeKeyAlg,
    message: &[u8],
) -> Result<Vec<u8>, Fault> {
    let (signed, mechanism) = match alg {
        NodeKeyAlg::Ed25519 => {
            let pure = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure));
            (login.session.sign(&pure, key, message), "CKM_EDDSA")
        }
        NodeKeyAlg::EcdsaP256 => {
            let digest = Sha256::digest(message);
            (
                login.session.sign(&Mechanism::Ecdsa, key, &digest),
                "CKM_ECDSA",
            )
        }
    };
    let signature = signed.map_err(|e| needs(login, mechanism, e))?;
    if signature.len() == SIGNATURE_BYTES {
        return Ok(signature);
    }
    let mechanism = format!("{mechanism} with a signature of 64 bytes");
    Err(HsmError::MechanismUnsupported {
        token: login.id.clone(),
        mechanism,
    }
    .into())
}

fn self_test(
    login: &Login,
    label: &KeyLabel,
    private: ObjectHandle,
    key: &NodeKey,
) -> Result<(), Fault> {
    let signature = sign_with(login, private, key.alg, SELF_TEST)?;
    let verified = match key.alg {
        NodeKeyAlg::Ed25519 => {
            UnparsedPublicKey::new(&ED25519, &key.public_key).verify(SELF_TEST, &signature)
        }
        NodeKeyAlg::EcdsaP256 => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &key.public_key)
            .verify(SELF_TEST, &signature),
    };
    verified.map_err(|_| unsafe_key(label, "its signature does not verify under its public key"))
}

fn unsafe_key(label: &KeyLabel, problem: &str) -> Fault {
    HsmError::UnsafeKey {
        label: label.to_string(),
        problem: problem.to_owned(),
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_form_of_a_public_point_is_read() {
        let key = [7; 32];
        let forms = [
            key.to_vec(),
            [&[4, 32][..], &key].concat(),
            [&[3, 33, 0][..], &key].concat(),
        ];
        for form in forms {
            assert_eq!(decode_point(&form, NodeKeyAlg::Ed25519).unwrap(), key);
        }
        let point = [&[4][..], &[9; 64]].concat();
        let forms = [
            point.clone(),
            [&[4, 65][..], &point].concat(),
            [&[3, 66, 0][..], &point].concat(),
        ];
        for form in forms {
            assert_eq!(decode_point(&form, NodeKeyAlg::EcdsaP256).unwrap(), point);
        }
    }

    #[test]
    fn a_point_of_another_length_or_compressed_is_refused() {
        assert_eq!(decode_point(&[7; 31], NodeKeyAlg::Ed25519), None);
        assert_eq!(
            decode_point(&[&[4, 32][..], &[7; 33]].concat(), NodeKeyAlg::Ed25519),
            None
        );
        assert_eq!(decode_point(&[2; 65], NodeKeyAlg::EcdsaP256), None);
        assert_eq!(decode_point(&[], NodeKeyAlg::EcdsaP256), None);
    }
}
