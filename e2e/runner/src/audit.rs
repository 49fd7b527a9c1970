//! The API server's audit log: who asked for what.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::Deserialize;

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) user: String,
    /// What the client calls itself.
    pub(crate) agent: String,
    pub(crate) verb: String,
    /// For instance `deployments.apps/scale`.
    pub(crate) resource: String,
    /// Empty if the resource has none, or for requests about all.
    pub(crate) namespace: String,
    /// Empty for requests about many, and for those that create.
    pub(crate) name: String,
    pub(crate) code: u16,
    /// Why it was refused.
    pub(crate) message: String,
    pub(crate) received: Timestamp,
}

impl Request {
    /// Whether it changes something.
    pub(crate) fn is_write(&self) -> bool {
        ["create", "update", "patch", "delete", "deletecollection"].contains(&self.verb.as_str())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(rename = "auditID")]
    id: String,
    verb: String,
    user: User,
    #[serde(default)]
    user_agent: String,
    #[serde(rename = "requestURI")]
    uri: String,
    object_ref: Option<Object>,
    response_status: Option<Status>,
    request_received_timestamp: Timestamp,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Object {
    resource: String,
    subresource: String,
    api_group: String,
    namespace: String,
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    code: u16,
    message: String,
}

/// All requests of a log in the order in which they were received, each once, however many stages it has.
pub(crate) fn read(log: &Path) -> Result<Vec<Request>> {
    let file = File::open(log).with_context(|| format!("audit log {}", log.display()))?;
    let mut requests = BTreeMap::new();
    for line in BufReader::new(file).lines() {
        // The last line may be half written.
        if let Ok(entry) = serde_json::from_str::<Entry>(&line?) {
            let id = entry.id.clone();
            requests.insert(id, Request::from(entry));
        }
    }
    let mut requests: Vec<_> = requests.into_values().collect();
    requests.sort_by_key(|request| request.received);
    Ok(requests)
}

impl From<Entry> for Request {
    fn from(entry: Entry) -> Self {
        let object = entry.object_ref.unwrap_or_default();
        let path = || entry.uri.split('?').next().unwrap_or_default().to_owned();
        let mut resource = if object.resource.is_empty() { path() } else { object.resource };
        for (separator, part) in [(".", object.api_group), ("/", object.subresource)] {
            if !part.is_empty() {
                resource = format!("{resource}{separator}{part}");
            }
        }
        let status = entry.response_status.unwrap_or_default();
        Self {
            user: entry.user.username,
            agent: entry.user_agent,
            verb: entry.verb,
            resource,
            namespace: object.namespace,
            name: object.name,
            code: status.code,
            message: status.message,
            received: entry.request_received_timestamp,
        }
    }
}
