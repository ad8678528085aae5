//! `dta holder new` and `dta holder inspect`.

use std::path::PathBuf;

use ceremony::files;
use ceremony::holder::{
    HolderName, HolderPublic, HolderSecrets, LONGEST_PUBLIC_FILE, PluginIdentity, ShareRecipient,
};
use ceremony::sharefile::{ShareFileName, Unsealed};
use ceremony::{Passphrase, screens, sharefile};
use quorum::ShareHeader;
use serde_json::json;

use super::share_args::read_page;
use crate::term::{CliError, CliResult, Exit, print_json};

/// An identity file is never longer, in bytes.
const LONGEST_IDENTITY: u64 = 4096;

/// Make a holder's key: NAME.holder (secret, mode 0600) and NAME.holder.pub (public, for the plan).
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  dta holder new alice --dir /media/alice\n  \
                  dta holder new bob --recipient age1yubikey1... --identity-file yubikey.txt"
)]
pub(crate) struct NewArgs {
    /// The holder's name: 1 to 64 of A-Z a-z 0-9 . _ - @
    name: HolderName,
    /// Where to write both files.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Take the passphrase from the first line of this file instead of asking twice.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Have shares sealed to this recipient of an age plugin, such as age1yubikey1..., instead of a key in the file.
    #[arg(long, requires = "identity_file")]
    recipient: Option<ShareRecipient>,
    /// The file with the plugin's identity (AGE-PLUGIN-...) that opens what is sealed to --recipient.
    #[arg(long, value_name = "FILE", requires = "recipient")]
    identity_file: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Say what a file is: NAME.holder.pub, a share, or a share on paper. The share's value is never shown.
///
/// With the holder's key it says everything, without a PIN too; without the key, what can be seen from outside.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    dta holder inspect 5eed...-1-2-1.share --holder-key alice.holder\n  \
    dta holder inspect --paper words.txt --holder-key alice.holder")]
pub(crate) struct InspectArgs {
    /// The file: NAME.holder.pub or a share.
    #[arg(required_unless_present = "paper")]
    file: Option<PathBuf>,
    /// A share on paper instead: a file with the words of the page; `-` to type them.
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    paper: Option<PathBuf>,
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
    let key = match plugin_identity(&args)? {
        Some(identity) => HolderSecrets::generate_with(&args.name, identity)?,
        None => HolderSecrets::generate(&args.name)?,
    };
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

/// The first line of the identity file that is not a comment, with the recipient that it belongs to.
fn plugin_identity(args: &NewArgs) -> CliResult<Option<PluginIdentity>> {
    let (Some(recipient), Some(file)) = (&args.recipient, &args.identity_file) else {
        return Ok(None);
    };
    let bytes = files::read(file, LONGEST_IDENTITY)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.lines().map(str::trim);
    let identity = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
    PluginIdentity::new(identity.unwrap_or_default(), recipient.clone())
        .map(Some)
        .map_err(|why| {
            CliError::new(Exit::Refused, format!("{}: {why}", file.display())).with_remedy(Some(
                "pass what the plugin printed when it made the key, and its recipient",
            ))
        })
}

/// Runs `dta holder inspect`.
pub(super) fn run_inspect(args: InspectArgs) -> CliResult {
    super::guard_memory()?;
    let key = || -> CliResult<Option<HolderSecrets>> {
        let Some(key) = &args.holder_key else {
            return Ok(None);
        };
        Ok(Some(screens::open_key(
            key,
            args.passphrase_file.as_deref(),
        )?))
    };
    if let Some(page) = &args.paper {
        return inspect_page(&args, page, key()?.as_ref());
    }
    let file = args
        .file
        .as_deref()
        .expect("clap asks for a file or --paper");
    match (
        key()?,
        HolderPublic::parse(&files::read(file, LONGEST_PUBLIC_FILE)?),
    ) {
        (Some(key), _) => {
            let name = file.file_name().and_then(|name| name.to_str());
            let name: Option<ShareFileName> = name.and_then(|name| name.parse().ok());
            let unsealed = sharefile::unseal(file, &key)?;
            show_share(&args, "file", name.map(|name| name.copy), &unsealed)
        }
        (None, Ok(public)) => show_public(&args, &public),
        (None, Err(not_public)) => match sharefile::look_at(file) {
            Ok(outside) => show_outside(&args, outside.name),
            Err(_) => Err(not_public.into()),
        },
    }
}

fn show_public(args: &InspectArgs, public: &HolderPublic) -> CliResult {
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

fn show_outside(args: &InspectArgs, name: Option<ShareFileName>) -> CliResult {
    if args.json {
        return print_json(&json!({
            "kind": "share",
            "medium": "file",
            "opened": false,
            "set_id": name.map(|name| name.set_id),
            "epoch": name.map(|name| name.epoch),
            "index": name.map(|name| name.index),
            "copy": name.map(|name| name.copy),
        }));
    }
    println!("a share, sealed to its holder; nothing was opened");
    match name {
        Some(name) => {
            println!("by its name (which anybody can change):");
            println!("set       {}, epoch {}", name.set_id, name.epoch);
            println!("index     {}", name.index);
            println!("copy      {}", name.copy);
        }
        None => {
            println!("its name says nothing; the ceremony called it SETID-EPOCH-INDEX-COPY.share")
        }
    }
    println!("With --holder-key its holder can see the rest.");
    Ok(())
}

fn inspect_page(
    args: &InspectArgs,
    path: &std::path::Path,
    key: Option<&HolderSecrets>,
) -> CliResult {
    let page = read_page(path)?;
    if let Some(key) = key {
        return show_share(args, "paper", Some(page.copy()), &page.unseal(key)?);
    }
    if args.json {
        return print_json(&json!({
            "kind": "share",
            "medium": "paper",
            "opened": false,
            "copy": page.copy(),
            "form": page.form().describe(),
            "checksum": page.checksum(),
        }));
    }
    println!(
        "a share on paper, {}; nothing was opened",
        page.form().describe()
    );
    println!("copy      {}", page.copy());
    println!("checksum  {}", page.checksum());
    println!("With --holder-key its holder can see the rest.");
    Ok(())
}

fn show_share(
    args: &InspectArgs,
    medium: &str,
    copy: Option<u8>,
    unsealed: &Unsealed,
) -> CliResult {
    let share: ShareHeader = unsealed.header();
    let pin = matches!(unsealed, Unsealed::UnderPin(_));
    if args.json {
        return print_json(&json!({
            "kind": "share",
            "medium": medium,
            "opened": true,
            "authority_id": share.genesis,
            "set_id": share.set_id,
            "epoch": share.epoch,
            "index": share.index,
            "m": share.threshold.m(),
            "n": share.threshold.n(),
            "holder": share.holder,
            "copy": copy,
            "pin": pin,
        }));
    }
    println!(
        "share {} of {}, {} open",
        share.index,
        share.threshold.n(),
        share.threshold.m()
    );
    println!("holder    {}", share.holder);
    println!("set       {}, epoch {}", share.set_id, share.epoch);
    println!("authority {}", share.genesis);
    match copy {
        Some(copy) => println!("copy      {copy}, on {medium}"),
        None => println!("copy      not said by its name, on {medium}"),
    }
    println!("PIN       {}", if pin { "yes" } else { "none" });
    Ok(())
}
