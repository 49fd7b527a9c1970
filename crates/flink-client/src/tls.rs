//! TLS settings of the HTTP transport.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// Whom to trust, and who we are, when a cluster's REST API speaks TLS.
///
/// Only the given certificates are trusted: clusters use certificates of their own, and an operator image has
/// no system store. Without any, every `https` endpoint fails with a certificate error.
#[derive(Clone, Default)]
pub struct TlsOptions {
    /// Trusted certificates, PEM, any number in one text.
    pub trusted_pem: Vec<u8>,
    /// Our certificate chain and private key, PEM, for `security.ssl.rest.authentication-enabled`.
    pub identity_pem: Option<Vec<u8>>,
    /// Accept any name in the server's certificate as long as a trusted certificate signed it. Flink's
    /// Java client does the same for certificates that are pinned by fingerprint. Default: false.
    pub any_server_name: bool,
}

impl std::fmt::Debug for TlsOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The identity holds a private key: only its presence is shown.
        f.debug_struct("TlsOptions")
            .field("trusted_pem_bytes", &self.trusted_pem.len())
            .field("has_identity", &self.identity_pem.is_some())
            .field("any_server_name", &self.any_server_name)
            .finish()
    }
}

/// TLS settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A text is not PEM, or lacks a certificate or key.
    #[error("cannot read {what}: {reason}")]
    Pem {
        /// Which of the settings.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// The TLS library refuses the settings.
    #[error("unusable TLS settings: {0}")]
    Settings(#[from] rustls::Error),
    /// The certificate verifier cannot be built.
    #[error("unusable trusted certificates: {0}")]
    Verifier(String),
}

fn certificates(what: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| TlsError::Pem { what, reason: error.to_string() })
}

impl TlsOptions {
    /// Builds the client settings with the ring provider, whatever the process's default provider is.
    pub(crate) fn client_config(&self) -> Result<ClientConfig, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let mut roots = RootCertStore::empty();
        for certificate in certificates("the trusted certificates", &self.trusted_pem)? {
            roots.add(certificate)?;
        }
        let builder =
            ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
        let builder = if self.any_server_name {
            let verifier = AnyServerName::new(roots, provider)?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        } else {
            builder.with_root_certificates(roots)
        };
        let Some(identity) = &self.identity_pem else {
            return Ok(builder.with_no_client_auth());
        };
        let what = "the client identity";
        let chain = certificates(what, identity)?;
        let key = PrivateKeyDer::from_pem_slice(identity)
            .map_err(|error| TlsError::Pem { what, reason: error.to_string() })?;
        Ok(builder.with_client_auth_cert(chain, key)?)
    }
}

/// Checks the chain of trust and every signature, but not that the certificate names the host.
#[derive(Debug)]
struct AnyServerName {
    roots: RootCertStore,
    provider: Arc<CryptoProvider>,
}

impl AnyServerName {
    fn new(roots: RootCertStore, provider: Arc<CryptoProvider>) -> Result<Self, TlsError> {
        if roots.is_empty() {
            return Err(TlsError::Verifier("there are none".to_owned()));
        }
        Ok(Self { roots, provider })
    }
}

impl ServerCertVerifier for AnyServerName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let certificate = rustls::server::ParsedCertificate::try_from(end_entity)?;
        rustls::client::verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &self.roots,
            intermediates,
            now,
            self.provider.signature_verification_algorithms.all,
        )?;
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
