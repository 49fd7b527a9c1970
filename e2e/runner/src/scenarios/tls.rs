//! Clusters that speak TLS among their parts and to the operator, as in Apache's TLS example; certificates that change.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::certificates::{Authority, Format, PASSWORD, put_secret};
use super::expectations::{error_message, event, is_stable};
use super::ledger::{Ledger, goes_on};
use super::space::{Look, Space, TO_NOTICE, TO_STABLE};
use super::specs::Flink;
use super::stateful::{Mode, counting, difference};
use crate::kubernetes::{Kind, name, text, uid};

/// Secrets of the operator (chart value `tls.secretName`) and of the clusters.
const OF_OPERATOR: &str = "flink-operator-cert";
const OF_CLUSTERS: &str = "basic-secure-cert";
/// Names in certificates, from Apache's example. None of them is the one by which the operator reaches the REST API.
const DNS: &[&str] = &["*.flink.svc", "*.svc.cluster.local", "basic-secure-rest"];

pub(super) async fn run(space: &Space) -> Result<()> {
    let result = certificates_come_and_change(space).await;
    // The operator outlives the scenario.
    space.cluster.delete(Kind::Secret, &space.operator.namespace, OF_OPERATOR).await?;
    result
}

async fn certificates_come_and_change(space: &Space) -> Result<()> {
    let folder = space.data.join("certificates");
    let (first, second) = (Authority::new(&folder, "first")?, Authority::new(&folder, "second")?);
    put_secret(&space.name, OF_CLUSTERS, &first.issue("cluster", DNS, &[&first], Format::Jks)?)?;
    let before = process(space).await?;

    // Flink 1.20, whose REST API shows a certificate; the operator has no store yet.
    let mut old = counting(space, "server", Flink::V1_20, Mode::Savepoint);
    secure(&mut old, Format::Jks, false);
    space.create(old).await?;
    let untrusted = |now: &Value| error_message(now).contains("is signed by nobody whom the operator trusts");
    space.until_deployment("server", "is not trusted", TO_STABLE, untrusted).await?;
    event(space, "server", "Warning", &["Error"]).await?;
    put_secret(
        &space.operator.namespace,
        OF_OPERATOR,
        &first.issue("operator", DNS, &[&first], Format::Jks)?,
    )?;
    space.say("the operator gets its certificates");
    space.until_deployment("server", "is stable", TO_STABLE, is_stable).await?;
    goes_on(space, "server", 1, 0, 0).await?;
    upgraded(space, "server", 1).await?;
    probes(space, "server").await?;
    space.cluster.delete(Kind::FlinkDeployment, &space.name, "server").await?;

    // Flink 2.2, whose REST API asks for a certificate, too, which the kubelet has not got. With HA it notices.
    let mut new = counting(space, "mutual", Flink::V2_2, Mode::Savepoint);
    secure(&mut new, Format::Jks, true);
    let conf = &mut new["spec"]["flinkConfiguration"];
    conf["high-availability.type"] = "kubernetes".into();
    conf["high-availability.storageDir"] = "file:///ledger/ha".into();
    space.create(new).await?;
    space.until_deployment("mutual", "is stable", TO_STABLE, is_stable).await?;
    goes_on(space, "mutual", 1, 0, 0).await?;
    upgraded(space, "mutual", 1).await?;
    probes(space, "mutual").await?;

    // A new authority: first everybody trusts both, then the certificates change, then the old one goes.
    change_operators(space, &first.issue("operator", DNS, &[&first, &second], Format::Jks)?, "trusted=2")
        .await?;
    put_secret(&space.name, OF_CLUSTERS, &second.issue("cluster", DNS, &[&first, &second], Format::Jks)?)?;
    upgraded(space, "mutual", 2).await?;
    change_operators(space, &second.issue("operator", DNS, &[&second], Format::Jks)?, "trusted=1").await?;
    upgraded(space, "mutual", 3).await?;

    // What cannot be read is told, and changes nothing.
    let broken = folder.join("broken");
    std::fs::create_dir_all(&broken)?;
    std::fs::write(broken.join("truststore.jks"), "nonsense")?;
    change_operators(space, &broken, "what it held before stays in use").await?;
    upgraded(space, "mutual", 4).await?;

    ensure!(process(space).await? == before, "the operator was restarted");
    let log = space.operator.log(&space.cluster, 10_000, false).await?;
    ensure!(!log.contains(PASSWORD), "the operator's log has a password");
    Ok(())
}

/// Flink's own stores are PKCS#12; the operator's are that, too, and then PEM. The clusters ask for its certificate.
pub(super) async fn formats(space: &Space) -> Result<()> {
    let result = formats_are_read(space).await;
    space.cluster.delete(Kind::Secret, &space.operator.namespace, OF_OPERATOR).await?;
    result
}

async fn formats_are_read(space: &Space) -> Result<()> {
    let authority = Authority::new(&space.data.join("certificates"), "authority")?;
    let issue = |name: &str, format: Format| authority.issue(name, DNS, &[&authority], format);
    put_secret(&space.name, OF_CLUSTERS, &issue("cluster", Format::Pkcs12)?)?;
    let clusters = [("old", Flink::V1_20), ("new", Flink::V2_2)];
    change_operators(space, &issue("operator", Format::Pkcs12)?, "trusted=1 identity=true").await?;
    for (name, flink) in clusters {
        let mut deployment = counting(space, name, flink, Mode::Savepoint);
        secure(&mut deployment, Format::Pkcs12, true);
        space.create(deployment).await?;
        space.until_deployment(name, "is stable", TO_STABLE, is_stable).await?;
        goes_on(space, name, 1, 0, 0).await?;
        upgraded(space, name, 1).await?;
    }
    change_operators(space, &issue("operator", Format::Pem)?, "trusted=1 identity=true").await?;
    for (name, _) in clusters {
        upgraded(space, name, 2).await?;
    }
    Ok(())
}

/// Apache's example, besides that each kind of TLS has its own options.
fn secure(deployment: &mut Value, format: Format, mutual: bool) {
    let extension = if format == Format::Jks { "jks" } else { "p12" };
    let conf = &mut deployment["spec"]["flinkConfiguration"];
    for part in ["internal", "rest"] {
        conf[format!("security.ssl.{part}.enabled")] = "true".into();
        for store in ["keystore", "truststore"] {
            conf[format!("security.ssl.{part}.{store}")] =
                format!("/opt/flink/tls-cert/{store}.{extension}").into();
            if format == Format::Pkcs12 {
                conf[format!("security.ssl.{part}.{store}-type")] = "PKCS12".into();
            }
            conf[format!("security.ssl.{part}.{store}-password")] = PASSWORD.into();
        }
        conf[format!("security.ssl.{part}.key-password")] = PASSWORD.into();
    }
    if mutual {
        conf["security.ssl.rest.authentication-enabled"] = "true".into();
    }
    conf["kubernetes.secrets"] = format!("{OF_CLUSTERS}:/opt/flink/tls-cert").into();
}

/// The next run goes on where a savepoint of the one before ended.
async fn upgraded(space: &Space, cluster: &str, n: u64) -> Result<()> {
    let counted = Ledger::read(space, cluster)?.number("sequence")?;
    space.change(cluster, difference(n)).await?;
    space.until_deployment(cluster, "is stable", TO_STABLE, is_stable).await?;
    goes_on(space, cluster, n + 1, n, counted).await?;
    Ok(())
}

/// The operator's container and how often it was started.
async fn process(space: &Space) -> Result<(String, Value)> {
    let pod = space.operator.ready(&space.cluster).await?.context("the operator is not ready")?;
    Ok((uid(&pod).to_owned(), pod["status"]["containerStatuses"][0]["restartCount"].clone()))
}

/// Changes the operator's Secret, and waits until the operator says so. The kubelet takes its time.
async fn change_operators(space: &Space, folder: &std::path::Path, word: &str) -> Result<()> {
    let count = async || -> Result<usize> {
        Ok(space.operator.log(&space.cluster, 10_000, false).await?.matches(word).count())
    };
    let before = count().await?;
    put_secret(&space.operator.namespace, OF_OPERATOR, folder)?;
    space.say(&format!("the operator's certificates change: {word}"));
    space
        .until("the operator says that its certificates have changed", 2 * TO_NOTICE, async || {
            let now = count().await?;
            Ok(if now > before { Look::Done(()) } else { Look::NotYet(format!("said {now} times")) })
        })
        .await
}

/// Shows how the kubelet sees the startup probe, which knows nothing of TLS.
async fn probes(space: &Space, cluster: &str) -> Result<()> {
    let pods =
        space.cluster.list(Kind::Pod, &space.name, &format!("app={cluster},component=jobmanager")).await?;
    let pod = pods.first().context("no JobManager")?;
    space.say(&format!("probe of {}: {}", name(pod), pod["spec"]["containers"][0]["startupProbe"]));
    for told in space.cluster.list(Kind::Event, &space.name, "").await? {
        let of_pod = text(&told, "/involvedObject/name") == name(pod);
        if of_pod && matches!(text(&told, "/reason"), "ProbeWarning" | "Unhealthy") {
            space.say(&format!("{} ({}): {}", told["reason"], told["count"], told["message"]));
        }
    }
    Ok(())
}
