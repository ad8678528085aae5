//! What one client share costs, from the customer's TLS connection to the durable log, beside what the
//! cryptography alone costs; all in one run, because absolute times drift with the machine.
//!
//! The last lines are the summary: CPU time of proxy and authority together for one share, and its ratio
//! to the sum of hash-to-curve, one multiplication by a secret and one signature check.
#![allow(clippy::unwrap_used, clippy::print_stdout, unreachable_pub)]

#[path = "../tests/system/common/mod.rs"]
mod common;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::Criterion;
use mpin::{Identity, IdentityPoint, MasterSecret, Suite};
use serde_json::json;
use wire::keys::{Algorithm, SigningKey};

use common::Dta;
use common::customer::{Customer, Draft, head, new_identity};
use common::http::Connection;

const REQUESTS: usize = 3_000;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let parts = cryptography(&mut criterion);
    let whole = whole_path(&mut criterion);
    criterion.final_summary();

    let sum: Duration = parts.iter().map(|(_, time)| *time).sum();
    println!("\nsummary (medians of one run)");
    for (name, time) in parts {
        println!("  {name:<34} {:>8.1} us", micros(time));
    }
    println!("  {:<34} {:>8.1} us", "sum of the three", micros(sum));
    println!(
        "  {:<34} {:>8.1} us",
        "client share: CPU of proxy",
        micros(whole.proxy)
    );
    println!(
        "  {:<34} {:>8.1} us",
        "client share: CPU of authority",
        micros(whole.authority)
    );
    println!(
        "  {:<34} {:>8.1} us",
        "client share: wall, one at a time",
        micros(whole.wall)
    );
    let ratio = micros(whole.proxy + whole.authority) / micros(sum);
    println!("  {:<34} {ratio:>8.2}", "ratio of CPU to the sum");
}

/// The three operations without which no share can be issued.
fn cryptography(criterion: &mut Criterion) -> [(&'static str, Duration); 3] {
    let identity = Identity::of_mpin_id(b"bench");
    let secret = <MasterSecret>::random().unwrap();
    let point = <IdentityPoint>::hash(Suite::Ro, &identity);
    let key = SigningKey::generate(Algorithm::Ed25519).unwrap();
    let message = [7_u8; 600];
    let signature = key.sign(&message).unwrap();

    let hash = || {
        black_box(<IdentityPoint>::hash(Suite::Ro, black_box(&identity)));
    };
    let multiply = || {
        black_box(secret.client_share(black_box(&point)));
    };
    let verify = || {
        key.verifying_key()
            .verify(black_box(&message), &signature)
            .unwrap()
    };
    criterion.bench_function("hash-to-curve", |bencher| bencher.iter(hash));
    criterion.bench_function("secret multiplication", |bencher| bencher.iter(multiply));
    criterion.bench_function("signature check (Ed25519)", |bencher| bencher.iter(verify));
    [
        ("hash-to-curve", median(hash)),
        ("secret multiplication", median(multiply)),
        ("signature check (Ed25519)", median(verify)),
    ]
}

struct Whole {
    proxy: Duration,
    authority: Duration,
    wall: Duration,
}

/// One client share through proxy and authority, over one TLS connection.
fn whole_path(criterion: &mut Criterion) -> Whole {
    let dta = Dta::unlocked("bench");
    let customer = Customer::of(&[&dta], "acme");
    let mut connection = Connection::open(&dta.ca_pem, dta.port).unwrap();
    let mut exchange = |draft: &Draft| {
        let head = head(draft, &customer.sign(draft));
        let started = Instant::now();
        let answer = connection.exchange(&head, &draft.body).unwrap();
        assert_eq!(answer.status, 200);
        started.elapsed()
    };
    let draft = || {
        customer.draft(
            &dta,
            "/v1/client-shares",
            &json!({ "identity": new_identity() }),
        )
    };
    criterion.bench_function("client share over TLS, wall time", |bencher| {
        bencher.iter_custom(|rounds| (0..rounds).map(|_| exchange(&draft())).sum());
    });

    let servers = [
        dta.proxy.as_ref().unwrap().id(),
        dta.authority.as_ref().unwrap().id(),
    ];
    let before = servers.map(cpu_time);
    let mut walls: Vec<Duration> = (0..REQUESTS).map(|_| exchange(&draft())).collect();
    let after = servers.map(cpu_time);
    walls.sort_unstable();
    let each = |at: usize| (after[at] - before[at]) / u32::try_from(REQUESTS).unwrap();
    Whole {
        proxy: each(0),
        authority: each(1),
        wall: walls[REQUESTS / 2],
    }
}

/// User and system time of all threads of a process, from `/proc`.
fn cpu_time(process: u32) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let of_task = |task: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
        Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
    };
    tasks.map(of_task).sum()
}

/// The median of 2,000 calls.
fn median(operation: impl Fn()) -> Duration {
    let mut times: Vec<Duration> = (0..2_000)
        .map(|_| {
            let started = Instant::now();
            operation();
            started.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
