//! Directories that open, and directories that must not.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::testing::{World, customer, signing_key};
use crate::{StateError, mac::Table};

/// A directory with genesis, closed again.
fn genesis() -> (World, tempfile::TempDir, PathBuf) {
    let world = World::new();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("dta");
    world.create(&path).unwrap();
    (world, directory, path)
}

/// The same with two customers and three signing keys: generation 3.
fn populated() -> (World, tempfile::TempDir, PathBuf) {
    let (world, directory, path) = genesis();
    let mut state = StateDir::open(&path).unwrap();
    let key = world.key();
    for name in ["alpha", "beta"] {
        state.add_customer(&key, customer(name)).unwrap();
    }
    let mut three = customer("gamma");
    three.signing_keys = (1..=3).map(signing_key).collect();
    state.add_customer(&key, three).unwrap();
    (world, directory, path)
}

fn private_directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o700)).unwrap();
    directory
}

/// What somebody does with an SQLite shell.
fn by_hand(path: &Path, sql: &str) {
    let db = Connection::open(path.join(DATABASE)).unwrap();
    db.execute_batch(sql).unwrap();
}

fn refused(path: &Path) -> StateError {
    StateDir::open(path).unwrap_err()
}

fn unlock(world: &World, path: &Path) -> Result<Registry, StateError> {
    StateDir::open(path).unwrap().unlock(&world.key())
}

#[test]
fn genesis_is_there_after_it_was_made_and_is_never_made_twice() {
    let (world, _directory, path) = genesis();
    let error = World::new().create(&path).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{} already holds a state.db, and nothing is overwritten",
            path.display()
        )
    );
    assert_eq!(error.exit_code(), 6);

    let state = StateDir::open(&path).unwrap();
    assert_eq!(state.chain(), &world.chain());
    assert_eq!(state.wraps(), world.wraps());
    assert_eq!(state.wrap_for("7f3a9b2c"), Some(&world.wraps()[0]));
    assert_eq!(state.wrap_for("other"), None);
    assert_eq!(state.generation().unwrap(), 0);
    let registry = state.unlock(&world.key()).unwrap();
    assert_eq!(
        (registry.generation(), registry.customers().count()),
        (0, 0)
    );
}

#[test]
fn a_directory_made_before_may_be_used_when_it_is_private() {
    let directory = private_directory();
    World::new().create(directory.path()).unwrap();

    let open = tempfile::tempdir().unwrap();
    fs::set_permissions(open.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let error = World::new().create(open.path()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{} is open to other users (mode 755)",
            open.path().display()
        )
    );
    assert!(!open.path().join(DATABASE).exists());
}

#[test]
fn everything_in_the_directory_is_private() {
    let (_world, _directory, path) = genesis();
    let _state = StateDir::open(&path).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    for entry in fs::read_dir(&path).unwrap() {
        let entry = entry.unwrap().path();
        assert_eq!(mode(&entry), 0o600, "{}", entry.display());
    }
}

#[test]
fn a_database_or_directory_open_to_others_is_refused() {
    let (_world, _directory, path) = genesis();
    fs::set_permissions(path.join(DATABASE), PermissionsExt::from_mode(0o644)).unwrap();
    let message = refused(&path).to_string();
    assert!(
        message.ends_with("state.db is open to other users (mode 644)"),
        "{message}"
    );
    fs::set_permissions(&path, PermissionsExt::from_mode(0o750)).unwrap();
    let message = refused(&path).to_string();
    assert!(
        message.ends_with("dta is open to other users (mode 750)"),
        "{message}"
    );
}

#[test]
fn a_directory_without_a_dta_is_said_to_be_empty() {
    let directory = tempfile::tempdir().unwrap();
    let error = refused(directory.path());
    assert_eq!(
        error.to_string(),
        format!("there is no state.db in {}", directory.path().display())
    );
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_second_opening_is_refused_with_the_process_that_has_it() {
    let (_world, _directory, path) = genesis();
    let first = StateDir::open(&path).unwrap();
    let error = refused(&path);
    assert_eq!(
        error.to_string(),
        format!(
            "the state directory {} is in use by process {}",
            path.display(),
            std::process::id()
        )
    );
    assert_eq!(error.exit_code(), 6);
    drop(first);
    StateDir::open(&path).unwrap();
}

#[test]
fn genesis_with_foreign_parts_is_refused_and_leaves_nothing() {
    let world = World::new();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("dta");
    let key = world.key();
    let create = |wraps, sealing_key| {
        let manifest = world.manifest.clone();
        StateDir::create(
            &path,
            Genesis {
                manifest,
                wraps,
                sealing_key,
            },
        )
        .unwrap_err()
        .to_string()
    };
    assert_eq!(
        create(vec![], &key),
        "state.db is damaged: there is no wrap of k_hsm by key dta-seal-1 of HSM 7f3a9b2c"
    );
    let twice = [world.wraps(), world.wraps()].concat();
    assert_eq!(
        create(twice, &key),
        "state.db is damaged: there are 2 wraps of k_hsm for 1 HSM keys"
    );
    assert_eq!(
        create(world.wraps(), &World::new().key()),
        "the sealing key is not the one of this directory's current epoch"
    );
    let mut manifest = world.manifest.clone();
    manifest.signatures.pop();
    let unsigned = Genesis {
        manifest,
        wraps: world.wraps(),
        sealing_key: &key,
    };
    assert!(matches!(
        StateDir::create(&path, unsigned),
        Err(StateError::Chain(_))
    ));
    assert!(!path.exists());
}

#[test]
fn a_left_over_of_an_interrupted_genesis_is_in_nobodys_way() {
    let directory = private_directory();
    fs::write(directory.path().join(UNFINISHED), b"half").unwrap();
    World::new().create(directory.path()).unwrap();
    fs::write(directory.path().join(UNFINISHED), b"half").unwrap();
    StateDir::open(directory.path()).unwrap();
    assert!(!directory.path().join(UNFINISHED).exists());
}

#[test]
fn a_newer_schema_is_refused_by_number() {
    let (_world, _directory, path) = genesis();
    by_hand(&path, "PRAGMA user_version = 7");
    let error = refused(&path);
    assert_eq!(
        error.to_string(),
        "state.db has schema version 7, this program knows version 1"
    );
    assert_eq!(
        error.remedy(),
        Some("use the newer version of dta that wrote it")
    );
}

#[test]
fn a_file_that_is_no_state_database_is_refused() {
    let (_world, _directory, path) = genesis();
    by_hand(&path, "PRAGMA application_id = 1");
    assert!(
        refused(&path)
            .to_string()
            .contains("its application id is 1")
    );
    fs::write(path.join(DATABASE), vec![0x5a; 8192]).unwrap();
    assert!(matches!(refused(&path), StateError::Corrupt { .. }));
    fs::remove_file(path.join(DATABASE)).unwrap();
    std::os::unix::fs::symlink("/dev/null", path.join(DATABASE)).unwrap();
    assert!(refused(&path).to_string().ends_with("is a symbolic link"));
}

#[test]
fn a_trigger_a_view_or_a_missing_table_is_refused_by_name() {
    for (sql, message) in [
        (
            "CREATE TRIGGER helpful AFTER INSERT ON customer BEGIN DELETE FROM signing_key; END",
            "the trigger helpful does not belong there",
        ),
        (
            "CREATE VIEW v AS SELECT 1",
            "the view v does not belong there",
        ),
        (
            "CREATE TABLE notes (x TEXT) STRICT",
            "the table notes does not belong there",
        ),
        (
            "CREATE INDEX i ON wrap (iv)",
            "the index i does not belong there",
        ),
        ("DROP TABLE revocation", "it has 8 tables, expected 9"),
    ] {
        let (_world, _directory, path) = genesis();
        by_hand(&path, sql);
        assert_eq!(
            refused(&path).to_string(),
            format!("state.db is not as this program made it: {message}")
        );
    }
}

#[test]
fn a_changed_manifest_is_refused() {
    let (_world, _directory, path) = genesis();
    by_hand(
        &path,
        "UPDATE manifest SET json = replace(json, 'holder 1', 'mallory')",
    );
    let error = refused(&path);
    assert_eq!(
        error.to_string(),
        "the manifest chain in state.db does not verify"
    );
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(
        cause,
        "manifest 1 does not hold: the signature of mallory does not verify"
    );
}

#[test]
fn rows_changed_by_hand_are_noticed_at_unlock_and_named() {
    let row =
        |table, key| format!("row {key} of table {table} in state.db was added or changed by hand");
    let table = |table, detail| format!("table {table} in state.db was changed by hand: {detail}");
    let exchanged = "a row was exchanged for another or for an older one";
    let key = "key-------------000002";
    for (sql, message) in [
        (
            "UPDATE customer SET body = replace(body, 'active', 'suspended') WHERE key = 'beta'",
            row("customer", "beta"),
        ),
        (
            "UPDATE signing_key SET body = replace(body, '0707', '0808') \
             WHERE key LIKE '%2'",
            row("signing_key", key),
        ),
        (
            "UPDATE signing_key SET mac = zeroblob(32) WHERE key LIKE '%2'",
            row("signing_key", key),
        ),
        (
            "INSERT INTO signing_key SELECT 'key-------------000009', body, mac FROM signing_key \
             WHERE key LIKE '%2'",
            row("signing_key", "key-------------000009"),
        ),
        (
            "UPDATE master_key SET body = (SELECT body FROM master_key WHERE key = 'alpha/k1'), \
             mac = (SELECT mac FROM master_key WHERE key = 'alpha/k1') WHERE key = 'beta/k1'",
            row("master_key", "beta/k1"),
        ),
        (
            "INSERT INTO revocation VALUES ('x', '{}', zeroblob(32))",
            row("revocation", "x"),
        ),
        (
            "DELETE FROM signing_key WHERE key LIKE '%2'",
            table("signing_key", "it has 2 rows, 3 were written"),
        ),
        (
            "DELETE FROM customer WHERE key = 'beta'",
            table("customer", "it has 2 rows, 3 were written"),
        ),
        (
            "DELETE FROM signing_key WHERE key LIKE '%2'; \
             UPDATE registry_table SET row_count = 2 WHERE name = 'signing_key'",
            table("signing_key", exchanged),
        ),
        (
            "DELETE FROM registry_table WHERE name = 'customer'",
            table("customer", "its entry in registry_table is missing"),
        ),
        (
            "UPDATE registry SET generation = 9",
            table(
                "registry",
                "generation 9 and the tables do not belong together",
            ),
        ),
        (
            "DELETE FROM registry",
            table(
                "registry",
                "its only row is missing or has no valid generation",
            ),
        ),
    ] {
        let (world, _directory, path) = populated();
        by_hand(&path, sql);
        let error = unlock(&world, &path).unwrap_err();
        assert_eq!(error.to_string(), message, "{sql}");
        assert_eq!(error.exit_code(), 4);
        assert!(
            error
                .remedy()
                .unwrap()
                .starts_with("do not serve from this directory")
        );
    }
}

#[test]
fn an_older_row_put_back_is_noticed_although_its_mac_is_good() {
    let (world, _directory, path) = populated();
    let old = StateDir::open(&path).unwrap();
    let (_, rows) = Macs::new(&world.key()).load(&old.db).unwrap();
    let id = "key-------------000002";
    let before = rows.table(Table::SigningKey)[id].clone();
    drop(old);
    let mut state = StateDir::open(&path).unwrap();
    let revoked_at = crate::testing::now();
    state
        .revoke_signing_key(&world.key(), &id.parse().unwrap(), revoked_at)
        .unwrap();
    drop(state);
    let db = Connection::open(path.join(DATABASE)).unwrap();
    let sql = "UPDATE signing_key SET body = ?1, mac = ?2 WHERE key = ?3";
    db.execute(sql, params![before.body, before.mac, id])
        .unwrap();
    drop(db);
    assert_eq!(
        unlock(&world, &path).unwrap_err().to_string(),
        "table signing_key in state.db was changed by hand: a row was exchanged for another or for \
         an older one"
    );
}

#[test]
fn a_whole_table_of_another_age_is_noticed() {
    let (world, _directory, path) = populated();
    let older = path.join("older.db");
    fs::copy(path.join(DATABASE), &older).unwrap();
    let mut state = StateDir::open(&path).unwrap();
    let id = "key-------------000001".parse().unwrap();
    state
        .revoke_signing_key(&world.key(), &id, crate::testing::now())
        .unwrap();
    drop(state);
    by_hand(
        &path,
        &format!(
            "ATTACH '{}' AS older; \
             INSERT OR REPLACE INTO signing_key SELECT * FROM older.signing_key; \
             INSERT OR REPLACE INTO registry_table SELECT * FROM older.registry_table",
            older.display()
        ),
    );
    assert_eq!(
        unlock(&world, &path).unwrap_err().to_string(),
        "table registry in state.db was changed by hand: generation 4 and the tables do not belong \
         together"
    );
}

#[test]
fn a_tampered_registry_is_not_blessed_by_the_next_change() {
    let (world, _directory, path) = populated();
    by_hand(&path, "DELETE FROM signing_key WHERE key LIKE '%2'");
    let mut state = StateDir::open(&path).unwrap();
    let error = state
        .add_customer(&world.key(), customer("delta"))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "table signing_key in state.db was changed by hand: it has 2 rows, 3 were written"
    );
}

#[test]
fn an_older_copy_of_the_database_is_noticed_against_the_log() {
    let (world, _directory, path) = populated();
    let copy = fs::read(path.join(DATABASE)).unwrap();
    let mut state = StateDir::open(&path).unwrap();
    let seen = state
        .add_customer(&world.key(), customer("delta"))
        .unwrap()
        .generation;
    assert_eq!(
        state.check_generation(Some(seen)).unwrap(),
        GenerationCheck::Same
    );
    drop(state);

    fs::write(path.join(DATABASE), copy).unwrap();
    let state = StateDir::open(&path).unwrap();
    let error = state.check_generation(Some(seen)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "state.db is at generation 3 and the audit log has seen generation 4: an older copy was put \
         back"
    );
    assert_eq!(error.exit_code(), 4);
}

#[test]
fn one_change_that_was_not_logged_is_reported_and_more_are_refused() {
    let (_world, _directory, path) = populated();
    let state = StateDir::open(&path).unwrap();
    assert_eq!(
        state.check_generation(Some(2)).unwrap(),
        GenerationCheck::OneUnlogged { generation: 3 }
    );
    for (log, seen) in [(Some(1), 1), (None, 0)] {
        assert_eq!(
            state.check_generation(log).unwrap_err().to_string(),
            format!(
                "state.db is at generation 3 and the audit log has seen only generation {seen}: \
                 entries are missing from the log"
            )
        );
    }
}

#[test]
fn the_registry_and_the_log_key_open_with_the_right_key_only() {
    let (world, _directory, path) = populated();
    let state = StateDir::open(&path).unwrap();
    let log_key = state.log_key(&world.key()).unwrap();
    assert_eq!(log_key, state.log_key(&world.key()).unwrap());
    assert_eq!(state.unlock(&world.key()).unwrap().customers().count(), 3);

    assert_eq!(
        state.log_key(&world.wrong_key()).unwrap_err().to_string(),
        "the audit log's key does not open: it was changed, or sealed under another key or epoch"
    );
    assert!(matches!(
        state.unlock(&world.wrong_key()),
        Err(StateError::TamperedRow {
            table: "customer",
            ..
        })
    ));
    assert_eq!(
        state.unlock(&World::new().key()).unwrap_err().to_string(),
        "the sealing key is not the one of this directory's current epoch"
    );
}

#[test]
fn two_dtas_have_different_log_keys() {
    let (one, _d1, path_one) = genesis();
    let (two, _d2, path_two) = genesis();
    let key = |world: &World, path: &Path| StateDir::open(path).unwrap().log_key(&world.key());
    assert_ne!(key(&one, &path_one).unwrap(), key(&two, &path_two).unwrap());
}
