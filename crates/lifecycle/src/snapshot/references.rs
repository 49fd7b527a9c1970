//! What else refers to the files of a savepoint: they are not deleted as long as somebody may start a job from them.

use api::{FlinkDeployment, FlinkSessionJob, FlinkStateSnapshot, JobSpec, JobStatus};

use kube::Resource;
use kube::core::DynamicObject;
use serde_json::Value;

use super::deletion::owns_files;

/// The path whose files go together with `resource` once it is deleted, if any.
#[must_use]
pub fn path_to_dispose(resource: &FlinkStateSnapshot) -> Option<&str> {
    let path = resource.status.as_ref().and_then(|status| status.path.as_deref())?;
    (owns_files(resource) && !path.is_empty()).then_some(path)
}

/// The paths that a resource refers to: files there are needed as long as it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct References {
    uid: Option<String>,
    by: String,
    paths: Vec<String>,
}

impl References {
    /// Of a job: what it may have to start from, and what its status lists.
    #[must_use]
    pub fn of_deployment(resource: &FlinkDeployment) -> Self {
        let status = resource.status.as_ref().and_then(|status| status.job_status.as_ref());
        Self::of(resource, of_job(resource.spec.job.as_ref(), status))
    }

    /// The same of a job on a session cluster.
    #[must_use]
    pub fn of_session_job(resource: &FlinkSessionJob) -> Self {
        let status = resource.status.as_ref().and_then(|status| status.job_status.as_ref());
        Self::of(resource, of_job(resource.spec.job.as_ref(), status))
    }

    /// Of a snapshot that stays, whether it was taken there or stands for one that was there before.
    #[must_use]
    pub fn of_snapshot(resource: &FlinkStateSnapshot) -> Self {
        let taken = resource.status.as_ref().and_then(|status| status.path.as_deref());
        let given = resource.spec.savepoint.as_ref().filter(|it| it.already_exists_or_default());
        let given = given.and_then(|savepoint| savepoint.path.as_deref());
        let stays = resource.metadata.deletion_timestamp.is_none();
        Self::of(resource, taken.into_iter().chain(given).filter(|_| stays))
    }

    /// Of an object that cannot be decoded: whatever it says may be a path.
    #[must_use]
    pub fn of_undecodable(object: &DynamicObject) -> Self {
        let kind = object.types.as_ref().map(|types| types.kind.as_str()).unwrap_or_default();
        let name = object.metadata.name.as_deref().unwrap_or_default();
        let mut paths = Vec::new();
        collect_texts(&object.data, &mut paths);
        Self { uid: object.metadata.uid.clone(), by: format!("{kind} {name}"), paths }
    }

    fn of<'a, K: Resource<DynamicType = ()>>(resource: &K, paths: impl Iterator<Item = &'a str>) -> Self {
        let meta = resource.meta();
        let by = format!("{} {}", K::kind(&()), meta.name.as_deref().unwrap_or_default());
        Self { uid: meta.uid.clone(), by, paths: paths.map(str::to_owned).collect() }
    }

    /// What the resource is called, if it needs `path` and is not the one of the uid `except`, which asks.
    #[must_use]
    pub fn needs(&self, except: Option<&str>, path: &str) -> Option<&str> {
        let is_other = except.is_none() || self.uid.as_deref() != except;
        (is_other && self.paths.iter().any(|known| is_same(known, path))).then_some(&self.by)
    }

    /// Whether it refers to nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }
}

fn of_job<'a>(spec: Option<&'a JobSpec>, status: Option<&'a JobStatus>) -> impl Iterator<Item = &'a str> {
    let initial = spec.and_then(|job| job.initial_savepoint_path.as_deref());
    let upgrade = status.and_then(|status| status.upgrade_savepoint_path.as_deref());
    let info = status.and_then(|status| status.savepoint_info.as_ref());
    let last = info.and_then(|info| info.last_savepoint.as_ref());
    let history = info.and_then(|info| info.savepoint_history.as_ref());
    let listed = last.into_iter().chain(history.into_iter().flatten());
    let listed = listed.filter_map(|savepoint| savepoint.location.as_deref());
    initial.into_iter().chain(upgrade).chain(listed)
}

fn collect_texts(object: &Value, texts: &mut Vec<String>) {
    match object {
        Value::String(text) => texts.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect_texts(item, texts)),
        Value::Object(fields) => fields.values().for_each(|field| collect_texts(field, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether two paths name the same place: `file:/a`, `file:///a` and `file:/a/` do.
pub(crate) fn is_same(one: &str, other: &str) -> bool {
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
