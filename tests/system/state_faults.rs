//! The disk was tampered with, rolled back, or the process was killed.

use crate::common::customer::{Customer, new_identity};
use crate::common::{Dta, copy_directory};

#[test]
fn a_second_ceremony_into_the_same_directory_is_refused() {
    let dta = Dta::found("twice", 1, 1);
    let manifest = std::fs::read(dta.path("out/manifest.json")).unwrap();
    let said = dta.run_ceremony();
    assert_eq!(said.code, 6, "{said:?}");
    assert!(said.stderr.contains("exists"), "{said:?}");
    assert_eq!(
        std::fs::read(dta.path("out/manifest.json")).unwrap(),
        manifest
    );
}

#[test]
fn a_second_authority_on_one_state_directory_is_refused() {
    let mut dta = Dta::found("pair", 1, 1);
    dta.start();
    let mut second = dta.spawn_authority(&[]);
    assert_eq!(second.wait_for_end(), 6, "{}", second.log());
    assert_eq!(dta.status()["state"], "sealed");
}

#[test]
fn a_row_deleted_or_added_by_hand_is_noticed_at_unlock() {
    for sql in [
        "DELETE FROM signing_key WHERE body LIKE '%acme%'",
        "UPDATE signing_key SET body = replace(body, 'acme', 'other')",
        "UPDATE customer SET body = replace(body, 'suspended', 'active')",
        "INSERT INTO customer SELECT 'third', body, mac FROM customer WHERE key = 'acme'",
    ] {
        let mut dta = Dta::unlocked("rows");
        let _acme = Customer::of(&[&dta], "acme");
        let _other = Customer::of(&[&dta], "other");
        dta.operator(&["customer", "suspend", "other"]).ok();
        dta.authority.as_mut().unwrap().terminate();
        let database = rusqlite::Connection::open(dta.path("state/state.db")).unwrap();
        database.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        let changed = database.execute(sql, []).unwrap();
        assert!(changed > 0, "{sql}");
        drop(database);
        dta.start_authority();
        dta.enter_share(1, &dta.share(1)).ok();
        let said = dta.enter_share(2, &dta.share(2));
        assert_eq!(said.code, 6, "{sql}: {said:?}");
        assert_ne!(dta.status()["state"], "unlocked");
        let table = if sql.contains("signing_key") {
            "signing"
        } else {
            "customer"
        };
        assert!(said.stderr.contains(table), "{sql}: {said:?}");
    }
}

#[test]
fn a_generation_changed_by_hand_does_not_lock_the_true_state_out() {
    let mut dta = Dta::unlocked("forged");
    let _acme = Customer::of(&[&dta], "acme");
    dta.authority.as_mut().unwrap().terminate();
    copy_directory(&dta.path("state"), &dta.path("copy"));
    let database = rusqlite::Connection::open(dta.path("state/state.db")).unwrap();
    let sql = "UPDATE registry SET generation = generation + 1";
    assert_eq!(database.execute(sql, []).unwrap(), 1);
    drop(database);
    dta.start_authority();
    dta.enter_share(1, &dta.share(1)).ok();
    let said = dta.enter_share(2, &dta.share(2));
    assert_eq!(said.code, 6, "{said:?}");
    assert!(said.stderr.contains("registry"), "{said:?}");
    dta.authority.as_mut().unwrap().terminate();
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        let _ = std::fs::remove_file(dta.path("state").join(name));
        let _ = std::fs::copy(dta.path("copy").join(name), dta.path("state").join(name));
    }
    dta.start_authority();
    dta.unlock(&[1, 2]);
    let entries = dta.audit_entries();
    assert!(
        entries
            .iter()
            .all(|entry| entry["event"] != "change-recovered"),
        "{entries:?}"
    );
}

#[test]
fn an_older_copy_of_the_whole_state_directory_is_noticed_at_start() {
    let mut dta = Dta::unlocked("older");
    dta.authority.as_mut().unwrap().terminate();
    copy_directory(&dta.path("state"), &dta.path("copy"));
    dta.start_authority();
    dta.unlock(&[1, 2]);
    let _customer = Customer::of(&[&dta], "acme");
    dta.authority.as_mut().unwrap().terminate();
    std::fs::remove_dir_all(dta.path("state")).unwrap();
    copy_directory(&dta.path("copy"), &dta.path("state"));
    let mut refused = dta.spawn_authority(&[]);
    assert_eq!(refused.wait_for_end(), 6, "{}", refused.log());
    assert!(refused.log().contains("older"), "{}", refused.log());
}

#[test]
fn an_older_copy_of_state_db_alone_is_noticed_at_start() {
    let mut dta = Dta::unlocked("olddb");
    dta.authority.as_mut().unwrap().terminate();
    std::fs::copy(dta.path("state/state.db"), dta.path("old.db")).unwrap();
    dta.start_authority();
    dta.unlock(&[1, 2]);
    let _customer = Customer::of(&[&dta], "acme");
    dta.authority.as_mut().unwrap().terminate();
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(dta.path(&format!("state/state.db{suffix}")));
    }
    std::fs::copy(dta.path("old.db"), dta.path("state/state.db")).unwrap();
    let mut refused = dta.spawn_authority(&[]);
    assert_eq!(refused.wait_for_end(), 6, "{}", refused.log());
    assert!(refused.log().contains("older"), "{}", refused.log());
}

#[test]
fn a_missing_audit_log_is_refused_and_never_made_anew() {
    let mut dta = Dta::unlocked("nolog");
    dta.authority.as_mut().unwrap().terminate();
    std::fs::rename(dta.path("state/audit"), dta.path("elsewhere")).unwrap();
    let mut refused = dta.spawn_authority(&[]);
    assert_eq!(refused.wait_for_end(), 6, "{}", refused.log());
    assert!(!dta.path("state/audit/journal").exists());
}

#[test]
fn killing_the_authority_at_any_moment_loses_no_accepted_change() {
    let rounds = if std::env::var_os("DTA_TEST_LONG").is_some() {
        1_000
    } else {
        12
    };
    let seed = u64::from_le_bytes(crate::common::customer::random()[..8].try_into().unwrap());
    println!("seed {seed}");
    let mut state = seed | 1;
    let mut dta = Dta::found("killed", 1, 1);
    dta.start();
    let mut accepted: Vec<String> = Vec::new();
    for round in 0..rounds {
        dta.unlock(&[1]);
        // A xorshift step: the moment of the kill, 0 to 60 milliseconds after the first change is sent.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let pause = std::time::Duration::from_micros(state % 60_000);
        let mut authority = dta.authority.take().unwrap();
        std::thread::scope(|scope| {
            let killer = scope.spawn(move || {
                std::thread::sleep(pause);
                authority.kill();
            });
            for attempt in 0.. {
                let name = format!("c{round}-{attempt}");
                let out = dta.arg(&name);
                crate::common::process::run(&["request", "new-key", "--out", &out], &[]).ok();
                let public = format!("{out}.pub");
                if dta
                    .operator(&["customer", "add", &name, "--key", &public])
                    .code
                    != 0
                {
                    break;
                }
                accepted.push(name);
            }
            killer.join().unwrap();
        });
        dta.start_authority();
    }
    dta.unlock(&[1]);
    let listed = dta.operator(&["customer", "list", "--json"]).ok();
    for name in &accepted {
        assert!(
            listed.contains(&format!("{name:?}")),
            "{name} was accepted and is gone: {listed}"
        );
    }
    println!("{} accepted changes over {rounds} kills", accepted.len());
    let customer = Customer::of(&[&dta], "last");
    assert_eq!(customer.client_share(&dta, &new_identity()).status, 200);
    dta.authority.as_mut().unwrap().terminate();
    dta.audit_verify().ok();
}
