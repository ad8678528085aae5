//! Directories that open, and directories that must not.

#![allow(clippy::unwrap_used)]

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::StateError;
use crate::testing::{World, customer, signing_key};

/// A directory with genesis, closed again.
fn genesis() -> (World, tempfile::TempDir, PathBuf) {
    let world = World::new();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("dta");
    world.create(&path).unwrap();
    (world, directory, path)
}

/// The same with two customers and three signing keys: generation 3.
pub(super) fn populated() -> (World, tempfile::TempDir, PathBuf) {
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
pub(super) fn by_hand(path: &Path, sql: &str) {
    let db = Connection::open(path.join(DATABASE)).unwrap();
    db.execute_batch(sql).unwrap();
}

fn refused(path: &Path) -> StateError {
    StateDir::open(path).unwrap_err()
}

pub(super) fn unlock(world: &World, path: &Path) -> Result<Registry, StateError> {
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
