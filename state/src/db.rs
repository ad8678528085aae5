//! The SQLite file: its schema, and how it is made and opened.
//!
//! Opened in WAL mode with `synchronous=FULL` and an exclusive lock, so that a commit that returned is
//! on the disk and nobody else reads or writes meanwhile. What is in the schema is compared with what
//! this program would make, object by object: a trigger put there by hand would change rows behind
//! our back.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::error::StateError;

/// The version of the schema below.
pub(crate) const SCHEMA_VERSION: i64 = 1;
/// `DTA1`, in the header of the file.
const APPLICATION_ID: i64 = 0x4454_4131;

const SCHEMA: [&str; 9] = [
    "CREATE TABLE manifest (number INTEGER PRIMARY KEY, json TEXT NOT NULL) STRICT",
    "CREATE TABLE wrap (hsm TEXT NOT NULL, token_label TEXT NOT NULL, key_label TEXT NOT NULL, \
     iv BLOB NOT NULL, ciphertext BLOB NOT NULL, PRIMARY KEY (hsm, key_label)) STRICT",
    "CREATE TABLE log_key (id INTEGER PRIMARY KEY CHECK (id = 1), sealed BLOB NOT NULL) STRICT",
    "CREATE TABLE customer (key TEXT PRIMARY KEY, body TEXT NOT NULL, mac BLOB NOT NULL) \
     STRICT, WITHOUT ROWID",
    "CREATE TABLE signing_key (key TEXT PRIMARY KEY, body TEXT NOT NULL, mac BLOB NOT NULL) \
     STRICT, WITHOUT ROWID",
    "CREATE TABLE master_key (key TEXT PRIMARY KEY, body TEXT NOT NULL, mac BLOB NOT NULL) \
     STRICT, WITHOUT ROWID",
    "CREATE TABLE revocation (key TEXT PRIMARY KEY, body TEXT NOT NULL, mac BLOB NOT NULL) \
     STRICT, WITHOUT ROWID",
    "CREATE TABLE registry_table (name TEXT PRIMARY KEY, row_count INTEGER NOT NULL, \
     mac BLOB NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE registry (id INTEGER PRIMARY KEY CHECK (id = 1), generation INTEGER NOT NULL, \
     mac BLOB NOT NULL) STRICT",
];

/// Makes an empty database in an empty file. With a rollback journal, so that the file alone is the
/// database once the connection is closed.
pub(crate) fn make(path: &Path) -> Result<Connection, StateError> {
    let db = connect(path)?;
    let failed = |e| StateError::database("making the database", e);
    let settings = format!(
        "PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; \
         PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}; {};",
        SCHEMA.join("; ")
    );
    db.execute_batch(&settings).map_err(failed)?;
    Ok(db)
}

/// Opens the database for reading and changing.
pub(crate) fn open(path: &Path) -> Result<Connection, StateError> {
    let db = connect(path)?;
    check_versions(&db)?;
    check_schema(&db)?;
    let failed = |e| StateError::database("opening the database", e);
    db.execute_batch(
        "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
         PRAGMA secure_delete = ON; PRAGMA cell_size_check = ON;",
    )
    .map_err(failed)?;
    check_integrity(&db)?;
    Ok(db)
}

fn connect(path: &Path) -> Result<Connection, StateError> {
    let failed = |e| StateError::database("opening the database", e);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(failed)?;
    db.busy_timeout(Duration::from_secs(2)).map_err(failed)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)
        .map_err(failed)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)
        .map_err(failed)?;
    Ok(db)
}

fn check_versions(db: &Connection) -> Result<(), StateError> {
    let read = |pragma| {
        db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))
            .map_err(|e| StateError::database("opening the database", e))
    };
    let application = read("application_id")?;
    if application != APPLICATION_ID {
        return Err(StateError::NotState {
            detail: format!("its application id is {application}, expected {APPLICATION_ID}"),
        });
    }
    match read("user_version")? {
        SCHEMA_VERSION => Ok(()),
        found if found > SCHEMA_VERSION => Err(StateError::NewerSchema {
            found,
            known: SCHEMA_VERSION,
        }),
        found => Err(StateError::NotState {
            detail: format!("its schema version is {found}, expected {SCHEMA_VERSION}"),
        }),
    }
}

fn check_schema(db: &Connection) -> Result<(), StateError> {
    let failed = |e| StateError::database("reading the schema", e);
    let sql = "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_autoindex_%'";
    let mut statement = db.prepare(sql).map_err(failed)?;
    let object = |row: &rusqlite::Row<'_>| {
        let name = format!("{} {}", row.get::<_, String>(0)?, row.get::<_, String>(1)?);
        Ok((name, row.get::<_, Option<String>>(2)?.unwrap_or_default()))
    };
    let objects = statement.query_map([], object).map_err(failed)?;
    let mut found = 0;
    for object in objects {
        let (name, sql) = object.map_err(failed)?;
        if !SCHEMA.contains(&sql.as_str()) {
            return Err(StateError::NotState {
                detail: format!("the {name} does not belong there"),
            });
        }
        found += 1;
    }
    if found == SCHEMA.len() {
        Ok(())
    } else {
        Err(StateError::NotState {
            detail: format!("it has {found} tables, expected {}", SCHEMA.len()),
        })
    }
}

fn check_integrity(db: &Connection) -> Result<(), StateError> {
    let check = db
        .pragma_query_value(None, "quick_check", |row| row.get::<_, String>(0))
        .map_err(|e| StateError::database("checking the database", e))?;
    if check == "ok" {
        Ok(())
    } else {
        Err(StateError::Corrupt { detail: check })
    }
}
