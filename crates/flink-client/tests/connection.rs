//! What goes over the wire: TLS, credentials, bodies of known length.

#![allow(clippy::unwrap_used, reason = "clippy exempts only test functions, not what they share")]

use std::sync::Arc;

use bytes::Bytes;
use flink_client::stub::{ClusterSettings, FlinkState, Storage, StubServer};
use flink_client::{Endpoint, FlinkClient, FlinkError, HttpOptions, JarFile, Scheme, TlsOptions};
use jiff::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate with its key.
fn issued(authority: &Authority, name: &str) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    (params.signed_by(&key, authority).unwrap(), key)
}

/// The stub behind TLS: each connection is passed on.
struct TlsServer {
    port: u16,
    _stub: StubServer,
}

async fn tls_server(name: &str, authority: &Authority, clients: Option<&Authority>) -> TlsServer {
    let stub = FlinkState::new(ClusterSettings::default(), Storage::default(), Timestamp::now());
    let stub = StubServer::start(stub).await.unwrap();
    let behind = stub.endpoint().unwrap().port();
    let (certificate, key) = issued(authority, name);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            roots.add(clients.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut front) = acceptor.accept(socket).await else { return };
                let mut back = TcpStream::connect(("127.0.0.1", behind)).await.unwrap();
                let _ended = tokio::io::copy_bidirectional(&mut front, &mut back).await;
            });
        }
    });
    TlsServer { port, _stub: stub }
}

async fn version(server: &TlsServer, tls: TlsOptions) -> Result<String, FlinkError> {
    let endpoint = Endpoint::new(Scheme::Https, "localhost", server.port).unwrap();
    let client = FlinkClient::over_http(&HttpOptions { tls, ..HttpOptions::default() }).unwrap();
    client.cluster(&endpoint).dashboard_config().await.map(|config| config.flink_version)
}

fn trusting(authority: &Authority) -> TlsOptions {
    TlsOptions { trusted_pem: authority.pem().into_bytes(), ..TlsOptions::default() }
}

#[tokio::test]
async fn only_trusted_certificates_are_spoken_to() {
    let (ours, theirs) = (authority("ours"), authority("theirs"));
    let server = tls_server("localhost", &ours, None).await;
    assert_eq!(version(&server, trusting(&ours)).await, Ok("1.20.3".to_owned()));
    for tls in [trusting(&theirs), TlsOptions::default()] {
        let error = version(&server, tls).await.unwrap_err();
        assert!(matches!(error, FlinkError::Unreachable { sent: false, .. }), "{error:?}");
    }
    let both = [ours.pem(), theirs.pem()].concat().into_bytes();
    let tls = TlsOptions { trusted_pem: both, ..TlsOptions::default() };
    assert!(version(&server, tls).await.is_ok());
}

#[tokio::test]
async fn another_name_is_refused_unless_any_will_do() {
    let (ours, theirs) = (authority("ours"), authority("theirs"));
    let server = tls_server("elsewhere.example", &ours, None).await;
    assert!(matches!(
        version(&server, trusting(&ours)).await,
        Err(FlinkError::Unreachable { sent: false, .. })
    ));
    let any = TlsOptions { any_server_name: true, ..trusting(&ours) };
    assert!(version(&server, any).await.is_ok());
    let any = TlsOptions { any_server_name: true, ..trusting(&theirs) };
    assert!(version(&server, any).await.is_err(), "the chain of trust still counts");
}

#[tokio::test]
async fn a_client_certificate_is_shown() {
    let ours = authority("ours");
    let server = tls_server("localhost", &ours, Some(&ours)).await;
    assert!(version(&server, trusting(&ours)).await.is_err());
    let (certificate, key) = issued(&ours, "operator");
    let identity = [certificate.pem(), key.serialize_pem()].concat().into_bytes();
    let tls = TlsOptions { identity_pem: Some(identity), ..trusting(&ours) };
    assert!(!format!("{tls:?}").contains("PRIVATE"));
    assert_eq!(version(&server, tls).await, Ok("1.20.3".to_owned()));
}

#[test]
fn unusable_tls_settings_are_refused_at_once() {
    let setup = |tls| FlinkClient::over_http(&HttpOptions { tls, ..HttpOptions::default() });
    let garbage = b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n".to_vec();
    assert!(setup(TlsOptions { trusted_pem: garbage, ..TlsOptions::default() }).is_err());
    assert!(setup(TlsOptions { identity_pem: Some(b"no pem".to_vec()), ..TlsOptions::default() }).is_err());
    assert!(setup(TlsOptions { any_server_name: true, ..TlsOptions::default() }).is_err());
    let bearer_token = Some("a\nb".to_owned());
    assert!(FlinkClient::over_http(&HttpOptions { bearer_token, ..HttpOptions::default() }).is_err());
}

/// Answers one request with a given text and gives the request back.
async fn one_exchange(answer: &'static str) -> (Endpoint, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let endpoint = Endpoint::new(Scheme::Http, "127.0.0.1", listener.local_addr().unwrap().port()).unwrap();
    let exchange = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        let mut piece = [0; 4096];
        // The end of a request without a body, or of a multipart body.
        while !request.ends_with(b"\r\n\r\n") && !request.ends_with(b"--\r\n") {
            let read = socket.read(&mut piece).await.unwrap();
            assert!(read > 0, "the request ended early");
            request.extend_from_slice(&piece[..read]);
            if request.windows(4).any(|it| it == b"\r\n\r\n") && request.ends_with(b"java-archive\r\n\r\n") {
                // The head of the part has come without the jar: read on.
                let read = socket.read(&mut piece).await.unwrap();
                request.extend_from_slice(&piece[..read]);
            }
        }
        socket.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8_lossy(&request).into_owned()
    });
    (endpoint, exchange)
}

#[tokio::test]
async fn a_token_is_sent_and_only_sent() {
    let answer = "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: 51\r\n\r\n\
                  {\"kind\":\"Status\",\"message\":\"forbidden: user \\\"x\\\"\" } ";
    let (endpoint, exchange) = one_exchange(answer).await;
    let endpoint = endpoint.with_path_prefix("/api/v1/namespaces/a/services/b-rest:8081/proxy").unwrap();
    let bearer_token = Some("abc123".to_owned());
    let client = FlinkClient::over_http(&HttpOptions { bearer_token, ..HttpOptions::default() }).unwrap();
    let error = client.cluster(&endpoint).jobs_overview().await.unwrap_err();
    let request = exchange.await.unwrap();
    assert!(
        request.starts_with("GET /api/v1/namespaces/a/services/b-rest:8081/proxy/jobs/overview HTTP/1.1")
    );
    assert!(request.to_lowercase().contains("authorization: bearer abc123"), "{request}");
    assert!(matches!(error, FlinkError::Client { status: 403, .. }), "{error:?}");
    assert!(error.to_string().contains("forbidden: user"), "{error}");
}

#[tokio::test]
async fn a_jar_is_sent_with_its_length() {
    let body = "{\"filename\":\"/x/1_a.jar\",\"status\":\"success\"}";
    let answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 44\r\n\r\n";
    let answer: &'static str = Box::leak(format!("{answer}{body}").into_boxed_str());
    let (endpoint, exchange) = one_exchange(answer).await;
    let client = FlinkClient::over_http(&HttpOptions::default()).unwrap();
    let content = Bytes::from_static(b"the jar");
    let jar = JarFile::Bytes { name: "a.jar".to_owned(), content };
    assert_eq!(client.cluster(&endpoint).upload_jar(&jar).await, Ok("1_a.jar".to_owned()));
    let request = exchange.await.unwrap();
    let (head, sent) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.to_lowercase().contains(&format!("content-length: {}", sent.len())), "{head}");
    assert!(!head.to_lowercase().contains("transfer-encoding"), "{head}");
    assert!(sent.contains("filename=\"a.jar\"") && sent.contains("application/x-java-archive"), "{sent}");
}
