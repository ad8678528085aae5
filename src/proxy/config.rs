//! The proxy's configuration, `proxy.toml`. It names no secret but the file of the TLS key.

use std::path::PathBuf;

use serde::Deserialize;

use crate::service::config::PublicAuthority;

/// `proxy.toml`; `docs/samples/proxy.toml` says what each key is for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Address and port to listen on; port 0 takes a free one, which the log names.
    pub(crate) listen: std::net::SocketAddr,
    /// `host[:port]` as customers sign it in `@authority`.
    pub(crate) public_authority: PublicAuthority,
    /// The certificate chain, PEM, leaf first.
    pub(crate) tls_cert: PathBuf,
    /// The private key of the leaf, PEM (PKCS#8, SEC1 or PKCS#1).
    pub(crate) tls_key: PathBuf,
    /// The authority's Unix socket (`proxy_socket` in its own configuration).
    pub(crate) authority_socket: PathBuf,
    /// The most TLS connections open at once; more wait in the kernel's queue.
    #[serde(default = "default_max_connections")]
    pub(crate) max_connections: u32,
}

fn default_max_connections() -> u32 {
    4_096
}
