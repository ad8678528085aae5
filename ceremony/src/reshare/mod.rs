//! Reshare: new holders for a D-TA that exists. The customers' secrets stay; everything that protects them is fresh.
//!
//! The running, unlocked authority deals a new set and asks: a [`SignedProposal`] that its node key signed, bound to an
//! unlock session with the purpose `reshare`. M old holders examine it ([`examine`]), prove that they still have their
//! shares by sealing them to the session, and sign the successor manifest. Each new holder opens the new share, checks it
//! against the manifest's commitments and signs a [`Confirmation`]; for one who cannot come M old holders sign a
//! [`Waiver`]. [`Reshare`] keeps count and gives a [`Successor`] when everything is there, and not before.
//!
//! Nothing here does I/O. What is committed, and in which order keys are made and destroyed, is the authority's business.

mod holder;
mod machine;
mod papers;
mod sealed;

pub use holder::{Candidate, ExamineError, NotMyShare, Reviewed, check_plan, examine};
pub use machine::{Dealing, Facts, Missing, Reshare, ReshareError, Successor};
pub use papers::{CONFIRMATION, Confirmation, PROPOSAL, Proposal, SignedProposal, WAIVER, Waiver};
pub use sealed::CannotSeal;

#[cfg(test)]
mod tests;
