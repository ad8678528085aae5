//! `dta ceremony rehearse`: the plan on a throw-away SoftHSM2 token.

use std::path::{Path, PathBuf};

use ceremony::rehearse::{self, Rehearsal, Screen};
use ceremony::screens;
use hsm::HsmChild;
use hsm::harness::SoftHsm;
use serde_json::json;

use super::failure::hsm_error;
use super::plan::{print_notices, read_plan};
use super::run::{TOOL, open_keys, spawn_hsm_with};
use crate::term::{CliError, CliResult, Exit, print_json};

/// Rehearse a plan: every step of the ceremony on a throw-away SoftHSM2 token, then a drill. Nothing is kept.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: dta ceremony rehearse plan.toml\n\nNeeds SoftHSM2 (libsofthsm2.so and softhsm2-util) and no other \
                  HSM. Holders whose --holder-key is given use their own keys, the others throw-away ones. Approvals are not \
                  asked for."
)]
pub(crate) struct RehearseArgs {
    /// The plan.
    plan: PathBuf,
    /// The key file of a holder who rehearses with the own key; repeat for each.
    #[arg(long = "holder-key", value_name = "FILE")]
    holder_keys: Vec<PathBuf>,
    /// The passphrase file of the --holder-key at the same place; repeat for each.
    #[arg(long = "passphrase-file", value_name = "FILE")]
    passphrase_files: Vec<PathBuf>,
    /// Print one JSON object at the end, and nothing else.
    #[arg(long)]
    json: bool,
}

/// Runs `dta ceremony rehearse`.
pub(super) fn run_rehearse(args: RehearseArgs) -> CliResult {
    super::guard_memory()?;
    let plan = read_plan(&args.plan, args.json)?;
    let keys = open_keys(&args.holder_keys, &args.passphrase_files)?;
    if !args.json {
        println!("REHEARSAL. Nothing of what follows is kept; no D-TA comes of it.");
        print_notices(&plan);
    }
    // Declared before the process that uses it, so that it goes after it.
    let directory = tempfile::Builder::new()
        .prefix("dta-rehearsal-")
        .tempdir()
        .map_err(|error| CliError::new(Exit::Failed, error))?;
    let child = throw_away_token(directory.path(), &plan.token.label)?;
    let hsm = child.client();
    rehearse::rehearse(Rehearsal {
        plan: &plan,
        hsm: &hsm,
        directory: directory.path(),
        keys,
        tool: TOOL,
        screen: screen(args.json),
    })?;
    drop(child);
    directory
        .close()
        .map_err(|error| CliError::new(Exit::Failed, error))?;
    if args.json {
        return print_json(&json!({ "plan": plan.hash.to_string(), "rehearsed": true }));
    }
    println!(
        "\nREHEARSAL passed: the plan can be carried out. Token, keys, shares and\nstate are gone."
    );
    screens::print_hash("plan", plan.hash.as_bytes());
    Ok(())
}

fn throw_away_token(directory: &Path, label: &str) -> CliResult<HsmChild> {
    let softhsm = directory.join("softhsm");
    std::fs::create_dir(&softhsm).map_err(|error| CliError::new(Exit::Failed, error))?;
    SoftHsm::provision(&softhsm, label).map_err(|error| {
        CliError::new(Exit::Hsm, error).with_remedy(Some(
            "install SoftHSM2 (Debian: apt install softhsm2); a rehearsal needs libsofthsm2.so and softhsm2-util",
        ))
    })?;
    let conf = ("SOFTHSM2_CONF".into(), softhsm.join("softhsm2.conf").into());
    spawn_hsm_with(&softhsm.join("hsm.toml"), vec![conf]).map_err(hsm_error)
}

fn screen(json: bool) -> Screen {
    let now = screens::wall_clock;
    if json {
        Screen {
            now,
            report: |_, _| {},
            turn: |_| {},
        }
    } else {
        Screen {
            now,
            report: screens::print_rehearsed_step,
            turn: screens::print_rehearsed_turn,
        }
    }
}
