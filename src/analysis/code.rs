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
}
