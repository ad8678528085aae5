//! Answers customers' requests: admission, decision, audit entry, reply, in that order.
//!
//! Nothing leaves before its entry is durable. The secrets are borrowed for the computation only, and
//! until the entry is handed over; while a request waits for the disk it holds none. Everything is bounded: requests at once, bulk work at
//! once, the wait for the log.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use audit::{AppendError, BurntNonce, Event, Log, Receipt, Timestamp};
use bytes::Bytes;
use hyper::body::Body;
use hyper::http::request::Parts;
use tokio::sync::Semaphore;
use wire::api::{AuthorityInfo, CustomerInfo, NodeKeyInfo};
use wire::signature::SKEW_SECONDS;
use wire::{Problem, ProblemType};

use super::decide::{Arrived, Decision, Names, decide};
use super::keyring::Keyring;
use super::replay::ReplayCache;
use super::reply::Draft;
use super::vault::Vault;
use crate::service::clock::unix_seconds;
use crate::service::http::{Reply, problem_reply, read_body};
use crate::service::link::RefusalReport;
use crate::service::refusals::RefusalCounter;
use crate::service::routes::Call;

/// Requests in work at once: what the log takes in one batch.
const MAX_REQUESTS: usize = 512;
/// Time for the body of one request to arrive; a proxy has it whole before it forwards it.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Requests for many permits in work at once; each takes a core for some milliseconds.
const MAX_BULK: usize = 2;
/// Requests for permits with a longer body than this are computed beside the others, not among them.
const BULK_BODY: usize = 1_024;

/// What is public about this authority.
#[derive(Clone, Debug)]
pub(super) struct Identification {
    pub(super) name: String,
    pub(super) node: NodeKeyInfo,
}

/// What an issuer is set up with.
pub(super) struct Setup {
    pub(super) names: Names,
    pub(super) identification: Identification,
    pub(super) vault: Arc<Vault>,
    pub(super) log: Arc<Log>,
    /// How long issuing goes on while no checkpoint is signed.
    pub(super) max_unsigned: Duration,
}

/// Everything that answering needs.
pub(super) struct Issuer {
    setup: Setup,
    replay: Mutex<ReplayCache>,
    refusals: RefusalCounter,
    requests: Semaphore,
    bulk: Semaphore,
}

impl Issuer {
    /// An issuer that refuses the nonces that were burnt before the start.
    pub(super) fn new<'a>(setup: Setup, burnt: impl Iterator<Item = &'a BurntNonce>) -> Self {
        let mut replay = ReplayCache::default();
        for BurntNonce {
            keyid,
            nonce,
            expires,
        } in burnt
        {
            replay.burn(keyid, nonce, expires.saturating_add(SKEW_SECONDS), 0);
        }
        Self {
            setup,
            replay: Mutex::new(replay),
            refusals: RefusalCounter::default(),
            requests: Semaphore::new(MAX_REQUESTS),
            bulk: Semaphore::new(MAX_BULK),
        }
    }

    /// Answers one request with a reply, whatever happens.
    pub(super) async fn answer<B>(self: &Arc<Self>, call: Call, head: Parts, body: B) -> Reply
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        match self.try_answer(call, head, body).await {
            Ok(reply) => reply,
            Err(problem) => self.refuse_unsigned(&problem),
        }
    }

    /// Refuses without a signature, and counts it.
    pub(super) fn refuse_unsigned(&self, problem: &Problem) -> Reply {
        self.refusals.count(problem.kind());
        tracing::debug!(problem = problem.kind().name(), "refused");
        problem_reply(problem)
    }

    /// Takes over what a proxy refused by itself during one minute. It is logged with this process's own
    /// counts, so that no proxy decides how many entries there are.
    ///
    /// # Errors
    /// `malformed` for unknown problem types.
    pub(super) fn take_refusals(&self, report: RefusalReport) -> Result<(), Problem> {
        let unknown = |name: &&String| ProblemType::from_name(name).is_none();
        if let Some(name) = report.counts.keys().find(unknown) {
            let detail = format!("{name:?} is no problem type");
            return Err(Problem::new(ProblemType::Malformed, detail));
        }
        self.refusals.add(report);
        Ok(())
    }

    /// Logs the minutes that are over.
    pub(super) async fn log_refusals(&self) {
        for report in self.refusals.take_finished() {
            let event = refusal_event(report.clone());
            if let Err(error) = self.setup.log.append(event).await {
                tracing::warn!(%error, "the counters of a minute are not logged yet");
                self.refusals.put_back(report);
            }
        }
    }

    /// What is still counted, for the end of the process.
    pub(super) fn last_refusals(&self) -> impl Iterator<Item = Event> {
        self.refusals.take_all().into_iter().map(refusal_event)
    }

    /// The slot comes before the body: a proxy in other hands can keep others out, as it always can, but
    /// not fill the memory that holds the opened secrets.
    async fn try_answer<B>(
        self: &Arc<Self>,
        call: Call,
        head: Parts,
        body: B,
    ) -> Result<Reply, Problem>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let _slot = self.requests.try_acquire().map_err(|_| overloaded())?;
        let body = tokio::time::timeout(BODY_TIMEOUT, read_body(body, call.body_limit()))
            .await
            .map_err(|_| {
                Problem::new(ProblemType::Malformed, "the body did not arrive in time")
            })??;
        if call != Call::Authority {
            self.check_checkpoints()?;
        }
        if call == Call::TimePermits && body.len() > BULK_BODY {
            let _bulk = self.bulk.try_acquire().map_err(|_| overloaded())?;
            let this = Arc::clone(self);
            let work = tokio::task::spawn_blocking(move || this.prepare(call, &head, &body));
            let prepared = work.await.map_err(|panic| {
                tracing::error!(%panic, "a request failed within");
                Problem::new(
                    ProblemType::Internal,
                    "the request failed within the authority",
                )
            })??;
            return conclude(prepared).await;
        }
        let prepared = self.prepare(call, &head, &body)?;
        conclude(prepared).await
    }

    /// Nothing is issued that no checkpoint will cover for long.
    fn check_checkpoints(&self) -> Result<(), Problem> {
        let unsigned = self.setup.log.unsigned_for();
        if unsigned <= self.setup.max_unsigned {
            return Ok(());
        }
        let detail = format!(
            "the HSM has signed no checkpoint for {} s",
            unsigned.as_secs()
        );
        Err(Problem::new(ProblemType::AuditUnavailable, detail).with_retry_after(5))
    }

    /// Computes the reply, signs it and hands its entry over. A lock or a suspension waits for that, so the
    /// log has nothing issued after it.
    fn prepare(
        &self,
        call: Call,
        head: &Parts,
        body: &[u8],
    ) -> Result<Prepared<impl Future<Output = Appended> + Send + use<>>, Problem> {
        self.setup.vault.with(|keyring| {
            let arrived = Arrived {
                call,
                head,
                body,
                now: unix_seconds(),
            };
            let draft = self.draft(&arrived, keyring)?;
            let (reply, event) = draft.sign(&arrived, &keyring.response.key)?;
            Ok(Prepared {
                reply,
                durable: event.map(|event| self.setup.log.append(event)),
            })
        })?
    }

    fn draft(&self, arrived: &Arrived<'_>, keyring: &Keyring) -> Result<Draft, Problem> {
        if arrived.call == Call::Authority && !arrived.is_signed() {
            return Ok(Draft::introduction(self.describe(arrived, keyring, None)));
        }
        match decide(arrived, &self.setup.names, keyring, &self.replay) {
            Decision::Unproven(problem) | Decision::Failed(problem) => Err(problem),
            Decision::Refused(problem, event) => Ok(Draft::refusal(&problem, event)),
            Decision::Issue(issued) => Ok(Draft::share(issued)),
            Decision::Introduce(caller) => Ok(Draft::introduction(self.describe(
                arrived,
                keyring,
                Some(*caller),
            ))),
        }
    }

    fn describe(
        &self,
        arrived: &Arrived<'_>,
        keyring: &Keyring,
        customer: Option<CustomerInfo>,
    ) -> AuthorityInfo {
        AuthorityInfo {
            name: self.setup.identification.name.clone(),
            authority: self.setup.names.authority_id,
            node_key: self.setup.identification.node.clone(),
            response_key: Some(keyring.response.certificate.clone()),
            time: arrived.now,
            customer,
        }
    }
}

/// What became of an entry.
type Appended = Result<Receipt, AppendError>;

/// A signed reply, and the entry that must be durable before it leaves.
struct Prepared<F> {
    reply: Reply,
    durable: Option<F>,
}

/// Waits for the entry, then lets the reply go.
async fn conclude(prepared: Prepared<impl Future<Output = Appended>>) -> Result<Reply, Problem> {
    if let Some(durable) = prepared.durable {
        durable.await.map_err(audit_unavailable)?;
    }
    Ok(prepared.reply)
}

fn refusal_event(report: RefusalReport) -> Event {
    let minute = Timestamp::from_unix_millis(report.minute.saturating_mul(1_000));
    Event::RefusalCounts {
        minute,
        counts: report.counts,
    }
}

fn overloaded() -> Problem {
    Problem::new(ProblemType::Overloaded, "too many requests are in work").with_retry_after(1)
}

/// What could not be logged does not happen.
pub(super) fn audit_unavailable(error: AppendError) -> Problem {
    tracing::error!(%error, "nothing is issued: the audit log did not take an entry");
    match error {
        AppendError::QueueFull { .. } => overloaded(),
        error => {
            let detail = "the audit log did not take the entry, so nothing was issued";
            let problem = Problem::new(ProblemType::AuditUnavailable, detail);
            if matches!(error, AppendError::TimedOut { .. }) {
                problem.with_retry_after(2)
            } else {
                problem
            }
        }
    }
}

#[cfg(test)]
#[path = "issuer_tests.rs"]
mod tests;
