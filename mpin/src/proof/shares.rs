//! Shares were made with the `s` of the commitment: a batched Chaum-Pedersen proof.

use std::fmt;

use sha2::{Digest, Sha256};

use super::{ProofError, Response, Transcript, hedged_nonce};
use crate::{
    Blst, ClientShare, Commitment, Curve, IdentityPoint, MasterSecret, PermitPoint, TimePermit,
    random,
};

const CONTEXT_STRING: &[u8] = b"DTA-V1-DLEQ-BLS12381G1-SHA256";

/// The most shares that one proof covers: one chunk of a bulk reply.
pub const MAX_PROOF_STATEMENTS: usize = 256;

/// One claim of a [`ShareProof`]: this share is `s` times this point.
pub struct Statement<'a, C: Curve = Blst> {
    base: &'a C::G1,
    share: &'a C::G1,
}

impl<'a, C: Curve> Statement<'a, C> {
    /// `share = s * A`.
    pub fn client_share(identity: &'a IdentityPoint<C>, share: &'a ClientShare<C>) -> Self {
        Self {
            base: &identity.point,
            share: &share.point,
        }
    }

    /// `permit = s * A_T`.
    pub fn time_permit(point: &'a PermitPoint<C>, permit: &'a TimePermit<C>) -> Self {
        Self {
            base: &point.point,
            share: &permit.point,
        }
    }
}

/// A proof that `log_G1(C) = log_A(share)` for up to [`MAX_PROOF_STATEMENTS`] shares, in the
/// manner of RFC 9497, section 2.2; 64 bytes.
///
/// ```text
/// seed = SHA-256(f(C) || f(SHA-256(context)) || be16(n) || f(A_1) || f(D_1) || ... || f("Seed-" || context string))
/// d_i  = H2S(f(seed) || be16(i) || f(A_i) || f(D_i) || "Composite")      i from 0
/// M    = sum d_i * A_i        Z = sum d_i * D_i
/// T2   = k * G1               T3 = k * M
/// c    = H2S(f(seed) || f(C) || f(M) || f(Z) || f(T2) || f(T3) || "Challenge")
/// z    = k - c * s            context string DTA-V1-DLEQ-BLS12381G1-SHA256, points compressed
/// ```
///
/// One thing is stronger than in RFC 9497: there each weight depends on its own pair only, and a
/// dishonest prover can choose the errors of many pairs so that they cancel (a generalised
/// birthday: some 2^28 work for 256 pairs). Here the seed covers all pairs, so changing one
/// changes every weight.
pub struct ShareProof<C: Curve = Blst>(Response<C>);

impl<C: Curve> MasterSecret<C> {
    /// Proves that these shares were made with this secret, bound to `context`.
    pub fn prove(
        &self,
        statements: &[Statement<'_, C>],
        context: &[u8],
    ) -> Result<ShareProof<C>, ProofError> {
        self.prove_with(statements, context, &*random::bytes()?)
    }

    /// As [`MasterSecret::prove`], with the fresh randomness from the caller. The secret stays
    /// safe even if `fresh` is constant.
    pub fn prove_with(
        &self,
        statements: &[Statement<'_, C>],
        context: &[u8],
        fresh: &[u8; 32],
    ) -> Result<ShareProof<C>, ProofError> {
        let batch = Batch::new(&self.commitment(), statements, context)?;
        let base = batch.sum(|statement| statement.base);
        // Equal to the weighted sum of the shares, by one multiplication instead of n.
        let image = C::g1_mul(&base, &self.scalar);
        let nonce = hedged_nonce(self, CONTEXT_STRING, fresh, &batch.seed);
        let first_moves = [
            C::g1_mul(&C::g1_generator(), &nonce),
            C::g1_mul(&base, &nonce),
        ];
        let challenge = batch.challenge([&base, &image, &first_moves[0], &first_moves[1]]);
        Ok(ShareProof(Response::answer(self, &nonce, challenge)))
    }
}

impl<C: Curve> ShareProof<C> {
    /// Checks the proof for these shares, in this order, against the commitment that the caller
    /// **pinned** (never one from the reply).
    pub fn verify(
        &self,
        commitment: &Commitment<C>,
        statements: &[Statement<'_, C>],
        context: &[u8],
    ) -> Result<(), ProofError> {
        let batch = Batch::new(commitment, statements, context)?;
        let base = batch.sum(|statement| statement.base);
        let image = batch.sum(|statement| statement.share);
        let t2 = self.0.first_move(&C::g1_generator(), &commitment.point);
        let t3 = self.0.first_move(&base, &image);
        if !self
            .0
            .has_challenge(&batch.challenge([&base, &image, &t2, &t3]))
        {
            return Err(ProofError::Refused);
        }
        Ok(())
    }

    /// `c || z`. To be sent with the shares and kept nowhere.
    pub fn to_bytes(&self) -> [u8; 64] {
        self.0.to_bytes()
    }

    /// Reads `c || z`; refuses scalars that are not below the group order.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ProofError> {
        Response::from_bytes(bytes).map(Self)
    }
}

impl<C: Curve> fmt::Debug for ShareProof<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShareProof(..)")
    }
}

/// Statements with their weights.
struct Batch<'a, C: Curve> {
    commitment: [u8; 48],
    seed: [u8; 32],
    weighted: Vec<(C::Scalar, &'a Statement<'a, C>)>,
}

impl<'a, C: Curve> Batch<'a, C> {
    fn new(
        commitment: &Commitment<C>,
        statements: &'a [Statement<'a, C>],
        context: &[u8],
    ) -> Result<Self, ProofError> {
        let found = statements.len();
        match found {
            0 => return Err(ProofError::Empty),
            1..=MAX_PROOF_STATEMENTS => {}
            _ => return Err(ProofError::TooMany { found }),
        }
        let commitment = commitment.to_compressed();
        let pairs: Vec<_> = statements
            .iter()
            .map(|s| (C::g1_to_compressed(s.base), C::g1_to_compressed(s.share)))
            .collect();
        let opening = Transcript::new()
            .field(&commitment)
            .field(&Sha256::digest(context))
            .number(found);
        let seed = pairs
            .iter()
            .fold(opening, |transcript, (base, share)| {
                transcript.field(base).field(share)
            })
            .field(&[b"Seed-", CONTEXT_STRING].concat())
            .digest();
        let weighted = statements
            .iter()
            .zip(&pairs)
            .enumerate()
            .map(|(index, (statement, (base, share)))| {
                let transcript = Transcript::new()
                    .field(&seed)
                    .number(index)
                    .field(base)
                    .field(share);
                (
                    transcript.hash_to_scalar::<C>(b"Composite", CONTEXT_STRING),
                    statement,
                )
            })
            .collect();
        Ok(Self {
            commitment,
            seed,
            weighted,
        })
    }

    /// The weighted sum of one side of the statements.
    fn sum(&self, side: impl Fn(&Statement<'a, C>) -> &'a C::G1) -> C::G1 {
        self.weighted
            .iter()
            .map(|(weight, statement)| C::g1_mul(side(statement), weight))
            .reduce(|sum, term| C::g1_add(&sum, &term))
            .expect("a batch has at least one statement")
    }

    fn challenge(&self, points: [&C::G1; 4]) -> C::Scalar {
        let opening = Transcript::new().field(&self.seed).field(&self.commitment);
        points
            .into_iter()
            .fold(opening, |transcript, point| {
                transcript.field(&C::g1_to_compressed(point))
            })
            .hash_to_scalar::<C>(b"Challenge", CONTEXT_STRING)
    }
}
