//! What the two server processes have in common: configuration, Unix sockets, logs, start and stop,
//! and the protocol between them.
//!
//! Nothing here knows a secret, a customer or a share.

pub(crate) mod clock;
pub(crate) mod config;
pub(crate) mod http;
pub(crate) mod link;
pub(crate) mod process;
pub(crate) mod refusals;
pub(crate) mod routes;
pub(crate) mod unix;
