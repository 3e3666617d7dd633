//! An engine behind TLS, with the files that the command `docker` uses.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::carry::carry;

/// Connects to an engine by TLS.
pub(super) struct Tls {
    /// `name:port`.
    authority: String,
    name: ServerName<'static>,
    connector: TlsConnector,
    folder: PathBuf,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Tls").field("authority", &self.authority).finish_non_exhaustive()
    }
}

/// Why no connection can be prepared.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    #[error("could not read `{}`, as DOCKER_TLS_VERIFY is set; DOCKER_CERT_PATH names the folder of ca.pem, cert.pem and key.pem", path.display())]
    File { path: PathBuf, source: rustls::pki_types::pem::Error },
    #[error("`{}` holds no certificate", path.display())]
    Empty { path: PathBuf },
    #[error("there is `{}`, but no `{}`: both are needed, or neither", there.display(), missing.display())]
    Half { there: PathBuf, missing: PathBuf },
    #[error("`{}` cannot be used", path.display())]
    Unusable { path: PathBuf, source: rustls::Error },
    #[error("`{name}` is not a name that a certificate can be for")]
    Name { name: String, source: rustls::pki_types::InvalidDnsNameError },
}

impl Tls {
    /// For `authority`, a name and a port, with the certificates in `folder`. Reads them, and does not
    /// connect yet.
    pub(super) fn new(authority: &str, folder: &Path) -> Result<Self, TlsError> {
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        let host = host.trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned())
            .map_err(|source| TlsError::Name { name: host.to_owned(), source })?;
        let (authorities, certificate, key) =
            (folder.join("ca.pem"), folder.join("cert.pem"), folder.join("key.pem"));
        let mut roots = RootCertStore::empty();
        for one in certificates(&authorities)? {
            roots
                .add(one)
                .map_err(|source| TlsError::Unusable { path: authorities.clone(), source })?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider knows the default versions")
            .with_root_certificates(roots);
        let client = match (certificate.exists(), key.exists()) {
            (true, true) => {
                let chain = certificates(&certificate)?;
                let secret = PrivateKeyDer::from_pem_file(&key)
                    .map_err(|source| TlsError::File { path: key.clone(), source })?;
                client
                    .with_client_auth_cert(chain, secret)
                    .map_err(|source| TlsError::Unusable { path: key, source })?
            }
            // An engine that requires a client certificate reports that.
            (false, false) => client.with_no_client_auth(),
            (true, false) => return Err(TlsError::Half { there: certificate, missing: key }),
            (false, true) => return Err(TlsError::Half { there: key, missing: certificate }),
        };
        Ok(Self {
            authority: authority.to_owned(),
            name,
            connector: TlsConnector::from(Arc::new(client)),
            folder: folder.to_owned(),
        })
    }

    /// Forwards one connection.
    pub(super) async fn lead(&self, client: &mut UnixStream) -> Result<(), String> {
        let engine =
            TcpStream::connect(&self.authority).await.map_err(|error| error.to_string())?;
        // Requests are small, and each one waits for its answer.
        engine.set_nodelay(true).map_err(|error| error.to_string())?;
        let engine = self.connector.connect(self.name.clone(), engine).await;
        let ended = match engine {
            Ok(engine) => {
                let (from_engine, to_engine) = tokio::io::split(engine);
                carry(client, from_engine, to_engine).await
            }
            Err(error) => Err(error),
        };
        ended.map_err(|error| self.explain(&error))
    }

    fn explain(&self, error: &std::io::Error) -> String {
        let file = |name: &str| self.folder.join(name).display().to_string();
        let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>())
        else {
            return error.to_string();
        };
        match tls {
            rustls::Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature,
            ) => {
                format!("the engine's certificate was not issued by `{}`", file("ca.pem"))
            }
            rustls::Error::InvalidCertificate(why) => {
                format!("the engine's certificate cannot be trusted: {why}")
            }
            rustls::Error::AlertReceived(
                AlertDescription::CertificateRequired | AlertDescription::HandshakeFailure,
            ) if !self.folder.join("cert.pem").exists() => {
                format!(
                    "the engine wants a certificate of its client, and there is no `{}`",
                    file("cert.pem")
                )
            }
            rustls::Error::AlertReceived(
                AlertDescription::UnknownCA
                | AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateUnknown
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateRevoked
                | AlertDescription::DecryptError,
            ) => format!("the engine does not accept `{}`: {tls}", file("cert.pem")),
            rustls::Error::InvalidMessage(_) => {
                "what listens there does not speak TLS: unset DOCKER_TLS_VERIFY if it is to be \
                 reached without"
                    .to_owned()
            }
            _ => tls.to_string(),
        }
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |source| TlsError::File { path: path.to_owned(), source };
    let all: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(failed)?.collect();
    let all = all.map_err(failed)?;
    if all.is_empty() { Err(TlsError::Empty { path: path.to_owned() }) } else { Ok(all) }
}
