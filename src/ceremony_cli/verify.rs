//! `dta ceremony verify`: transcript, manifest and plan, offline.

use std::path::{Path, PathBuf};

use audit::VerifierKey;
use ceremony::transcript::SignedTranscript;
use ceremony::verify::{self, Papers};
use ceremony::{files, screens, words};
use quorum::SignedManifest;
use serde_json::json;

use super::plan::read_plan;
use crate::term::{CliError, CliResult, Exit, print_json};

/// A manifest or transcript is never longer, in bytes.
const LONGEST_PAPER: u64 = 4 * 1024 * 1024;

/// Check offline that a transcript, a manifest and a plan belong together, and say what that proves.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: dta ceremony verify --transcript transcript.json --manifest manifest.json --plan plan.toml --vkey \
                  authority.vkey\n\nExit code 4 names the first thing that does not fit."
)]
pub(crate) struct VerifyArgs {
    /// transcript.json of the ceremony.
    #[arg(long, value_name = "FILE")]
    transcript: PathBuf,
    /// manifest.json of the ceremony.
    #[arg(long, value_name = "FILE")]
    manifest: PathBuf,
    /// The plan that was carried out.
    #[arg(long, value_name = "FILE")]
    plan: PathBuf,
    /// authority.vkey of the ceremony.
    #[arg(long, value_name = "FILE")]
    vkey: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs `dta ceremony verify`.
pub(super) fn run_verify(args: VerifyArgs) -> CliResult {
    let plan = read_plan(&args.plan, args.json)?;
    let transcript = read(&args.transcript, |bytes| {
        SignedTranscript::parse(bytes).map_err(|e| e.to_string())
    })?;
    let manifest = read(&args.manifest, |bytes| {
        SignedManifest::from_json(bytes).map_err(|e| e.to_string())
    })?;
    let read_key = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
        VerifierKey::from_file(text).map_err(|e| e.to_string())
    };
    let verifier = args
        .vkey
        .as_deref()
        .map(|path| read(path, read_key))
        .transpose()?;
    let proven = verify::verify(Papers {
        transcript: &transcript,
        manifest: &manifest,
        plan: &plan,
        verifier: verifier.as_ref(),
    })?;
    let (id, hash) = (transcript.transcript.authority_id, transcript.hash());
    if args.json {
        return print_json(&json!({
            "authority_id": id,
            "authority_words": words::of_hash(id.as_bytes()),
            "transcript_hash": hash.to_string(),
            "plan": plan.hash.to_string(),
            "proven": proven.0,
        }));
    }
    for line in &proven.0 {
        screens::print_wrapped("ok  ", line);
    }
    screens::print_hash("authority id", id.as_bytes());
    screens::print_hash("transcript  ", hash.as_bytes());
    screens::print_hash("plan        ", plan.hash.as_bytes());
    Ok(())
}

fn read<T>(path: &Path, parse: impl FnOnce(&[u8]) -> Result<T, String>) -> CliResult<T> {
    parse(&files::read(path, LONGEST_PAPER)?).map_err(|error| {
        CliError::new(Exit::Refused, format!("{}: {error}", path.display()))
            .with_remedy(Some("pass the file that the ceremony wrote"))
    })
}
