//! The MACs that make a change by hand visible.
//!
//! Each row of a protected table carries a MAC over its table, key and body. Each table has a MAC over
//! the ordered set of its rows' MACs, and one root MAC covers all tables and the generation. So a row
//! that was changed or added is named; one that was removed or put back shows in its table; tables of
//! different ages show in the root. All are HMAC-SHA256 under a key derived from K, over
//! length-prefixed fields (`be64(length) || bytes`):
//!
//! - row: `dta registry row v1`, table, key, body;
//! - table: `dta registry table v1`, table, then for each row in the order of keys its MAC;
//! - root: `dta registry v1`, be64(generation), then the MACs of the tables.

use std::collections::BTreeMap;

use hmac::{Hmac, Mac};
use rusqlite::{Connection, params};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::error::StateError;
use crate::seal::SealingKey;

/// A table whose rows are MACed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Table {
    Customer,
    SigningKey,
    MasterKey,
    /// Empty until revocations are served; its place in the MACs is taken from the start.
    Revocation,
}

impl Table {
    pub(crate) const ALL: [Self; 4] = [
        Self::Customer,
        Self::SigningKey,
        Self::MasterKey,
        Self::Revocation,
    ];

    /// Its name in the database.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::SigningKey => "signing_key",
            Self::MasterKey => "master_key",
            Self::Revocation => "revocation",
        }
    }
}

/// A protected row: canonical JSON and its MAC.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Row {
    pub(crate) body: String,
    pub(crate) mac: [u8; 32],
}

/// The rows of all protected tables.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Rows(BTreeMap<Table, BTreeMap<String, Row>>);

impl Rows {
    /// One table, by key.
    pub(crate) fn table(&self, table: Table) -> &BTreeMap<String, Row> {
        static EMPTY: BTreeMap<String, Row> = BTreeMap::new();
        self.0.get(&table).unwrap_or(&EMPTY)
    }

    pub(crate) fn put(&mut self, table: Table, key: String, row: Row) {
        self.0.entry(table).or_default().insert(key, row);
    }
}

/// The key of the registry's MACs.
pub(crate) struct Macs(Zeroizing<[u8; 32]>);

impl Macs {
    pub(crate) fn new(key: &SealingKey) -> Self {
        Self(key.registry_mac_key())
    }

    /// A row with its MAC.
    pub(crate) fn row(&self, table: Table, key: &str, body: String) -> Row {
        let fields = [table.name().as_bytes(), key.as_bytes(), body.as_bytes()];
        let mac = self.over("dta registry row v1", fields);
        Row { body, mac }
    }

    /// Reads every protected row and checks all MACs.
    pub(crate) fn load(&self, db: &Connection) -> Result<(u64, Rows), StateError> {
        let mut rows = Rows::default();
        for table in Table::ALL {
            for (key, row) in read_rows(db, table)? {
                let expected = self.row(table, &key, row.body.clone()).mac;
                if !same(&expected, &row.mac) {
                    return Err(StateError::TamperedRow {
                        table: table.name(),
                        key,
                    });
                }
                rows.put(table, key, row);
            }
            self.check_table(db, table, &rows)?;
        }
        let (generation, found) = read_root(db)?;
        if !same(&self.root(generation, &rows), &found) {
            return Err(StateError::TamperedTable {
                table: "registry",
                detail: format!("generation {generation} and the tables do not belong together"),
            });
        }
        Ok((generation, rows))
    }

    /// Writes the MACs of the tables and the root.
    pub(crate) fn store(
        &self,
        db: &Connection,
        generation: u64,
        rows: &Rows,
    ) -> Result<(), StateError> {
        let failed = |e| StateError::database("writing the registry", e);
        for table in Table::ALL {
            let count = i64::try_from(rows.table(table).len()).expect("rows fit into 63 bits");
            db.execute(
                "INSERT OR REPLACE INTO registry_table (name, row_count, mac) VALUES (?1, ?2, ?3)",
                params![table.name(), count, self.table(table, rows)],
            )
            .map_err(failed)?;
        }
        let number = i64::try_from(generation).expect("generations fit into 63 bits");
        db.execute(
            "INSERT OR REPLACE INTO registry (id, generation, mac) VALUES (1, ?1, ?2)",
            params![number, self.root(generation, rows)],
        )
        .map_err(failed)?;
        Ok(())
    }

    fn check_table(&self, db: &Connection, table: Table, rows: &Rows) -> Result<(), StateError> {
        let tampered = |detail| StateError::TamperedTable {
            table: table.name(),
            detail,
        };
        let have = rows.table(table).len();
        let (written, mac) = read_table(db, table)?
            .ok_or_else(|| tampered("its entry in registry_table is missing".to_owned()))?;
        if usize::try_from(written) != Ok(have) {
            return Err(tampered(format!(
                "it has {have} rows, {written} were written"
            )));
        }
        if !same(&self.table(table, rows), &mac) {
            return Err(tampered(
                "a row was exchanged for another or for an older one".to_owned(),
            ));
        }
        Ok(())
    }

    fn table(&self, table: Table, rows: &Rows) -> [u8; 32] {
        let name = [table.name().as_bytes()].into_iter();
        let macs = rows.table(table).values().map(|row| row.mac.as_slice());
        self.over("dta registry table v1", name.chain(macs))
    }

    fn root(&self, generation: u64, rows: &Rows) -> [u8; 32] {
        let tables = Table::ALL.map(|table| self.table(table, rows));
        let generation = generation.to_be_bytes();
        let fields = [generation.as_slice()].into_iter();
        self.over(
            "dta registry v1",
            fields.chain(tables.iter().map(<[u8; 32]>::as_slice)),
        )
    }

    fn over<'a>(&self, label: &'a str, fields: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&*self.0).expect("HMAC takes a key of any length");
        for field in [label.as_bytes()].into_iter().chain(fields) {
            let length = u64::try_from(field.len()).expect("lengths fit into 64 bits");
            mac.update(&length.to_be_bytes());
            mac.update(field);
        }
        mac.finalize().into_bytes().into()
    }
}

/// The generation on the disk, unchecked: for comparison with the audit log before unlock.
pub(crate) fn read_generation(db: &Connection) -> Result<u64, StateError> {
    Ok(read_root(db)?.0)
}

fn read_rows(db: &Connection, table: Table) -> Result<Vec<(String, Row)>, StateError> {
    let failed = |e| StateError::database("reading the registry", e);
    let sql = format!("SELECT key, body, mac FROM {} ORDER BY key", table.name());
    let mut statement = db.prepare(&sql).map_err(failed)?;
    let row = |row: &rusqlite::Row<'_>| {
        Ok((
            row.get(0)?,
            Row {
                body: row.get(1)?,
                mac: row.get(2)?,
            },
        ))
    };
    let rows = statement.query_map([], row).map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

fn read_table(db: &Connection, table: Table) -> Result<Option<(i64, [u8; 32])>, StateError> {
    use rusqlite::OptionalExtension;
    let sql = "SELECT row_count, mac FROM registry_table WHERE name = ?1";
    db.query_row(sql, [table.name()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
        .map_err(|e| StateError::database("reading the registry", e))
}

fn read_root(db: &Connection) -> Result<(u64, [u8; 32]), StateError> {
    use rusqlite::OptionalExtension;
    let sql = "SELECT generation, mac FROM registry WHERE id = 1";
    let row: Option<(i64, [u8; 32])> = db
        .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
        .map_err(|e| StateError::database("reading the registry", e))?;
    row.and_then(|(generation, mac)| Some((u64::try_from(generation).ok()?, mac)))
        .ok_or_else(|| StateError::TamperedTable {
            table: "registry",
            detail: "its only row is missing or has no valid generation".to_owned(),
        })
}

fn same(expected: &[u8; 32], found: &[u8; 32]) -> bool {
    expected.ct_eq(found).into()
}
