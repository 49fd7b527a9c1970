//! Rules of the autoscaler's options.
//!
//! Upstream: `AutoscalerValidator`, `DefaultValidator.validateMetricsWindow`.

use std::time::Duration;

use flink_conf::option::Key;
use flink_conf::{FlinkConf, java_text};

use super::{Findings, Rule, excluded_periods};

/// An option of the autoscaler, which may also be written with the operator's prefix in front.
macro_rules! option {
    ($name:literal) => {
        Key {
            name: concat!("job.autoscaler.", $name),
            fallbacks: &[concat!("kubernetes.operator.job.autoscaler.", $name)],
        }
    };
}

const ENABLED: Key = option!("enabled");
const TARGET: Key = Key {
    name: "job.autoscaler.utilization.target",
    fallbacks: &[
        "kubernetes.operator.job.autoscaler.utilization.target",
        "kubernetes.operator.job.autoscaler.target.utilization",
        "job.autoscaler.target.utilization",
    ],
};
const TARGET_DEFAULT: f64 = 0.7;
const EXCLUDED_PERIODS: Key = option!("excluded.periods");
const METRICS_WINDOW: Key = option!("metrics.window");
const METRICS_WINDOW_DEFAULT: Duration = Duration::from_mins(15);
const RECONCILE_INTERVAL: Key = Key {
    name: "kubernetes.operator.reconcile.interval",
    fallbacks: &["kubernetes.operator.reconciler.reschedule.interval"],
};
const RECONCILE_INTERVAL_DEFAULT: Duration = Duration::from_mins(1);

/// A number and the range that it has to be in, both ends included. Defaults are in their ranges, so that only
/// what is set has to be looked at.
struct Range {
    key: Key,
    least: f64,
    most: f64,
}

const fn range(key: Key, least: f64, most: f64) -> Range {
    Range { key, least, most }
}

/// S1 to S14, if the autoscaler is on.
pub(super) fn check(conf: &FlinkConf, findings: &mut Findings) {
    if findings.option(ENABLED, conf.boolean(ENABLED)) != Some(true) {
        return;
    }
    // Read ahead of all rules because it bounds others; they are not looked at if it cannot be read.
    let target = conf.double(TARGET).map(|target| Some(target.unwrap_or(TARGET_DEFAULT)));
    let target = findings.option(TARGET, target);
    check_numbers(target, conf, findings);
    for (enabled, number) in [
        (
            option!("observed-scalability.enabled"),
            range(option!("observed-scalability.coefficient-min"), 0.01, 1.0),
        ),
        (
            option!("scaling.effectiveness.detection.enabled"),
            range(option!("scaling.effectiveness.threshold"), 0.0, 1.0),
        ),
        (option!("memory.tuning.enabled"), range(option!("memory.tuning.overhead"), 0.0, 1.0)),
    ] {
        if findings.option(enabled, conf.boolean(enabled)) == Some(true) {
            check_number(&number, conf, findings);
        }
    }
    for period in findings.option(EXCLUDED_PERIODS, conf.list(EXCLUDED_PERIODS)).unwrap_or_default() {
        if let Err(reason) = excluded_periods::check(&period) {
            findings.add(
                Rule::AutoscalerExcludedPeriods,
                format!("Invalid value {period} in the autoscaler config {}: {reason}", EXCLUDED_PERIODS.name),
                "Write a range of one day (9:00-17:30), a Quartz cron expression of six or seven fields, or one of \
                 each joined by &&; separate periods by ;.",
            );
        }
    }
    check_metrics_window(conf, findings);
}

/// S1 to S8.
fn check_numbers(target: Option<f64>, conf: &FlinkConf, findings: &mut Findings) {
    let unlimited = f64::INFINITY;
    check_number(&range(option!("scale-down.max-factor"), 0.0, unlimited), conf, findings);
    check_number(&range(option!("scale-up.max-factor"), 0.0, unlimited), conf, findings);
    if target.is_some() {
        check_number(&range(TARGET, 0.0, 1.0), conf, findings);
    }
    check_number(&range(option!("target.utilization.boundary"), 0.0, unlimited), conf, findings);
    if let Some(target) = target {
        check_number(&range(option!("utilization.max"), target, 1.0), conf, findings);
        check_number(&range(option!("utilization.min"), 0.0, target), conf, findings);
    }
    check_number(&range(option!("memory.gc-pressure.threshold"), 0.0, 1.0), conf, findings);
    check_number(&range(option!("memory.heap-usage.threshold"), 0.0, 1.0), conf, findings);
}

fn check_number(range: &Range, conf: &FlinkConf, findings: &mut Findings) {
    let name = range.key.name;
    let most = if range.most.is_infinite() { "+Infinity".to_owned() } else { java_text::double(range.most) };
    let bounds = format!("[{}, {most}]", java_text::double(range.least));
    let message = match conf.double(range.key) {
        Ok(None) => return,
        // As upstream has it, what is not a number at all is in every range.
        Ok(Some(value)) if !(value < range.least || value > range.most) => return,
        Ok(Some(_)) => {
            format!("The AutoScalerOption {name} is invalid, it should be a value within the range {bounds}")
        }
        Err(_) => format!("Invalid value in the autoscaler config {name}"),
    };
    findings.add(Rule::AutoscalerNumber, message, format!("Set it to a number within {bounds}."));
}

/// S14: the autoscaler takes one sample per reconciliation and needs two.
fn check_metrics_window(conf: &FlinkConf, findings: &mut Findings) {
    let window = conf.duration(METRICS_WINDOW).map(|set| Some(set.unwrap_or(METRICS_WINDOW_DEFAULT)));
    let interval =
        conf.duration(RECONCILE_INTERVAL).map(|set| Some(set.unwrap_or(RECONCILE_INTERVAL_DEFAULT)));
    let window = findings.option(METRICS_WINDOW, window);
    let interval = findings.option(RECONCILE_INTERVAL, interval);
    let (Some(window), Some(interval)) = (window, interval) else { return };
    if window < interval {
        findings.add(
            Rule::AutoscalerMetricsWindow,
            format!(
                "The autoscaler metric window ({}={}) must not be smaller than the operator reconcile interval \
                 ({}={}), otherwise fewer than two metric samples are retained and autoscaling is never applied.",
                METRICS_WINDOW.name,
                iso_8601(window),
                RECONCILE_INTERVAL.name,
                iso_8601(interval)
            ),
            "Enlarge the window, or shorten the interval.",
        );
    }
}

/// A duration as Java prints it: `PT1H30M`, `PT0.5S`; days are hours, and no time is `PT0S`.
fn iso_8601(duration: Duration) -> String {
    let (hours, minutes) = (duration.as_secs() / 3600, duration.as_secs() / 60 % 60);
    let (seconds, nanos) = (duration.as_secs() % 60, duration.subsec_nanos());
    let unit = |number: u64, unit: &str| if number > 0 { format!("{number}{unit}") } else { String::new() };
    let seconds = if nanos > 0 {
        let fraction = format!("{nanos:09}");
        format!("{seconds}.{}S", fraction.trim_end_matches('0'))
    } else if duration.is_zero() {
        "0S".to_owned()
    } else {
        unit(seconds, "S")
    };
    format!("PT{}{}{seconds}", unit(hours, "H"), unit(minutes, "M"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_java_prints_them() {
        for (millis, text) in [
            (0, "PT0S"),
            (10_000, "PT10S"),
            (60_000, "PT1M"),
            (90_061_500, "PT25H1M1.5S"),
            (500, "PT0.5S"),
            (3_600_000, "PT1H"),
        ] {
            assert_eq!(iso_8601(Duration::from_millis(millis)), text);
        }
    }
}
