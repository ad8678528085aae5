//! M-Pin mathematics over BLS12-381: what a D-TA issues, what a device and a server do with it.
//!
//! This room has no I/O, no clock and no configuration: days, times and protocol messages come
//! from the caller. Randomness for a secret is drawn from the operating system at the place
//! where the secret is made; each such function has a `..._with` sibling that takes it from the
//! caller, for known answers.
//!
//! | module | what |
//! |---|---|
//! | [`Curve`], [`Blst`], [`Zkcrypto`] | the one group interface and its two backends |
//! | [`Suite`], [`Identity`], [`Day`] | which hash to the curve, over what |
//! | [`IdentityPoint`], [`PermitPoint`] | `A = H1(identity)`, `A_T = H1(day, identity)` |
//! | [`MasterSecret`], [`Commitment`] | `s` and `C = s * G1` |
//! | [`ClientShare`], [`TimePermit`], [`ServerShare`] | `s * A`, `s * A_T`, `s * Q`; combining |
//! | [`KnowledgeProof`], [`ShareProof`] | who made `C` knows `s`; shares belong to `C` |
//! | [`device`], [`server`] | the login protocol, two-pass and one-pass, both sides |
//!
//! What it refuses: points that are not on the curve, not in the prime-order subgroup, or
//! infinity; scalars that are zero or not below the group order; combining equal shares or
//! shares that sum to infinity.
//!
//! Every type that holds a point or a scalar takes the backend as a type parameter which is
//! [`Blst`] unless said otherwise.

mod commitment;
mod curve;
pub mod device;
mod encoding;
mod identity;
mod login;
mod master;
mod pin;
mod point;
mod proof;
mod random;
pub mod server;
mod share;
mod suite;

pub use commitment::Commitment;
pub use curve::{Blst, Curve, PointFault, Zkcrypto};
pub use encoding::{DecodeError, Encoding, UnknownEncoding};
pub use identity::{Day, Identity, IdentityError};
pub use login::{Challenge, Claim, LoginPoint, OnePassLogin, ScalarError};
pub use master::{MasterSecret, MasterSecretError};
pub use pin::{Pin, PinError, Token, TokenError};
pub use point::{IdentityPoint, PermitPoint};
pub use proof::{
    KeyContext, KnowledgeProof, MAX_PROOF_STATEMENTS, ProofError, ShareProof, Statement,
};
pub use random::RandomError;
pub use share::{ClientShare, CombineError, ServerShare, ShareMismatch, TimePermit};
pub use suite::{Suite, UnknownSuite};
