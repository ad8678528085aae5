//! `dta session`: the operator's side of unlock sessions, and what carries them to holders elsewhere.

use std::path::{Path, PathBuf};

use ceremony::files::{self, Privacy};
use ceremony::session::{Envelope, LONGEST_ARMOUR, SessionRequest};
use serde_json::json;
use wire::operator::{Op, SessionReply, StatusReport};

use super::asking;
use super::unlock::{refusal, say_reply};
use super::watch::{self, WaitArgs};
use crate::operator_cli::socket::{SocketArgs, problem_error};
use crate::term::{CliError, CliResult, Exit, print_json};

/// `dta session ...`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum SessionCommand {
    /// Open a session that collects the holders' shares.
    Open(OpenArgs),
    /// Say which session is open, and who has answered.
    Show(ShowArgs),
    /// Write the open session as text, for holders elsewhere.
    Request(RequestArgs),
    /// Give the authority an answer that came from elsewhere.
    Submit(SubmitArgs),
    /// End the open session; the shares it holds are wiped.
    Close(CloseArgs),
}

/// Open a session that collects the holders' shares.
///
/// Not needed when a holder is at the machine: the first `dta unlock` opens one. There is one session at a time, and
/// nobody can replace it; `dta session close` ends it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: dta session open --minutes 120")]
pub(crate) struct OpenArgs {
    /// How long it stays open, 1 to 1440 minutes [default: session_minutes of authority.toml].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1440))]
    minutes: Option<u16>,
    #[command(flatten)]
    common: CommonArgs,
}

/// Say which session is open, and who has answered.
///
/// Exits with 0 when a session is open and with 4 when none is.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: dta session show --wait")]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    common: CommonArgs,
}

/// Write the open session as text, for holders elsewhere.
///
/// The text is public and names no secret; send it over any channel. Holders answer it with `dta unlock --remote`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: dta session request --out request.txt")]
pub(crate) struct RequestArgs {
    /// Write it into this new file instead of to standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    socket: SocketArgs,
}

/// Give the authority an answer that came from elsewhere.
///
/// Whoever carries an answer cannot read the share in it. Exits with 0 when the share was accepted and with 4 when it
/// was refused.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: dta session submit answer.txt")]
pub(crate) struct SubmitArgs {
    /// The answer that `dta unlock --remote` wrote; `-`: standard input.
    #[arg(value_name = "FILE")]
    answer: PathBuf,
    #[command(flatten)]
    common: CommonArgs,
}

/// End the open session; the shares it holds are wiped.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: dta session close")]
pub(crate) struct CloseArgs {
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, clap::Args)]
struct CommonArgs {
    #[command(flatten)]
    socket: SocketArgs,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs `dta session`.
pub(crate) fn run_session(command: SessionCommand) -> CliResult {
    match command {
        SessionCommand::Open(args) => open(&args),
        SessionCommand::Show(args) => show(&args),
        SessionCommand::Request(args) => request(&args),
        SessionCommand::Submit(args) => submit(&args),
        SessionCommand::Close(args) => close(&args),
    }
}

/// Reads a request that `dta session request` wrote.
pub(super) fn read_request(path: &Path) -> CliResult<SessionRequest> {
    let request = SessionRequest::from_armour(&read_text(path)?)?;
    Ok(request)
}

/// The bytes of a text file, or of standard input for `-`.
fn read_text(path: &Path) -> CliResult<Vec<u8>> {
    use std::io::Read;
    if path.as_os_str() != "-" {
        return Ok(files::read(path, LONGEST_ARMOUR as u64)?.to_vec());
    }
    let mut text = Vec::new();
    std::io::stdin()
        .lock()
        .take(LONGEST_ARMOUR as u64 + 1)
        .read_to_end(&mut text)
        .map_err(|error| CliError::new(Exit::Failed, error))?;
    Ok(text)
}

fn open(args: &OpenArgs) -> CliResult {
    let socket = &args.common.socket;
    let reply = socket.ask(asking::open(args.minutes))?;
    let reply: SessionReply = reply.map_err(problem_error)?;
    let request = asking::read(socket, reply)?;
    if args.common.json {
        return print_json(&request.session);
    }
    describe(&request);
    println!("Holders here: `dta unlock`. Holders elsewhere: `dta session request`.");
    Ok(())
}

fn show(args: &ShowArgs) -> CliResult {
    let socket = &args.common.socket;
    let request = asking::join(socket)?;
    let report: StatusReport = socket.call(Op::Status {})?;
    let names = watch::roster(&request);
    if args.common.json {
        print_json(&json!({
            "session": request.session,
            "accepted": report.accepted,
            "left": report.session.map_or(0, |session| session.left),
        }))?;
    } else {
        describe(&request);
    }
    if args.wait.explicit() || (args.wait.wanted() && !args.common.json) {
        return watch::watch(socket, &request);
    }
    if !args.common.json {
        for name in &names {
            let there = report.accepted.iter().any(|share| share.holder == *name);
            println!("  {:<8}  {name}", if there { "accepted" } else { "-" });
        }
        println!("sealed, {} of {}", report.accepted.len(), report.set.m);
    }
    Ok(())
}

fn request(args: &RequestArgs) -> CliResult {
    let request = asking::join(&args.socket)?;
    let text = request.to_armour();
    let Some(path) = &args.out else {
        print!("{text}");
        return Ok(());
    };
    files::create(path, text.as_bytes(), Privacy::Public)?;
    println!(
        "{} is written; answers must be here by {}",
        path.display(),
        request.session.session.expires
    );
    Ok(())
}

fn submit(args: &SubmitArgs) -> CliResult {
    let envelope = Envelope::from_armour(&read_text(&args.answer)?)?;
    let CommonArgs { socket, json } = &args.common;
    let request = asking::join(socket)?;
    let reply = asking::give(socket, &request.session, &envelope)?;
    let reply = reply.map_err(|problem| refusal(*json, problem))?;
    if *json {
        return print_json(&reply);
    }
    say_reply(&reply);
    Ok(())
}

fn close(args: &CloseArgs) -> CliResult {
    let report: StatusReport = args.common.socket.call(Op::SessionClose {})?;
    if args.common.json {
        return print_json(&report);
    }
    println!("closed: the shares that the session held are wiped");
    Ok(())
}

fn describe(request: &SessionRequest) {
    let session = &request.session.session;
    println!("session   {}", session.session);
    println!("authority {}", request.chain.current().authority);
    println!("id        {}", session.authority_id);
    println!("purpose   {}", session.purpose);
    println!("until     {}", session.expires);
}
