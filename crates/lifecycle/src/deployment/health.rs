//! Whether a running job is well: restarts within a time, and progress of its checkpoints. Source:
//! `ClusterHealthEvaluator`, `ClusterHealthInfo`; the form in `status.clusterInfo` is theirs.

use std::time::Duration;

use flink_conf::FlinkConf;
use flink_conf::option::state;
use serde::{Deserialize, Serialize};

use super::pass::Pass;
use crate::observed::{FlinkAnswer, JobMetrics};

/// Key of `status.clusterInfo`.
pub(super) const KEY: &str = "ClusterHealthInfo";

/// What was counted, and when. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct HealthInfo {
    time_stamp: i64,
    #[serde(default)]
    num_restarts: i64,
    #[serde(default)]
    num_restarts_evaluation_time_stamp: i64,
    #[serde(default)]
    num_completed_checkpoints: i64,
    #[serde(default)]
    num_completed_checkpoints_increased_time_stamp: i64,
    health_result: Option<HealthResult>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct HealthResult {
    healthy: bool,
    #[serde(default)]
    error: Option<String>,
}

/// Limits to judge by.
#[derive(Clone, Copy, Debug)]
struct Limits {
    restarts: i64,
    restarts_window: i64,
    /// No progress for longer than this is an illness; `None` when it is not looked at.
    progress_window: Option<i64>,
}

impl Pass<'_> {
    /// Judges the newest counters. What was counted is written down when it matters: with each restart, when the job is
    /// not well, and for progress of checkpoints twice in the time in which one is due; not with each look.
    pub(super) fn observe_health(&mut self, answer: &FlinkAnswer) {
        if !self.settings.health_check {
            return;
        }
        let Some(JobMetrics { restarts: Some(restarts), completed_checkpoints }) = answer.metrics else {
            return;
        };
        let Some(limits) = self.health_limits() else { return };
        let now = answer.at.as_millisecond();
        let stored = self.stored_health();
        let next = judge(stored.as_ref(), restarts, completed_checkpoints, now, limits);
        if let Some(next) = next
            && let Ok(text) = serde_json::to_string(&next)
        {
            self.status.cluster_info.get_or_insert_default().insert(KEY.to_owned(), text);
        }
    }

    fn stored_health(&self) -> Option<HealthInfo> {
        let text = self.status.cluster_info.as_ref()?.get(KEY)?;
        serde_json::from_str(text).ok()
    }

    /// Why the job is not well, if that is what was found.
    pub(super) fn stored_illness(&self) -> Option<String> {
        let result = self.stored_health()?.health_result?;
        (!result.healthy).then(|| result.error.unwrap_or_else(|| "not healthy".to_owned()))
    }

    fn health_limits(&self) -> Option<Limits> {
        let conf = super::build::configuration(self, &self.deployed_spec()?).ok()?;
        let settings = &self.settings;
        let progress_window = settings
            .health_checkpoint_progress
            .then(|| progress_window(&conf, settings.health_checkpoint_progress_window))
            .flatten();
        Some(Limits {
            restarts: i64::try_from(settings.health_restarts_threshold).unwrap_or(i64::MAX),
            restarts_window: millis(settings.health_restarts_window),
            progress_window: progress_window.map(millis),
        })
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The configured time, unless that is shorter than what checkpoints that may fail take; `None` without checkpoints.
fn progress_window(conf: &FlinkConf, configured: Option<Duration>) -> Option<Duration> {
    let interval = conf.duration(state::CHECKPOINT_INTERVAL).ok()?;
    if interval.is_none() && configured.is_none() {
        return None;
    }
    let timeout = flink_conf::checkpoint_timeout(conf).ok()?;
    let tolerable = conf.int(state::TOLERABLE_FAILED_CHECKPOINTS).ok()?.unwrap_or(0).max(0);
    let tries = u32::try_from(tolerable).unwrap_or(0).saturating_add(2);
    let shortest = interval.unwrap_or_default().max(timeout).saturating_mul(tries);
    Some(configured.unwrap_or_default().max(shortest))
}

/// What to write down, if anything.
fn judge(
    stored: Option<&HealthInfo>,
    restarts: i64,
    checkpoints: Option<i64>,
    now: i64,
    limits: Limits,
) -> Option<HealthInfo> {
    let Some(stored) = stored else {
        return Some(HealthInfo {
            time_stamp: now,
            num_restarts: restarts,
            num_restarts_evaluation_time_stamp: now,
            num_completed_checkpoints: checkpoints.unwrap_or(0),
            num_completed_checkpoints_increased_time_stamp: now,
            health_result: Some(HealthResult { healthy: true, error: None }),
        });
    };
    let mut next = stored.clone();
    let mut matters = false;
    let mut illness = Vec::new();
    if restarts != stored.num_restarts {
        matters = true;
        illness.extend(judge_restarts(&mut next, restarts, now, limits));
    }
    if let (Some(window), Some(checkpoints)) = (limits.progress_window, checkpoints) {
        let since = now.saturating_sub(stored.num_completed_checkpoints_increased_time_stamp);
        if checkpoints == stored.num_completed_checkpoints {
            if since > window {
                illness.push("Checkpoints have not made progress for too long.".to_owned());
            }
        } else {
            next.num_completed_checkpoints = checkpoints;
            next.num_completed_checkpoints_increased_time_stamp = now;
            matters |= checkpoints < stored.num_completed_checkpoints || since >= window / 2;
        }
    }
    let healthy = illness.is_empty();
    next.time_stamp = now;
    next.health_result = Some(HealthResult { healthy, error: (!healthy).then(|| illness.join("|")) });
    let changed = stored.health_result != next.health_result;
    (matters || changed).then_some(next)
}

/// Restarts within the window, as far as the time since the last look allows to tell.
fn judge_restarts(next: &mut HealthInfo, restarts: i64, now: i64, limits: Limits) -> Option<String> {
    let elapsed = now.saturating_sub(next.num_restarts_evaluation_time_stamp).max(0);
    let grown = restarts.saturating_sub(next.num_restarts);
    let is_over = elapsed > limits.restarts_window;
    let in_window = if grown <= 0 || !is_over {
        grown.max(0)
    } else {
        i64::try_from(i128::from(grown) * i128::from(limits.restarts_window) / i128::from(elapsed))
            .unwrap_or(i64::MAX)
    };
    if grown < 0 || is_over {
        next.num_restarts = restarts;
        next.num_restarts_evaluation_time_stamp = now;
    }
    (in_window > limits.restarts).then(|| {
        format!(
            "The job has restarted {in_window} times within {} s; {} are allowed.",
            limits.restarts_window / 1000,
            limits.restarts
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { restarts: 3, restarts_window: 120_000, progress_window: Some(60_000) };

    fn info(restarts: i64, checkpoints: i64, at: i64) -> HealthInfo {
        judge(None, restarts, Some(checkpoints), at, LIMITS).unwrap()
    }

    fn healthy(info: &HealthInfo) -> bool {
        info.health_result.as_ref().unwrap().healthy
    }

    #[test]
    fn restarts_count_within_their_window() {
        let first = info(5, 0, 1000);
        assert!(healthy(&first));
        let few = judge(Some(&first), 8, Some(0), 11_000, LIMITS).unwrap();
        assert!(healthy(&few));
        assert_eq!((few.num_restarts, few.num_restarts_evaluation_time_stamp), (5, 1000), "the base stays");
        let many = judge(Some(&first), 9, Some(0), 21_000, LIMITS).unwrap();
        assert!(!healthy(&many));
        // The same number over a longer time is in proportion, and the next time is counted from there.
        let slow = judge(Some(&first), 9, Some(1), 481_000, LIMITS).unwrap();
        assert!(healthy(&slow));
        assert_eq!((slow.num_restarts, slow.num_restarts_evaluation_time_stamp), (9, 481_000));
        let many = judge(Some(&first), 25, Some(1), 241_000, LIMITS).unwrap();
        let error = many.health_result.unwrap().error.unwrap();
        assert_eq!(error, "The job has restarted 10 times within 120 s; 3 are allowed.");
        let base = |now| judge(Some(&first), 6, Some(1), now, LIMITS).unwrap().num_restarts;
        assert_eq!((base(121_000), base(121_001)), (5, 6));
        let anew = judge(Some(&first), 0, Some(0), 21_000, LIMITS).unwrap();
        assert!(healthy(&anew) && anew.num_restarts == 0, "the job was started anew");
    }

    #[test]
    fn checkpoints_have_to_make_progress() {
        let first = info(0, 4, 0);
        assert_eq!(judge(Some(&first), 0, Some(4), 60_000, LIMITS), None);
        let stuck = judge(Some(&first), 0, Some(4), 60_001, LIMITS).unwrap();
        assert!(!healthy(&stuck));
        let on = judge(Some(&first), 0, Some(5), 40_000, LIMITS).unwrap();
        assert!(healthy(&on));
        assert_eq!(judge(Some(&on), 0, Some(5), 90_000, LIMITS), None);
        let ignored = Limits { progress_window: None, ..LIMITS };
        assert_eq!(judge(Some(&first), 0, Some(4), 600_000, ignored), None);
    }

    #[test]
    fn a_healthy_job_is_written_down_seldom() {
        let first = info(0, 4, 0);
        assert_eq!(judge(Some(&first), 0, Some(5), 29_000, LIMITS), None);
        assert!(judge(Some(&first), 0, Some(5), 30_000, LIMITS).is_some());
        let anew = judge(Some(&first), 0, Some(3), 1000, LIMITS).unwrap();
        assert_eq!(anew.num_completed_checkpoints, 3, "the job was started anew");
    }

    #[test]
    fn the_form_is_that_of_the_java_operator() {
        let text = serde_json::to_string(&info(2, 3, 7)).unwrap();
        let expected = r#"{"timeStamp":7,"numRestarts":2,"numRestartsEvaluationTimeStamp":7,"numCompletedCheckpoints":3,"numCompletedCheckpointsIncreasedTimeStamp":7,"healthResult":{"healthy":true,"error":null}}"#;
        assert_eq!(text, expected);
        let of_old_version =
            r#"{"timeStamp":7,"numRestarts":2,"healthResult":{"healthy":false,"error":"x"}}"#;
        let read: HealthInfo = serde_json::from_str(of_old_version).unwrap();
        assert!(!healthy(&read));
    }

    #[test]
    fn the_window_of_progress_is_as_long_as_failing_checkpoints_need() {
        let conf = |entries: &[(&str, &str)]| entries.iter().copied().collect::<FlinkConf>();
        let seconds = Duration::from_secs;
        assert_eq!(progress_window(&conf(&[]), None), None);
        let set = conf(&[
            ("execution.checkpointing.interval", "30 s"),
            ("execution.checkpointing.timeout", "60 s"),
            ("execution.checkpointing.tolerable-failed-checkpoints", "1"),
        ]);
        assert_eq!(progress_window(&set, None), Some(seconds(180)));
        assert_eq!(progress_window(&set, Some(seconds(10))), Some(seconds(180)));
        assert_eq!(progress_window(&set, Some(seconds(500))), Some(seconds(500)));
    }
}
