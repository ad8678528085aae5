//! The HSM: everything this project does with a PKCS#11 token.
//!
//! The vendor's PKCS#11 library is loaded by one small process and by nothing else: `dta hsm`
//! ([`server`]). The authority and the ceremonies talk to that process over a Unix socket
//! ([`HsmClient`], [`protocol`]). A crash in the vendor's library therefore takes down neither the
//! authority nor the secrets it has unlocked, and the process that holds those secrets holds no
//! token session.
//!
//! | who | uses |
//! |---|---|
//! | authority, ceremonies | [`HsmClient`], [`HsmError`], [`Sealed`], [`NodeKey`], [`TokenInfo`] |
//! | offline ceremonies | [`HsmChild`]: a private `dta hsm` child on a socket of its own |
//! | the binary | [`run_process`] for `dta hsm --config FILE` |
//! | tests, the demo, rehearsals | [`harness`] (cargo feature `harness`): private SoftHSM2 tokens |
//!
//! This room refuses: to overwrite a key, to use a key whose attributes would let it leave the
//! token, to pick one of two objects with the same label, to offer a PIN that the token has
//! already refused, and to call a damaged ciphertext an HSM failure or the other way round.
#![deny(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod child;
mod client;
mod config;
mod error;
#[cfg(feature = "harness")]
pub mod harness;
mod pin;
pub mod protocol;
pub mod server;
mod token;
mod types;

pub use child::HsmChild;
pub use client::{HsmClient, Timeouts};
pub use config::{Config, User};
pub use error::HsmError;
pub use pin::PinSource;
pub use server::run_process;
pub use types::{KeyLabel, NodeKey, NodeKeyAlg, PinState, Sealed, TokenId, TokenInfo};
