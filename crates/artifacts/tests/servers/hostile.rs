//! Servers that are slow, endless, wrong or malicious. `docs/artifacts.md` has the table of what is tested here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::{
    Folder, Names, Server, Step, answer, error, jar, options, path, redirect, request, store,
};
use artifacts::{ArtifactOptions, ArtifactStore};
use engine::ports::Artifacts;
use lifecycle::validate::HostList;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\n";

fn send(parts: &[&[u8]]) -> Step {
    Step::Send(parts.concat())
}

/// Fetches from a server that behaves like this, and expects an error. Nothing may be left on the disk.
async fn fails(steps: Vec<Step>, change: impl FnOnce(&mut ArtifactOptions), needs_user: bool, part: &str) {
    let server = Server::start(move |_| steps.clone()).await;
    let folder = Folder::new();
    let mut options = options(&folder);
    change(&mut options);
    let store = store(options);
    let error = error(&store, &request(&server.url("/job.jar?token=secret"), &[])).await;
    assert!(error.message.contains(part), "{error}");
    assert_eq!(error.needs_user, needs_user, "{error}");
    assert_eq!(folder.files(), 0, "{error}");
}

#[tokio::test]
async fn a_jar_with_and_without_length() {
    let jar = jar(300_000);
    let whole = answer("200 OK", "", &jar);
    let chunked = {
        let mut steps = vec![send(&[OK, b"Transfer-Encoding: chunked\r\n\r\n"])];
        for part in jar.chunks(70_000) {
            steps.push(send(&[format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"]));
        }
        steps.push(send(&[b"0\r\n\r\n"]));
        steps
    };
    let until_the_end = vec![send(&[OK, b"\r\n", &jar])];
    for steps in [whole, chunked, until_the_end] {
        let server = Server::start(move |_| steps.clone()).await;
        let folder = Folder::new();
        let store = store(options(&folder));
        let artifact = store.fetch(&request(&server.url("/my%20job.jar"), &[])).await.unwrap();
        assert!(matches!(&artifact.jar, flink_client::JarFile::Path { name, .. } if name == "my_20job.jar"));
        assert!(std::fs::read(path(&artifact)).unwrap() == jar);
        assert_eq!(folder.files(), 1);
        drop(artifact);
        assert_eq!(folder.files(), 0, "nothing is kept without checksum and tag");
    }
}

#[tokio::test]
async fn endless() {
    let chunk = vec![b'x'; 64 << 10];
    let endless = vec![send(&[OK, b"\r\n"]), Step::Repeat(chunk, Duration::ZERO)];
    fails(endless, |_| (), true, "larger than kubernetes.operator.user.artifacts.max-size").await;
    let promised =
        vec![send(&[OK, b"Content-Length: 99999999999\r\n\r\n"]), Step::Wait(Duration::from_mins(1))];
    fails(promised, |_| (), true, "99999999999 bytes").await;
}

#[tokio::test]
async fn slow_and_silent() {
    let quick = |options: &mut ArtifactOptions| options.timeout = Duration::from_millis(400);
    let begun = Instant::now();
    let dripping = vec![
        send(&[OK, b"Content-Length: 1000\r\n\r\n"]),
        Step::Repeat(b"x".to_vec(), Duration::from_millis(20)),
    ];
    fails(dripping, quick, false, "user.artifacts.timeout, only").await;
    let head_only = vec![send(&[OK, b"Content-Length: 1000\r\n\r\n"]), Step::Wait(Duration::from_mins(1))];
    fails(head_only, quick, false, "only 0 bytes").await;
    let half_a_head = vec![send(&[OK]), Step::Repeat(b"X: y\r\n".to_vec(), Duration::from_millis(20))];
    fails(half_a_head, quick, false, "only 0 bytes").await;
    fails(vec![Step::Wait(Duration::from_mins(1))], quick, false, "only 0 bytes").await;
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn lies_about_the_length() {
    let jar = jar(1000);
    let longer = format!("Content-Length: {}\r\n\r\n", jar.len() + 1);
    fails(vec![send(&[OK, longer.as_bytes(), &jar])], |_| (), false, "end of file").await;
    let shorter = format!("Content-Length: {}\r\n\r\n", jar.len() - 1);
    fails(vec![send(&[OK, shorter.as_bytes(), &jar])], |_| (), true, "no whole jar").await;
    fails(vec![send(&[OK, b"Content-Length: -5\r\n\r\n", &jar])], |_| (), false, "content-length").await;
    let both = b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n";
    fails(vec![send(&[OK, both, &jar])], |_| (), false, "content-length").await;
    let cut = vec![send(&[OK, b"Transfer-Encoding: chunked\r\n\r\nffff\r\nabc"])];
    fails(cut, |_| (), false, "cannot be fetched").await;
}

#[tokio::test]
async fn what_is_no_jar() {
    fails(answer("200 OK", "", b"<!DOCTYPE html>Sign in"), |_| (), true, "sign in").await;
    fails(answer("200 OK", "", b""), |_| (), true, "no whole jar").await;
    fails(answer("204 No Content", "", b""), |_| (), true, "204").await;
    fails(answer("206 Partial Content", "", &jar(10)), |_| (), true, "206").await;
    fails(answer("304 Not Modified", "", b""), |_| (), true, "304").await;
    fails(vec![send(&[b"SSH-2.0-OpenSSH_9.2\r\n"])], |_| (), false, "cannot be fetched").await;
    fails(vec![], |_| (), false, "cannot be fetched").await;
}

#[tokio::test]
async fn huge_headers() {
    let one = vec![send(&[OK, b"X: ", &vec![b'x'; 4 << 20], b"\r\n\r\n"])];
    fails(one, |_| (), false, "cannot be fetched").await;
    let many = vec![send(&[OK, &b"X: y\r\n".repeat(100_000), b"\r\n"])];
    fails(many, |_| (), false, "cannot be fetched").await;
}

#[tokio::test]
async fn refusals_and_failures_of_the_server() {
    for (status, needs_user, part) in [
        ("401 Unauthorized", true, "http.username"),
        ("403 Forbidden", true, "http.username"),
        ("404 Not Found", true, "does not exist"),
        ("410 Gone", true, "does not exist"),
        ("418 Teapot", true, "418"),
        ("429 Too Many Requests", false, "patience"),
        ("500 Internal Server Error", false, "has failed"),
        ("503 Service Unavailable", false, "has failed"),
    ] {
        fails(answer(status, "", b"secret details"), |_| (), needs_user, part).await;
    }
}

#[tokio::test]
async fn redirects_to_where_nobody_may_go() {
    for (location, part) in [
        ("http://169.254.169.254/latest/meta-data", "metadata"),
        ("http://[::ffff:169.254.169.254]/", "metadata"),
        ("http://[fd00:ec2::254]/", "metadata"),
        ("http://127.0.0.1:1/", "own network"),
        ("http://2130706433:1/", "own network"),
        ("http://0x7f.1:1/", "own network"),
        ("http://0/", "own network"),
        ("http://localhost:1/", "own network"),
        ("http://10.0.0.1/", "own network"),
        ("http://[::1]/", "own network"),
        ("http://secret@10.0.0.1/", "own network"),
        ("file:///etc/passwd", "redirect"),
        ("ftp://jars.test/a.jar", "scheme ftp"),
        ("gopher://jars.test/", "scheme gopher"),
        ("http://", "redirect"),
    ] {
        for status in [301, 302, 303, 307, 308] {
            fails(redirect(status, location), |_| (), true, part).await;
        }
    }
    fails(answer("302 Found", "", b""), |_| (), true, "no usable place").await;
    fails(redirect(302, "/job.jar"), |_| (), true, "more than 10 times").await;
    let secure = |options: &mut ArtifactOptions| {
        options.settings.allowed_schemes = vec!["http".to_owned()];
    };
    fails(redirect(302, "https://jars.test/"), secure, true, "scheme https").await;
}

#[tokio::test]
async fn hosts_where_nobody_may_go() {
    let folder = Folder::new();
    let mut options = options(&folder);
    options.settings.denied_hosts = HostList::parse(&["denied.test", "127.0.0.9"]).unwrap();
    let names = Arc::new(Names::default());
    names.set("metadata.test", &[&["169.254.169.254"]]);
    names.set("mixed.example.com", &[&["93.184.216.34", "10.0.0.1"]]);
    names.set("other-address.test", &[&["127.0.0.9"]]);
    let store = ArtifactStore::with_lookup(options.clone(), names);
    for (uri, part) in [
        ("http://127.0.0.1:1/a.jar", "own network"),
        ("http://localhost/a.jar", "own network"),
        ("http://169.254.169.254/a.jar", "metadata"),
        ("http://metadata.test/a.jar", "metadata"),
        ("http://mixed.example.com/a.jar", "own network"),
        ("http://denied.test/a.jar", "denied-hosts"),
        ("http://other-address.test/a.jar", "denied-hosts"),
        ("hdfs://10.0.0.1/a.jar", "own network"),
    ] {
        let error = error(&store, &request(uri, &[])).await;
        assert!(error.needs_user && error.message.contains(part), "{uri}: {error}");
    }
    let job = [("s3.endpoint", "http://127.0.0.1:1"), ("s3.access-key", "a"), ("s3.secret-key", "secret")];
    let refused = error(&store, &request("s3://bucket/a.jar", &job)).await;
    assert!(refused.needs_user && refused.message.contains("own network"), "{refused}");
    options.settings.allowed_hosts_only = true;
    store.set_options(options);
    let refused = error(&store, &request("http://93.184.216.34/a.jar", &[])).await;
    assert!(refused.needs_user && refused.message.contains("only hosts in"), "{refused}");
}

#[tokio::test]
async fn dns_answers_that_change_are_judged_each_time() {
    let (good, evil) = (Server::start(|_| answer("200 OK", "", &jar(10))).await, {
        Server::start_at("127.0.0.2:0", |_| answer("200 OK", "", &jar(10))).await
    });
    let folder = Folder::new();
    let mut options = options(&folder);
    options.settings.allowed_hosts = HostList::parse(&["127.0.0.1"]).unwrap();
    let names = Arc::new(Names::default());
    names.set("rebinding.example.com", &[&["127.0.0.1"], &["127.0.0.2"]]);
    let store = ArtifactStore::with_lookup(options, names);
    let uri = |port: u16| request(&format!("http://rebinding.example.com:{port}/a.jar"), &[]);
    assert!(store.fetch(&uri(good.port)).await.is_ok());
    let refused = error(&store, &uri(evil.port)).await;
    assert!(refused.message.contains("own network"), "{refused}");
    assert!(evil.heads().is_empty());
}

#[tokio::test]
async fn credentials_stay_with_their_server() {
    let other = Server::start(|_| answer("200 OK", "", &jar(10))).await;
    let to = format!("http://other.test:{}/there.jar", other.port);
    let first = Server::start(move |head| match head.split(' ').nth(1) {
        Some("/a.jar") => redirect(302, "/b.jar"),
        _ => redirect(307, &to),
    })
    .await;
    let folder = Folder::new();
    let store = store(options(&folder));
    let credentials = [
        ("kubernetes.operator.user.artifacts.http.bearer-token", "secret"),
        ("kubernetes.operator.user.artifacts.http.header", "X-Api-Key:secret"),
    ];
    store.fetch(&request(&first.url("/a.jar"), &credentials)).await.unwrap();
    let heads = first.heads();
    assert_eq!(heads.len(), 2);
    assert!(heads.iter().all(|head| head.contains("bearer secret") && head.contains("x-api-key: secret")));
    assert_eq!(other.heads().len(), 1);
    assert!(!other.heads()[0].contains("secret"), "{:?}", other.heads());
}

#[tokio::test]
async fn a_way_to_the_metadata_through_the_name_of_a_data_node() {
    let server = Server::start(|_| redirect(307, "http://169.254.169.254/webhdfs/v1/a.jar?op=OPEN")).await;
    let folder = Folder::new();
    let mut options = options(&folder);
    let address = format!("jars.test:{}", server.port);
    options.operator = [("flink.hadoop.dfs.namenode.http-address", address.as_str())].into_iter().collect();
    let configuration = [("flink.hadoop.dfs.namenode.http-address", address.as_str())];
    let store = store(options);
    let refused = error(&store, &request("hdfs://name/a.jar", &configuration)).await;
    assert!(refused.needs_user && refused.message.contains("metadata"), "{refused}");
}
