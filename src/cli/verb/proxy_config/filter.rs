//! istioctl's filters of `proxy-config`.

use clap::Args;

/// What rows can be told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filter {
    Address,
    Port,
    Name,
    Fqdn,
    Subset,
    Cluster,
    Status,
}

impl Filter {
    /// Name of the flag.
    pub(super) fn name(self) -> &'static str {
        match self {
            Filter::Address => "address",
            Filter::Port => "port",
            Filter::Name => "name",
            Filter::Fqdn => "fqdn",
            Filter::Subset => "subset",
            Filter::Cluster => "cluster",
            Filter::Status => "status",
        }
    }
}

/// Which rows are wanted: those for which all hold.
#[derive(Debug, Args)]
pub(super) struct Filters {
    /// Only listeners or endpoints of this address
    #[arg(long, value_name = "ADDR")]
    address: Option<String>,
    /// Only listeners, routes, clusters or endpoints of this port
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16))]
    port: Option<u16>,
    /// Only routes of this table (80, http.443) or virtual host, or clusters, secrets, rules of this name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Only routes and clusters of this host
    #[arg(long, value_name = "HOST")]
    fqdn: Option<String>,
    /// Only clusters of this subset
    #[arg(long, value_name = "NAME")]
    subset: Option<String>,
    /// Only endpoints of this cluster: outbound|443||edition.cnn.com
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Only endpoints of this status: healthy, unhealthy
    #[arg(long, value_name = "STATUS", value_parser = ["healthy", "unhealthy"])]
    #[arg(ignore_case = true, hide_possible_values = true)]
    status: Option<String>,
}

impl Filters {
    /// The filters that were given, with their values.
    pub(super) fn given(&self) -> Vec<(Filter, String)> {
        let all = [
            (Filter::Address, self.address.clone()),
            (Filter::Port, self.port.map(|port| port.to_string())),
            (Filter::Name, self.name.clone()),
            (Filter::Fqdn, self.fqdn.clone()),
            (Filter::Subset, self.subset.clone()),
            (Filter::Cluster, self.cluster.clone()),
            (Filter::Status, self.status.clone()),
        ];
        all.into_iter().filter_map(|(filter, value)| Some((filter, value?))).collect()
    }
}
