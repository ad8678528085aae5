//! What a customer may ask for, and how much of it.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use mpin::Suite;
use serde::{Deserialize, Serialize};

use crate::names::UnknownName;

/// A customer's policy. Every field has a default, so that a policy written before a field existed
/// still reads; limits on rates will be one more field.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// What may be issued: all three by default.
    pub operations: BTreeSet<Operation>,
    /// How many days, from today on, permits may be asked for: 2 by default (today and tomorrow).
    pub permit_window_days: PermitWindow,
    /// The most permits in one request: 1,000 by default.
    pub max_batch: u32,
    /// The suites that the customer's master keys may have: `RO` alone by default.
    #[serde(with = "suites")]
    pub suites: Vec<Suite>,
}

impl Policy {
    /// Whether a master key of this suite may be made.
    pub fn allows_suite(&self, suite: Suite) -> bool {
        self.suites.contains(&suite)
    }

    /// Whether this may be issued.
    pub fn allows(&self, operation: Operation) -> bool {
        self.operations.contains(&operation)
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            operations: Operation::ALL.into(),
            permit_window_days: PermitWindow::DEFAULT,
            max_batch: 1000,
            suites: vec![Suite::Ro],
        }
    }
}

/// What a D-TA issues.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// A client share.
    ClientShare,
    /// A server share.
    ServerShare,
    /// Time permits.
    TimePermit,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::ClientShare, Self::ServerShare, Self::TimePermit];

    /// As in policies and in the log: `client-share`, `server-share`, `time-permit`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientShare => "client-share",
            Self::ServerShare => "server-share",
            Self::TimePermit => "time-permit",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Operation {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        UnknownName::find(name, &Self::ALL, Self::as_str)
    }
}

/// A number of days, 1 to 31.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct PermitWindow(u32);

impl PermitWindow {
    /// Today and tomorrow.
    pub const DEFAULT: Self = Self(2);

    /// A window of so many days.
    ///
    /// # Errors
    /// When it is 0 or over 31.
    pub fn new(days: u32) -> Result<Self, PolicyError> {
        if (1..=31).contains(&days) {
            Ok(Self(days))
        } else {
            Err(PolicyError::PermitWindow { days })
        }
    }

    /// The number of days, 1 to 31.
    pub fn days(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for PermitWindow {
    type Error = PolicyError;

    fn try_from(days: u32) -> Result<Self, PolicyError> {
        Self::new(days)
    }
}

impl From<PermitWindow> for u32 {
    fn from(window: PermitWindow) -> u32 {
        window.0
    }
}

/// A value that no policy may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PolicyError {
    /// Days outside 1..=31.
    #[error("a permit window has 1 to 31 days, not {days}")]
    PermitWindow {
        /// As asked.
        days: u32,
    },
}

/// Suites as the list of their names, each once and in the order of [`Suite::ALL`]; `mpin` knows no
/// serde.
mod suites {
    use mpin::Suite;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(
        suites: &[Suite],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let known = Suite::ALL
            .into_iter()
            .filter(|suite| suites.contains(suite));
        serializer.collect_seq(known.map(Suite::as_str))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Suite>, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        let suites: Result<Vec<Suite>, _> = names.iter().map(|name| name.parse()).collect();
        let suites = suites.map_err(D::Error::custom)?;
        Ok(Suite::ALL
            .into_iter()
            .filter(|suite| suites.contains(suite))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_empty_policy_has_the_documented_defaults() {
        let policy: Policy = serde_json::from_str("{}").unwrap();
        assert_eq!(policy, Policy::default());
        assert_eq!(
            serde_json::to_value(&policy).unwrap(),
            serde_json::json!({
                "max_batch": 1000,
                "operations": ["client-share", "server-share", "time-permit"],
                "permit_window_days": 2,
                "suites": ["RO"],
            })
        );
        assert!(policy.allows(Operation::TimePermit));
        assert!(policy.allows_suite(Suite::Ro) && !policy.allows_suite(Suite::Milagro));
    }

    #[test]
    fn values_that_no_policy_may_have_are_refused() {
        let message = |json: &str| {
            serde_json::from_str::<Policy>(json)
                .unwrap_err()
                .to_string()
        };
        for days in [0, 32] {
            assert!(
                message(&format!("{{\"permit_window_days\":{days}}}"))
                    .starts_with(&format!("a permit window has 1 to 31 days, not {days}"))
            );
        }
        assert!(message("{\"operations\":[\"mint\"]}").starts_with("unknown variant `mint`"));
        assert!(message("{\"suites\":[\"ro\"]}").starts_with("\"ro\" is not a suite"));
        assert!(message("{\"max_bach\":1}").starts_with("unknown field `max_bach`"));
    }
}
