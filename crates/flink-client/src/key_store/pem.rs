//! PEM: certificates, and at most one private key that is not encrypted.

use rustls::pki_types::pem::{Error, PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{Identity, KeyStore, KeyStoreError};

pub(super) fn read(text: &[u8]) -> Result<KeyStore, KeyStoreError> {
    let damaged = |error: Error| KeyStoreError::Damaged(error.to_string());
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(text).collect::<Result<_, _>>().map_err(damaged)?;
    let key = match PrivateKeyDer::from_pem_slice(text) {
        Ok(key) => Some(key),
        Err(Error::NoItemsFound) if has_encrypted_key(text) => {
            return Err(KeyStoreError::Encryption("PEM with a passphrase".to_owned()));
        }
        Err(Error::NoItemsFound) => None,
        Err(error) => return Err(damaged(error)),
    };
    let identity = key.map(|key| Identity { chain: certificates.clone(), key });
    Ok(KeyStore { trusted: certificates, identity })
}

/// Sections of other kinds are passed over by the reader, so this one is looked for by its name.
fn has_encrypted_key(text: &[u8]) -> bool {
    let name = b"-----BEGIN ENCRYPTED PRIVATE KEY";
    debug_assert!(SectionKind::try_from(&b"ENCRYPTED PRIVATE KEY"[..]).is_err());
    text.windows(name.len()).any(|window| window == name)
}
