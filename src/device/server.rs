//! `dta device server`: a test M-Pin server on loopback.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;

use mpin::server::{Login, LoginError, PermitPolicy, Verifier};
use mpin::{Challenge, Claim, Day, DecodeError, Identity, LoginPoint, ServerShare, Suite};
use thiserror::Error;

use super::messages::{Answer, Hello, LineError, Lines, Reply, VERSION};
use super::{files, show_mpin_id};
use crate::service::clock::unix_seconds;
use crate::term::{CliError, CliResult, Exit};

/// `dta device server`
#[derive(Debug, clap::Args)]
pub(crate) struct ServerArgs {
    /// The combined server share, as `dta request server-share` gives it: 192 hexadecimal digits.
    #[arg(long, value_name = "FILE")]
    server_share: PathBuf,
    /// Where to listen: loopback only; port 0 takes a free one and prints it.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The suite of the customer's key: RO, NU or MILAGRO.
    #[arg(long, default_value = "RO")]
    suite: Suite,
    /// Refuse logins without today's time permit.
    #[arg(long)]
    require_permit: bool,
}

/// Runs the server until it is killed.
pub(super) fn run(args: ServerArgs) -> CliResult {
    if !args.listen.ip().is_loopback() {
        let message = format!(
            "a test server listens on loopback only, not on {}",
            args.listen
        );
        return Err(CliError::new(Exit::Usage, message).with_remedy(Some("--listen 127.0.0.1:0")));
    }
    let policy = match args.require_permit {
        true => PermitPolicy::Required,
        false => PermitPolicy::NotRequired,
    };
    let share = files::read_server_share(&args.server_share)?;
    let listener =
        TcpListener::bind(args.listen).map_err(|error| CliError::new(Exit::Failed, error))?;
    let address = listener
        .local_addr()
        .map_err(|error| CliError::new(Exit::Failed, error))?;
    let server = TestServer::new(share, policy, args.suite);
    say(format_args!("listening on {address}"));
    for stream in listener.incoming() {
        let outcome = stream.map_err(LineError::from).map_err(Refusal::from);
        match outcome.and_then(|stream| server.serve(stream)) {
            Ok((mpin_id, Login::Accepted)) => say(format_args!("accepted: {mpin_id}")),
            Ok((mpin_id, Login::BadPin)) => say(format_args!("refused: wrong PIN: {mpin_id}")),
            Err(refusal) => say(format_args!("refused: {}", refusal.in_full())),
        }
    }
    Ok(())
}

/// One line on standard output. Whoever started the server may have stopped reading, which is no
/// reason to stop serving.
fn say(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// A verifier and what it needs to know of its customer key.
pub(super) struct TestServer {
    verifier: Verifier,
    suite: Suite,
}

impl TestServer {
    pub(super) fn new(share: ServerShare, policy: PermitPolicy, suite: Suite) -> Self {
        Self {
            verifier: Verifier::new(share, policy),
            suite,
        }
    }

    /// One login: who, and how it ended.
    pub(super) fn serve(&self, stream: TcpStream) -> Result<(String, Login), Refusal> {
        let mut lines = Lines::new(stream).map_err(LineError::from)?;
        let outcome = self.log_in(&mut lines);
        if let Err(refusal) = &outcome {
            // The device may be gone already; the refusal is reported by the caller either way.
            let _ = lines.send(&Reply::Refused {
                reason: refusal.in_full(),
                remedy: refusal.remedy().map(str::to_owned),
            });
        }
        outcome
    }

    fn log_in(&self, lines: &mut Lines) -> Result<(String, Login), Refusal> {
        let hello: Hello = lines.receive()?;
        if hello.version != VERSION {
            return Err(Refusal::Version(hello.version));
        }
        let mpin_id = hex::decode(&hello.mpin_id).map_err(|_| Refusal::Hex("mpin_id"))?;
        let identity = Identity::of_mpin_id(&mpin_id);
        let claim: Claim = match hello.day {
            Some(day) => Claim::with_permit(self.suite, &identity, Day::new(day)),
            None => Claim::without_permit(self.suite, &identity),
        };
        let today = Day::from_unix_seconds(unix_seconds());
        let pending = self.verifier.open(&claim, today, point("u", &hello.u)?)?;
        lines.send(&challenge(pending.challenge()))?;
        let answer: Answer = lines.receive()?;
        let outcome = self.verifier.finish(pending, &point("v", &answer.v)?);
        lines.send(match outcome {
            Login::Accepted => &Reply::Accepted,
            Login::BadPin => &Reply::BadPin,
        })?;
        Ok((show_mpin_id(&mpin_id), outcome))
    }
}

fn challenge(y: &Challenge) -> Reply {
    Reply::Challenge {
        y: hex::encode(y.to_be_bytes()),
    }
}

fn point(field: &'static str, text: &str) -> Result<LoginPoint, Refusal> {
    let bytes = hex::decode(text).map_err(|_| Refusal::Hex(field))?;
    LoginPoint::from_compressed(&bytes).map_err(|source| Refusal::Point { field, source })
}

/// Why a login was refused before its PIN was looked at.
#[derive(Debug, Error)]
pub(super) enum Refusal {
    #[error("no login was spoken")]
    Line(#[from] LineError),
    #[error("version {0} of the login protocol is unknown here, expected {VERSION}")]
    Version(u8),
    #[error("{0} is not hexadecimal")]
    Hex(&'static str),
    #[error("{field} is no point to log in with")]
    Point {
        field: &'static str,
        source: DecodeError,
    },
    #[error(transparent)]
    Login(#[from] LoginError),
}

impl Refusal {
    fn remedy(&self) -> Option<&'static str> {
        match self {
            Refusal::Login(error) => error.remedy(),
            _ => None,
        }
    }

    /// The message with its cause, on one line.
    pub(super) fn in_full(&self) -> String {
        match std::error::Error::source(self) {
            Some(cause) => format!("{self}: {cause}"),
            None => self.to_string(),
        }
    }
}
