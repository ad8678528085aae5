//! TLS 1.3 and nothing older, with the post-quantum hybrid X25519MLKEM768 preferred.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;

use super::config::Config;
use crate::term::{CliError, Exit};

/// Why TLS cannot be served.
#[derive(Debug, Error)]
pub(crate) enum TlsError {
    #[error("cannot read the certificate chain {}", path.display())]
    Certificate { path: PathBuf, source: pem::Error },
    #[error("{} holds no certificate", .0.display())]
    NoCertificate(PathBuf),
    #[error("cannot read the TLS key {}", path.display())]
    Key { path: PathBuf, source: pem::Error },
    #[error("the TLS key {} has mode {mode:03o}: everybody on this machine can read it", path.display())]
    Exposed { path: PathBuf, mode: u32 },
    #[error("certificate and TLS key cannot be used")]
    Unusable(#[source] rustls::Error),
}

impl From<TlsError> for CliError {
    fn from(error: TlsError) -> Self {
        let remedy = match &error {
            TlsError::Certificate { .. } | TlsError::NoCertificate(_) => {
                "name a PEM file with the chain, leaf first, in `tls_cert`"
            }
            TlsError::Key { .. } => "name the PEM file of the leaf's private key in `tls_key`",
            TlsError::Exposed { .. } => "chmod 600 the file; at most a group may read it",
            TlsError::Unusable(_) => "check that `tls_key` belongs to the first certificate",
        };
        Self::new(Exit::Failed, error).with_remedy(Some(remedy))
    }
}

/// Reads certificate and key and builds the server's TLS configuration (ALPN `h2`, `http/1.1`).
pub(crate) fn server_config(config: &Config) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = read_chain(&config.tls_cert)?;
    let key = read_key(&config.tls_key)?;
    let mut tls = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::Unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(TlsError::Unusable)?;
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(tls))
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let unreadable = |source| TlsError::Key {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(|error| unreadable(pem::Error::Io(error)))?;
    let facts = file.metadata();
    let mode = facts
        .map_err(|error| unreadable(pem::Error::Io(error)))?
        .mode()
        & 0o777;
    if mode & 0o007 != 0 {
        let path = path.to_owned();
        return Err(TlsError::Exposed { path, mode });
    }
    PrivateKeyDer::from_pem_reader(file).map_err(unreadable)
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable = |source| TlsError::Certificate {
        path: path.to_owned(),
        source,
    };
    let chain = CertificateDer::pem_file_iter(path)
        .map_err(unreadable)?
        .collect::<Result<Vec<_>, _>>()
        .map_err(unreadable)?;
    if chain.is_empty() {
        Err(TlsError::NoCertificate(path.to_owned()))
    } else {
        Ok(chain)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_tls_key_that_everybody_can_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tls.key");
        let key = wire::keys::SigningKey::generate(wire::keys::Algorithm::EcdsaP256Sha256).unwrap();
        std::fs::write(&path, key.to_pem().unwrap().as_str()).unwrap();
        let read = |mode| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            read_key(&path)
        };
        let refused = read(0o644).unwrap_err().to_string();
        assert!(
            refused.ends_with("has mode 644: everybody on this machine can read it"),
            "{refused}"
        );
        assert!(read(0o640).is_ok());
        assert!(read(0o600).is_ok());
    }
}
