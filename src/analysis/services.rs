//! Services of the mesh: what their ports speak.

use k8s_openapi::api::core::v1::ServicePort;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::diagnostic::FieldPath;

use super::code::PORT_NAME;
use super::{Findings, Model};

/// What the part of a port's name before its first `-` may be.
const PROTOCOLS: [&str; 12] =
    ["http", "http2", "https", "grpc", "tcp", "tls", "udp", "mongo", "mysql", "redis", "hbone", "thrift"];

/// Ports that Istio knows to be TCP whatever their names.
const KNOWN_PORTS: [i32; 4] = [25, 53, 3306, 27017];

/// Namespaces of Kubernetes and of Istio itself.
const SYSTEM: [&str; 4] = ["istio-system", "kube-system", "kube-public", "kube-node-lease"];

pub(super) fn analyze(model: &Model<'_>, found: &mut Findings) {
    for service in model.services.iter().filter(|service| !SYSTEM.contains(&service.namespace())) {
        let spec = service.spec.spec.clone().unwrap_or_default();
        for (index, port) in spec.ports.unwrap_or_default().iter().enumerate().filter(|(_, port)| !is_named(port)) {
            let target = match &port.target_port {
                Some(IntOrString::Int(number)) => number.to_string(),
                Some(IntOrString::String(name)) => name.clone(),
                None => "0".to_owned(),
            };
            let message = format!(
                "Port name {} (port: {}, targetPort: {target}) doesn't follow the naming convention of Istio port.",
                port.name.as_deref().unwrap_or_default(),
                port.port
            );
            found.add(&PORT_NAME, &service.resource, FieldPath::of("spec.ports").index(index), message);
        }
    }
}

/// Whether anything tells what a port speaks.
fn is_named(port: &ServicePort) -> bool {
    let known = |text: &str| {
        let text = text.to_ascii_lowercase();
        text.starts_with("grpc-web") || PROTOCOLS.contains(&text.split('-').next().unwrap_or_default())
    };
    KNOWN_PORTS.contains(&port.port)
        || port.protocol.as_deref() == Some("UDP")
        || port.app_protocol.as_deref().or(port.name.as_deref()).is_some_and(known)
}
