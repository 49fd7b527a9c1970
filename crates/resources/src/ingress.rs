//! The Ingress of a cluster's REST API.
//!
//! Source: the Java operator's `IngressUtils`.

use std::collections::BTreeMap;

use api::{IngressSpec, IngressTls as TlsSpec};
use flink_conf::ClusterIdentity;
use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressRule, IngressServiceBackend,
    IngressSpec as KubernetesIngressSpec, IngressTLS, ServiceBackendPort,
};
use kube_core::DynamicObject;

use crate::object::{metadata, untyped};
use crate::{BuildError, names, owner};

/// Label that every Ingress of the operator carries.
pub const COMPONENT_LABEL: (&str, &str) = ("component", "ingress");

/// Where requests come in: the parts of a filled-in template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngressAddress {
    /// Host of the rule; requests for any host if absent.
    pub host: Option<String>,
    /// Path of the rule; absent if the template has none.
    pub path: Option<String>,
}

/// Fills `{{name}}` and `{{namespace}}` (in any case) into a template and takes it apart.
///
/// The text is split by hand and kept as written: templates hold regular expressions such as `/a(/|$)(.*)`, which
/// URL parsers would refuse or encode. A port is checked and dropped, as are query and fragment.
///
/// # Errors
/// A port that is no number, or an unclosed IPv6 address.
pub fn ingress_address(template: &str, name: &str, namespace: &str) -> Result<IngressAddress, BuildError> {
    let filled = replace(&replace(template.trim(), "{{name}}", name), "{{namespace}}", namespace);
    let rest = without_scheme(&filled);
    let rest = rest.split('#').next().unwrap_or_default();
    let rest = rest.split('?').next().unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host_of(authority)
        .map_err(|reason| BuildError::IngressTemplate { template: template.to_owned(), reason })?;
    let filled = |text: &str| (!text.trim().is_empty()).then(|| text.to_owned());
    Ok(IngressAddress { host: filled(host), path: filled(path) })
}

/// The Ingress of a cluster. `rest_port` is the port of its REST Service.
///
/// # Errors
/// See [`ingress_address`]; a template that is absent counts as one without host and path.
pub fn ingress(
    identity: &ClusterIdentity,
    spec: &IngressSpec,
    rest_port: u16,
) -> Result<DynamicObject, BuildError> {
    let template = spec.template.as_deref().unwrap_or_default();
    let address = ingress_address(template, &identity.name, &identity.namespace)?;
    let mut metadata = metadata(identity.name.clone(), &identity.namespace);
    metadata.annotations.clone_from(&spec.annotations);
    metadata.labels = Some(labels(spec.labels.as_ref()));
    metadata.owner_references = Some(vec![owner::reference(identity, true)]);
    let tls = spec.tls.as_ref().map(|tls| tls.iter().map(tls_block).collect());
    untyped(&Ingress {
        metadata,
        spec: Some(KubernetesIngressSpec {
            ingress_class_name: spec.class_name.clone(),
            rules: Some(vec![rule(address, names::rest_service(&identity.name), rest_port)]),
            tls,
            ..KubernetesIngressSpec::default()
        }),
        status: None,
    })
}

fn labels(of_spec: Option<&BTreeMap<String, String>>) -> BTreeMap<String, String> {
    let mut labels = of_spec.cloned().unwrap_or_default();
    labels.insert(COMPONENT_LABEL.0.to_owned(), COMPONENT_LABEL.1.to_owned());
    labels
}

fn tls_block(tls: &TlsSpec) -> IngressTLS {
    IngressTLS { hosts: tls.hosts.clone(), secret_name: tls.secret_name.clone() }
}

fn rule(address: IngressAddress, service: String, port: u16) -> IngressRule {
    let port = ServiceBackendPort { number: Some(i32::from(port)), name: None };
    let backend = IngressServiceBackend { name: service, port: Some(port) };
    let path = HTTPIngressPath {
        path: address.path,
        path_type: "ImplementationSpecific".to_owned(),
        backend: IngressBackend { service: Some(backend), resource: None },
    };
    IngressRule { host: address.host, http: Some(HTTPIngressRuleValue { paths: vec![path] }) }
}

/// Replaces a placeholder that is written in any case.
fn replace(text: &str, placeholder: &str, with: &str) -> String {
    // Only ASCII letters change, so positions in both texts agree.
    let lower = text.to_ascii_lowercase();
    let mut filled = String::new();
    let mut end = 0;
    for (start, _) in lower.match_indices(placeholder) {
        filled.push_str(&text[end..start]);
        filled.push_str(with);
        end = start + placeholder.len();
    }
    filled.push_str(&text[end..]);
    filled
}

fn without_scheme(url: &str) -> &str {
    ["http://", "https://"]
        .iter()
        .find(|scheme| url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
        .map_or(url, |scheme| &url[scheme.len()..])
}

fn host_of(authority: &str) -> Result<&str, String> {
    let host_and_port = authority.rsplit_once('@').map_or(authority, |(_, rest)| rest);
    if host_and_port.starts_with('[') {
        let end =
            host_and_port.find(']').ok_or_else(|| format!("Invalid authority field: {host_and_port}"))?;
        let (host, port) = host_and_port.split_at(end + 1);
        check_port(port.strip_prefix(':').unwrap_or_default())?;
        return Ok(host);
    }
    let (host, port) = host_and_port.split_once(':').unwrap_or((host_and_port, ""));
    check_port(port)?;
    Ok(host)
}

/// A port may be absent; numbers beyond 65535 are let through, like the Java operator does, for they are dropped.
fn check_port(port: &str) -> Result<(), String> {
    if port.is_empty() {
        return Ok(());
    }
    match port.parse::<i32>() {
        Ok(number) if number < -1 => Err(format!("Invalid port number :{number}")),
        Ok(_) => Ok(()),
        Err(_) => {
            let digits = port.strip_prefix(['-', '+']).unwrap_or(port);
            let sign = port.len() - digits.len();
            let valid = digits.chars().take_while(char::is_ascii_digit).count();
            // For a number that is too long the last digit that still fits does not matter to anybody.
            let index = if valid == digits.chars().count() { valid.saturating_sub(1).min(9) } else { valid };
            Err(format!("Error at index {} in: \"{port}\"", index + sign))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(template: &str) -> (Option<String>, Option<String>) {
        let address = ingress_address(template, "n", "ns").unwrap();
        (address.host, address.path)
    }

    #[test]
    fn hosts_and_paths() {
        let some = |text: &str| Some(text.to_owned());
        for (template, host, path) in [
            ("{{name}}.{{namespace}}.flink.k8s.io", some("n.ns.flink.k8s.io"), None),
            ("{{NAME}}.{{NameSpace}}.x", some("n.ns.x"), None),
            ("/{{namespace}}/{{name}}(/|$)(.*)", None, some("/ns/n(/|$)(.*)")),
            ("flink.k8s.io/{{namespace}}/{{name}}(/|$)(.*)", some("flink.k8s.io"), some("/ns/n(/|$)(.*)")),
            ("https://a.b/", some("a.b"), some("/")),
            ("HTTP://a.b", some("a.b"), None),
            ("a.b:8080/x?q=/#f", some("a.b"), some("/x")),
            ("a.b?x=/y", some("a.b"), None),
            ("u@a.b:/p", some("a.b"), some("/p")),
            ("[::1]:80/p", some("[::1]"), some("/p")),
            (" a.b ", some("a.b"), None),
            ("", None, None),
        ] {
            assert_eq!(parts(template), (host, path), "{template}");
        }
    }

    #[test]
    fn bad_ports_are_reported_as_java_does() {
        for (template, reason) in [
            ("example.com:port", "Error at index 0 in: \"port\""),
            ("example.com:80x/a", "Error at index 2 in: \"80x\""),
            ("example.com:99999999999", "Error at index 9 in: \"99999999999\""),
            ("example.com:-5", "Invalid port number :-5"),
            ("[::1/a", "Invalid authority field: [::1"),
        ] {
            let error = ingress_address(template, "n", "ns").unwrap_err();
            assert_eq!(
                error,
                BuildError::IngressTemplate { template: template.into(), reason: reason.into() }
            );
        }
        let message = ingress_address("example.com:port", "n", "ns").unwrap_err().to_string();
        let expected =
            "Unable to process the Ingress template(example.com:port). Error: Error at index 0 in: \"port\"";
        assert_eq!(message, expected);
    }
}
