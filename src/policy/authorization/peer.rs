//! PeerAuthentications: at which ports the workload takes mutual TLS alone.

use std::collections::HashMap;

use crate::registry::{LoadError, View, load};
use crate::resource::Resource;
use crate::resource::kinds::PEER_AUTHENTICATION;
use crate::resource::kinds::peer_authentication::{Mode, MutualTls, PeerAuthentication};

use super::compile::{Enforcer, ROOT_NAMESPACE};

/// What a workload takes, by port.
#[derive(Debug, Default)]
pub(super) struct Peers {
    /// At all ports but these.
    mode: Mode,
    ports: HashMap<u16, Mode>,
}

impl Peers {
    /// What is declared for a workload: port before workload, before namespace, before mesh; the oldest of equals, and what
    /// is not said is as the next has it (Istio's rule).
    ///
    /// # Errors
    /// A stored resource that does not decode.
    pub(super) fn compile(view: &dyn View, enforcer: &Enforcer) -> Result<Self, LoadError> {
        let all = load::<PeerAuthentication>(view, &PEER_AUTHENTICATION)?;
        let own =
            all.iter().filter(|(resource, spec)| enforcer.is_selected_by(resource, spec)).map(|(_, spec)| spec).next();
        let whole = |namespace: &str| {
            let mut found = all.iter().filter(|(resource, spec)| resource.namespace() == namespace && is_whole(spec));
            found.next().map(|(_, spec)| spec)
        };
        let levels = [own, whole(&enforcer.namespace), whole(ROOT_NAMESPACE)];
        let said = levels.into_iter().flatten().map(|spec| mode(spec.mtls.as_ref()));
        let general = said.into_iter().find(|mode| *mode != Mode::Unset).unwrap_or_default();
        let ports = own.and_then(|spec| spec.port_level_mtls.as_ref()).into_iter().flatten();
        let ports = ports.filter_map(|(port, tls)| Some((port.parse().ok()?, mode(Some(tls)))));
        Ok(Self { mode: general, ports: ports.filter(|(_, mode)| *mode != Mode::Unset).collect() })
    }

    /// Whether a port takes mutual TLS alone.
    pub(super) fn are_strict(&self, port: u16) -> bool {
        *self.ports.get(&port).unwrap_or(&self.mode) == Mode::Strict
    }
}

fn mode(tls: Option<&MutualTls>) -> Mode {
    tls.map(|tls| tls.mode).unwrap_or_default()
}

/// Whether it is for all workloads of its namespace.
fn is_whole(spec: &PeerAuthentication) -> bool {
    spec.selector.as_ref().is_none_or(|selector| selector.match_labels.is_empty())
}

impl Enforcer {
    /// Whether a PeerAuthentication selects this very workload.
    fn is_selected_by(&self, resource: &Resource, spec: &PeerAuthentication) -> bool {
        let mut wanted = spec.selector.iter().flat_map(|selector| &selector.match_labels);
        !is_whole(spec)
            && resource.namespace() == self.namespace
            && wanted.all(|(key, value)| self.labels.get(key) == Some(value))
    }

    /// Whether a PeerAuthentication is for this workload.
    pub fn takes(&self, resource: &Resource, spec: &PeerAuthentication) -> bool {
        let of_mesh = [self.namespace.as_str(), ROOT_NAMESPACE].contains(&resource.namespace());
        self.is_selected_by(resource, spec) || (is_whole(spec) && of_mesh)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{compiled, enforcer};

    fn peer(name: &str, namespace: &str, spec: &str) -> String {
        format!(
            "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {{name: {name}, namespace: \
             {namespace}}}\nspec: {spec}\n---\n"
        )
    }

    #[test]
    fn what_is_said_of_a_port_comes_before_the_workload_and_that_before_all() {
        let strict = peer("a", "istio-system", "{mtls: {mode: STRICT}}");
        let own = |spec: &str| {
            peer("b", "istio-system", &format!("{{selector: {{matchLabels: {{istio: egressgateway}}}}, {spec}}}"))
        };
        let ports = "portLevelMtls: {80: {mode: DISABLE}, 443: {mode: STRICT}, 8080: {}}";
        for (manifest, expected) in [
            (String::new(), [false, false, false]),
            (strict.clone(), [true, true, true]),
            (strict.replace("istio-system", "default"), [false, false, false]),
            (strict.replace("STRICT", "PERMISSIVE"), [false, false, false]),
            (own("mtls: {mode: STRICT}"), [true, true, true]),
            (own("mtls: {mode: STRICT}").replace("egressgateway", "other"), [false, false, false]),
            (strict.clone() + &own("mtls: {mode: PERMISSIVE}"), [false, false, false]),
            (strict.clone() + &own("mtls: {}"), [true, true, true]),
            (own(ports), [false, true, false]),
            (strict + &own(ports), [false, true, true]),
        ] {
            let authorization = compiled(&manifest, &enforcer());
            assert_eq!([80, 443, 8080].map(|port| authorization.is_strict(port)), expected, "{manifest}");
        }
    }
}
