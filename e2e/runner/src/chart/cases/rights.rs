//! Roles: what the operator and the clusters may do.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::super::render::{Helm, Objects, text};
use super::equal;

pub(super) fn left_out(helm: &Helm) -> Result<()> {
    for values in ["rbac: {create: false}", "rbac: {create: false}\nwatchNamespaces: [a]"] {
        let objects = helm.render(values)?;
        for kind in ["Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"] {
            ensure!(objects.places(kind).is_empty(), "{kind} with {values}");
        }
    }
    let objects = helm.render("rbac: {operatorRole: {create: false}, jobRoleBinding: {create: false}}")?;
    ensure!(objects.places("ClusterRole").is_empty() && objects.places("RoleBinding").is_empty());
    ensure!(objects.places("ClusterRoleBinding").len() == 1 && objects.places("Role").len() == 1);
    let objects = helm
        .render("operatorServiceAccount: {create: false, name: mine}\njobServiceAccount: {create: false}")?;
    ensure!(objects.places("ServiceAccount").is_empty());
    equal(&objects.pod()?["serviceAccountName"], &json!("mine"), "account of the pod")?;
    let objects = helm.render("defaultConfiguration: {create: false}")?;
    ensure!(objects.places("ConfigMap").is_empty());
    equal(&objects.pod()?["volumes"][0]["configMap"]["name"], &json!("flink-operator-config"), "volume")
}

/// Every `group/resource` of the operator's role with its verbs.
fn operator_rights(objects: &Objects) -> Result<Vec<(String, Vec<&str>)>> {
    let rules = objects.one("ClusterRole", "flink-operator")?["rules"].as_array().context("no rules")?;
    let texts = |value: &'_ Value| -> Vec<String> {
        value.as_array().into_iter().flatten().map(|one| text(one).to_owned()).collect()
    };
    let mut rights = Vec::new();
    for rule in rules {
        let verbs: Vec<&str> = rule["verbs"].as_array().into_iter().flatten().map(text).collect();
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                rights.push((format!("{group}/{resource}"), verbs.clone()));
            }
        }
    }
    Ok(rights)
}

pub(super) fn to_be_asked_for(helm: &Helm) -> Result<()> {
    let count = |resource: &str, values: &str| -> Result<usize> {
        let objects = helm.render(values)?;
        Ok(operator_rights(&objects)?.iter().filter(|(name, _)| name == resource).count())
    };
    for (resource, value) in [("/nodes", "nodesRule"), ("/secrets", "artifactSecretsRule")] {
        let asked = format!("rbac: {{{value}: {{create: true}}}}");
        ensure!(count(resource, "")? == 0 && count(resource, &asked)? == 1, "{resource}");
    }
    Ok(())
}

/// Nothing by wildcard, no specs of users' resources, nothing that gives more rights.
pub(super) fn least(helm: &Helm) -> Result<()> {
    let objects = helm.render("")?;
    for (resource, verbs) in operator_rights(&objects)? {
        ensure!(!resource.contains('*') && !verbs.contains(&"*"), "wildcard: {resource} {verbs:?}");
        let harmful = ["secrets", "pods/exec", "rbac.authorization.k8s.io", "serviceaccounts", "webhook"];
        ensure!(!harmful.iter().any(|part| resource.contains(part)), "{resource}");
        // Nothing that users make is made or deleted, except for: snapshots on schedule, and FlinkSessionJobs, which go with
        // their session cluster where its user asks for that.
        let may: &[&str] = match resource.strip_prefix("flink.apache.org/") {
            Some("flinkstatesnapshots") | None => &["create", "delete"],
            Some("flinksessionjobs") => &["delete"],
            Some(_) => &[],
        };
        let does = |verb: &&&str| ["create", "delete"].contains(*verb);
        ensure!(verbs.iter().filter(does).all(|verb| may.contains(verb)), "{resource} {verbs:?}");
        ensure!(!verbs.contains(&"deletecollection"), "{resource} {verbs:?}");
        let reads_only = resource == "/pods";
        ensure!(!reads_only || verbs == ["list"], "{resource} {verbs:?}");
    }
    Ok(())
}
