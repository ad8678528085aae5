//! For which days a time permit may be asked: from today on, as far as the customer's policy reaches.

use wire::api::PermitDate;
use wire::{Problem, ProblemType};

/// Whether `days` days from `from` on lie within the `allowed` days that begin `today` (all in UTC).
///
/// # Errors
/// `wrong-day`, naming the first and the last day that would have been given.
pub(super) fn check(
    today: PermitDate,
    allowed: u32,
    from: PermitDate,
    days: u32,
) -> Result<(), Problem> {
    let last = today.plus_days(allowed.saturating_sub(1)).unwrap_or(today);
    let fits = from >= today && from.plus_days(days - 1).is_some_and(|end| end <= last);
    if fits {
        return Ok(());
    }
    let detail = if last == today {
        format!("permits are given for {today} (UTC) only")
    } else {
        format!("permits are given for {today} to {last} (UTC)")
    };
    Err(Problem::new(ProblemType::WrongDay, detail))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn date(text: &str) -> PermitDate {
        text.parse().unwrap()
    }

    #[test]
    fn today_and_tomorrow_are_given_and_no_other_day() {
        let today = date("2026-11-20");
        for (from, days) in [("2026-11-20", 1), ("2026-11-20", 2), ("2026-11-21", 1)] {
            assert!(check(today, 2, date(from), days).is_ok(), "{from} {days}");
        }
        for (from, days) in [
            ("2026-11-19", 1),
            ("2026-11-19", 3),
            ("2026-11-21", 2),
            ("2026-11-22", 1),
        ] {
            let problem = check(today, 2, date(from), days).unwrap_err();
            assert_eq!(problem.kind(), ProblemType::WrongDay);
            assert_eq!(
                problem.detail(),
                "permits are given for 2026-11-20 to 2026-11-21 (UTC)"
            );
        }
    }

    #[test]
    fn a_policy_of_one_day_names_that_day() {
        let today = date("2026-12-31");
        let problem = check(today, 1, date("2027-01-01"), 1).unwrap_err();
        assert_eq!(
            problem.detail(),
            "permits are given for 2026-12-31 (UTC) only"
        );
    }

    #[test]
    fn the_window_reaches_over_the_turn_of_the_year() {
        assert!(check(date("2026-12-31"), 31, date("2026-12-31"), 31).is_ok());
        assert!(check(date("2026-12-31"), 31, date("2027-01-01"), 31).is_err());
    }
}
