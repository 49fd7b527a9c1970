//! What the arguments of a container tell the entry point of Flink's image to start.
//!
//! Source: Flink's `docker-entrypoint.sh`; of a standalone application `StandaloneApplicationClusterEntryPoint`, which
//! looks for its options until it comes upon something else.

use flink_conf::FlinkConf;
use serde_json::Value;

/// What a container runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Process {
    /// A JobManager that makes its TaskManagers itself; which kind of cluster it is, its configuration says.
    NativeJobManager,
    /// `standalone-job`: the JobManager of one job.
    StandaloneJob(JobArguments),
    /// `jobmanager`: the JobManager of a session cluster.
    StandaloneSession,
    /// `taskmanager`.
    TaskManager,
}

/// Options of `standalone-job` that say which job starts, and from what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct JobArguments {
    pub(super) job_id: Option<String>,
    pub(super) from_savepoint: Option<String>,
    pub(super) allow_non_restored_state: bool,
    /// `-D key=value`.
    properties: Vec<(String, String)>,
}

impl Process {
    /// What the main container of a pod runs.
    pub(super) fn of(pod: &Value) -> Self {
        let arguments = pod.pointer("/spec/containers/0/args").and_then(Value::as_array);
        let arguments: Vec<&str> = arguments.into_iter().flatten().filter_map(Value::as_str).collect();
        match arguments.as_slice() {
            ["standalone-job", options @ ..] => Self::StandaloneJob(JobArguments::read(options)),
            // Arguments of the user's pod template may stand before those of a session cluster.
            all if all.contains(&"jobmanager") => Self::StandaloneSession,
            ["taskmanager", ..] => Self::TaskManager,
            _ => Self::NativeJobManager,
        }
    }
}

impl JobArguments {
    fn read(options: &[&str]) -> Self {
        let mut read = Self::default();
        let mut rest = options;
        loop {
            rest = match rest {
                ["--allowNonRestoredState" | "-n", after @ ..] => {
                    read.allow_non_restored_state = true;
                    after
                }
                ["--fromSavepoint" | "-s", path, after @ ..] => {
                    read.from_savepoint = Some((*path).to_owned());
                    after
                }
                ["--job-id" | "-jid", id, after @ ..] => {
                    read.job_id = Some((*id).to_owned());
                    after
                }
                ["-D", property, after @ ..] => {
                    let (key, value) = property.split_once('=').unwrap_or((property, "true"));
                    read.properties.push((key.to_owned(), value.to_owned()));
                    after
                }
                ["--job-classname" | "-j" | "--jars", _, after @ ..] => after,
                // What follows is the job's.
                _ => return read,
            };
        }
    }

    /// The configuration with the dynamic properties over it.
    pub(super) fn complete(&self, conf: &FlinkConf) -> FlinkConf {
        let mut conf = conf.clone();
        for (key, value) in &self.properties {
            conf.set(key.clone(), value.clone());
        }
        conf
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn process(arguments: &[&str]) -> Process {
        Process::of(&json!({"spec": {"containers": [{"args": arguments}]}}))
    }

    #[test]
    fn arguments_say_what_starts() {
        assert_eq!(process(&["bash", "-c", "kubernetes-jobmanager.sh"]), Process::NativeJobManager);
        assert_eq!(process(&["wrapper", "jobmanager", "-D", "a=b"]), Process::StandaloneSession);
        assert_eq!(process(&["taskmanager"]), Process::TaskManager);
    }

    #[test]
    fn a_jobs_own_arguments_are_not_flinks() {
        let read = |arguments: &[&str]| match process(arguments) {
            Process::StandaloneJob(read) => read,
            other => panic!("{other:?}"),
        };
        let job = ["standalone-job", "--job-classname", "a.B", "--fromSavepoint", "s3://s/1", "-D", "a=b"];
        let all = read(&[&job[..], &["--allowNonRestoredState", "--job-id", "1"]].concat());
        assert_eq!((all.from_savepoint.as_deref(), all.job_id.as_deref()), (Some("s3://s/1"), Some("1")));
        assert!(all.allow_non_restored_state);
        assert_eq!(all.complete(&FlinkConf::new()).get("a"), Some("b"));
        for others in [["--", "-n"], ["in.txt", "-n"]] {
            assert!(!read(&[&job[..], &others].concat()).allow_non_restored_state);
        }
    }
}
