//! Which high availability a configuration asks for.

use crate::conf::FlinkConf;
use crate::option::state;

/// `high-availability.type` as the operator understands it. Source: Flink's `HighAvailabilityMode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HighAvailability {
    /// Off (`NONE`, `standalone`, or not set).
    None,
    /// ConfigMaps of Kubernetes.
    Kubernetes,
    /// `ZooKeeper`.
    ZooKeeper,
    /// A factory class of the user's; the operator cannot look into its data.
    Custom,
}

impl HighAvailability {
    /// Reads `high-availability.type` or its deprecated spellings. Never fails: what Flink does not know is
    /// a class name to it.
    #[must_use]
    pub fn of(conf: &FlinkConf) -> Self {
        match conf.text(state::HA_TYPE).unwrap_or_default().to_ascii_lowercase().as_str() {
            "" | "none" | "standalone" => Self::None,
            "kubernetes" | "org.apache.flink.kubernetes.highavailability.kuberneteshaservicesfactory" => {
                Self::Kubernetes
            }
            "zookeeper" => Self::ZooKeeper,
            _ => Self::Custom,
        }
    }

    /// Whether there is any.
    #[must_use]
    pub fn is_active(self) -> bool {
        self != Self::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes() {
        for (key, text, expected) in [
            ("high-availability.type", "KUBERNETES", HighAvailability::Kubernetes),
            (
                "high-availability",
                "org.apache.flink.kubernetes.highavailability.KubernetesHaServicesFactory",
                HighAvailability::Kubernetes,
            ),
            ("recovery.mode", "zookeeper", HighAvailability::ZooKeeper),
            ("high-availability.type", "standalone", HighAvailability::None),
            ("high-availability.type", "None", HighAvailability::None),
            ("high-availability.type", "com.example.Factory", HighAvailability::Custom),
            ("other", "kubernetes", HighAvailability::None),
        ] {
            let conf: FlinkConf = [(key, text)].into_iter().collect();
            assert_eq!(HighAvailability::of(&conf), expected, "{text}");
        }
    }
}
