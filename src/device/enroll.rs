//! `dta device enroll`: a fresh salted identity, the client shares of all D-TAs, a PIN, a token.

use std::path::PathBuf;

use client::mpin_id::MpinId;
use mpin::{Identity, IdentityPoint, Token};
use wire::api::KeyVersion;

use super::fetch::Dtas;
use super::files::DeviceFile;
use super::pin;
use crate::request::output::refuse_existing;
use crate::term::{CliError, CliResult, Exit};

/// `dta device enroll`
#[derive(Debug, clap::Args)]
pub(crate) struct EnrollArgs {
    /// The customer's configuration: its D-TAs and pins.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The user's name. A fresh salt is added, and the D-TAs are sent a hash of both only.
    #[arg(long, value_name = "NAME")]
    id: String,
    /// Where to keep the token: a new file, readable by its owner only.
    #[arg(long, value_name = "FILE")]
    device: PathBuf,
    /// The master-key version to enrol under, if the customer has several live ones.
    #[arg(long, value_name = "VERSION")]
    key: Option<KeyVersion>,
    /// Read the PIN from the first line of this file instead of asking for it.
    #[arg(long, value_name = "FILE")]
    pin_file: Option<PathBuf>,
}

/// Enrols a device. Nothing is asked of a D-TA before the file name and the PIN are good.
pub(super) fn run(args: EnrollArgs) -> CliResult {
    refuse_existing(&args.device)?;
    let dtas = Dtas::of(&args.config, args.key)?;
    let mpin_id = MpinId::new(&args.id).map_err(|error| CliError::new(Exit::Failed, error))?;
    let pin = pin::choose(args.pin_file.as_deref())?;
    let mpin_id = mpin_id.as_str().as_bytes().to_vec();
    let identity = Identity::of_mpin_id(&mpin_id);
    let (share, suite) = dtas.client_share(&identity)?;
    let point = IdentityPoint::hash(suite, &identity);
    let token = Token::extract(share, &point, &pin)
        .map_err(|error| CliError::new(Exit::Failed, error).with_remedy(Some("another PIN")))?;
    DeviceFile::new(mpin_id, suite, token).write(&args.device)?;
    println!("enrolled {} in {}", args.id, args.device.display());
    println!("identity {identity}, suite {suite}");
    println!("The file holds the token only; without the PIN it does not log in.");
    Ok(())
}
