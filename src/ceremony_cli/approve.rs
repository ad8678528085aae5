//! `dta ceremony approve` and `dta ceremony words`.

use std::path::PathBuf;

use ceremony::approval::SignedApproval;
use ceremony::files::{self, Privacy};
use ceremony::{screens, words};
use serde_json::json;

use super::plan::{print_notices, print_summary, read_plan};
use crate::term::{CliError, CliResult, Exit, print_json};

/// Sign a plan as one of its approvers: shows what it says and its hash, and writes PLANHASH-NAME.approval.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: dta ceremony approve plan.toml --holder-key xena.holder\n\nCompare the hash with the other \
                  approvers: read out the words. `dta ceremony run` takes each file by --approval."
)]
pub(crate) struct ApproveArgs {
    /// The plan.
    plan: PathBuf,
    /// The approver's key file, as made by `dta holder new`.
    #[arg(long, value_name = "FILE")]
    holder_key: PathBuf,
    /// Take the key's passphrase from the first line of this file.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Where to write the approval.
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Say a hash in 24 words, or turn 24 words into the hash.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: dta ceremony words 93cab889e2c52cb6c5663921bbd2cacf4a30883ee4eb26a49dbac796de84a2c6"
)]
pub(crate) struct WordsArgs {
    /// 64 hex digits, or 24 words of the BIP-39 list.
    #[arg(required = true, value_name = "HEX|WORDS")]
    hash: Vec<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs `dta ceremony approve`.
pub(super) fn run_approve(args: ApproveArgs) -> CliResult {
    super::guard_memory()?;
    let plan = read_plan(&args.plan, args.json)?;
    if !args.json {
        print_summary(&plan);
        print_notices(&plan);
    }
    let key = screens::open_key(&args.holder_key, args.passphrase_file.as_deref())?;
    let signed = SignedApproval::sign(&plan, &key, screens::wall_clock())?;
    let path = args.out.join(signed.file_name());
    files::create(&path, &signed.to_bytes(), Privacy::Public)?;
    if args.json {
        return print_json(&json!({
            "plan": plan.hash.to_string(),
            "words": words::of_hash(plan.hash.as_bytes()),
            "name": signed.approval.name,
            "approval": path,
        }));
    }
    println!("\n{} approves this plan:", signed.approval.name);
    println!("  {}", path.display());
    println!("Read the words out; every approver must hear the same.");
    Ok(())
}

/// Runs `dta ceremony words`.
pub(super) fn run_words(args: WordsArgs) -> CliResult {
    let hash = match &args.hash[..] {
        [only] if !only.contains(' ') => read_hex(only)?,
        several => words::to_hash(&several.join(" "))?,
    };
    if args.json {
        return print_json(&json!({
            "hash": hex::encode(hash),
            "words": words::of_hash(&hash),
        }));
    }
    println!("{}", hex::encode(hash));
    for line in words::lines_of_hash(&hash) {
        println!("{line}");
    }
    Ok(())
}

fn read_hex(text: &str) -> CliResult<[u8; 32]> {
    let mut hash = [0; 32];
    hex::decode_to_slice(text, &mut hash).map_err(|_| {
        CliError::new(
            Exit::Usage,
            format!("{text:?} is not a hash: expected 64 hex digits or 24 words"),
        )
        .with_remedy(Some("write all 24 words, each separated by a space"))
    })?;
    Ok(hash)
}
