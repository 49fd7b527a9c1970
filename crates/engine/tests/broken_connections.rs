//! What the adapters make of servers that do not answer as they should, over real sockets.

#![allow(clippy::unwrap_used, reason = "a test may fail that way")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use engine::flink::{Flink, FlinkAddresses, ServiceProxyTransport};
use engine::kubernetes::{InitialList, Kubernetes};
use engine::ports::{ApiError, Kind, KubernetesApi, ObjectKey, Scope, WatchEvent};
use flink_client::FlinkError;
use futures::StreamExt;
use lifecycle::FlinkCluster;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// What a server does with each connection.
#[derive(Clone)]
enum Behaviour {
    /// Reads the request and answers with these bytes, then closes.
    Answer(String),
    /// Reads the request and closes without an answer.
    Close,
    /// Reads the request and never answers.
    Hang,
}

/// A server that behaves like this, and the requests that it gets.
async fn server(behaviour: Behaviour) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, behaviour.clone(), sender.clone()));
        }
    });
    (address, requests)
}

async fn serve(mut stream: TcpStream, behaviour: Behaviour, requests: mpsc::UnboundedSender<String>) {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let read = stream.read(&mut piece).await.unwrap_or(0);
        request.extend_from_slice(&piece[..read]);
        if read == 0 || is_whole(&request) {
            break;
        }
    }
    let _ = requests.send(String::from_utf8_lossy(&request).into_owned());
    match behaviour {
        Behaviour::Answer(answer) => drop(stream.write_all(answer.as_bytes()).await),
        Behaviour::Close => {}
        Behaviour::Hang => std::future::pending().await,
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

fn answer(status: &str, content_type: &str, body: &str) -> Behaviour {
    Behaviour::Answer(format!(
        "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    ))
}

fn client(address: SocketAddr) -> kube::Client {
    let mut config = kube::Config::new(format!("http://{address}").parse().unwrap());
    config.default_retry = false;
    kube::Client::try_from(config).unwrap()
}

fn kubernetes(address: SocketAddr) -> Kubernetes {
    Kubernetes::new(client(address), Duration::from_millis(500), InitialList::Paged)
}

async fn get(address: SocketAddr) -> Result<bool, ApiError> {
    let key = ObjectKey::new("ns", "app");
    kubernetes(address).get(Kind::FLINK_DEPLOYMENT, &key).await.map(|object| object.is_some())
}

#[tokio::test]
async fn a_refused_connection_was_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = get(address).await.unwrap_err();
    assert!(matches!(&error, ApiError::Unreachable { sent: false, .. }), "{error:?}");
    assert!(!error.may_have_happened());
}

#[tokio::test]
async fn a_connection_that_breaks_may_have_had_its_effect() {
    let (address, _requests) = server(Behaviour::Close).await;
    let error = get(address).await.unwrap_err();
    assert!(matches!(&error, ApiError::Unreachable { sent: true, .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_that_hangs_is_left_after_the_time_limit() {
    let (address, _requests) = server(Behaviour::Hang).await;
    assert_eq!(get(address).await, Err(ApiError::Timeout { limit: Duration::from_millis(500) }));
}

#[tokio::test]
async fn an_answer_that_ends_early_or_is_no_json_is_no_answer() {
    let cut =
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 400\r\n\r\n{\"metadata\":";
    let (address, _requests) = server(Behaviour::Answer(cut.to_owned())).await;
    assert!(matches!(get(address).await, Err(ApiError::Unreachable { sent: true, .. })));
    let (address, _requests) = server(answer("200 OK", "text/html", "<html>login</html>")).await;
    assert!(matches!(get(address).await, Err(ApiError::Malformed { .. })));
}

#[tokio::test]
async fn nothing_is_sent_twice() {
    for status in ["429 Too Many Requests", "503 Service Unavailable", "504 Gateway Timeout"] {
        let (address, mut requests) = server(answer(status, "text/plain", "later")).await;
        let created = kubernetes(address)
            .create(Kind::CONFIG_MAP, &Kind::CONFIG_MAP.object(&ObjectKey::new("ns", "a")))
            .await;
        assert!(created.is_err());
        assert!(requests.recv().await.unwrap().starts_with("POST /api/v1/namespaces/ns/configmaps?"));
        assert!(requests.try_recv().is_err(), "{status}");
    }
}

#[tokio::test]
async fn a_watch_says_that_it_failed_and_goes_on() {
    let (address, _requests) = server(answer("500 Internal Server Error", "text/plain", "no")).await;
    let mut events = kubernetes(address).watch(Kind::DEPLOYMENT, &Scope::all());
    for _ in 0..2 {
        let event = tokio::time::timeout(Duration::from_mins(1), events.next()).await.unwrap();
        assert!(matches!(event, Some(WatchEvent::Failed(ApiError::Server { code: 500, .. }))), "{event:?}");
    }
}

fn flink(address: SocketAddr) -> flink_client::FlinkCluster {
    let transport = Arc::new(ServiceProxyTransport::new(client(address)));
    let cluster =
        FlinkCluster { namespace: "ns".to_owned(), name: "app".to_owned(), rest_port: 8081, tls: false };
    Flink::new(transport, FlinkAddresses::ServiceProxy).cluster(&cluster, Duration::from_millis(500)).unwrap()
}

#[tokio::test]
async fn flink_is_spoken_to_through_the_service_proxy() {
    let id = "0".repeat(32);
    let body = json!({ "request-id": id }).to_string();
    let (address, mut requests) = server(answer("202 Accepted", "application/json", &body)).await;
    let trigger = flink_client::SavepointTrigger {
        target_directory: None,
        format_type: flink_client::SavepointFormat::Canonical,
        trigger_id: id.parse().unwrap(),
    };
    flink(address).trigger_savepoint(&id.parse().unwrap(), &trigger).await.unwrap();
    let request = requests.recv().await.unwrap();
    let expected =
        format!("POST /api/v1/namespaces/ns/services/app-rest:8081/proxy/jobs/{id}/savepoints HTTP/1.1");
    assert!(request.starts_with(&expected), "{request}");
    assert!(request.ends_with(&json!({"formatType": "CANONICAL", "triggerId": id}).to_string()), "{request}");
}

#[tokio::test]
async fn a_service_without_a_pod_is_an_unreachable_flink() {
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 503,
        "reason": "ServiceUnavailable", "message": "no endpoints available for service \"app-rest\""});
    let (address, _requests) =
        server(answer("503 Service Unavailable", "application/json", &status.to_string())).await;
    let error = flink(address).jobs_overview().await.unwrap_err();
    assert!(matches!(&error, FlinkError::Unreachable { sent: false, .. }), "{error:?}");
}

#[tokio::test]
async fn a_flink_that_hangs_behind_the_proxy_is_too_late() {
    let (address, _requests) = server(Behaviour::Hang).await;
    let error = flink(address).jobs_overview().await.unwrap_err();
    assert!(matches!(error, FlinkError::TooLate { .. }), "{error:?}");
}
