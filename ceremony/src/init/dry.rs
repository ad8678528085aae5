//! The dry pass: everything that the ceremony will do, with a throw-away secret, before any real one exists.
//!
//! The keys are made on the token, the shares are sealed to the holders' recipients and written to the medium, and the two
//! locks are opened once. What nobody but a holder can open is sealed a second time, to a throw-away key, and opened with
//! that. Nothing of it is left: the keys on the token are destroyed, the files removed.

use std::path::Path;

use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use hsm::TokenInfo;
use state::{KHsm, SealContext, SealingKey, open_k_hsm, wrap_k_hsm};

use super::error::InitError;
use super::genesis::{Dealing, Genesis};
use super::prepare::Token;
use super::run::Ceremony;
use super::steps::Step;
use crate::files::{self, FileError};
use crate::holder::{HolderSecrets, HolderSecretsError};
use crate::plan::{PlannedHolder, SetPlan};
use crate::sharefile;

/// More than any share file has, in bytes.
const LONGEST_SHARE_FILE: u64 = 64 * 1024;

impl Ceremony<'_> {
    pub(super) fn dry_pass(&mut self, info: &TokenInfo) -> Result<(), InitError> {
        let dealing = Dealing::deal(self.init.plan.unlock.threshold, &mut UnwrapErr(SysRng));
        let set_id = dealing.set_id();
        let token = self.make_keys(set_id, info)?;
        self.done(Step::DryDeal);

        let stand_ins = self.stand_ins()?;
        let set = self.set_of(&stand_ins);
        let k_hsm = KHsm::random()?;
        let facts = self.facts(&set_id, &token, &k_hsm);
        let mut genesis = dealing.into_genesis(&set, facts)?;
        self.try_medium(&mut genesis, &stand_ins)?;
        self.done(Step::DryShares);

        let context = SealContext::of_genesis(genesis.manifest());
        let wrap = wrap_k_hsm(self.init.hsm, &token.key, &context, &k_hsm)?;
        let check = genesis.manifest().check_value;
        let k_hsm = open_k_hsm(self.init.hsm, &wrap, &context, &check)?;
        let founded = self.finish(genesis, &token.node)?;
        SealingKey::derive(&k_hsm, &founded.secret.k_quorum(&set_id), context)?;
        self.destroy(&token)?;
        self.done(Step::DryOpen);
        Ok(())
    }

    /// A throw-away key for each holder.
    fn stand_ins(&self) -> Result<Vec<HolderSecrets>, HolderSecretsError> {
        let holders = &self.init.plan.unlock.holders;
        holders
            .iter()
            .map(|holder| HolderSecrets::generate(&holder.name))
            .collect()
    }

    fn set_of(&self, stand_ins: &[HolderSecrets]) -> SetPlan {
        SetPlan {
            threshold: self.init.plan.unlock.threshold,
            holders: stand_ins.iter().map(PlannedHolder::of).collect(),
            copies: 1,
        }
    }

    /// Writes each share to the medium, once for its holder and once for the throw-away key, and opens the latter.
    fn try_medium(
        &self,
        genesis: &mut Genesis,
        stand_ins: &[HolderSecrets],
    ) -> Result<(), InitError> {
        let plan = self.init.plan;
        let medium = tempfile::Builder::new()
            .prefix(".dta-dry-")
            .tempdir_in(self.init.out_dir)
            .map_err(|source| FileError::Io {
                verb: "make",
                path: self.init.out_dir.to_owned(),
                source,
            })?;
        let slots = plan.unlock.threshold.indexes().zip(&plan.unlock.holders);
        for ((index, holder), stand_in) in slots.zip(stand_ins) {
            let (share, recipient) = genesis.share(index).ok_or(InitError::NoSuchShare(index))?;
            reread(&sharefile::write(
                medium.path(),
                1,
                share,
                &holder.recipient,
            )?)?;
            let path = sharefile::write(medium.path(), 2, share, recipient)?;
            files::forget_cached(&path);
            let opened =
                sharefile::open(&path, stand_in).map_err(|source| InitError::ReadBack {
                    index,
                    source: Box::new(source),
                })?;
            genesis.confirm(index, opened, stand_in)?;
        }
        medium.close().map_err(|source| {
            InitError::File(FileError::Io {
                verb: "remove",
                path: self.init.out_dir.to_owned(),
                source,
            })
        })
    }

    fn destroy(&mut self, token: &Token) -> Result<(), InitError> {
        for label in [token.node.node.as_str(), token.key.key_label.as_str()] {
            self.init.hsm.destroy_key(label)?;
            self.leftovers.forget_key(label);
        }
        Ok(())
    }
}

/// A share that is not ours to open is at least to be read from its medium.
fn reread(path: &Path) -> Result<(), FileError> {
    files::forget_cached(path);
    files::read(path, LONGEST_SHARE_FILE).map(drop)
}
