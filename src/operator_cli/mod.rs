//! The operator's command line: status, lock, customers. Each command is one request on the
//! operator socket; nothing here touches the state directory or the HSM.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod customer;
pub(crate) mod socket;
mod status;

pub(crate) use customer::{CustomerCommand, run_customer};
pub(crate) use status::{LockArgs, StatusArgs, run_lock, run_status};
