//! What the test device asks of all configured D-TAs, verified and combined.

use std::path::Path;

use client::{Client, Config, DayRange, Issued, Source};
use mpin::{ClientShare, Day, Identity, Suite, TimePermit};
use wire::api::{IdentityHex, KeyVersion, PermitDate};

use crate::request::{failure, wait};
use crate::term::{CliError, CliResult, Exit};

/// The D-TAs of a `customer.toml`, and which master key to ask for.
pub(super) struct Dtas {
    client: Client,
    key: Option<KeyVersion>,
}

impl Dtas {
    /// Reads the configuration; nothing is sent yet.
    pub(super) fn of(config: &Path, key: Option<KeyVersion>) -> CliResult<Self> {
        let config = Config::load(config).map_err(failure::config)?;
        let client = Client::new(config).map_err(failure::client)?;
        Ok(Self { client, key })
    }

    /// The combined client share and the suite of its keys.
    pub(super) fn client_share(&self, identity: &Identity) -> CliResult<(ClientShare, Suite)> {
        let identity = IdentityHex::from_bytes(*identity.as_bytes());
        let asked = self.client.client_share(&identity, self.key, Source::All);
        let issued = wait(asked)?.map_err(failure::client)?;
        let suite = suite(&issued)?;
        Ok((issued.share, suite))
    }

    /// The combined permit of one identity for one day.
    pub(super) fn time_permit(&self, identity: &Identity, day: Day) -> CliResult<TimePermit> {
        let identities = [IdentityHex::from_bytes(*identity.as_bytes())];
        let from = PermitDate::from_day_number(day.number())
            .ok_or_else(|| CliError::new(Exit::Failed, "this machine's clock is out of range"))?;
        let days = DayRange { from, days: 1 };
        let asked = self
            .client
            .time_permits(&identities, days, self.key, Source::All);
        let issued = wait(asked)?.map_err(failure::client)?;
        let permit = issued.share.into_iter().next();
        permit
            .map(|permit| permit.permit)
            .ok_or_else(|| CliError::new(Exit::Failed, "the D-TAs gave no permit"))
    }
}

fn suite<T>(issued: &Issued<T>) -> CliResult<Suite> {
    issued
        .suite
        .as_str()
        .parse()
        .map_err(|error| CliError::new(Exit::Failed, error))
}
