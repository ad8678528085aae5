//! `init`: the ceremony that founds a D-TA.

mod genesis;

pub use genesis::{Dealing, Founded, Genesis, GenesisError, GenesisFacts};
