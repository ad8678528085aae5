//! The open log: appending, group commit, the clock, opening again, the anchor.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use audit::{AppendError, Event, Hex, Log, LogState, OpenError, Options, Receipt};
use common::*;

#[test]
fn what_was_appended_is_there_after_opening_again() {
    let place = Place::new();
    let log = place.create();
    for number in 0..5 {
        assert_eq!(
            log.append_blocking(client_share(number)).unwrap().index,
            number
        );
    }
    assert_eq!(log.state().as_str(), "good");
    drop(log);

    let (log, recovered) = place.open().unwrap();
    assert_eq!((recovered.size, recovered.repaired), (5, None));
    assert_eq!(log.append_blocking(locked()).unwrap().index, 5);
    let shown = entries(&place.dir());
    assert_eq!(shown.len(), 6);
    assert_eq!(shown[3].event, client_share(3));
    assert_eq!(shown[5].event, locked());
}

#[tokio::test]
async fn futures_in_flight_share_their_syncs() {
    let place = Place::new();
    let log = place.create();
    let waiting: Vec<_> = (0..500)
        .map(|number| log.append(client_share(number)))
        .collect();
    for (number, future) in waiting.into_iter().enumerate() {
        assert_eq!(future.await.unwrap().index, number as u64);
    }
    let statistics = log.statistics();
    assert_eq!(statistics.entries, 500);
    assert!(
        statistics.syncs <= 100,
        "500 entries took {} syncs",
        statistics.syncs
    );
}

#[test]
fn sixty_four_writers_share_their_syncs() {
    let place = Place::new();
    let log = place.create();
    std::thread::scope(|scope| {
        for writer in 0..64 {
            let log = &log;
            scope.spawn(move || {
                for number in 0..20 {
                    log.append_blocking(client_share(writer * 100 + number))
                        .unwrap();
                }
            });
        }
    });
    let statistics = log.statistics();
    assert_eq!(statistics.entries, 64 * 20);
    assert!(statistics.syncs * 3 <= statistics.entries, "{statistics:?}");
    drop(log);
    assert_eq!(entries(&place.dir()).len(), 64 * 20);
}

#[test]
fn a_second_opener_is_refused_until_the_first_is_gone() {
    let place = Place::new();
    let log = place.create();
    let error = place.open().unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }));
    assert!(
        error
            .to_string()
            .ends_with("journal is in use by another process"),
        "{error}"
    );
    assert_eq!(
        error.remedy(),
        Some("stop the other authority that uses this directory")
    );
    drop(log);
    assert!(place.open().is_ok());
}

#[test]
fn a_log_is_never_created_over_another_nor_recreated() {
    let place = Place::new();
    drop(place.create());
    let again = || {
        let sign = |text: &[u8]| place.node.sign(text);
        Log::create(&place.dir(), &place.node.key, Options::default(), sign).unwrap_err()
    };
    assert!(again().to_string().contains("there is an audit log in"));

    fs::remove_file(place.path("journal")).unwrap();
    assert!(
        matches!(again(), OpenError::Exists { .. }),
        "its checkpoint is still there"
    );
    let error = place.open().unwrap_err();
    assert!(error.to_string().ends_with("journal is missing"), "{error}");
    assert!(!place.path("journal").exists());
}

#[test]
fn a_log_without_its_checkpoint_is_refused() {
    let place = Place::filled(3, 0);
    fs::remove_file(place.path("checkpoint")).unwrap();
    let error = place.open().unwrap_err();
    assert!(
        error.to_string().ends_with("checkpoint is missing"),
        "{error}"
    );
}

#[test]
fn the_log_of_another_authority_is_refused() {
    let (place, other) = (Place::filled(3, 0), Node::new(8));
    let error = Log::open(&place.dir(), &other.key, Options::default()).unwrap_err();
    assert!(
        chain(&error).contains("it is of the log \"dta/0707"),
        "{}",
        chain(&error)
    );

    let foreign = Place {
        node: Node::new(8),
        ..Place::new()
    };
    drop(foreign.create());
    fs::copy(foreign.path("journal"), place.path("journal")).unwrap();
    let error = place.open().unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("the journal is of the log \"dta/0808"),
        "{error}"
    );
    fs::write(place.path("journal"), "something else entirely").unwrap();
    let error = place.open().unwrap_err();
    assert!(
        chain(&error).ends_with("it does not begin as a journal does"),
        "{}",
        chain(&error)
    );
}

#[test]
fn a_checkpoint_with_a_wrong_signature_is_neither_written_nor_believed() {
    let place = Place::new();
    let log = place.create();
    log.append_blocking(client_share(0)).unwrap();
    let other = Node::new(8);
    let error = log.checkpoint(|text| other.sign(text)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the audit checkpoint's signature is not that of this log's node key"
    );
    let error = log.checkpoint(|_| Err("token removed")).unwrap_err();
    assert_eq!(
        chain(&error),
        "the audit checkpoint could not be signed: token removed"
    );
    assert_eq!(log.last_checkpoint().head().size, 0);
    drop(log);

    let forged = fs::read_to_string(place.path("checkpoint"))
        .unwrap()
        .replace("\n0\n", "\n1\n");
    fs::write(place.path("checkpoint"), forged).unwrap();
    let error = place.open().unwrap_err();
    assert!(
        chain(&error).contains("its signature does not verify"),
        "{}",
        chain(&error)
    );
}

#[test]
fn a_checkpoint_is_due_at_most_once_in_its_time_and_only_for_new_entries() {
    let mut place = Place::new();
    place.options.checkpoint_every = Duration::from_millis(200);
    let log = place.create();
    assert_eq!(log.checkpoint_due(), None, "nothing to sign");
    assert_eq!(log.unsigned_for(), Duration::ZERO);
    log.append_blocking(client_share(0)).unwrap();
    assert_eq!(log.checkpoint_due(), Some(log.tree_head()));
    place.checkpoint(&log);
    assert_eq!(log.last_checkpoint().head(), log.tree_head());
    assert_eq!(log.unsigned_for(), Duration::ZERO);
    log.append_blocking(client_share(1)).unwrap();
    assert_eq!(log.checkpoint_due(), None, "the last one is not old enough");
    std::thread::sleep(Duration::from_millis(210));
    assert_eq!(log.checkpoint_due().unwrap().size, 2);
    assert!(log.unsigned_for() >= Duration::from_millis(200));
}

#[test]
fn requests_read_the_latest_checkpoint_while_the_hsm_signs() {
    let place = Place::new();
    let log = place.create();
    log.append_blocking(client_share(0)).unwrap();
    let sign = |text: &[u8]| {
        assert_eq!(log.last_checkpoint().head().size, 0);
        assert_eq!(log.checkpoint_due(), None, "one is being made");
        assert_eq!(log.append_blocking(client_share(1)).unwrap().index, 1);
        place.node.sign(text)
    };
    assert_eq!(log.checkpoint(sign).unwrap().head().size, 1);
    assert!(
        log.unsigned_for() > Duration::ZERO,
        "an entry came meanwhile"
    );
}

#[test]
fn expired_nonces_are_dropped_while_a_long_log_is_read() {
    let clock = HandClock::at(NOON);
    let place = Place {
        options: at(Arc::clone(&clock)),
        ..Place::new()
    };
    let log = place.create();
    std::thread::scope(|scope| {
        for writer in 0..30 {
            let log = &log;
            scope.spawn(move || {
                for number in 0..100 {
                    log.append_blocking(client_share(writer * 100 + number))
                        .unwrap();
                }
            });
        }
    });
    clock.pass(661_000);
    let mut fresh = request(9999);
    fresh.expires = NOON / 1000 + 700;
    log.append_blocking(Event::ServerShare { request: fresh })
        .unwrap();
    drop(log);
    let (_log, recovered) = place.open().unwrap();
    assert_eq!(recovered.size, 3001);
    let nonces: Vec<_> = recovered
        .recent_nonces(0)
        .map(|nonce| nonce.nonce.as_str())
        .collect();
    assert_eq!(nonces, ["nonce-0000009999"]);
}

#[test]
fn a_cut_log_is_refused_by_its_checkpoint_and_by_its_anchor() {
    let place = Place::with_anchor();
    let log = place.create();
    log.append_blocking(client_share(0)).unwrap();
    place.checkpoint(&log);
    drop(log);
    let earlier = place.copy();
    let (log, _) = place.open().unwrap();
    log.append_blocking(client_share(1)).unwrap();
    place.checkpoint(&log);
    drop(log);

    let cut = place.copy();
    fs::copy(earlier.path("journal"), cut.path("journal")).unwrap();
    let cut = Place {
        options: Options {
            anchor_dir: None,
            ..cut.options.clone()
        },
        ..cut
    };
    let error = cut.open().unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("was signed over 3: it was cut, or an older copy was put back"),
        "{error}"
    );

    // The whole older directory, with its own good checkpoint: only the anchor knows better.
    copy_dir(&earlier.dir(), &place.dir());
    let error = place.open().unwrap_err();
    assert!(
        matches!(
            &error,
            OpenError::Shorter {
                found: 2,
                signed: 3,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("/anchor/dta-0707"), "{error}");
}

#[test]
fn a_rewritten_log_is_refused_by_its_anchor() {
    let place = Place::with_anchor();
    let log = place.create();
    log.append_blocking(client_share(0)).unwrap();
    place.checkpoint(&log);
    drop(log);

    // Whoever has the node key writes another history of the same length.
    let other = Place {
        options: place.options.clone(),
        ..Place::new()
    };
    let other = Place {
        options: Options {
            anchor_dir: None,
            ..other.options.clone()
        },
        ..other
    };
    let log = other.create();
    log.append_blocking(client_share(8)).unwrap();
    log.append_blocking(client_share(9)).unwrap();
    other.checkpoint(&log);
    drop(log);
    copy_dir(&other.dir(), &place.dir());
    let error = place.open().unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("the first 2 entries of the audit log are not"),
        "{error}"
    );
}

#[test]
fn an_anchor_directory_is_said_once_and_missed_when_it_is_empty() {
    let place = Place::with_anchor();
    let log = place.create();
    place.checkpoint(&log);
    drop(log);
    drop(place.open().unwrap());
    assert_eq!(names(&place.dir()), ["anchor-added"]);

    fs::remove_file(place.anchored()).unwrap();
    let error = place.open().unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("is missing, though it was kept there"),
        "{error}"
    );
    assert_eq!(error.remedy(), Some("mount the disk of `anchor_dir`"));
}

#[test]
fn a_link_that_somebody_put_into_the_anchor_directory_is_not_followed() {
    let place = Place::with_anchor();
    let log = place.create();
    let precious = place.root.path().join("precious");
    fs::write(&precious, "precious").unwrap();
    let draft = format!("{}.new", place.anchored().display());
    std::os::unix::fs::symlink(&precious, &draft).unwrap();
    log.append_blocking(locked()).unwrap();
    place.checkpoint(&log);
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
    assert!(!fs::symlink_metadata(place.anchored()).unwrap().is_symlink());
}

#[test]
fn an_anchor_that_somebody_else_replaced_stops_checkpoints() {
    let place = Place::with_anchor();
    let log = place.create();
    place.checkpoint(&log);
    fs::write(place.anchored(), "a second copy of this authority").unwrap();
    let error = log.checkpoint(|text| place.node.sign(text)).unwrap_err();
    assert!(
        error.to_string().ends_with("was changed by somebody else"),
        "{error}"
    );
}

#[test]
fn a_change_counts_once_it_has_all_its_entries_and_a_start_proves_none() {
    let place = Place::new();
    let log = place.create();
    let change = || customer_change("acme", 7);
    let key_added = Event::KeyAdded {
        change: change(),
        keyid: "BhJw2PE3zR6qJZvIb0oMcA".to_owned(),
        alg: "ed25519".to_owned(),
        roles: vec!["enrol".to_owned()],
    };
    let master_created = Event::MasterKeyCreated {
        change: change(),
        key: "k1".to_owned(),
        suite: "RO".to_owned(),
        commitment: Hex([1; 48]),
        escrow: None,
    };
    let start = Event::Start {
        version: "0".to_owned(),
        binary: Hex([0; 32]),
        config: Hex([0; 32]),
        generation: 9,
    };
    let suspended = Event::CustomerSuspended(customer_change("acme", 6));
    let mut log = log;
    for (event, known) in [
        (suspended, Some(6)),
        (Event::CustomerAdded(change()), Some(6)),
        (key_added.clone(), Some(6)),
        (master_created, Some(7)),
        (start, Some(7)),
        (key_added, Some(7)),
    ] {
        log.append_blocking(event.clone()).unwrap();
        drop(log);
        let (again, recovered) = place.open().unwrap();
        assert_eq!(recovered.generation, known, "after {}", event.name());
        log = again;
    }
}

#[test]
fn opening_tells_the_highest_generation_and_the_recent_nonces() {
    let place = Place {
        options: at(HandClock::at(NOON)),
        ..Place::new()
    };
    let log = place.create();
    log.append_blocking(Event::CustomerAdded(customer_change("acme", 7)))
        .unwrap();
    log.append_blocking(Event::CustomerSuspended(customer_change("acme", 8)))
        .unwrap();
    let mut old = request(1);
    old.expires = NOON / 1000 - 601;
    log.append_blocking(Event::ServerShare { request: old })
        .unwrap();
    log.append_blocking(client_share(2)).unwrap();
    log.append_blocking(locked()).unwrap();
    drop(log);

    let mut seen = 0;
    let (_log, recovered) =
        Log::open_with(&place.dir(), &place.node.key, place.options.clone(), |_| {
            seen += 1
        })
        .unwrap();
    assert_eq!((seen, recovered.size), (5, 5));
    assert_eq!(recovered.generation, Some(8));
    let nonces: Vec<_> = recovered
        .recent_nonces(0)
        .map(|nonce| nonce.nonce.as_str())
        .collect();
    assert_eq!(nonces, ["nonce-0000000002"]);
    let first = recovered.recent_nonces(NOON / 1000).next().unwrap();
    assert_eq!((first.keyid.len(), first.expires), (22, NOON / 1000 + 60));
    assert_eq!(recovered.recent_nonces(NOON / 1000 + 61).count(), 0);
}

#[test]
fn a_clock_before_the_last_entry_stops_issuing_and_nothing_else() {
    let clock = HandClock::at(NOON);
    let place = Place {
        options: at(Arc::clone(&clock)),
        ..Place::new()
    };
    let log = place.create();
    log.append_blocking(client_share(0)).unwrap();
    clock.set(NOON - 1000);

    let error = log.append_blocking(client_share(1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the clock says 2026-11-20T18:47:59.123Z, which is before the last audit entry, \
         2026-11-20T18:48:00.123Z"
    );
    assert_eq!(log.state(), LogState::ClockFault);
    log.append_blocking(locked()).unwrap();
    assert!(matches!(
        log.append_blocking(client_share(1)),
        Err(AppendError::ClockBehind { .. })
    ));
    clock.set(NOON + 5);
    log.append_blocking(client_share(1)).unwrap();
    assert_eq!(log.state(), LogState::Good);
    drop(log);

    assert_eq!(
        names(&place.dir()),
        ["client-share", "clock-fault", "locked", "client-share"]
    );
    let times: Vec<_> = entries(&place.dir())
        .into_iter()
        .map(|entry| entry.time)
        .collect();
    assert!(times.is_sorted());
    assert_eq!(
        times[2], "2026-11-20T18:48:00.123Z",
        "never before the entry before it"
    );
}

#[test]
fn a_jump_of_five_minutes_stops_issuing_and_does_not_poison_the_log() {
    let clock = HandClock::at(NOON);
    let place = Place {
        options: at(Arc::clone(&clock)),
        ..Place::new()
    };
    let log = place.create();
    clock.pass(1000);
    clock.set(NOON + 365 * 86_400_000);
    let error = log.append_blocking(client_share(0)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the clock jumped to 2027-11-20T18:48:00.123Z, expected about 2026-11-20T18:48:01.123Z"
    );
    log.append_blocking(locked()).unwrap();
    clock.set(NOON + 1000);
    log.append_blocking(client_share(0)).unwrap();
    drop(log);
    let shown = entries(&place.dir());
    assert_eq!(
        shown[1].time, "2026-11-20T18:48:01.123Z",
        "the jumped clock is not believed"
    );
    assert!(matches!(&shown[0].event, Event::ClockFault { fault, .. } if fault == "jumped"));
}

#[test]
fn an_entry_that_is_too_long_or_cannot_be_written_is_refused_alone() {
    let place = Place::new();
    let log = place.create();
    let long = Event::Stop {
        reason: "x".repeat(70_000),
    };
    let error = log.append_blocking(long).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the entry has 70078 bytes, at most 65535 are allowed"
    );
    let mut request = request(0);
    request.expires = 1 << 53;
    let error = log
        .append_blocking(Event::ServerShare { request })
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the event holds a number that canonical JSON cannot carry"
    );
    assert!(matches!(
        log.append_blocking(locked()),
        Ok(Receipt { index: 0, .. })
    ));
}

#[test]
fn a_full_queue_is_said_at_once() {
    let mut place = Place::new();
    place.options.max_waiting = 0;
    // Nothing fits into no queue; the log itself needs none to be made.
    let log = place.create();
    let error = log.append_blocking(locked()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "0 events are waiting for the audit log already"
    );
}

fn at(clock: Arc<HandClock>) -> Options {
    Options {
        clock,
        reserve_bytes: 4096,
        ..Options::default()
    }
}
