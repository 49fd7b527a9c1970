//! The directory of an image in which Flink looks for the jars of a standalone application.
//!
//! Source: the Java operator's `UserLibMountDecorator`; Flink, `DefaultPackagedProgramRetriever`, tried with 1.20.

use flink_conf::FlinkConf;
use flink_conf::option::{internal, job};
use serde_json::{Value, json};

use crate::BuildError;
use crate::pod::FlinkPod;

const DIRECTORY: &str = "/opt/flink/usrlib";
const VOLUME: &str = "user-lib-dir";

/// Takes jars of the directory off the job's class path if the job has no entry class. Flink puts all that is in the
/// directory on the class path by itself; a jar that is there twice makes two entry classes, which it refuses.
pub(crate) fn leave_to_flink(conf: &mut FlinkConf) -> Result<(), BuildError> {
    if conf.contains(internal::APPLICATION_MAIN) {
        return Ok(());
    }
    let jars = conf.list(job::CLASSPATHS)?.unwrap_or_default();
    let others: Vec<&String> = jars.iter().filter(|jar| !is_jar_in_directory(jar)).collect();
    if others.len() == jars.len() {
        return Ok(());
    }
    if others.is_empty() {
        conf.remove(job::CLASSPATHS);
    } else {
        conf.set_list(job::CLASSPATHS.name, &others);
    }
    Ok(())
}

/// Mounts an empty directory there, as the Java operator does it for jobs with a class path, so that the job consists
/// of its own jar only. It would hide the job's jar if that is in the directory, so then it is left out, and where the
/// user mounts something.
pub(super) fn add_to(pod: &mut FlinkPod, conf: &FlinkConf) -> Result<(), BuildError> {
    let Some(jars) = conf.list(job::CLASSPATHS)? else { return Ok(()) };
    let is_mounted = pod.main_list("volumeMounts").iter().any(|mount| {
        mount.get("mountPath").and_then(Value::as_str).is_some_and(|path| path.starts_with(DIRECTORY))
    });
    if is_mounted || jars.iter().any(|jar| is_jar_in_directory(jar)) {
        return Ok(());
    }
    pod.append("volumes", [json!({"name": VOLUME, "emptyDir": {}})])?;
    pod.append_main("volumeMounts", [json!({"name": VOLUME, "mountPath": DIRECTORY})])
}

/// `file:///opt/flink/usrlib/job.jar`, or the same with one slash.
fn is_jar_in_directory(url: &str) -> bool {
    let Some(path) = url.strip_prefix("file:") else { return false };
    let path = path.strip_prefix("//").unwrap_or(path);
    path.strip_prefix(DIRECTORY).is_some_and(|below| below.starts_with('/'))
}
