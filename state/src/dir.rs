//! The state directory: made once, opened by one process at a time.
//!
//! Beside `state.db` lies `state.lock`, held with `flock` for as long as a [`StateDir`] lives. Genesis
//! is built as `state.db.new`, synced and renamed, so there is either no D-TA or a whole one.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use quorum::{ManifestChain, SignedManifest};
use rusqlite::{Connection, params};
use zeroize::Zeroizing;

use crate::db;
use crate::error::StateError;
use crate::files::{
    DATABASE, Lock, UNFINISHED, check_private, exists, io_error, lock, make_directory,
    private_file, remove_unfinished, sync,
};
use crate::khsm::Wrap;
use crate::mac::{self, Macs, Rows};
use crate::registry::Registry;
use crate::seal::{SealContext, SealError, SealedSecret, SealingKey};

/// What a D-TA begins with.
#[derive(Debug)]
pub struct Genesis<'a> {
    /// The genesis manifest with the signatures of all its holders.
    pub manifest: SignedManifest,
    /// `k_hsm` wrapped by each HSM key of the manifest.
    pub wraps: Vec<Wrap>,
    /// K of the genesis epoch.
    pub sealing_key: &'a SealingKey,
}

/// An open state directory. No other process can open it meanwhile.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    pub(crate) db: Connection,
    chain: ManifestChain,
    wraps: Vec<Wrap>,
    // Released last.
    _lock: Lock,
}

impl StateDir {
    /// Makes the state of a new D-TA in `path` and opens it: the manifest, the wraps, an empty
    /// registry at generation 0, and a fresh sealed key for the audit log. The directory is made if it
    /// is not there. Atomic: interrupted at any moment it leaves nothing or everything.
    ///
    /// # Errors
    /// [`StateError::Exists`] when there is a D-TA already; when the manifest does not verify or the
    /// wraps or the key do not belong to it; when the directory is in use or open to others; when
    /// writing fails.
    pub fn create(path: &Path, genesis: Genesis<'_>) -> Result<Self, StateError> {
        let chain = ManifestChain::verify(vec![genesis.manifest])?;
        check_wraps(&chain, &genesis.wraps)?;
        check_sealing_key(&chain, genesis.sealing_key)?;
        make_directory(path)?;
        let lock = lock(path)?;
        if exists(&path.join(DATABASE))? {
            return Err(StateError::Exists {
                path: path.to_owned(),
            });
        }
        remove_unfinished(path)?;
        write_genesis(
            &path.join(UNFINISHED),
            &chain,
            &genesis.wraps,
            genesis.sealing_key,
        )?;
        let (from, to) = (path.join(UNFINISHED), path.join(DATABASE));
        fs::rename(&from, &to).map_err(io_error("rename to its final name", &from))?;
        sync(path)?;
        Self::open_locked(path, lock)
    }

    /// Opens an existing state directory: takes the lock, checks who may enter it, the versions, the
    /// schema, and the manifest chain. The registry is checked at [`StateDir::unlock`].
    ///
    /// # Errors
    /// [`StateError::Missing`], [`StateError::InUse`], [`StateError::NotPrivate`],
    /// [`StateError::NewerSchema`], [`StateError::NotState`], [`StateError::Chain`], and those of
    /// reading.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        // Before taking the lock, which would make a file in a directory that is not ours.
        if !exists(&path.join(DATABASE))? {
            return Err(StateError::Missing {
                path: path.to_owned(),
            });
        }
        check_private(path)?;
        let lock = lock(path)?;
        remove_unfinished(path)?;
        Self::open_locked(path, lock)
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The verified manifest chain.
    pub fn chain(&self) -> &ManifestChain {
        &self.chain
    }

    /// The wraps of `k_hsm`, one for each HSM key of the manifest in force.
    pub fn wraps(&self) -> &[Wrap] {
        &self.wraps
    }

    /// The wrap of the HSM with this serial number.
    pub fn wrap_for(&self, serial: &str) -> Option<&Wrap> {
        self.wraps
            .iter()
            .find(|wrap| wrap.key.hsm.as_str() == serial)
    }

    /// The generation on the disk. Before unlock nobody vouches for it: a forged one shows at unlock.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn generation(&self) -> Result<u64, StateError> {
        mac::read_generation(&self.db)
    }

    /// Compares the generation on the disk with the last one in the audit log (none in an empty log).
    ///
    /// # Errors
    /// [`StateError::OlderThanLog`] when an older copy of the database was put back;
    /// [`StateError::LogIsBehind`] when more than one change is missing from the log.
    pub fn check_generation(
        &self,
        seen_in_log: Option<u64>,
    ) -> Result<GenerationCheck, StateError> {
        let (disk, log) = (self.generation()?, seen_in_log.unwrap_or(0));
        if disk < log {
            Err(StateError::OlderThanLog { disk, log })
        } else if disk == log {
            Ok(GenerationCheck::Same)
        } else if disk - log == 1 {
            Ok(GenerationCheck::OneUnlogged { generation: disk })
        } else {
            Err(StateError::LogIsBehind { disk, log })
        }
    }

    /// Checks the MACs of the whole registry and gives its content.
    ///
    /// # Errors
    /// [`StateError::TamperedRow`] and [`StateError::TamperedTable`] with the place of what was changed
    /// by hand; [`StateError::OtherSealingKey`].
    pub fn unlock(&self, key: &SealingKey) -> Result<Registry, StateError> {
        self.check_sealing_key(key)?;
        let (generation, rows) = Macs::new(key).load(&self.db)?;
        Registry::from_rows(generation, &rows)
    }

    /// Opens the key with which the audit log tags identities, 32 bytes; the same for the whole life of
    /// the D-TA.
    ///
    /// # Errors
    /// When it was changed on the disk, or the sealing key is another.
    pub fn log_key(&self, key: &SealingKey) -> Result<Zeroizing<[u8; 32]>, StateError> {
        self.check_sealing_key(key)?;
        let sealed: Vec<u8> = self
            .db
            .query_row("SELECT sealed FROM log_key", [], |row| row.get(0))
            .map_err(|e| StateError::database("reading the audit log's key", e))?;
        let sealed = SealedSecret::from_bytes(&sealed).ok_or_else(|| SealError::DoesNotOpen {
            what: "the audit log's key".to_owned(),
        })?;
        Ok(key.open_log_key(&sealed)?)
    }

    pub(crate) fn check_sealing_key(&self, key: &SealingKey) -> Result<(), StateError> {
        check_sealing_key(&self.chain, key)
    }

    /// What memory holds after a reshare.
    pub(crate) fn go_over(&mut self, chain: ManifestChain, wraps: Vec<Wrap>) {
        self.chain = chain;
        self.wraps = wraps;
    }

    fn open_locked(path: &Path, lock: Lock) -> Result<Self, StateError> {
        let database = path.join(DATABASE);
        check_private(&database)?;
        let db = db::open(&database)?;
        let chain = read_chain(&db)?;
        let wraps = read_wraps(&db)?;
        check_wraps(&chain, &wraps)?;
        Ok(Self {
            path: path.to_owned(),
            db,
            chain,
            wraps,
            _lock: lock,
        })
    }
}

/// How the database stands to the audit log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GenerationCheck {
    /// Both know the same changes.
    Same,
    /// The last change was committed and the process ended before it was logged: the caller logs it.
    OneUnlogged {
        /// The generation after that change.
        generation: u64,
    },
}

fn write_genesis(
    path: &Path,
    chain: &ManifestChain,
    wraps: &[Wrap],
    key: &SealingKey,
) -> Result<(), StateError> {
    // Made here and not by SQLite, so that it is private from the first moment.
    private_file(path, OpenOptions::new().create_new(true))?;
    let mut db = db::make(path)?;
    let failed = |e| StateError::database("writing genesis", e);
    let transaction = db.transaction().map_err(failed)?;
    for (number, signed) in (1..).zip(chain.manifests()) {
        insert_manifest(&transaction, number, signed)?;
    }
    insert_wraps(&transaction, wraps)?;
    let mut log_key = Zeroizing::new([0; 32]);
    aws_lc_rs::rand::fill(&mut *log_key).map_err(|_| SealError::Random)?;
    let sealed = key.seal_log_key(&log_key)?.to_bytes();
    transaction
        .execute("INSERT INTO log_key (id, sealed) VALUES (1, ?1)", [sealed])
        .map_err(failed)?;
    Macs::new(key).store(&transaction, 0, &Rows::default())?;
    transaction.commit().map_err(failed)?;
    db.close().map_err(|(_, e)| failed(e))?;
    sync(path)
}

/// Writes the manifest with this number, from 1.
pub(crate) fn insert_manifest(
    db: &Connection,
    number: usize,
    signed: &SignedManifest,
) -> Result<(), StateError> {
    let number = i64::try_from(number).expect("manifests fit into 63 bits");
    let json = String::from_utf8(signed.to_json()).expect("JSON is UTF-8");
    let sql = "INSERT INTO manifest (number, json) VALUES (?1, ?2)";
    db.execute(sql, params![number, json])
        .map(drop)
        .map_err(|e| StateError::database("writing a manifest", e))
}

pub(crate) fn insert_wraps(db: &Connection, wraps: &[Wrap]) -> Result<(), StateError> {
    let sql = "INSERT INTO wrap (hsm, token_label, key_label, iv, ciphertext) \
               VALUES (?1, ?2, ?3, ?4, ?5)";
    for Wrap { key, sealed } in wraps {
        let values = params![
            key.hsm.as_str(),
            key.token_label.as_str(),
            key.key_label.as_str(),
            sealed.iv,
            sealed.ciphertext
        ];
        db.execute(sql, values)
            .map_err(|e| StateError::database("writing a wrap", e))?;
    }
    Ok(())
}

fn read_chain(db: &Connection) -> Result<ManifestChain, StateError> {
    let failed = |e| StateError::database("reading the manifests", e);
    let mut statement = db
        .prepare("SELECT json FROM manifest ORDER BY number")
        .map_err(failed)?;
    let texts = statement
        .query_map([], |row| row.get::<_, String>(0))
        .map_err(failed)?;
    let mut manifests = Vec::new();
    for text in texts {
        let text = text.map_err(failed)?;
        let signed =
            SignedManifest::from_json(text.as_bytes()).map_err(|e| StateError::Corrupt {
                detail: format!("manifest {}: {e}", manifests.len() + 1),
            })?;
        manifests.push(signed);
    }
    Ok(ManifestChain::verify(manifests)?)
}

fn read_wraps(db: &Connection) -> Result<Vec<Wrap>, StateError> {
    let failed = |e| StateError::database("reading the wraps", e);
    let sql =
        "SELECT hsm, token_label, key_label, iv, ciphertext FROM wrap ORDER BY hsm, key_label";
    let mut statement = db.prepare(sql).map_err(failed)?;
    let name = |row: &rusqlite::Row<'_>, at: usize| {
        let text: String = row.get(at)?;
        text.parse().map_err(|e: quorum::NameError| {
            rusqlite::Error::FromSqlConversionFailure(at, rusqlite::types::Type::Text, e.into())
        })
    };
    let wrap = |row: &rusqlite::Row<'_>| {
        Ok(Wrap {
            key: quorum::HsmKey {
                hsm: name(row, 0)?,
                token_label: name(row, 1)?,
                key_label: name(row, 2)?,
            },
            sealed: hsm::Sealed {
                iv: row.get(3)?,
                ciphertext: row.get(4)?,
            },
        })
    };
    let wraps = statement.query_map([], wrap).map_err(failed)?;
    wraps.collect::<Result<_, _>>().map_err(failed)
}

/// One wrap for each HSM key of the manifest in force, and no other.
pub(crate) fn check_wraps(chain: &ManifestChain, wraps: &[Wrap]) -> Result<(), StateError> {
    let keys = &chain.current().hsm_keys;
    if let Some(missing) = keys
        .iter()
        .find(|key| !wraps.iter().any(|w| w.key == **key))
    {
        return Err(StateError::Corrupt {
            detail: format!(
                "there is no wrap of k_hsm by key {} of HSM {}",
                missing.key_label, missing.hsm
            ),
        });
    }
    if wraps.len() != keys.len() {
        return Err(StateError::Corrupt {
            detail: format!(
                "there are {} wraps of k_hsm for {} HSM keys",
                wraps.len(),
                keys.len()
            ),
        });
    }
    Ok(())
}

pub(crate) fn check_sealing_key(chain: &ManifestChain, key: &SealingKey) -> Result<(), StateError> {
    if *key.context() == SealContext::of(chain) {
        Ok(())
    } else {
        Err(StateError::OtherSealingKey)
    }
}

#[cfg(test)]
#[path = "dir_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "tamper_tests.rs"]
mod tamper_tests;
