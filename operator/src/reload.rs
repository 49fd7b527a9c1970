//! Reads the operator's configuration again from time to time (`kubernetes.operator.dynamic.config.*`), so that new
//! defaults count without a restart. Options that are read at the start only still need one.

use std::sync::Arc;
use std::time::Duration;

use artifacts::ArtifactStore;
use engine::Defaults;
use engine::control::Control;
use flink_conf::OperatorDefaults;
use tokio::sync::Notify;

use crate::arguments::Arguments;
use crate::configuration;
use crate::run::artifact_options;

/// What a new configuration is given to.
pub(crate) struct Reload {
    pub(crate) interval: Duration,
    pub(crate) defaults: Arc<Defaults>,
    pub(crate) artifacts: Arc<ArtifactStore>,
    pub(crate) control: Arc<Control>,
    pub(crate) news: Arc<Notify>,
}

impl Reload {
    /// Reads until the process ends. A configuration that cannot be read is told and not used.
    pub(crate) async fn run(self, arguments: Arguments) {
        loop {
            tokio::time::sleep(self.interval).await;
            let arguments = arguments.clone();
            let read = tokio::task::spawn_blocking(move || configuration::read(&arguments)).await;
            match read {
                Ok(Ok(configuration)) => self.take(configuration.defaults),
                Ok(Err(error)) => tracing::error!("the old configuration stays in force: {error:#}"),
                Err(error) => tracing::error!("the configuration was not read again: {error}"),
            }
        }
    }

    fn take(&self, defaults: OperatorDefaults) {
        match artifact_options(&defaults) {
            Ok(options) => self.artifacts.set_options(options),
            Err(error) => tracing::error!("jars are fetched under the old options: {error:#}"),
        }
        if self.defaults.replace(defaults) {
            tracing::info!("the operator's configuration has changed");
            self.control.wake_everything();
            self.news.notify_one();
        }
    }
}
