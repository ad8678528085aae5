//! Customers and their signing keys: changed in the state directory, logged, then served.
//!
//! A change is durable in the state directory before it is logged, and logged before it is answered. What it
//! grants it grants once it is logged; what it takes away is gone before, so that the log has nothing issued
//! after a suspension or a revocation. If the log does not take it, no further change is made until it has; a restart in between finds
//! the difference and logs it as recovered.

use audit::{CustomerChange, Event, Hex};
use quorum::Timestamp;
use serde_json::Value;
use state::{
    ChangeError, Customer, CustomerId, CustomerStatus, KeyId, MasterKey, NewCustomer, NewMasterKey,
    NewSigningKey, Policy, Registry, SigningKey, StateError,
};
use wire::api::{Role, Suite};
use wire::keys::VerifyingKey;
use wire::operator::{CustomerListReply, CustomerReport, Op, SigningKeyReport};
use wire::{Problem, ProblemType};

use super::desk::{Desk, Papers, json};
use super::issuer::audit_unavailable;
use super::keyring::{describe_master, describe_roles, describe_status, is_served};
use super::pins;
use super::token::with_remedy;
use crate::service::clock::unix_seconds;

/// Who changed what, for the log.
struct Author {
    customer: CustomerId,
    operator: u32,
}

impl Author {
    fn change(&self, generation: u64) -> CustomerChange {
        CustomerChange {
            customer: self.customer.to_string(),
            generation,
            operator: Some(self.operator),
        }
    }
}

impl Desk {
    /// Performs one of the operations on customers for the user `uid`.
    pub(super) fn manage_customers(
        &self,
        papers: &mut Papers,
        op: Op,
        uid: u32,
    ) -> Result<Value, Problem> {
        papers.phase.unlocked()?;
        self.settle(papers)?;
        let author = |name: &str| -> Result<Author, Problem> {
            Ok(Author {
                customer: customer_id(name)?,
                operator: uid,
            })
        };
        match op {
            Op::CustomerList {} => self.list(papers),
            Op::CustomerShow { name } => self.show(papers, &customer_id(&name)?),
            Op::CustomerAdd {
                name,
                key_pem,
                suite,
                roles,
            } => {
                let key = new_signing_key(&key_pem, &roles)?;
                self.add(papers, &author(&name)?, suite, key)
            }
            Op::CustomerSuspend { name } => {
                self.set_status(papers, &author(&name)?, CustomerStatus::Suspended)
            }
            Op::CustomerResume { name } => {
                self.set_status(papers, &author(&name)?, CustomerStatus::Active)
            }
            Op::KeyAdd {
                name,
                key_pem,
                roles,
            } => {
                let key = new_signing_key(&key_pem, &roles)?;
                self.add_key(papers, &author(&name)?, key)
            }
            Op::KeyRevoke { name, keyid } => self.revoke_key(papers, &author(&name)?, &keyid),
            _ => Err(Problem::new(
                ProblemType::NotFound,
                "there is no such operation here",
            )),
        }
    }

    fn list(&self, papers: &Papers) -> Result<Value, Problem> {
        let customers = self.equipment.vault.with(|keyring| {
            let registry = keyring.registry();
            let reports = registry
                .customers()
                .map(|customer| self.report(papers, registry, customer));
            reports.collect()
        })?;
        Ok(json(&CustomerListReply { customers }))
    }

    fn show(&self, papers: &Papers, id: &CustomerId) -> Result<Value, Problem> {
        self.equipment.vault.with(|keyring| {
            let registry = keyring.registry();
            let unknown = || ChangeError::UnknownCustomer { id: id.clone() };
            let customer = registry.customer(id).ok_or_else(|| problem(unknown()))?;
            Ok(json(&self.report(papers, registry, customer)))
        })?
    }

    fn add(
        &self,
        papers: &mut Papers,
        author: &Author,
        suite: Suite,
        key: NewSigningKey,
    ) -> Result<Value, Problem> {
        let suite = match suite {
            Suite::Ro => mpin::Suite::Ro,
            Suite::Nu => mpin::Suite::Nu,
            Suite::Milagro => mpin::Suite::Milagro,
        };
        let new = NewCustomer {
            id: author.customer.clone(),
            policy: Policy {
                suites: vec![suite],
                ..Policy::default()
            },
            suite,
            signing_keys: vec![key.clone()],
            now: now()?,
        };
        let sealing_key = &papers.phase.unlocked()?.key;
        let change = papers
            .state
            .add_customer(sealing_key, new)
            .map_err(problem)?;
        let said = author.change(change.generation);
        let NewMasterKey {
            secret,
            key: master,
        } = change.made;
        let events = vec![
            Event::CustomerAdded(said.clone()),
            key_added(said.clone(), &key),
            master_created(said, &master),
        ];
        self.log_change(papers, events)?;
        self.serve(change.registry, Some((master, secret)))?;
        self.show(papers, &author.customer)
    }

    fn set_status(
        &self,
        papers: &mut Papers,
        author: &Author,
        status: CustomerStatus,
    ) -> Result<Value, Problem> {
        let sealing_key = &papers.phase.unlocked()?.key;
        let change = papers
            .state
            .set_status(sealing_key, &author.customer, status)
            .map_err(problem)?;
        let said = author.change(change.generation);
        match status {
            CustomerStatus::Active => {
                self.log_change(papers, vec![Event::CustomerResumed(said)])?;
                self.serve(change.registry, None)?;
            }
            CustomerStatus::Suspended => {
                self.restrict(papers, change.registry, Event::CustomerSuspended(said))?;
            }
        }
        self.show(papers, &author.customer)
    }

    fn add_key(
        &self,
        papers: &mut Papers,
        author: &Author,
        key: NewSigningKey,
    ) -> Result<Value, Problem> {
        let sealing_key = &papers.phase.unlocked()?.key;
        let change = papers
            .state
            .add_signing_key(sealing_key, &author.customer, key.clone(), now()?)
            .map_err(problem)?;
        let event = key_added(author.change(change.generation), &key);
        self.log_change(papers, vec![event])?;
        self.serve(change.registry, None)?;
        self.show(papers, &author.customer)
    }

    fn revoke_key(
        &self,
        papers: &mut Papers,
        author: &Author,
        keyid: &str,
    ) -> Result<Value, Problem> {
        let keyid: KeyId = keyid.parse().map_err(|error| {
            with_remedy(
                malformed(error),
                Some("`dta customer show` lists the key ids"),
            )
        })?;
        let owner = self.equipment.vault.with(|keyring| {
            keyring
                .registry()
                .signing_key(&keyid)
                .map(|key| key.customer.clone())
        })?;
        if owner.as_ref() != Some(&author.customer) {
            let detail = format!("customer {} has no signing key {keyid}", author.customer);
            return Err(Problem::new(ProblemType::NotFound, detail));
        }
        let sealing_key = &papers.phase.unlocked()?.key;
        let change = papers
            .state
            .revoke_signing_key(sealing_key, &keyid, now()?)
            .map_err(problem)?;
        let change_said = author.change(change.generation);
        let event = Event::KeyRevoked {
            change: change_said,
            keyid: keyid.to_string(),
        };
        self.restrict(papers, change.registry, event)?;
        self.show(papers, &author.customer)
    }

    /// Logs a change that is durable in the state directory. What the log does not take is kept, and no
    /// further change is made before it has.
    fn log_change(&self, papers: &mut Papers, events: Vec<Event>) -> Result<(), Problem> {
        papers.unlogged = events;
        self.log_rest(papers)
    }

    pub(super) fn log_rest(&self, papers: &mut Papers) -> Result<(), Problem> {
        while let Some(event) = papers.unlogged.first() {
            self.equipment
                .log
                .append_blocking(event.clone())
                .map_err(audit_unavailable)?;
            papers.unlogged.remove(0);
        }
        Ok(())
    }

    /// Logs what an earlier change left unlogged, and then serves it.
    pub(super) fn settle(&self, papers: &mut Papers) -> Result<(), Problem> {
        if papers.unlogged.is_empty() {
            return Ok(());
        }
        self.log_rest(papers)?;
        let key = &papers.phase.unlocked()?.key;
        let registry = papers.state.unlock(key).map_err(state_problem)?;
        let missing = self.equipment.vault.with(|keyring| {
            registry
                .master_keys()
                .find(|master| is_served(master) && !keyring.has_master(master))
                .cloned()
        })?;
        let master = match missing {
            Some(master) => {
                let secret = key
                    .open_master(&master)
                    .map_err(|e| state_problem(e.into()))?;
                Some((master, secret))
            }
            None => None,
        };
        self.serve(registry, master)
    }

    /// Lets a change that takes something away take effect, and logs it; logs it also if it has none any more
    /// because a lock came first.
    fn restrict(
        &self,
        papers: &mut Papers,
        registry: Registry,
        event: Event,
    ) -> Result<(), Problem> {
        let served = self.serve(registry, None);
        self.log_change(papers, vec![event])?;
        served
    }

    /// Lets a change take effect, here and at the proxies.
    fn serve(
        &self,
        registry: Registry,
        master: Option<(MasterKey, mpin::MasterSecret)>,
    ) -> Result<(), Problem> {
        let served = self.equipment.vault.change(|keyring| {
            keyring.replace_registry(registry)?;
            if let Some((key, secret)) = master {
                keyring.add_master(&key, secret);
            }
            Ok(())
        })?;
        served.map_err(|error: wire::keys::KeyError| {
            Problem::new(ProblemType::Internal, format!("a registered key: {error}"))
        })?;
        self.publish();
        Ok(())
    }

    fn report(&self, papers: &Papers, registry: &Registry, customer: &Customer) -> CustomerReport {
        let masters = || registry.master_keys_of(&customer.id);
        let here = pins::ThisDta {
            chain: papers.state.chain(),
            node: &self.equipment.node,
            public_authority: &self.equipment.public_authority,
        };
        CustomerReport {
            name: customer.id.to_string(),
            status: describe_status(customer.status),
            keys: masters().map(describe_master).collect(),
            signing_keys: registry
                .signing_keys_of(&customer.id)
                .map(report_key)
                .collect(),
            customer_toml: here.customer_toml(masters().filter(|key| is_served(key))),
        }
    }
}

fn report_key(key: &SigningKey) -> SigningKeyReport {
    SigningKeyReport {
        keyid: key.keyid.to_string(),
        alg: key.algorithm.to_string(),
        roles: describe_roles(key),
        revoked: key.revoked_at.is_some(),
    }
}

fn key_added(change: CustomerChange, key: &NewSigningKey) -> Event {
    Event::KeyAdded {
        change,
        keyid: key.keyid.to_string(),
        alg: key.algorithm.to_string(),
        roles: key.roles.iter().map(|role| role.to_string()).collect(),
    }
}

fn master_created(change: CustomerChange, key: &MasterKey) -> Event {
    Event::MasterKeyCreated {
        change,
        key: key.version.to_string(),
        suite: key.suite.to_string(),
        commitment: Hex(key.commitment),
        escrow: None,
    }
}

/// A signing key as an operator brings it; without roles it gets all that the API knows.
fn new_signing_key(pem: &str, roles: &[Role]) -> Result<NewSigningKey, Problem> {
    let key = VerifyingKey::from_pem(pem).map_err(|error| {
        let detail = format!("the public key: {error}");
        with_remedy(Problem::new(ProblemType::Malformed, detail), error.remedy())
    })?;
    let roles = if roles.is_empty() { Role::ALL } else { roles };
    Ok(NewSigningKey {
        keyid: key.keyid().parse().map_err(malformed)?,
        algorithm: key.algorithm().as_str().parse().map_err(malformed)?,
        public_key: key.as_bytes().to_vec(),
        roles: roles
            .iter()
            .map(|role| role.as_str().parse().map_err(malformed))
            .collect::<Result<_, _>>()?,
        not_before: None,
        not_after: None,
    })
}

fn customer_id(name: &str) -> Result<CustomerId, Problem> {
    name.parse().map_err(malformed)
}

fn now() -> Result<Timestamp, Problem> {
    Timestamp::from_unix_seconds(unix_seconds())
        .ok_or_else(|| Problem::new(ProblemType::Internal, "the clock is outside the calendar"))
}

fn malformed(error: impl std::fmt::Display) -> Problem {
    Problem::new(ProblemType::Malformed, error.to_string())
}

fn problem(error: ChangeError) -> Problem {
    let kind = match &error {
        ChangeError::UnknownCustomer { .. } | ChangeError::UnknownKey { .. } => {
            ProblemType::NotFound
        }
        ChangeError::CustomerExists { .. }
        | ChangeError::StatusAlready { .. }
        | ChangeError::KeyExists { .. }
        | ChangeError::AlreadyRevoked { .. } => ProblemType::Conflict,
        ChangeError::NoRole { .. }
        | ChangeError::NeverValid { .. }
        | ChangeError::PublicKey(_)
        | ChangeError::SuiteNotAllowed { .. } => ProblemType::Malformed,
        ChangeError::State(_) => ProblemType::Internal,
    };
    with_remedy(Problem::new(kind, error.to_string()), error.remedy())
}

fn state_problem(error: StateError) -> Problem {
    problem(error.into())
}
