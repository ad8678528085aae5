//! Ceremonies: how a D-TA comes into being, and how its holders open it.
//!
//! | module | what |
//! |---|---|
//! | [`holder`] | holders' key files and public files |
//! | [`plan`] | the reviewed TOML plan, and every mistake in it |
//! | [`approval`] | approvers' signatures on a plan |
//! | [`init`] | the ceremony that founds a D-TA |
//! | [`reshare`] | new holders for a D-TA that exists |
//! | [`rehearse`] | the same on a throw-away token, with a drill |
//! | [`verify`] | whether transcript, manifest and plan belong together |
//! | [`script`] | the ceremony on paper |
//! | [`sharefile`] | one share, sealed to its holder |
//! | [`paper`] | one share, sealed, on a page of words |
//! | [`pin`] | the PIN or passphrase over one copy of a share |
//! | [`words`] | hashes as words, to be read out |
//! | [`prompts`] | a share's PIN and the words of a page, at the terminal |
//! | [`session`] | unlock sessions: what an authority asks, what a holder answers |
//!
//! State machines and formats take their clock and randomness from the caller and do no I/O; the shells around them are
//! thin. This room refuses to overwrite anything, to trust a share that was not read back, and to answer a session that
//! the holder's own share does not vouch for.
#![forbid(unsafe_code)]

pub mod approval;
mod canonical;
pub mod files;
pub mod holder;
pub mod init;
pub mod paper;
pub mod passphrase;
pub mod pin;
pub mod plan;
pub mod prompts;
pub mod rehearse;
pub mod reshare;
pub mod screens;
pub mod script;
pub mod session;
pub mod sharefile;
#[cfg(test)]
mod testing;
pub mod transcript;
pub mod verify;
pub mod words;

pub use canonical::HexBytes;
pub use passphrase::{Passphrase, PassphraseError};
