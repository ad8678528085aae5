//! TLS 1.3, towards D-TAs: who may certify their keys.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// The certificates that a D-TA's TLS certificate must lead to.
#[derive(Clone)]
pub struct Roots(Arc<RootCertStore>);

impl Roots {
    /// The roots of the public web.
    pub fn web() -> Roots {
        let mut store = RootCertStore::empty();
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        Roots(Arc::new(store))
    }

    /// The certificates of a PEM text: at least one.
    ///
    /// # Errors
    /// What was expected instead.
    pub fn from_pem(pem: &str) -> Result<Roots, String> {
        let mut store = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let certificate = certificate.map_err(|error| format!("not PEM: {error}"))?;
            store
                .add(certificate)
                .map_err(|error| format!("not a certificate: {error}"))?;
        }
        if store.is_empty() {
            return Err("expected at least one PEM certificate".to_owned());
        }
        Ok(Roots(Arc::new(store)))
    }

    /// The TLS configuration: 1.3 only, HTTP/2 preferred, no client certificate.
    pub(crate) fn tls(&self) -> Result<Arc<ClientConfig>, rustls::Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(Arc::clone(&self.0))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roots({})", self.0.len())
    }
}
