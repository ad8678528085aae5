//! The authority's configuration, `authority.toml`. It names no secret at all.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::service::config::PublicAuthority;

/// `authority.toml`; `docs/samples/authority.toml` says what each key is for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The state directory that `dta ceremony run` made.
    pub(crate) state_dir: PathBuf,
    /// The socket of `dta hsm`.
    pub(crate) hsm_socket: PathBuf,
    /// Where operators and holders connect.
    pub(crate) operator_socket: PathBuf,
    /// Where the proxies connect.
    pub(crate) proxy_socket: PathBuf,
    /// A directory on another disk, in which the last checkpoint is kept as well.
    pub(crate) anchor_dir: PathBuf,
    /// `host[:port]` as customers sign it in `@authority`.
    pub(crate) public_authority: PublicAuthority,
    /// Users besides root and the own one that may use the operator socket.
    #[serde(default)]
    pub(crate) operator_users: Vec<hsm::User>,
    /// Users besides root and the own one that may be the proxy.
    #[serde(default)]
    pub(crate) proxy_users: Vec<hsm::User>,
    /// How long an unlock session stays open.
    #[serde(default)]
    pub(crate) session_minutes: SessionMinutes,
    /// How long issuing goes on while the HSM signs no checkpoint, in seconds.
    #[serde(default = "default_max_unsigned_seconds")]
    pub(crate) max_unsigned_seconds: u32,
}

impl Config {
    /// How long an unlock session stays open.
    pub(super) fn session_time(&self) -> Duration {
        self.session_minutes.duration()
    }

    /// How long issuing goes on while the HSM signs no checkpoint.
    pub(super) fn unsigned_time(&self) -> Duration {
        Duration::from_secs(self.max_unsigned_seconds.into())
    }
}

/// 1 minute to a day; 10 minutes unless the configuration says otherwise.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "u16")]
pub(crate) struct SessionMinutes(u16);

impl SessionMinutes {
    /// The same as a duration.
    pub(super) fn duration(self) -> Duration {
        Duration::from_secs(u64::from(self.0) * 60)
    }
}

impl TryFrom<u16> for SessionMinutes {
    type Error = String;

    fn try_from(minutes: u16) -> Result<Self, String> {
        if (1..=1_440).contains(&minutes) {
            Ok(Self(minutes))
        } else {
            Err(format!(
                "a session stays open for 1 to 1440 minutes, not {minutes}"
            ))
        }
    }
}

impl Default for SessionMinutes {
    fn default() -> Self {
        Self(10)
    }
}

fn default_max_unsigned_seconds() -> u32 {
    60
}
