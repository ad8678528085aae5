//! The vendor's library: loaded once, initialised, asked which tokens it has.

use std::path::{Path, PathBuf};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::MechanismType;
use cryptoki::slot::Slot;

use crate::config::Config;
use crate::error::HsmError;
use crate::types::{NodeKeyAlg, PinState, TokenId, TokenInfo};

use super::fault::{Fault, to_error};
use super::rawinfo::RawLibrary;

/// A loaded library. Unloading is left to the end of the process: some libraries do not survive it.
pub(super) struct Module {
    path: PathBuf,
    pkcs11: Pkcs11,
    raw: RawLibrary,
    running: bool,
}

impl Module {
    /// Loads the library without initialising it.
    pub(super) fn load(path: &Path) -> Result<Self, HsmError> {
        let is_bare_name = path.parent() == Some(Path::new(""));
        if !is_bare_name && !path.exists() {
            return Err(HsmError::ModuleNotFound {
                path: path.to_path_buf(),
            });
        }
        let not_loadable = |problem: String| HsmError::ModuleNotLoadable {
            path: path.to_path_buf(),
            problem: problem.trim_end().to_owned(),
        };
        let pkcs11 = Pkcs11::new(path).map_err(|e| not_loadable(e.to_string()))?;
        let raw = RawLibrary::load(path).map_err(not_loadable)?;
        Ok(Self {
            path: path.to_path_buf(),
            pkcs11,
            raw,
            running: false,
        })
    }

    /// `C_Initialize`, unless that has been done.
    pub(super) fn start(&mut self) -> Result<(), HsmError> {
        if self.running {
            return Ok(());
        }
        match self
            .pkcs11
            .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
        {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {
                self.running = true;
                Ok(())
            }
            Err(e) => {
                let path = self.path.clone();
                Err(HsmError::ModuleNotLoadable {
                    path,
                    problem: to_error(&e).to_string(),
                })
            }
        }
    }

    /// `C_Finalize`: the next [`Module::start`] looks for tokens afresh. Every session must be gone.
    pub(super) fn stop(&mut self) {
        if self.running {
            self.running = false;
            if let Err(e) = self.pkcs11.clone().finalize() {
                tracing::warn!(error = %to_error(&e), "the PKCS#11 library did not stop cleanly");
            }
        }
    }

    /// The slot of the token that `config` names, by label and, if given, serial.
    pub(super) fn find_token(&self, config: &Config) -> Result<(Slot, TokenId), Fault> {
        let mut present = Vec::new();
        for slot in self.pkcs11.get_slots_with_token()? {
            match self.raw.token_facts(slot.id()) {
                Ok(facts) if facts.is_initialised() => present.push((slot, facts.id())),
                Ok(_) => {}
                // One broken token must not hide the others.
                Err(code) => tracing::warn!(%slot, code, "a token does not say what it is"),
            }
        }
        let is_meant = |id: &TokenId| {
            id.label == config.token_label
                && config
                    .token_serial
                    .as_ref()
                    .is_none_or(|serial| *serial == id.serial)
        };
        let (mut meant, others): (Vec<_>, Vec<_>) =
            present.into_iter().partition(|(_, id)| is_meant(id));
        match (meant.pop(), meant.is_empty()) {
            (Some(token), true) => Ok(token),
            (None, _) => Err(Fault::Told(HsmError::NoSuchToken {
                wanted: wanted(config),
                present: others.into_iter().map(|(_, id)| id).collect(),
            })),
            (Some(last), false) => {
                meant.push(last);
                Err(Fault::Told(HsmError::AmbiguousToken {
                    label: config.token_label.clone(),
                    present: meant.into_iter().map(|(_, id)| id).collect(),
                }))
            }
        }
    }

    /// The library itself, to open sessions with.
    pub(super) fn library(&self) -> Pkcs11 {
        self.pkcs11.clone()
    }

    /// What the token says about its user PIN; `Normal` when it does not answer.
    pub(super) fn pin_state(&self, slot: Slot) -> PinState {
        self.raw
            .token_facts(slot.id())
            .map_or(PinState::Normal, |facts| facts.pin_state())
    }

    pub(super) fn token_info(&self, slot: Slot) -> Result<TokenInfo, Fault> {
        let facts = self
            .raw
            .token_facts(slot.id())
            .map_err(|code| Fault::Lost {
                problem: format!("C_GetTokenInfo returned code {code:#x}"),
            })?;
        let known = self.pkcs11.get_mechanism_list(slot)?;
        let mut mechanisms: Vec<String> = known.iter().map(ToString::to_string).collect();
        mechanisms.sort();
        mechanisms.dedup();
        let TokenId { label, serial } = facts.id();
        Ok(TokenInfo {
            label,
            serial,
            manufacturer: facts.manufacturer(),
            model: facts.model(),
            firmware: facts.firmware(),
            pin: facts.pin_state(),
            node_key_alg: node_key_algs(&known).first().copied(),
            mechanisms,
        })
    }

    /// The mechanisms of the token that the binding knows.
    pub(super) fn mechanisms(&self, slot: Slot) -> Result<Vec<MechanismType>, Fault> {
        Ok(self.pkcs11.get_mechanism_list(slot)?)
    }
}

/// The algorithms that a new node key may have, the preferred one first.
pub(super) fn node_key_algs(mechanisms: &[MechanismType]) -> Vec<NodeKeyAlg> {
    let has = |needed: [MechanismType; 2]| needed.iter().all(|m| mechanisms.contains(m));
    let mut algs = Vec::new();
    if has([
        MechanismType::ECC_EDWARDS_KEY_PAIR_GEN,
        MechanismType::EDDSA,
    ]) {
        algs.push(NodeKeyAlg::Ed25519);
    }
    if has([MechanismType::ECC_KEY_PAIR_GEN, MechanismType::ECDSA]) {
        algs.push(NodeKeyAlg::EcdsaP256);
    }
    algs
}

fn wanted(config: &Config) -> String {
    match &config.token_serial {
        Some(serial) => format!("labelled {:?} with serial {serial}", config.token_label),
        None => format!("labelled {:?}", config.token_label),
    }
}
