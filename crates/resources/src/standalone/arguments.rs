//! What the image's entry point is told to start.
//!
//! Source: the Java operator's `CmdStandaloneJobManagerDecorator` and `CmdStandaloneTaskManagerDecorator`; for what
//! Flink makes of the arguments `StandaloneApplicationClusterConfigurationParserFactory`, tried with Flink 1.20.

use api::JobSpec;
use flink_conf::FlinkConf;
use flink_conf::option::{internal, process, state};

use crate::{BuildError, names, options};

/// Starts a TaskManager.
pub(super) const TASK_MANAGER: &str = "taskmanager";
const JOB_MANAGER: &str = "jobmanager";
const APPLICATION: &str = "standalone-job";

/// An option of Flink's own entry point.
struct FlinkOption {
    short: &'static str,
    long: &'static str,
    /// Whether somebody may mean it who writes it out as an argument of the job. The others have been given a value by
    /// the operator or by Flink's scripts already.
    may_be_meant: bool,
}

const FLINK_OPTIONS: [FlinkOption; 8] = [
    FlinkOption { short: "c", long: "configDir", may_be_meant: false },
    FlinkOption { short: "h", long: "host", may_be_meant: false },
    FlinkOption { short: "r", long: "webui-port", may_be_meant: false },
    FlinkOption { short: "n", long: "allowNonRestoredState", may_be_meant: true },
    FlinkOption { short: "s", long: "fromSavepoint", may_be_meant: true },
    FlinkOption { short: "j", long: "job-classname", may_be_meant: true },
    FlinkOption { short: "jid", long: "job-id", may_be_meant: true },
    FlinkOption { short: "jars", long: "jars", may_be_meant: true },
];

/// Arguments of an application's JobManager.
///
/// Restoring is not left to the configuration: this entry point of Flink overwrites what is there about state that
/// cannot be restored with what its arguments say.
pub(super) fn application(conf: &FlinkConf, job: &JobSpec) -> Result<Vec<String>, BuildError> {
    let mut arguments = vec![APPLICATION.to_owned()];
    if let Some(class) = conf.text(internal::APPLICATION_MAIN) {
        arguments.extend(["--job-classname".to_owned(), class.to_owned()]);
    }
    if options::flag(conf, state::ALLOW_NON_RESTORED_STATE, false)? {
        arguments.push("--allowNonRestoredState".to_owned());
    }
    if let Some(path) = conf.text(state::SAVEPOINT_PATH) {
        arguments.extend(["--fromSavepoint".to_owned(), path.to_owned()]);
    }
    arguments.extend(address(conf));
    arguments.extend(of_job(job.args_or_default()));
    Ok(arguments)
}

/// Arguments of a session cluster's JobManager.
pub(super) fn session(conf: &FlinkConf) -> Vec<String> {
    let mut arguments = vec![JOB_MANAGER.to_owned()];
    arguments.extend(address(conf));
    arguments
}

/// With high availability several JobManagers may run, and the leader tells its own address instead of the Service's.
/// `$(…)` is expanded by Kubernetes. Flink 2 has no `--host` any more, but every version from 1.16 on this.
fn address(conf: &FlinkConf) -> Vec<String> {
    if !options::is_ha(conf) {
        return Vec::new();
    }
    let key = process::JOB_MANAGER_RPC_ADDRESS.name;
    vec!["-D".to_owned(), format!("{key}=$({})", names::ENV_POD_IP)]
}

/// The job's arguments, with `--` before them if Flink would take the first one for its own.
///
/// Flink looks for its options until it comes upon something else, and takes any beginning of a name for the name: a
/// job's `--config x` is its `--configDir x`, `--from 2024-01-01` its `--fromSavepoint`. Dynamic properties (`-D k=v`)
/// at the beginning stay Flink's, and so do its options when they are written out, since somebody may mean them.
fn of_job(arguments: &[String]) -> Vec<String> {
    let (properties, others) = arguments.split_at(dynamic_properties(arguments));
    let separator = others.first().is_some_and(|first| is_misread(first)).then(|| "--".to_owned());
    properties.iter().cloned().chain(separator).chain(others.iter().cloned()).collect()
}

/// How many arguments at the beginning are dynamic properties.
fn dynamic_properties(arguments: &[String]) -> usize {
    let mut rest = arguments;
    loop {
        rest = match rest {
            [flag, _, others @ ..] if flag == "-D" => others,
            [property, others @ ..] if property.starts_with("-D") && property.len() > 2 => others,
            _ => return arguments.len() - rest.len(),
        };
    }
}

/// Whether Flink would take an argument for an option of its own although it is the job's.
fn is_misread(argument: &str) -> bool {
    let (word, one_dash) = match (argument.strip_prefix("--"), argument.strip_prefix('-')) {
        // Flink drops it.
        (Some(""), _) => return true,
        (Some(word), _) => (word, false),
        (None, Some(word)) => (word, true),
        (None, None) => return false,
    };
    let name = word.split('=').next().unwrap_or_default();
    let is_written_out = |it: &&FlinkOption| name == it.long || one_dash && name == it.short;
    if let Some(option) = FLINK_OPTIONS.iter().find(is_written_out) {
        return !option.may_be_meant;
    }
    // Behind one dash a letter may be followed by its value: `-sfoo` is `--fromSavepoint foo`.
    let is_taken_for = |it: &FlinkOption| it.long.starts_with(name) || one_dash && name.starts_with(it.short);
    !name.is_empty() && FLINK_OPTIONS.iter().any(is_taken_for)
}

#[cfg(test)]
mod tests {
    use super::of_job;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    /// Which of them Flink 1.20 takes for its own was tried with its parser; so was that `--` keeps it from doing so.
    #[test]
    fn arguments_that_flink_would_take_stand_behind_two_dashes() {
        for misread in [
            "--config /etc/job.yaml",
            "--config=/etc/job.yaml",
            "--configDir x",
            "--from 2024-01-01",
            "-from 2024-01-01",
            "--job x",
            "--jar x",
            "--a b",
            "--host kafka",
            "--host=kafka",
            "-host kafka",
            "-h kafka",
            "-hostname kafka",
            "--web 1",
            "-rate 5",
            "-c x",
            "-name x",
            "-json x",
            "-sfoo",
            "--j x",
            "-- x",
        ] {
            assert_eq!(of_job(&words(misread)), words(&format!("-- {misread}")));
        }
    }

    #[test]
    fn other_arguments_are_left_alone() {
        for arguments in [
            "",
            "--hostname kafka",
            "--q --config x",
            "in.txt --config x",
            "-topic t",
            "--topics t",
            "- x",
            "-5",
            "--jarsx y",
            "--jars s3://bucket/a.jar",
            "--job-classname a.B",
            "--fromSavepoint=s3://s",
            "-n",
            "-jid 0",
            "--jid 0",
        ] {
            assert_eq!(of_job(&words(arguments)), words(arguments));
        }
    }

    #[test]
    fn dynamic_properties_stay_flinks() {
        assert_eq!(of_job(&words("-D a=b -Dc=d --from x")), words("-D a=b -Dc=d -- --from x"));
        assert_eq!(of_job(&words("-D a=b --q x")), words("-D a=b --q x"));
        assert_eq!(of_job(&words("-D a=b")), words("-D a=b"));
        assert_eq!(of_job(&words("-D")), words("-D"));
        assert_eq!(of_job(&words("--q -D a=b")), words("--q -D a=b"));
    }
}
