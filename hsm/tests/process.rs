//! The process `dta hsm` and its socket: frames, peers, limits, life and death.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use hsm::harness::{SoftHsm, TestServer};
use hsm::protocol::{self, MAX_FRAME_BYTES, Reply, Request};
use hsm::server::Shutdown;
use hsm::{Config, HsmChild, HsmClient, HsmError, Timeouts};
use rustix::process::{Pid, Signal, kill_process};

hsm::enable_test_server!();

const PEER_VARIABLE: &str = "DTA_HSM_TEST_PEER";

#[test]
fn a_restarted_process_is_found_again_by_the_same_client() {
    let mut softhsm = SoftHsm::start();
    let client = softhsm.client();
    client.create_seal_key("seal-1").unwrap();
    softhsm.kill();
    let error = client.check_seal_key("seal-1").unwrap_err();
    assert!(matches!(error, HsmError::NotRunning { .. }), "{error}");
    assert!(error.is_unavailable());
    softhsm.restart();
    client.check_seal_key("seal-1").unwrap();
    softhsm.restart();
    client.create_seal_key("seal-2").unwrap();
}

#[test]
fn a_process_that_does_not_answer_times_out_and_its_late_answer_is_not_taken_for_another() {
    let softhsm = SoftHsm::start();
    softhsm.client().put_data("one", b"first").unwrap();
    softhsm.client().put_data("two", b"second").unwrap();
    let timeouts = Timeouts {
        request: Duration::from_millis(1_500),
        ..Timeouts::default()
    };
    let client = HsmClient::new(&softhsm.socket(), timeouts);
    client.get_data("one").unwrap();

    signal(softhsm.server().id(), Signal::STOP);
    wait_for(|| every_thread_is_stopped(softhsm.server().id()));
    let begun = Instant::now();
    let error = client.get_data("one").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the HSM did not answer within 1.5 s while reading a data object"
    );
    assert!(begun.elapsed() < Duration::from_secs(5));
    signal(softhsm.server().id(), Signal::CONT);
    assert_eq!(client.get_data("two").unwrap(), b"second");
}

#[test]
fn many_clients_at_once_all_get_their_own_answers() {
    let softhsm = SoftHsm::start();
    softhsm.client().create_seal_key("seal-1").unwrap();
    let rounds = if std::env::var_os("DTA_TEST_LONG").is_some() {
        1_000
    } else {
        50
    };
    std::thread::scope(|scope| {
        for worker in 0..8_u8 {
            let client = HsmClient::connect(&softhsm.socket()).unwrap();
            scope.spawn(move || {
                let label = format!("data-{worker}");
                for round in 0..rounds {
                    let value = [worker, (round % 256) as u8];
                    let sealed = client.seal("seal-1", &[worker], &value).unwrap();
                    let opened = client.open("seal-1", &[worker], &sealed).unwrap();
                    assert_eq!(opened.as_slice(), value);
                    if round % 10 == 0 {
                        client.put_data(&label, &value).unwrap();
                        assert_eq!(client.get_data(&label).unwrap(), value);
                    }
                }
                client.create_node_key(&format!("node-{worker}")).unwrap();
            });
        }
    });
}

#[test]
fn one_client_is_shared_by_many_threads() {
    let softhsm = SoftHsm::start();
    let client = softhsm.client();
    std::thread::scope(|scope| {
        for worker in 0..4_u8 {
            let client = &client;
            scope.spawn(move || {
                let label = format!("data-{worker}");
                client.put_data(&label, &[worker; 100]).unwrap();
                assert_eq!(client.get_data(&label).unwrap(), [worker; 100]);
            });
        }
    });
}

#[test]
fn a_frame_that_is_not_of_this_protocol_ends_the_connection_with_the_reason() {
    let softhsm = SoftHsm::start();
    let good = protocol::encode(&Request::TokenInfo {}, &[]).unwrap();
    let mut other_version = good.to_vec();
    other_version[4] = 2;
    let mut long_head = good.to_vec();
    long_head[5] = 0xff;
    let oversize = u32::try_from(MAX_FRAME_BYTES + 1)
        .unwrap()
        .to_be_bytes()
        .to_vec();
    let head = |json: &str| {
        let mut frame = u32::try_from(json.len() + 3)
            .unwrap()
            .to_be_bytes()
            .to_vec();
        frame.push(1);
        frame.extend(u16::try_from(json.len()).unwrap().to_be_bytes());
        frame.extend(json.as_bytes());
        frame
    };
    let cases = [
        (
            oversize,
            "the frame has 65537 bytes, at most 65536 are allowed",
        ),
        (
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            "the frame has 1195725856 bytes",
        ),
        (other_version, "the frame has version 2, expected 1"),
        (long_head, "the head reaches beyond the frame"),
        (vec![0, 0, 0, 1, 1], "the frame is shorter than its header"),
        (vec![0, 0, 0, 0], "the frame is shorter than its header"),
        (head("{}"), "missing field `op`"),
        (
            head("{\"op\":\"export-key\",\"label\":\"x\"}"),
            "unknown variant `export-key`",
        ),
        (
            head("{\"op\":\"sign\",\"label\":\"x\",\"raw\":1}"),
            "unknown field `raw`",
        ),
        (
            head("{\"op\":\"sign\",\"label\":\"no spaces\"}"),
            "is not a usable label",
        ),
        (head("{\"op\":\"sign\""), "the head is not understood"),
    ];
    for (bytes, expected) in cases {
        let mut stream = greeted(&softhsm.socket());
        stream.write_all(&bytes).unwrap();
        let Reply::Failed { error } = read_reply(&mut stream) else {
            panic!("{expected}")
        };
        assert!(
            error.to_string().contains(expected),
            "{error}, expected {expected}"
        );
        assert_eq!(
            stream.read(&mut [0; 1]).unwrap_or(0),
            0,
            "the connection stays open"
        );
    }
    softhsm.client().token_info().unwrap();
}

#[test]
fn a_peer_that_stalls_within_a_frame_is_dropped_and_holds_up_nobody() {
    let softhsm = SoftHsm::start();
    let mut stalled = greeted(&softhsm.socket());
    stalled.write_all(&[0, 0]).unwrap();
    softhsm.client().token_info().unwrap();
    stalled
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let begun = Instant::now();
    assert_eq!(stalled.read(&mut [0; 1]).unwrap(), 0);
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn one_connection_too_many_is_told_so() {
    let softhsm = SoftHsm::start();
    let kept: Vec<UnixStream> = (1..hsm::server::MAX_CONNECTIONS)
        .map(|_| greeted(&softhsm.socket()))
        .collect();
    let error = HsmClient::connect(&softhsm.socket()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the dta hsm process already serves 64 connections"
    );
    drop(kept);
    wait_for(|| HsmClient::connect(&softhsm.socket()).is_ok());
}

#[test]
fn the_socket_is_closed_to_other_users_unless_some_are_allowed() {
    let mut softhsm = SoftHsm::start();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&softhsm.socket()), 0o600);
    append(&softhsm.config_path(), "allow_users = [\"65534\"]\n");
    softhsm.restart();
    assert_eq!(mode(&softhsm.socket()), 0o660);
}

#[test]
fn a_second_process_does_not_take_over_the_socket_of_a_live_one() {
    let softhsm = SoftHsm::start();
    // It answers on the same socket, so `start` believes it ready; the newcomer must be gone.
    let second = TestServer::start(&softhsm.config_path(), &[softhsm.environment()]);
    drop(second);
    softhsm.client().token_info().unwrap();
    let error = hsm::run_process(&softhsm.config_path()).unwrap_err();
    let expected = format!(
        "another process already listens on {}",
        softhsm.socket().display()
    );
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_socket_that_another_program_listens_on_is_left_alone() {
    let softhsm = SoftHsm::new().unwrap();
    let _other = UnixListener::bind(softhsm.socket()).unwrap();
    let error = hsm::run_process(&softhsm.config_path()).unwrap_err();
    assert!(matches!(error, HsmError::AlreadyRunning { .. }), "{error}");
    assert!(UnixStream::connect(softhsm.socket()).is_ok());
}

#[test]
fn a_stale_socket_is_replaced_and_another_file_is_not() {
    let mut softhsm = SoftHsm::new().unwrap();
    drop(UnixListener::bind(softhsm.socket()).unwrap());
    softhsm.restart();
    softhsm.client().token_info().unwrap();
    softhsm.stop();

    fs::write(softhsm.socket(), "precious").unwrap();
    let error = hsm::run_process(&softhsm.config_path())
        .unwrap_err()
        .to_string();
    assert!(
        error.ends_with("exists and is not a socket of this user; it is left alone"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(softhsm.socket()).unwrap(), "precious");
}

#[test]
fn a_server_in_this_process_stops_when_its_handle_is_dropped() {
    let softhsm = SoftHsm::new().unwrap();
    let mut config = Config::read(&softhsm.config_path()).unwrap();
    config.module = "/nonexistent/libpkcs11.so".into();
    let (shutdown, handle) = Shutdown::by_handle().unwrap();
    let server = std::thread::spawn(move || hsm::server::run(&config, &shutdown));
    wait_for(|| HsmClient::connect(&softhsm.socket()).is_ok());
    let error = HsmClient::connect(&softhsm.socket())
        .unwrap()
        .token_info()
        .unwrap_err();
    assert!(matches!(error, HsmError::ModuleNotFound { .. }), "{error}");
    drop(handle);
    server.join().unwrap().unwrap();
    assert!(!softhsm.socket().exists());
}

#[test]
fn sigterm_ends_the_process_and_removes_its_socket() {
    let softhsm = SoftHsm::start();
    let _idle = greeted(&softhsm.socket());
    signal(softhsm.server().id(), Signal::TERM);
    wait_for(|| !softhsm.socket().exists());
    let error = softhsm.client().token_info().unwrap_err();
    assert!(matches!(error, HsmError::NotRunning { .. }), "{error}");
}

#[test]
fn a_private_child_answers_and_ends_with_its_parent() {
    let softhsm = SoftHsm::new().unwrap();
    let child = HsmChild::spawn_with(
        &executable(&softhsm),
        &softhsm.config_path(),
        &[softhsm.environment()],
    )
    .unwrap();
    let client = child.client();
    assert_eq!(client.token_info().unwrap().label, softhsm.label());
    assert_ne!(child.socket(), softhsm.socket());
    let socket = child.socket().to_path_buf();
    drop(child);
    assert!(!socket.exists());
    assert!(matches!(
        client.token_info(),
        Err(HsmError::NotRunning { .. })
    ));
}

#[test]
fn a_child_that_cannot_start_says_why() {
    let softhsm = SoftHsm::new().unwrap();
    let error = HsmChild::spawn(Path::new("/nonexistent/dta"), &softhsm.config_path()).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("cannot start /nonexistent/dta: No such file"),
        "{error}"
    );

    let script = softhsm.directory().join("broken");
    write_script(&script, "echo out of order >&2; exit 3");
    let error = HsmChild::spawn(&script, &softhsm.config_path()).unwrap_err();
    assert!(
        error.to_string().ends_with("exit status: 3: out of order"),
        "{error}"
    );
}

/// Needs root, to become somebody else; says so and does nothing otherwise.
#[test]
fn a_foreign_user_is_turned_away_by_the_kernels_word_and_an_allowed_one_is_not() {
    if !rustix::process::geteuid().is_root() {
        let _ = writeln!(
            std::io::stderr(),
            "not run: needs root to become another user"
        );
        return;
    }
    let mut softhsm = SoftHsm::start();
    open_to_everybody(&softhsm);
    assert_eq!(
        as_nobody(&softhsm),
        "user id 65534 may not use this dta hsm process"
    );
    append(&softhsm.config_path(), "allow_users = [\"65534\"]\n");
    softhsm.restart();
    open_to_everybody(&softhsm);
    assert_eq!(as_nobody(&softhsm), "served");
}

/// Not a test of its own: what the foreign user runs.
#[test]
fn foreign_peer() {
    let Some(socket) = std::env::var_os(PEER_VARIABLE) else {
        return;
    };
    let outcome = match HsmClient::connect(Path::new(&socket)) {
        Ok(_) => "served".to_owned(),
        Err(error) => error.to_string(),
    };
    let _ = writeln!(std::io::stderr(), "outcome={outcome}");
}

fn as_nobody(softhsm: &SoftHsm) -> String {
    // The build directory may be closed to others; the temporary directory is not.
    let exe = softhsm.directory().join("peer");
    install(&std::env::current_exe().unwrap(), &exe, "0755");
    let output = Command::new(&exe)
        .args(["foreign_peer", "--exact", "--nocapture"])
        .env(PEER_VARIABLE, softhsm.socket())
        .uid(65_534)
        .gid(65_534)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    errors
        .lines()
        .find_map(|line| line.strip_prefix("outcome="))
        .unwrap_or(&errors)
        .to_owned()
}

fn open_to_everybody(softhsm: &SoftHsm) {
    let open = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    open(softhsm.directory(), 0o755);
    open(&softhsm.socket(), 0o666);
}

/// Something that `HsmChild` can start like the binary `dta`.
fn executable(softhsm: &SoftHsm) -> PathBuf {
    let script = softhsm.directory().join("dta");
    let this = std::env::current_exe().unwrap();
    let line = format!(
        "DTA_HSM_TEST_SERVER_CONFIG=\"$3\" exec {} dta_hsm_test_server --nocapture",
        this.display()
    );
    write_script(&script, &line);
    script
}

fn write_script(path: &Path, line: &str) {
    let draft = path.with_extension("draft");
    fs::write(&draft, format!("#!/bin/sh\n{line}\n")).unwrap();
    install(&draft, path, "0700");
}

/// Another process writes the executable: were it this one, a child that another test starts at the
/// same moment could still hold it open for writing, and it would be "text file busy".
fn install(from: &Path, to: &Path, mode: &str) {
    let status = Command::new("install")
        .args(["-m", mode])
        .args([from, to])
        .status()
        .unwrap();
    assert!(status.success());
}

fn greeted(socket: &Path) -> UnixStream {
    let mut stream = UnixStream::connect(socket).unwrap();
    assert!(matches!(read_reply(&mut stream), Reply::Hello { .. }));
    stream
}

fn read_reply(stream: &mut UnixStream) -> Reply {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut frame).unwrap();
    protocol::parse::<Reply>(&frame).unwrap().head
}

fn append(path: &Path, line: &str) {
    let text = fs::read_to_string(path).unwrap();
    fs::write(path, text + line).unwrap();
}

fn signal(process: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// The signal reaches the threads one after another.
fn every_thread_is_stopped(process: u32) -> bool {
    let is_stopped = |thread: fs::DirEntry| {
        let facts = fs::read_to_string(thread.path().join("stat")).unwrap();
        facts.rsplit_once(") ").unwrap().1.starts_with('T')
    };
    let mut threads = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    threads.all(|thread| is_stopped(thread.unwrap()))
}

fn wait_for(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "it did not happen within 10 s");
        std::thread::sleep(Duration::from_millis(10));
    }
}
