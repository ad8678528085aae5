//! The process `dta proxy`: the public HTTPS side of a D-TA.
//!
//! It terminates TLS 1.3, checks shape, signature and time of each request, and forwards what passes, whole, to
//! the authority, whose signed replies it hands back untouched. It holds no secret but its TLS key, decides
//! nothing that the authority does not decide again, and logs neither bodies nor shares.

mod config;
mod handler;
mod listener;
mod problems;
mod tls;
mod upstream;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

pub(crate) use self::config::Config;
use self::handler::Proxy;
use self::upstream::{Target, View, internal_uri};
use crate::service::link::{REFUSALS_PATH, RefusalReport};
use crate::service::process::{self, Shutdown};
use crate::service::refusals::RefusalCounter;
use crate::term::{CliError, CliResult, Exit};

/// How often finished minutes of refusals are looked for.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// The most requests in work at once, over all connections; it bounds the memory that bodies take.
const MAX_REQUESTS: usize = 2_048;

/// `dta proxy`
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: dta proxy --config /etc/dta/proxy.toml")]
pub(crate) struct ProxyArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "/etc/dta/proxy.toml")]
    pub(crate) config: PathBuf,
}

/// Runs the process until it is told to stop.
pub(crate) fn run(args: ProxyArgs) -> CliResult {
    process::init_logs();
    let config: Config = crate::service::config::load(&args.config)?;
    let tls = TlsAcceptor::from(tls::server_config(&config)?);
    let runtime = process::runtime().map_err(|error| CliError::new(Exit::Failed, error))?;
    runtime.block_on(serve(config, tls))
}

#[derive(Debug, Error)]
enum ServeError {
    #[error("cannot listen on {address}")]
    Listen {
        address: std::net::SocketAddr,
        source: std::io::Error,
    },
    #[error("cannot wait for signals")]
    Signals(#[source] std::io::Error),
}

impl From<ServeError> for CliError {
    fn from(error: ServeError) -> Self {
        Self::new(Exit::Failed, error).with_remedy(Some(
            "check that `listen` is free and that this user may bind it",
        ))
    }
}

async fn serve(config: Config, tls: TlsAcceptor) -> CliResult {
    let shutdown = Shutdown::on_signals().map_err(ServeError::Signals)?;
    let listen = |source| ServeError::Listen {
        address: config.listen,
        source,
    };
    let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    let public_authority = config.public_authority.as_str().to_owned();
    let views = upstream::connect(Target {
        socket: config.authority_socket,
        public_authority: public_authority.clone(),
    });
    let refusals = Arc::new(RefusalCounter::default());
    tokio::spawn(report_refusals(Arc::clone(&refusals), views.clone()));
    let proxy = Proxy {
        public_authority,
        slots: Semaphore::new(MAX_REQUESTS),
        views: views.clone(),
        refusals: Arc::clone(&refusals),
    };
    tracing::info!(%address, "listening");
    process::notify_ready();
    listener::serve(
        listener,
        tls,
        Arc::new(proxy),
        config.max_connections,
        shutdown,
    )
    .await;
    process::notify_stopping();
    for report in refusals.take_all() {
        deliver(&views, &report).await;
    }
    tracing::info!("stopped");
    Ok(())
}

/// Hands every finished minute to the authority, for its audit log.
async fn report_refusals(refusals: Arc<RefusalCounter>, views: watch::Receiver<Arc<View>>) {
    let mut ticks = tokio::time::interval(REPORT_INTERVAL);
    loop {
        ticks.tick().await;
        for report in refusals.take_finished() {
            if !deliver(&views, &report).await {
                refusals.put_back(report);
            }
        }
    }
}

/// Whether the authority took the report.
async fn deliver(views: &watch::Receiver<Arc<View>>, report: &RefusalReport) -> bool {
    let link = match &**views.borrow() {
        View::Unreachable => return false,
        View::Sealed(link) | View::Unlocked(link, _) => link.clone(),
    };
    let body = serde_json::to_vec(report).expect("a report is plain JSON");
    let mut request = Request::new(Full::new(Bytes::from(body)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = internal_uri(REFUSALS_PATH);
    link.send(request)
        .await
        .is_ok_and(|reply| reply.status().is_success())
}
