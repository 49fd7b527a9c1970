//! TLS settings of the HTTP transport.

use std::error::Error;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use crate::key_store::{Identity, vouches_for_others};

const NO_COMMON_CIPHER_SUITE: &str = "the JobManager knows none of the operator's cipher suites. \
    security.ssl.algorithms must name one with ECDHE and GCM, such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256";

/// Whom to trust, and who we are, when a cluster's REST API speaks TLS.
///
/// Only the given certificates are trusted: clusters use certificates of their own, and an operator image has
/// no system store. Without any, every `https` endpoint fails with a certificate error.
#[derive(Clone, Debug, Default)]
pub struct TlsOptions {
    /// Trusted certificates. One of an authority vouches for those that it signed; any of them is also trusted when a
    /// server shows it as its own, whatever it says of itself, as by Java.
    pub trusted: Vec<CertificateDer<'static>>,
    /// Our certificates and private key, for servers that ask for them
    /// (`security.ssl.rest.authentication-enabled`).
    pub identity: Option<Identity>,
    /// Whether a server's certificate must also name the host that was asked for. Default: false, as with Flink's Java
    /// client, which never compares names, whatever `security.ssl.verify-hostname` says.
    pub verify_host_name: bool,
    /// What is wrong with [`TlsOptions::trusted`], for the error when a server is not trusted. Default: nothing.
    pub trust_problem: Option<String>,
    /// What is wrong with [`TlsOptions::identity`], for the error when a server does not trust us. Default: nothing.
    pub identity_problem: Option<String>,
}

/// TLS settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// None of the certificates could ever fit.
    #[error("none of the trusted certificates can be read")]
    Untrustworthy,
    /// The TLS library refuses the settings.
    #[error("unusable TLS settings: {0}")]
    Settings(#[from] rustls::Error),
}

impl TlsOptions {
    /// Whether a client can be made of them.
    pub fn check(&self) -> Result<(), TlsError> {
        self.client_config().map(|_| ())
    }

    /// Builds the client settings with the ring provider, whatever the process's default provider is.
    pub(crate) fn client_config(&self) -> Result<ClientConfig, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let verifier = Arc::new(Verifier::new(self, provider.clone())?);
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let Some(Identity { chain, key }) = self.identity.clone() else {
            return Ok(builder.with_no_client_auth());
        };
        Ok(builder.with_client_auth_cert(chain, key)?)
    }

    /// Why TLS failed, if that is why a request did; for a person to read.
    pub(crate) fn failure(&self, error: &(dyn Error + 'static), while_connecting: bool) -> Option<String> {
        use rustls::Error as E;
        let (reason, problem) = match cause(error)? {
            E::AlertReceived(alert) if refuses_certificate(*alert) => {
                let reason = match &self.identity {
                    Some(_) => "the JobManager refuses the operator's certificate",
                    None => "the JobManager asks for a certificate of the operator",
                };
                (format!("{reason} ({alert:?})"), &self.identity_problem)
            }
            _ if !while_connecting => return None,
            E::AlertReceived(AlertDescription::HandshakeFailure) => {
                (NO_COMMON_CIPHER_SUITE.to_owned(), &None)
            }
            E::InvalidMessage(_) => ("the JobManager does not speak TLS".to_owned(), &None),
            E::InvalidCertificate(CertificateError::UnknownIssuer) => (
                "the JobManager's certificate is signed by nobody whom the operator trusts".to_owned(),
                &self.trust_problem,
            ),
            E::InvalidCertificate(reason) => {
                (format!("the JobManager's certificate is not valid: {reason}"), &self.trust_problem)
            }
            other => (other.to_string(), &None),
        };
        Some(match problem {
            Some(problem) => format!("{reason}. {problem}"),
            None => reason,
        })
    }
}

/// Checks the chain of trust and every signature, and the host's name if it is asked to.
#[derive(Debug)]
struct Verifier {
    authorities: RootCertStore,
    trusted: Vec<CertificateDer<'static>>,
    host_name: bool,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn new(options: &TlsOptions, provider: Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let mut authorities = RootCertStore::empty();
        let vouching = options.trusted.iter().filter(|certificate| vouches_for_others(certificate));
        let (_, unusable) = authorities.add_parsable_certificates(vouching.cloned());
        if unusable > 0 && authorities.is_empty() {
            return Err(TlsError::Untrustworthy);
        }
        let trusted = options.trusted.clone();
        Ok(Self { authorities, trusted, host_name: options.verify_host_name, provider })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let certificate = rustls::server::ParsedCertificate::try_from(end_entity)?;
        if !self.trusted.contains(end_entity) {
            rustls::client::verify_server_cert_signed_by_trust_anchor(
                &certificate,
                &self.authorities,
                intermediates,
                now,
                self.provider.signature_verification_algorithms.all,
            )?;
        }
        if self.host_name {
            rustls::client::verify_server_name(&certificate, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Answers of a server that wants another certificate than it got. With TLS 1.3 they come after the request was sent,
/// which then was not looked at.
fn refuses_certificate(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateRequired
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
    )
}

/// IO errors hide the error that they were made of from `source`.
fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        let inside = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match inside {
            Some(inside) => Some(inside),
            None => error.source(),
        };
    }
    None
}
