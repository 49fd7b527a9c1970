//! What else refers to the files of a savepoint: they are not deleted as long as somebody may start a job from them.

use api::{FlinkDeployment, FlinkSessionJob, FlinkStateSnapshot, JobSpec, JobStatus};

use super::deletion::owns_files;

/// The path whose files go together with `resource` once it is deleted, if any.
#[must_use]
pub fn path_to_dispose(resource: &FlinkStateSnapshot) -> Option<&str> {
    let path = resource.status.as_ref().and_then(|status| status.path.as_deref())?;
    (owns_files(resource) && !path.is_empty()).then_some(path)
}

/// Whether a job may have to start from `path`, or lists it: what its resource is called, if so.
#[must_use]
pub fn deployment_needs(resource: &FlinkDeployment, path: &str) -> Option<String> {
    let status = resource.status.as_ref().and_then(|status| status.job_status.as_ref());
    let name = resource.metadata.name.as_deref().unwrap_or_default();
    needs(resource.spec.job.as_ref(), status, path).then(|| format!("FlinkDeployment {name}"))
}

/// The same for a job on a session cluster.
#[must_use]
pub fn session_job_needs(resource: &FlinkSessionJob, path: &str) -> Option<String> {
    let status = resource.status.as_ref().and_then(|status| status.job_status.as_ref());
    let name = resource.metadata.name.as_deref().unwrap_or_default();
    needs(resource.spec.job.as_ref(), status, path).then(|| format!("FlinkSessionJob {name}"))
}

/// The same for another snapshot that stays.
#[must_use]
pub fn snapshot_needs(resource: &FlinkStateSnapshot, except_uid: Option<&str>, path: &str) -> Option<String> {
    let meta = &resource.metadata;
    let own = resource.status.as_ref().and_then(|status| status.path.as_deref());
    let stays = meta.uid.as_deref() != except_uid && meta.deletion_timestamp.is_none();
    let name = meta.name.as_deref().unwrap_or_default();
    (stays && own.is_some_and(|own| is_same(own, path))).then(|| format!("FlinkStateSnapshot {name}"))
}

fn needs(spec: Option<&JobSpec>, status: Option<&JobStatus>, path: &str) -> bool {
    let initial = spec.and_then(|job| job.initial_savepoint_path.as_deref());
    let upgrade = status.and_then(|status| status.upgrade_savepoint_path.as_deref());
    let info = status.and_then(|status| status.savepoint_info.as_ref());
    let last = info.and_then(|info| info.last_savepoint.as_ref());
    let history = info.and_then(|info| info.savepoint_history.as_ref());
    let listed = last.into_iter().chain(history.into_iter().flatten());
    let listed = listed.filter_map(|savepoint| savepoint.location.as_deref());
    initial.into_iter().chain(upgrade).chain(listed).any(|known| is_same(known, path))
}

/// Whether two paths name the same place: `file:/a`, `file:///a` and `file:/a/` do.
fn is_same(one: &str, other: &str) -> bool {
    plain(one) == plain(other)
}

fn plain(path: &str) -> (&str, &str) {
    let (scheme, rest) = path.split_once(':').unwrap_or(("", path));
    let rest = rest.trim_end_matches('/');
    // An authority stays: s3://bucket/key is not s3:/bucket/key.
    (scheme, rest.strip_prefix("//").filter(|rest| rest.starts_with('/')).unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn spellings_of_one_place() {
        assert!(is_same("file:/a/b", "file:///a/b"));
        assert!(is_same("file:/a/b/", "file:/a/b"));
        assert!(is_same("s3://bucket/a", "s3://bucket/a/"));
        assert!(!is_same("s3://bucket/a", "s3a://bucket/a"));
        assert!(!is_same("s3://bucket/a", "s3://bucket/ab"));
    }
}
