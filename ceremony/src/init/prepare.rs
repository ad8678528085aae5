//! The first steps of the founding ceremony: room for its files, the token of the plan, the two keys on it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use hsm::{HsmError, NodeKeyAlg, TokenInfo};
use quorum::{Epoch, HsmKey, Name, NodeAlgorithm, NodeKey, SetId};
use state::StateError;

use super::error::InitError;
use super::run::{
    Ceremony, MANIFEST_FILE, Purpose, TRANSCRIPT_FILE, VERIFIER_KEY_FILE, node_name, seal_key_label,
};
use super::steps::Step;
use crate::files::FileError;

/// What the HSM holds of the new D-TA.
pub(super) struct Token {
    pub(super) info: TokenInfo,
    pub(super) node: NodeKey,
    pub(super) key: HsmKey,
}

impl Ceremony<'_> {
    pub(super) fn prepare_directories(&mut self) -> Result<(), InitError> {
        let (state, out) = (self.init.state_dir, self.init.out_dir);
        refuse_used(state, |_| true)?;
        refuse_open(state)?;
        refuse_used(out, |name| {
            name.ends_with(".share")
                || [MANIFEST_FILE, VERIFIER_KEY_FILE, TRANSCRIPT_FILE].contains(&name)
        })?;
        self.leftovers.make_directory(out)?;
        self.leftovers.make_directory(state)?;
        self.done(Step::Outputs {
            out: &self.shown(out),
            state: &self.shown(state),
        });
        Ok(())
    }

    pub(super) fn find_token(&mut self) -> Result<TokenInfo, InitError> {
        let wanted = &self.init.plan.token;
        let info = self.init.hsm.token_info()?;
        let is_it = match self.init.purpose {
            Purpose::Found => info.label == wanted.label && info.serial == wanted.serial,
            // Another token has another serial number.
            Purpose::Rehearse => info.label == wanted.label,
        };
        if !is_it {
            return Err(InitError::OtherToken {
                wanted: wanted.clone(),
                found: info.id(),
            });
        }
        if !info
            .mechanisms
            .iter()
            .any(|mechanism| mechanism == "CKM_AES_GCM")
        {
            return Err(unsupported(&info, "CKM_AES_GCM"));
        }
        if info.node_key_alg.is_none() {
            return Err(unsupported(&info, "CKM_EDDSA or CKM_ECDSA"));
        }
        self.done(Step::Token {
            serial: &info.serial,
            model: &format_args!(
                "{} {}, firmware {}",
                info.manufacturer, info.model, info.firmware
            ),
        });
        Ok(info)
    }

    /// Makes the seal key of `set_id` and the node key, and uses the former once.
    pub(super) fn make_keys(
        &mut self,
        set_id: SetId,
        info: &TokenInfo,
    ) -> Result<Token, InitError> {
        let hsm = self.init.hsm;
        let key_label = seal_key_label(set_id, Epoch::GENESIS);
        // Noted before it is made: a reply that is lost does not say whether it was.
        self.leftovers.key(key_label.as_str());
        hsm.create_seal_key(key_label.as_str())?;
        hsm.check_seal_key(key_label.as_str())?;

        let node = node_name(set_id);
        self.leftovers.key(node.as_str());
        let made = hsm.create_node_key(node.as_str())?;
        let algorithm = match made.alg {
            NodeKeyAlg::Ed25519 => NodeAlgorithm::Ed25519,
            NodeKeyAlg::EcdsaP256 => NodeAlgorithm::EcdsaP256,
        };
        let token_label = token_name("label", &info.label)?;
        Ok(Token {
            key: HsmKey {
                hsm: token_name("serial number", &info.serial)?,
                token_label,
                key_label,
            },
            node: NodeKey::new(node, algorithm, made.public_key).map_err(InitError::NodeKey)?,
            info: info.clone(),
        })
    }
}

/// Refuses a directory that holds anything `in_the_way` names; one that does not exist is fine.
fn refuse_used(dir: &Path, in_the_way: impl Fn(&str) -> bool) -> Result<(), InitError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(source) => {
            return Err(FileError::Io {
                verb: "read",
                path: dir.to_owned(),
                source,
            }
            .into());
        }
    };
    for entry in entries {
        let entry = entry.map_err(|source| FileError::Io {
            verb: "read",
            path: dir.to_owned(),
            source,
        })?;
        if in_the_way(&entry.file_name().to_string_lossy()) {
            return Err(InitError::Exists(entry.path()));
        }
    }
    Ok(())
}

/// Refuses a state directory that others may enter, before the ceremony rather than after it.
fn refuse_open(dir: &Path) -> Result<(), InitError> {
    match fs::metadata(dir).map(|metadata| metadata.mode() & 0o777) {
        Ok(mode) if mode & 0o077 != 0 => Err(StateError::NotPrivate {
            path: dir.to_owned(),
            mode,
        }
        .into()),
        _ => Ok(()),
    }
}

fn unsupported(info: &TokenInfo, mechanism: &str) -> InitError {
    HsmError::MechanismUnsupported {
        token: info.id(),
        mechanism: mechanism.to_owned(),
    }
    .into()
}

fn token_name(what: &'static str, text: &str) -> Result<Name, InitError> {
    text.parse()
        .map_err(|source| InitError::TokenName { what, source })
}
