//! `dta ceremony run`: the ceremony, with its own `dta hsm` child.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use ceremony::approval::{Approved, LONGEST_APPROVAL, SignedApproval};
use ceremony::holder::{HolderName, HolderSecrets};
use ceremony::init::{self, Desk, Init, KeysAtHand, PinAtHand, Purpose, Report};
use ceremony::pin::SharePin;
use ceremony::plan::Plan;
use ceremony::screens::{self, Terminal};
use ceremony::transcript::StepRecord;
use ceremony::{files, words};
use hsm::{HsmChild, HsmError};
use serde_json::json;

use super::failure::hsm_error;
use super::plan::{print_notices, read_plan};
use crate::term::{CliError, CliResult, Exit, print_json};

/// The program and its version, for transcripts.
pub(super) const TOOL: &str = concat!("dta ", env!("CARGO_PKG_VERSION"));

/// Found a D-TA as the plan says. Nothing that exists is touched; what a failed run made is removed again.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: dta ceremony run plan.toml --state-dir /var/lib/dta --hsm-config /etc/dta/hsm.toml \
                  --out ceremony/\n\nWithout --holder-key each holder is asked in turn on the terminal. With it, once for \
                  each holder of the plan, nobody is asked."
)]
pub(crate) struct RunArgs {
    /// The plan.
    plan: PathBuf,
    /// The state directory to be made: missing, or empty.
    #[arg(long, value_name = "DIR")]
    state_dir: PathBuf,
    /// The machine's hsm.toml.
    #[arg(long, value_name = "FILE")]
    hsm_config: PathBuf,
    /// Where shares, manifest.json, authority.vkey and transcript.json are written.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// An approver's signature on this very plan, from `dta ceremony approve`; repeat for each.
    #[arg(long = "approval", value_name = "FILE")]
    approvals: Vec<PathBuf>,
    /// A holder's key file; repeat for each holder.
    #[arg(long = "holder-key", value_name = "FILE")]
    holder_keys: Vec<PathBuf>,
    /// The passphrase file of the --holder-key at the same place; repeat for each.
    #[arg(long = "passphrase-file", value_name = "FILE")]
    passphrase_files: Vec<PathBuf>,
    /// The PIN file for one copy of one holder's share, such as alice:2=FILE; repeat for each. Copies without one have no PIN.
    #[arg(
        long = "pin-file",
        value_name = "HOLDER:COPY=FILE",
        requires = "holder_keys"
    )]
    pin_files: Vec<PinFile>,
    /// Print one JSON object at the end, and nothing else.
    #[arg(long)]
    json: bool,
}

/// `HOLDER:COPY=FILE`
#[derive(Clone, Debug)]
struct PinFile {
    holder: HolderName,
    copy: u8,
    file: PathBuf,
}

impl std::str::FromStr for PinFile {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = "expected HOLDER:COPY=FILE, such as alice:1=alice.pin";
        let (whose, file) = text.split_once('=').ok_or(expected)?;
        let (holder, copy) = whose.split_once(':').ok_or(expected)?;
        Ok(Self {
            holder: holder.parse().map_err(|_| expected)?,
            copy: copy.parse().map_err(|_| expected)?,
            file: file.into(),
        })
    }
}

/// Reads the PINs; one for a copy that the plan does not have is refused.
fn pins(args: &RunArgs, plan: &Plan) -> CliResult<Vec<PinAtHand>> {
    let read = |given: &PinFile| -> CliResult<PinAtHand> {
        let PinFile { holder, copy, file } = given;
        let known = plan
            .unlock
            .holders
            .iter()
            .any(|planned| planned.name == *holder);
        if !known || !(1..=plan.unlock.copies).contains(copy) {
            let message = format!("the plan has no copy {copy} of a share for {holder}");
            return Err(CliError::new(Exit::Usage, message)
                .with_remedy(Some("see `copies` and the holders' names in the plan")));
        }
        Ok(PinAtHand {
            holder: holder.clone(),
            copy: *copy,
            pin: SharePin::chosen_from_file(file, holder.as_str())?,
        })
    };
    args.pin_files.iter().map(read).collect()
}

/// Runs `dta ceremony run`.
pub(super) fn run(args: RunArgs) -> CliResult {
    super::guard_memory()?;
    let plan = read_plan(&args.plan, args.json)?;
    let approved = approvals(&args, &plan)?;
    let mut desk = desk(&args, &plan)?;
    if !args.json {
        print_notices(&plan);
    }
    let child = spawn_hsm(&args.hsm_config)?;
    let hsm = child.client();
    let order = Init {
        plan: &plan,
        approved: &approved,
        purpose: Purpose::Found,
        hsm: &hsm,
        state_dir: &args.state_dir,
        out_dir: &args.out,
        tool: TOOL,
    };
    let report = init::run(order, desk.as_mut()).map_err(|failure| {
        for line in failure.aftermath() {
            eprintln!("{line}");
        }
        CliError::from(failure.into_error())
    })?;
    announce(&report, args.json)
}

/// Reads and checks the approvals; those that do not count are named even when there are enough without them.
fn approvals(args: &RunArgs, plan: &Plan) -> CliResult<Approved> {
    let read = |path: &PathBuf| -> CliResult<(String, SignedApproval)> {
        let signed =
            SignedApproval::parse(&files::read(path, LONGEST_APPROVAL)?).map_err(|error| {
                CliError::new(Exit::Refused, format!("{}: {error}", path.display()))
                    .with_remedy(Some("pass the file that `dta ceremony approve` wrote"))
            })?;
        Ok((path.display().to_string(), signed))
    };
    let given = args.approvals.iter().map(read).collect::<CliResult<_>>()?;
    let approved = Approved::check(plan, given)?;
    for bad in approved.bad() {
        eprintln!("not counted: {bad}");
    }
    Ok(approved)
}

/// A private `dta hsm` of this very program. Its log would run across the screen of a ceremony: without `DTA_LOG` it
/// says only what went wrong, and nothing of the mechanisms that the PKCS#11 binding does not know.
pub(super) fn spawn_hsm(config: &Path) -> CliResult<HsmChild> {
    spawn_hsm_with(config, Vec::new()).map_err(hsm_error)
}

/// The same with further variables in its environment.
pub(super) fn spawn_hsm_with(
    config: &Path,
    mut environment: Vec<(OsString, OsString)>,
) -> Result<HsmChild, HsmError> {
    let exe = std::env::current_exe().map_err(|error| HsmError::CannotStart {
        program: "dta".into(),
        problem: error.to_string(),
    })?;
    if std::env::var_os("DTA_LOG").is_none() {
        environment.push(("DTA_LOG".into(), "warn,cryptoki=off".into()));
    }
    HsmChild::spawn_with(&exe, config, &environment)
}

/// Opens each key file with the passphrase file at the same place, or by asking; nobody is asked for what is not there.
pub(super) fn open_keys(
    paths: &[PathBuf],
    passphrases: &[PathBuf],
) -> CliResult<Vec<HolderSecrets>> {
    let (keys, files) = (paths.len(), passphrases.len());
    if files != 0 && files != keys {
        let message = format!("{keys} --holder-key and {files} --passphrase-file do not pair up");
        let remedy = Some("pass one --passphrase-file for each --holder-key, in the same order");
        return Err(CliError::new(Exit::Usage, message).with_remedy(remedy));
    }
    let open = |(at, path): (usize, &PathBuf)| {
        let passphrase = passphrases.get(at).map(PathBuf::as_path);
        Ok(screens::open_key(path, passphrase)?)
    };
    paths.iter().enumerate().map(open).collect()
}

fn desk(args: &RunArgs, plan: &Plan) -> CliResult<Box<dyn Desk>> {
    if args.holder_keys.is_empty() {
        return Ok(Box::new(Terminal));
    }
    // All keys are opened before anything is made, so a wrong passphrase costs nothing.
    let opened = open_keys(&args.holder_keys, &args.passphrase_files)?;
    let report: fn(&StepRecord, u32) = if args.json {
        |_, _| {}
    } else {
        screens::print_step
    };
    let desk = KeysAtHand::new(opened, screens::wall_clock, report).with_pins(pins(args, plan)?);
    desk.suffices_for(&plan.unlock)?;
    Ok(Box::new(desk))
}

fn announce(report: &Report, json: bool) -> CliResult {
    if json {
        return print_json(&json!({
            "authority_id": report.authority_id,
            "manifest_hash": report.manifest_hash,
            "set_id": report.set_id,
            "epoch": report.epoch,
            "m": report.threshold.m(),
            "n": report.threshold.n(),
            "node": report.node,
            "authority_words": words::of_hash(report.authority_id.as_bytes()),
            "transcript_words": words::of_hash(report.transcript_hash.as_bytes()),
            "transcript_hash": report.transcript_hash.to_string(),
            "shares": report.shares,
            "manifest": report.manifest,
            "verifier_key": report.verifier_key,
            "transcript": report.transcript,
        }));
    }
    println!(
        "\nThe D-TA exists, and {} holders can open it.",
        report.threshold
    );
    screens::print_hash("authority id", report.authority_id.as_bytes());
    screens::print_hash("transcript  ", report.transcript_hash.as_bytes());
    println!("Read both out and write them down. Files:");
    for path in
        report
            .shares
            .iter()
            .chain([&report.manifest, &report.verifier_key, &report.transcript])
    {
        println!("  {}", path.display());
    }
    Ok(())
}
