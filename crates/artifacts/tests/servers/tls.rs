//! Servers with TLS: whom they are believed.

use std::sync::Arc;

use artifacts::ArtifactOptions;
use engine::ports::Artifacts;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::support::{Folder, error, jar, options, request, store};

/// A server that names itself so, signed by an authority of its own, whose PEM is the second part.
async fn server(name: &str) -> (u16, String) {
    let mut authority = CertificateParams::new(Vec::<String>::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let pem = authority.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(authority, key);
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let _ = stream.read(&mut [0; 4096]).await;
                let jar = jar(1000);
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", jar.len());
                let _ = stream.write_all(&[head.as_bytes(), &jar].concat()).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    (port, pem)
}

#[tokio::test]
async fn authorities_of_the_operator_are_believed_and_names_are_compared() {
    let folder = Folder::new();
    let (port, pem) = server("jars.test").await;
    let file = folder.0.join("ca.pem");
    std::fs::write(&file, pem).unwrap();
    let with = |trusted_certificates| ArtifactOptions { trusted_certificates, ..options(&folder) };
    let wanted = request(&format!("https://jars.test:{port}/a.jar"), &[]);
    assert!(store(with(Some(file.clone()))).fetch(&wanted).await.is_ok());

    let stranger = error(&store(with(None)), &wanted).await;
    assert!(stranger.needs_user && stranger.message.contains("signed by nobody"), "{stranger}");
    assert!(stranger.message.contains("trusted-certificates"), "{stranger}");
    let other_name = request(&format!("https://other.test:{port}/a.jar"), &[]);
    let impostor = error(&store(with(Some(file.clone()))), &other_name).await;
    assert!(impostor.needs_user && impostor.message.contains("not valid"), "{impostor}");

    std::fs::write(&file, "no certificate").unwrap();
    let unusable = error(&store(with(Some(file))), &wanted).await;
    assert!(unusable.needs_user && unusable.message.contains("no certificates in PEM form"), "{unusable}");
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    let folder = Folder::new();
    let wanted = request(&format!("https://jars.test:{port}/a.jar"), &[]);
    let error = error(&store(options(&folder)), &wanted).await;
    assert!(!error.needs_user && error.message.contains("no connection"), "{error}");
}
