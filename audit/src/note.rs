//! C2SP signed notes: a text, a blank line, and signature lines.
//!
//! Follows c2sp.org/signed-note with two key types: Ed25519 (`0x01`) and, for HSMs without it, ECDSA
//! P-256 with SHA-256 (`0x02`, ASN.1 signatures, key id from the SPKI). Public witnesses need Ed25519.
//! Signatures by unknown keys are ignored, a wrong one by the known key refuses the note.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};

/// Everything before the point in the SPKI of a P-256 key.
const P256_SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

const TYPE_ED25519: u8 = 0x01;
const TYPE_ECDSA: u8 = 0x02;

/// The longest signed note that is read, in bytes: room for many witnesses.
pub(crate) const MAX_NOTE_BYTES: usize = 65_536;

/// The name of a log and of the key that signs for it: `dta/<authority id>`, a schema-less URL.
///
/// Every text that the node key signs for the log starts with it, so a checkpoint cannot be taken for
/// an unlock session or a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin(String);

impl Origin {
    /// The origin of an authority's log.
    pub fn of_authority(id: &[u8; 32]) -> Self {
        Self(format!("dta/{}", hex::encode(id)))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for Origin {
    type Err = VerifierKeyError;

    /// Any key name of 1 to 255 bytes that the note format allows.
    fn from_str(name: &str) -> Result<Self, VerifierKeyError> {
        let allowed = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
        match (1..=255).contains(&name.len()) && name.chars().all(allowed) {
            true => Ok(Self(name.to_owned())),
            false => Err(VerifierKeyError::Name),
        }
    }
}

/// The public key that signs a log's checkpoints, and the log's origin: the file `authority.vkey`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    origin: Origin,
    key: PublicKey,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum PublicKey {
    Ed25519([u8; 32]),
    P256([u8; 65]),
}

impl VerifierKey {
    /// From an Ed25519 public key, 32 bytes (RFC 8032).
    pub fn ed25519(origin: Origin, public_key: &[u8; 32]) -> Self {
        Self {
            origin,
            key: PublicKey::Ed25519(*public_key),
        }
    }

    /// From a P-256 public key, 65 bytes: `04 || x || y`.
    ///
    /// # Errors
    /// When the bytes do not begin with `04`.
    pub fn p256(origin: Origin, public_key: &[u8; 65]) -> Result<Self, VerifierKeyError> {
        match public_key[0] {
            4 => Ok(Self {
                origin,
                key: PublicKey::P256(*public_key),
            }),
            _ => Err(VerifierKeyError::KeyBytes),
        }
    }

    /// The log's origin, which is the key's name.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The content of `authority.vkey`. Ed25519: the C2SP line `<origin>+<key id>+<base64>`. P-256:
    /// the origin on a line of its own, then the SPKI as PEM, which PEM readers read as usual.
    pub fn to_file(&self) -> String {
        match &self.key {
            PublicKey::Ed25519(_) => format!("{self}\n"),
            PublicKey::P256(point) => {
                let body = BASE64.encode(spki(point));
                let (first, second) = body.split_at(64);
                format!(
                    "{}\n-----BEGIN PUBLIC KEY-----\n{first}\n{second}\n-----END PUBLIC KEY-----\n",
                    self.origin
                )
            }
        }
    }

    /// Reads the content of `authority.vkey`.
    ///
    /// # Errors
    /// When it is neither of the two forms.
    pub fn from_file(text: &str) -> Result<Self, VerifierKeyError> {
        let lines: Vec<&str> = text
            .lines()
            .map(str::trim_end)
            .filter(|l| !l.is_empty())
            .collect();
        match lines.as_slice() {
            [line] => line.parse(),
            [
                name,
                "-----BEGIN PUBLIC KEY-----",
                body @ ..,
                "-----END PUBLIC KEY-----",
            ] => Self::from_spki(name.parse()?, &decode(&body.concat())?),
            ["-----BEGIN PUBLIC KEY-----", ..] => Err(VerifierKeyError::Unnamed),
            _ => Err(VerifierKeyError::Form),
        }
    }

    fn from_spki(origin: Origin, der: &[u8]) -> Result<Self, VerifierKeyError> {
        let point = der
            .strip_prefix(&P256_SPKI_PREFIX)
            .ok_or(VerifierKeyError::KeyBytes)?;
        Self::p256(
            origin,
            point.try_into().map_err(|_| VerifierKeyError::KeyBytes)?,
        )
    }

    /// The four bytes that name the key in a signature line.
    pub fn key_id(&self) -> [u8; 4] {
        let digest = match &self.key {
            PublicKey::Ed25519(bytes) => Sha256::new()
                .chain_update(self.origin.as_str())
                .chain_update([b'\n', TYPE_ED25519])
                .chain_update(bytes)
                .finalize(),
            PublicKey::P256(point) => Sha256::digest(spki(point)),
        };
        [digest[0], digest[1], digest[2], digest[3]]
    }

    /// Puts a signature under a text and checks it: 64 bytes, Ed25519 or raw `r || s` of P-256 over
    /// SHA-256, as an HSM returns it.
    pub(crate) fn seal(&self, text: &str, signature: &[u8]) -> Result<String, NoteError> {
        let raw: &[u8; 64] = signature
            .try_into()
            .map_err(|_| NoteError::WrongSignature)?;
        let encoded = match self.key {
            PublicKey::Ed25519(_) => raw.to_vec(),
            PublicKey::P256(_) => ecdsa_der(raw),
        };
        self.check(text, &encoded)?;
        let line = BASE64.encode([self.key_id().as_slice(), &encoded].concat());
        Ok(format!("{text}\n\u{2014} {} {line}\n", self.origin))
    }

    /// Checks a signed note and returns its text.
    pub(crate) fn open<'a>(&self, note: &'a str) -> Result<&'a str, NoteError> {
        if note.len() > MAX_NOTE_BYTES || note.chars().any(|c| c < ' ' && c != '\n') {
            return Err(NoteError::Form);
        }
        let blank = note.rfind("\n\n").ok_or(NoteError::Form)?;
        let (text, signatures) = (&note[..=blank], &note[blank + 2..]);
        let lines = signatures.strip_suffix('\n').ok_or(NoteError::Form)?;
        let mut signed = false;
        for line in lines.split('\n') {
            let (name, id, signature) = parse_signature(line).ok_or(NoteError::Form)?;
            if name == self.origin.as_str() && id == self.key_id() {
                self.check(text, &signature)?;
                signed = true;
            }
        }
        match signed {
            true => Ok(text),
            false => Err(NoteError::Unsigned {
                name: self.origin.to_string(),
            }),
        }
    }

    fn check(&self, text: &str, signature: &[u8]) -> Result<(), NoteError> {
        match &self.key {
            PublicKey::Ed25519(bytes) => {
                UnparsedPublicKey::new(&ED25519, bytes).verify(text.as_bytes(), signature)
            }
            PublicKey::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point)
                .verify(text.as_bytes(), signature),
        }
        .map_err(|_| NoteError::WrongSignature)
    }
}

impl fmt::Display for VerifierKey {
    /// The C2SP verifier key, `<origin>+<key id>+<base64(type || public key)>`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoded = match &self.key {
            PublicKey::Ed25519(bytes) => [&[TYPE_ED25519], bytes.as_slice()].concat(),
            PublicKey::P256(point) => [&[TYPE_ECDSA], spki(point).as_slice()].concat(),
        };
        let id = hex::encode(self.key_id());
        write!(formatter, "{}+{id}+{}", self.origin, BASE64.encode(encoded))
    }
}

impl FromStr for VerifierKey {
    type Err = VerifierKeyError;

    fn from_str(line: &str) -> Result<Self, VerifierKeyError> {
        let mut parts = line.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(VerifierKeyError::Form);
        };
        let origin: Origin = name.parse()?;
        let verifier = match decode(key)?.as_slice() {
            [TYPE_ED25519, bytes @ ..] => {
                let bytes = bytes.try_into().map_err(|_| VerifierKeyError::KeyBytes)?;
                Self::ed25519(origin, bytes)
            }
            [TYPE_ECDSA, der @ ..] => Self::from_spki(origin, der)?,
            _ => return Err(VerifierKeyError::KeyType),
        };
        match hex::encode(verifier.key_id()) == id {
            true => Ok(verifier),
            false => Err(VerifierKeyError::KeyId),
        }
    }
}

fn decode(base64: &str) -> Result<Vec<u8>, VerifierKeyError> {
    BASE64.decode(base64).map_err(|_| VerifierKeyError::Form)
}

fn spki(point: &[u8; 65]) -> Vec<u8> {
    [P256_SPKI_PREFIX.as_slice(), point].concat()
}

fn parse_signature(line: &str) -> Option<(&str, [u8; 4], Vec<u8>)> {
    let (name, encoded) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
    let bytes = BASE64.decode(encoded).ok()?;
    let (id, signature) = bytes.split_first_chunk()?;
    let well_named = name.parse::<Origin>().is_ok() && !signature.is_empty();
    well_named.then(|| (name, *id, signature.to_vec()))
}

/// `SEQUENCE { INTEGER r, INTEGER s }`, each in its shortest form.
fn ecdsa_der(raw: &[u8; 64]) -> Vec<u8> {
    let mut body = Vec::with_capacity(70);
    for half in raw.chunks_exact(32) {
        let zeros = half.iter().take_while(|byte| **byte == 0).count().min(31);
        let digits = &half[zeros..];
        let padding = usize::from(digits[0] >= 0x80);
        body.extend_from_slice(&[0x02, (digits.len() + padding) as u8]);
        body.extend_from_slice(&[0][..padding]);
        body.extend_from_slice(digits);
    }
    [&[0x30, body.len() as u8], body.as_slice()].concat()
}

/// A verifier key cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifierKeyError {
    /// Neither a C2SP line nor a PEM file.
    #[error("expected a line NAME+KEYID+BASE64, or a name and a PEM public key")]
    Form,
    /// A PEM file without the name.
    #[error("the PEM public key has no line with the log's name before it")]
    Unnamed,
    /// The name has a space or a plus, or is empty or too long.
    #[error("a key name has 1 to 255 bytes and neither spaces nor a plus")]
    Name,
    /// Not Ed25519 or ECDSA.
    #[error("the key type is neither 1 (Ed25519) nor 2 (ECDSA P-256)")]
    KeyType,
    /// Not the bytes of such a key.
    #[error("the bytes are no public key of that type")]
    KeyBytes,
    /// The key id does not belong to the key.
    #[error("the key id does not belong to name and key: the line was changed")]
    KeyId,
}

/// A signed note is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not a signed note.
    #[error("it is not a C2SP signed note")]
    Form,
    /// Nobody we know signed it.
    #[error("it is not signed by the key of {name}")]
    Unsigned {
        /// The name of the key that should have signed.
        name: String,
    },
    /// The known key's signature does not verify.
    #[error("its signature does not verify: it was changed, or another key signed it")]
    WrongSignature,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    };

    // The example of golang.org/x/mod/sumdb/note, which the specification grew out of.
    const GO_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const GO_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\
        \n\
        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    #[test]
    fn the_note_of_the_go_implementation_opens() {
        let key: VerifierKey = GO_KEY.parse().unwrap();
        assert_eq!(key.to_string(), GO_KEY);
        assert!(
            key.open(GO_NOTE)
                .unwrap()
                .ends_with("what your problem is.\n")
        );
        let others = GO_NOTE.to_owned()
            + "\u{2014} EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX\
            +MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";
        assert!(
            key.open(&others).is_ok(),
            "a signature by an unknown key is ignored"
        );
    }

    #[test]
    fn every_changed_byte_of_a_note_is_refused() {
        let key: VerifierKey = GO_KEY.parse().unwrap();
        for at in 0..GO_NOTE.len() {
            let mut bytes = GO_NOTE.as_bytes().to_vec();
            bytes[at] ^= 1;
            let Ok(note) = String::from_utf8(bytes) else {
                continue;
            };
            assert!(key.open(&note).is_err(), "byte {at} changed: {note}");
        }
        let unsigned = GO_NOTE.replace("Peter", "Petra");
        assert_eq!(
            key.open(&unsigned).unwrap_err().to_string(),
            "it is not signed by the key of PeterNeumann"
        );
        assert_eq!(
            key.open(&GO_NOTE.replace("answer", "Answer"))
                .unwrap_err()
                .to_string(),
            "its signature does not verify: it was changed, or another key signed it"
        );
        assert_eq!(
            key.open("text\n").unwrap_err().to_string(),
            "it is not a C2SP signed note"
        );
    }

    #[test]
    fn notes_are_signed_and_opened_with_both_kinds_of_keys() {
        let origin = Origin::of_authority(&[7; 32]);
        let text = "dta/log\n0\n";
        let ed25519 = Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap();
        let public_key = ed25519.public_key().as_ref().try_into().unwrap();
        let key = VerifierKey::ed25519(origin.clone(), public_key);
        let note = key
            .seal(text, ed25519.sign(text.as_bytes()).as_ref())
            .unwrap();
        assert_eq!(key.open(&note), Ok(text));
        assert_eq!(
            key.to_file().parse::<VerifierKey>(),
            Err(VerifierKeyError::Form)
        );
        assert_eq!(VerifierKey::from_file(&key.to_file()), Ok(key.clone()));

        // Many signatures, so that short and padded halves occur.
        let p256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = p256.public_key().as_ref().try_into().unwrap();
        let other = VerifierKey::p256(origin, point).unwrap();
        for number in 0..600 {
            let text = format!("dta/log\n{number}\n");
            let signature = p256.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
            let note = other.seal(&text, signature.as_ref()).unwrap();
            assert_eq!(other.open(&note), Ok(text.as_str()));
        }
        assert_eq!(VerifierKey::from_file(&other.to_file()), Ok(other.clone()));
        assert_eq!(other.to_string().parse(), Ok(other.clone()));
        assert!(other.to_file().starts_with("dta/0707"));

        assert_eq!(key.seal(text, &[0; 64]), Err(NoteError::WrongSignature));
        assert_eq!(key.seal(text, &[0; 63]), Err(NoteError::WrongSignature));
        assert!(matches!(other.open(&note), Err(NoteError::Unsigned { .. })));
    }

    #[test]
    fn der_integers_take_their_shortest_form() {
        let mut raw = [0; 64];
        raw[31] = 0x7f;
        raw[32] = 0x80;
        let der = ecdsa_der(&raw);
        assert_eq!(hex::encode(&der[..8]), "302602017f022100");
        assert_eq!(der.len(), 2 + 0x26);
        assert_eq!(hex::encode(ecdsa_der(&[0; 64])), "3006020100020100");
    }

    #[test]
    fn a_verifier_key_that_was_changed_is_refused() {
        let said = |text: &str| VerifierKey::from_file(text).unwrap_err().to_string();
        assert_eq!(
            said(&GO_KEY.replace("Peter", "Petra")),
            "the key id does not belong to name and key: the line was changed"
        );
        assert_eq!(
            said("a b+00000000+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"),
            "a key name has 1 to 255 bytes and neither spaces nor a plus"
        );
        assert_eq!(
            said("a+00000000+BA=="),
            "the key type is neither 1 (Ed25519) nor 2 (ECDSA P-256)"
        );
        assert_eq!(
            said("a+00000000+AQ=="),
            "the bytes are no public key of that type"
        );
        let form = "expected a line NAME+KEYID+BASE64, or a name and a PEM public key";
        for text in ["", "a", "a+00000000+***", "a\nb\n"] {
            assert_eq!(said(text), form);
        }
        assert_eq!(
            said("-----BEGIN PUBLIC KEY-----\nMA==\n-----END PUBLIC KEY-----\n"),
            "the PEM public key has no line with the log's name before it"
        );
    }
}
