//! Counts refusals decided before a valid signature, per problem type and minute.
//!
//! Such a refusal never waits for the disk, so a flood of them cannot fill it: one entry in the audit log
//! says how many there were in a minute.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wire::ProblemType;

use super::clock::unix_seconds;
use super::link::RefusalReport;

/// How many minutes are kept while they cannot be handed over: a day.
const KEPT_MINUTES: usize = 1_440;
/// How old a minute may be that somebody else reports, in seconds.
const MAX_AGE: u64 = 300;
/// The largest number that canonical JSON carries.
const MAX_COUNT: u64 = (1 << 53) - 1;

/// The counters of the present minute and of those not handed over yet.
#[derive(Debug, Default)]
pub(crate) struct RefusalCounter(Mutex<BTreeMap<u64, BTreeMap<String, u64>>>);

impl RefusalCounter {
    /// Counts one refusal now.
    pub(crate) fn count(&self, kind: ProblemType) {
        self.count_at(kind, unix_minute());
    }

    /// Takes out every minute that is over.
    pub(crate) fn take_finished(&self) -> Vec<RefusalReport> {
        self.take_before(unix_minute())
    }

    /// Takes out everything, the present minute too: for the end of the process.
    pub(crate) fn take_all(&self) -> Vec<RefusalReport> {
        self.take_before(u64::MAX)
    }

    /// Adds what somebody else counted. A minute that is not one of the last five counts as the present
    /// one: whoever reports cannot make more minutes than there are.
    pub(crate) fn add(&self, report: RefusalReport) {
        let now = unix_minute();
        let recent = now.saturating_sub(MAX_AGE)..=now;
        let credible = recent.contains(&report.minute) && report.minute.is_multiple_of(60);
        let minute = if credible { report.minute } else { now };
        self.put_back(RefusalReport { minute, ..report });
    }

    /// Puts back what could not be handed over.
    pub(crate) fn put_back(&self, report: RefusalReport) {
        let mut minutes = self.lock();
        let counts = minutes.entry(report.minute).or_default();
        for (name, count) in report.counts {
            let total = counts.entry(name).or_default();
            *total = total.saturating_add(count).min(MAX_COUNT);
        }
    }

    fn count_at(&self, kind: ProblemType, minute: u64) {
        let mut minutes = self.lock();
        *minutes
            .entry(minute)
            .or_default()
            .entry(kind.name().to_owned())
            .or_default() += 1;
        while minutes.len() > KEPT_MINUTES {
            minutes.pop_first();
        }
    }

    fn take_before(&self, end: u64) -> Vec<RefusalReport> {
        let mut minutes = self.lock();
        let open = minutes.split_off(&end);
        let finished = std::mem::replace(&mut *minutes, open);
        finished
            .into_iter()
            .map(|(minute, counts)| RefusalReport { minute, counts })
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, BTreeMap<String, u64>>> {
        // Counters are valid at every moment, whatever panicked meanwhile.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Unix seconds at which the present minute began.
fn unix_minute() -> u64 {
    let now = unix_seconds();
    now - now % 60
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_taken_once_and_only_when_it_is_over() {
        let counter = RefusalCounter::default();
        counter.count_at(ProblemType::Unsigned, 60);
        counter.count_at(ProblemType::Unsigned, 60);
        counter.count_at(ProblemType::Expired, 120);
        let finished = counter.take_before(120);
        assert_eq!(finished.len(), 1);
        assert_eq!(finished[0].minute, 60);
        assert_eq!(
            finished[0].counts,
            BTreeMap::from([("unsigned".to_owned(), 2)])
        );
        assert!(counter.take_before(120).is_empty());
        assert_eq!(counter.take_all().len(), 1);
    }

    #[test]
    fn what_could_not_be_handed_over_is_added_up_again() {
        let counter = RefusalCounter::default();
        counter.count_at(ProblemType::Unsigned, 60);
        let report = counter.take_before(120).remove(0);
        counter.count_at(ProblemType::Unsigned, 60);
        counter.put_back(report);
        assert_eq!(counter.take_all()[0].counts["unsigned"], 2);
    }

    #[test]
    fn whoever_reports_makes_neither_minutes_nor_numbers_that_cannot_be() {
        let counter = RefusalCounter::default();
        let counts = || BTreeMap::from([("expired".to_owned(), u64::MAX)]);
        for minute in [0, 61, u64::MAX, unix_minute() + 600] {
            counter.add(RefusalReport {
                minute,
                counts: counts(),
            });
        }
        let taken = counter.take_all();
        assert!(
            taken.len() <= 2,
            "the present minute, and the next if it has just begun"
        );
        assert!(
            taken
                .iter()
                .all(|report| report.counts["expired"] == MAX_COUNT)
        );
        let last = unix_minute() - 60;
        counter.add(RefusalReport {
            minute: last,
            counts: counts(),
        });
        assert_eq!(counter.take_all()[0].minute, last);
    }

    #[test]
    fn a_day_without_a_taker_is_the_most_that_is_kept() {
        let counter = RefusalCounter::default();
        for minute in 0..3_000 {
            counter.count_at(ProblemType::Unsigned, minute * 60);
        }
        assert_eq!(counter.take_all().len(), KEPT_MINUTES);
    }
}
