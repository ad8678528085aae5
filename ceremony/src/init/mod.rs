//! `init`: the ceremony that founds a D-TA.
//!
//! [`run()`] is the I/O shell: token, files, holders, in one order of steps. What has to be right without any I/O is in
//! [`Dealing`] and [`Genesis`]. Who sits at the table is behind [`Desk`].

mod commit;
mod desk;
mod dry;
mod error;
mod genesis;
mod leftovers;
mod prepare;
mod run;
mod steps;

pub use commit::AUDIT_DIR;
pub(crate) use commit::verifier_key;
pub use desk::{Desk, DeskError, KeysAtHand, PinAtHand, Seat};
pub use error::{InitError, InitFailure};
pub use genesis::{Dealing, Founded, Genesis, GenesisError, GenesisFacts};
pub use run::{
    Init, MANIFEST_FILE, Purpose, Report, TRANSCRIPT_FILE, VERIFIER_KEY_FILE, node_name, run,
    seal_key_label,
};
pub use steps::{Step, recorded, sequence};
