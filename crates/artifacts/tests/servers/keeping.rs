//! What is shared, kept, limited and cleaned up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{Folder, Server, Step, answer, error, jar, options, path, request, store};
use artifacts::ArtifactOptions;
use engine::ports::Artifacts;

const CHECKSUM: &str = "kubernetes.operator.user.artifacts.checksum";

fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .fold("sha256:".to_owned(), |sum, byte| sum + &byte)
}

/// Answers with the jar and a tag, or 304 to whoever names the tag.
async fn tagged(tag: &'static str, size: usize) -> Server {
    Server::start(move |head| {
        if head.contains(&format!("if-none-match: {tag}\r\n").to_ascii_lowercase()) {
            return answer("304 Not Modified", "", b"");
        }
        answer("200 OK", &format!("ETag: {tag}\r\n"), &jar(size))
    })
    .await
}

#[tokio::test]
async fn a_strong_tag_saves_the_second_download() {
    let server = tagged("\"one\"", 1000).await;
    let folder = Folder::new();
    let store = store(options(&folder));
    let first = path(&store.fetch(&request(&server.url("/a.jar"), &[])).await.unwrap());
    assert!(first.exists(), "it is kept");
    let second = store.fetch(&request(&server.url("/a.jar"), &[("parallelism.default", "2")])).await.unwrap();
    assert_eq!(path(&second), first);
    assert_eq!(server.heads().len(), 2, "the server was asked");
    let with_token = [("kubernetes.operator.user.artifacts.http.bearer-token", "x")];
    let with_token = request(&server.url("/a.jar"), &with_token);
    let other = store.fetch(&with_token);
    assert_ne!(path(&other.await.unwrap()), first, "others get what the server gives them");
    assert!(!server.heads()[2].contains("if-none-match"));
}

#[tokio::test]
async fn a_weak_tag_or_none_saves_nothing() {
    for tag in ["W/\"one\"", "one", "\"\""] {
        let server = tagged(tag, 1000).await;
        let folder = Folder::new();
        let store = store(options(&folder));
        for _ in 0..2 {
            store.fetch(&request(&server.url("/a.jar"), &[])).await.unwrap();
        }
        assert_eq!(server.heads().len(), 2);
        assert!(!server.heads()[1].contains("if-none-match"), "{tag}");
        assert_eq!(folder.files(), 0);
    }
}

#[tokio::test]
async fn a_checksum_is_compared_and_saves_the_second_request() {
    let server = Server::start(|_| answer("200 OK", "", &jar(1000))).await;
    let folder = Folder::new();
    let store = store(options(&folder));
    let right = sha256(&jar(1000));
    let wanted = [(CHECKSUM, right.as_str())];
    for _ in 0..3 {
        store.fetch(&request(&server.url("/a.jar"), &wanted)).await.unwrap();
    }
    assert_eq!(server.heads().len(), 1);
    let wrong = sha256(b"other");
    let refused = error(&store, &request(&server.url("/a.jar"), &[(CHECKSUM, wrong.as_str())])).await;
    assert!(
        refused.needs_user && refused.message.contains(&right) && refused.message.contains(&wrong),
        "{refused}"
    );
    assert_eq!(folder.files(), 1);
    let elsewhere = Server::start(|_| answer("403 Forbidden", "", b"")).await;
    let refused = error(&store, &request(&elsewhere.url("/a.jar"), &wanted)).await;
    assert!(refused.message.contains("403"), "who only knows the checksum gets nothing: {refused}");
}

#[tokio::test]
async fn other_options_end_what_is_kept() {
    let server = Server::start(|_| answer("200 OK", "", &jar(1000))).await;
    let folder = Folder::new();
    let mut options = options(&folder);
    let store = store(options.clone());
    let sum = sha256(&jar(1000));
    let wanted = request(&server.url("/a.jar"), &[(CHECKSUM, sum.as_str())]);
    store.fetch(&wanted).await.unwrap();
    store.set_options(options.clone());
    assert_eq!(folder.files(), 1, "nothing has changed");
    options.settings.allowed_hosts = lifecycle::validate::HostList::default();
    store.set_options(options);
    assert_eq!(folder.files(), 0);
    assert!(error(&store, &wanted).await.message.contains("own network"));
}

#[tokio::test]
async fn the_least_recently_used_jar_goes_first_and_none_that_is_in_use() {
    let server = tagged("\"one\"", 1000).await;
    let folder = Folder::new();
    let size = u64::try_from(jar(1000).len()).unwrap();
    let store = store(ArtifactOptions { cache_size: 2 * size, ..options(&folder) });
    let fetch = |name: &str| {
        let (store, wanted) = (&store, request(&server.url(name), &[]));
        async move { store.fetch(&wanted).await.unwrap() }
    };
    drop(fetch("/a.jar").await);
    drop(fetch("/b.jar").await);
    drop(fetch("/a.jar").await);
    let in_use = fetch("/c.jar").await;
    assert_eq!(folder.files(), 2);
    let asked_again = |name: &str| {
        let known =
            server.heads().into_iter().filter(|head| head.contains(name) && head.contains("if-none-match"));
        known.count()
    };
    drop(fetch("/a.jar").await);
    assert_eq!(asked_again("/a.jar"), 2, "a was used later than b");
    drop(fetch("/b.jar").await);
    assert_eq!(asked_again("/b.jar"), 0, "b was dropped");
    drop(fetch("/d.jar").await);
    drop(fetch("/e.jar").await);
    assert!(path(&in_use).exists());
    assert!(folder.files() <= 3);
    let nothing = Folder::new();
    let store = crate::support::store(ArtifactOptions { cache_size: 0, ..options(&nothing) });
    store.fetch(&request(&server.url("/a.jar"), &[])).await.unwrap();
    assert_eq!(nothing.files(), 0);
}

#[tokio::test]
async fn several_who_want_the_same_share_one_download() {
    let server = Server::start(|_| {
        let mut steps = vec![Step::Wait(Duration::from_millis(300))];
        steps.extend(answer("200 OK", "", &jar(1000)));
        steps
    })
    .await;
    let folder = Folder::new();
    let store = Arc::new(store(options(&folder)));
    let fetch = || {
        let (store, wanted) = (store.clone(), request(&server.url("/a.jar"), &[]));
        tokio::spawn(async move { store.fetch(&wanted).await })
    };
    let first = fetch();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let others: Vec<_> = (0..4).map(|_| fetch()).collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    first.abort();
    let mut paths = Vec::new();
    let mut kept = Vec::new();
    for other in others {
        let artifact = other.await.unwrap().unwrap();
        paths.push(path(&artifact));
        kept.push(artifact);
    }
    paths.dedup();
    assert_eq!((paths.len(), server.heads().len()), (1, 1));
    drop(kept);
    assert_eq!(folder.files(), 0);
}

#[tokio::test]
async fn a_fetch_that_is_given_up_leaves_nothing() {
    let head = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    let server = Server::start(move |_| {
        vec![Step::Send(head.clone()), Step::Repeat(b"x".to_vec(), Duration::from_millis(5))]
    })
    .await;
    let folder = Folder::new();
    let store = store(options(&folder));
    let wanted = request(&server.url("/a.jar"), &[]);
    let fetch = tokio::time::timeout(Duration::from_millis(300), store.fetch(&wanted));
    assert!(fetch.await.is_err());
    for _ in 0..100 {
        if folder.files() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("a part of a jar stays");
}

#[tokio::test]
async fn fetches_are_limited_in_all_and_by_host() {
    let slow = || {
        Server::start(|_| {
            let mut steps = vec![Step::Wait(Duration::from_millis(60))];
            steps.extend(answer("200 OK", "", &jar(10)));
            steps
        })
    };
    let (one, two) = (slow().await, slow().await);
    let folder = Folder::new();
    let store =
        Arc::new(store(ArtifactOptions { concurrency: 3, concurrency_per_host: 2, ..options(&folder) }));
    let running = Arc::new(AtomicUsize::new(0));
    let fetches = (0..8).map(|number| {
        let uri = if number % 2 == 0 {
            format!("http://one.test:{}/{number}.jar", one.port)
        } else {
            format!("http://two.test:{}/{number}.jar", two.port)
        };
        let (store, running) = (store.clone(), running.clone());
        tokio::spawn(async move {
            store.fetch(&request(&uri, &[])).await.unwrap();
            running.fetch_add(1, Ordering::SeqCst);
        })
    });
    for fetch in fetches.collect::<Vec<_>>() {
        fetch.await.unwrap();
    }
    assert_eq!(running.load(Ordering::SeqCst), 8);
    assert_eq!((one.most_at_once().max(two.most_at_once())), 2);
    assert!(one.most_at_once() + two.most_at_once() >= 3);
}

#[tokio::test]
async fn whoever_waits_too_long_for_a_turn_is_told() {
    let server = Server::start(|_| vec![Step::Wait(Duration::from_mins(1))]).await;
    let folder = Folder::new();
    let timeout = Duration::from_millis(300);
    let store = Arc::new(store(ArtifactOptions { concurrency_per_host: 1, timeout, ..options(&folder) }));
    let wanted = ["/a.jar", "/b.jar", "/c.jar"].map(|name| request(&server.url(name), &[]));
    let errors = futures::future::join_all(wanted.iter().map(|wanted| error(&store, wanted))).await;
    let with = |part: &str| errors.iter().filter(|error| error.message.contains(part)).count();
    assert!(with("user.artifacts.timeout") >= 1 && with("max-concurrent-per-host") >= 1, "{errors:?}");
    assert!(errors.iter().all(|error| !error.needs_user));
}

#[tokio::test]
async fn folders_of_dead_processes_are_removed_and_those_of_living_ones_stay() {
    let folder = Folder::new();
    let server = tagged("\"one\"", 1000).await;
    let dead = folder.0.join("fetched-1-0");
    std::fs::create_dir(&dead).unwrap();
    std::fs::write(dead.join("7.jar"), b"left").unwrap();
    let not_ours = folder.0.join("mine.jar");
    std::fs::write(&not_ours, b"mine").unwrap();
    let living = store(options(&folder));
    living.fetch(&request(&server.url("/a.jar"), &[])).await.unwrap();
    assert!(!dead.exists() && not_ours.exists());
    let another = store(options(&folder));
    assert_eq!(folder.files(), 2, "mine.jar, and what the living one keeps");
    drop(living);
    assert_eq!(folder.files(), 1);
    drop(another);
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 1);
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named_and_made_later() {
    let folder = Folder::new();
    let server = tagged("\"one\"", 1000).await;
    let base = folder.0.join("base");
    std::fs::write(&base, b"a file").unwrap();
    let store = store(ArtifactOptions { base_dir: base.clone(), ..options(&folder) });
    let wanted = request(&server.url("/a.jar"), &[]);
    let unwritable = error(&store, &wanted).await;
    assert!(unwritable.message.contains("base"), "{unwritable}");
    assert!(server.heads().is_empty());
    std::fs::remove_file(&base).unwrap();
    assert!(store.fetch(&wanted).await.is_ok());
}

#[tokio::test]
async fn a_folder_that_somebody_has_removed_is_made_again() {
    let server = tagged("\"one\"", 1000).await;
    let folder = Folder::new();
    let store = store(options(&folder));
    let wanted = request(&server.url("/a.jar"), &[]);
    store.fetch(&wanted).await.unwrap();
    for entry in std::fs::read_dir(&folder.0).unwrap() {
        std::fs::remove_dir_all(entry.unwrap().path()).unwrap();
    }
    assert!(path(&store.fetch(&wanted).await.unwrap()).exists());
}

#[tokio::test]
async fn files_of_the_operator() {
    let folder = Folder::new();
    let (allowed, other) = (folder.0.join("allowed"), folder.0.join("other"));
    for directory in [&allowed, &other] {
        std::fs::create_dir(directory).unwrap();
        std::fs::write(directory.join("a.jar"), jar(100)).unwrap();
    }
    std::fs::write(allowed.join("text.jar"), b"text").unwrap();
    std::fs::write(allowed.join("large.jar"), jar(2 << 20)).unwrap();
    std::fs::create_dir(allowed.join("fetched-1-0")).unwrap();
    std::fs::write(allowed.join("fetched-1-0/0.jar"), jar(100)).unwrap();
    std::os::unix::fs::symlink(other.join("a.jar"), allowed.join("link.jar")).unwrap();
    let store = store(ArtifactOptions { file_directories: vec![allowed.clone()], ..options(&folder) });
    let uri =
        |scheme: &str, path: &str| request(&format!("{scheme}://{}", folder.0.join(path).display()), &[]);
    for scheme in ["file", "local"] {
        let artifact = store.fetch(&uri(scheme, "allowed/a.jar")).await.unwrap();
        assert_eq!(path(&artifact), allowed.canonicalize().unwrap().join("a.jar"));
    }
    for (name, part) in [
        ("other/a.jar", "no such file"),
        ("allowed/none.jar", "no such file"),
        ("allowed/link.jar", "no such file"),
        ("allowed/../other/a.jar", "no such file"),
        ("allowed/fetched-1-0/0.jar", "no such file"),
        ("allowed/fetched-1-0", "no such file"),
        ("allowed", "no file"),
        ("allowed/text.jar", "no whole jar"),
        ("allowed/large.jar", "max-size"),
    ] {
        let refused = error(&store, &uri("file", name)).await;
        assert!(refused.needs_user && refused.message.contains(part), "{name}: {refused}");
    }
    assert!(error(&store, &uri("local", "none.jar")).await.message.contains("leave out jarURI"));
    assert!(
        path(&store.fetch(&uri("file", "allowed/a.jar")).await.unwrap()).exists(),
        "it is not ours to remove"
    );
    let sum = sha256(b"other");
    let mut wanted = uri("file", "allowed/a.jar");
    wanted.configuration.set(CHECKSUM, sum);
    assert!(error(&store, &wanted).await.message.contains("checksum"));
}
