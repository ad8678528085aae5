//! `dta request new-key`: a customer's signing key.

use std::path::PathBuf;

use wire::keys::{Algorithm, SigningKey};

use super::output::{Access, refuse_existing, write_new};
use crate::term::{CliError, CliResult, Exit, print_json};

/// `dta request new-key`
#[derive(Debug, clap::Args)]
pub(crate) struct NewKeyArgs {
    /// The private key, PKCS#8 PEM; the public half goes beside it, with the ending `.pub`.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The algorithm: ed25519 or ecdsa-p256-sha256.
    #[arg(long, value_name = "NAME", default_value = "ed25519", value_parser = algorithm)]
    algorithm: Algorithm,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &NewKeyArgs) -> CliResult {
    let public_path = args.out.with_extension("pub");
    if public_path == args.out {
        let error = "--out names the private key; it must not end in .pub";
        return Err(CliError::new(Exit::Usage, error).with_remedy(Some("--out acme.key")));
    }
    refuse_existing(&args.out)?;
    refuse_existing(&public_path)?;
    let failed = |error: wire::keys::KeyError| {
        let remedy = error.remedy();
        CliError::new(Exit::Failed, error).with_remedy(remedy)
    };
    let key = SigningKey::generate(args.algorithm).map_err(failed)?;
    let private = key.to_pem().map_err(failed)?;
    write_new(&args.out, private.as_bytes(), Access::Private)?;
    let public = key.verifying_key().to_pem();
    write_new(&public_path, public.as_bytes(), Access::Public).inspect_err(|_| {
        // Half a pair is of no use; the private key was made a moment ago and is known to nobody.
        let _ = std::fs::remove_file(&args.out);
    })?;
    let keyid = key.verifying_key().keyid();
    if args.json {
        return print_json(&serde_json::json!({
            "algorithm": args.algorithm.as_str(),
            "keyid": keyid,
            "private_key": args.out,
            "public_key": public_path,
        }));
    }
    println!("private key  {}", args.out.display());
    println!("public key   {}", public_path.display());
    println!("keyid        {keyid}");
    Ok(())
}

fn algorithm(name: &str) -> Result<Algorithm, String> {
    Algorithm::from_name(name).ok_or_else(|| "expected ed25519 or ecdsa-p256-sha256".to_owned())
}
