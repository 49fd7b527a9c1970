//! Calls that take, watch and dispose of savepoints and checkpoints.
//!
//! Each trigger carries an id that the caller chose and recorded before. A repeat with the same id is the same
//! operation, also after the job has ended and also when it failed, until Flink forgets it: five minutes after the
//! operation ended (`rest.async.store-duration`), read or not, and with every restart of the JobManager. From then
//! on a repeat is a new operation, so a caller that has been away asks for the result before it repeats a trigger. What Flink does not check, so that the caller must know:
//! * A trigger for an unknown or ended job is accepted; only its result says so
//!   ([`crate::answers::FailureCause::is_job_not_found`]).
//! * Savepoints and stop-with-savepoint share one memory: a stop with the id of an earlier savepoint of the job is
//!   accepted and does nothing. An id is therefore for one operation of one kind.

use http::Method;
use serde::Serialize;

use crate::answers::{
    AsyncAnswer, CheckpointOutcome, DisposalOutcome, Operation, Requested, SavepointOutcome,
};
use crate::calls::jobs::half_an_answer;
use crate::calls::json_body;
use crate::client::FlinkCluster;
use crate::error::FlinkError;
use crate::identifiers::{JobId, TriggerId};
use crate::requests::{CheckpointTrigger, SavepointTrigger, StopWithSavepoint};
use crate::transport::Call;

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Disposal<'a> {
    savepoint_path: &'a str,
}

impl FlinkCluster {
    /// `POST /jobs/:jobid/stop`: accepted. The job ends FINISHED; the result is under the trigger id, see
    /// [`FlinkCluster::savepoint_result`].
    pub async fn stop_with_savepoint(&self, job: &JobId, stop: &StopWithSavepoint) -> Result<(), FlinkError> {
        let call = Call::StopWithSavepoint;
        self.trigger(call, format!("/jobs/{job}/stop"), stop, &stop.trigger_id).await
    }

    /// `POST /jobs/:jobid/savepoints`: accepted. The result is under the trigger id, see
    /// [`FlinkCluster::savepoint_result`].
    pub async fn trigger_savepoint(&self, job: &JobId, trigger: &SavepointTrigger) -> Result<(), FlinkError> {
        let call = Call::TriggerSavepoint;
        self.trigger(call, format!("/jobs/{job}/savepoints"), trigger, &trigger.trigger_id).await
    }

    /// `GET /jobs/:jobid/savepoints/:triggerid`: the path of the savepoint once it is completed, both for
    /// savepoints and for stop-with-savepoint.
    pub async fn savepoint_result(
        &self,
        job: &JobId,
        trigger: &TriggerId,
    ) -> Result<Operation<String>, FlinkError> {
        let call = Call::SavepointResult;
        let answer: AsyncAnswer<SavepointOutcome> =
            self.get(call, format!("/jobs/{job}/savepoints/{trigger}")).await?;
        answer.read().map_err(|reason| half_an_answer(call, reason))
    }

    /// `POST /jobs/:jobid/checkpoints`: accepted. Flink 1.17 and newer. The result is under the trigger id, see
    /// [`FlinkCluster::checkpoint_result`].
    pub async fn trigger_checkpoint(
        &self,
        job: &JobId,
        trigger: &CheckpointTrigger,
    ) -> Result<(), FlinkError> {
        let call = Call::TriggerCheckpoint;
        self.trigger(call, format!("/jobs/{job}/checkpoints"), trigger, &trigger.trigger_id).await
    }

    /// `GET /jobs/:jobid/checkpoints/:triggerid`: the number of the checkpoint once it is completed; its path
    /// is in [`FlinkCluster::checkpoint_details`].
    pub async fn checkpoint_result(
        &self,
        job: &JobId,
        trigger: &TriggerId,
    ) -> Result<Operation<u64>, FlinkError> {
        let call = Call::CheckpointResult;
        let answer: AsyncAnswer<CheckpointOutcome> =
            self.get(call, format!("/jobs/{job}/checkpoints/{trigger}")).await?;
        answer.read().map_err(|reason| half_an_answer(call, reason))
    }

    /// `POST /savepoint-disposal`: accepted. Flink chooses the id of this operation itself; a repeat is harmless
    /// because disposing of a savepoint that is gone only fails.
    pub async fn dispose_savepoint(&self, path: &str) -> Result<TriggerId, FlinkError> {
        let call = Call::DisposeSavepoint;
        let body = json_body(call, &Disposal { savepoint_path: path })?;
        let answer: Requested =
            self.exchange(call, Method::POST, "/savepoint-disposal".to_owned(), body).await?;
        Ok(answer.request_id)
    }

    /// `GET /savepoint-disposal/:triggerid`.
    pub async fn disposal_result(&self, trigger: &TriggerId) -> Result<Operation<()>, FlinkError> {
        let call = Call::DisposalResult;
        let answer: AsyncAnswer<DisposalOutcome> =
            self.get(call, format!("/savepoint-disposal/{trigger}")).await?;
        answer.read().map_err(|reason| half_an_answer(call, reason))
    }

    /// Posts a trigger and makes sure that Flink took our id: one that it chose itself could not be found again.
    async fn trigger<T: Serialize>(
        &self,
        call: Call,
        path: String,
        request: &T,
        chosen: &TriggerId,
    ) -> Result<(), FlinkError> {
        let answer: Requested = self.exchange(call, Method::POST, path, json_body(call, request)?).await?;
        if answer.request_id == *chosen {
            return Ok(());
        }
        Err(FlinkError::Malformed {
            call,
            status: 202,
            truncated: false,
            detail: format!("the trigger id is {} instead of {chosen}", answer.request_id),
        })
    }
}
