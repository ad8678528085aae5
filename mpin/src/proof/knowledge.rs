//! Who published `C` knows `s`: a Schnorr proof bound to whom and what the key is for.

use std::fmt;

use sha2::{Digest, Sha256};

use super::{ProofError, Response, Transcript, hedged_nonce};
use crate::{Blst, Commitment, Curve, MasterSecret, Suite, random};

const CONTEXT_STRING: &[u8] = b"DTA-V1-POK-BLS12381G1-SHA256";

/// A Schnorr proof of knowledge of `s` for `C = s * G1`, 64 bytes, public.
///
/// ```text
/// statement = f(G1) || f(C) || f(SHA-256(context))        points compressed
/// T         = k * G1
/// c         = H2S(statement || f(T) || "Challenge")       context string DTA-V1-POK-BLS12381G1-SHA256
/// z         = k - c * s
/// proof     = c || z
/// ```
pub struct KnowledgeProof<C: Curve = Blst>(Response<C>);

impl<C: Curve> MasterSecret<C> {
    /// Proves knowledge of this secret, bound to `context` (see [`KeyContext`]).
    pub fn prove_knowledge(&self, context: &[u8]) -> Result<KnowledgeProof<C>, ProofError> {
        Ok(self.prove_knowledge_with(context, &*random::bytes()?))
    }

    /// As [`MasterSecret::prove_knowledge`], with the fresh randomness from the caller. The
    /// secret stays safe even if `fresh` is constant.
    pub fn prove_knowledge_with(&self, context: &[u8], fresh: &[u8; 32]) -> KnowledgeProof<C> {
        let statement = || statement(&self.commitment(), context);
        let nonce = hedged_nonce(self, CONTEXT_STRING, fresh, &statement().digest());
        let first_move = C::g1_mul(&C::g1_generator(), &nonce);
        let challenge = challenge::<C>(statement(), &first_move);
        KnowledgeProof(Response::answer(self, &nonce, challenge))
    }
}

impl<C: Curve> KnowledgeProof<C> {
    /// Checks the proof for this commitment and context.
    pub fn verify(&self, commitment: &Commitment<C>, context: &[u8]) -> Result<(), ProofError> {
        let first_move = self.0.first_move(&C::g1_generator(), &commitment.point);
        let expected = challenge::<C>(statement(commitment, context), &first_move);
        if !self.0.has_challenge(&expected) {
            return Err(ProofError::Refused);
        }
        Ok(())
    }

    /// `c || z`.
    pub fn to_bytes(&self) -> [u8; 64] {
        self.0.to_bytes()
    }

    /// Reads `c || z`; refuses scalars that are not below the group order.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ProofError> {
        Response::from_bytes(bytes).map(Self)
    }
}

impl<C: Curve> fmt::Debug for KnowledgeProof<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KnowledgeProof({})", hex::encode(self.to_bytes()))
    }
}

fn statement<C: Curve>(commitment: &Commitment<C>, context: &[u8]) -> Transcript {
    Transcript::new()
        .field(&C::g1_to_compressed(&C::g1_generator()))
        .field(&commitment.to_compressed())
        .field(&Sha256::digest(context))
}

fn challenge<C: Curve>(statement: Transcript, first_move: &C::G1) -> C::Scalar {
    statement
        .field(&C::g1_to_compressed(first_move))
        .hash_to_scalar::<C>(b"Challenge", CONTEXT_STRING)
}

/// What a customer key is bound to: the usual context of a [`KnowledgeProof`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyContext<'a> {
    /// The authority id: hash of the genesis manifest.
    pub authority: &'a [u8; 32],
    /// The customer's name.
    pub customer: &'a str,
    /// The master-key version, `k1` and so on.
    pub key: &'a str,
    /// The suite fixed for this key.
    pub suite: Suite,
}

impl KeyContext<'_> {
    /// `"dta key context v1\n" || g(authority) || g(customer) || g(key) || g(suite)`, where
    /// `g(x)` is `be32(length of x) || x`.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = b"dta key context v1\n".to_vec();
        let fields = [
            &self.authority[..],
            self.customer.as_bytes(),
            self.key.as_bytes(),
            self.suite.as_str().as_bytes(),
        ];
        for field in fields {
            let length = u32::try_from(field.len()).expect("names are shorter than 4 GiB");
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(field);
        }
        out
    }
}
