//! The pure rooms have no IO: neither a dependency that could do it nor a call of the standard library's.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

use std::{
    collections::{HashMap, HashSet},
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// Rooms that compute and never act.
const PURE: &[&str] = &["api", "flink-conf", "lifecycle", "resources"];

/// Crates that do IO, run tasks or bring TLS.
const IO: &[&str] = &[
    "async-std",
    "axum",
    "backon",
    "curl",
    "h2",
    "hyper",
    "hyper-util",
    "kube-client",
    "kube-runtime",
    "mio",
    "native-tls",
    "openssl",
    "quinn",
    "reqwest",
    "rustls",
    "smol",
    "socket2",
    "tokio",
    "tokio-rustls",
    "tokio-util",
    "tower-http",
    "tracing-subscriber",
    "ureq",
];

/// Features of `kube` that bring no client.
const PURE_KUBE_FEATURES: &[&str] = &["admission", "cel", "derive", "jsonpatch"];

/// Parts of the standard library that do IO or read the clock.
const IO_PATHS: &[&str] = &[
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::env::var",
    "env::var(",
    "SystemTime::now",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
];

struct Workspace {
    root: PathBuf,
    packages: HashMap<String, Value>,
    nodes: HashMap<String, Value>,
}

impl Workspace {
    fn read() -> Self {
        let host =
            Command::new(env::var("RUSTC").unwrap_or_else(|_| "rustc".into())).arg("-vV").output().unwrap();
        let host = String::from_utf8(host.stdout).unwrap();
        let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", host])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
        let by_id = |list: &Value| {
            let list = list.as_array().unwrap().iter();
            list.map(|one| (one["id"].as_str().unwrap().to_owned(), one.clone())).collect()
        };
        Self {
            root: metadata["workspace_root"].as_str().unwrap().into(),
            packages: by_id(&metadata["packages"]),
            nodes: by_id(&metadata["resolve"]["nodes"]),
        }
    }

    fn name(&self, id: &str) -> &str {
        self.packages[id]["name"].as_str().unwrap()
    }

    /// What the package with this id is built from, without what only its build and tests need.
    fn dependencies(&self, id: &str) -> Vec<String> {
        let is_normal = |dependency: &&Value| {
            dependency["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"].is_null())
        };
        let dependencies = self.nodes[id]["deps"].as_array().unwrap().iter().filter(is_normal);
        let dependencies = dependencies.map(|dependency| dependency["pkg"].as_str().unwrap().to_owned());
        // The rooms with a client turn it on in the one `kube` of the workspace; what a pure room asked
        // for is checked at its declaration.
        let client = |name: &str| self.name(id) == "kube" && IO.contains(&name);
        dependencies.filter(|dependency| !client(self.name(dependency))).collect()
    }

    /// Whether the room declares `kube` in a way that brings no client.
    fn asks_for_pure_kube(&self, id: &str) -> bool {
        let declared = self.packages[id]["dependencies"].as_array().unwrap().iter();
        declared.filter(|one| one["name"] == "kube" && one["kind"].is_null()).all(|one| {
            let features = one["features"].as_array().unwrap();
            let pure = features.iter().all(|one| PURE_KUBE_FEATURES.contains(&one.as_str().unwrap()));
            one["uses_default_features"] == false && pure
        })
    }
}

#[test]
fn depend_on_no_io() {
    let workspace = Workspace::read();
    for room in PURE {
        let (room, _) = workspace.packages.iter().find(|(_, package)| package["name"] == *room).unwrap();
        assert!(workspace.asks_for_pure_kube(room), "{} asks for a client of kube", workspace.name(room));
        let mut seen = HashSet::new();
        let mut paths = vec![vec![room.clone()]];
        while let Some(path) = paths.pop() {
            for dependency in workspace.dependencies(path.last().unwrap()) {
                let path = [&path[..], std::slice::from_ref(&dependency)].concat();
                let names: Vec<_> = path.iter().map(|id| workspace.name(id)).collect();
                assert!(!IO.contains(names.last().unwrap()), "a pure room does IO: {}", names.join(" -> "));
                if seen.insert(dependency) {
                    paths.push(path);
                }
            }
        }
        assert!(!seen.is_empty(), "{} was walked", workspace.name(room));
    }
}

/// The walk itself finds IO where there is some.
#[test]
fn walk_finds_io_where_there_is_some() {
    let workspace = Workspace::read();
    let (engine, _) = workspace.packages.iter().find(|(_, package)| package["name"] == "engine").unwrap();
    assert!(!workspace.asks_for_pure_kube(engine));
    let names: Vec<_> =
        workspace.dependencies(engine).iter().map(|id| workspace.name(id).to_owned()).collect();
    assert!(names.iter().any(|name| IO.contains(&name.as_str())), "{names:?}");
}

#[test]
fn call_no_io_of_the_standard_library() {
    let root = Workspace::read().root;
    for room in PURE {
        let sources = root.join("crates").join(room).join("src");
        for file in reference::files(&sources, ".rs").unwrap() {
            if !file.starts_with(sources.join("bin")) {
                assert_calls_no_io(&file);
            }
        }
    }
}

fn assert_calls_no_io(file: &Path) {
    let text = fs::read_to_string(file).unwrap();
    let product = text.split("#[cfg(test)]").next().unwrap();
    for (number, line) in product.lines().enumerate() {
        let code = line.split("//").next().unwrap();
        let found = IO_PATHS.iter().find(|path| code.contains(*path));
        assert_eq!(found, None, "{}:{}", file.display(), number + 1);
    }
}
