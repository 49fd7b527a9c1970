//! PKCS#12, as keytool, openssl and cert-manager write it.

use p12_keystore::error::Error;
use p12_keystore::{Certificate, CertificateBag, Pkcs12Archive, PrivateKeyBag};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::{Identity, KeyStore, KeyStoreError};

pub(super) fn read(content: &[u8], password: &str) -> Result<KeyStore, KeyStoreError> {
    let archive = Pkcs12Archive::from_pkcs12(content, password).map_err(|error| match error {
        Error::MacError(_) | Error::UnpadError => KeyStoreError::Password,
        Error::UnsupportedEncryptionScheme | Error::UnsupportedMacAlgorithm => {
            KeyStoreError::Encryption(error.to_string())
        }
        error => KeyStoreError::Damaged(error.to_string()),
    })?;
    let Pkcs12Archive { keys, certs, .. } = archive;
    let identity = keys.iter().find_map(|key| identity(key, keys.len() == 1, &certs));
    // keytool marks what it trusts. openssl marks nothing: a file without keys is there to be trusted.
    let trusted = certs.iter().filter(|bag| bag.trusted || keys.is_empty()).map(|bag| der(&bag.cert));
    let own = identity.iter().filter_map(|identity| identity.chain.first().cloned());
    Ok(KeyStore { trusted: trusted.chain(own).collect(), identity })
}

/// The key with its own certificate, which bears the key's id, and those of whoever signed it.
fn identity(key: &PrivateKeyBag, is_only_key: bool, certs: &[CertificateBag]) -> Option<Identity> {
    let id = key.local_key_id.as_ref().map(AsRef::as_ref);
    let same_id = |bag: &&CertificateBag| id.is_some() && bag.local_key_id.as_deref() == id;
    let own = certs.iter().find(same_id).or_else(|| certs.first().filter(|_| id.is_none() && is_only_key))?;
    let mut chain = vec![&own.cert];
    let mut last = &own.cert;
    while let Some(issuer) = certs.iter().map(|bag| &bag.cert).find(|cert| cert.subject() == last.issuer()) {
        if chain.contains(&issuer) {
            break;
        }
        chain.push(issuer);
        last = issuer;
    }
    let key = PrivatePkcs8KeyDer::from(key.key.as_der().to_vec());
    Some(Identity { chain: chain.into_iter().map(der).collect(), key: PrivateKeyDer::from(key) })
}

fn der(certificate: &Certificate) -> CertificateDer<'static> {
    CertificateDer::from(certificate.as_der().to_vec())
}
