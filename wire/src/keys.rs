//! Signature keys of customers and nodes: Ed25519 (RFC 8032) and ECDSA over P-256 with SHA-256
//! (FIPS 186-5, signatures as raw `r || s`).
//!
//! A [`VerifyingKey`] cannot hold bytes that are not a public key of its algorithm. A
//! [`SigningKey`] is never `Clone`, never serialised but as PKCS#8 on request, and wiped on drop by
//! the library that holds it. Nothing here reads files or picks random numbers by another
//! generator than the library's own.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair,
    Ed25519KeyPair, KeyPair as _, ParsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Length of every signature made or checked here: Ed25519 `R || S`, P-256 `r || s`.
pub const SIGNATURE_LEN: usize = 64;

/// A signature algorithm, under its name in the RFC 9421 registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Ed25519, RFC 8032 section 5.1.6, no prehash.
    Ed25519,
    /// ECDSA over P-256 with SHA-256, signature as raw `r || s`.
    EcdsaP256Sha256,
}

impl Algorithm {
    /// The name in the RFC 9421 registry: `ed25519` or `ecdsa-p256-sha256`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Algorithm::Ed25519 => "ed25519",
            Algorithm::EcdsaP256Sha256 => "ecdsa-p256-sha256",
        }
    }

    /// The algorithm with this name in the RFC 9421 registry.
    pub fn from_name(name: &str) -> Option<Algorithm> {
        [Algorithm::Ed25519, Algorithm::EcdsaP256Sha256]
            .into_iter()
            .find(|algorithm| algorithm.as_str() == name)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A public key with its algorithm.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum VerifyingKey {
    /// 32 bytes, RFC 8032.
    Ed25519([u8; 32]),
    /// 65 bytes, SEC 1 uncompressed: `04 || x || y`, a point of the curve.
    EcdsaP256([u8; 65]),
}

impl VerifyingKey {
    /// From the 32 bytes of RFC 8032.
    ///
    /// # Errors
    /// [`KeyError::SmallOrder`] for the points under which anybody can make signatures.
    pub fn from_ed25519(bytes: [u8; 32]) -> Result<VerifyingKey, KeyError> {
        if is_small_order(&bytes) {
            return Err(KeyError::SmallOrder);
        }
        ParsedPublicKey::new(&ED25519, bytes).map_err(|_| KeyError::NotAPoint)?;
        Ok(VerifyingKey::Ed25519(bytes))
    }

    /// From the 65 bytes `04 || x || y` of SEC 1.
    ///
    /// # Errors
    /// [`KeyError::NotAPoint`] if that is not a point of P-256.
    pub fn from_p256(bytes: [u8; 65]) -> Result<VerifyingKey, KeyError> {
        if bytes[0] != 4 {
            return Err(KeyError::NotAPoint);
        }
        ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, bytes).map_err(|_| KeyError::NotAPoint)?;
        Ok(VerifyingKey::EcdsaP256(bytes))
    }

    /// From raw bytes: 32 are Ed25519, 65 starting with `04` are P-256.
    ///
    /// # Errors
    /// [`KeyError::Length`] for other lengths, else as the two constructors above.
    pub fn from_raw(bytes: &[u8]) -> Result<VerifyingKey, KeyError> {
        if let Ok(ed25519) = <[u8; 32]>::try_from(bytes) {
            return Self::from_ed25519(ed25519);
        }
        match <[u8; 65]>::try_from(bytes) {
            Ok(p256) => Self::from_p256(p256),
            Err(_) => Err(KeyError::Length { got: bytes.len() }),
        }
    }

    /// From raw bytes in hex: 64 digits are Ed25519, 130 are P-256.
    ///
    /// # Errors
    /// [`KeyError::Hex`], else as [`Self::from_raw`].
    pub fn from_hex(text: &str) -> Result<VerifyingKey, KeyError> {
        Self::from_raw(&hex::decode(text).map_err(|_| KeyError::Hex)?)
    }

    /// From a DER `SubjectPublicKeyInfo` (RFC 8410; RFC 5480 with the named curve and an
    /// uncompressed point): exactly the encoding that [`Self::to_spki_der`] gives.
    ///
    /// # Errors
    /// [`KeyError::Spki`] for every other encoding or algorithm.
    pub fn from_spki_der(der: &[u8]) -> Result<VerifyingKey, KeyError> {
        if let Some(raw) = der.strip_prefix(&ED25519_SPKI_PREFIX[..]) {
            let raw = <[u8; 32]>::try_from(raw).map_err(|_| KeyError::Spki)?;
            return Self::from_ed25519(raw);
        }
        let raw = der
            .strip_prefix(&P256_SPKI_PREFIX[..])
            .ok_or(KeyError::Spki)?;
        Self::from_p256(<[u8; 65]>::try_from(raw).map_err(|_| KeyError::Spki)?)
    }

    /// From a PEM `PUBLIC KEY` (RFC 7468 section 13).
    ///
    /// # Errors
    /// [`KeyError::Pem`] or as [`Self::from_spki_der`].
    pub fn from_pem(pem: &str) -> Result<VerifyingKey, KeyError> {
        Self::from_spki_der(&decode_pem(pem, "PUBLIC KEY")?)
    }

    /// The key as DER `SubjectPublicKeyInfo`: 44 bytes for Ed25519, 91 for P-256.
    pub fn to_spki_der(&self) -> Vec<u8> {
        let prefix = match self {
            VerifyingKey::Ed25519(_) => &ED25519_SPKI_PREFIX[..],
            VerifyingKey::EcdsaP256(_) => &P256_SPKI_PREFIX[..],
        };
        [prefix, self.as_bytes()].concat()
    }

    /// The key as PEM `PUBLIC KEY`.
    pub fn to_pem(&self) -> String {
        encode_pem(&self.to_spki_der(), "PUBLIC KEY")
            .as_str()
            .to_owned()
    }

    /// The raw bytes: 32 for Ed25519, 65 for P-256.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            VerifyingKey::Ed25519(bytes) => bytes,
            VerifyingKey::EcdsaP256(bytes) => bytes,
        }
    }

    /// The raw bytes in lower-case hex.
    pub fn to_hex(&self) -> String {
        hex::encode(self.as_bytes())
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        match self {
            VerifyingKey::Ed25519(_) => Algorithm::Ed25519,
            VerifyingKey::EcdsaP256(_) => Algorithm::EcdsaP256Sha256,
        }
    }

    /// The `keyid`: the first 22 characters (132 bits) of the base64url of SHA-256 over the DER
    /// `SubjectPublicKeyInfo`. The same key has the same `keyid` everywhere.
    pub fn keyid(&self) -> String {
        let mut text = URL_SAFE_NO_PAD.encode(Sha256::digest(self.to_spki_der()));
        text.truncate(KEYID_LEN);
        text
    }

    /// Checks a signature of 64 bytes over `message`.
    ///
    /// # Errors
    /// [`SignatureMismatch`], whatever the reason.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureMismatch> {
        if signature.len() != SIGNATURE_LEN {
            return Err(SignatureMismatch);
        }
        let parsed = match self {
            VerifyingKey::Ed25519(bytes) => ParsedPublicKey::new(&ED25519, bytes),
            VerifyingKey::EcdsaP256(bytes) => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, bytes),
        };
        parsed
            .map_err(|_| SignatureMismatch)?
            .verify_sig(message, signature)
            .map_err(|_| SignatureMismatch)
    }

    /// Reads a C2SP verifier key, `name+hash+base64(01 || public key)` (signed-note, Ed25519 only):
    /// the name and the key. The hash is checked.
    ///
    /// # Errors
    /// [`KeyError::Vkey`] says which part does not fit.
    pub fn from_vkey(text: &str) -> Result<(String, VerifyingKey), KeyError> {
        let mut parts = text.trim_end().splitn(3, '+');
        let (Some(name), Some(hash), Some(encoded)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(KeyError::Vkey("expected name+hash+base64"));
        };
        let bytes = STANDARD
            .decode(encoded)
            .map_err(|_| KeyError::Vkey("the third part is not base64"))?;
        let raw = match bytes.split_first() {
            Some((1, raw)) => <[u8; 32]>::try_from(raw).ok(),
            _ => None,
        };
        let raw = raw.ok_or(KeyError::Vkey("expected an Ed25519 key: 01 and 32 bytes"))?;
        let key = Self::from_ed25519(raw)?;
        if name.is_empty() || hash != vkey_hash(name, &raw) {
            return Err(KeyError::Vkey("the hash does not fit name and key"));
        }
        Ok((name.to_owned(), key))
    }

    /// The key as a C2SP verifier key under this name; `None` for P-256, which that format lacks,
    /// and for names that are empty or hold white space or `+`.
    pub fn to_vkey(&self, name: &str) -> Option<String> {
        let VerifyingKey::Ed25519(raw) = self else {
            return None;
        };
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == '+') {
            return None;
        }
        let encoded = STANDARD.encode([&[1][..], raw].concat());
        Some(format!("{name}+{}+{encoded}", vkey_hash(name, raw)))
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({} {})", self.algorithm(), self.keyid())
    }
}

/// A private key with its algorithm. Never `Clone`; wiped on drop.
pub struct SigningKey {
    pair: Pair,
    public: VerifyingKey,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    EcdsaP256(EcdsaKeyPair),
}

impl SigningKey {
    /// A fresh key from the library's generator.
    ///
    /// # Errors
    /// [`KeyError::Library`] if the generator or the library fails.
    pub fn generate(algorithm: Algorithm) -> Result<SigningKey, KeyError> {
        let pair = match algorithm {
            Algorithm::Ed25519 => Ed25519KeyPair::generate().map(Pair::Ed25519),
            Algorithm::EcdsaP256Sha256 => {
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Pair::EcdsaP256)
            }
        };
        Self::from_pair(pair.map_err(|_| KeyError::Library)?)
    }

    /// From unencrypted PKCS#8 (RFC 5208; RFC 5958 for Ed25519), as OpenSSL writes it.
    ///
    /// # Errors
    /// [`KeyError::Pkcs8`] for other algorithms and encodings.
    pub fn from_pkcs8_der(der: &[u8]) -> Result<SigningKey, KeyError> {
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8(der) {
            return Self::from_pair(Pair::Ed25519(pair));
        }
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
            .map_err(|_| KeyError::Pkcs8)?;
        Self::from_pair(Pair::EcdsaP256(pair))
    }

    /// From PEM `PRIVATE KEY` (RFC 7468 section 10).
    ///
    /// # Errors
    /// [`KeyError::Pem`] or as [`Self::from_pkcs8_der`].
    pub fn from_pem(pem: &str) -> Result<SigningKey, KeyError> {
        Self::from_pkcs8_der(&decode_pem(pem, "PRIVATE KEY")?)
    }

    /// The key as PEM `PRIVATE KEY`, unencrypted PKCS#8 version 1.
    ///
    /// # Errors
    /// [`KeyError::Library`] if the library fails.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        let document = match &self.pair {
            Pair::Ed25519(pair) => pair.to_pkcs8v1(),
            Pair::EcdsaP256(pair) => pair.to_pkcs8v1(),
        };
        let document = document.map_err(|_| KeyError::Library)?;
        Ok(encode_pem(document.as_ref(), "PRIVATE KEY"))
    }

    /// The public half.
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.public
    }

    /// Signs `message`: 64 bytes.
    ///
    /// # Errors
    /// [`KeyError::Library`] if the library fails.
    pub fn sign(&self, message: &[u8]) -> Result<[u8; SIGNATURE_LEN], KeyError> {
        let signature = match &self.pair {
            Pair::Ed25519(pair) => pair.try_sign(message),
            Pair::EcdsaP256(pair) => pair.sign(&SystemRandom::new(), message),
        };
        let signature = signature.map_err(|_| KeyError::Library)?;
        <[u8; SIGNATURE_LEN]>::try_from(signature.as_ref()).map_err(|_| KeyError::Library)
    }

    fn from_pair(pair: Pair) -> Result<SigningKey, KeyError> {
        let public = match &pair {
            Pair::Ed25519(pair) => VerifyingKey::from_raw(pair.public_key().as_ref()),
            Pair::EcdsaP256(pair) => VerifyingKey::from_raw(pair.public_key().as_ref()),
        }?;
        Ok(SigningKey { pair, public })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// A key could not be read or used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not PEM with this label.
    #[error("not PEM of one `{label}` block")]
    Pem {
        /// The label that was expected.
        label: &'static str,
    },
    /// Not an Ed25519 or P-256 public key.
    #[error("not a SubjectPublicKeyInfo of an Ed25519 or uncompressed P-256 key")]
    Spki,
    /// Not an Ed25519 or P-256 private key.
    #[error("not an unencrypted PKCS#8 Ed25519 or P-256 private key")]
    Pkcs8,
    /// Not hex.
    #[error("a raw public key in hex: expected 64 digits (Ed25519) or 130 (P-256)")]
    Hex,
    /// Not 32 or 65 bytes.
    #[error("a raw public key: expected 32 bytes (Ed25519) or 65 (P-256), got {got}")]
    Length {
        /// The length found.
        got: usize,
    },
    /// Not a point of the curve.
    #[error("the bytes are not a point of the curve")]
    NotAPoint,
    /// A point under which signatures prove nothing.
    #[error("the Ed25519 key is a point of small order")]
    SmallOrder,
    /// Not a C2SP verifier key.
    #[error("not a verifier key: {0}")]
    Vkey(&'static str),
    /// The cryptographic library failed.
    #[error("the cryptographic library failed")]
    Library,
}

impl KeyError {
    /// What whoever supplied the key can do about it.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            KeyError::Library => Some("repeat; if it happens again, the random source is at fault"),
            KeyError::Vkey(_) => Some("copy the whole line of `authority.vkey`"),
            KeyError::Pkcs8 => Some("make one: `openssl genpkey -algorithm ed25519`"),
            _ => Some("make the public half: `openssl pkey -in acme.key -pubout`"),
        }
    }
}

/// A signature does not fit key and message. It says no more, on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not fit key and message")]
pub struct SignatureMismatch;

const KEYID_LEN: usize = 22;

/// `SubjectPublicKeyInfo` of Ed25519 up to the 32 key bytes (RFC 8410 section 4).
const ED25519_SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// `SubjectPublicKeyInfo` of a P-256 key up to the 65 point bytes (RFC 5480 section 2).
const P256_SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The y coordinates (little endian, sign bit clear) of the Ed25519 points whose order divides 8,
/// with the two that are written as y + p.
const SMALL_ORDER_Y: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

fn is_small_order(bytes: &[u8; 32]) -> bool {
    let mut y = *bytes;
    y[31] &= 0x7f;
    SMALL_ORDER_Y.contains(&hex::encode(y).as_str())
}

/// First 4 bytes, in hex, of SHA-256(name || LF || 01 || key), as C2SP signed-note defines.
fn vkey_hash(name: &str, raw: &[u8; 32]) -> String {
    let digest = Sha256::new()
        .chain_update(name)
        .chain_update([b'\n', 1])
        .chain_update(raw)
        .finalize();
    hex::encode(&digest[..4])
}

fn encode_pem(der: &[u8], label: &str) -> Zeroizing<String> {
    let body = Zeroizing::new(STANDARD.encode(der));
    // Reserved at once: a string that grows leaves copies behind.
    let mut pem = Zeroizing::new(String::with_capacity(body.len() * 2 + 128));
    pem.push_str("-----BEGIN ");
    pem.push_str(label);
    pem.push_str("-----\n");
    for start in (0..body.len()).step_by(64) {
        pem.push_str(&body[start..body.len().min(start + 64)]);
        pem.push('\n');
    }
    pem.push_str("-----END ");
    pem.push_str(label);
    pem.push_str("-----\n");
    pem
}

/// The DER of a text that is exactly one PEM block with this label, white space around it allowed.
fn decode_pem(pem: &str, label: &'static str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let body = pem
        .trim()
        .strip_prefix(&format!("-----BEGIN {label}-----"))
        .and_then(|rest| rest.strip_suffix(&format!("-----END {label}-----")))
        .ok_or(KeyError::Pem { label })?;
    let mut compact = Zeroizing::new(String::with_capacity(body.len()));
    compact.extend(body.chars().filter(|c| !c.is_ascii_whitespace()));
    let der = STANDARD
        .decode(compact.as_bytes())
        .map_err(|_| KeyError::Pem { label })?;
    Ok(Zeroizing::new(der))
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
