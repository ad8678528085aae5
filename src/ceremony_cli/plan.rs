//! `dta ceremony plan` and `dta ceremony check`.

use std::path::{Path, PathBuf};

use ceremony::files;
use ceremony::holder::{HolderName, HolderPublic, LONGEST_PUBLIC_FILE};
use ceremony::plan::{self, LONGEST_PLAN, Plan, TemplateInput, TokenChoice};
use ceremony::{screens, words};
use quorum::Name;
use serde_json::json;

use super::failure::hsm_error;
use crate::term::{CliError, CliResult, Exit, print_json};

/// Write a commented plan to standard output.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: dta ceremony plan --authority east --m 2 --holder-pub a.holder.pub \
                  --holder-pub b.holder.pub --holder-pub c.holder.pub --hsm-config hsm.toml > plan.toml"
)]
pub(crate) struct PlanArgs {
    /// What the D-TA is called.
    #[arg(long, value_name = "NAME")]
    authority: Name,
    /// How many holders are needed together.
    #[arg(long)]
    m: u8,
    /// A holder's public file; once for each holder, in the order of their shares.
    #[arg(long = "holder-pub", value_name = "FILE", required = true)]
    holders: Vec<PathBuf>,
    /// An approver's public file (made by `dta holder new`); at least twice, or not at all.
    #[arg(long = "approver-pub", value_name = "FILE")]
    approvers: Vec<PathBuf>,
    /// The machine's hsm.toml: which token. Without a token_serial in it the token is asked for its own.
    #[arg(long, value_name = "FILE")]
    hsm_config: PathBuf,
}

/// Name every mistake in a plan, by line and field.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: dta ceremony check plan.toml")]
pub(crate) struct CheckArgs {
    /// The plan.
    plan: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs `dta ceremony plan`.
pub(super) fn run_plan(args: PlanArgs) -> CliResult {
    let holders: Vec<HolderPublic> = args
        .holders
        .iter()
        .map(|path| read_public(path))
        .collect::<CliResult<_>>()?;
    let approvers: Vec<HolderPublic> = args
        .approvers
        .iter()
        .map(|path| read_public(path))
        .collect::<CliResult<_>>()?;
    let token = token_of(&args.hsm_config)?;
    let input = TemplateInput {
        authority: &args.authority,
        m: args.m,
        holders: &holders,
        approvers: &approvers,
        token: &token,
    };
    let text = plan::template(input).map_err(|error| {
        let remedy = error.remedy();
        CliError::new(Exit::Usage, error).with_remedy(remedy)
    })?;
    print!("{text}");
    Ok(())
}

/// Runs `dta ceremony check`.
pub(super) fn run_check(args: CheckArgs) -> CliResult {
    let plan = read_plan(&args.plan, args.json)?;
    if args.json {
        return print_json(&json!({
            "plan": plan.hash.to_string(),
            "authority": plan.authority,
            "m": plan.unlock.threshold.m(),
            "n": plan.unlock.threshold.n(),
            "words": words::of_hash(plan.hash.as_bytes()),
            "approvals_needed": plan.approval.as_ref().map_or(0, |approval| approval.m),
            "notices": plan.notices(),
            "mistakes": [],
        }));
    }
    println!("{}: no mistakes", args.plan.display());
    print_summary(&plan);
    print_notices(&plan);
    Ok(())
}

/// Reads and checks a plan; prints its mistakes, one to a line.
pub(super) fn read_plan(path: &Path, json: bool) -> CliResult<Plan> {
    let bytes = files::read(path, LONGEST_PLAN)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| {
        CliError::new(
            Exit::Refused,
            format!("{} is not UTF-8 text", path.display()),
        )
    })?;
    plan::check(text).map_err(|mistakes| {
        let count = mistakes.0.len();
        if json {
            let list = mistakes
                .0
                .iter()
                .map(|m| json!({"line": m.line, "field": m.field, "message": m.message}));
            // The mistakes are the answer that was asked for; the error below gives the exit code.
            if let Err(error) = print_json(&json!({ "mistakes": list.collect::<Vec<_>>() })) {
                return error;
            }
        } else {
            for mistake in &mistakes.0 {
                eprintln!("{}: {mistake}", path.display());
            }
        }
        let noun = if count == 1 { "mistake" } else { "mistakes" };
        CliError::new(
            Exit::Refused,
            format!("{} has {count} {noun}", path.display()),
        )
        .with_remedy(mistakes.remedy())
    })
}

/// Who and what the plan names, and its hash to be read out.
pub(super) fn print_summary(plan: &Plan) {
    println!(
        "{}: {} holders unlock",
        plan.authority, plan.unlock.threshold
    );
    for (holder, number) in plan.unlock.holders.iter().zip(1..) {
        print_person(number, &holder.name, &holder.sign_key);
    }
    if let Some(approval) = &plan.approval {
        println!("{} of {} approve", approval.m, approval.approvers.len());
        for (approver, number) in approval.approvers.iter().zip(1..) {
            print_person(number, &approver.name, &approver.sign_key);
        }
    }
    println!("token {}, serial {}", plan.token.label, plan.token.serial);
    screens::print_hash("sha256", plan.hash.as_bytes());
}

fn print_person(number: usize, name: &HolderName, key: &quorum::HolderKey) {
    println!("  {number:>2}  {name}\n      {key}");
}

/// What a person should hear although the plan has no mistakes.
pub(super) fn print_notices(plan: &Plan) {
    for notice in plan.notices() {
        screens::print_wrapped("note: ", &notice);
    }
}

fn read_public(path: &Path) -> CliResult<HolderPublic> {
    HolderPublic::parse(&files::read(path, LONGEST_PUBLIC_FILE)?).map_err(|error| {
        let remedy = error.remedy();
        CliError::new(
            Exit::Refused,
            PublicFile {
                path: path.to_owned(),
                source: error,
            },
        )
        .with_remedy(remedy)
    })
}

#[derive(Debug, thiserror::Error)]
#[error("cannot use {}", path.display())]
struct PublicFile {
    path: PathBuf,
    source: ceremony::holder::HolderPublicError,
}

fn token_of(hsm_config: &Path) -> CliResult<TokenChoice> {
    let config = hsm::Config::read(hsm_config).map_err(hsm_error)?;
    if let Some(serial) = config.token_serial {
        return Ok(TokenChoice {
            label: config.token_label,
            serial,
        });
    }
    let child = super::run::spawn_hsm(hsm_config)?;
    let info = child.client().token_info().map_err(hsm_error)?;
    Ok(TokenChoice {
        label: info.label,
        serial: info.serial,
    })
}
