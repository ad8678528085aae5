//! The whole system: real processes, real sockets, a real PKCS#11 token.
//!
//! One binary, so that it is linked once; each module is one subject. Every test has a D-TA of its own
//! and they run in parallel.
#![allow(clippy::unwrap_used, clippy::print_stdout, unreachable_pub)]

mod common;

mod audit_log;
mod ceremony_flow;
mod docs;
mod hsm_faults;
mod remote_unlock;
mod requests;
mod reshare;
mod secrets;
mod share_objects;
mod state_faults;
mod unlock;
mod whole_path;
