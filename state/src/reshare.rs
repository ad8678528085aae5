//! Reshare: everything sealed under K of one epoch is sealed under K of the next, in one transaction.
//!
//! The successor manifest is appended, the wraps of the old seal key go, every master secret and the audit log's key are
//! opened and sealed again, every row gets its new MAC, and the generation goes up by one. Killed at any moment, the
//! database holds the old epoch or the new one, whole. Whatever the old K still opens afterwards (earlier copies of this
//! file) is closed by destroying the old seal key on the HSM, which is not this room's business.

use quorum::{SignedManifest, canonical_json};
use rusqlite::{TransactionBehavior, params};

use crate::change::Change;
use crate::customer::MasterKey;
use crate::dir::{StateDir, check_sealing_key, check_wraps, insert_manifest, insert_wraps};
use crate::error::StateError;
use crate::khsm::Wrap;
use crate::mac::{Macs, Row, Rows, Table};
use crate::registry::Registry;
use crate::seal::SealingKey;

/// What a D-TA goes on with.
#[derive(Debug)]
pub struct Reshare<'a> {
    /// The successor of the manifest in force, of the next epoch, signed by M of its holders.
    pub manifest: SignedManifest,
    /// The new `k_hsm`, wrapped by each HSM key of the successor.
    pub wraps: Vec<Wrap>,
    /// K of the epoch that ends.
    pub from: &'a SealingKey,
    /// K of the epoch that begins.
    pub to: &'a SealingKey,
}

impl StateDir {
    /// Goes over to the next epoch.
    ///
    /// # Errors
    /// When the manifest does not follow, wraps or keys do not belong to it, something in the registry was changed by
    /// hand, or writing fails. The old epoch is then in force, on the disk and in memory.
    pub fn reshare(&mut self, reshare: Reshare<'_>) -> Result<Change<()>, StateError> {
        let Reshare {
            manifest,
            wraps,
            from,
            to,
        } = reshare;
        self.check_sealing_key(from)?;
        let mut chain = self.chain().clone();
        chain.append(manifest)?;
        check_sealing_key(&chain, to)?;
        check_wraps(&chain, &wraps)?;
        // Two epochs have two keys; a manifest that stays within one passes the checks above only with the same key.
        if from.context() == to.context() {
            return Err(StateError::OtherSealingKey);
        }
        let log_key = self.log_key(from)?;

        let failed = |e| StateError::database("resharing", e);
        let transaction = self
            .db
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        let (before, rows) = Macs::new(from).load(&transaction)?;
        let macs = Macs::new(to);
        let mut resealed = Rows::default();
        for table in Table::ALL {
            for (key, row) in rows.table(table) {
                let body = reseal(table, row, from, to)?;
                let row = macs.row(table, key, body);
                let sql = format!(
                    "UPDATE {} SET body = ?2, mac = ?3 WHERE key = ?1",
                    table.name()
                );
                transaction
                    .execute(&sql, params![key, row.body, row.mac])
                    .map_err(failed)?;
                resealed.put(table, key.clone(), row);
            }
        }
        let generation = before + 1;
        macs.store(&transaction, generation, &resealed)?;
        let sealed = to.seal_log_key(&log_key)?.to_bytes();
        transaction
            .execute("UPDATE log_key SET sealed = ?1", [sealed])
            .map_err(failed)?;
        let number = chain.manifests().len();
        insert_manifest(&transaction, number, &chain.manifests()[number - 1])?;
        transaction
            .execute("DELETE FROM wrap", [])
            .map_err(failed)?;
        insert_wraps(&transaction, &wraps)?;
        let registry = Registry::from_rows(generation, &resealed)?;
        transaction.commit().map_err(failed)?;

        // It is done: only from here on does memory know the new epoch.
        self.go_over(chain, wraps);
        Ok(Change {
            generation,
            registry,
            made: (),
        })
    }
}

/// The body of a row under the new key; only master keys hold something sealed.
fn reseal(
    table: Table,
    row: &Row,
    from: &SealingKey,
    to: &SealingKey,
) -> Result<String, StateError> {
    if table != Table::MasterKey {
        return Ok(row.body.clone());
    }
    let corrupt = |e: serde_json::Error| StateError::Corrupt {
        detail: format!("a master key cannot be read: {e}"),
    };
    let mut master: MasterKey = serde_json::from_str(&row.body).map_err(corrupt)?;
    let secret = from.open_master(&master)?;
    master.sealed = to.seal_master(&master.header(), &secret)?;
    let body = canonical_json(&master).expect("records have string keys and no floats");
    Ok(String::from_utf8(body).expect("JSON is UTF-8"))
}

#[cfg(test)]
#[path = "reshare_tests.rs"]
mod tests;
