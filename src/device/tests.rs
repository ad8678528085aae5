//! The test device against the test server across a real socket, and their files.
#![allow(clippy::unwrap_used)]

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;

use mpin::device::{DatedPermit, Device, Factors};
use mpin::server::{Login, PermitPolicy};
use mpin::{
    ClientShare, Day, Identity, IdentityPoint, MasterSecret, PermitPoint, Pin, ServerShare, Suite,
    TimePermit, Token,
};

use super::files::{self, DeviceFile};
use super::login::{SessionError, log_in};
use super::messages::{Lines, Reply};
use super::pin;
use super::server::{Refusal, TestServer};
use crate::service::clock::unix_seconds;

const MPIN_ID: &[u8] = b"{\"id\":\"alice@example.com\"}";

/// The combined shares of two D-TAs.
fn issuers() -> [MasterSecret; 2] {
    [
        MasterSecret::random().unwrap(),
        MasterSecret::random().unwrap(),
    ]
}

fn token(issuers: &[MasterSecret; 2], pin: &Pin) -> Token {
    let point = IdentityPoint::hash(Suite::Ro, &Identity::of_mpin_id(MPIN_ID));
    let shares = issuers.each_ref().map(|issuer| issuer.client_share(&point));
    Token::extract(ClientShare::combine(&shares).unwrap(), &point, pin).unwrap()
}

type Served = Result<(String, Login), Refusal>;

/// Serves one connection and gives back the server's own view of it.
fn serve_once(
    issuers: &[MasterSecret; 2],
    policy: PermitPolicy,
) -> (SocketAddr, JoinHandle<Served>) {
    let share = ServerShare::combine(&issuers.each_ref().map(MasterSecret::server_share)).unwrap();
    let server = TestServer::new(share, policy, Suite::Ro);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = std::thread::spawn(move || server.serve(listener.accept().unwrap().0));
    (address, serving)
}

fn device(token: &Token, pin: u32, permit: Option<&TimePermit>) -> Device {
    let identity = Identity::of_mpin_id(MPIN_ID);
    let pin = Pin::new(pin).unwrap();
    let factors = Factors {
        suite: Suite::Ro,
        identity: &identity,
        token,
        pin: &pin,
    };
    match permit {
        None => Device::without_permit(&factors).unwrap(),
        Some(permit) => Device::with_permit(
            &factors,
            &DatedPermit {
                day: today(),
                permit,
            },
        )
        .unwrap(),
    }
}

fn today() -> Day {
    Day::from_unix_seconds(unix_seconds())
}

#[test]
fn the_right_pin_and_permit_are_accepted_across_a_socket() {
    let issuers = issuers();
    let token = token(&issuers, &Pin::new(1234).unwrap());
    let point = PermitPoint::hash(Suite::Ro, today(), &Identity::of_mpin_id(MPIN_ID));
    let permits = issuers.each_ref().map(|issuer| issuer.time_permit(&point));
    let permit = TimePermit::combine(&permits).unwrap();
    let (address, serving) = serve_once(&issuers, PermitPolicy::Required);
    let outcome = log_in(address, &device(&token, 1234, Some(&permit)), MPIN_ID).unwrap();
    assert_eq!(outcome, Login::Accepted);
    let (mpin_id, outcome) = serving.join().unwrap().unwrap();
    assert_eq!((mpin_id.as_bytes(), outcome), (MPIN_ID, Login::Accepted));
}

#[test]
fn a_wrong_pin_is_refused_across_a_socket() {
    let issuers = issuers();
    let token = token(&issuers, &Pin::new(1234).unwrap());
    let (address, serving) = serve_once(&issuers, PermitPolicy::NotRequired);
    assert_eq!(
        log_in(address, &device(&token, 4321, None), MPIN_ID).unwrap(),
        Login::BadPin
    );
    assert_eq!(serving.join().unwrap().unwrap().1, Login::BadPin);
}

#[test]
fn a_login_without_a_permit_is_refused_across_a_socket_where_one_is_required() {
    let issuers = issuers();
    let token = token(&issuers, &Pin::new(1234).unwrap());
    let (address, serving) = serve_once(&issuers, PermitPolicy::Required);
    let error = log_in(address, &device(&token, 1234, None), MPIN_ID).unwrap_err();
    assert_eq!(
        error.to_string(),
        "refused: a time permit is required, and the login names no day"
    );
    let SessionError::Refused { remedy, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(
        remedy.unwrap(),
        "fetch today's time permit and log in with it"
    );
    assert!(serving.join().unwrap().is_err());
}

#[test]
fn a_line_that_is_no_login_is_refused_and_said() {
    let issuers = issuers();
    for (line, reason) in [
        ("hello", "is not what this protocol says"),
        (
            r#"{"version":1,"mpin_id":"00","u":"00","extra":1}"#,
            "is not what this protocol says",
        ),
        (
            r#"{"version":2,"mpin_id":"00","u":"00"}"#,
            "version 2 of the login protocol is unknown",
        ),
        (
            r#"{"version":1,"mpin_id":"zz","u":"00"}"#,
            "mpin_id is not hexadecimal",
        ),
        (
            r#"{"version":1,"mpin_id":"00","u":"00"}"#,
            "has 48 bytes, found 1",
        ),
    ] {
        let (address, serving) = serve_once(&issuers, PermitPolicy::NotRequired);
        let mut stream = TcpStream::connect(address).unwrap();
        writeln!(stream, "{line}").unwrap();
        let Reply::Refused { reason: said, .. } = Lines::new(stream).unwrap().receive().unwrap()
        else {
            panic!("{line} was not refused");
        };
        assert!(said.contains(reason), "{line}: {said}");
        assert!(serving.join().unwrap().is_err());
    }
}

#[test]
fn a_line_without_an_end_is_refused() {
    let (address, serving) = serve_once(&issuers(), PermitPolicy::NotRequired);
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(&[b' '; 5000]).unwrap();
    let refusal = serving.join().unwrap().unwrap_err();
    assert!(
        refusal.in_full().contains("longer than 4096 bytes"),
        "{}",
        refusal.in_full()
    );
}

#[test]
fn a_device_file_reads_back_is_private_and_is_never_overwritten() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("alice.device");
    let token = token(&issuers(), &Pin::new(1234).unwrap());
    let bytes = token.to_compressed();
    let file = DeviceFile::new(MPIN_ID.to_vec(), Suite::Ro, token);
    file.write(&path).unwrap();
    let mode = path.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = DeviceFile::read(&path).unwrap();
    assert_eq!((again.mpin_id(), again.suite()), (MPIN_ID, Suite::Ro));
    assert_eq!(*again.token().to_compressed(), *bytes);
    let error = format!("{:?}", file.write(&path).unwrap_err());
    assert!(
        error.contains("Exists") && error.contains("Conflict"),
        "{error}"
    );
    assert_eq!(
        *DeviceFile::read(&path).unwrap().token().to_compressed(),
        *bytes
    );
}

#[test]
fn a_damaged_device_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("alice.device");
    let token = "00".repeat(48);
    for (text, reason) in [
        ("{}".to_owned(), "is not a device file"),
        (
            format!(r#"{{"version":9,"mpin_id":"00","suite":"RO","token":"{token}"}}"#),
            "of version 9, expected 1",
        ),
        (
            format!(r#"{{"version":1,"mpin_id":"00","suite":"XX","token":"{token}"}}"#),
            "names no suite",
        ),
        (
            format!(r#"{{"version":1,"mpin_id":"00","suite":"RO","token":"{token}"}}"#),
            "holds no point of the right group",
        ),
    ] {
        std::fs::write(&path, text).unwrap();
        let error = DeviceFile::read(&path).err().unwrap();
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn a_pin_file_gives_its_first_line_and_a_bad_pin_is_not_repeated() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pin");
    std::fs::write(&path, "4711\nnot looked at\n").unwrap();
    pin::read(Some(&path)).unwrap();
    pin::choose(Some(&path)).unwrap();
    std::fs::write(&path, "47x1").unwrap();
    let said = format!("{:?}", pin::read(Some(&path)).unwrap_err());
    assert!(
        said.contains("PinError") && !said.contains("47x1"),
        "{said}"
    );
    let missing = pin::read(Some(&directory.path().join("none"))).unwrap_err();
    assert!(format!("{missing:?}").contains("a readable PIN file"));
}

#[test]
fn a_server_share_file_holds_one_share_in_hexadecimal() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("server.share");
    let share = MasterSecret::<mpin::Blst>::random().unwrap().server_share();
    std::fs::write(&path, hex::encode(share.to_compressed()) + "\n").unwrap();
    let again = files::read_server_share(&path).unwrap();
    assert_eq!(*again.to_compressed(), *share.to_compressed());
    std::fs::write(&path, "00").unwrap();
    let error = files::read_server_share(&path).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("holds no point of the right group")
    );
}
