//! Files with certificates and keys: PEM, PKCS#12, and Java's JKS. What a file is, its first bytes say, not its name:
//! keytool writes PKCS#12 into `keystore.jks`.

mod jks;
mod pem;
mod pkcs12;

use std::fmt;
use std::time::{Duration, SystemTime};

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

/// What a file holds.
#[derive(Debug, Default)]
pub struct KeyStore {
    /// Certificates to trust: what Java calls trusted certificate entries, and the first certificate of each key.
    /// Of PEM, and of PKCS#12 without a key, all certificates.
    pub trusted: Vec<CertificateDer<'static>>,
    /// The first private key of the file with its certificates, if there is one.
    pub identity: Option<Identity>,
}

/// A private key, and the certificates that go with it: its own first, then that of who signed it, and so on.
pub struct Identity {
    /// Certificates.
    pub chain: Vec<CertificateDer<'static>>,
    /// The key.
    pub key: PrivateKeyDer<'static>,
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key() }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("certificates", &self.chain.len()).finish_non_exhaustive()
    }
}

/// A file that cannot be used. No text of it contains anything of the file or the password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyStoreError {
    /// None of the known formats.
    #[error("it is neither PEM nor PKCS#12 nor JKS")]
    Unknown,
    /// Java's JCEKS, which only Java reads.
    #[error("it is a JCEKS store; convert it: keytool -importkeystore -deststoretype pkcs12")]
    Jceks,
    /// The digest over the file does not fit the password.
    #[error("the password is wrong, or the file is damaged")]
    Password,
    /// A key with a password of its own. Java's operator knows one password for the store and its keys, too.
    #[error("a private key has another password than the store")]
    KeyPassword,
    /// A format inside of the format that is not read.
    #[error("a private key is encrypted in a way that is not supported ({0})")]
    Encryption(String),
    /// Not what the first bytes promise.
    #[error("the file is damaged: {0}")]
    Damaged(String),
}

impl KeyStore {
    /// Reads a file's content. The password counts for PKCS#12 and JKS; `None` is the empty one.
    pub fn read(content: &[u8], password: Option<&str>) -> Result<Self, KeyStoreError> {
        let password = password.unwrap_or_default();
        match content {
            [0xFE, 0xED, 0xFE, 0xED, ..] => jks::read(content, password),
            [0xCE, 0xCE, 0xCE, 0xCE, ..] => Err(KeyStoreError::Jceks),
            [0x30, ..] => pkcs12::read(content, password),
            text if text.windows(11).any(|window| window == b"-----BEGIN ") => pem::read(content),
            _ => Err(KeyStoreError::Unknown),
        }
    }
}

/// The subject of a certificate that is not valid at `now`, and why. `None` if it is, or cannot be read at all.
#[must_use]
pub fn out_of_date(certificate: &CertificateDer<'_>, now: SystemTime) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    let validity = certificate.validity();
    if validity.not_after.timestamp() < seconds {
        Some(format!("the certificate of {} has expired on {}", certificate.subject(), validity.not_after))
    } else if validity.not_before.timestamp() > seconds {
        Some(format!(
            "the certificate of {} is not valid before {}",
            certificate.subject(),
            validity.not_before
        ))
    } else {
        None
    }
}

/// Whether a trusted certificate may vouch for others. Java lets no certificate do so that does not say it is one of
/// an authority, unless it is too old (X.509 version 1) to say anything.
pub(crate) fn vouches_for_others(certificate: &CertificateDer<'_>) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return false };
    certificate.version.0 < 2 || certificate.is_ca()
}
