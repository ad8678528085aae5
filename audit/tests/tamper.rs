//! Every change of the files is noticed and named; a torn tail is repaired and said.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::ops::ControlFlow;

use audit::{
    Event, Filter, OpenError, Timestamp, VerifyError, VerifyOptions, VerifyReport, show, verify,
};
use common::*;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

fn check(place: &Place) -> Result<VerifyReport, VerifyError> {
    verify(&place.dir(), &place.node.key, VerifyOptions::default())
}

#[test]
fn an_honest_log_verifies_and_its_unsigned_tail_is_counted() {
    let place = Place::filled(40, 3);
    let mut calls = Vec::new();
    let mut progress = |progress| calls.push(progress);
    let options = VerifyOptions {
        progress: Some(&mut progress),
        ..VerifyOptions::default()
    };
    let report = verify(&place.dir(), &place.node.key, options).unwrap();
    assert_eq!(
        (report.size, report.signed, report.unsigned_tail),
        (40, 37, 3)
    );
    assert_eq!((report.torn_bytes, report.seen), (0, 0));
    assert!(report.first.unwrap() <= report.last.unwrap());
    let last = calls.last().unwrap();
    assert_eq!(last.done, last.total);
}

#[test]
fn a_checkpoint_shown_earlier_is_found_again_and_missed_in_a_rewritten_log() {
    let place = Place::filled(5, 0);
    let seen = place.path("seen");
    fs::copy(place.path("checkpoint"), &seen).unwrap();
    let (log, _) = place.open().unwrap();
    log.append_blocking(locked()).unwrap();
    place.checkpoint(&log);
    drop(log);
    let with_seen = |place: &Place| {
        let options = VerifyOptions {
            seen: vec![seen.clone()],
            ..VerifyOptions::default()
        };
        verify(&place.dir(), &place.node.key, options)
    };
    assert_eq!(with_seen(&place).unwrap().seen, 1);

    let short = Place::filled(4, 0);
    let error = with_seen(&short).unwrap_err();
    assert!(
        error.to_string().contains("the log ends after 4 entries"),
        "{error}"
    );
    let other = Place::new();
    let log = other.create();
    for _ in 0..6 {
        log.append_blocking(locked()).unwrap();
    }
    other.checkpoint(&log);
    drop(log);
    let error = with_seen(&other).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("entries 0 to 4 are well formed but are not those"),
        "{error}"
    );
}

#[test]
fn any_changed_byte_of_the_journal_is_noticed_and_its_entry_named() {
    let place = Place::filled(60, 0);
    let journal = fs::read(place.path("journal")).unwrap();
    let offsets: Vec<u64> = entries(&place.dir())
        .iter()
        .map(|entry| entry.offset)
        .collect();
    let copy = place.copy();
    let cases = u32::try_from(count(500, 10_000)).unwrap();
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    });
    let change = (any::<prop::sample::Index>(), 1_u8..=255);
    runner
        .run(&change, |(at, flip)| {
            let at = at.index(journal.len());
            let mut changed = journal.clone();
            changed[at] ^= flip;
            fs::write(copy.path("journal"), &changed).unwrap();
            let named = offsets.iter().rposition(|offset| *offset <= at as u64);
            match (check(&copy), named) {
                (Err(VerifyError::BadEntry(bad)), Some(index)) => {
                    prop_assert_eq!(bad.index, index as u64, "{}", bad);
                    prop_assert_eq!(bad.offset, offsets[index]);
                }
                (Err(VerifyError::Header { .. } | VerifyError::OtherOrigin { .. }), None) => {}
                (outcome, named) => prop_assert!(false, "byte {at}: {outcome:?}, {named:?}"),
            }
            prop_assert!(copy.open().is_err(), "the authority would have gone on");
            Ok(())
        })
        .unwrap();
}

#[test]
fn any_changed_bit_of_the_checkpoint_is_noticed() {
    let place = Place::filled(3, 0);
    let note = fs::read(place.path("checkpoint")).unwrap();
    for at in 0..note.len() * 8 {
        let mut changed = note.clone();
        changed[at / 8] ^= 1 << (at % 8);
        fs::write(place.path("checkpoint"), &changed).unwrap();
        assert!(check(&place).is_err(), "bit {at}");
    }
}

/// Writes a journal of these entries as this program would: good lengths and checksums.
fn forge(place: &Place, entries: &[Vec<u8>]) {
    let old = fs::read(place.path("journal")).unwrap();
    let origin = place.node.key.origin().as_str().len();
    let mut journal = old[..18 + origin].to_vec();
    for entry in entries {
        let mut head = b"DTAE".to_vec();
        head.extend_from_slice(&(entry.len() as u32).to_be_bytes());
        head.extend_from_slice(&(journal.len() as u64).to_be_bytes());
        let checksum = crc32c::crc32c_append(crc32c::crc32c(&head), entry);
        journal.extend_from_slice(&head);
        journal.extend_from_slice(&checksum.to_be_bytes());
        journal.extend_from_slice(entry);
    }
    fs::write(place.path("journal"), journal).unwrap();
}

fn renumber(entries: &mut [Vec<u8>]) {
    for (index, entry) in entries.iter_mut().enumerate() {
        let mut fields: serde_json::Map<_, _> = serde_json::from_slice(entry).unwrap();
        fields.insert("index".to_owned(), index.into());
        *entry = serde_json::to_vec(&fields).unwrap();
    }
}

#[test]
fn entries_moved_with_good_checksums_are_noticed_and_named() {
    let place = Place::filled(10, 0);
    let (good, times): (Vec<Vec<u8>>, Vec<String>) = entries(&place.dir())
        .into_iter()
        .map(|entry| (entry.bytes, entry.time))
        .unzip();
    forge(&place, &good);
    assert_eq!(
        check(&place).unwrap().size,
        10,
        "the forger's framing is right"
    );
    let said = |entries: &[Vec<u8>]| {
        forge(&place, entries);
        assert!(place.open().is_err(), "the authority would have gone on");
        check(&place).unwrap_err().to_string()
    };

    let mut swapped = good.clone();
    swapped.swap(3, 6);
    assert!(said(&swapped).starts_with("entry 3 at byte "), "swapped");
    assert!(said(&swapped).ends_with(": it says index 6"));

    let mut dropped = good.clone();
    dropped.remove(4);
    assert!(said(&dropped).starts_with("entry 4 at byte "), "dropped");
    renumber(&mut dropped);
    assert!(
        said(&dropped).starts_with("the log ends after 9 entries"),
        "dropped and renumbered"
    );

    let mut duplicated = good.clone();
    duplicated.insert(5, good[5].clone());
    assert!(
        said(&duplicated).starts_with("entry 6 at byte "),
        "duplicated"
    );
    renumber(&mut duplicated);
    assert!(said(&duplicated).starts_with("entries 0 to 9 are well formed but are not"));

    let mut changed = good.clone();
    changed[2] = String::from_utf8(good[2].clone())
        .unwrap()
        .replace("acme", "evil")
        .into_bytes();
    assert!(
        said(&changed).starts_with("entries 0 to 9 are well formed but are not"),
        "changed"
    );

    let mut spaced = good.clone();
    spaced[2].push(b' ');
    assert!(
        said(&spaced).ends_with("something follows the object"),
        "not canonical"
    );

    let mut older = good.clone();
    let text = String::from_utf8(good[7].clone()).unwrap();
    older[7] = text
        .replace(&times[7], "2020-01-01T00:00:00.000Z")
        .into_bytes();
    let message = said(&older);
    assert!(message.starts_with("entry 7 at byte "), "{message}");
    assert!(
        message.contains("its time 2020-01-01T00:00:00.000Z is before that"),
        "{message}"
    );

    assert!(
        said(&good[..9]).starts_with("the log ends after 9 entries"),
        "truncated"
    );
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_off_and_said_and_nothing_else_is_lost() {
    let place = Place::filled(4, 2);
    let journal = fs::read(place.path("journal")).unwrap();
    let shown = entries(&place.dir());
    let last = shown.last().unwrap().offset;
    for length in last..journal.len() as u64 {
        let copy = place.copy();
        fs::write(copy.path("journal"), &journal[..length as usize]).unwrap();
        let (log, recovered) = copy.open().unwrap();
        drop(log);
        assert_eq!(recovered.size, 3, "cut at {length}");
        let after = entries(&copy.dir());
        assert_eq!(after[..3], shown[..3]);
        if length == last {
            assert_eq!((recovered.repaired, after.len()), (None, 3));
        } else {
            let repair = recovered.repaired.unwrap();
            assert_eq!((repair.offset, repair.removed), (last, length - last));
            let said = Event::LogRepaired {
                offset: last,
                removed: length - last,
            };
            assert_eq!(after[3].event, said);
        }
        assert!(check(&copy).is_ok());
    }
}

#[test]
fn a_tail_of_zeros_or_with_a_lost_page_is_torn_too() {
    let place = Place::filled(4, 2);
    let journal = fs::read(place.path("journal")).unwrap();
    let last = entries(&place.dir()).last().unwrap().offset as usize;
    for from in [last, last + 4, last + 30] {
        let copy = place.copy();
        let mut torn = journal.clone();
        torn[from..].fill(0);
        fs::write(copy.path("journal"), torn).unwrap();
        assert_eq!(
            check(&copy).unwrap().torn_bytes,
            (journal.len() - last) as u64
        );
        assert_eq!(copy.open().unwrap().1.size, 3);
    }
}

#[test]
fn a_batch_whose_first_record_was_lost_is_cut_off_whole() {
    let place = Place::filled(4, 2);
    // Two more records of one batch, of which the first never reached the disk.
    let mut journal = fs::read(place.path("journal")).unwrap();
    let start = journal.len();
    let shown = entries(&place.dir());
    for _ in 0..2 {
        let mut head = b"DTAE".to_vec();
        head.extend_from_slice(&(shown[3].bytes.len() as u32).to_be_bytes());
        head.extend_from_slice(&(start as u64).to_be_bytes());
        let checksum = crc32c::crc32c_append(crc32c::crc32c(&head), &shown[3].bytes);
        journal.extend_from_slice(&head);
        journal.extend_from_slice(&checksum.to_be_bytes());
        journal.extend_from_slice(&shown[3].bytes);
    }
    journal[start + 40] ^= 1;
    fs::write(place.path("journal"), &journal).unwrap();
    let (_, recovered) = place.open().unwrap();
    assert_eq!(recovered.repaired.unwrap().offset, start as u64);
    assert_eq!(recovered.size, 4);
}

#[test]
fn damage_in_a_synced_entry_is_never_repaired_away() {
    // No checkpoint covers entry 2, and yet entry 3 proves that it had been durable.
    let place = Place::filled(4, 3);
    let mut journal = fs::read(place.path("journal")).unwrap();
    let offset = entries(&place.dir())[2].offset;
    // The length: as if the entry ran past the end of the file.
    journal[offset as usize + 6] ^= 0x80;
    fs::write(place.path("journal"), &journal).unwrap();
    let error = place.open().unwrap_err();
    assert!(matches!(error, OpenError::BadEntry(_)));
    assert_eq!(
        error.to_string(),
        format!(
            "the audit log was changed or damaged: entry 2 at byte {offset} of the journal: the file \
             ends inside it"
        )
    );
    assert!(
        check(&place)
            .unwrap_err()
            .to_string()
            .starts_with("entry 2 at byte ")
    );
    assert_eq!(
        fs::read(place.path("journal")).unwrap(),
        journal,
        "nothing was changed"
    );
}

#[test]
fn the_last_signed_entry_is_never_repaired_away() {
    let place = Place::filled(4, 0);
    let journal = fs::read(place.path("journal")).unwrap();
    fs::write(place.path("journal"), &journal[..journal.len() - 1]).unwrap();
    let error = place.open().unwrap_err();
    assert!(error.to_string().contains("entry 3 at byte "), "{error}");
    assert!(
        error.to_string().ends_with("the file ends inside it"),
        "{error}"
    );
}

#[test]
fn a_missing_file_is_a_verdict_and_an_unreadable_one_is_not() {
    let place = Place::filled(2, 0);
    for name in ["journal", "checkpoint"] {
        let copy = place.copy();
        fs::remove_file(copy.path(name)).unwrap();
        let error = check(&copy).unwrap_err();
        assert!(
            error.to_string().ends_with(&format!("{name} is missing")),
            "{error}"
        );
        assert!(error.is_verdict());
        fs::create_dir(copy.path(name)).unwrap();
        assert!(!check(&copy).unwrap_err().is_verdict());
    }
}

#[test]
fn showing_filters_by_event_customer_and_time() {
    let place = Place::new();
    let log = place.create();
    log.append_blocking(client_share(0)).unwrap();
    log.append_blocking(Event::CustomerAdded(customer_change("globex", 1)))
        .unwrap();
    let last = log.append_blocking(locked()).unwrap();
    drop(log);
    let shown = |filter: Filter| {
        let mut indexes = Vec::new();
        show(&place.dir(), &filter, |entry| {
            indexes.push(entry.index);
            ControlFlow::Continue(())
        })
        .unwrap();
        indexes
    };
    let all = Filter::default;
    assert_eq!(shown(all()), [0, 1, 2]);
    assert_eq!(
        shown(Filter {
            event: Some("locked".to_owned()),
            ..all()
        }),
        [2]
    );
    assert_eq!(
        shown(Filter {
            customer: Some("globex".to_owned()),
            ..all()
        }),
        [1]
    );
    assert!(
        shown(Filter {
            since: Some(last.time),
            ..all()
        })
        .ends_with(&[2])
    );
    let later = Timestamp::from_unix_millis(last.time.unix_millis() + 1);
    assert_eq!(
        shown(Filter {
            since: Some(later),
            ..all()
        }),
        [0_u64; 0]
    );
    let mut count = 0;
    show(&place.dir(), &all(), |_| {
        count += 1;
        ControlFlow::Break(())
    })
    .unwrap();
    assert_eq!(count, 1);
}
