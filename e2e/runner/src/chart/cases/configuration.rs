//! The operator's configuration files, read as the operator reads them.

use anyhow::{Result, ensure};
use flink_conf::FlinkConf;
use flink_conf::StartupSettings;
use flink_conf::operator_defaults::{ConfFolder, OperatorDefaults};
use serde_json::json;

use super::super::render::{Helm, Objects};
use super::equal;

/// The configuration that the operator has with the file that its pod sees.
fn configuration(objects: &Objects) -> Result<FlinkConf> {
    let file = objects.pod()?["volumes"][0]["configMap"]["items"][0]["path"].clone();
    let folder = if file == "flink-conf.yaml" {
        ConfFolder { flink_conf_yaml: Some(objects.file("flink-conf.yaml")?), config_yaml: None }
    } else {
        ConfFolder { flink_conf_yaml: None, config_yaml: Some(objects.file("config.yaml")?) }
    };
    let (defaults, skipped) = OperatorDefaults::read(folder, ConfFolder::default())?;
    let skipped: Vec<_> = skipped.iter().map(|line| format!("{line:?}")).collect();
    ensure!(skipped.is_empty(), "lines that are no options: {skipped:?}");
    ensure!(defaults.unknown_versions().is_empty(), "{:?}", defaults.unknown_versions());
    StartupSettings::read(defaults.base())?;
    Ok(defaults.base().clone())
}

fn expect(conf: &FlinkConf, expected: &[(&str, Option<&str>)]) -> Result<()> {
    for (key, value) in expected {
        ensure!(conf.get(key) == *value, "{key}: {:?}, expected {value:?}", conf.get(key));
    }
    Ok(())
}

/// The chart's defaults are those of Apache's chart, as recorded with the golden objects.
pub(super) fn by_default(helm: &Helm) -> Result<()> {
    let recorded = include_str!("../../../../../crates/golden/src/operator-configuration.yaml");
    let folder = ConfFolder { flink_conf_yaml: Some(recorded), config_yaml: None };
    let (expected, _) = OperatorDefaults::read(folder, ConfFolder::default())?;
    let ours = configuration(&helm.render("")?)?;
    for (key, value) in expected.base().iter() {
        // Reporters are a matter of the Java operator.
        if !key.starts_with("kubernetes.operator.metrics.") {
            ensure!(ours.get(key) == Some(value), "{key}: {:?}, expected {value:?}", ours.get(key));
        }
    }
    Ok(())
}

pub(super) fn of_the_user(helm: &Helm) -> Result<()> {
    let objects = helm.render(
        "watchNamespaces: [x]
defaultConfiguration:
  flink-conf.yaml: |
    parallelism.default: 3
    kubernetes.operator.watched.namespaces: ignored
    a.b: c",
    )?;
    expect(
        &configuration(&objects)?,
        &[
            ("parallelism.default", Some("3")),
            ("taskmanager.numberOfTaskSlots", Some("1")),
            ("a.b", Some("c")),
            ("kubernetes.operator.reconcile.interval", None),
            ("kubernetes.operator.watched.namespaces", Some("x")),
        ],
    )?;
    let objects = helm.render("defaultConfiguration: {append: false, flink-conf.yaml: 'a.b: c'}")?;
    expect(&configuration(&objects)?, &[("a.b", Some("c")), ("parallelism.default", None)])
}

/// As YAML, where a key must not be there twice.
pub(super) fn nested(helm: &Helm) -> Result<()> {
    let objects = helm.render(
        "watchNamespaces: [x1, x2]
defaultConfiguration:
  flink-conf.yaml: null
  config.yaml: |
    parallelism.default: 3
    taskmanager: {memory: {process.size: 2g}}
    kubernetes:
      operator:
        reconcile.interval: 30 s",
    )?;
    expect(
        &configuration(&objects)?,
        &[
            ("parallelism.default", Some("3")),
            ("taskmanager.numberOfTaskSlots", Some("1")),
            ("taskmanager.memory.process.size", Some("2g")),
            ("kubernetes.operator.reconcile.interval", Some("30 s")),
            ("kubernetes.operator.watched.namespaces", Some("x1,x2")),
            ("kubernetes.operator.health.probe.port", Some("8085")),
        ],
    )
}

pub(super) fn of_logs(helm: &Helm) -> Result<()> {
    let log4j = include_str!("../../../../../helm/flink-kubernetes-operator/conf/log4j-console.properties");
    let own = helm.render("")?;
    ensure!(own.file("log4j-console.properties")?.trim() == log4j.trim());
    ensure!(own.file("logback-console.xml")?.contains("<configuration>"));
    let objects = helm
        .render("defaultConfiguration: {log4j-console.properties: 'a = b', logback-console.xml: <mine/>}")?;
    let appended = objects.file("log4j-console.properties")?;
    ensure!(appended.starts_with(log4j.trim()) && appended.trim().ends_with("\na = b"), "{appended}");
    ensure!(objects.file("logback-console.xml")?.trim() == "<mine/>");
    let objects = helm.render("defaultConfiguration: {append: false, log4j-console.properties: 'a = b'}")?;
    ensure!(objects.file("log4j-console.properties")?.trim() == "a = b");
    Ok(())
}

pub(super) fn mounted_files(helm: &Helm) -> Result<()> {
    for (values, files) in [
        ("", ["flink-conf.yaml", "log4j-console.properties"]),
        ("logging: {framework: logback}", ["flink-conf.yaml", "logback-console.xml"]),
        (
            "defaultConfiguration: {flink-conf.yaml: null, config.yaml: 'a: b'}",
            ["config.yaml", "log4j-console.properties"],
        ),
    ] {
        let items = files.map(|file| json!({"key": file, "path": file}));
        let objects = helm.render(values)?;
        equal(&objects.pod()?["volumes"][0]["configMap"]["items"], &json!(items), values)?;
    }
    let objects = helm.render(
        "operatorVolumes: {create: true, data: [{name: keytab, secret: {secretName: k}}]}
operatorVolumeMounts: {create: true, data: [{name: keytab, mountPath: /k}]}",
    )?;
    equal(&objects.pod()?["volumes"][1]["name"], &json!("keytab"), "volume")?;
    equal(&objects.container()?["volumeMounts"][1]["mountPath"], &json!("/k"), "mount")?;
    artifacts(helm)?;
    let checksum = |values: &str| -> Result<String> {
        let objects = helm.render(values)?;
        Ok(objects.deployment()?["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
            .to_string())
    };
    let changed = checksum("defaultConfiguration: {flink-conf.yaml: 'a: b'}")?;
    ensure!(checksum("")? == checksum("replicas: 0")? && checksum("")? != changed);
    Ok(())
}

/// The folder of fetched jars is writable, whatever else is mounted; and it is mounted once.
fn artifacts(helm: &Helm) -> Result<()> {
    const MOUNTS: &str = "operatorVolumeMounts: {create: true, data: [{name: NAME, mountPath: PATH}]}\n";
    const VOLUMES: &str =
        "operatorVolumes: {create: true, data: [{name: NAME, hostPath: {path: /tmp/flink/artifacts}}]}";
    let with = |template: &str, name: &str, path: &str| template.replace("NAME", name).replace("PATH", path);
    let (ours, there) = ("flink-artifacts-volume", "/opt/flink/artifacts");
    for (values, name, volume) in [
        (String::new(), ours, json!({"name": ours, "emptyDir": {}})),
        (with(MOUNTS, "k", "/k") + &with(VOLUMES, "k", ""), ours, json!({"name": ours, "emptyDir": {}})),
        (
            with(MOUNTS, "flink-artifacts", there) + &with(VOLUMES, "flink-artifacts", ""),
            "flink-artifacts",
            json!({"name": "flink-artifacts", "hostPath": {"path": "/tmp/flink/artifacts"}}),
        ),
        (with(MOUNTS, ours, there), ours, json!({"name": ours, "emptyDir": {}})),
        (with(VOLUMES, ours, ""), ours, json!({"name": ours, "hostPath": {"path": "/tmp/flink/artifacts"}})),
    ] {
        let objects = helm.render(&values)?;
        let mounts = objects.container()?["volumeMounts"].as_array().cloned().unwrap_or_default();
        let mounted: Vec<_> = mounts.iter().filter(|mount| mount["mountPath"] == there).collect();
        equal(&mounted, &json!([{"name": name, "mountPath": there}]), &values)?;
        let volumes = objects.pod()?["volumes"].as_array().cloned().unwrap_or_default();
        let found: Vec<_> = volumes.iter().filter(|volume| volume["name"] == name).collect();
        equal(&found, &json!([volume]), &values)?;
        ensure!(
            volumes.len()
                == volumes
                    .iter()
                    .map(|volume| volume["name"].to_string())
                    .collect::<std::collections::BTreeSet<_>>()
                    .len()
        );
    }
    Ok(())
}
