//! `k_hsm`, the half of the lock that the HSM keeps, and its wraps.
//!
//! A wrap is made **inside** the HSM: AES-256-GCM under the seal key of the epoch, with
//! AAD = `dta k_hsm v1\n || authority id (32) || set id (16) || be32(epoch) || be16(n) || serial of
//! the token (n) || be16(l) || label of the seal key (l)`. The manifest carries a check value:
//! HMAC-SHA256(k_hsm, `dta k_hsm check v1 || set id || be32(epoch)`).

use std::fmt;

use hmac::{Hmac, Mac};
use hsm::{HsmClient, HsmError, Sealed};
use quorum::{CheckValue, Epoch, HsmKey, SetId};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::seal::{SealContext, SealError};

/// `k_hsm`, 32 bytes. Wiped when dropped; neither cloned nor printed.
pub struct KHsm(Zeroizing<[u8; 32]>);

impl KHsm {
    /// A fresh one from the operating system's generator.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn random() -> Result<Self, SealError> {
        let mut bytes = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(&mut *bytes).map_err(|_| SealError::Random)?;
        Ok(Self(bytes))
    }

    /// From its 32 bytes.
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// What the manifest says of it; tells nothing about `k_hsm`.
    pub fn check_value(&self, set_id: &SetId, epoch: Epoch) -> CheckValue {
        let mac = Hmac::<Sha256>::new_from_slice(&*self.0)
            .expect("HMAC takes a key of any length")
            .chain_update(b"dta k_hsm check v1")
            .chain_update(set_id.as_bytes())
            .chain_update(epoch.to_be_bytes());
        CheckValue::from_bytes(mac.finalize().into_bytes().into())
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for KHsm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KHsm(..)")
    }
}

/// `k_hsm` as one HSM keeps it: ciphertext made inside it, under a key that cannot leave it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wrap {
    /// The key, by token and label, as in the manifest.
    pub key: HsmKey,
    /// The ciphertext.
    pub sealed: Sealed,
}

/// Wraps `k_hsm` under the seal key `key`, inside the HSM.
///
/// # Errors
/// Whatever the HSM says.
pub fn wrap_k_hsm(
    client: &HsmClient,
    key: &HsmKey,
    context: &SealContext,
    k_hsm: &KHsm,
) -> Result<Wrap, HsmError> {
    let sealed = client.seal(
        key.key_label.as_str(),
        &wrap_aad(key, context),
        k_hsm.bytes(),
    )?;
    Ok(Wrap {
        key: key.clone(),
        sealed,
    })
}

/// Opens a wrap inside the HSM and compares what comes out with the manifest's check value.
///
/// # Errors
/// Whatever the HSM says, or that it opened to something else.
pub fn open_k_hsm(
    client: &HsmClient,
    wrap: &Wrap,
    context: &SealContext,
    check_value: &CheckValue,
) -> Result<KHsm, OpenKHsmError> {
    let label = wrap.key.key_label.as_str();
    let opened = client.open(label, &wrap_aad(&wrap.key, context), &wrap.sealed)?;
    let bytes: &[u8; 32] = opened
        .as_slice()
        .try_into()
        .map_err(|_| OpenKHsmError::WrongKey)?;
    let k_hsm = KHsm(Zeroizing::new(*bytes));
    let found = k_hsm.check_value(&context.set_id, context.epoch);
    if bool::from(found.as_bytes().ct_eq(check_value.as_bytes())) {
        Ok(k_hsm)
    } else {
        Err(OpenKHsmError::WrongKey)
    }
}

/// `k_hsm` cannot be had.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenKHsmError {
    /// The HSM refuses or is away.
    #[error(transparent)]
    Hsm(#[from] HsmError),
    /// The wrap opened to something else than the manifest says.
    #[error("the wrap opened to a key that is not the one in the manifest")]
    WrongKey,
}

impl OpenKHsmError {
    /// What the operator can do about it.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Hsm(error) => error.remedy(),
            Self::WrongKey => {
                Some("restore state.db from the latest backup: this wrap is not of this epoch")
            }
        }
    }
}

fn wrap_aad(key: &HsmKey, context: &SealContext) -> Vec<u8> {
    let mut aad = b"dta k_hsm v1\n".to_vec();
    aad.extend_from_slice(context.authority.as_bytes());
    aad.extend_from_slice(context.set_id.as_bytes());
    aad.extend_from_slice(&context.epoch.to_be_bytes());
    for text in [key.hsm.as_str(), key.key_label.as_str()] {
        let length = u16::try_from(text.len()).expect("names have at most 64 bytes");
        aad.extend_from_slice(&length.to_be_bytes());
        aad.extend_from_slice(text.as_bytes());
    }
    aad
}

#[cfg(test)]
#[path = "khsm_tests.rs"]
mod tests;
