//! `dta request key`: what the D-TAs hold for this customer, compared with the pins.

use client::Client;
use serde::Serialize;
use wire::api::{
    AuthorityInfo, CustomerInfo, CustomerStatus, KeyVersion, MasterKeyInfo, Role, Suite,
};

use super::{Target, failure, wait};
use crate::term::{CliError, CliResult, Exit, print_json};

/// `dta request key`
#[derive(Debug, clap::Args)]
pub(crate) struct KeyArgs {
    #[command(flatten)]
    target: Target,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Exits with 4 if a D-TA names another suite or commitment than the pinned one.
pub(super) fn run(args: &KeyArgs) -> CliResult {
    let client = args.target.client()?;
    let infos = wait(client.authorities(args.target.source()))?.map_err(failure::client)?;
    let mut reports = Vec::with_capacity(infos.len());
    for (name, info) in infos {
        reports.push(Report::of(&client, name, info)?);
    }
    if args.json {
        print_json(&serde_json::json!({ "dtas": reports }))?;
    } else {
        for report in &reports {
            print!("{}", report.describe());
        }
    }
    let differs = |report: &&Report| report.keys.iter().any(|key| key.pin == Pin::Differs);
    match reports.iter().find(differs) {
        None => Ok(()),
        Some(report) => {
            let error = format!("D-TA {} holds another key than the pinned one", report.dta);
            let remedy = "compare the commitment with the operators, by another way than this one";
            Err(CliError::new(Exit::Refused, error).with_remedy(Some(remedy)))
        }
    }
}

#[derive(Debug, Serialize)]
struct Report {
    dta: String,
    name: String,
    authority: String,
    customer: String,
    status: CustomerStatus,
    keyid: String,
    roles: Vec<Role>,
    permit_days: u32,
    keys: Vec<KeyReport>,
}

#[derive(Debug, Serialize)]
struct KeyReport {
    key: KeyVersion,
    suite: Suite,
    commitment: String,
    pin: Pin,
}

/// How a key stands to `customer.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Pin {
    Same,
    Differs,
    Missing,
}

impl Report {
    fn of(client: &Client, dta: String, info: AuthorityInfo) -> CliResult<Report> {
        let customer: CustomerInfo = info.customer.ok_or_else(|| {
            let error = format!("D-TA {dta} says nothing about this customer");
            CliError::new(Exit::Refused, error)
        })?;
        let pinned = client.pinned(&dta).map_err(failure::client)?;
        let keys = customer
            .keys
            .into_iter()
            .map(|key| {
                let pin = pinned.get(&key.key);
                KeyReport {
                    pin: pin.map_or(Pin::Missing, |pin| compare(pin, &key)),
                    key: key.key,
                    suite: key.suite,
                    commitment: key.commitment.to_string(),
                }
            })
            .collect();
        Ok(Report {
            dta,
            name: info.name,
            authority: info.authority.to_string(),
            customer: customer.id,
            status: customer.status,
            keyid: customer.keyid,
            roles: customer.roles,
            permit_days: customer.limits.permit_days,
            keys,
        })
    }

    fn describe(&self) -> String {
        let roles: Vec<_> = self.roles.iter().map(|role| role.as_str()).collect();
        let mut text = format!(
            "{}: {} ({})\n  authority    {}\n  signing key  {} ({})\n  permit days  {}\n",
            self.dta,
            self.customer,
            self.status,
            self.authority,
            self.keyid,
            roles.join(", "),
            self.permit_days,
        );
        for key in &self.keys {
            let pin = match key.pin {
                Pin::Same => "pinned",
                Pin::Differs => "DIFFERS from the pinned one",
                Pin::Missing => "not pinned",
            };
            text += &format!("  {} {} {}  {pin}\n", key.key, key.suite, key.commitment);
        }
        text
    }
}

fn compare(pin: &client::config::KeyPin, key: &MasterKeyInfo) -> Pin {
    let same =
        pin.suite == key.suite && pin.commitment.to_compressed() == *key.commitment.as_bytes();
    if same { Pin::Same } else { Pin::Differs }
}
