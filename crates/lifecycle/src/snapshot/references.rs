//! What else refers to the files of a savepoint: they are not deleted as long as somebody may start a job from them.

use api::{FlinkDeployment, FlinkSessionJob, FlinkStateSnapshot, JobSpec, JobStatus};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
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

/// Whether a job may have to start from `path`, or lists it: what its resource is called, if so. The resource of the uid
/// `except` is the one that asks.
#[must_use]
pub fn deployment_needs(resource: &FlinkDeployment, except: Option<&str>, path: &str) -> Option<String> {
    let status = resource.status.as_ref().and_then(|status| status.job_status.as_ref());
    let is_other = is_other(&resource.metadata, except);
    (is_other && needs(resource.spec.job.as_ref(), status, path)).then(|| named(resource))
}

/// The same for a job on a session cluster.
#[must_use]
pub fn session_job_needs(resource: &FlinkSessionJob, except: Option<&str>, path: &str) -> Option<String> {
    let status = resource.status.as_ref().and_then(|status| status.job_status.as_ref());
    let is_other = is_other(&resource.metadata, except);
    (is_other && needs(resource.spec.job.as_ref(), status, path)).then(|| named(resource))
}

/// The same for a snapshot that stays, whether it was taken there or stands for one that was there before.
#[must_use]
pub fn snapshot_needs(resource: &FlinkStateSnapshot, except: Option<&str>, path: &str) -> Option<String> {
    let meta = &resource.metadata;
    let taken = resource.status.as_ref().and_then(|status| status.path.as_deref());
    let given = resource.spec.savepoint.as_ref().filter(|it| it.already_exists == Some(true));
    let given = given.and_then(|savepoint| savepoint.path.as_deref());
    let stays = is_other(meta, except) && meta.deletion_timestamp.is_none();
    (stays && taken.into_iter().chain(given).any(|own| is_same(own, path))).then(|| named(resource))
}

/// The same for an object that cannot be decoded: it needs the path if it says it anywhere.
#[must_use]
pub fn undecodable_needs(object: &DynamicObject, except: Option<&str>, path: &str) -> Option<String> {
    let kind = object.types.as_ref().map(|types| types.kind.as_str()).unwrap_or_default();
    let name = object.metadata.name.as_deref().unwrap_or_default();
    (is_other(&object.metadata, except) && names_path(&object.data, path)).then(|| format!("{kind} {name}"))
}

fn names_path(object: &Value, path: &str) -> bool {
    match object {
        Value::String(text) => is_same(text, path),
        Value::Array(items) => items.iter().any(|item| names_path(item, path)),
        Value::Object(fields) => fields.values().any(|field| names_path(field, path)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn is_other(metadata: &ObjectMeta, except: Option<&str>) -> bool {
    except.is_none() || metadata.uid.as_deref() != except
}

/// How a resource is called towards its users.
fn named<K: Resource<DynamicType = ()>>(resource: &K) -> String {
    format!("{} {}", K::kind(&()), resource.meta().name.as_deref().unwrap_or_default())
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
