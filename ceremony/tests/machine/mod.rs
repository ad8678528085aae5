//! What the ceremony tests share: a machine with a SoftHSM2 token, holders with keys, and a plan.
// Each test binary uses a part of it.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::path::PathBuf;

use ceremony::approval::Approved;
use ceremony::holder::HolderSecrets;
use ceremony::init::{self, Desk, DeskError, Init, InitFailure, KeysAtHand, Purpose, Report, Seat};
use ceremony::plan::{self, Plan, TemplateInput, TokenChoice};
use ceremony::screens::wall_clock;
use ceremony::transcript::StepRecord;
use hsm::HsmClient;
use hsm::harness::SoftHsm;
use quorum::Timestamp;

/// A machine with a token, holders with their key files, and a plan.
pub struct Machine {
    pub hsm: SoftHsm,
    pub holders: Vec<HolderSecrets>,
    pub plan: Plan,
    dir: tempfile::TempDir,
}

impl Machine {
    pub fn new(m: u8, n: usize) -> Self {
        let hsm = SoftHsm::start();
        let holders: Vec<_> = (1..=n)
            .map(|number| holder(&format!("holder-{number}")))
            .collect();
        let plan = plan::check(&plan_text(m, &holders, &token_of(&hsm.client()))).unwrap();
        Self {
            hsm,
            dir: tempfile::tempdir().unwrap(),
            holders,
            plan,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn keys(&self) -> Vec<HolderSecrets> {
        self.holders.iter().map(same_key).collect()
    }

    pub fn run(&self, name: &str) -> Result<Report, InitFailure> {
        self.run_at(
            &mut KeysAtHand::new(self.keys(), wall_clock, |_, _| {}),
            name,
        )
    }

    pub fn run_at(&self, desk: &mut dyn Desk, name: &str) -> Result<Report, InitFailure> {
        self.run_plan(&self.plan, desk, name)
    }

    pub fn run_plan(
        &self,
        plan: &Plan,
        desk: &mut dyn Desk,
        name: &str,
    ) -> Result<Report, InitFailure> {
        let hsm = self.hsm.client();
        let (state_dir, out_dir) = (
            self.path(&format!("{name}-state")),
            self.path(&format!("{name}-out")),
        );
        let init = Init {
            plan,
            approved: &Approved::by_nobody(),
            purpose: Purpose::Found,
            hsm: &hsm,
            state_dir: &state_dir,
            out_dir: &out_dir,
            tool: "dta test",
        };
        init::run(init, desk)
    }

    /// Whether nothing of a failed run is left: no files, no seal key that it told of.
    pub fn assert_clean(&self, failure: &InitFailure, name: &str) {
        assert!(
            !self.path(&format!("{name}-state")).exists(),
            "{:#?}",
            failure.aftermath()
        );
        assert!(
            !self.path(&format!("{name}-out")).exists(),
            "{:#?}",
            failure.aftermath()
        );
        for line in failure.aftermath() {
            if let Some(key) = line.strip_prefix("removed: key ") {
                let label = key.split(' ').next().unwrap();
                assert!(!self.hsm.client().seal_key_exists(label).unwrap(), "{line}");
            }
        }
    }
}

pub fn holder(name: &str) -> HolderSecrets {
    HolderSecrets::generate(&name.parse().unwrap()).unwrap()
}

/// A key cannot be cloned; written and opened again it is another value of the same key.
pub fn same_key(key: &HolderSecrets) -> HolderSecrets {
    let dir = tempfile::tempdir().unwrap();
    let passphrase = ceremony::Passphrase::entered("a passphrase for tests".into()).unwrap();
    let (path, _) = key.write_weakly(dir.path(), &passphrase).unwrap();
    HolderSecrets::open(&path, &passphrase).unwrap()
}

pub fn token_of(client: &HsmClient) -> TokenChoice {
    let info = client.token_info().unwrap();
    TokenChoice {
        label: info.label,
        serial: info.serial,
    }
}

pub fn plan_text(m: u8, holders: &[HolderSecrets], token: &TokenChoice) -> String {
    let authority = "Test D-TA".parse().unwrap();
    let public: Vec<_> = holders
        .iter()
        .map(|holder| holder.public().clone())
        .collect();
    plan::template(TemplateInput {
        authority: &authority,
        m,
        holders: &public,
        approvers: &[],
        token,
    })
    .unwrap()
}

/// A desk at which something happens when a certain holder is called.
pub struct Eventful<F> {
    pub keys: KeysAtHand<fn() -> Timestamp>,
    pub at: u8,
    pub event: F,
}

impl<F: FnMut()> Desk for Eventful<F> {
    fn now(&self) -> Timestamp {
        self.keys.now()
    }

    fn report(&mut self, step: &StepRecord, total: u32) {
        self.keys.report(step, total);
    }

    fn call(&mut self, seat: Seat<'_>) -> Result<HolderSecrets, DeskError> {
        if seat.index.get() == self.at {
            (self.event)();
        }
        self.keys.call(seat)
    }

    fn thank(&mut self, seat: Seat<'_>) {
        self.keys.thank(seat);
    }
}
