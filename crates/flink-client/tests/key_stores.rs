//! Stores as keytool and openssl write them (`stores/make`).

#![allow(clippy::unwrap_used, reason = "clippy exempts only test functions, not what they share")]

use std::path::Path;
use std::time::{Duration, SystemTime};

use flink_client::key_store::{KeyStore, KeyStoreError, out_of_date};
use flink_client::{CertificateDer, TlsOptions};
use rustls::pki_types::pem::PemObject;

const PASSWORD: Option<&str> = Some("password1234");

fn file(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores").join(name)).unwrap()
}

fn read(name: &str) -> Result<KeyStore, KeyStoreError> {
    KeyStore::read(&file(name), PASSWORD)
}

/// The certificates of tls.crt: the operator's, and that of the authority.
fn certificates() -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(&file("tls.crt")).collect::<Result<_, _>>().unwrap()
}

#[test]
fn key_stores_of_every_kind_hold_the_key_and_its_chain() {
    let [own, authority] = <[_; 2]>::try_from(certificates()).unwrap();
    let pem = [file("tls.crt"), file("tls.key")].concat();
    let pem = KeyStore::read(&pem, None).unwrap().identity.unwrap();
    for name in ["keystore.jks", "keystore.p12", "openssl.p12", "openssl-legacy.p12"] {
        let store = read(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        let identity = store.identity.unwrap();
        assert_eq!(identity.chain, [own.clone(), authority.clone()], "{name}");
        assert_eq!(identity.key.secret_der(), pem.key.secret_der(), "{name}");
        assert_eq!(store.trusted, std::slice::from_ref(&own), "{name}: Java trusts a key's own certificate");
        let tls = TlsOptions { identity: Some(identity), ..TlsOptions::default() };
        tls.check().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!format!("{tls:?}").contains("Pkcs8"), "{tls:?}");
    }
}

#[test]
fn trust_stores_of_every_kind_hold_the_authority() {
    let authority = certificates().pop().unwrap();
    for name in ["truststore.jks", "truststore.p12", "openssl-trust.p12", "ca.crt"] {
        let store = read(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(store.trusted, std::slice::from_ref(&authority), "{name}");
        assert!(store.identity.is_none(), "{name}");
    }
}

#[test]
fn a_wrong_password_is_named() {
    for name in ["keystore.jks", "truststore.jks", "keystore.p12", "truststore.p12", "openssl-legacy.p12"] {
        for password in [Some("wrong"), Some(""), None] {
            let error = KeyStore::read(&file(name), password).unwrap_err();
            assert_eq!(error, KeyStoreError::Password, "{name} {password:?}");
        }
    }
    assert_eq!(read("other-key-password.jks").unwrap_err(), KeyStoreError::KeyPassword);
}

#[test]
fn what_is_not_read_says_what_it_is() {
    assert_eq!(read("keystore.jceks").unwrap_err(), KeyStoreError::Jceks);
    assert!(matches!(read("encrypted.crt"), Err(KeyStoreError::Encryption(_))));
    for content in [&b""[..], b"text", &[0xFE, 0xED]] {
        assert_eq!(KeyStore::read(content, PASSWORD).unwrap_err(), KeyStoreError::Unknown);
    }
}

#[test]
fn no_damage_makes_it_panic_or_pass() {
    for name in ["keystore.jks", "truststore.jks", "keystore.p12", "truststore.p12", "openssl-legacy.p12"] {
        let whole = file(name);
        for length in (0..whole.len()).step_by(37) {
            assert!(KeyStore::read(&whole[..length], PASSWORD).is_err(), "{name} up to {length}");
        }
        for place in (4..whole.len()).step_by(101) {
            let mut damaged = whole.clone();
            damaged[place] ^= 0x55;
            // Some bytes of PKCS#12 are outside of what its digest covers.
            let read = KeyStore::read(&damaged, PASSWORD);
            assert!(read.is_err() || name.ends_with("p12"), "{name} at {place}");
        }
    }
}

/// Correct digest, wrong content: what only somebody with the password could write.
#[test]
fn a_signed_jks_with_nonsense_inside_is_refused() {
    let whole = file("keystore.jks");
    let body = &whole[..whole.len() - 20];
    for place in 4..body.len() {
        let mut damaged = body.to_vec();
        damaged[place] = 0xFF;
        let password: Vec<u8> = PASSWORD.unwrap().encode_utf16().flat_map(u16::to_be_bytes).collect();
        let mut digest = ring::digest::Context::new(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY);
        for part in [&password[..], b"Mighty Aphrodite", &damaged] {
            digest.update(part);
        }
        damaged.extend_from_slice(digest.finish().as_ref());
        assert_ne!(KeyStore::read(&damaged, PASSWORD).err(), Some(KeyStoreError::Password), "at {place}");
    }
}

#[test]
fn certificates_out_of_date_are_named() {
    let certificate = &certificates()[0];
    assert_eq!(out_of_date(certificate, SystemTime::now()), None);
    let future = SystemTime::now() + Duration::from_hours(24 * 365 * 101);
    let problem = out_of_date(certificate, future).unwrap();
    assert!(problem.starts_with("the certificate of CN=FlinkOperator has expired on "), "{problem}");
    let past = out_of_date(certificate, SystemTime::UNIX_EPOCH).unwrap();
    assert!(past.contains("is not valid before"), "{past}");
}
