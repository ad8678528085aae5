//! Appending durably, next to what the disk itself can do.
//!
//! `raw` writes 400 bytes and calls fdatasync, over and over: one such call is the least an entry can
//! take. `one writer` waits for each entry; `64 writers` show what group commit shares.
#![allow(clippy::unwrap_used, missing_docs)]

use std::convert::Infallible;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Instant;

use audit::{Event, Hex, Log, Options, Origin, Request, VerifierKey};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn event() -> Event {
    Event::ClientShare {
        request: Request {
            customer: "acme".to_owned(),
            key: "k1".to_owned(),
            keyid: "BhJw2PE3zR6qJZvIb0oMcA".to_owned(),
            nonce: "a-nonce-of-22-letters-".to_owned(),
            expires: 1_795_200_540,
        },
        identity: Hex([0x1d; 32]),
    }
}

fn append(criterion: &mut Criterion) {
    // Beside the build's output, which lies on a real disk; /tmp may be memory.
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let public_key = pair.public_key().as_ref().try_into().unwrap();
    let key = VerifierKey::ed25519(Origin::of_authority(&[7; 32]), public_key);
    let sign = |text: &[u8]| Ok::<_, Infallible>(pair.sign(text).as_ref().to_vec());
    let options = Options::default();
    let log = Log::create(&root.path().join("audit"), &key, options, sign).unwrap();
    let raw = File::create(root.path().join("raw")).unwrap();

    let mut group = criterion.benchmark_group("audit");
    group.throughput(Throughput::Elements(1));
    group.bench_function("raw 400 bytes and fdatasync", |bencher| {
        let mut at = 0;
        bencher.iter(|| {
            raw.write_all_at(&[0x61; 400], at).unwrap();
            raw.sync_data().unwrap();
            at += 400;
        });
    });
    group.bench_function("append, one writer", |bencher| {
        bencher.iter(|| log.append_blocking(event()).unwrap());
    });
    group.bench_function("append, 64 writers", |bencher| {
        bencher.iter_custom(|iterations| {
            let began = Instant::now();
            std::thread::scope(|scope| {
                for writer in 0..64 {
                    let log = &log;
                    let mine = iterations / 64 + u64::from(writer < iterations % 64);
                    scope.spawn(move || {
                        for _ in 0..mine {
                            log.append_blocking(event()).unwrap();
                        }
                    });
                }
            });
            began.elapsed()
        });
    });
    group.finish();
}

criterion_group!(benches, append);
criterion_main!(benches);
