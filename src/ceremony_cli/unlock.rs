//! `dta unlock`: one holder gives one share to a sealed authority, over its socket or in armour over any channel.

use std::fmt::Display;
use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;

use ceremony::files::{self, Privacy};
use ceremony::holder::{HolderSecrets, seen_path};
use ceremony::screens;
use ceremony::session::{
    Answerable, Envelope, Question, Seen, SessionPurpose, SessionRequest, examine,
};
use ceremony::sharefile::OpenedShare;
use serde_json::json;
use wire::Problem;
use wire::operator::{AuthorityState, ShareReply};

use super::asking;
use super::share_args::ShareArgs;
use super::watch::{self, WaitArgs};
use crate::operator_cli::socket::{SocketArgs, problem_error, share_refused};
use crate::term::{CliError, CliResult, Exit, print_json};

/// Give one holder's share to a sealed authority.
///
/// The share is opened here, checked against the authority that asks, and sealed to its session; it never leaves this
/// machine in the clear. With --remote nothing but the request is needed: no socket, no network, any machine. Exits with
/// 0 when the share was accepted (with --remote: the answer was written) and with 4 when it was refused.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    dta unlock --share 5eed...-1-2-1.share --holder-key alice.holder\n  \
    dta unlock --remote request.txt --out answer.txt \\\n    \
    --share 5eed...-1-2-1.share --holder-key alice.holder")]
pub(crate) struct UnlockArgs {
    #[command(flatten)]
    source: ShareArgs,
    /// The holder's key file.
    #[arg(long, value_name = "FILE")]
    holder_key: PathBuf,
    /// Take the key's passphrase from the first line of this file.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Answer the request in this file (`-`: standard input) that `dta session request` wrote.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["socket", "wait", "no_wait"])]
    remote: Option<PathBuf>,
    /// Write the answer into this new file instead of to standard output.
    #[arg(long, value_name = "FILE", requires = "remote")]
    out: Option<PathBuf>,
    #[command(flatten)]
    socket: SocketArgs,
    #[command(flatten)]
    wait: WaitArgs,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs `dta unlock`.
pub(crate) fn run_unlock(args: UnlockArgs) -> CliResult {
    super::guard_memory()?;
    // What was asked is read first: a mangled request costs nobody a passphrase.
    let remote = args.remote.as_deref().map(super::session::read_request);
    let remote = remote.transpose()?;
    let holder = screens::open_key(&args.holder_key, args.passphrase_file.as_deref())?;
    let share = open_share(&args, &holder)?;
    let request = match &remote {
        Some(request) => request,
        None => &asking::open_or_join(&args.socket)?,
    };
    let envelope = answer(&args, request, &holder, &share)?;
    if remote.is_some() {
        return hand_over(&args, &envelope);
    }
    let reply = asking::give(&args.socket, &request.session, &envelope)?;
    let reply = reply.map_err(|problem| refusal(args.json, problem))?;
    report(&args, request, &reply)
}

fn open_share(args: &UnlockArgs, holder: &HolderSecrets) -> CliResult<OpenedShare> {
    args.source
        .open(holder)
        .map_err(|error| match error.verdict() {
            Some(verdict) => refused(args, verdict, &error).with_remedy(error.remedy()),
            None => CliError::from(error),
        })
}

/// Checks what is asked against all that the holder knows, shows it, and seals the share to it.
fn answer(
    args: &UnlockArgs,
    request: &SessionRequest,
    holder: &HolderSecrets,
    share: &OpenedShare,
) -> CliResult<Envelope> {
    let seen_file = seen_path(&args.holder_key);
    let seen = Seen::load(&seen_file)?;
    let question = Question {
        session: &request.session,
        chain: &request.chain,
        purpose: SessionPurpose::Unlock,
        now: screens::wall_clock(),
        seen: &seen,
        holder,
        share,
    };
    let answerable = examine(question).map_err(|error| match error.verdict() {
        Some(verdict) => refused(args, verdict, &error).with_remedy(error.remedy()),
        None => CliError::from(error),
    })?;
    if !args.json {
        show(args, &answerable)?;
    }
    confirm(args, &answerable)?;
    answerable.remember().save(&seen_file)?;
    Ok(answerable.answer()?)
}

/// A share that was not accepted. With `--json` the verdict is printed too: it is the answer that was asked for.
fn refused(args: &UnlockArgs, verdict: &str, why: impl Display) -> CliError {
    match say_verdict(args.json, verdict) {
        Ok(()) => share_refused(verdict, why),
        Err(unprintable) => unprintable,
    }
}

fn say_verdict(json: bool, verdict: &str) -> CliResult {
    if json {
        print_json(&json!({ "verdict": verdict }))
    } else {
        Ok(())
    }
}

/// The authority's refusal of an answer.
pub(super) fn refusal(json: bool, problem: Problem) -> CliError {
    let verdict = problem.extension("verdict").and_then(|word| word.as_str());
    match verdict.map_or(Ok(()), |verdict| say_verdict(json, verdict)) {
        Ok(()) => problem_error(problem),
        Err(unprintable) => unprintable,
    }
}

/// A line for the holder: beside the answer where that goes to standard output.
fn tell(args: &UnlockArgs, line: &str) -> CliResult {
    let written = if args.remote.is_some() {
        writeln!(std::io::stderr(), "{line}")
    } else {
        writeln!(std::io::stdout(), "{line}")
    };
    written.map_err(|error| CliError::new(Exit::Failed, error))
}

/// What is asked, who asks, who else is asked, and what is new since the holder answered last.
fn show(args: &UnlockArgs, answerable: &Answerable<'_>) -> CliResult {
    let session = answerable.session();
    let mut lines = vec![
        format!("{} asks for: {}", answerable.authority(), session.purpose),
        format!("  authority {}", session.authority_id),
        format!("  manifest  {}", session.manifest_hash),
        format!("  set       {}, epoch {}", session.set_id, session.epoch),
        format!("  node      {}", session.node),
    ];
    if let Some(checkpoint) = &session.checkpoint {
        lines.push(format!("  audit log {} entries", checkpoint.size));
        lines.push(format!("  root      {}", checkpoint.root));
    }
    lines.push(format!("  until     {}", session.expires));
    for holder in answerable.roster() {
        let you = if holder.index == answerable.slot().index {
            "  <- you"
        } else {
            ""
        };
        lines.push(format!("  {:>2}  {}{you}", holder.index, holder.name));
    }
    for note in notes(answerable) {
        lines.extend(screens::wrapped("note: ", &note));
    }
    lines.iter().try_for_each(|line| tell(args, line))
}

/// What the holder should notice.
fn notes(answerable: &Answerable<'_>) -> Vec<String> {
    let mut notes: Vec<_> = answerable.notice().into_iter().collect();
    let change = answerable.roster_change().unwrap_or_default();
    for name in change.gone {
        notes.push(format!(
            "No holder any more since you answered last: {name}"
        ));
    }
    for name in change.new {
        notes.push(format!("New holder since you answered last: {name}"));
    }
    match answerable.clock_skew() {
        Some(late @ 0..) => notes.push(format!(
            "By this machine's clock the session ended {late} s ago; one of the two clocks is wrong."
        )),
        Some(early) => notes.push(format!(
            "By this machine's clock the session begins in {} s; one of the two clocks is wrong.",
            early.unsigned_abs()
        )),
        None => {}
    }
    notes
}

/// A person at a terminal says yes to what is new, and to every request that came from elsewhere; whoever passes a
/// passphrase file has said so.
fn confirm(args: &UnlockArgs, answerable: &Answerable<'_>) -> CliResult {
    let new = args.remote.is_some() || answerable.notice().is_some();
    let asked = new && args.passphrase_file.is_none() && !args.json;
    if !asked || !std::io::stdin().is_terminal() {
        return Ok(());
    }
    eprint!("Give your share? [y/N] ");
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|error| CliError::new(Exit::Failed, error))?;
    if matches!(line.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(CliError::new(Exit::Refused, "you did not give your share"))
}

/// Writes the armoured answer to where it is wanted.
fn hand_over(args: &UnlockArgs, envelope: &Envelope) -> CliResult {
    let text = envelope.to_armour();
    let Some(path) = &args.out else {
        if args.json {
            return print_json(&json!({ "answer": text }));
        }
        print!("{text}");
        return Ok(());
    };
    files::create(path, text.as_bytes(), Privacy::Public)?;
    if args.json {
        return print_json(&json!({ "answer_file": path }));
    }
    tell(
        args,
        &format!(
            "{} is written: only the session of this authority can read the share in it",
            path.display()
        ),
    )?;
    tell(
        args,
        "Send it to the operator, over any channel, before the session ends.",
    )
}

fn report(args: &UnlockArgs, request: &SessionRequest, reply: &ShareReply) -> CliResult {
    if args.json {
        print_json(reply)?;
    } else {
        say_reply(reply);
    }
    let done = reply.status.state == AuthorityState::Unlocked;
    let wanted = if args.json {
        args.wait.explicit()
    } else {
        args.wait.wanted()
    };
    if done || !wanted {
        return Ok(());
    }
    watch::watch(&args.socket, request)
}

/// What became of a share, and where the authority stands.
pub(super) fn say_reply(reply: &ShareReply) {
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
}
