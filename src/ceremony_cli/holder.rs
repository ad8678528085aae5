//! `dta holder new` and `dta holder inspect`.

use std::path::PathBuf;

use ceremony::files;
use ceremony::holder::{HolderName, HolderPublic, HolderSecrets, LONGEST_PUBLIC_FILE};
use ceremony::{Passphrase, screens, sharefile};
use serde_json::json;

use crate::term::{CliResult, print_json};

/// Make a holder's key: NAME.holder (secret, mode 0600) and NAME.holder.pub (public, for the plan).
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: dta holder new alice --dir /media/alice")]
pub(crate) struct NewArgs {
    /// The holder's name: 1 to 64 of A-Z a-z 0-9 . _ - @
    name: HolderName,
    /// Where to write both files.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Take the passphrase from the first line of this file instead of asking twice.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Say what a file is: NAME.holder.pub, or, with the holder's key, a share.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: dta holder inspect 5eed...-1-2-1.share --holder-key alice.holder")]
pub(crate) struct InspectArgs {
    /// The file: NAME.holder.pub, or a share together with --holder-key.
    file: PathBuf,
    /// The key that the share is sealed to.
    #[arg(long, value_name = "FILE")]
    holder_key: Option<PathBuf>,
    /// Take the key's passphrase from the first line of this file.
    #[arg(long, value_name = "FILE", requires = "holder_key")]
    passphrase_file: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs `dta holder new`.
pub(super) fn run_new(args: NewArgs) -> CliResult {
    super::guard_memory()?;
    let passphrase = match &args.passphrase_file {
        Some(file) => Passphrase::chosen_from_file(file, args.name.as_str())?,
        None => screens::choose_passphrase(&args.name)?,
    };
    let key = HolderSecrets::generate(&args.name)?;
    let (secret, public) = key.write(&args.dir, &passphrase)?;
    let facts = key.public();
    if args.json {
        return print_json(&json!({
            "name": facts.name.as_str(),
            "recipient": facts.recipient.to_string(),
            "sign_key": facts.sign_key.to_string(),
            "key_file": secret,
            "public_file": public,
        }));
    }
    println!(
        "{}  secret: keep it, and never its passphrase with it",
        secret.display()
    );
    println!(
        "{}  public: give it to whoever writes the plan",
        public.display()
    );
    println!("signing key {}", facts.sign_key);
    println!("Read the signing key out at the ceremony; the plan must show the same.");
    Ok(())
}

/// Runs `dta holder inspect`.
pub(super) fn run_inspect(args: InspectArgs) -> CliResult {
    super::guard_memory()?;
    match &args.holder_key {
        Some(key) => inspect_share(
            &args,
            screens::open_key(key, args.passphrase_file.as_deref())?,
        ),
        None => inspect_public(&args),
    }
}

fn inspect_public(args: &InspectArgs) -> CliResult {
    let public = HolderPublic::parse(&files::read(&args.file, LONGEST_PUBLIC_FILE)?)?;
    if args.json {
        return print_json(&json!({
            "kind": "holder",
            "name": public.name.as_str(),
            "recipient": public.recipient.to_string(),
            "sign_key": public.sign_key.to_string(),
        }));
    }
    println!(
        "public file of holder {}, signed by its own key",
        public.name
    );
    println!("signing key {}", public.sign_key);
    println!("recipient   {}", public.recipient);
    Ok(())
}

fn inspect_share(args: &InspectArgs, holder: HolderSecrets) -> CliResult {
    let opened = sharefile::open(&args.file, &holder)?;
    let share = opened.share();
    if args.json {
        return print_json(&json!({
            "kind": "share",
            "authority_id": share.genesis,
            "set_id": share.set_id,
            "epoch": share.epoch,
            "index": share.index(),
            "m": share.threshold.m(),
            "n": share.threshold.n(),
            "holder": share.holder,
        }));
    }
    println!(
        "share {} of {}, {} open",
        share.index(),
        share.threshold.n(),
        share.threshold.m()
    );
    println!("holder    {}", share.holder);
    println!("set       {}, epoch {}", share.set_id, share.epoch);
    println!("authority {}", share.genesis);
    Ok(())
}
