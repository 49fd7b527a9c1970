//! Options of the operator itself (`kubernetes.operator.*`), typed and with their defaults.
//!
//! Source: `KubernetesOperatorConfigOptions.java`. Three readers decide which configuration counts:
//! [`StartupSettings`] the operator's file when the process starts, [`OperatorSettings`] file, namespace,
//! Flink version and, where Java allows it, the custom resource.

mod resource;
mod startup;

pub use resource::{OperatorSettings, Propagation};
pub use startup::{HealthProbe, LeaderElection, Retry, StartupSettings, namespaces_of};

use std::time::Duration;

use crate::conf::FlinkConf;
use crate::error::ConfError;
use crate::option::{Key, OptionKey};

/// Reads options with defaults.
struct Reader<'a>(&'a FlinkConf);

impl Reader<'_> {
    fn duration(&self, key: impl OptionKey, default: Duration) -> Result<Duration, ConfError> {
        Ok(self.0.duration(key)?.unwrap_or(default))
    }

    fn seconds(&self, key: impl OptionKey, default: u64) -> Result<Duration, ConfError> {
        self.duration(key, Duration::from_secs(default))
    }

    fn flag(&self, key: impl OptionKey, default: bool) -> Result<bool, ConfError> {
        Ok(self.0.boolean(key)?.unwrap_or(default))
    }

    /// A number that counts something: at least 0.
    fn count(&self, key: impl OptionKey, default: usize) -> Result<usize, ConfError> {
        Ok(self.optional_count(key)?.unwrap_or(default))
    }

    fn optional_count(&self, key: impl OptionKey) -> Result<Option<usize>, ConfError> {
        let Some(number) = self.0.int(key)? else { return Ok(None) };
        match usize::try_from(number) {
            Ok(count) => Ok(Some(count)),
            Err(_) => {
                Err(ConfError::value(key.name(), number.to_string(), "a whole number from 0 to 2147483647"))
            }
        }
    }

    fn text(&self, key: impl OptionKey) -> Option<String> {
        self.0.text(key).filter(|text| !text.trim().is_empty()).map(str::to_owned)
    }
}

/// A key of the operator with its deprecated spellings.
const fn key(name: &'static str, fallbacks: &'static [&'static str]) -> Key {
    Key { name, fallbacks }
}

/// The settings that `read` finds in `conf`, with the default for every option that cannot be read. For
/// the moments when there must be settings, whatever stands in the configuration.
fn lenient<T>(conf: &FlinkConf, read: impl Fn(&FlinkConf) -> Result<T, ConfError>) -> Result<T, ConfError> {
    let mut conf = conf.clone();
    loop {
        match read(&conf) {
            Err(ConfError::Value { key, .. }) if conf.get(&key).is_some() => conf.remove(key.as_str()),
            result => return result,
        }
    }
}
