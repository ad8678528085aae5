//! What somebody changed in the registry by hand is noticed and named.

#![allow(clippy::unwrap_used)]

use super::tests::{by_hand, populated, unlock};
use super::*;
use crate::mac::Table;
use crate::testing::customer;

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
