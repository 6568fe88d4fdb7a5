//! TLS with rustls and ring: the root certificates of the system or an own authority, and a client certificate.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::{CertificateError, ClientConfig, RootCertStore};

use crate::config::TlsConfig;

/// The root certificates of this system.
///
/// The second value says what is wrong if there are none: connections then fail, the service does not.
pub(in crate::export) fn system_roots() -> (RootCertStore, Option<String>) {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    let problem = roots.is_empty().then(|| {
        let errors: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
        let errors = if errors.is_empty() { String::new() } else { format!(" ({})", errors.join("; ")) };
        format!(
            "no root certificates found on this system, https endpoints cannot be verified: install the \
             ca-certificates package or set SSL_CERT_FILE{errors}"
        )
    });
    (roots, problem)
}

/// Which certificates a client uses.
#[derive(Debug, Clone)]
pub(super) struct TlsSource {
    pub(super) system_roots: RootCertStore,
    pub(super) files: TlsConfig,
}

/// Changes when a file does.
pub(super) type TlsStamp = Vec<Option<(SystemTime, u64)>>;

/// A file of certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    #[error("cannot read {what} from {}: {source}", path.display())]
    File { what: &'static str, path: PathBuf, source: pem::Error },
    #[error("{} has no certificate in PEM form", path.display())]
    Empty { path: PathBuf },
    #[error("the client certificate {} and the key {} do not fit: {source}", certificate.display(), key.display())]
    Client { certificate: PathBuf, key: PathBuf, source: rustls::Error },
    #[error("TLS cannot be set up: {0}")]
    Other(#[from] rustls::Error),
}

impl TlsSource {
    fn files(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.files.authority, &self.files.client_certificate, &self.files.client_key].into_iter().flatten()
    }

    /// When and how long the files are; nothing where the system's certificates are used.
    pub(super) fn stamp(&self) -> TlsStamp {
        let stamp = |path: &PathBuf| {
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        };
        self.files().map(stamp).collect()
    }

    /// The configuration with what the files have now, with the ring provider, whatever the process's default is.
    pub(super) fn client_config(&self) -> Result<ClientConfig, TlsError> {
        let roots = match &self.files.authority {
            Some(path) => authority(path)?,
            None => self.system_roots.clone(),
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let config = match (&self.files.client_certificate, &self.files.client_key) {
            (Some(certificate), Some(key)) => {
                let chain = certificates(certificate, "the client certificate")?;
                let private = PrivateKeyDer::from_pem_file(key).map_err(|source| TlsError::File {
                    what: "the client key",
                    path: key.clone(),
                    source,
                })?;
                builder.with_client_auth_cert(chain, private).map_err(|source| TlsError::Client {
                    certificate: certificate.clone(),
                    key: key.clone(),
                    source,
                })?
            }
            _ => builder.with_no_client_auth(),
        };
        Ok(config)
    }
}

/// A certificate whose time is over or has not come, in words that stay the same: rustls counts the seconds, which would
/// make another cause of each failure.
pub(super) fn out_of_date(cause: &(dyn Error + 'static)) -> Option<String> {
    use CertificateError::{ExpiredContext, NotValidYetContext};
    let rustls::Error::InvalidCertificate(why) = of_rustls(cause)? else { return None };
    match why {
        ExpiredContext { not_after, .. } => {
            Some(format!("invalid peer certificate: it expired on {}", date(*not_after)))
        }
        NotValidYetContext { not_before, .. } => Some(format!(
            "invalid peer certificate: it is not valid before {}, if the clock of this host is right",
            date(*not_before)
        )),
        _ => None,
    }
}

/// Those who make the connection pack it into one error of the system's kind after the other.
fn of_rustls<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    error.downcast_ref().or_else(|| of_rustls(error.downcast_ref::<io::Error>()?.get_ref()?))
}

fn date(time: UnixTime) -> String {
    /// What is later cannot be written as such a date.
    const END_OF_9999: u64 = 253_402_300_799;
    let since = Duration::from_secs(time.as_secs().min(END_OF_9999));
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + since)
}

fn authority(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates(path, "the certificate authority")?);
    if roots.is_empty() { Err(TlsError::Empty { path: path.to_owned() }) } else { Ok(roots) }
}

fn certificates(path: &Path, what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |source| TlsError::File { what, path: path.to_owned(), source };
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(failed)?.collect();
    let found = found.map_err(failed)?;
    if found.is_empty() { Err(TlsError::Empty { path: path.to_owned() }) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use rustls::CertificateError::{ExpiredContext, NotValidYetContext, UnknownIssuer};
    use rustls::pki_types::UnixTime;

    use super::out_of_date;

    #[test]
    fn the_words_for_an_expired_certificate_do_not_change_with_the_time() {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let told = |why| {
            let error = rustls::Error::InvalidCertificate(why);
            out_of_date(&io::Error::other(io::Error::new(io::ErrorKind::InvalidData, error)))
        };
        for now in [2, 3] {
            let expired = told(ExpiredContext { time: at(now), not_after: at(1) }).unwrap();
            assert!(expired.ends_with("it expired on Thu, 01 Jan 1970 00:00:01 GMT"), "{expired}");
        }
        let early = told(NotValidYetContext { time: at(1), not_before: at(u64::MAX) }).unwrap();
        assert!(early.contains("not valid before Fri, 31 Dec 9999 23:59:59 GMT"), "{early}");
        assert_eq!(told(UnknownIssuer), None);
    }
}
