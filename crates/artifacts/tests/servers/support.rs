//! A store for tests, names that lead to this machine, and a server that does exactly what it is told.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use artifacts::{ArtifactOptions, ArtifactStore, Lookup, empty_jar};
use async_trait::async_trait;
use engine::ports::{Artifact, ArtifactError, ArtifactRequest, Artifacts};
use flink_client::JarFile;
use lifecycle::validate::{ArtifactSettings, HostList};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A folder that goes with the test.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("artifacts-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Files below, in all folders, without locks.
    pub(crate) fn files(&self) -> usize {
        fn count(folder: &Path) -> usize {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            entries
                .map(|entry| match entry.file_type().unwrap() {
                    kind if kind.is_dir() => count(&entry.path()),
                    _ => usize::from(entry.file_name() != "lock"),
                })
                .sum()
        }
        count(&self.0)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Answers in turn; the last one stays.
#[derive(Default)]
pub(crate) struct Names(Mutex<HashMap<String, Vec<Vec<IpAddr>>>>);

impl Names {
    pub(crate) fn set(&self, host: &str, answers: &[&[&str]]) {
        let answers =
            answers.iter().map(|answer| answer.iter().map(|ip| ip.parse().unwrap()).collect()).collect();
        self.0.lock().unwrap().insert(host.to_owned(), answers);
    }
}

#[async_trait]
impl Lookup for Names {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let mut names = self.0.lock().unwrap();
        match names.get_mut(host) {
            Some(answers) if answers.len() > 1 => Ok(answers.remove(0)),
            Some(answers) => Ok(answers[0].clone()),
            None if host.split('.').next_back() == Some("test") || host == "localhost" => {
                Ok(vec![Ipv4Addr::LOCALHOST.into()])
            }
            None => Err(io::Error::other("no such name")),
        }
    }
}

/// What most tests need: plain HTTP, from names that end in `.test`.
pub(crate) fn options(folder: &Folder) -> ArtifactOptions {
    let settings = ArtifactSettings {
        allowed_schemes: ["http", "https", "hdfs", "s3", "file", "local"].map(str::to_owned).to_vec(),
        allowed_hosts: HostList::parse(&["*.test"]).unwrap(),
        ..ArtifactSettings::default()
    };
    ArtifactOptions {
        base_dir: folder.0.clone(),
        settings,
        max_size: 1 << 20,
        timeout: Duration::from_secs(20),
        ..ArtifactOptions::default()
    }
}

pub(crate) fn store(options: ArtifactOptions) -> ArtifactStore {
    ArtifactStore::with_lookup(options, Arc::new(Names::default()))
}

pub(crate) fn request(uri: &str, configuration: &[(&str, &str)]) -> ArtifactRequest {
    ArtifactRequest { uri: uri.to_owned(), configuration: configuration.iter().copied().collect() }
}

/// The error of a fetch. No error may show a secret.
pub(crate) async fn error(store: &ArtifactStore, request: &ArtifactRequest) -> ArtifactError {
    let error = store.fetch(request).await.err().expect("the fetch was to fail");
    assert!(!error.message.contains("secret"), "{error}");
    error
}

pub(crate) fn path(artifact: &Artifact) -> PathBuf {
    match &artifact.jar {
        JarFile::Path { path, .. } => path.clone(),
        JarFile::Bytes { .. } => panic!("a jar in memory"),
    }
}

/// A jar of at least so many bytes. What precedes the archive does not matter.
pub(crate) fn jar(size: usize) -> Vec<u8> {
    let JarFile::Bytes { content, .. } = empty_jar() else { panic!("no bytes") };
    let mut jar = vec![b'x'; size];
    jar.extend(content);
    jar
}

/// What a server does after it has read a request.
#[derive(Clone)]
pub(crate) enum Step {
    Send(Vec<u8>),
    /// Again and again, until the client has had enough.
    Repeat(Vec<u8>, Duration),
    Wait(Duration),
}

/// A whole answer with its length.
pub(crate) fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<Step> {
    let mut bytes =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n", body.len()).into_bytes();
    bytes.extend(body);
    vec![Step::Send(bytes)]
}

pub(crate) fn redirect(status: u16, location: &str) -> Vec<Step> {
    answer(&format!("{status} Elsewhere"), &format!("Location: {location}\r\n"), b"")
}

/// A server whose behaviour is a function of the request's head; one request per connection.
pub(crate) struct Server {
    pub(crate) port: u16,
    heads: Arc<Mutex<Vec<String>>>,
    most: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(behave: impl Fn(&str) -> Vec<Step> + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0", behave).await
    }

    pub(crate) async fn start_at(
        address: &str,
        behave: impl Fn(&str) -> Vec<Step> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let behave = Arc::new(behave);
        let (seen, peak) = (heads.clone(), most.clone());
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (behave, seen, now, peak) = (behave.clone(), seen.clone(), now.clone(), peak.clone());
                tokio::spawn(async move {
                    let running = now.fetch_add(1, Ordering::SeqCst) + 1;
                    peak.fetch_max(running, Ordering::SeqCst);
                    let _ = serve(stream, &*behave, &seen).await;
                    now.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { port, heads, most, task }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://jars.test:{}{path}", self.port)
    }

    /// The heads of all requests so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// The most requests that were served at the same time.
    pub(crate) fn most_at_once(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    behave: &(dyn Fn(&str) -> Vec<Step> + Send + Sync),
    seen: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    seen.lock().unwrap().push(head.clone());
    for step in behave(&head) {
        match step {
            Step::Send(bytes) => stream.write_all(&bytes).await?,
            Step::Wait(time) => tokio::time::sleep(time).await,
            Step::Repeat(bytes, pause) => loop {
                stream.write_all(&bytes).await?;
                tokio::time::sleep(pause).await;
            },
        }
    }
    stream.shutdown().await
}
