//! The ceremony `init`: the I/O shell around [`Dealing`] and [`Genesis`].
//!
//! One order of steps, from the plan to the state directory. Until the last step nothing that an authority would start from
//! exists: `state.db` is made last, in one transaction. A run that fails removes what it made and says what it could not
//! remove; a run that is killed leaves leftovers, over which no later run writes.

use std::path::{Path, PathBuf};

use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use hsm::HsmClient;
use quorum::{
    AuthorityId, Epoch, HolderSignature, ManifestHash, Name, NodeKey, NodeSignature, SetId,
    Threshold,
};
use state::{KHsm, SealContext, SealingKey, open_k_hsm, wrap_k_hsm};

use super::commit::{self, Commit};
use super::desk::{Desk, Seat};
use super::error::{InitError, InitFailure};
use super::genesis::{Dealing, Founded, Genesis, GenesisFacts};
use super::leftovers::Leftovers;
use super::prepare::Token;
use super::steps::{self, Step};
use crate::approval::Approved;
use crate::canonical::HexBytes;
use crate::files::{self, Privacy};
use crate::plan::Plan;
use crate::sharefile::{self, ShareCopy};
use crate::transcript::{
    Attendance, CeremonyKind, SignedTranscript, StepRecord, Transcript, TranscriptToken,
};

/// The signed genesis manifest, in the output directory.
pub const MANIFEST_FILE: &str = "manifest.json";
/// The node's public key as C2SP writes it, in the output directory.
pub const VERIFIER_KEY_FILE: &str = "authority.vkey";
/// The signed transcript, in the output directory.
pub const TRANSCRIPT_FILE: &str = "transcript.json";
/// Whether a D-TA is to come of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A D-TA is founded on the token of the plan.
    Found,
    /// The same on a throw-away token that has the plan's label and another serial number.
    Rehearse,
}

/// What a ceremony is run with.
#[derive(Clone, Copy, Debug)]
pub struct Init<'a> {
    /// The checked plan.
    pub plan: &'a Plan,
    /// The proof that the plan may be carried out.
    pub approved: &'a Approved,
    /// The ceremony, or a rehearsal of it.
    pub purpose: Purpose,
    /// A client of the private `dta hsm` process.
    pub hsm: &'a HsmClient,
    /// The state directory to be made; missing or empty.
    pub state_dir: &'a Path,
    /// Where shares and public files go; made if missing.
    pub out_dir: &'a Path,
    /// The program and its version, for the transcript.
    pub tool: &'a str,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Report {
    /// The D-TA: hash of its genesis manifest.
    pub authority_id: AuthorityId,
    /// The same as a manifest hash.
    pub manifest_hash: ManifestHash,
    /// The set that opens it.
    pub set_id: SetId,
    /// Its epoch.
    pub epoch: Epoch,
    /// M of N.
    pub threshold: Threshold,
    /// The node, whose name is the label of its key on the token.
    pub node: Name,
    /// The transcript's hash, as in the first entry of the audit log.
    pub transcript_hash: HexBytes<32>,
    /// The share files, in the order of the roster.
    pub shares: Vec<PathBuf>,
    /// `manifest.json`.
    pub manifest: PathBuf,
    /// `authority.vkey`.
    pub verifier_key: PathBuf,
    /// `transcript.json`.
    pub transcript: PathBuf,
}

/// The label on the token of the seal key of a set.
#[must_use]
pub fn seal_key_label(set_id: SetId, epoch: Epoch) -> Name {
    label(format!("dta-seal-{set_id}-{epoch}"))
}

/// The name of the node that a ceremony makes, which is also the label of its key on the token.
#[must_use]
pub fn node_name(set_id: SetId) -> Name {
    label(format!("dta-node-{set_id}"))
}

/// Runs the ceremony.
///
/// # Errors
/// [`InitFailure`]: why, and what is left behind.
pub fn run(init: Init<'_>, desk: &mut dyn Desk) -> Result<Report, InitFailure> {
    let mut ceremony = Ceremony {
        init,
        desk,
        steps: Vec::new(),
        leftovers: Leftovers::default(),
    };
    match ceremony.perform() {
        Ok(report) => Ok(report),
        Err(error) => {
            let aftermath = ceremony.leftovers.remove(init.hsm);
            Err(InitFailure::new(error, aftermath))
        }
    }
}

pub(super) struct Ceremony<'a> {
    pub(super) init: Init<'a>,
    desk: &'a mut dyn Desk,
    steps: Vec<StepRecord>,
    pub(super) leftovers: Leftovers,
}

impl Ceremony<'_> {
    fn perform(&mut self) -> Result<Report, InitError> {
        let plan = self.init.plan;
        if plan.succeeds.is_some() {
            return Err(InitError::PlanOfAReshare);
        }
        self.done(Step::Plan);
        self.check_approvals()?;
        self.prepare_directories()?;
        let info = self.find_token()?;
        self.dry_pass(&info)?;
        let dealing = Dealing::deal(plan.unlock.threshold, &mut UnwrapErr(SysRng));
        let set_id = dealing.set_id();
        let token = self.make_keys(set_id, &info)?;
        self.report_keys(&token);
        self.done(Step::Deal { set_id: &set_id });

        let k_hsm = KHsm::random()?;
        let mut genesis = self.draft(dealing, &token, &k_hsm)?;
        let context = SealContext::of_genesis(genesis.manifest());
        let wrap = wrap_k_hsm(self.init.hsm, &token.key, &context, &k_hsm)?;
        // What the authority will do at each unlock is done once now, with what was wrapped.
        let k_hsm = open_k_hsm(
            self.init.hsm,
            &wrap,
            &context,
            &genesis.manifest().check_value,
        )?;
        self.done(Step::KHsm);

        let present = self.hand_out(&mut genesis)?;
        let founded = self.open_set(genesis, &token.node)?;
        let k_quorum = founded.secret.k_quorum(&set_id);
        let key = SealingKey::derive(&k_hsm, &k_quorum, context)?;

        let transcript = self.close_transcript(&founded, &token, present.attendance)?;
        let verifier = commit::verifier_key(founded.chain.authority_id(), &token.node)?;
        let [manifest, verifier_key, transcript_file] =
            self.publish(&founded, &transcript, &verifier.to_file())?;
        let commit = Commit {
            hsm: self.init.hsm,
            state_dir: self.init.state_dir,
            chain: &founded.chain,
            node: &token.node.node,
            verifier: &verifier,
            transcript: transcript.hash(),
            wrap,
            sealing_key: &key,
        };
        commit.perform(&mut self.leftovers)?;
        self.done(Step::Commit {
            state: &self.shown(self.init.state_dir),
        });
        Ok(Report {
            authority_id: founded.chain.authority_id(),
            manifest_hash: founded.chain.current().hash(),
            set_id,
            epoch: context.epoch,
            threshold: plan.unlock.threshold,
            node: token.node.node,
            transcript_hash: transcript.hash(),
            shares: present.files,
            manifest,
            verifier_key,
            transcript: transcript_file,
        })
    }

    fn draft(
        &mut self,
        dealing: Dealing,
        token: &Token,
        k_hsm: &KHsm,
    ) -> Result<Genesis, InitError> {
        let facts = self.facts(&dealing.set_id(), token, k_hsm);
        let genesis = dealing.into_genesis(&self.init.plan.unlock, facts)?;
        self.done(Step::Manifest {
            hash: &genesis.manifest().hash(),
        });
        Ok(genesis)
    }

    pub(super) fn facts(&self, set_id: &SetId, token: &Token, k_hsm: &KHsm) -> GenesisFacts {
        GenesisFacts {
            authority: self.init.plan.authority.clone(),
            hsm_key: token.key.clone(),
            node_key: token.node.clone(),
            check_value: k_hsm.check_value(set_id, Epoch::GENESIS),
            created: self.desk.now(),
        }
    }

    fn report_keys(&mut self, token: &Token) {
        self.done(Step::SealKey {
            label: &token.key.key_label,
        });
        self.done(Step::NodeKey {
            algorithm: &token.node.algorithm().as_str(),
            label: &token.node.node,
            public: &hex::encode(token.node.public_key()),
        });
    }

    /// The approvals must be of the very plan that is carried out.
    fn check_approvals(&mut self) -> Result<(), InitError> {
        let Some(approval) = &self.init.plan.approval else {
            return Ok(());
        };
        let names = match self.init.purpose {
            Purpose::Rehearse => format!("nobody yet, of {}", approval.approvers.len()),
            Purpose::Found => self.init.approved.names_for(self.init.plan)?,
        };
        self.done(Step::Approvals { names: &names });
        Ok(())
    }

    /// Each holder in turn: key opened, share written, read back, verified, manifest signed.
    fn hand_out(&mut self, genesis: &mut Genesis) -> Result<Present, InitError> {
        let set = &self.init.plan.unlock;
        let mut present = Present {
            attendance: Vec::new(),
            files: Vec::new(),
        };
        for (index, holder) in set.threshold.indexes().zip(&set.holders) {
            let seat = Seat {
                index,
                threshold: set.threshold,
                holder,
            };
            let paths = self.hand_over(genesis, seat)?;
            self.done(Step::Share { index });
            // All copies have this name but for their number.
            let share_file = paths
                .first()
                .and_then(|path| path.file_name())
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default();
            present.attendance.push(Attendance {
                index,
                name: holder.name.to_name(),
                sign_key: holder.sign_key,
                share_file,
            });
            present.files.extend(paths);
            self.desk.thank(seat);
        }
        Ok(present)
    }

    /// Every copy is written, under the PIN that its holder wants, and read back and confirmed.
    fn hand_over(
        &mut self,
        genesis: &mut Genesis,
        seat: Seat<'_>,
    ) -> Result<Vec<PathBuf>, InitError> {
        let key = self.desk.call(seat)?;
        let mut paths = Vec::new();
        for copy in 1..=self.init.plan.unlock.copies {
            let (share, recipient) = genesis
                .share(seat.index)
                .ok_or(InitError::NoSuchShare(seat.index))?;
            let pin = self.desk.pin(seat, copy)?;
            let form = ShareCopy::new(copy, pin.as_ref());
            let path = sharefile::write(self.init.out_dir, form, share, recipient)?;
            self.leftovers.file(&path);
            files::forget_cached(&path);
            let read_back = sharefile::unseal(&path, &key)
                .and_then(|unsealed| unsealed.with_pin(pin.as_ref()))
                .map_err(|source| InitError::ReadBack {
                    index: seat.index,
                    source: Box::new(source),
                })?;
            genesis.confirm(seat.index, read_back, &key)?;
            paths.push(path);
        }
        Ok(paths)
    }

    fn open_set(&mut self, genesis: Genesis, node: &NodeKey) -> Result<Founded, InitError> {
        let founded = self.finish(genesis, node)?;
        self.done(Step::OpenSet);
        Ok(founded)
    }

    /// The node signs the manifest, and the shares that were read back open the set.
    pub(super) fn finish(&self, genesis: Genesis, node: &NodeKey) -> Result<Founded, InitError> {
        let signature = self.sign(node, &genesis.manifest().signed_bytes())?;
        let signature = HolderSignature::from_bytes(signature);
        Ok(genesis.finish(NodeSignature {
            node: node.node.clone(),
            signature,
        })?)
    }

    fn sign(&self, node: &NodeKey, bytes: &[u8]) -> Result<[u8; 64], InitError> {
        let signature = self.init.hsm.sign(node.node.as_str(), bytes)?;
        node.verify(bytes, &signature)
            .map_err(|_| InitError::NodeSignature)?;
        signature.try_into().map_err(|_| InitError::NodeSignature)
    }

    fn close_transcript(
        &mut self,
        founded: &Founded,
        token: &Token,
        present: Vec<Attendance>,
    ) -> Result<SignedTranscript, InitError> {
        let (plan, manifest) = (self.init.plan, founded.chain.current());
        let transcript = Transcript {
            v: quorum::Version1,
            ceremony: match self.init.purpose {
                Purpose::Found => CeremonyKind::Init,
                Purpose::Rehearse => CeremonyKind::Rehearsal,
            },
            tool: self.init.tool.to_owned(),
            authority: plan.authority.clone(),
            authority_id: founded.chain.authority_id(),
            plan: plan.hash.0,
            approvals: self.init.approved.approvals().to_vec(),
            suites: plan.suites.iter().map(ToString::to_string).collect(),
            manifest_hash: manifest.hash(),
            set_id: manifest.unlock.set_id(),
            epoch: manifest.unlock.epoch(),
            m: plan.unlock.threshold.m(),
            n: plan.unlock.threshold.n(),
            token: TranscriptToken {
                label: token.info.label.clone(),
                serial: token.info.serial.clone(),
                manufacturer: token.info.manufacturer.clone(),
                model: token.info.model.clone(),
                firmware: token.info.firmware.clone(),
            },
            present,
            steps: self.steps.clone(),
            node: token.node.node.clone(),
        };
        let signature = HexBytes(self.sign(&token.node, &transcript.signed_bytes())?);
        let signed = SignedTranscript {
            transcript,
            signature,
        };
        self.done(Step::Transcript {
            hash: &signed.hash(),
        });
        Ok(signed)
    }

    fn publish(
        &mut self,
        founded: &Founded,
        transcript: &SignedTranscript,
        verifier: &str,
    ) -> Result<[PathBuf; 3], InitError> {
        let mut manifest = founded.chain.manifests()[0].to_json();
        manifest.push(b'\n');
        let transcript = transcript.to_bytes();
        let contents: [(&str, &[u8]); 3] = [
            (MANIFEST_FILE, &manifest),
            (VERIFIER_KEY_FILE, verifier.as_bytes()),
            (TRANSCRIPT_FILE, &transcript),
        ];
        let paths = contents.map(|(name, _)| self.init.out_dir.join(name));
        for (path, (_, bytes)) in paths.iter().zip(contents) {
            files::create(path, bytes, Privacy::Public)?;
            self.leftovers.file(path);
        }
        self.done(Step::Files);
        Ok(paths)
    }

    /// A directory as a screen shows it; those of a rehearsal have no name worth showing.
    pub(super) fn shown(&self, path: &Path) -> String {
        match self.init.purpose {
            Purpose::Found => path.display().to_string(),
            Purpose::Rehearse => "a directory that will be removed".to_owned(),
        }
    }

    /// A step is done: it goes into the transcript and onto the screen.
    pub(super) fn done(&mut self, step: Step<'_>) {
        let planned = steps::sequence(self.init.plan);
        let expected = planned.get(self.steps.len()).map(Step::name);
        assert_eq!(
            expected,
            Some(step.name()),
            "the steps are those of `sequence`"
        );
        let total = u32::try_from(planned.len()).unwrap_or(u32::MAX);
        let number = u32::try_from(self.steps.len())
            .unwrap_or(u32::MAX)
            .saturating_add(1);
        let record = StepRecord {
            number,
            step: step.name().to_owned(),
            detail: step.line(self.init.plan),
            time: self.desk.now(),
        };
        self.desk.report(&record, total);
        self.steps.push(record);
    }
}

/// Who came, and where their shares are.
struct Present {
    attendance: Vec<Attendance>,
    files: Vec<PathBuf>,
}

fn label(text: String) -> Name {
    text.parse()
        .expect("a prefix, a set id and an epoch are at most 64 plain characters")
}
