//! The process `dta authority`: holds the master secrets while unlocked, and issues.
//!
//! | file | what |
//! |---|---|
//! | `start` | what must agree on the disk before anything else |
//! | `phase`, `vault`, `keyring` | the states as types; what is open, and who may borrow it |
//! | `operator`, `desk`, `sessions`, `unlock`, `customers`, `pins` | the operator socket and what is done there |
//! | `reshare`, `retire` | new holders for this D-TA, and the end of old seal keys |
//! | `link`, `issuer`, `decide`, `issue`, `reply` | the proxies' socket, and one request from arrival to reply |
//! | `replay`, `window` | pure rules |
//! | `token`, `status`, `upkeep` | the HSM, `dta status`, and what happens by the clock |
//!
//! It speaks to nobody but operators and proxies on its own machine, loads no vendor code, and writes no
//! secret anywhere but sealed into the state directory.

mod config;
mod customers;
mod decide;
mod desk;
mod issue;
mod issuer;
mod keyring;
mod link;
mod operator;
mod phase;
mod pins;
mod replay;
mod reply;
mod reshare;
mod retire;
mod sessions;
mod start;
mod status;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod testing;
mod token;
mod unlock;
mod upkeep;
mod vault;
mod window;

use std::path::PathBuf;
use std::sync::Arc;

use quorum::{ManifestChain, NodeKey};
use tokio::sync::watch;
use wire::api::{AuthorityIdHex, NodeKeyInfo};
use wire::keys::VerifyingKey;

pub(crate) use self::config::Config;
use self::decide::Names;
use self::desk::{Desk, Equipment};
use self::issuer::{Identification, Issuer, Setup};
use self::link::ProxySocket;
use self::operator::OperatorSocket;
use self::start::Found;
use self::status::StatusSource;
use self::token::Token;
use self::upkeep::Upkeep;
use self::vault::Vault;
use crate::service::clock::unix_seconds;
use crate::service::link::Snapshot;
use crate::service::process::{self, Shutdown};
use crate::service::unix::{AllowedUsers, BoundSocket};
use crate::term::{CliError, CliResult, Exit};

/// `dta authority`
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: dta authority --config /etc/dta/authority.toml")]
pub(crate) struct AuthorityArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "/etc/dta/authority.toml")]
    pub(crate) config: PathBuf,
}

/// Runs the process until it is told to stop.
pub(crate) fn run(args: AuthorityArgs) -> CliResult {
    process::init_logs();
    let config: Config = crate::service::config::load(&args.config)?;
    process::forbid_core_dumps().map_err(|error| CliError::new(Exit::Failed, error))?;
    let found = start::open(&config, &args.config)?;
    let runtime = process::runtime().map_err(|error| CliError::new(Exit::Failed, error))?;
    runtime.block_on(serve(config, found))
}

/// The node that this process is. A D-TA has one node so far, and its first key is that node's.
fn node_of(chain: &ManifestChain) -> &NodeKey {
    chain
        .current()
        .node_keys
        .first()
        .expect("a manifest has at least one node key")
}

async fn serve(config: Config, found: Found) -> CliResult {
    let shutdown = Shutdown::on_signals().map_err(|error| CliError::new(Exit::Failed, error))?;
    let operator_socket = BoundSocket::bind(&config.operator_socket)?;
    let proxy_socket = BoundSocket::bind(&config.proxy_socket)?;
    let parts = assemble(&config, found);

    let operators = OperatorSocket {
        desk: Arc::clone(&parts.desk),
        status: Arc::clone(&parts.status),
        users: AllowedUsers::own_and(&config.operator_users),
    };
    let proxies = ProxySocket {
        issuer: Arc::clone(&parts.issuer),
        snapshots: parts.snapshots,
        users: AllowedUsers::own_and(&config.proxy_users),
    };
    let upkeep = tokio::spawn(parts.upkeep.clone().run(shutdown.clone()));
    let operators = tokio::spawn(operators.serve(operator_socket, shutdown.clone()));
    tracing::info!(
        operator_socket = %config.operator_socket.display(),
        proxy_socket = %config.proxy_socket.display(),
        "listening, sealed"
    );
    process::notify_ready();

    proxies.serve(proxy_socket, shutdown).await;
    process::notify_stopping();
    for task in [upkeep, operators] {
        if let Err(error) = task.await {
            tracing::error!(%error, "a task failed within");
        }
    }
    let upkeep = parts.upkeep;
    if let Err(error) = tokio::task::spawn_blocking(move || upkeep.finish()).await {
        tracing::error!(%error, "the end failed within");
    }
    tracing::info!("stopped");
    Ok(())
}

/// Everything that runs, put together.
struct Parts {
    desk: Arc<Desk>,
    status: Arc<StatusSource>,
    issuer: Arc<Issuer>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    upkeep: Upkeep,
}

fn assemble(config: &Config, found: Found) -> Parts {
    let Found {
        state,
        log,
        recovered,
        unlogged,
        node,
        digests,
    } = found;
    let chain = state.chain().clone();
    let authority_id = chain.authority_id().to_string();
    let token = || Token::new(&config.hsm_socket, &node.node);
    let impatient = Token::impatient(&config.hsm_socket, &node.node);
    let vault = Arc::new(Vault::default());
    let status = Arc::new(StatusSource::new(
        chain.clone(),
        impatient,
        Arc::clone(&log),
    ));
    let sealed = Snapshot {
        authority_id: authority_id.clone(),
        public_authority: config.public_authority.as_str().to_owned(),
        keys: None,
    };
    let (sender, snapshots) = watch::channel(Arc::new(sealed));
    let names = Names {
        public_authority: config.public_authority.as_str().to_owned(),
        authority_id: AuthorityIdHex::from_bytes(*chain.authority_id().as_bytes()),
        authority_id_hex: authority_id,
    };
    let node_key = VerifyingKey::from_raw(node.public_key())
        .expect("the node key signed the manifest, so it is a point");
    let identification = Identification {
        name: chain.current().authority.to_string(),
        node: NodeKeyInfo::new(node.node.as_str(), &node_key),
    };
    let setup = Setup {
        names,
        identification,
        vault: Arc::clone(&vault),
        log: Arc::clone(&log),
        max_unsigned: config.unsigned_time(),
    };
    let still_valid = unix_seconds().saturating_sub(wire::signature::SKEW_SECONDS);
    let issuer = Arc::new(Issuer::new(setup, recovered.recent_nonces(still_valid)));
    let desk = Arc::new(Desk::new(
        Equipment {
            token: token(),
            node: node.clone(),
            log: Arc::clone(&log),
            vault,
            status: Arc::clone(&status),
            snapshots: sender,
            public_authority: config.public_authority.as_str().to_owned(),
            session_time: config.session_time(),
            digests,
        },
        state,
        unlogged,
    ));
    let upkeep = Upkeep {
        log,
        token: token(),
        desk: Arc::clone(&desk),
        issuer: Arc::clone(&issuer),
    };
    Parts {
        desk,
        status,
        issuer,
        snapshots,
        upkeep,
    }
}
