//! What a customer links: it signs requests, verifies what comes back, and adds the shares of
//! several D-TAs.
//!
//! | module | what |
//! |---|---|
//! | [`config`] | `customer.toml`: each D-TA's address and pins |
//! | [`mpin_id`] | a salted `mpin_id`, of which a D-TA sees the hash only |
//! | [`Client`] | asks one or all D-TAs for shares and permits |
//!
//! Nothing from the network is believed by itself. The TLS certificate says only who can read the
//! request. Every reply must be signed by a response key that the **pinned** node key certifies,
//! bound to the very request; every share must be proven to belong to the **pinned** commitment;
//! and shares are added only if they are from different authorities and of one suite. An unsigned
//! reply is a failure, whatever it says.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use client::{Client, Config, Source};
//!
//! let config = Config::load("customer.toml".as_ref())?;
//! let client = Client::new(config)?;
//! let device = client::mpin_id::MpinId::new("alice@example.com")?;
//! let share = client.client_share(&device.identity(), None, Source::All).await?;
//! # let _ = share.share;
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod call;
mod clock;
pub mod config;
mod connection;
mod dta;
mod error;
pub mod mpin_id;
mod tls;

pub use call::{Client, DayRange, Issued, KeyOf, Permit, Source};
pub use config::{Config, Endpoint};
pub use error::{ClientError, DtaError};
