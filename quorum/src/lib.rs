//! M-of-N sharing of the unlock secret, the manifest chain, and the verdict on each share entered.
//!
//! This room is for everything about a quorum that can be decided without I/O: it splits a fresh
//! random scalar by Feldman's scheme ([`split`]), encodes one holder's [`Share`], describes a set of
//! holders in a [`Manifest`] signed by those holders, follows a [`ManifestChain`] from genesis, and
//! judges shares one at a time in a [`Collector`].
//!
//! It refuses to do I/O, to read a clock, and to open anything: what a combined secret unlocks is the
//! business of `state`. Randomness comes from the caller. A share that does not fit gets a named
//! [`Verdict`] and never disturbs those already accepted.
//!
//! # Example
//!
//! ```
//! use quorum::{split, SetId, Threshold, UnlockSecret};
//! use getrandom::{rand_core::UnwrapErr, SysRng};
//!
//! let mut rng = UnwrapErr(SysRng);
//! let secret = UnlockSecret::random(&mut rng);
//! let (values, commitments) = split(&secret, Threshold::new(3, 5)?, &mut rng);
//! assert_eq!((values.len(), commitments.m()), (5, 3));
//! let k_quorum = secret.k_quorum(&SetId::random(&mut rng));
//! assert_eq!(k_quorum.len(), 32);
//! # Ok::<(), quorum::ThresholdError>(())
//! ```
#![forbid(unsafe_code)]

mod chain;
mod feldman;
mod ids;
mod json;
mod manifest;
mod name;
mod set;
mod share;
mod signing;
#[cfg(test)]
mod testing;
mod verdict;

pub use chain::{ChainError, ChainFault, ManifestChain};
pub use feldman::{Commitments, CommitmentsError, ShareValue, UnlockSecret, split};
pub use ids::{
    AuthorityId, CheckValue, Epoch, IdError, ManifestHash, SetId, ShareIndex, ShareIndexError,
    Threshold, ThresholdError,
};
pub use json::canonical_json;
pub use manifest::{
    HsmKey, Manifest, ManifestError, ManifestSignature, NodeAlgorithm, NodeKey, NodeSignature,
    NotAHolder, SignedManifest, Version1,
};
pub use name::{Name, NameError, Recipient, RecipientError, Timestamp, TimestampError};
pub use set::{Holder, SetDescription, SetError};
pub use share::{Share, ShareError, ShareHeader};
pub use signing::{
    HolderKey, HolderKeyError, HolderSignature, HolderSigningKey, Purpose, SignatureInvalid,
};
pub use verdict::{Collector, CombineError, Damage, Verdict};
