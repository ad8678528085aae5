//! `dta unlock`: one holder gives one share to a sealed authority.

use std::fmt::Display;
use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;

use ceremony::holder::seen_path;
use ceremony::session::{Answerable, Question, Seen, SessionPurpose, SignedSession, examine};
use ceremony::screens;
use quorum::{ManifestChain, SignedManifest};
use serde_json::json;
use wire::operator::{AuthorityState, ManifestChainReply, Op, SessionReply, ShareReply};
use wire::{Problem, ProblemType};

use super::share_args::ShareArgs;
use crate::operator_cli::socket::{SocketArgs, problem_error, share_refused};
use crate::term::{CliError, CliResult, Exit, print_json};

/// Give one holder's share to a sealed authority.
///
/// The share is opened here, checked against the authority that asks, and sealed to its session; it never leaves this
/// machine in the clear. Exits with 0 when the share was accepted and with 4 when it was refused.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: dta unlock --share 5eed...-1-2-1.share --holder-key alice.holder")]
pub(crate) struct UnlockArgs {
    #[command(flatten)]
    source: ShareArgs,
    /// The holder's key file.
    #[arg(long, value_name = "FILE")]
    holder_key: PathBuf,
    /// Take the key's passphrase from the first line of this file.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    socket: SocketArgs,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs `dta unlock`.
pub(crate) fn run_unlock(args: UnlockArgs) -> CliResult {
    super::guard_memory()?;
    let holder = screens::open_key(&args.holder_key, args.passphrase_file.as_deref())?;
    let share = args.source.open(&holder).map_err(|error| match error.verdict() {
        Some(verdict) => refused(&args, verdict, &error).with_remedy(error.remedy()),
        None => CliError::from(error),
    })?;
    let session_json = open_session(&args.socket)?;
    let session: SignedSession = from_authority(session_json.clone(), "session")?;
    let chain = manifest_chain(&args.socket)?;
    let seen_file = seen_path(&args.holder_key);
    let seen = Seen::load(&seen_file)?;
    let question = Question {
        session: &session,
        chain: &chain,
        purpose: SessionPurpose::Unlock,
        now: screens::wall_clock(),
        seen: &seen,
        holder: &holder,
        share: &share,
    };
    let answerable = examine(question).map_err(|error| match error.verdict() {
        Some(verdict) => refused(&args, verdict, &error).with_remedy(error.remedy()),
        None => CliError::from(error),
    })?;
    if !args.json {
        show(&answerable);
    }
    confirm(&answerable, &args)?;
    answerable.remember().save(&seen_file)?;
    let envelope = answerable.answer()?;
    let envelope =
        serde_json::to_value(&envelope).map_err(|error| CliError::new(Exit::Failed, error))?;
    submit(
        &args,
        Op::ShareSubmit {
            session: session_json,
            envelope,
        },
    )
}

/// A share that was not accepted. With `--json` the verdict is printed too: it is the answer that was asked for.
fn refused(args: &UnlockArgs, verdict: &str, why: impl Display) -> CliError {
    match say(args, verdict) {
        Ok(()) => share_refused(verdict, why),
        Err(unprintable) => unprintable,
    }
}

fn say(args: &UnlockArgs, verdict: &str) -> CliResult {
    if args.json {
        print_json(&json!({ "verdict": verdict }))
    } else {
        Ok(())
    }
}

/// The session that is open, or a new one; another holder may open it at the same moment.
fn open_session(socket: &SocketArgs) -> CliResult<serde_json::Value> {
    let is = |problem: &Problem, kind| problem.kind() == kind;
    let first: Result<SessionReply, Problem> = socket.ask(Op::SessionGet {})?;
    let reply = match first {
        Err(problem) if is(&problem, ProblemType::NotFound) => {
            let purpose = SessionPurpose::Unlock.as_str().to_owned();
            match socket.ask(Op::SessionOpen { purpose })? {
                // Unless somebody else has just opened one, the refusal stands.
                Err(conflict) if is(&conflict, ProblemType::Conflict) => {
                    socket.ask(Op::SessionGet {})?.or(Err(conflict))
                }
                opened => opened,
            }
        }
        found => found,
    };
    let reply: SessionReply = reply.map_err(problem_error)?;
    Ok(reply.session)
}

fn manifest_chain(socket: &SocketArgs) -> CliResult<ManifestChain> {
    let reply: ManifestChainReply = socket.call(Op::ManifestChain {})?;
    let manifests = reply
        .chain
        .into_iter()
        .map(|value| from_authority::<SignedManifest>(value, "manifest"))
        .collect::<CliResult<_>>()?;
    ManifestChain::verify(manifests).map_err(|error| {
        CliError::new(Exit::Refused, error).with_remedy(Some(
            "do not answer; this authority cannot prove who its holders are",
        ))
    })
}

fn from_authority<T: serde::de::DeserializeOwned>(
    value: serde_json::Value,
    what: &str,
) -> CliResult<T> {
    serde_json::from_value(value).map_err(|error| {
        CliError::new(
            Exit::Refused,
            format!("the authority sent a {what} that cannot be read: {error}"),
        )
        .with_remedy(Some("use the version of dta that the authority runs"))
    })
}

/// What is asked, who asks, and who else is asked.
fn show(answerable: &Answerable<'_>) {
    let session = answerable.session();
    println!("{} asks for: {}", answerable.authority(), session.purpose);
    println!("  authority {}", session.authority_id);
    println!("  manifest  {}", session.manifest_hash);
    println!("  set       {}, epoch {}", session.set_id, session.epoch);
    println!("  node      {}", session.node);
    if let Some(checkpoint) = &session.checkpoint {
        println!("  audit log {} entries", checkpoint.size);
        println!("  root      {}", checkpoint.root);
    }
    println!("  until     {}", session.expires);
    for holder in answerable.roster() {
        let you = if holder.index == answerable.slot().index {
            "  <- you"
        } else {
            ""
        };
        println!("  {:>2}  {}{you}", holder.index, holder.name);
    }
    if let Some(notice) = answerable.notice() {
        screens::print_wrapped("note: ", &notice);
    }
}

/// A person at a terminal says yes to what is new; whoever passes a passphrase file has said so.
fn confirm(answerable: &Answerable<'_>, args: &UnlockArgs) -> CliResult {
    let asked = answerable.notice().is_some() && args.passphrase_file.is_none() && !args.json;
    if !asked || !std::io::stdin().is_terminal() {
        return Ok(());
    }
    print!("Give your share? [y/N] ");
    let mut answer = String::new();
    std::io::stdout()
        .flush()
        .and_then(|()| std::io::stdin().lock().read_line(&mut answer))
        .map_err(|error| CliError::new(Exit::Failed, error))?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(CliError::new(Exit::Refused, "you did not give your share"))
}

fn submit(args: &UnlockArgs, op: Op) -> CliResult {
    let reply: ShareReply = match args.socket.ask(op)? {
        Ok(reply) => reply,
        Err(problem) => {
            if let Some(verdict) = problem.extension("verdict").and_then(|word| word.as_str()) {
                say(args, verdict)?;
            }
            return Err(problem_error(problem));
        }
    };
    if args.json {
        return print_json(&reply);
    }
    println!(
        "share {} of {} is {}",
        reply.share.index, reply.share.holder, reply.verdict
    );
    let status = &reply.status;
    match status.state {
        AuthorityState::Unlocked => println!("unlocked"),
        AuthorityState::Sealed | AuthorityState::Unlocking => {
            println!("sealed, {} of {}", status.accepted.len(), status.set.m);
        }
    }
    Ok(())
}
