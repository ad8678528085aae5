//! New holders for a D-TA that exists: the same secrets, nothing of the old protection, and no moment in between.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use ceremony::holder::{HolderSecrets, key_path, public_path};
use ceremony::passphrase::Passphrase;
use ceremony::sharefile;
use hsm::HsmClient;
use quorum::{Collector, ManifestChain};
use state::{PendingObject, SealContext, SealingKey, StateDir, open_k_hsm};

use crate::common::customer::{Customer, new_identity};
use crate::common::process::{self, Ran};
use crate::common::{Dta, copy_directory};

/// A reshare from the holders of `dta` to holder 1 and new ones, `m` of `n`, everybody at the table.
struct Plan<'a> {
    dta: &'a Dta,
    m: u8,
    n: u8,
    /// Which old holders bring key and share.
    old: Vec<u8>,
    /// Which new holders stay away.
    waived: Vec<u8>,
    directory: String,
}

impl<'a> Plan<'a> {
    fn new(dta: &'a Dta, m: u8, n: u8) -> Self {
        let plan = Self {
            dta,
            m,
            n,
            old: vec![1, 2],
            waived: Vec::new(),
            directory: "reshare".to_owned(),
        };
        let passphrase = Passphrase::from_file(&dta.path("passphrase")).unwrap();
        let holders = dta.path("new-holders");
        std::fs::create_dir(&holders).unwrap();
        for number in 2..=n {
            let secrets = HolderSecrets::generate(&plan.name(number).parse().unwrap()).unwrap();
            secrets.write_weakly(&holders, &passphrase).unwrap();
        }
        plan
    }

    /// New holder `number`; the first one is an old one.
    fn name(&self, number: u8) -> String {
        match number {
            1 => self.dta.holder(1),
            _ => format!("{}-new-{number}", self.dta.name),
        }
    }

    fn key(&self, number: u8) -> PathBuf {
        match number {
            1 => self.dta.holder_key(1),
            _ => key_path(
                &self.dta.path("new-holders"),
                &self.name(number).parse().unwrap(),
            ),
        }
    }

    fn public(&self, number: u8) -> PathBuf {
        let name = self.name(number).parse().unwrap();
        match number {
            1 => public_path(&self.dta.path("holders"), &name),
            _ => public_path(&self.dta.path("new-holders"), &name),
        }
    }

    /// The share of new holder `number`.
    fn share(&self, number: u8) -> PathBuf {
        let wanted = format!("-{number}-1.share");
        let mut files = std::fs::read_dir(self.dta.path(&self.directory)).unwrap();
        files
            .find_map(|file| {
                let path = file.unwrap().path();
                path.to_string_lossy().ends_with(&wanted).then_some(path)
            })
            .unwrap_or_else(|| panic!("no new share ...{wanted}"))
    }

    /// Writes the plan for the manifest in force.
    fn write(&self) {
        let hash = self.dta.operator(&["ceremony", "reshare", "--hash"]).ok();
        let m = self.m.to_string();
        let hsm_config = self.dta.hsm.config_path().display().to_string();
        let mut arguments = vec!["ceremony", "plan", "--authority", &self.dta.name, "--m", &m];
        arguments.extend(["--hsm-config", &hsm_config]);
        let public: Vec<_> = (1..=self.n)
            .map(|number| self.public(number).display().to_string())
            .collect();
        for path in &public {
            arguments.extend(["--holder-pub", path]);
        }
        let text = self.dta.dta(&arguments).ok();
        let succeeds = format!("plan = 1\nsucceeds = \"{}\"\n", hash.trim());
        let text = text.replacen("plan = 1\n", &succeeds, 1);
        std::fs::write(self.dta.path("reshare.toml"), text).unwrap();
    }

    fn arguments(&self) -> Vec<String> {
        let mut arguments: Vec<String> = ["ceremony", "reshare"].map(String::from).into();
        arguments.extend([
            self.dta.arg("reshare.toml"),
            "--out".to_owned(),
            self.dta.arg(&self.directory),
        ]);
        arguments.extend(["--socket".to_owned(), self.dta.arg("operator.sock")]);
        let mut keys: Vec<PathBuf> = self
            .old
            .iter()
            .map(|number| self.dta.holder_key(*number))
            .collect();
        for number in &self.old {
            arguments.extend([
                "--share".to_owned(),
                self.dta.share(*number).display().to_string(),
            ]);
        }
        for number in 1..=self.n {
            if self.waived.contains(&number) {
                arguments.extend(["--waive".to_owned(), self.name(number)]);
            } else if !keys.contains(&self.key(number)) {
                keys.push(self.key(number));
            }
        }
        for key in keys {
            arguments.extend(["--holder-key".to_owned(), key.display().to_string()]);
            arguments.extend(["--passphrase-file".to_owned(), self.dta.arg("passphrase")]);
        }
        arguments
    }

    fn run(&self) -> Ran {
        self.write();
        self.dta.dta(&self.arguments())
    }

    fn enter_new_share(&self, number: u8) -> Ran {
        self.dta.operator(&[
            "unlock",
            "--share",
            &self.share(number).display().to_string(),
            "--holder-key",
            &self.key(number).display().to_string(),
            "--passphrase-file",
            &self.dta.arg("passphrase"),
        ])
    }

    #[track_caller]
    fn unlock(&self, numbers: &[u8]) {
        for number in numbers {
            self.enter_new_share(*number).ok();
        }
        assert_eq!(
            self.dta.status()["state"],
            "unlocked",
            "{}",
            self.dta.authority_log()
        );
    }
}

/// How often this event is in the audit log.
fn count(dta: &Dta, event: &str) -> usize {
    dta.audit_entries()
        .iter()
        .filter(|entry| entry["event"] == event)
        .count()
}

#[track_caller]
fn wait_until(what: &str, ready: impl Fn() -> bool) {
    let started = Instant::now();
    while !ready() {
        assert!(started.elapsed() < Duration::from_secs(30), "not {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn new_holders_open_it_with_the_same_secrets_and_the_old_shares_are_stale() {
    let dta = Dta::unlocked("handover");
    let customer = Customer::of(&[&dta], "acme");
    let identity = new_identity();
    let before = customer.client_share(&dta, &identity).json()["share"].clone();
    let plan = Plan::new(&dta, 3, 4);
    let said = plan.run().ok();
    for wanted in [
        "[ 1/10]",
        "who comes: handover-new-2, handover-new-3, handover-new-4",
        "who goes: handover-holder-2, handover-holder-3",
        "handover-new-4 has confirmed it",
        "is destroyed on the HSM, and it is gone",
        "From now on 3 of 4 holders open it; the old shares open nothing.",
    ] {
        let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(wanted), "{wanted}: {said}");
    }
    assert!(
        said.lines().all(|line| line.chars().count() <= 200),
        "{said}"
    );
    let during = customer.client_share(&dta, &identity).json()["share"].clone();
    assert_eq!(before, during, "issuing goes on with the same secret");

    dta.operator(&["lock"]).ok();
    assert_eq!(dta.status()["set"]["epoch"], 2);
    let stale = dta.enter_share(2, &dta.share(2)).failed(4);
    assert!(stale.contains("not in the roster of epoch 2"), "{stale}");
    let stale = dta.enter_share(1, &dta.share(1)).failed(4);
    assert!(stale.contains("stale-epoch"), "{stale}");
    plan.unlock(&[1, 2, 4]);
    let after = customer.client_share(&dta, &identity).json()["share"].clone();
    assert_eq!(before, after);

    for (event, times) in [
        ("reshare-opened", 1),
        ("reshare-consent", 2),
        ("reshare-confirmed", 4),
        ("reshared", 1),
        ("seal-key-destroyed", 1),
    ] {
        assert_eq!(count(&dta, event), times, "{event}");
    }
    dta.audit_verify().ok();
}

#[test]
fn a_holder_who_cannot_come_is_waived_by_the_old_ones_and_the_log_says_so() {
    let dta = Dta::unlocked("waive");
    let mut plan = Plan::new(&dta, 2, 3);
    plan.waived = vec![3];
    plan.run().ok();
    let entries = dta.audit_entries();
    let reshared = entries
        .iter()
        .find(|entry| entry["event"] == "reshared")
        .unwrap();
    assert_eq!(reshared["waived"][0]["holder"], "waive-new-3");
    assert_eq!(count(&dta, "reshare-waiver"), 2);
    dta.operator(&["lock"]).ok();
    // The share that was not confirmed is good all the same.
    plan.unlock(&[1, 3]);
}

#[test]
fn what_is_missing_is_said_before_anything_is_opened() {
    let dta = Dta::unlocked("missing");
    let mut plan = Plan::new(&dta, 2, 3);
    plan.old = vec![1];
    let said = plan.run().failed(2);
    assert!(
        said.contains("1 shares of the set in force are given; it takes 2"),
        "{said}"
    );
    plan.old = vec![1, 2];
    let mut arguments = plan.arguments();
    arguments.truncate(arguments.len() - 4);
    let said = dta.dta(&arguments).failed(2);
    assert!(
        said.contains("the key of new holder missing-new-3 is not among those given"),
        "{said}"
    );
    assert_eq!(count(&dta, "reshare-opened"), 0);
    plan.run().ok();
    // The same plan again: it succeeds another manifest.
    let said = dta.dta(&plan.arguments()).failed(6);
    assert!(
        said.contains("the plan succeeds another manifest"),
        "{said}"
    );
}

#[test]
fn a_sealed_authority_or_one_without_its_hsm_is_not_reshared_and_the_old_set_still_opens() {
    let mut dta = Dta::unlocked("refuse");
    {
        let plan = Plan::new(&dta, 2, 2);
        dta.operator(&["lock"]).ok();
        plan.run().failed(3);
        dta.unlock(&[1, 2]);
        plan.write();
    }
    dta.hsm.kill();
    let arguments = Plan {
        dta: &dta,
        m: 2,
        n: 2,
        old: vec![1, 2],
        waived: vec![],
        directory: "reshare".to_owned(),
    }
    .arguments();
    let said = dta.dta(&arguments);
    assert_eq!(said.code, 5, "{said:?}");
    dta.hsm.start_with(process::dta()).unwrap();
    dta.operator(&["lock"]).ok();
    dta.unlock(&[2, 3]);
    assert_eq!(dta.status()["set"]["epoch"], 1);
}

/// Tries with everything that M dismissed holders, a copy of the disk and today's HSM have; what became of it.
fn try_to_open(dta: &Dta, state: &Path) -> Result<(), String> {
    let state = StateDir::open(state).map_err(|e| e.to_string())?;
    let chain = state.chain();
    let mut collector = Collector::new(chain);
    let passphrase = Passphrase::from_file(&dta.path("passphrase")).unwrap();
    for number in [1, 2] {
        let key = HolderSecrets::open(&dta.holder_key(number), &passphrase).unwrap();
        let share = sharefile::open(&dta.share(number), &key).unwrap();
        let verdict = collector.offer(share.share().index(), share.encoded());
        assert!(verdict.is_accepted(), "the shares are good: {verdict}");
    }
    let context = SealContext::of(chain);
    let k_quorum = collector.combine().unwrap().k_quorum(&context.set_id);
    let client = HsmClient::connect(&dta.hsm.socket()).unwrap();
    let wrap = &state.wraps()[0];
    let k_hsm = open_k_hsm(&client, wrap, &context, &chain.current().check_value)
        .map_err(|e| e.to_string())?;
    let key = SealingKey::derive(&k_hsm, &k_quorum, context).map_err(|e| e.to_string())?;
    let registry = state.unlock(&key).map_err(|e| e.to_string())?;
    for master in registry.master_keys() {
        key.open_master(master).map_err(|e| e.to_string())?;
    }
    Ok(())
}

#[test]
fn old_shares_with_an_old_backup_and_todays_hsm_open_nothing() {
    let mut dta = Dta::unlocked("backup");
    let _customer = Customer::of(&[&dta], "acme");
    dta.authority.as_mut().unwrap().terminate();
    let backup = dta.path("backup");
    copy_directory(&dta.path("state"), &backup);
    restrict(&backup);
    // The attempt is a real one: today it succeeds.
    try_to_open(&dta, &backup).unwrap();

    dta.start_authority();
    dta.unlock(&[1, 2]);
    Plan::new(&dta, 2, 3).run().ok();
    let refused = try_to_open(&dta, &backup).unwrap_err();
    assert!(refused.contains("seal key"), "{refused}");

    // Put in the place of today's disk, it is not even started from.
    dta.authority.as_mut().unwrap().terminate();
    std::fs::rename(dta.path("state"), dta.path("today")).unwrap();
    std::fs::rename(&backup, dta.path("state")).unwrap();
    let mut authority = dta.spawn_authority(&[]);
    assert_eq!(authority.wait_for_end(), 6, "{}", authority.log());
    assert!(
        authority.log().contains("an older copy was put back"),
        "{}",
        authority.log()
    );
}

fn restrict(directory: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(directory, mode).unwrap();
}

/// Every line that the authority logs on the way, in order.
const STEPS: [&str; 10] = [
    "reshare: the new seal key is noted",
    "reshare: the new seal key is made",
    "reshare: opened",
    "reshare-consent",
    "reshare-confirmed",
    "reshare: committing",
    "reshare: committed",
    "reshare: the token's anchor is at the new epoch",
    "a seal key is destroyed",
    "reshare: done",
];

#[test]
fn killed_at_any_step_a_reshare_is_not_done_or_done_and_leaves_one_seal_key() {
    let mut epochs = [0, 0];
    for (at, step) in STEPS.iter().enumerate() {
        let epoch = kill_at(&format!("kill{at}"), step);
        epochs[epoch - 1] += 1;
        // Whatever was logged before the commit is of the old epoch unless the kill came late; after it, never.
        assert!(epoch == 2 || at < 6, "{step}");
    }
    assert!(epochs[0] > 0 && epochs[1] > 0, "{epochs:?}");
}

/// Kills the authority when it has logged `step`, starts it again, and checks what is there; the epoch it is in.
fn kill_at(name: &str, step: &str) -> usize {
    let mut dta = Dta::unlocked(name);
    let customer = Customer::of(&[&dta], "acme");
    let identity = new_identity();
    let before = customer.client_share(&dta, &identity).json()["share"].clone();
    let (arguments, (m, n)) = {
        let plan = Plan::new(&dta, 2, 3);
        plan.write();
        (plan.arguments(), (plan.m, plan.n))
    };
    let mut reshare = Command::new(process::dta())
        .args(&arguments)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let log = dta.path("authority.log");
    let started = Instant::now();
    while !std::fs::read_to_string(&log)
        .unwrap_or_default()
        .contains(step)
    {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "{step}: {}",
            dta.authority_log()
        );
        std::thread::sleep(Duration::from_micros(100));
    }
    dta.authority.as_mut().unwrap().kill();
    reshare.wait().unwrap();

    let client = HsmClient::connect(&dta.hsm.socket()).unwrap();
    let genesis = std::fs::read(dta.path("out/manifest.json")).unwrap();
    let genesis = ManifestChain::verify(vec![serde_json::from_slice(&genesis).unwrap()]).unwrap();
    let old_key = genesis.current().hsm_keys[0].key_label.to_string();
    let label = PendingObject::label(&genesis.authority_id());
    let pending = || {
        let bytes = client.get_data(&label).unwrap();
        PendingObject::decode(&bytes, genesis.authority_id())
            .unwrap()
            .key
    };
    let new_key = pending();

    dta.start_authority();
    wait_until("cleared up", || pending().is_none());
    let epoch = usize::try_from(dta.status()["set"]["epoch"].as_u64().unwrap()).unwrap();
    let exists = |label: &str| client.seal_key_exists(label).unwrap();
    assert_eq!(exists(&old_key), epoch == 1, "{step}");
    if let Some(new_key) = new_key {
        assert_eq!(exists(new_key.as_str()), epoch == 2, "{step}");
    }
    if epoch == 1 {
        dta.unlock(&[1, 2]);
        // Nothing stands in the way of another attempt.
        let again = Plan {
            dta: &dta,
            m,
            n,
            old: vec![2, 3],
            waived: vec![],
            directory: "second".to_owned(),
        };
        again.run().ok();
    } else {
        let plan = Plan {
            dta: &dta,
            m,
            n,
            old: vec![1, 2],
            waived: vec![],
            directory: "reshare".to_owned(),
        };
        plan.unlock(&[2, 3]);
    }
    let after = customer.client_share(&dta, &identity).json()["share"].clone();
    assert_eq!(before, after, "{step}");
    dta.audit_verify().ok();
    epoch
}
