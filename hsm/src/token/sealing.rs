//! AES-256-GCM inside the token.
//!
//! The IV is 12 fresh bytes from the operating system's generator, never the caller's: tokens accept
//! empty, short and repeated ones. A token that chooses its own writes it over ours; what comes back
//! is what is kept. A failed decryption says `CKR_GENERAL_ERROR` on one token and something else on
//! the next, so after any failure the key itself is tried: if it still seals and opens, the
//! ciphertext is at fault and not the HSM.

use cryptoki::context::Function;
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::ObjectHandle;
use zeroize::Zeroizing;

use crate::error::HsmError;
use crate::types::{IV_BYTES, KeyLabel, Sealed, TAG_BYTES};

use super::Login;
use super::fault::Fault;
use super::keys::{needs, seal_key};

const MECHANISM: &str = "CKM_AES_GCM";
const TAG_BITS: u64 = 128;
const PROBE_AAD: &[u8] = b"dta seal key check v1";

/// How the token wants to be called. NSS softoken refuses to tell the length of a one-shot result
/// (`CKR_BUFFER_TOO_SMALL`); others know only the one-shot calls.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum GcmCalls {
    /// `C_Encrypt`, `C_Decrypt`.
    #[default]
    OneShot,
    /// `C_EncryptUpdate` and `C_EncryptFinal`, and so on.
    InParts,
}

/// Seals `plaintext` under the key of that label.
pub(super) fn seal(
    login: &mut Login,
    label: &KeyLabel,
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Sealed, Fault> {
    let key = seal_key(login, label)?;
    encrypt(login, key, aad, plaintext)
}

/// Opens `sealed`, or says that it does not open, or that the token is at fault.
pub(super) fn open(
    login: &mut Login,
    label: &KeyLabel,
    aad: &[u8],
    sealed: &Sealed,
) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let key = seal_key(login, label)?;
    let does_not_open = HsmError::DoesNotOpen {
        label: label.to_string(),
    };
    if sealed.ciphertext.len() < TAG_BYTES {
        return Err(does_not_open.into());
    }
    match decrypt(login, key, aad, sealed) {
        Ok(plaintext) => Ok(plaintext),
        Err(DecryptError::Data) => {
            round_trip(login, key)?;
            Err(does_not_open.into())
        }
        Err(DecryptError::Token(fault)) => Err(fault),
    }
}

/// The health check with the real key.
pub(super) fn check(login: &mut Login, label: &KeyLabel) -> Result<(), Fault> {
    let key = seal_key(login, label)?;
    round_trip(login, key)
}

/// Seals and opens a random value; only the true key on a live token passes.
pub(super) fn round_trip(login: &mut Login, key: ObjectHandle) -> Result<(), Fault> {
    let mut value = Zeroizing::new([0; 32]);
    fill_random(value.as_mut())?;
    let sealed = encrypt(login, key, PROBE_AAD, value.as_ref())?;
    match decrypt(login, key, PROBE_AAD, &sealed) {
        Ok(opened) if opened.as_slice() == value.as_slice() => Ok(()),
        Ok(_) | Err(DecryptError::Data) => {
            let problem = "it does not open what it has just sealed".to_owned();
            Err(Fault::Lost { problem })
        }
        Err(DecryptError::Token(fault)) => Err(fault),
    }
}

fn encrypt(
    login: &mut Login,
    key: ObjectHandle,
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Sealed, Fault> {
    let mut iv = [0; IV_BYTES];
    fill_random(&mut iv)?;
    let sealed = match call_encrypt(login, key, iv, aad, plaintext) {
        Err(e) if wants_parts(login, &e) => {
            call_in_parts(login)?;
            call_encrypt(login, key, iv, aad, plaintext)
        }
        other => other,
    };
    let sealed = sealed.map_err(|e| needs(login, MECHANISM, e))?;
    if sealed.ciphertext.len() == plaintext.len() + TAG_BYTES {
        return Ok(sealed);
    }
    let mechanism = format!("{MECHANISM} with a 16-byte tag at the end of the ciphertext");
    Err(HsmError::MechanismUnsupported {
        token: login.id.clone(),
        mechanism,
    }
    .into())
}

/// Where a decryption failed.
enum DecryptError {
    /// The key was accepted and the data was not: mostly, but not surely, the data's fault.
    Data,
    /// It never came to the data.
    Token(Fault),
}

fn decrypt(
    login: &mut Login,
    key: ObjectHandle,
    aad: &[u8],
    sealed: &Sealed,
) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
    let opened = match call_decrypt(login, key, aad, sealed) {
        Err(e) if wants_parts(login, &e) => {
            call_in_parts(login).map_err(DecryptError::Token)?;
            call_decrypt(login, key, aad, sealed)
        }
        other => other,
    };
    opened.map_err(|e| match e {
        Error::Pkcs11(_, Function::Decrypt | Function::DecryptUpdate | Function::DecryptFinal) => {
            DecryptError::Data
        }
        e => DecryptError::Token(needs(login, MECHANISM, e)),
    })
}

fn call_encrypt(
    login: &Login,
    key: ObjectHandle,
    mut iv: [u8; IV_BYTES],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Sealed, Error> {
    let mechanism = Mechanism::AesGcm(GcmParams::new(&mut iv, aad, TAG_BITS.into())?);
    let session = &login.session;
    let ciphertext = match login.gcm {
        GcmCalls::OneShot => session.encrypt(&mechanism, key, plaintext)?,
        GcmCalls::InParts => {
            session.encrypt_init(&mechanism, key)?;
            let mut ciphertext = session.encrypt_update(plaintext)?;
            ciphertext.extend(session.encrypt_final()?);
            ciphertext
        }
    };
    Ok(Sealed { iv, ciphertext })
}

/// The binding returns plain vectors: they are wrapped here, before anything can fail.
fn call_decrypt(
    login: &Login,
    key: ObjectHandle,
    aad: &[u8],
    sealed: &Sealed,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut iv = sealed.iv;
    let mechanism = Mechanism::AesGcm(GcmParams::new(&mut iv, aad, TAG_BITS.into())?);
    let session = &login.session;
    match login.gcm {
        GcmCalls::OneShot => session
            .decrypt(&mechanism, key, &sealed.ciphertext)
            .map(Zeroizing::new),
        GcmCalls::InParts => {
            session.decrypt_init(&mechanism, key)?;
            let first = Zeroizing::new(session.decrypt_update(&sealed.ciphertext)?);
            let last = Zeroizing::new(session.decrypt_final()?);
            let mut plaintext = Zeroizing::new(Vec::with_capacity(first.len() + last.len()));
            plaintext.extend_from_slice(&first);
            plaintext.extend_from_slice(&last);
            Ok(plaintext)
        }
    }
}

fn wants_parts(login: &Login, error: &Error) -> bool {
    let refused = matches!(
        error,
        Error::Pkcs11(
            RvError::BufferTooSmall,
            Function::Encrypt | Function::Decrypt
        )
    );
    refused && login.gcm == GcmCalls::OneShot
}

/// The refused call is still active in the old session; the login is per process and stays.
pub(super) fn call_in_parts(login: &mut Login) -> Result<(), Fault> {
    login.session = login.pkcs11.open_rw_session(login.slot)?;
    login.gcm = GcmCalls::InParts;
    Ok(())
}

fn fill_random(bytes: &mut [u8]) -> Result<(), Fault> {
    aws_lc_rs::rand::fill(bytes).map_err(|_| {
        let problem = "the operating system has no randomness".to_owned();
        Fault::Told(HsmError::Io {
            path: "/dev/urandom".into(),
            problem,
        })
    })
}
