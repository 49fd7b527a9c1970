//! Connects the rooms and runs them until the process is told to stop.

use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use artifacts::{ArtifactOptions, ArtifactStore};
use deployment::DeploymentReconciler;
use engine::control::{Control, Reconciler, Selection};
use engine::driver::{Driver, DriverConfig};
use engine::flink::{FlinkAddresses, ServiceProxyTransport};
use engine::kubernetes::{ConnectOptions, Kubernetes};
use engine::ports::{Kind, SystemClock};
use engine::queue::QueueConfig;
use engine::zookeeper::ZooKeeperClient;
use engine::{Engine, Ways};
use flink_client::{HttpOptions, HttpTransport, Transport};
use flink_conf::OperatorDefaults;
use flink_conf::settings::{OperatorSettings, StartupSettings, namespaces_of};
use session_job::SessionJobReconciler;
use snapshot::SnapshotReconciler;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::arguments::Arguments;
use crate::configuration::{self, Configuration};
use crate::http;
use crate::pages::OperatorPages;
use crate::reload::Reload;
use crate::tls;

/// Runs the operator.
///
/// # Errors
/// The configuration cannot be used, there is no way to an API server, or a watch is forbidden.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow!("another TLS provider is installed already"))?;
    let configuration = configuration::read(arguments)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("operator")
        .build()
        .context("no runtime for the operator")?;
    runtime.block_on(operate(arguments, configuration))
}

async fn operate(arguments: &Arguments, configuration: Configuration) -> anyhow::Result<()> {
    let Configuration { defaults, startup, files } = configuration;
    let version = env!("CARGO_PKG_VERSION");
    tracing::info!(version, name = %arguments.operator_name, "starting");
    let options = ConnectOptions { context: arguments.context.clone(), ..ConnectOptions::new(version) };
    let kubernetes = Kubernetes::connect(&options).await?;
    let addresses = flink_addresses(arguments);
    let artifacts = Arc::new(ArtifactStore::new(artifact_options(&defaults)?));
    let ways = Ways {
        transport: transport(arguments, &addresses, &kubernetes)?,
        api: Arc::new(kubernetes),
        artifacts: Arc::clone(&artifacts) as _,
        zookeeper: Arc::new(ZooKeeperClient),
        addresses,
        clock: SystemClock::new(),
    };
    let snapshot_resources = OperatorSettings::of_operator(&defaults).snapshot_resources;
    let engine = Engine::new(ways, defaults)?;
    let current = Arc::clone(&engine.defaults);
    let selection = selection(arguments, &startup);
    tracing::info!(namespaces = ?selection.namespaces, labels = ?selection.labels, "watching");
    let deployments = Arc::new(DeploymentReconciler::new(engine.clone(), files));
    let session_jobs = SessionJobReconciler::new(engine.clone());
    let snapshots = SnapshotReconciler::new(engine.clone());
    let mut kinds = vec![Kind::FLINK_DEPLOYMENT, Kind::FLINK_SESSION_JOB];
    kinds.extend(snapshot_resources.then_some(Kind::FLINK_STATE_SNAPSHOT));
    let control = Arc::new(Control::new(engine, &kinds, &selection, queue(&startup)));
    if let Some(address) = listen_address(arguments, &startup) {
        http::serve(address, Arc::new(OperatorPages::new(Arc::clone(&control), Arc::clone(&deployments))))?;
    }
    let reconcilers: Vec<Arc<dyn Reconciler>> =
        vec![deployments, Arc::new(session_jobs), Arc::new(snapshots)];
    let driver = Driver::new(Arc::clone(&control), reconcilers, driver_config(&startup));
    if let Some(interval) = startup.dynamic_config_interval {
        let news = driver.news();
        let reload = Reload { interval, defaults: current, artifacts, control, news };
        tokio::spawn(reload.run(arguments.clone()));
    }
    let stopped = driver.run(stop_signal()?).await?;
    tracing::info!(given_up = stopped.given_up, "stopped");
    Ok(())
}

/// What the operator's configuration says about jars of session jobs.
pub(crate) fn artifact_options(defaults: &OperatorDefaults) -> anyhow::Result<ArtifactOptions> {
    let options = ArtifactOptions::read(defaults.base()).context("options of artifacts")?;
    Ok(options.with_environment())
}

/// In a pod JobManagers are reached by the names of their Services, outside through the API server.
fn flink_addresses(arguments: &Arguments) -> FlinkAddresses {
    let in_pod = std::env::var("KUBERNETES_SERVICE_HOST").is_ok_and(|host| !host.trim().is_empty());
    let default = || if in_pod { FlinkAddresses::ServiceDns } else { FlinkAddresses::ServiceProxy };
    arguments.flink_address.clone().unwrap_or_else(default)
}

fn transport(
    arguments: &Arguments,
    addresses: &FlinkAddresses,
    kubernetes: &Kubernetes,
) -> anyhow::Result<Arc<dyn Transport>> {
    Ok(match addresses {
        FlinkAddresses::ServiceProxy => Arc::new(ServiceProxyTransport::new(kubernetes.client())),
        FlinkAddresses::ServiceDns | FlinkAddresses::Host(_) => {
            let transport =
                HttpTransport::new(&HttpOptions::default()).context("no HTTP client for Flink")?;
            let transport = Arc::new(transport);
            tls::follow(arguments, Arc::clone(&transport))?;
            transport
        }
    })
}

/// `WATCH_NAMESPACES` replaces what the configuration says.
fn selection(arguments: &Arguments, startup: &StartupSettings) -> Selection {
    let namespaces = match &arguments.watch_namespaces {
        Some(text) => namespaces_of(text),
        None if startup.watch_own_namespace => vec![arguments.operator_namespace.clone()],
        None => startup.watched_namespaces.clone(),
    };
    let labels = startup.label_selector.clone();
    Selection { namespaces, labels, ingresses: startup.manage_ingress }
}

fn queue(startup: &StartupSettings) -> QueueConfig {
    let defaults = QueueConfig::default();
    QueueConfig {
        retry_initial: startup.retry.initial_interval,
        retry_multiplier: startup.retry.multiplier,
        retry_max: startup.retry.max_interval.unwrap_or(defaults.retry_max),
        ..defaults
    }
}

fn driver_config(startup: &StartupSettings) -> DriverConfig {
    let defaults = DriverConfig::default();
    DriverConfig {
        // The Java operator's -1 means "no limit"; there is always one here.
        reconciles: startup.reconcile_parallelism.unwrap_or(defaults.reconciles),
        stop_limit: startup.termination_timeout,
        stop_on_hopeless_watch: startup.stop_on_informer_error,
        ..defaults
    }
}

fn listen_address(arguments: &Arguments, startup: &StartupSettings) -> Option<SocketAddr> {
    let configured = SocketAddr::from((Ipv6Addr::UNSPECIFIED, startup.health_probe.port));
    arguments.listen.or_else(|| startup.health_probe.enabled.then_some(configured))
}

/// Becomes true on SIGTERM, which the kubelet sends, and on SIGINT.
fn stop_signal() -> anyhow::Result<watch::Receiver<bool>> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be listened for")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be listened for")?;
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("told to stop");
        // Without a receiver the operator has ended already.
        sender.send(true).ok();
    });
    Ok(receiver)
}
