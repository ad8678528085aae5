//! The two locks and what lies under them.
//!
//! `K = HKDF-SHA256(ikm = k_hsm || k_quorum, salt = set id, info = "dta seal v1" || be32(epoch))`,
//! 32 bytes. Under K lie:
//!
//! - each customer's master secret: AES-256-GCM(K, s), AAD = `dta master key v1\n` and the canonical
//!   JSON of the whole public header (`authority commitment customer epoch key set_id suite`);
//! - the audit log's key: AES-256-GCM under `HKDF-Expand(K, "dta log key seal v1")`, AAD =
//!   `dta log key v1\n` and the canonical JSON of `authority epoch set_id`;
//! - the MACs of the registry, under `HKDF-Expand(K, "dta registry mac v1")`.
//!
//! After a master secret opens, `s * G1` must be the commitment in its header.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use hkdf::Hkdf;
use mpin::{MasterSecret, Suite};
use quorum::{AuthorityId, Epoch, Manifest, ManifestChain, SetId, canonical_json};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::customer::MasterKey;
use crate::khsm::KHsm;
use crate::locked::{LockMemoryError, LockedKey};
use crate::names::{CustomerId, KeyVersion};

const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

/// Which D-TA, split and epoch a key belongs to. Enters every derivation and every AAD.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct SealContext {
    /// The authority.
    pub authority: AuthorityId,
    /// The split of the unlock secret.
    pub set_id: SetId,
    /// Its epoch.
    pub epoch: Epoch,
}

impl SealContext {
    /// Of the manifest in force.
    pub fn of(chain: &ManifestChain) -> Self {
        let unlock = &chain.current().unlock;
        Self {
            authority: chain.authority_id(),
            set_id: unlock.set_id(),
            epoch: unlock.epoch(),
        }
    }

    /// Of a genesis manifest, before or after it is signed.
    pub fn of_genesis(genesis: &Manifest) -> Self {
        Self {
            authority: genesis.hash().into(),
            set_id: genesis.unlock.set_id(),
            epoch: genesis.unlock.epoch(),
        }
    }
}

/// K: there only while both locks are open. In locked memory, wiped when dropped; neither cloned nor
/// printed. A reference to it is the permission to do what only an unlocked D-TA may.
pub struct SealingKey {
    key: LockedKey,
    context: SealContext,
}

impl SealingKey {
    /// K from both halves; `k_quorum` is [`quorum::UnlockSecret::k_quorum`].
    ///
    /// # Errors
    /// When the system does not let the process lock memory.
    pub fn derive(
        k_hsm: &KHsm,
        k_quorum: &[u8; 32],
        context: SealContext,
    ) -> Result<Self, LockMemoryError> {
        let mut ikm = Zeroizing::new([0; 64]);
        ikm[..32].copy_from_slice(k_hsm.bytes());
        ikm[32..].copy_from_slice(k_quorum);
        let hkdf = Hkdf::<Sha256>::new(Some(context.set_id.as_bytes()), &*ikm);
        let epoch = context.epoch.to_be_bytes();
        let key = LockedKey::new(|key| {
            hkdf.expand_multi_info(&[b"dta seal v1", &epoch], key)
                .expect("32 bytes are within what HKDF-SHA256 gives");
        })?;
        Ok(Self { key, context })
    }

    /// What this key belongs to.
    pub fn context(&self) -> &SealContext {
        &self.context
    }

    /// Opens a customer's master secret and compares it with its commitment.
    ///
    /// # Errors
    /// When ciphertext or header are not what was sealed under this key.
    pub fn open_master(&self, key: &MasterKey) -> Result<MasterSecret, SealError> {
        let what = || format!("master key {} of customer {}", key.version, key.customer);
        let bytes = open(
            self.key.bytes(),
            &self.master_aad(&key.header()),
            &key.sealed,
        )
        .ok_or_else(|| SealError::DoesNotOpen { what: what() })?;
        let bytes: Option<&[u8; 32]> = bytes.as_slice().try_into().ok();
        let secret = bytes
            .and_then(|bytes| <MasterSecret>::from_be_bytes(bytes).ok())
            .ok_or_else(|| SealError::DoesNotOpen { what: what() })?;
        if secret.commitment().to_compressed() != key.commitment {
            return Err(SealError::OtherCommitment { what: what() });
        }
        Ok(secret)
    }

    pub(crate) fn seal_master(
        &self,
        header: &MasterHeader<'_>,
        secret: &MasterSecret,
    ) -> Result<SealedSecret, SealError> {
        seal(
            self.key.bytes(),
            &self.master_aad(header),
            &secret.to_be_bytes(),
        )
    }

    pub(crate) fn seal_log_key(&self, log_key: &[u8; 32]) -> Result<SealedSecret, SealError> {
        let sub_key = self.sub_key(b"dta log key seal v1");
        seal(&sub_key, &self.log_key_aad(), log_key)
    }

    pub(crate) fn open_log_key(
        &self,
        sealed: &SealedSecret,
    ) -> Result<Zeroizing<[u8; 32]>, SealError> {
        let sub_key = self.sub_key(b"dta log key seal v1");
        open(&sub_key, &self.log_key_aad(), sealed)
            .and_then(|bytes| Some(Zeroizing::new(*bytes.first_chunk()?)))
            .ok_or_else(|| SealError::DoesNotOpen {
                what: "the audit log's key".to_owned(),
            })
    }

    /// The key of the registry's MACs.
    pub(crate) fn registry_mac_key(&self) -> Zeroizing<[u8; 32]> {
        self.sub_key(b"dta registry mac v1")
    }

    fn sub_key(&self, info: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::from_prk(self.key.bytes())
            .expect("32 bytes are long enough for HKDF-SHA256")
            .expand(info, &mut *key)
            .expect("32 bytes are within what HKDF-SHA256 gives");
        key
    }

    fn master_aad(&self, header: &MasterHeader<'_>) -> Vec<u8> {
        #[derive(Serialize)]
        struct Whole<'a> {
            #[serde(flatten)]
            context: &'a SealContext,
            customer: &'a CustomerId,
            key: KeyVersion,
            suite: &'static str,
            commitment: String,
        }
        framed(
            "dta master key v1\n",
            &Whole {
                context: &self.context,
                customer: header.customer,
                key: header.version,
                suite: header.suite.as_str(),
                commitment: hex::encode(header.commitment),
            },
        )
    }

    fn log_key_aad(&self) -> Vec<u8> {
        framed("dta log key v1\n", &self.context)
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(..)")
    }
}

/// What a sealed master secret is bound to, beside the [`SealContext`].
pub(crate) struct MasterHeader<'a> {
    pub(crate) customer: &'a CustomerId,
    pub(crate) version: KeyVersion,
    pub(crate) suite: Suite,
    pub(crate) commitment: &'a [u8; 48],
}

/// AES-256-GCM output: a random nonce of 12 bytes and the ciphertext with its tag of 16. In JSON
/// both as hex.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedSecret {
    #[serde(with = "hex::serde")]
    nonce: [u8; NONCE_BYTES],
    #[serde(with = "hex::serde")]
    ciphertext: Vec<u8>,
}

impl SealedSecret {
    /// `nonce || ciphertext || tag`.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        [self.nonce.as_slice(), &self.ciphertext].concat()
    }

    /// From `nonce || ciphertext || tag`.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (nonce, ciphertext) = bytes.split_first_chunk()?;
        Some(Self {
            nonce: *nonce,
            ciphertext: ciphertext.to_vec(),
        })
    }
}

/// Something did not seal or open.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SealError {
    /// Key, ciphertext or header differ from what was sealed.
    #[error("{what} does not open: it was changed, or sealed under another key or epoch")]
    DoesNotOpen {
        /// What it is.
        what: String,
    },
    /// It opened to another secret than its commitment says.
    #[error("{what} opens to a secret that is not under its commitment")]
    OtherCommitment {
        /// What it is.
        what: String,
    },
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    Random,
}

impl SealError {
    /// What the operator can do about it.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::DoesNotOpen { .. } | Self::OtherCommitment { .. } => Some(
                "do not serve from this directory; restore the latest backup and look into who changed it",
            ),
            Self::Random => None,
        }
    }
}

fn framed<T: Serialize>(first_line: &str, header: &T) -> Vec<u8> {
    let json = canonical_json(header).expect("headers have string keys and no floats");
    [first_line.as_bytes(), &json].concat()
}

fn seal(key: &[u8; 32], aad: &[u8], secret: &[u8; 32]) -> Result<SealedSecret, SealError> {
    let mut nonce = [0; NONCE_BYTES];
    aws_lc_rs::rand::fill(&mut nonce).map_err(|_| SealError::Random)?;
    // Room for the tag, so that growing leaves no copy of the secret behind.
    let mut buffer = Zeroizing::new(Vec::with_capacity(secret.len() + TAG_BYTES));
    buffer.extend_from_slice(secret);
    cipher(key)
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(aad),
            &mut *buffer,
        )
        .expect("AES-GCM seals 32 bytes");
    Ok(SealedSecret {
        nonce,
        ciphertext: buffer.to_vec(),
    })
}

fn open(key: &[u8; 32], aad: &[u8], sealed: &SealedSecret) -> Option<Zeroizing<Vec<u8>>> {
    let mut buffer = Zeroizing::new(sealed.ciphertext.clone());
    let nonce = Nonce::assume_unique_for_key(sealed.nonce);
    let length = cipher(key)
        .open_in_place(nonce, Aad::from(aad), &mut buffer)
        .ok()?
        .len();
    buffer.truncate(length);
    Some(buffer)
}

fn cipher(key: &[u8; 32]) -> LessSafeKey {
    let key = UnboundKey::new(&AES_256_GCM, key).expect("an AES-256 key has 32 bytes");
    LessSafeKey::new(key)
}

#[cfg(test)]
#[path = "seal_tests.rs"]
mod tests;
