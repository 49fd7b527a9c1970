//! The kinds of objects that the checks look at.

use kube::core::{ApiResource, GroupVersionKind};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    FlinkDeployment,
    FlinkSessionJob,
    FlinkStateSnapshot,
    Deployment,
    ReplicaSet,
    Pod,
    Service,
    ConfigMap,
    Secret,
    Ingress,
    Event,
    Namespace,
    HorizontalPodAutoscaler,
}

impl Kind {
    pub(super) fn resource(self) -> ApiResource {
        let (group, version, kind) = match self {
            Self::FlinkDeployment => ("flink.apache.org", "v1beta1", "FlinkDeployment"),
            Self::FlinkSessionJob => ("flink.apache.org", "v1beta1", "FlinkSessionJob"),
            Self::FlinkStateSnapshot => ("flink.apache.org", "v1beta1", "FlinkStateSnapshot"),
            Self::Deployment => ("apps", "v1", "Deployment"),
            Self::ReplicaSet => ("apps", "v1", "ReplicaSet"),
            Self::Pod => ("", "v1", "Pod"),
            Self::Service => ("", "v1", "Service"),
            Self::ConfigMap => ("", "v1", "ConfigMap"),
            Self::Secret => ("", "v1", "Secret"),
            Self::Ingress => ("networking.k8s.io", "v1", "Ingress"),
            Self::Event => ("", "v1", "Event"),
            Self::Namespace => ("", "v1", "Namespace"),
            Self::HorizontalPodAutoscaler => ("autoscaling", "v2", "HorizontalPodAutoscaler"),
        };
        ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
    }

    pub(super) fn is_namespaced(self) -> bool {
        match self {
            Self::Namespace => false,
            Self::FlinkDeployment
            | Self::FlinkSessionJob
            | Self::FlinkStateSnapshot
            | Self::Deployment
            | Self::ReplicaSet
            | Self::Pod
            | Self::Service
            | Self::ConfigMap
            | Self::Secret
            | Self::Ingress
            | Self::Event
            | Self::HorizontalPodAutoscaler => true,
        }
    }
}
