//! Calls that change something in Flink.

use std::collections::BTreeMap;

use flink_client::answers::{self, ResourceRequirements, VertexRequirements};
use flink_client::{
    CheckpointTrigger, CheckpointType, FlinkError, JobId, SavepointFormat, SavepointTrigger,
    StopWithSavepoint, TriggerId,
};
use lifecycle::{Begun, FlinkCall, FlinkRequest, ParallelismBounds};

use super::error::{EffectError, EffectErrorKind};
use super::{Done, Executor};
use crate::resource::Resource;

impl Executor {
    /// Sends a call. All of them return at once; what comes of them is told by the Flink poller.
    pub(super) async fn call_flink(
        &self,
        resource: &Resource,
        call: &FlinkCall,
    ) -> Result<Done, EffectError> {
        let slot = self.slots.give_back();
        let sent = self.send(resource, call).await;
        drop(slot);
        let operation = call.request.operation();
        match sent {
            Ok(Sent::Needed { path, by }) => Ok(Done::Needed { path, by }),
            Ok(Sent::Taken { id }) => Ok(operation.map_or(Done::Plain, |operation| {
                Done::Begun(Begun {
                    operation: operation.to_owned(),
                    id: id.unwrap_or_else(|| operation.to_owned()),
                    at: self.clock.now(),
                })
            })),
            Err(kind) if call.tolerate_failure => {
                tracing::info!(
                    namespace = %resource.key.namespace,
                    name = %resource.key.name,
                    "{} failed and is not needed: {kind}", action(&call.request)
                );
                Ok(Done::Plain)
            }
            Err(kind) => Err(kind.during(action(&call.request))),
        }
    }

    async fn send(&self, resource: &Resource, call: &FlinkCall) -> Result<Sent, EffectErrorKind> {
        let cluster = self.remotes.flink.cluster(&call.cluster, self.remotes.flink_time_limit)?;
        match &call.request {
            FlinkRequest::Cancel { job_id } => {
                let job = job_id.parse::<JobId>()?;
                // Ended in another way, or not known any more: there is nothing left to cancel. Whether that is true
                // the next poll tells.
                match cluster.cancel(&job).await {
                    Ok(()) | Err(FlinkError::Conflict { .. } | FlinkError::NotFound { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            FlinkRequest::StopWithSavepoint { job_id, trigger_id, target_directory, drain, format_type } => {
                let stop = StopWithSavepoint {
                    target_directory: target_directory.clone(),
                    drain: *drain,
                    format_type: savepoint_format(format_type)?,
                    trigger_id: trigger_id.parse::<TriggerId>()?,
                };
                began(cluster.stop_with_savepoint(&job_id.parse()?, &stop).await)?;
            }
            FlinkRequest::TriggerSavepoint { job_id, trigger_id, target_directory, format_type } => {
                let trigger = SavepointTrigger {
                    target_directory: target_directory.clone(),
                    format_type: savepoint_format(format_type)?,
                    trigger_id: trigger_id.parse()?,
                };
                began(cluster.trigger_savepoint(&job_id.parse()?, &trigger).await)?;
            }
            FlinkRequest::TriggerCheckpoint { job_id, trigger_id, checkpoint_type: kind } => {
                let trigger = CheckpointTrigger {
                    checkpoint_type: checkpoint_type(kind)?,
                    trigger_id: trigger_id.parse()?,
                };
                began(cluster.trigger_checkpoint(&job_id.parse()?, &trigger).await)?;
            }
            FlinkRequest::Rescale { job_id, vertices } => {
                let requirements = requirements(vertices)?;
                cluster.update_resource_requirements(&job_id.parse()?, &requirements).await?;
            }
            FlinkRequest::DisposeSavepoint { path } => {
                if let Some(by) = self.needed_by(resource, path).await? {
                    return Ok(Sent::Needed { path: path.clone(), by });
                }
                let id = cluster.dispose_savepoint(path).await?;
                return Ok(Sent::Taken { id: Some(id.to_string()) });
            }
        }
        Ok(Sent::Taken { id: None })
    }
}

/// What came of a call.
enum Sent {
    /// Flink has taken it. The id of what has begun, where Flink has chosen it.
    Taken { id: Option<String> },
    /// It was not made, because another resource needs these files.
    Needed { path: String, by: String },
}

/// A repeat of an operation that has failed before under the same id is answered with a conflict: it began, and its
/// result is found under its id.
fn began(answer: Result<(), FlinkError>) -> Result<(), EffectErrorKind> {
    match answer {
        Ok(()) | Err(FlinkError::Conflict { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn requirements(
    vertices: &BTreeMap<String, ParallelismBounds>,
) -> Result<ResourceRequirements, EffectErrorKind> {
    let vertex = |(id, bounds): (&String, &ParallelismBounds)| {
        let parallelism = answers::ParallelismBounds { lower_bound: bounds.lower, upper_bound: bounds.upper };
        Ok((id.parse()?, VertexRequirements { parallelism }))
    };
    let vertices = vertices.iter().map(vertex).collect::<Result<_, EffectErrorKind>>()?;
    Ok(ResourceRequirements { vertices })
}

fn savepoint_format(text: &str) -> Result<SavepointFormat, EffectErrorKind> {
    match text {
        "CANONICAL" => Ok(SavepointFormat::Canonical),
        "NATIVE" => Ok(SavepointFormat::Native),
        _ => Err(EffectErrorKind::Choice { what: "savepoint formats", value: text.to_owned() }),
    }
}

fn checkpoint_type(text: &str) -> Result<CheckpointType, EffectErrorKind> {
    match text {
        "FULL" => Ok(CheckpointType::Full),
        "INCREMENTAL" => Ok(CheckpointType::Incremental),
        "CONFIGURED" => Ok(CheckpointType::Configured),
        _ => Err(EffectErrorKind::Choice { what: "checkpoint types", value: text.to_owned() }),
    }
}

fn action(request: &FlinkRequest) -> String {
    match request {
        FlinkRequest::Cancel { job_id } => format!("cancel job {job_id}"),
        FlinkRequest::StopWithSavepoint { job_id, .. } => format!("stop job {job_id} with a savepoint"),
        FlinkRequest::TriggerSavepoint { job_id, .. } => format!("take a savepoint of job {job_id}"),
        FlinkRequest::TriggerCheckpoint { job_id, .. } => format!("take a checkpoint of job {job_id}"),
        FlinkRequest::Rescale { job_id, .. } => format!("rescale job {job_id}"),
        FlinkRequest::DisposeSavepoint { path } => format!("dispose of savepoint {path}"),
    }
}
