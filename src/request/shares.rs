//! `dta request client-share | server-share | time-permit`.

use client::{DayRange, Issued, Permit};
use mpin::{ClientShare, ServerShare};
use serde::Serialize;
use wire::api::{IdentityHex, MAX_DAYS, MAX_IDENTITIES, PermitDate};
use zeroize::Zeroizing;

use super::identity::Who;
use super::output::{Shown, check, show};
use super::{Form, KeyChoice, Target, failure, wait};
use crate::service::clock::unix_seconds;
use crate::term::{CliError, CliResult, Exit};

/// `dta request client-share`
#[derive(Debug, clap::Args)]
pub(crate) struct ClientShareArgs {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    key: KeyChoice,
    #[command(flatten)]
    form: Form,
}

/// `dta request server-share`
#[derive(Debug, clap::Args)]
pub(crate) struct ServerShareArgs {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    key: KeyChoice,
    #[command(flatten)]
    form: Form,
}

/// `dta request time-permit`
#[derive(Debug, clap::Args)]
pub(crate) struct TimePermitArgs {
    #[command(flatten)]
    target: Target,
    /// Whose permits: SHA-256 of the mpin_id, 64 hexadecimal digits; may be repeated.
    #[arg(long, value_name = "HEX", required = true)]
    identity: Vec<IdentityHex>,
    /// The first day, in UTC; by default today.
    #[arg(long, value_name = "YYYY-MM-DD")]
    from: Option<PermitDate>,
    /// How many days from then on.
    #[arg(long, value_name = "NUMBER", default_value_t = 1,
          value_parser = clap::value_parser!(u8).range(1..=i64::from(MAX_DAYS)))]
    days: u8,
    #[command(flatten)]
    key: KeyChoice,
    #[command(flatten)]
    form: Form,
}

pub(super) fn client_share(args: &ClientShareArgs) -> CliResult {
    check(&args.form)?;
    let identity = args.who.identity()?;
    let client = args.target.client()?;
    let call = client.client_share(&identity, args.key.key, args.target.source());
    let issued: Issued<ClientShare> = wait(call)?.map_err(failure::client)?;
    let share = hex_of(&issued.share.encode(args.form.encoding));
    show(&args.form, &single(&issued, Some(identity), &share)?)
}

pub(super) fn server_share(args: &ServerShareArgs) -> CliResult {
    check(&args.form)?;
    let client = args.target.client()?;
    let call = client.server_share(args.key.key, args.target.source());
    let issued: Issued<ServerShare> = wait(call)?.map_err(failure::client)?;
    let share = hex_of(&issued.share.encode(args.form.encoding));
    show(&args.form, &single(&issued, None, &share)?)
}

pub(super) fn time_permit(args: &TimePermitArgs) -> CliResult {
    check(&args.form)?;
    check_identities(&args.identity)?;
    let today = PermitDate::from_unix_seconds(unix_seconds());
    let days = DayRange {
        from: args
            .from
            .or(today)
            .ok_or_else(|| CliError::new(Exit::Failed, "the clock stands beyond the year 9999"))?,
        days: args.days,
    };
    let client = args.target.client()?;
    let call = client.time_permits(&args.identity, days, args.key.key, args.target.source());
    let issued = wait(call)?.map_err(failure::client)?;
    show(&args.form, &permits(&issued, &args.form)?)
}

fn check_identities(identities: &[IdentityHex]) -> CliResult {
    let mut sorted = identities.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    if sorted.len() != identities.len() {
        return Err(CliError::new(Exit::Usage, "--identity: one is named twice"));
    }
    if identities.len() > MAX_IDENTITIES {
        let error = format!("--identity: at most {MAX_IDENTITIES} at once");
        return Err(CliError::new(Exit::Usage, error));
    }
    Ok(())
}

/// The JSON of one share, and what surrounds it.
#[derive(Serialize)]
struct ShareJson<'a> {
    share: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<IdentityHex>,
    #[serde(flatten)]
    made: MadeJson,
}

#[derive(Serialize)]
struct PermitsJson<'a> {
    permits: Vec<PermitJson<'a>>,
    #[serde(flatten)]
    made: MadeJson,
}

#[derive(Serialize)]
struct PermitJson<'a> {
    identity: IdentityHex,
    day: PermitDate,
    share: &'a str,
}

/// With which master keys.
#[derive(Serialize)]
struct MadeJson {
    suite: wire::api::Suite,
    commitment: String,
    keys: Vec<KeyJson>,
}

#[derive(Serialize)]
struct KeyJson {
    dta: String,
    key: wire::api::KeyVersion,
}

fn made<T>(issued: &Issued<T>) -> MadeJson {
    let key = |key: &client::KeyOf| KeyJson {
        dta: key.dta.clone(),
        key: key.key,
    };
    MadeJson {
        suite: issued.suite,
        commitment: issued.commitment.to_string(),
        keys: issued.keys.iter().map(key).collect(),
    }
}

fn single<T>(
    issued: &Issued<T>,
    identity: Option<IdentityHex>,
    share: &Zeroizing<String>,
) -> CliResult<Shown> {
    let json = to_line(&ShareJson {
        share: share.as_str(),
        identity,
        made: made(issued),
    })?;
    let mut human = Zeroizing::new(String::with_capacity(share.len() + 512));
    human.push_str("share       ");
    human.push_str(share);
    human.push('\n');
    human.push_str(&describe(issued));
    Ok(Shown {
        human,
        raw: line(share),
        json,
    })
}

fn permits(issued: &Issued<Vec<Permit>>, form: &Form) -> CliResult<Shown> {
    let shares: Vec<_> = issued
        .share
        .iter()
        .map(|permit| hex_of(&permit.permit.encode(form.encoding)))
        .collect();
    let each = || issued.share.iter().zip(&shares);
    // Reserved at once: a string that grows leaves copies behind.
    let length = shares.iter().map(|share| share.len() + 96).sum::<usize>() + 512;
    let mut human = Zeroizing::new(String::with_capacity(length));
    let mut raw = Zeroizing::new(String::with_capacity(length));
    for (permit, share) in each() {
        human.push_str(&format!("{}  {}  ", permit.day, permit.identity));
        human.push_str(share);
        human.push('\n');
        raw.push_str(share);
        raw.push('\n');
    }
    human.push_str(&describe(issued));
    let permits = each().map(|(permit, share)| PermitJson {
        identity: permit.identity,
        day: permit.day,
        share: share.as_str(),
    });
    let json = to_line(&PermitsJson {
        permits: permits.collect(),
        made: made(issued),
    })?;
    Ok(Shown { human, raw, json })
}

/// The public lines: suite, commitment, keys.
fn describe<T>(issued: &Issued<T>) -> String {
    let keys: Vec<_> = issued
        .keys
        .iter()
        .map(|key| format!("{} {}", key.dta, key.key))
        .collect();
    format!(
        "suite       {}\ncommitment  {}\nkeys        {}\n",
        issued.suite,
        issued.commitment,
        keys.join(", ")
    )
}

fn hex_of(bytes: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(hex::encode(bytes))
}

fn line(text: &Zeroizing<String>) -> Zeroizing<String> {
    let mut line = Zeroizing::new(String::with_capacity(text.len() + 1));
    line.push_str(text);
    line.push('\n');
    line
}

fn to_line(value: &impl Serialize) -> CliResult<Zeroizing<String>> {
    let text = serde_json::to_string(value).map(Zeroizing::new);
    let text = text.map_err(|error| CliError::new(Exit::Failed, error))?;
    Ok(line(&text))
}
