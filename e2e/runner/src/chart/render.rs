//! Calls of Helm, and what they render.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// Release and namespace of all renderings, other than any name in the chart.
const RELEASE: &str = "release";
pub(super) const NAMESPACE: &str = "release-namespace";

/// Helm and the chart.
pub(super) struct Helm {
    program: PathBuf,
    chart: PathBuf,
}

/// What a chart renders.
#[derive(Debug)]
pub(super) struct Objects(Vec<Value>);

impl Helm {
    pub(super) fn new(program: &Path, chart: &Path) -> Self {
        Self { program: program.to_owned(), chart: chart.to_owned() }
    }

    /// Helm's own look at the chart; warnings count.
    pub(super) fn lint(&self) -> Result<()> {
        self.call(&["lint", "--strict"], "").map(drop)
    }

    /// The objects with these values (a YAML text).
    pub(super) fn render(&self, values: &str) -> Result<Objects> {
        // A version, because a Helm that was built without one takes its cluster for a very old one.
        let arguments = ["template", RELEASE, "--namespace", NAMESPACE, "--kube-version", "1.34.0"];
        let text = self.call(&arguments, values)?;
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text).context("not YAML")?;
        Ok(Objects(documents.into_iter().filter(|document| !document.is_null()).collect()))
    }

    /// That these values are refused, with a message that holds `expected`.
    pub(super) fn refuses(&self, values: &str, expected: &str) -> Result<()> {
        match self.render(values) {
            Ok(_) => bail!("is accepted: {values}"),
            Err(error) => {
                let message = error.to_string();
                ensure!(message.contains(expected), "refused without {expected:?}: {message}");
                Ok(())
            }
        }
    }

    fn call(&self, arguments: &[&str], values: &str) -> Result<String> {
        let mut helm = Command::new(&self.program)
            .args(arguments)
            .arg(&self.chart)
            .args(["--values", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} does not start", self.program.display()))?;
        helm.stdin.take().context("no standard input")?.write_all(values.as_bytes())?;
        let output = helm.wait_with_output()?;
        let stdout = String::from_utf8(output.stdout)?;
        if output.status.success() {
            return Ok(stdout);
        }
        let mut message = String::from_utf8_lossy(&output.stderr).into_owned();
        if arguments.contains(&"lint") {
            write!(message, "{stdout}")?;
        }
        bail!("{}", message.trim())
    }
}

impl Objects {
    /// All objects of a kind.
    pub(super) fn all(&self, kind: &str) -> Vec<&Value> {
        self.0.iter().filter(|object| object["kind"] == kind).collect()
    }

    /// The only object of a kind and name.
    pub(super) fn one(&self, kind: &str, name: &str) -> Result<&Value> {
        let found: Vec<_> =
            self.all(kind).into_iter().filter(|object| object["metadata"]["name"] == name).collect();
        match found[..] {
            [object] => Ok(object),
            _ => bail!("{} objects {kind}/{name}, not one", found.len()),
        }
    }

    /// Namespace and name of each object of a kind, in order.
    pub(super) fn places(&self, kind: &str) -> Vec<String> {
        let place = |object: &Value| {
            let metadata = &object["metadata"];
            match metadata["namespace"].as_str() {
                Some(namespace) => format!("{namespace}/{}", text(&metadata["name"])),
                None => text(&metadata["name"]).to_owned(),
            }
        };
        self.all(kind).into_iter().map(place).collect()
    }

    /// How many objects there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The operator's Deployment.
    pub(super) fn deployment(&self) -> Result<&Value> {
        self.one("Deployment", "flink-kubernetes-operator")
    }

    /// The operator's pod.
    pub(super) fn pod(&self) -> Result<&Value> {
        Ok(&self.deployment()?["spec"]["template"]["spec"])
    }

    /// The operator's container: the first one, which tools address by its position.
    pub(super) fn container(&self) -> Result<&Value> {
        Ok(&self.pod()?["containers"][0])
    }

    /// A file of the operator's configuration.
    pub(super) fn file(&self, name: &str) -> Result<&str> {
        let files = &self.one("ConfigMap", "flink-operator-config")?["data"];
        files[name].as_str().with_context(|| format!("no file {name}"))
    }
}

/// The text of a value; empty for anything else.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
