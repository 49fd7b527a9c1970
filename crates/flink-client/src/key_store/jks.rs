//! JKS, Java's own format until version 8, which cert-manager still writes.
//!
//! All numbers are big-endian: magic, version (1 or 2), number of entries, the entries, and a SHA-1 digest of the
//! password, a phrase and everything before. An entry is a tag (1: key, 2: trusted certificate), an alias, a time, and
//! for a key the protected key and a list of certificates. The protection of keys is a stream of SHA-1 digests.
//! Source: `sun.security.provider.JavaKeyStore` and `KeyProtector`. The format is weak, and so is nothing else here:
//! it is read, never written.

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA1_OUTPUT_LEN};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::{Identity, KeyStore, KeyStoreError};

/// Goes into the digest over the file.
const PHRASE: &[u8] = b"Mighty Aphrodite";
const KEY: u32 = 1;
const TRUSTED: u32 = 2;
/// Contents of the AlgorithmIdentifier of protected keys: OID 1.3.6.1.4.1.42.2.17.1.1, and NULL or nothing.
const PROTECTION: &[u8] = &[0x06, 0x0A, 0x2B, 0x06, 0x01, 0x04, 0x01, 0x2A, 0x02, 0x11, 0x01, 0x01];

pub(super) fn read(content: &[u8], password: &str) -> Result<KeyStore, KeyStoreError> {
    let password: Vec<u8> = password.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let (body, digest) = content.split_last_chunk::<SHA1_OUTPUT_LEN>().ok_or_else(ends_early)?;
    if sha1(&[&password, PHRASE, body]) != *digest {
        return Err(KeyStoreError::Password);
    }
    let mut reader = Reader(body);
    reader.number()?;
    let version = reader.number()?;
    if !matches!(version, 1 | 2) {
        return Err(KeyStoreError::Damaged(format!("version {version} of JKS does not exist")));
    }
    let mut store = KeyStore::default();
    for _ in 0..reader.number()? {
        let tag = reader.number()?;
        reader.text()?;
        reader.take(8)?;
        match tag {
            KEY => {
                let key = reader.bytes()?;
                let number = reader.number()?;
                let chain =
                    (0..number).map(|_| reader.certificate(version)).collect::<Result<Vec<_>, _>>()?;
                store.trusted.extend(chain.first().cloned());
                if store.identity.is_none() {
                    let key = PrivatePkcs8KeyDer::from(unprotected(key, &password)?);
                    store.identity = Some(Identity { chain, key: PrivateKeyDer::from(key) });
                }
            }
            TRUSTED => store.trusted.push(reader.certificate(version)?),
            tag => return Err(KeyStoreError::Damaged(format!("an entry has the unknown tag {tag}"))),
        }
    }
    Ok(store)
}

fn ends_early() -> KeyStoreError {
    KeyStoreError::Damaged("it ends early".to_owned())
}

fn sha1(parts: &[&[u8]]) -> [u8; SHA1_OUTPUT_LEN] {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    for part in parts {
        context.update(part);
    }
    let mut digest = [0; SHA1_OUTPUT_LEN];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

/// The PKCS#8 key inside of an EncryptedPrivateKeyInfo: salt, the key XORed with digests that each hash the password
/// and the one before, and a digest of password and key.
fn unprotected(info: &[u8], password: &[u8]) -> Result<Vec<u8>, KeyStoreError> {
    let mut info = Reader(Reader(info).der(0x30)?);
    if !info.der(0x30)?.starts_with(PROTECTION) {
        return Err(KeyStoreError::Encryption("not Java's own protection of JKS".to_owned()));
    }
    let protected = info.der(0x04)?;
    let (salt, rest) = protected.split_first_chunk::<SHA1_OUTPUT_LEN>().ok_or_else(ends_early)?;
    let (hidden, digest) = rest.split_last_chunk::<SHA1_OUTPUT_LEN>().ok_or_else(ends_early)?;
    let mut last = *salt;
    let mut key = Vec::with_capacity(hidden.len());
    for piece in hidden.chunks(SHA1_OUTPUT_LEN) {
        last = sha1(&[password, &last]);
        key.extend(piece.iter().zip(last).map(|(hidden, mask)| hidden ^ mask));
    }
    if sha1(&[password, &key]) == *digest { Ok(key) } else { Err(KeyStoreError::KeyPassword) }
}

/// What has not been read yet.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], KeyStoreError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(ends_early)?;
        self.0 = rest;
        Ok(taken)
    }

    fn big_endian(&mut self, length: usize) -> Result<usize, KeyStoreError> {
        Ok(self.take(length)?.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    fn number(&mut self) -> Result<u32, KeyStoreError> {
        u32::try_from(self.big_endian(4)?).map_err(|_| ends_early())
    }

    fn bytes(&mut self) -> Result<&'a [u8], KeyStoreError> {
        let length = self.big_endian(4)?;
        self.take(length)
    }

    /// Java's modified UTF-8.
    fn text(&mut self) -> Result<&'a [u8], KeyStoreError> {
        let length = self.big_endian(2)?;
        self.take(length)
    }

    fn certificate(&mut self, version: u32) -> Result<CertificateDer<'static>, KeyStoreError> {
        if version == 2 && !matches!(self.text()?, b"X.509" | b"X509") {
            return Err(KeyStoreError::Damaged("a certificate is not of X.509".to_owned()));
        }
        Ok(CertificateDer::from(self.bytes()?.to_vec()))
    }

    /// The content of the DER value that comes next, which must have this tag.
    fn der(&mut self, tag: u8) -> Result<&'a [u8], KeyStoreError> {
        let damaged = || KeyStoreError::Damaged("a private key is not what it should be".to_owned());
        if self.take(1)? != [tag] {
            return Err(damaged());
        }
        let length = match self.big_endian(1)? {
            short @ 0..=0x7F => short,
            0x81 => self.big_endian(1)?,
            0x82 => self.big_endian(2)?,
            0x83 => self.big_endian(3)?,
            _ => return Err(damaged()),
        };
        self.take(length)
    }
}
