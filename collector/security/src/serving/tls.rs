//! TLS by rustls.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use crate::file_watch::FileWatch;

/// What is wrong with a certificate or its key.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file could not be read as PEM.
    #[error("{path}: {reason}; a PEM file with {expected} is needed")]
    File {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
        /// What is needed.
        expected: &'static str,
    },
    /// The certificate and the key can't be used, or not together.
    #[error("the certificate {certificate} and the key {key} can't be used together: {reason}")]
    Pair {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// rustls's words.
        reason: String,
    },
}

/// A certificate and its key. When their files change, new connections get the new ones.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
}

impl Tls {
    /// Reads the certificate (its chain, the own one first) and the key, both PEM.
    pub fn open(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let files = CertificateFiles::open(certificate, key)?;
        // The provider is named, so that no other part of the process decides about it.
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| files.pair(&error))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(files));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            config: Arc::new(config),
        })
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

/// Gives each handshake the certificate as it is now.
struct CertificateFiles {
    certificate: PathBuf,
    key: PathBuf,
    state: Mutex<State>,
}

struct State {
    certificate: FileWatch,
    key: FileWatch,
    current: Option<Arc<CertifiedKey>>,
}

impl CertificateFiles {
    fn open(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let mut state = State {
            certificate: FileWatch::new(certificate),
            key: FileWatch::new(key),
            current: None,
        };
        state.certificate.is_due();
        state.key.is_due();
        let mut files = Self {
            certificate: certificate.into(),
            key: key.into(),
            state: Mutex::new(state),
        };
        let current = files.read()?;
        let state = files.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        state.current = Some(Arc::new(current));
        Ok(files)
    }

    fn read(&self) -> Result<CertifiedKey, TlsError> {
        let file = |path: &Path, reason: String, expected| TlsError::File {
            path: path.into(),
            reason,
            expected,
        };
        let chain = CertificateDer::pem_file_iter(&self.certificate)
            .and_then(|certificates| certificates.collect::<Result<Vec<_>, _>>())
            .map_err(|error| file(&self.certificate, error.to_string(), "certificates"))?;
        if chain.is_empty() {
            return Err(file(&self.certificate, "no certificate in it".into(), "certificates"));
        }
        // The error's words name the kind of a section at most, never what is in it.
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|error| file(&self.key, error.to_string(), "a private key"))?;
        CertifiedKey::from_der(chain, key, &default_provider()).map_err(|error| self.pair(&error))
    }

    fn pair(&self, error: &dyn fmt::Display) -> TlsError {
        TlsError::Pair {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            reason: error.to_string(),
        }
    }
}

impl ResolvesServerCert for CertificateFiles {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Both are asked, so that one change does not lead to two reads.
        let (certificate, key) = (state.certificate.is_due(), state.key.is_due());
        if certificate || key {
            match self.read() {
                Ok(current) => state.current = Some(Arc::new(current)),
                // Mostly one of the two files is new and the other not yet.
                Err(error) => tracing::warn!(%error, "the certificate could not be read again; the old one stays"),
            }
        }
        state.current.clone()
    }
}

impl fmt::Debug for CertificateFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateFiles")
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}
