//! What [`crate::decide`] answers.

use std::time::Duration;

use crate::effect::{Effect, FlinkCluster};

/// The next status, what to do after it is stored, and when to look again.
#[derive(Clone, Debug)]
pub struct Decision<Status> {
    /// Stored before any effect, if it differs from the current one.
    pub status: Status,
    /// Done in this order; the first failure ends the list.
    pub effects: Vec<Effect>,
    /// When to decide again if nothing happens before.
    pub requeue: Requeue,
    /// What to ask the Flink cluster, and how often; `None` when there is no cluster to ask.
    pub poll: Option<PollPlan>,
}

/// When to look at a resource again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requeue {
    /// In the same pass: the effects that were just done are the next observation.
    AtOnce,
    /// After this time, or earlier when something changes.
    After(Duration),
    /// Only when something changes.
    OnChange,
}

/// What the Flink poller asks, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollPlan {
    /// Where.
    pub cluster: FlinkCluster,
    /// uid of the JobManager Deployment, stored with the answer.
    pub deployment_uid: String,
    /// Time between polls.
    pub interval: Duration,
    /// Limit for each call (`kubernetes.operator.flink.client.timeout`).
    pub timeout: Duration,
    /// For how long polls may fail before that is news a second time: one may always be lost.
    pub patience: Duration,
    /// How long the checkpoint statistics of a job that has ended may still be those of before
    /// (`rest.cache.checkpoint-statistics.timeout`, `web.refresh-interval`): they are not asked for earlier.
    pub statistics_lag: Duration,
    /// The only job to look at; `None` for the list of all jobs.
    pub job_id: Option<String>,
    /// What to ask besides.
    pub questions: Vec<Question>,
}

/// One question to a Flink cluster besides the list of its jobs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Question {
    /// Version, revision, resources in use.
    ClusterInfo,
    /// Checkpoint statistics of a job.
    Checkpoints {
        /// The job.
        job_id: String,
    },
    /// The result of a savepoint or of a stop with savepoint.
    Savepoint {
        /// The job.
        job_id: String,
        /// Our identity of the operation.
        trigger_id: String,
    },
    /// The result of a triggered checkpoint: where it lies.
    Checkpoint {
        /// The job.
        job_id: String,
        /// Our identity of the operation.
        trigger_id: String,
    },
    /// What came of a savepoint's disposal.
    Disposal {
        /// Flink's id of the operation.
        trigger_id: String,
    },
    /// Why a job failed.
    FailureCause {
        /// The job.
        job_id: String,
    },
    /// Exceptions of a job.
    Exceptions {
        /// The job.
        job_id: String,
    },
    /// Restart and checkpoint counters of a job.
    Metrics {
        /// The job.
        job_id: String,
    },
    /// How parallel a job is.
    Parallelism {
        /// The job.
        job_id: String,
    },
}

impl Question {
    /// The job that is asked about.
    #[must_use]
    pub fn job_id(&self) -> Option<&str> {
        match self {
            Self::ClusterInfo | Self::Disposal { trigger_id: _ } => None,
            Self::Checkpoints { job_id }
            | Self::Savepoint { job_id, trigger_id: _ }
            | Self::Checkpoint { job_id, trigger_id: _ }
            | Self::FailureCause { job_id }
            | Self::Exceptions { job_id }
            | Self::Metrics { job_id }
            | Self::Parallelism { job_id } => Some(job_id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_but_one_is_about_a_job() {
        let (job_id, trigger_id) = ("j".to_owned(), "t".to_owned());
        for question in [
            Question::Checkpoints { job_id: job_id.clone() },
            Question::Savepoint { job_id: job_id.clone(), trigger_id: trigger_id.clone() },
            Question::Checkpoint { job_id: job_id.clone(), trigger_id },
            Question::FailureCause { job_id: job_id.clone() },
            Question::Exceptions { job_id: job_id.clone() },
            Question::Metrics { job_id: job_id.clone() },
            Question::Parallelism { job_id },
        ] {
            assert_eq!(question.job_id(), Some("j"), "{question:?}");
        }
        assert_eq!(Question::ClusterInfo.job_id(), None);
    }
}
