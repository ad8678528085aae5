//! `dta request new-identity`, and the two ways to name an identity.

use client::mpin_id::MpinId;
use wire::api::IdentityHex;

use super::output::{Access, write_new};
use crate::term::{CliError, CliResult, Exit, print_json};

/// `dta request new-identity`
#[derive(Debug, clap::Args)]
pub(crate) struct NewIdentityArgs {
    /// The user's name, as the customer knows it.
    #[arg(long, value_name = "NAME")]
    id: String,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Write the mpin_id in hexadecimal to this new file (mode 0600) as well.
    #[arg(long, value_name = "FILE")]
    out: Option<std::path::PathBuf>,
}

pub(super) fn run(args: &NewIdentityArgs) -> CliResult {
    let mpin_id = MpinId::new(&args.id).map_err(|error| CliError::new(Exit::Usage, error))?;
    let hex = hex::encode(mpin_id.as_str());
    let identity = mpin_id.identity();
    if let Some(path) = &args.out {
        write_new(path, format!("{hex}\n").as_bytes(), Access::Private)?;
    }
    if args.json {
        return print_json(&serde_json::json!({ "identity": identity, "mpin_id": hex }));
    }
    println!("mpin_id   {hex}");
    println!("identity  {identity}");
    Ok(())
}

/// For whom: by identity, or by the `mpin_id` that it is the hash of.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Who {
    /// The identity: SHA-256 of the mpin_id, 64 hexadecimal digits.
    #[arg(long, value_name = "HEX")]
    identity: Option<IdentityHex>,
    /// The mpin_id in hexadecimal; only its hash is sent.
    #[arg(long, value_name = "HEX")]
    mpin_id_hex: Option<String>,
}

impl Who {
    pub(super) fn identity(&self) -> CliResult<IdentityHex> {
        match (&self.identity, &self.mpin_id_hex) {
            (Some(identity), _) => Ok(*identity),
            (None, Some(text)) => from_mpin_id(text),
            (None, None) => Err(CliError::new(Exit::Usage, "no identity is named")),
        }
    }
}

fn from_mpin_id(text: &str) -> CliResult<IdentityHex> {
    let bytes = hex::decode(text.trim())
        .ok()
        .filter(|bytes| !bytes.is_empty());
    let bytes = bytes.ok_or_else(|| {
        CliError::new(Exit::Usage, "--mpin-id-hex: expected hexadecimal digits")
            .with_remedy(Some("the mpin_id that `dta request new-identity` printed"))
    })?;
    let identity = mpin::Identity::of_mpin_id(&bytes);
    Ok(IdentityHex::from_bytes(*identity.as_bytes()))
}
