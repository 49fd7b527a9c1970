//! What goes over the wire: TLS, credentials, bodies of known length.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy exempts only test functions, not what they share"
)]

use std::sync::Arc;

use bytes::Bytes;
use flink_client::key_store::{Identity, KeyStore};
use flink_client::stub::{ClusterSettings, FlinkState, Storage, StubServer};
use flink_client::{
    CertificateDer, Endpoint, FlinkClient, FlinkError, HttpOptions, HttpTransport, JarFile, Scheme,
    TlsOptions,
};
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
    certificate: CertificateDer<'static>,
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
    TlsServer { port, certificate: certificate.der().clone(), _stub: stub }
}

async fn version(server: &TlsServer, tls: TlsOptions) -> Result<String, FlinkError> {
    let endpoint = Endpoint::new(Scheme::Https, "localhost", server.port).unwrap();
    let client = FlinkClient::over_http(&HttpOptions { tls, ..HttpOptions::default() }).unwrap();
    client.cluster(&endpoint).dashboard_config().await.map(|config| config.flink_version)
}

fn trusting(authority: &Authority) -> TlsOptions {
    TlsOptions { trusted: vec![authority.der().clone()], ..TlsOptions::default() }
}

fn identity(authority: &Authority) -> Option<Identity> {
    let (certificate, key) = issued(authority, "operator");
    let pem = [certificate.pem(), key.serialize_pem()].concat();
    KeyStore::read(pem.as_bytes(), None).unwrap().identity
}

/// Why there is no connection.
fn distrust(result: Result<String, FlinkError>) -> String {
    match result.unwrap_err() {
        FlinkError::Untrusted { detail, .. } => detail,
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn only_trusted_certificates_are_spoken_to() {
    let (ours, theirs) = (authority("ours"), authority("theirs"));
    let server = tls_server("localhost", &ours, None).await;
    assert_eq!(version(&server, trusting(&ours)).await, Ok("1.20.3".to_owned()));
    for tls in [trusting(&theirs), TlsOptions::default()] {
        let problem = distrust(version(&server, tls).await);
        assert_eq!(problem, "the JobManager's certificate is signed by nobody whom the operator trusts");
    }
    let trusted = vec![theirs.der().clone(), ours.der().clone()];
    assert!(version(&server, TlsOptions { trusted, ..TlsOptions::default() }).await.is_ok());
    let without = TlsOptions { trust_problem: Some("No file".to_owned()), ..TlsOptions::default() };
    assert!(distrust(version(&server, without).await).ends_with("trusts. No file"));
}

#[tokio::test]
async fn another_name_is_as_good_unless_names_count() {
    let ours = authority("ours");
    let server = tls_server("elsewhere.example", &ours, None).await;
    assert!(version(&server, trusting(&ours)).await.is_ok());
    let strict = TlsOptions { verify_host_name: true, ..trusting(&ours) };
    let problem = distrust(version(&server, strict.clone()).await);
    assert!(problem.starts_with("the JobManager's certificate is not valid: "), "{problem}");
    let server = tls_server("localhost", &ours, None).await;
    assert!(version(&server, strict).await.is_ok());
}

#[tokio::test]
async fn a_trusted_certificate_is_trusted_as_a_servers_own_but_vouches_for_no_other() {
    let ours = authority("ours");
    let server = tls_server("localhost", &ours, None).await;
    let trusted = vec![server.certificate.clone()];
    let pinned = TlsOptions { trusted, ..TlsOptions::default() };
    assert!(version(&server, pinned.clone()).await.is_ok());
    let other = tls_server("localhost", &ours, None).await;
    assert!(version(&other, pinned).await.is_err());
}

#[tokio::test]
async fn a_client_certificate_is_shown() {
    let (ours, theirs) = (authority("ours"), authority("theirs"));
    let server = tls_server("localhost", &ours, Some(&ours)).await;
    let without = TlsOptions { identity_problem: Some("No key".to_owned()), ..trusting(&ours) };
    let problem = distrust(version(&server, without).await);
    assert!(problem.starts_with("the JobManager asks for a certificate of the operator ("), "{problem}");
    assert!(problem.ends_with(". No key"), "{problem}");
    let wrong = TlsOptions { identity: identity(&theirs), ..trusting(&ours) };
    let problem = distrust(version(&server, wrong).await);
    assert!(problem.starts_with("the JobManager refuses the operator's certificate ("), "{problem}");
    let right = TlsOptions { identity: identity(&ours), ..trusting(&ours) };
    assert_eq!(version(&server, right).await, Ok("1.20.3".to_owned()));
}

#[tokio::test]
async fn certificates_change_without_a_new_transport() {
    let (ours, theirs) = (authority("ours"), authority("theirs"));
    let (old, new) =
        (tls_server("localhost", &ours, None).await, tls_server("localhost", &theirs, None).await);
    let options = HttpOptions { tls: trusting(&ours), ..HttpOptions::default() };
    let transport = Arc::new(HttpTransport::new(&options).unwrap());
    let client = FlinkClient::new(transport.clone());
    let asked = async |server: &TlsServer| {
        let endpoint = Endpoint::new(Scheme::Https, "localhost", server.port).unwrap();
        client.cluster(&endpoint).dashboard_config().await.is_ok()
    };
    assert!(asked(&old).await && !asked(&new).await);
    transport.use_tls(trusting(&theirs)).unwrap();
    assert!(!asked(&old).await && asked(&new).await);
    let mut unusable = TlsOptions { identity: identity(&ours), ..trusting(&ours) };
    unusable.identity.as_mut().unwrap().chain.clear();
    assert!(transport.use_tls(unusable).is_err());
    assert!(!asked(&old).await && asked(&new).await, "the old certificates stay in use");
}

#[tokio::test]
async fn a_server_without_tls_is_named() {
    let stub = FlinkState::new(ClusterSettings::default(), Storage::default(), Timestamp::now());
    let stub = StubServer::start(stub).await.unwrap();
    let endpoint = Endpoint::new(Scheme::Https, "localhost", stub.endpoint().unwrap().port()).unwrap();
    let client = FlinkClient::over_http(&HttpOptions::default()).unwrap();
    let answer = client.cluster(&endpoint).dashboard_config().await;
    assert_eq!(distrust(answer.map(|config| config.flink_version)), "the JobManager does not speak TLS");
}

#[test]
fn unusable_settings_are_refused_at_once() {
    let ours = authority("ours");
    let mut tls = TlsOptions { identity: identity(&ours), ..trusting(&ours) };
    assert!(tls.check().is_ok());
    let other = identity(&ours).unwrap();
    tls.identity.as_mut().unwrap().key = other.key;
    assert!(tls.check().is_err(), "a key that is not that of the certificate");
    assert!(FlinkClient::over_http(&HttpOptions { tls, ..HttpOptions::default() }).is_err());
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
