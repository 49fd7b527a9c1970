//! What the engine measures of itself, for Prometheus.
//!
//! Names begin with `flink_operator_`; those of the process are Prometheus' usual ones. The metrics that the Java
//! operator exports under `flink_k8soperator_` are not made here.

use std::collections::HashMap;
use std::time::Duration;

use prometheus::process_collector::ProcessCollector;
use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};
use thiserror::Error;

use crate::ports::Kind;

/// Content type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// The metrics registry is not usable. Never happens with the names in this file, which a test registers.
#[derive(Debug, Error)]
#[error("metrics: {0}")]
pub struct MetricsError(#[from] prometheus::Error);

/// Seconds; from a pass that only looks at caches to a call that runs into its time limit.
const DURATION_BUCKETS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// All metrics of the engine.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    reconciles: IntCounterVec,
    reconcile_time: HistogramVec,
    resources: IntGaugeVec,
    queue_due: IntGauge,
    queue_scheduled: IntGauge,
    running: IntGauge,
    polls_running: IntGauge,
    polls_scheduled: IntGauge,
    flink_calls: IntCounterVec,
    flink_call_time: HistogramVec,
    kubernetes_calls: IntCounterVec,
    kubernetes_call_time: HistogramVec,
    watch_events: IntCounterVec,
    ready: IntGauge,
}

impl Metrics {
    /// A registry with all metrics at zero, and those of the process.
    pub fn new() -> Result<Self, MetricsError> {
        let registry = Registry::new();
        registry.register(Box::new(ProcessCollector::for_self()))?;
        let make = Maker { registry: &registry };
        Ok(Self {
            reconciles: make.counters(
                "reconcile_total",
                "Finished passes over resources.",
                &["kind", "result"],
            )?,
            reconcile_time: make.times("reconcile_duration_seconds", "Time of a pass.", &["kind"])?,
            resources: make.gauges("resources", "Resources by lifecycle state.", &["kind", "state"])?,
            queue_due: make.gauge("queue_due", "Resources that wait for a free worker.")?,
            queue_scheduled: make
                .gauge("queue_scheduled", "Resources that wait for their time or for a worker.")?,
            running: make.gauge("reconciles_running", "Passes that run at the moment.")?,
            polls_running: make
                .gauge("polls_running", "Flink clusters that are being asked at the moment.")?,
            polls_scheduled: make
                .gauge("polls_scheduled", "Flink clusters that are asked from time to time.")?,
            flink_calls: make.counters("flink_calls_total", "Calls to Flink.", &["call", "result"])?,
            flink_call_time: make.times(
                "flink_call_duration_seconds",
                "Time of a call to Flink.",
                &["call"],
            )?,
            kubernetes_calls: make.counters(
                "kubernetes_calls_total",
                "Calls to the Kubernetes API server, watches excepted.",
                &["verb", "kind", "result"],
            )?,
            kubernetes_call_time: make.times(
                "kubernetes_call_duration_seconds",
                "Time of a call to the Kubernetes API server.",
                &["verb"],
            )?,
            watch_events: make.counters("watch_events_total", "What watches said.", &["kind", "event"])?,
            ready: make.gauge("ready", "1 once all resources that exist are known.")?,
            registry,
        })
    }

    /// Where others may register their own.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// All metrics in Prometheus' text format.
    pub fn text(&self) -> Result<String, MetricsError> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// A pass has ended; `result` is one of `ok`, `failed`, `gone`, `panicked`.
    pub fn reconciled(&self, kind: Kind, result: &str, time: Duration) {
        self.reconciles.with_label_values(&[kind.name, result]).inc();
        self.reconcile_time.with_label_values(&[kind.name]).observe(time.as_secs_f64());
    }

    /// Replaces the number of resources of a kind by lifecycle state. States that are not named have none.
    pub fn set_resources(&self, kind: Kind, by_state: &HashMap<&str, i64>) {
        for state in LIFECYCLE_STATES.iter().chain([&UNKNOWN_STATE]) {
            let number = by_state.get(state).copied().unwrap_or_default();
            self.resources.with_label_values(&[kind.name, state]).set(number);
        }
    }

    /// State of the reconcile queue.
    pub fn set_queue(&self, due: usize, scheduled: usize, running: usize) {
        set(&self.queue_due, due);
        set(&self.queue_scheduled, scheduled);
        set(&self.running, running);
    }

    /// State of the Flink poller.
    pub fn set_polls(&self, scheduled: usize, running: usize) {
        set(&self.polls_scheduled, scheduled);
        set(&self.polls_running, running);
    }

    /// A call to Flink has ended.
    pub fn flink_call(&self, call: &str, result: &str, time: Duration) {
        self.flink_calls.with_label_values(&[call, result]).inc();
        self.flink_call_time.with_label_values(&[call]).observe(time.as_secs_f64());
    }

    /// A call to the API server has ended.
    pub fn kubernetes_call(&self, verb: &str, kind: Kind, result: &str, time: Duration) {
        self.kubernetes_calls.with_label_values(&[verb, kind.name, result]).inc();
        self.kubernetes_call_time.with_label_values(&[verb]).observe(time.as_secs_f64());
    }

    /// A watch said something.
    pub fn watch_event(&self, kind: Kind, event: &str) {
        self.watch_events.with_label_values(&[kind.name, event]).inc();
    }

    /// Whether all resources that exist are known.
    pub fn set_ready(&self, ready: bool) {
        self.ready.set(i64::from(ready));
    }
}

/// The values of `status.lifecycleState`, in the order of a resource's life.
pub const LIFECYCLE_STATES: [&str; 10] = [
    "CREATED",
    "SUSPENDED",
    "UPGRADING",
    "DEPLOYED",
    "STABLE",
    "ROLLING_BACK",
    "ROLLED_BACK",
    "FAILED",
    "DELETING",
    "DELETED",
];

/// The state of resources that cannot be decoded.
pub const UNKNOWN_STATE: &str = "UNKNOWN";

fn set(gauge: &IntGauge, value: usize) {
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
}

struct Maker<'a> {
    registry: &'a Registry,
}

impl Maker<'_> {
    fn options(name: &str, help: &str) -> Opts {
        Opts::new(name, help).namespace("flink_operator")
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, MetricsError> {
        let counters = IntCounterVec::new(Self::options(name, help), labels)?;
        self.registry.register(Box::new(counters.clone()))?;
        Ok(counters)
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, MetricsError> {
        let gauges = IntGaugeVec::new(Self::options(name, help), labels)?;
        self.registry.register(Box::new(gauges.clone()))?;
        Ok(gauges)
    }

    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, MetricsError> {
        let gauge = IntGauge::with_opts(Self::options(name, help))?;
        self.registry.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    fn times(&self, name: &str, help: &str, labels: &[&str]) -> Result<HistogramVec, MetricsError> {
        let options = HistogramOpts::from(Self::options(name, help)).buckets(DURATION_BUCKETS.to_vec());
        let times = HistogramVec::new(options, labels)?;
        self.registry.register(Box::new(times.clone()))?;
        Ok(times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_exported_under_its_name() {
        let metrics = Metrics::new().unwrap();
        metrics.reconciled(Kind::FLINK_DEPLOYMENT, "ok", Duration::from_millis(3));
        metrics.set_resources(Kind::FLINK_DEPLOYMENT, &HashMap::from([("STABLE", 2)]));
        metrics.set_queue(1, 2, 3);
        metrics.set_polls(4, 5);
        metrics.flink_call("jobs-overview", "ok", Duration::from_millis(20));
        metrics.kubernetes_call("get", Kind::POD, "not_found", Duration::from_millis(2));
        metrics.watch_event(Kind::DEPLOYMENT, "applied");
        metrics.set_ready(true);
        let text = metrics.text().unwrap();
        for line in [
            "flink_operator_reconcile_total{kind=\"FlinkDeployment\",result=\"ok\"} 1",
            "flink_operator_reconcile_duration_seconds_bucket{kind=\"FlinkDeployment\",le=\"0.005\"} 1",
            "flink_operator_resources{kind=\"FlinkDeployment\",state=\"STABLE\"} 2",
            "flink_operator_resources{kind=\"FlinkDeployment\",state=\"FAILED\"} 0",
            "flink_operator_queue_due 1",
            "flink_operator_queue_scheduled 2",
            "flink_operator_reconciles_running 3",
            "flink_operator_polls_scheduled 4",
            "flink_operator_polls_running 5",
            "flink_operator_flink_calls_total{call=\"jobs-overview\",result=\"ok\"} 1",
            "flink_operator_flink_call_duration_seconds_count{call=\"jobs-overview\"} 1",
            "flink_operator_kubernetes_calls_total{kind=\"Pod\",result=\"not_found\",verb=\"get\"} 1",
            "flink_operator_kubernetes_call_duration_seconds_count{verb=\"get\"} 1",
            "flink_operator_watch_events_total{event=\"applied\",kind=\"Deployment\"} 1",
            "flink_operator_ready 1",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
        }
        for name in
            ["process_resident_memory_bytes", "process_start_time_seconds", "process_cpu_seconds_total"]
        {
            assert!(text.contains(&format!("\n{name} ")), "{name}");
        }
    }

    #[test]
    fn a_state_that_nothing_is_in_any_more_goes_to_zero() {
        let metrics = Metrics::new().unwrap();
        metrics.set_resources(Kind::FLINK_DEPLOYMENT, &HashMap::from([("STABLE", 2)]));
        metrics.set_resources(Kind::FLINK_DEPLOYMENT, &HashMap::new());
        let text = metrics.text().unwrap();
        assert!(text.contains("flink_operator_resources{kind=\"FlinkDeployment\",state=\"STABLE\"} 0"));
    }
}
