//! The Services of a cluster.
//!
//! Source: Flink 1.20, `InternalServiceDecorator`, `ExternalServiceDecorator`, `kubeclient/services/*.java`.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::names;
use crate::object::metadata;
use crate::options::{ExposedType, Ports};

/// What both Services of a cluster have in common.
#[derive(Clone, Debug)]
pub(crate) struct ServiceOwner<'a> {
    pub(crate) cluster_id: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) selector: BTreeMap<String, String>,
}

impl ServiceOwner<'_> {
    /// The Service by which TaskManagers find the JobManager without high availability: headless, so that its name
    /// resolves to the pod.
    pub(crate) fn internal(&self, ports: Ports, annotations: BTreeMap<String, String>) -> Service {
        let spec = ServiceSpec {
            cluster_ip: Some("None".to_owned()),
            ports: Some(vec![
                port(names::PORT_JOB_MANAGER_RPC, ports.job_manager_rpc, None),
                port(names::PORT_BLOB_SERVER, ports.blob_server, None),
            ]),
            ..ServiceSpec::default()
        };
        self.service(self.cluster_id.to_owned(), annotations, spec)
    }

    /// The Service of the REST API and the web interface.
    pub(crate) fn rest(
        &self,
        ports: Ports,
        exposed: ExposedType,
        annotations: BTreeMap<String, String>,
    ) -> Service {
        let service_type = match exposed {
            ExposedType::ClusterIp | ExposedType::HeadlessClusterIp => "ClusterIP",
            ExposedType::NodePort => "NodePort",
            ExposedType::LoadBalancer => "LoadBalancer",
        };
        let spec = ServiceSpec {
            type_: Some(service_type.to_owned()),
            cluster_ip: (exposed == ExposedType::HeadlessClusterIp).then(|| "None".to_owned()),
            ports: Some(vec![port(names::PORT_REST, ports.rest, Some(ports.rest_bind))]),
            ..ServiceSpec::default()
        };
        self.service(names::rest_service(self.cluster_id), annotations, spec)
    }

    fn service(&self, name: String, annotations: BTreeMap<String, String>, spec: ServiceSpec) -> Service {
        let mut metadata = metadata(name, self.namespace);
        metadata.labels = Some(self.labels.clone());
        metadata.annotations = (!annotations.is_empty()).then_some(annotations);
        let spec = ServiceSpec { selector: Some(self.selector.clone()), ..spec };
        Service { metadata, spec: Some(spec), status: None }
    }
}

fn port(name: &str, port: u16, target: Option<u16>) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        port: i32::from(port),
        target_port: target.map(|target| IntOrString::Int(i32::from(target))),
        ..ServicePort::default()
    }
}
