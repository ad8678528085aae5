//! `dta holder duplicate`: a holder makes one more copy of the own share.

use std::fs;
use std::path::{Path, PathBuf};

use ceremony::files::{self, Privacy};
use ceremony::holder::HolderSecrets;
use ceremony::paper::{self, Page, PaperError, Protection};
use ceremony::pin::SharePin;
use ceremony::sharefile::{self, OpenedShare, ShareCopy, ShareFileName};
use ceremony::{prompts, screens};
use serde_json::json;

use super::share_args::{ShareArgs, read_page};
use crate::term::{CliError, CliResult, Exit, print_json};

/// Make one more copy of your own share, with a PIN of its own or none, as a file or on paper.
///
/// It is the same share: both copies count once. Every copy is read back before this says that it is done.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    dta holder duplicate --share 5eed...-1-2-1.share --holder-key alice.holder --copy 2\n  \
    dta holder duplicate --share 5eed...-1-2-1.share --holder-key alice.holder --copy 3 \\\n    \
    --onto paper\n  \
    dta holder duplicate --paper - --holder-key alice.holder --copy 4")]
pub(crate) struct DuplicateArgs {
    #[command(flatten)]
    source: ShareArgs,
    /// The holder's key file.
    #[arg(long, value_name = "FILE")]
    holder_key: PathBuf,
    /// Take the key's passphrase from the first line of this file.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// The number of the new copy; the ceremony made copy 1.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(2..=99))]
    copy: u8,
    /// What the new copy is made of.
    #[arg(long, value_enum, default_value_t = Medium::File)]
    onto: Medium,
    /// Put the new copy under the PIN (4 to 48 digits) or passphrase in this file.
    #[arg(long, value_name = "FILE")]
    new_pin_file: Option<PathBuf>,
    /// On paper: under the new passphrase alone, so that the page opens without the holder's key file.
    #[arg(long)]
    without_key: bool,
    /// On paper: read the page back from this file, a scan of it, instead of from the keyboard.
    #[arg(long, value_name = "FILE")]
    paper_readback: Option<PathBuf>,
    /// Where to write it.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// What a copy is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Medium {
    /// SETID-EPOCH-INDEX-COPY.share
    File,
    /// A page to print, as text and as HTML.
    Paper,
}

/// Runs `dta holder duplicate`.
pub(super) fn run_duplicate(args: DuplicateArgs) -> CliResult {
    super::guard_memory()?;
    let holder = screens::open_key(&args.holder_key, args.passphrase_file.as_deref())?;
    let share = args.source.open(&holder)?;
    let pin = new_pin(&args, &holder)?;
    let paths = match args.onto {
        Medium::File => vec![onto_file(&args, &holder, &share, pin.as_ref())?],
        Medium::Paper => onto_paper(&args, &holder, &share, pin.as_ref())?,
    };
    if args.json {
        return print_json(&json!({ "copy": args.copy, "pin": pin.is_some(), "files": paths }));
    }
    for path in &paths {
        println!("{}", path.display());
    }
    println!(
        "copy {} of share {} is read back; it and the others count once",
        args.copy,
        share.share().index()
    );
    Ok(())
}

/// From the file, or asked for where a person types the passphrase, too.
fn new_pin(args: &DuplicateArgs, holder: &HolderSecrets) -> CliResult<Option<SharePin>> {
    let name = holder.name().as_str();
    let pin = match &args.new_pin_file {
        Some(file) => Some(SharePin::chosen_from_file(file, name)?),
        None if args.passphrase_file.is_some() => None,
        None => prompts::choose_pin(args.copy, name)?,
    };
    if pin.as_ref().is_some_and(SharePin::is_digits) && !args.json {
        screens::print_wrapped(
            "note: ",
            "digits are a confirmation; they protect nothing once this copy and your key file are both stolen.",
        );
    }
    Ok(pin)
}

fn onto_file(
    args: &DuplicateArgs,
    holder: &HolderSecrets,
    share: &OpenedShare,
    pin: Option<&SharePin>,
) -> CliResult<PathBuf> {
    let copy = ShareCopy::new(args.copy, pin);
    let path = sharefile::write(&args.dir, copy, share.share(), &holder.public().recipient)?;
    files::forget_cached(&path);
    let read_back = sharefile::unseal(&path, holder).and_then(|unsealed| unsealed.with_pin(pin));
    match read_back {
        Ok(again) if again.encoded() == share.encoded() => Ok(path),
        Ok(_) => Err(not_the_same(&path)),
        Err(error) => Err(error.into()),
    }
}

fn onto_paper(
    args: &DuplicateArgs,
    holder: &HolderSecrets,
    share: &OpenedShare,
    pin: Option<&SharePin>,
) -> CliResult<Vec<PathBuf>> {
    let recipient = &holder.public().recipient;
    let protection = match (pin, args.without_key) {
        (Some(passphrase), true) => Protection::Passphrase(passphrase),
        (None, true) => {
            return Err(
                CliError::new(Exit::Usage, "--without-key needs a passphrase")
                    .with_remedy(Some("pass --new-pin-file, or leave --without-key out")),
            );
        }
        (Some(pin), false) => Protection::KeyAndPin(recipient, pin),
        (None, false) => Protection::Key(recipient),
    };
    let page = Page::seal(share.share(), args.copy, protection)?;
    let paths = write_page(args, share, &page)?;
    if !args.json {
        println!(
            "Print {} or {}, then read it back from the print.",
            paths[1].display(),
            paths[0].display()
        );
    }
    let back = read_page(args.paper_readback.as_deref().unwrap_or(Path::new("-")));
    match back {
        Ok(back) if back == page => Ok(paths),
        other => {
            for path in &paths {
                // What was not read back must not be taken for a copy; the reason for the failure is the one to tell.
                let _ = fs::remove_file(path);
            }
            Err(match other {
                Ok(_) => PaperError::OtherPage.into(),
                Err(error) => error.into(),
            })
        }
    }
}

fn write_page(args: &DuplicateArgs, share: &OpenedShare, page: &Page) -> CliResult<Vec<PathBuf>> {
    let header = share.share().header();
    let name = ShareFileName {
        set_id: header.set_id,
        epoch: header.epoch,
        index: header.index,
        copy: args.copy,
    };
    let stem = name.to_string();
    let stem = stem.trim_end_matches(".share");
    let contents = [
        ("txt", paper::text(&header, page)?),
        ("html", paper::html(&header, page)?),
    ];
    let mut paths = Vec::new();
    for (kind, text) in contents {
        let path = args.dir.join(format!("{stem}.paper.{kind}"));
        files::create(&path, text.as_bytes(), Privacy::Secret)?;
        paths.push(path);
    }
    Ok(paths)
}

fn not_the_same(path: &Path) -> CliError {
    let message = format!(
        "{} was written and does not read back as the same share",
        path.display()
    );
    CliError::new(Exit::Failed, message).with_remedy(Some("use another medium"))
}
