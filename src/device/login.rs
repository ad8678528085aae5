//! `dta device login`: a two-pass login across a socket.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;

use mpin::device::{DatedPermit, Device, DeviceError, Factors};
use mpin::server::Login;
use mpin::{Challenge, Day, ScalarError};
use thiserror::Error;
use wire::api::KeyVersion;

use super::fetch::Dtas;
use super::files::DeviceFile;
use super::messages::{Answer, Hello, LineError, Lines, Reply, VERSION};
use super::pin;
use crate::service::clock::unix_seconds;
use crate::term::{CliError, CliResult, Exit};

/// `dta device login`
#[derive(Debug, clap::Args)]
pub(crate) struct LoginArgs {
    /// The device file that `dta device enroll` made.
    #[arg(long, value_name = "FILE")]
    device: PathBuf,
    /// The test M-Pin server.
    #[arg(long, value_name = "ADDRESS")]
    server: SocketAddr,
    /// The customer's configuration, to fetch today's time permit from every D-TA.
    #[arg(long, value_name = "FILE", required_unless_present = "no_permit")]
    config: Option<PathBuf>,
    /// The master-key version of the device, if the customer has several live ones.
    #[arg(long, value_name = "VERSION")]
    key: Option<KeyVersion>,
    /// Log in without a time permit.
    #[arg(long, conflicts_with = "config")]
    no_permit: bool,
    /// Read the PIN from the first line of this file instead of asking for it.
    #[arg(long, value_name = "FILE")]
    pin_file: Option<PathBuf>,
}

/// Logs in and says how it ended.
pub(super) fn run(args: LoginArgs) -> CliResult {
    let file = DeviceFile::read(&args.device)?;
    let day = Day::from_unix_seconds(unix_seconds());
    let permit = match &args.config {
        Some(config) => Some(Dtas::of(config, args.key)?.time_permit(&file.identity(), day)?),
        None => None,
    };
    let pin = pin::read(args.pin_file.as_deref())?;
    let identity = file.identity();
    let factors = Factors {
        suite: file.suite(),
        identity: &identity,
        token: file.token(),
        pin: &pin,
    };
    let device = match &permit {
        Some(permit) => Device::with_permit(&factors, &DatedPermit { day, permit }),
        None => Device::without_permit(&factors),
    }
    .map_err(|error| CliError::new(Exit::Failed, error))?;
    match log_in(args.server, &device, file.mpin_id())? {
        Login::Accepted => {
            println!("accepted");
            Ok(())
        }
        Login::BadPin => Err(
            CliError::new(Exit::Refused, "refused: wrong PIN").with_remedy(Some(
                "the right PIN; if it was right, enrol the device again",
            )),
        ),
    }
}

/// Speaks the device's part of the protocol.
pub(super) fn log_in(
    server: SocketAddr,
    device: &Device,
    mpin_id: &[u8],
) -> Result<Login, SessionError> {
    let stream =
        TcpStream::connect(server).map_err(|source| SessionError::Connect { server, source })?;
    let mut lines = Lines::new(stream).map_err(LineError::from)?;
    let login = device.begin().map_err(DeviceError::from)?;
    lines.send(&Hello {
        version: VERSION,
        mpin_id: hex::encode(mpin_id),
        day: device.claim().day().map(Day::number),
        u: hex::encode(login.u().to_compressed()),
    })?;
    let Reply::Challenge { y } = receive(&mut lines)? else {
        return Err(SessionError::Unexpected);
    };
    let v = login.respond(&challenge(&y)?)?;
    lines.send(&Answer {
        v: hex::encode(v.to_compressed()),
    })?;
    match receive(&mut lines)? {
        Reply::Accepted => Ok(Login::Accepted),
        Reply::BadPin => Ok(Login::BadPin),
        Reply::Challenge { .. } | Reply::Refused { .. } => Err(SessionError::Unexpected),
    }
}

fn receive(lines: &mut Lines) -> Result<Reply, SessionError> {
    match lines.receive()? {
        Reply::Refused { reason, remedy } => Err(SessionError::Refused { reason, remedy }),
        reply => Ok(reply),
    }
}

fn challenge(text: &str) -> Result<Challenge, SessionError> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| SessionError::Unexpected)?;
    Ok(Challenge::from_be_bytes(&bytes)?)
}

/// Why a login came to no result.
#[derive(Debug, Error)]
pub(super) enum SessionError {
    #[error("cannot reach the M-Pin server at {server}")]
    Connect {
        server: SocketAddr,
        source: std::io::Error,
    },
    #[error("no answer from the M-Pin server")]
    Line(#[from] LineError),
    #[error("refused: {reason}")]
    Refused {
        reason: String,
        remedy: Option<String>,
    },
    #[error("the M-Pin server said something that this protocol does not know here")]
    Unexpected,
    #[error("the M-Pin server's challenge is no scalar")]
    Challenge(#[from] ScalarError),
    #[error("the device gives no answer")]
    Device(#[from] DeviceError),
}

impl From<SessionError> for CliError {
    fn from(error: SessionError) -> Self {
        let (exit, remedy) = match &error {
            SessionError::Connect { .. } => {
                let server = "dta device server --server-share FILE, and its address here";
                (Exit::Failed, Some(server.to_owned()))
            }
            SessionError::Refused { remedy, .. } => (Exit::Refused, remedy.clone()),
            _ => (Exit::Failed, None),
        };
        CliError::new(exit, error).with_remedy(remedy)
    }
}
