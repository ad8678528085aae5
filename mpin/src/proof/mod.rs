//! Proofs that a D-TA gives: it knows `s` behind `C` ([`KnowledgeProof`]), and shares were made
//! with that very `s` ([`ShareProof`]).
//!
//! Both are 64 bytes: the challenge `c`, then the response `z = k - c * s`, each a canonical scalar
//! of 32 bytes, big endian. In what follows `f(x)` is `be16(length of x) || x`, and `H2S` is
//! `hash_to_scalar` of RFC 9497 (RFC 9380 `hash_to_field`, `L` = 48, `expand_message_xmd` with
//! SHA-256) under the tag `HashToScalar-` followed by the context string.
//!
//! The nonce `k` is hedged: it comes from a key derived from `s`, fresh randomness and the whole
//! statement, so that neither a stuck generator nor a repeated state can reveal `s`.
//!
//! A proof about a share is, beside `s * Q` and the share itself, one of the things that let
//! whoever stole a token test PINs offline: it goes to whom the share goes, and is never stored
//! or logged. A [`KnowledgeProof`] speaks of `C` only and is public.

mod knowledge;
mod shares;

use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub use self::knowledge::{KeyContext, KnowledgeProof};
pub use self::shares::{MAX_PROOF_STATEMENTS, ShareProof, Statement};
use crate::{Curve, MasterSecret, RandomError};

/// Why a proof was not made, not read or not believed.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// Another number of bytes.
    #[error("a proof has 64 bytes, found {found}")]
    Length {
        /// Bytes found.
        found: usize,
    },
    /// A scalar is not below the group order.
    #[error("a scalar of the proof is not below the group order")]
    Scalar,
    /// A proof about nothing.
    #[error("there is no share to prove")]
    Empty,
    /// A proof about too much.
    #[error("a proof covers at most {MAX_PROOF_STATEMENTS} shares, found {found}")]
    TooMany {
        /// Shares found.
        found: usize,
    },
    /// It does not verify.
    #[error("the proof does not hold for this commitment, context and shares")]
    Refused,
    /// No randomness for the nonce.
    #[error("no nonce for the proof")]
    Random(#[from] RandomError),
}

impl ProofError {
    /// What a person may do about it.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            ProofError::Refused => Some(
                "compare the pinned commitment with the D-TA's operators; the key may have been rotated",
            ),
            ProofError::Random(error) => error.remedy(),
            _ => None,
        }
    }
}

/// `c` and `z` of a Schnorr-type proof.
struct Response<C: Curve> {
    challenge: C::Scalar,
    response: C::Scalar,
}

impl<C: Curve> Response<C> {
    /// `z = nonce - challenge * s`.
    fn answer(secret: &MasterSecret<C>, nonce: &C::Scalar, challenge: C::Scalar) -> Self {
        let product = C::scalar_mul(&challenge, &secret.scalar);
        let response = C::scalar_sub(nonce, &product);
        Self {
            challenge,
            response,
        }
    }

    /// `z * base + c * image`: the prover's first move, when `image = s * base`.
    fn first_move(&self, base: &C::G1, image: &C::G1) -> C::G1 {
        C::g1_add(
            &C::g1_mul(base, &self.response),
            &C::g1_mul(image, &self.challenge),
        )
    }

    fn has_challenge(&self, expected: &C::Scalar) -> bool {
        let mine = C::scalar_to_be_bytes(&self.challenge);
        mine.ct_eq(&*C::scalar_to_be_bytes(expected)).into()
    }

    fn to_bytes(&self) -> [u8; 64] {
        let mut out = [0; 64];
        out[..32].copy_from_slice(&*C::scalar_to_be_bytes(&self.challenge));
        out[32..].copy_from_slice(&*C::scalar_to_be_bytes(&self.response));
        out
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, ProofError> {
        let bytes: &[u8; 64] = bytes
            .try_into()
            .map_err(|_| ProofError::Length { found: bytes.len() })?;
        let scalar = |range: std::ops::Range<usize>| {
            let mut half = [0; 32];
            half.copy_from_slice(&bytes[range]);
            C::scalar_from_be_bytes(&half).ok_or(ProofError::Scalar)
        };
        Ok(Self {
            challenge: scalar(0..32)?,
            response: scalar(32..64)?,
        })
    }
}

/// The bytes that a hash covers, each field with its length.
struct Transcript(Vec<u8>);

impl Transcript {
    fn new() -> Self {
        Self(Vec::with_capacity(512))
    }

    /// Appends `f(bytes)`. All fields are points, hashes and constants of this room.
    fn field(mut self, bytes: &[u8]) -> Self {
        let length = u16::try_from(bytes.len()).expect("fields are below 64 KiB");
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    fn number(mut self, number: usize) -> Self {
        let number = u16::try_from(number).expect("a proof covers at most 256 shares");
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    fn hash_to_scalar<C: Curve>(mut self, purpose: &[u8], context_string: &[u8]) -> C::Scalar {
        self.0.extend_from_slice(purpose);
        C::hash_to_scalar(&self.0, &[b"HashToScalar-", context_string].concat())
    }

    fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }
}

/// The hedged nonce: `HKDF-Expand(key, fresh || statement, 64) mod r`, where
/// `key = HKDF(salt = "dta v1 proof nonce key", ikm = s, info = context string, 32)`.
fn hedged_nonce<C: Curve>(
    secret: &MasterSecret<C>,
    context_string: &[u8],
    fresh: &[u8; 32],
    statement: &[u8; 32],
) -> C::Scalar {
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(b"dta v1 proof nonce key"), &*secret.to_be_bytes())
        .expand(context_string, key.as_mut())
        .expect("32 bytes are within the limit of HKDF");
    let mut wide = Zeroizing::new([0; 64]);
    Hkdf::<Sha256>::from_prk(key.as_ref())
        .expect("32 bytes are a key of SHA-256")
        .expand_multi_info(&[fresh, statement], wide.as_mut())
        .expect("64 bytes are within the limit of HKDF");
    C::scalar_reduce(&wide)
}
