//! The codes of findings: istioctl's where it has one, `EGR` for what only an egress gateway with policies can know.

use std::fmt;

/// How bad it is; the worst comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Calls fail, or a resource does not what it says.
    Error,
    /// It works, but hardly as it was meant.
    Warning,
    /// Good to know.
    Info,
}

impl Level {
    /// All, the worst first.
    pub const ALL: [Level; 3] = [Level::Error, Level::Warning, Level::Info];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Level::Error => "Error",
            Level::Warning => "Warning",
            Level::Info => "Info",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A sort of finding.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// `IST0101`.
    pub name: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What it means.
    pub gist: &'static str,
}

impl Code {
    /// Whether istioctl has it too, so that Istio's documentation explains it.
    pub fn is_istios(&self) -> bool {
        self.name.starts_with("IST")
    }
}

macro_rules! codes {
    ($($name:ident $code:ident $level:ident $gist:literal;)*) => {
        $(pub(super) static $name: Code = Code { name: stringify!($code), level: Level::$level, gist: $gist };)*

        /// Every code, in their order.
        pub static CODES: &[&Code] = &[$(&$name),*];
    };
}

codes! {
    DEPRECATED IST0002 Warning "A deprecated kind, field or annotation is used";
    NOT_FOUND IST0101 Error "Something that is referred to does not exist";
    INVALID IST0106 Error "A resource breaks the rules of its kind";
    MESH_HOST_CONFLICT IST0109 Error "VirtualServices of the sidecars define the same host";
    SIDECARS_OF_ONE_POD IST0110 Error "Several Sidecars select the same workload";
    SIDECARS_WITHOUT_SELECTOR IST0111 Error "Several Sidecars of a namespace have no selector";
    PORT_REQUIRED IST0112 Error "A destination has several ports, and none is named";
    PORT_NAME IST0118 Info "A port's name does not tell its protocol";
    NO_WORKLOAD IST0127 Warning "No workload has the labels that are asked for";
    NO_CA IST0128 Warning "TLS to a destination without caCertificates";
    NO_CA_AT_PORT IST0129 Warning "TLS to a port of a destination without caCertificates";
    UNREACHABLE_RULE IST0130 Warning "A route can never be taken";
    INEFFECTIVE_MATCH IST0131 Info "A match is covered by an earlier one";
    HOST_NOT_IN_GATEWAY IST0132 Warning "A VirtualService's hosts are not among its Gateway's";
    DOUBTFUL IST0133 Warning "A resource is accepted with a warning";
    ADDRESSES_REQUIRED IST0134 Warning "A TCP port needs addresses";
    DUPLICATE_CERTIFICATE IST0138 Warning "Several Gateways have the same certificate";
    SUBSET_WITHOUT_EFFECT IST0140 Warning "A subset has no effect at a gateway";
    GATEWAY_CONFLICT IST0145 Error "Gateways have selector, port and hosts in common";
    CLAIMS_WITHOUT_AUTHENTICATION IST0149 Error "Routes look at JWT claims, but nothing verifies tokens";
    INVALID_CREDENTIAL IST0161 Error "A Gateway's credential holds no certificate and key";
    PORT_NOT_ON_SERVICE IST0162 Warning "A Gateway's port is not one of its workload's Service";
    SUBSET_WITHOUT_PODS IST0173 Error "A subset selects nothing";
    UNKNOWN_HOST IST0174 Warning "A DestinationRule's host is not registered";
    PROTOCOL_CONFLICT IST0177 Warning "ServiceEntries disagree on a port's protocol";
    HIDDEN_BY_ENCRYPTION EGR0001 Warning "A rule reads what HTTPS that is passed through hides";
    NEVER_MATCHES EGR0002 Warning "A rule's match can never be true";
    NO_SUCH_HOST EGR0003 Warning "A rule is for hosts that nothing registers";
    NEVER_KNOWN EGR0004 Warning "A rule needs an attribute that never has a value";
    SAID_TWICE EGR0005 Warning "Two rules do the same for the same calls";
    QUOTA_SHADOWED EGR0006 Warning "A rule's quota is never asked, because an earlier rule gives it to every call";
    UNUSED_HANDLER EGR0007 Info "No rule uses a handler";
    UNUSED_INSTANCE EGR0008 Info "No rule uses an instance";
    ONLY_REPORTS EGR0009 Warning "Refusals are only reported";
    CHECKS_NOTHING EGR0010 Warning "A check is handed to a handler that agrees with everything";
    DECORATIVE_LIST EGR0011 Warning "A list refuses nothing, because all that use it only report";
    UNPROVEN_CALLER EGR0012 Info "A rule asks who calls, but nothing proves it to Istio's gateway";
    WILDCARD_BY_DNS EGR0013 Warning "A wildcard host cannot be resolved";
    SAME_PORT EGR0014 Warning "TCP hosts on one port cannot be told apart";
    HOST_FORM EGR0015 Warning "A host is written in a form that covers nothing, or something else";
    WILDCARD_GRANT EGR0016 Info "A wildcard lets out calls to names that nobody wrote down";
    ALLOWS_ANY EGR0017 Warning "Workloads may call hosts that nobody registered";
    EMPTY_POLICY EGR0018 Info "An outboundTrafficPolicy without mode is REGISTRY_ONLY";
    NAME_AGAINST_PROTOCOL EGR0019 Info "A port is named after another protocol than its own";
    RULES_OF_ONE_HOST EGR0020 Warning "DestinationRules of one host and namespace: the younger's trafficPolicy is not used";
    FOREIGN_SNI EGR0021 Warning "Calls to a host are sent with another host's server name";
    MERGED_AT_GATEWAY EGR0022 Info "VirtualServices of one host are merged at a gateway";
    OTHER_PROTOCOL EGR0023 Warning "Routes are for a protocol that their port does not speak";
    PAST_THE_GATEWAY EGR0024 Info "Some calls to a host do not pass the gateway that others do";
    REFUSES_TOO_LATE EGR0025 Warning "A route that refuses stands behind one that lets the same calls through";
    NEVER_INJECTED EGR0026 Warning "A fault without percentage is never injected";
    PORT_REPLACES EGR0027 Info "Settings of a port replace those of the destination whole";
    SNI_WITHOUT_NAMES EGR0028 Info "TLS with an sni of its own, but without subjectAltNames";
    DOUBLE_SLASH EGR0029 Warning "A rewrite makes paths with two slashes";
    NOT_AT_SIDECARS EGR0030 Warning "No route of a VirtualService applies at the sidecars, as if it were not there";
    NEVER_CHARGED EGR0031 Warning "A rule gives a quota that no call is charged";
    POLICY_NEVER_MATCHES EGR0032 Warning "A field of an AuthorizationPolicy can never match";
    ALLOWS_NOTHING EGR0033 Info "An AuthorizationPolicy without rules denies everything";
    UNKNOWN_CALLER EGR0034 Warning "An AuthorizationPolicy names a service account that no workload runs as";
    PASSES_NO_POLICY EGR0035 Warning "Calls that an AuthorizationPolicy is for do not pass the gateway";
}
