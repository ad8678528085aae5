//! `dta ceremony reshare`: new holders for a running, unlocked authority, with everybody at one terminal.

use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use ceremony::files::{self, Privacy};
use ceremony::holder::{HolderSecrets, seen_path};
use ceremony::plan::{LONGEST_PLAN, Plan};
use ceremony::reshare::{Candidate, Reviewed, SignedProposal, check_plan, examine};
use ceremony::screens;
use ceremony::session::{self, Question, Seen, SessionPurpose, SignedSession};
use ceremony::sharefile::{self, OpenedShare, ShareFileError, ShareFileName};
use ceremony::transcript::StepRecord;
use quorum::{Holder, ManifestChain};
use serde::Serialize;
use serde_json::{Value, json};
use wire::operator::{Op, ReshareDone, ReshareProgress, ReshareReply, StatusReport};

use super::asking::{from_authority, manifest_chain, verify_chain};
use super::plan::{print_notices, read_plan};
use super::run::open_keys;
use crate::operator_cli::socket::SocketArgs;
use crate::term::{CliError, CliResult, Exit, print_json};

/// Give a running, unlocked authority new holders, another M or another N.
///
/// The customers' secrets stay. Everything that protects them is made anew, M holders of the set in force sign for it, and every
/// new holder opens the new share before it counts. Until the last step the old set is in force; after it only the new one.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: dta ceremony reshare plan.toml --out reshare/ --share 5eed...-1-1-1.share \
                  --share 5eed...-1-2-1.share --holder-key alice.holder --holder-key bob.holder --holder-key dave.holder\n\n\
                  The plan has the line `succeeds = \"...\"` with the hash of the manifest in force; `dta ceremony \
                  reshare --hash` prints it."
)]
pub(crate) struct ReshareArgs {
    /// The plan.
    #[arg(required_unless_present_any = ["hash", "abort"])]
    plan: Option<PathBuf>,
    /// Where the new shares and the new manifest are written; made if missing.
    #[arg(long, value_name = "DIR", required_unless_present_any = ["hash", "abort"])]
    out: Option<PathBuf>,
    /// A share of the set in force; repeat for at least M holders.
    #[arg(long = "share", value_name = "FILE")]
    shares: Vec<PathBuf>,
    /// A holder's key file; repeat for everybody who is there, old holders and new ones.
    #[arg(long = "holder-key", value_name = "FILE")]
    holder_keys: Vec<PathBuf>,
    /// The passphrase file of the --holder-key at the same place; repeat for each. Without it each passphrase is asked for.
    #[arg(long = "passphrase-file", value_name = "FILE")]
    passphrase_files: Vec<PathBuf>,
    /// A new holder who is not there and need not confirm; the old holders who are there sign for that.
    #[arg(long = "waive", value_name = "NAME")]
    waived: Vec<String>,
    /// Print the hash of the manifest in force, for the plan, and do nothing else.
    #[arg(long, conflicts_with = "abort")]
    hash: bool,
    /// End a reshare that was left open, without effect.
    #[arg(long)]
    abort: bool,
    #[command(flatten)]
    socket: SocketArgs,
    /// Print one JSON object at the end, and nothing else.
    #[arg(long)]
    json: bool,
}

/// Runs `dta ceremony reshare`.
pub(super) fn run(args: ReshareArgs) -> CliResult {
    if args.abort {
        let report: StatusReport = args.socket.call(Op::ReshareAbort {})?;
        return match args.json {
            true => print_json(&report),
            false => {
                println!("The reshare is ended; the old set is in force.");
                Ok(())
            }
        };
    }
    let chain = manifest_chain(&args.socket)?;
    if args.hash {
        let hash = chain.current().hash();
        return match args.json {
            true => print_json(&json!({ "manifest_hash": hash })),
            false => {
                println!("{hash}");
                Ok(())
            }
        };
    }
    super::guard_memory()?;
    let (Some(plan_path), Some(out)) = (&args.plan, &args.out) else {
        return Err(CliError::new(Exit::Usage, "a plan and --out are needed"));
    };
    let plan = read_plan(plan_path, args.json)?;
    check_plan(&plan, &chain)?;
    if !args.json {
        print_notices(&plan);
    }
    let table = Table::gather(&args, &plan, &chain)?;
    make_directory(out)?;
    let text = files::read(plan_path, LONGEST_PLAN)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let reply: ReshareReply = args.socket.call(Op::ReshareOpen { plan: text })?;
    let mut ceremony = Ceremony {
        args: &args,
        plan: &plan,
        chain: &chain,
        table: &table,
        steps: 0,
        files: Vec::new(),
    };
    let done = ceremony
        .perform(out, &reply)
        .inspect_err(|_| abandon(&args.socket))?;
    ceremony.announce(&done)
}

/// For its owner alone, unless it is there.
fn make_directory(path: &Path) -> CliResult {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            let message = format!("cannot make {}: {error}", path.display());
            Err(CliError::new(Exit::Failed, message))
        }
        _ => Ok(()),
    }
}

/// What was opened and not committed is ended at once, not after its time. A commit that was done has nothing open.
fn abandon(socket: &SocketArgs) {
    if let Ok(Ok(_)) = socket.ask::<StatusReport>(Op::ReshareAbort {}) {
        eprintln!("The reshare is ended without effect; the old set is in force.");
    }
}

/// Who sits at the table.
struct Table<'a> {
    keys: Vec<(&'a Path, HolderSecrets)>,
    /// Old shares, each with the place of its holder's key.
    old: Vec<(usize, OpenedShare)>,
}

impl<'a> Table<'a> {
    /// Opens all keys and shares before anything is asked of the authority, so a mistake costs nothing.
    fn gather(args: &'a ReshareArgs, plan: &Plan, chain: &ManifestChain) -> CliResult<Self> {
        let opened = open_keys(&args.holder_keys, &args.passphrase_files)?;
        let paths = args.holder_keys.iter().map(PathBuf::as_path);
        let keys: Vec<_> = paths.zip(opened).collect();
        let mut old = Vec::new();
        for path in &args.shares {
            old.push(open_with_any(path, &keys)?);
        }
        let need = usize::from(chain.current().unlock.threshold().m());
        if old.len() < need {
            let message = format!(
                "{} shares of the set in force are given; it takes {need}",
                old.len()
            );
            let remedy = Some("pass --share and --holder-key for each of M old holders");
            return Err(CliError::new(Exit::Usage, message).with_remedy(remedy));
        }
        let table = Self { keys, old };
        for planned in &plan.unlock.holders {
            let waived = args.waived.iter().any(|name| name == planned.name.as_str());
            if !waived
                && !table
                    .keys
                    .iter()
                    .any(|(_, key)| key.public().sign_key == planned.sign_key)
            {
                let message = format!(
                    "the key of new holder {} is not among those given",
                    planned.name
                );
                let remedy = Some(
                    "pass --holder-key for each new holder, or --waive for one who cannot come",
                );
                return Err(CliError::new(Exit::Usage, message).with_remedy(remedy));
            }
        }
        Ok(table)
    }

    fn key_of(&self, holder: &Holder) -> Option<&HolderSecrets> {
        let mut keys = self.keys.iter().map(|(_, key)| key);
        keys.find(|key| key.public().sign_key == holder.sign_key)
    }
}

/// The share at `path`, opened with whichever key opens it.
fn open_with_any(path: &Path, keys: &[(&Path, HolderSecrets)]) -> CliResult<(usize, OpenedShare)> {
    for (at, (_, key)) in keys.iter().enumerate() {
        match sharefile::open(path, key) {
            Ok(share) => return Ok((at, share)),
            Err(ShareFileError::NotForThisHolder { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let message = format!("none of the keys given opens {}", path.display());
    let remedy = Some("pass the --holder-key of the holder whose share it is");
    Err(CliError::new(Exit::Refused, message).with_remedy(remedy))
}

struct Ceremony<'a> {
    args: &'a ReshareArgs,
    plan: &'a Plan,
    chain: &'a ManifestChain,
    table: &'a Table<'a>,
    steps: u32,
    files: Vec<PathBuf>,
}

impl Ceremony<'_> {
    fn perform(&mut self, out: &Path, reply: &ReshareReply) -> CliResult<ReshareDone> {
        let session: SignedSession = from_authority(reply.session.clone(), "session")?;
        let proposal: SignedProposal = from_authority(reply.proposal.clone(), "proposal")?;
        let reviewed = examine(Candidate {
            proposal: &proposal,
            session: &session,
            chain: self.chain,
            plan: self.plan,
        })?;
        let (manifest, old) = (reviewed.manifest(), &self.chain.current().unlock);
        let set = &manifest.unlock;
        self.done(
            "proposal",
            format!(
                "the authority proposes set {}, epoch {}: {} instead of {}, as the plan {} says",
                set.set_id(),
                set.epoch(),
                set.threshold(),
                old.threshold(),
                self.plan.hash
            ),
        );
        self.done("change", describe_change(&reviewed));
        for (at, share) in &self.table.old {
            self.consent(&session, &reviewed, *at, share)?;
        }
        for (holder, sealed) in set.roster().iter().zip(&reply.shares) {
            self.hand_over(out, &reviewed, holder, sealed)?;
        }
        let done: ReshareDone = self.args.socket.call(Op::ReshareCommit {})?;
        let chain = verify_chain(done.chain.clone())?;
        if chain.current() != manifest || chain.authority_id() != self.chain.authority_id() {
            let message =
                "the authority went over to another manifest than the one that was signed";
            return Err(CliError::new(Exit::Refused, message));
        }
        self.done(
            "commit",
            "everything is sealed under the new set".to_owned(),
        );
        for key in &done.destroyed {
            self.done(
                "destroy",
                format!("seal key {key} is destroyed on the HSM, and it is gone"),
            );
        }
        self.remember(&chain)?;
        let path = out.join(format!("manifest-{}.json", set.epoch()));
        let last = &chain.manifests()[chain.manifests().len() - 1];
        let mut bytes = last.to_json();
        bytes.push(b'\n');
        files::create(&path, &bytes, Privacy::Public)?;
        self.files.push(path);
        Ok(done)
    }

    /// One old holder: the session examined, the share sealed to it, the successor signed.
    fn consent(
        &mut self,
        session: &SignedSession,
        reviewed: &Reviewed<'_>,
        at: usize,
        share: &OpenedShare,
    ) -> CliResult {
        let (path, holder) = &self.table.keys[at];
        let memory = seen_path(path);
        let seen = Seen::load(&memory)?;
        let answerable = session::examine(Question {
            session,
            chain: self.chain,
            purpose: SessionPurpose::Reshare,
            now: screens::wall_clock(),
            seen: &seen,
            holder,
            share,
        })?;
        answerable.remember().save(&memory)?;
        let envelope = answerable.answer()?;
        let signature = reviewed.sign(holder)?;
        self.submit(Op::ReshareConsent {
            envelope: plain(&envelope)?,
            signature: plain(&signature)?,
        })?;
        self.done(
            "consent",
            format!(
                "{} has shown the old share and signed the new manifest",
                holder.name()
            ),
        );
        Ok(())
    }

    /// One new holder: the share written, read back, opened, verified and confirmed; or waived.
    fn hand_over(
        &mut self,
        out: &Path,
        reviewed: &Reviewed<'_>,
        holder: &Holder,
        sealed: &str,
    ) -> CliResult {
        let set = &reviewed.manifest().unlock;
        let name = ShareFileName {
            set_id: set.set_id(),
            epoch: set.epoch(),
            index: holder.index,
            copy: 1,
        };
        let path = out.join(name.to_string());
        files::create(&path, sealed.as_bytes(), Privacy::Secret)?;
        self.files.push(path.clone());
        let Some(key) = self.table.key_of(holder) else {
            return self.waive(reviewed, holder);
        };
        files::forget_cached(&path);
        let share = sharefile::open(&path, key)?;
        let confirmation = reviewed.confirm(key, &share)?;
        self.submit(Op::ReshareConfirm {
            confirmation: plain(&confirmation)?,
        })?;
        let (index, n) = (holder.index, set.threshold().n());
        self.done(
            "share",
            format!(
                "share {index} of {n} is written, read back and opened; {} has confirmed it",
                holder.name
            ),
        );
        Ok(())
    }

    fn waive(&mut self, reviewed: &Reviewed<'_>, absent: &Holder) -> CliResult {
        for (at, _) in &self.table.old {
            let waiver = reviewed.waive(&self.table.keys[*at].1, absent)?;
            self.submit(Op::ReshareWaive {
                waiver: plain(&waiver)?,
            })?;
        }
        self.done(
            "waiver",
            format!(
                "share {} is written for {}, who has not confirmed it; {} old holders signed for that",
                absent.index,
                absent.name,
                self.table.old.len()
            ),
        );
        Ok(())
    }

    /// Every holder at the table remembers the new epoch, so that nobody can show the old one again.
    fn remember(&self, chain: &ManifestChain) -> CliResult {
        for (path, _) in &self.table.keys {
            let memory = seen_path(path);
            let mut seen = Seen::load(&memory)?;
            let current = chain.current();
            seen.remember(chain.authority_id(), current.unlock.epoch(), current.hash());
            seen.save(&memory)?;
        }
        Ok(())
    }

    fn submit(&self, op: Op) -> CliResult {
        self.args.socket.call::<ReshareProgress>(op).map(drop)
    }

    fn done(&mut self, step: &str, detail: String) {
        self.steps += 1;
        if self.args.json {
            return;
        }
        let total = 4 + self.table.old.len() + self.plan.unlock.holders.len();
        let record = StepRecord {
            number: self.steps,
            step: step.to_owned(),
            detail,
            time: screens::wall_clock(),
        };
        screens::print_step(&record, u32::try_from(total).unwrap_or(u32::MAX));
    }

    fn announce(&self, done: &ReshareDone) -> CliResult {
        let chain = verify_chain(done.chain.clone())?;
        let (hash, set) = (chain.current().hash(), &chain.current().unlock);
        if self.args.json {
            return print_json(&json!({
                "authority_id": chain.authority_id(),
                "manifest_hash": hash,
                "set_id": set.set_id(),
                "epoch": set.epoch(),
                "m": set.threshold().m(),
                "n": set.threshold().n(),
                "destroyed": done.destroyed,
                "unfinished": done.unfinished,
                "files": self.files,
            }));
        }
        println!(
            "\nFrom now on {} holders open it; the old shares open nothing.",
            set.threshold()
        );
        println!("manifest {hash}");
        println!("Read it out and write it down. Files:");
        for path in &self.files {
            println!("  {}", path.display());
        }
        if let Some(why) = &done.unfinished {
            let text = format!(
                "the old seal key is not destroyed yet ({why}). The authority tries again by itself, and its audit log \
                 says `seal-key-destroyed` when it is done. Until then old shares open old backups."
            );
            screens::print_wrapped("note: ", &text);
        }
        Ok(())
    }
}

fn describe_change(reviewed: &Reviewed<'_>) -> String {
    let names = |holders: Vec<&Holder>| match holders.is_empty() {
        true => "nobody".to_owned(),
        false => {
            let names: Vec<_> = holders.iter().map(|holder| holder.name.as_str()).collect();
            names.join(", ")
        }
    };
    format!(
        "who comes: {}; who goes: {}",
        names(reviewed.joining().collect()),
        names(reviewed.leaving().collect())
    )
}

fn plain<T: Serialize>(value: &T) -> CliResult<Value> {
    serde_json::to_value(value).map_err(|error| CliError::new(Exit::Failed, error))
}
