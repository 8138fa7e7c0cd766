//! From Gateways to what connections from outside meet at their ports.

use std::collections::HashMap;
use std::sync::Arc;

use crate::resource::Labels;
use crate::resource::kinds::gateway::{Server, ServerTls as Spec, ServerTlsMode, TlsVersion};

use super::super::chain::{Callers, Certificates, Chain, Chains, KeyPair, ServerTls};
use super::super::credential::{Pem, Secrets};
use super::super::services::{self, Bytes, Protocol};
use super::super::tunnel::Carries;
use super::{GATEWAY_NAMESPACE, Networking};

impl Networking {
    /// The filter chains of the gateway with these labels, by port. A host that two servers of a port list belongs to the
    /// first (Istio's rule).
    pub(super) fn gateway_chains(&self, labels: &Labels) -> HashMap<u16, Chains> {
        let mut ports: HashMap<u16, Chains> = HashMap::new();
        for gateway in self.selected_gateways(labels) {
            for server in &gateway.spec.servers {
                let number = server.port.as_ref().and_then(|port| u16::try_from(port.number).ok());
                let (Some(port), Some(chain)) = (number, chain(server, &self.secrets)) else { continue };
                let chains = ports.entry(port).or_default();
                let number = chains.servers.len();
                let ends_or_passes_tls = chain.tls.is_some() || chain.carries == Carries::Tls;
                let table = if ends_or_passes_tls { &mut chains.tls } else { &mut chains.plain };
                for host in &server.hosts {
                    let host = host.split_once('/').map_or(host.as_str(), |(_, host)| host).to_ascii_lowercase();
                    table.get_or_insert_with(&host, || number);
                }
                chains.servers.push(chain);
            }
        }
        ports
    }
}

/// What a server does with its connections; `None` for what cannot be reached from outside.
fn chain(server: &Server, secrets: &Secrets) -> Option<Chain> {
    let protocol = server.port.as_ref().map(|port| port.protocol.to_ascii_uppercase()).unwrap_or_default();
    let tls = server.tls.as_ref().filter(|_| matches!(protocol.as_str(), "HTTPS" | "TLS"));
    let Some(spec) = tls else {
        let carries = match services::protocol(&protocol) {
            Some(Protocol::Bytes(Bytes::Tcp)) => Carries::Tcp,
            // A check refuses it: TLS without settings.
            Some(Protocol::Bytes(Bytes::Tls)) => return None,
            _ => Carries::Http,
        };
        return Some(Chain { carries, tls: None });
    };
    match spec.mode {
        ServerTlsMode::AutoPassthrough => None,
        ServerTlsMode::Passthrough => Some(Chain { carries: Carries::Tls, tls: None }),
        _ => {
            let carries = if protocol == "HTTPS" { Carries::Http } else { Carries::Tcp };
            Some(Chain { carries, tls: Some(Arc::new(ended(spec, carries == Carries::Http, secrets))) })
        }
    }
}

fn ended(spec: &Spec, http: bool, secrets: &Secrets) -> ServerTls {
    let certificates = match spec.mode {
        ServerTlsMode::IstioMutual => Certificates::Mesh,
        _ => Certificates::Own(key_pairs(spec, secrets)),
    };
    let verified = |optional| Callers::Verified {
        authorities: authorities(spec, secrets),
        revoked: (!spec.ca_crl.is_empty()).then(|| Pem::File(spec.ca_crl.clone())),
        subject_alt_names: spec.subject_alt_names.clone(),
        keys: spec.verify_certificate_spki.clone(),
        certificates: spec.verify_certificate_hash.clone(),
        optional,
    };
    let callers = match spec.mode {
        ServerTlsMode::Mutual => verified(false),
        ServerTlsMode::OptionalMutual => verified(true),
        _ => Callers::Any,
    };
    let versions = (spec.min_protocol_version == TlsVersion::V1_3, spec.max_protocol_version == TlsVersion::V1_2);
    ServerTls { certificates, callers, versions, cipher_suites: spec.cipher_suites.clone(), http }
}

/// Secrets are those of the gateway workload's namespace, wherever the Gateway is (Istio's rule): who may write Gateways may
/// not use others' keys.
fn key_pairs(spec: &Spec, secrets: &Secrets) -> Vec<KeyPair> {
    let pair = |certificate: &str, key: &str| KeyPair {
        certificate: Pem::File(certificate.to_owned()),
        key: Pem::File(key.to_owned()),
    };
    let named: Vec<_> = credential_names(spec).map(|name| secrets.key_pair(GATEWAY_NAMESPACE, name)).collect();
    if !named.is_empty() {
        return named;
    }
    if !spec.tls_certificates.is_empty() {
        return spec.tls_certificates.iter().map(|one| pair(&one.server_certificate, &one.private_key)).collect();
    }
    vec![pair(&spec.server_certificate, &spec.private_key)]
}

fn credential_names(spec: &Spec) -> impl Iterator<Item = &str> {
    let one = [&spec.credential_name].into_iter().chain(&spec.credential_names);
    // Before names of Secrets there may stand what kind of reference it is.
    one.filter(|name| !name.is_empty()).map(|name| name.strip_prefix("kubernetes://").unwrap_or(name))
}

fn authorities(spec: &Spec, secrets: &Secrets) -> Pem {
    if !spec.ca_certificates.is_empty() {
        return Pem::File(spec.ca_certificates.clone());
    }
    let own = Some(spec.ca_cert_credential_name.as_str()).filter(|name| !name.is_empty());
    let name = own.or_else(|| credential_names(spec).next()).unwrap_or_default();
    secrets.authorities(GATEWAY_NAMESPACE, name)
}
