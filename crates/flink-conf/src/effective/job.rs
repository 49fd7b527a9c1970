//! `spec.job`: defaults and settings of an application, or of a session cluster without one.

use std::fmt::Write as _;

use api::{FlinkDeploymentSpec, JobSpec, KubernetesDeploymentMode, UpgradeMode};

use crate::conf::FlinkConf;
use crate::error::ConfError;
use crate::option::{internal, job, state};
use crate::slots::task_slots;

/// Options of applications that users may override, and one that they may not.
pub(super) fn apply_defaults(conf: &mut FlinkConf, name: &str, spec: &FlinkDeploymentSpec) {
    let Some(job_spec) = &spec.job else { return };
    common_defaults(conf, name);
    if job_spec.upgrade_mode_or_default() == UpgradeMode::LastState {
        conf.set_if_absent(state::CHECKPOINT_INTERVAL, "5 min");
    }
    // A finished application's JobManager must stay to tell its result.
    conf.set(job::SHUTDOWN_ON_APPLICATION_FINISH.name, "false");
    conf.set_if_absent(job::SUBMIT_FAILED_JOB, "true");
}

/// Defaults of every job, in an application or session cluster.
pub(super) fn common_defaults(conf: &mut FlinkConf, name: &str) {
    conf.set_if_absent(job::NAME, name);
    conf.set_if_absent(state::EXTERNALIZED_RETENTION, "RETAIN_ON_CANCELLATION");
}

/// What the job's fields mean for every job.
pub(super) fn common_fields(conf: &mut FlinkConf, job_spec: &JobSpec) {
    if let Some(allowed) = job_spec.allow_non_restored_state {
        conf.set(state::IGNORE_UNCLAIMED_STATE.name, allowed.to_string());
    }
    if let Some(class) = &job_spec.entry_class {
        conf.set(internal::APPLICATION_MAIN.name, class);
    }
    conf.set_list(internal::APPLICATION_ARGS.name, job_spec.args_or_default());
}

pub(super) fn apply(conf: &mut FlinkConf, spec: &FlinkDeploymentSpec) -> Result<(), ConfError> {
    let standalone = spec.mode_or_default() == KubernetesDeploymentMode::Standalone;
    let target = match (&spec.job, standalone) {
        (_, true) => "remote",
        (Some(_), false) => "kubernetes-application",
        (None, false) => "kubernetes-session",
    };
    conf.set(job::TARGET.name, target);
    if standalone {
        let mode = if spec.job.is_some() { "APPLICATION" } else { "SESSION" };
        conf.set(internal::CLUSTER_MODE.name, mode);
    }
    // Nothing in a session cluster's or native application's own fields needs the slots, but Flink's client
    // does: a text that is no number is reported here rather than by a crashing JobManager.
    task_slots(conf)?;
    let Some(job_spec) = &spec.job else { return Ok(()) };
    if let Some(uri) = &job_spec.jar_uri {
        if standalone {
            conf.set_list(job::CLASSPATHS.name, &[standalone_jar(uri)?]);
        } else {
            conf.set_list(job::JARS.name, &[uri]);
        }
    }
    conf.set(job::PARALLELISM.name, parallelism(conf, spec, job_spec)?.to_string());
    common_fields(conf, job_spec);
    Ok(())
}

/// Parallelism of an application: all slots if the number of TaskManagers is given, else the largest
/// override of a vertex (the autoscaler's), else the job's.
pub(super) fn parallelism(
    conf: &FlinkConf,
    spec: &FlinkDeploymentSpec,
    job_spec: &JobSpec,
) -> Result<i32, ConfError> {
    if let Some(replicas) = spec.task_manager_replicas() {
        return Ok(replicas.saturating_mul(task_slots(conf)?));
    }
    let standalone = spec.mode_or_default() == KubernetesDeploymentMode::Standalone;
    let overrides = crate::reading::parallelism_overrides(conf)?;
    let largest = overrides.into_values().max().filter(|_| standalone);
    Ok(largest
        .map_or(job_spec.parallelism_or_default(), |largest| i32::try_from(largest).unwrap_or(i32::MAX)))
}

/// Standalone mode names the jar on the class path, as a URL that Java can open: `local:` is `file:` there.
fn standalone_jar(uri: &str) -> Result<String, ConfError> {
    const EXPECTED: &str = "a URI with a scheme, such as local:///opt/flink/usrlib/job.jar";
    let refuse = || ConfError::field("spec.job.jarURI", uri, EXPECTED);
    let (scheme, rest) = uri.split_once(':').ok_or_else(refuse)?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    if !is_scheme {
        return Err(refuse());
    }
    let url = match (scheme, rest.starts_with("//"), rest.starts_with('/')) {
        ("local", true, _) => format!("file:{rest}"),
        ("local", false, true) => format!("file://{rest}"),
        ("local", false, false) => return Err(refuse()),
        _ => uri.to_owned(),
    };
    Ok(ascii(&url))
}

/// Percent-encodes everything outside of ASCII, as Java's `URI.toASCIIString`.
fn ascii(url: &str) -> String {
    let mut text = String::with_capacity(url.len());
    for c in url.chars() {
        if c.is_ascii() {
            text.push(c);
        } else {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                // Writing to a String cannot fail.
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_jars_are_files_in_standalone_mode() {
        for (uri, url) in [
            ("local:///a/b.jar", "file:///a/b.jar"),
            ("local:/a/b.jar", "file:///a/b.jar"),
            ("local:///a/ä b.jar", "file:///a/%C3%A4 b.jar"),
            ("https://host/b.jar?x=1", "https://host/b.jar?x=1"),
            ("s3a+x://b/c.jar", "s3a+x://b/c.jar"),
        ] {
            assert_eq!(standalone_jar(uri).as_deref(), Ok(url));
        }
        for uri in ["/a/b.jar", "b.jar", "local:b.jar", "://x", ""] {
            assert!(standalone_jar(uri).is_err(), "{uri}");
        }
    }
}
