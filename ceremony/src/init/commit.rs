//! The last steps: the audit log with its first entry, the anchor on the token, and then, in one transaction, `state.db`.

use std::path::{Path, PathBuf};

use audit::{Event, Hash, Hex, Log, OpenError, Options, Origin, Participant, VerifierKey};
use hsm::{HsmClient, HsmError};
use quorum::{AuthorityId, ManifestChain, Name, NodeAlgorithm, NodeKey};
use state::{AnchorObject, SealingKey, StateDir, StateError, Wrap};

use super::error::InitError;
use super::leftovers::Leftovers;
use crate::canonical::HexBytes;

/// Where the audit log stands in the state directory.
pub const AUDIT_DIR: &str = "audit";

/// What [`StateDir::create`] may have made when it fails.
const STATE_FILES: [&str; 3] = ["state.db", "state.db.new", "state.lock"];

/// Everything that makes a founded D-TA durable.
pub(super) struct Commit<'a> {
    pub(super) hsm: &'a HsmClient,
    pub(super) state_dir: &'a Path,
    pub(super) chain: &'a ManifestChain,
    pub(super) node: &'a Name,
    pub(super) verifier: &'a VerifierKey,
    pub(super) transcript: HexBytes<32>,
    pub(super) wrap: Wrap,
    pub(super) sealing_key: &'a SealingKey,
}

/// The node's key as the audit log and `authority.vkey` name it.
pub(crate) fn verifier_key(
    authority: AuthorityId,
    node: &NodeKey,
) -> Result<VerifierKey, InitError> {
    let origin = Origin::of_authority(authority.as_bytes());
    let shape = |_| InitError::NodeSignature;
    match node.algorithm() {
        NodeAlgorithm::Ed25519 => Ok(VerifierKey::ed25519(
            origin,
            node.public_key().try_into().map_err(shape)?,
        )),
        NodeAlgorithm::EcdsaP256 => Ok(VerifierKey::p256(
            origin,
            node.public_key().try_into().map_err(shape)?,
        )?),
    }
}

impl Commit<'_> {
    /// Does it all; whatever was made before an error is noted in `leftovers`.
    pub(super) fn perform(self, leftovers: &mut Leftovers) -> Result<(), InitError> {
        self.begin_log(leftovers)?;
        self.anchor(leftovers)?;
        let genesis = state::Genesis {
            manifest: self.chain.manifests()[0].clone(),
            wraps: vec![self.wrap],
            sealing_key: self.sealing_key,
        };
        match StateDir::create(self.state_dir, genesis) {
            Ok(_) => Ok(()),
            // Then what is there is somebody else's.
            Err(error @ (StateError::Exists { .. } | StateError::InUse { .. })) => {
                Err(error.into())
            }
            Err(error) => {
                STATE_FILES
                    .iter()
                    .for_each(|name| leftovers.file(&self.state_dir.join(name)));
                Err(error.into())
            }
        }
    }

    fn begin_log(&self, leftovers: &mut Leftovers) -> Result<(), InitError> {
        let directory: PathBuf = self.state_dir.join(AUDIT_DIR);
        let sign = |bytes: &[u8]| -> Result<Vec<u8>, HsmError> {
            self.hsm.sign(self.node.as_str(), bytes)
        };
        let log = match Log::create(&directory, self.verifier, Options::default(), sign) {
            Err(error @ OpenError::Exists { .. }) => return Err(error.into()),
            other => {
                leftovers.tree(&directory);
                other?
            }
        };
        log.append_blocking(self.first_entry())?;
        log.checkpoint(sign)?;
        Ok(())
    }

    fn first_entry(&self) -> Event {
        let set = &self.chain.current().unlock;
        let participant = |holder: &quorum::Holder| Participant {
            index: holder.index.get(),
            holder: holder.name.to_string(),
        };
        Event::CeremonyInit {
            authority: Hash::from(*self.chain.authority_id().as_bytes()),
            name: self.chain.current().authority.to_string(),
            set: audit::Set {
                set: Hex(*set.set_id().as_bytes()),
                epoch: set.epoch().number(),
                m: set.threshold().m(),
                n: set.threshold().n(),
            },
            holders: set.roster().iter().map(participant).collect(),
            transcript: Some(Hex(*self.transcript.as_bytes())),
        }
    }

    fn anchor(&self, leftovers: &mut Leftovers) -> Result<(), InitError> {
        let label = AnchorObject::label(&self.chain.authority_id());
        leftovers.anchor(&label);
        self.hsm
            .put_data(&label, &AnchorObject::of(self.chain).encode())?;
        Ok(())
    }
}
