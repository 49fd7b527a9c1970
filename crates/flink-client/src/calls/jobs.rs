//! Calls about jobs.

use http::Method;

use crate::answers::{
    ExceptionsAnswer, JobDetails, JobExceptions, JobOverview, JobResult, JobResultAnswer, JobState,
    JobStatusAnswer, JobsOverview, Metric, ResourceRequirements,
};
use crate::calls::{json_body, metrics_query};
use crate::client::FlinkCluster;
use crate::error::FlinkError;
use crate::identifiers::JobId;
use crate::transport::{Call, RequestBody};

impl FlinkCluster {
    /// `GET /jobs/overview`: all jobs that run or are remembered. Flink forgets an ended job after
    /// `jobstore.expiration-time` (1 hour).
    pub async fn jobs_overview(&self) -> Result<Vec<JobOverview>, FlinkError> {
        let answer: JobsOverview = self.get(Call::JobsOverview, "/jobs/overview".to_owned()).await?;
        Ok(answer.jobs)
    }

    /// `GET /jobs/:jobid`. May be out of date by `web.refresh-interval` (3 s), the state included; the list and
    /// the status are not.
    pub async fn job_details(&self, job: &JobId) -> Result<JobDetails, FlinkError> {
        let details: JobDetails = self.get(Call::JobDetails, format!("/jobs/{job}")).await?;
        if details.id != *job {
            return Err(half_an_answer(Call::JobDetails, "it is about another job"));
        }
        Ok(details)
    }

    /// `GET /jobs/:jobid/status`.
    pub async fn job_status(&self, job: &JobId) -> Result<JobState, FlinkError> {
        let answer: JobStatusAnswer = self.get(Call::JobStatus, format!("/jobs/{job}/status")).await?;
        Ok(answer.status)
    }

    /// `GET /jobs/:jobid/execution-result`: `None` while the job has not ended.
    pub async fn job_result(&self, job: &JobId) -> Result<Option<JobResult>, FlinkError> {
        let call = Call::JobResult;
        let answer: JobResultAnswer = self.get(call, format!("/jobs/{job}/execution-result")).await?;
        let result = answer.read().map_err(|reason| half_an_answer(call, reason))?;
        if result.as_ref().is_some_and(|result| result.id != *job) {
            return Err(half_an_answer(call, "it is about another job"));
        }
        Ok(result)
    }

    /// `GET /jobs/:jobid/exceptions`: at most `limit` failures, newest first. May be out of
    /// date by `web.refresh-interval` (3 s).
    pub async fn job_exceptions(&self, job: &JobId, limit: u32) -> Result<JobExceptions, FlinkError> {
        let path = format!("/jobs/{job}/exceptions?maxExceptions={limit}");
        let answer: ExceptionsAnswer = self.get(Call::JobExceptions, path).await?;
        Ok(answer.exception_history)
    }

    /// `GET /jobs/:jobid/metrics`: the named metrics; unknown ones are left out of the answer. All
    /// are unknown for the first seconds of a job, after its end, and for a job that Flink does not know. Values
    /// may be out of date by `metrics.fetcher.update-interval` (10 s).
    pub async fn job_metrics(&self, job: &JobId, names: &[&str]) -> Result<Vec<Metric>, FlinkError> {
        self.get(Call::JobMetrics, format!("/jobs/{job}/metrics?get={}", metrics_query(names))).await
    }

    /// `PATCH /jobs/:jobid?mode=cancel`: accepted, also when the job is CANCELED already; the job then passes
    /// through CANCELLING. [`FlinkError::Conflict`] when it ended otherwise, [`FlinkError::NotFound`] when
    /// Flink does not know it.
    pub async fn cancel(&self, job: &JobId) -> Result<(), FlinkError> {
        let path = format!("/jobs/{job}?mode=cancel");
        self.acknowledged(Call::Cancel, Method::PATCH, path, RequestBody::default()).await
    }

    /// `GET /jobs/:jobid/resource-requirements`: adaptive scheduler of Flink 1.18 and newer; a server error
    /// with other schedulers.
    pub async fn resource_requirements(&self, job: &JobId) -> Result<ResourceRequirements, FlinkError> {
        self.get(Call::ResourceRequirements, format!("/jobs/{job}/resource-requirements")).await
    }

    /// `PUT /jobs/:jobid/resource-requirements`: bounds of all vertices. Accepted says nothing about when, or
    /// whether, the job gets there. [`FlinkError::Conflict`] while another change goes on.
    pub async fn update_resource_requirements(
        &self,
        job: &JobId,
        requirements: &ResourceRequirements,
    ) -> Result<(), FlinkError> {
        let call = Call::UpdateResourceRequirements;
        let body = json_body(call, requirements)?;
        self.acknowledged(call, Method::PUT, format!("/jobs/{job}/resource-requirements"), body).await
    }
}

/// An answer that is well-formed and not the one that was asked for.
pub(super) fn half_an_answer(call: Call, reason: &str) -> FlinkError {
    FlinkError::Malformed { call, status: 200, truncated: false, detail: reason.to_owned() }
}
