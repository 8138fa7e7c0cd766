//! The flags that bound what a proxy takes.

use std::time::Duration;

use clap::Args;

use super::retention::size;
use super::time::duration;
use crate::proxy::Limits;
use crate::upstream::Most;

/// Least bytes of heads that can be asked for.
const LEAST_HEAD: usize = 8 * 1024;

/// What a proxy takes at most. `proxy status` and metrics show how much of it is in use, and how often there was no more.
#[derive(Debug, Clone, Args)]
pub(crate) struct Bounds {
    /// How long an origin has for the head of its answer where the route says nothing, and may pause in its body
    #[arg(long, value_name = "DURATION", default_value = "300s", value_parser = duration)]
    response_timeout: Duration,
    /// How long a call may last in all, tunnels and WebSockets included [default: no limit]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    max_stream_duration: Option<Duration>,
    /// How long a tunnel may lie idle
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = duration)]
    tunnel_idle_timeout: Duration,
    /// How long a client may take for the head of a request, and lie idle before the next one
    #[arg(long, value_name = "DURATION", default_value = "120s", value_parser = duration)]
    header_timeout: Duration,
    /// Most bytes of a request's head; a longer one gets 431
    #[arg(long, value_name = "N", default_value_t = Limits::default().head_bytes, value_parser = head_bytes)]
    max_header_bytes: usize,
    /// Most header fields of a request; one with more gets 431
    #[arg(long, value_name = "N", default_value_t = Limits::default().head_fields)]
    max_header_fields: usize,
    /// Most client connections of one worker; one more gets 503
    #[arg(long, value_name = "N", default_value_t = Limits::default().connections)]
    max_connections: usize,
    /// Most of them of one caller, an address at one listener; one more gets 429 [default: three quarters of all]
    #[arg(long, value_name = "N")]
    max_connections_per_caller: Option<usize>,
    /// Most tunnels of one worker, at most half as many as requests
    #[arg(long, value_name = "N", default_value_t = Limits::default().tunnels)]
    max_tunnels: usize,
    /// Most requests under way of one caller, a workload or the address of who is none, at one worker; one more gets 429
    /// [default: no limit]
    #[arg(long, value_name = "N")]
    max_requests_per_caller: Option<usize>,
    /// Most connections of one worker to one destination, an address with what is spoken there; a call that would need one more
    /// gets 503 [default: three quarters of --max-connections]
    #[arg(long, value_name = "N")]
    max_connections_per_destination: Option<usize>,
    /// Most of them that are being made at a time; a call that would need one more gets 503 [default: a quarter of
    /// --max-connections]
    #[arg(long, value_name = "N")]
    max_pending_per_destination: Option<usize>,
    /// Most calls that a client of HTTP/2 may break off on one connection, as long as they are most of its calls: then the
    /// connection ends
    #[arg(long, value_name = "N", default_value_t = Limits::default().resets)]
    max_resets_per_connection: usize,
    /// Refuse calls with 503 while the process has nearly so much memory: 512MiB [default: the limit of its control group]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) max_memory: Option<u64>,
}

/// Heads past what is judged would be refused in any case.
fn head_bytes(text: &str) -> Result<usize, String> {
    let most = Limits::default().head_bytes;
    let bytes = text.parse().ok().filter(|bytes| (LEAST_HEAD..=most).contains(bytes));
    bytes.ok_or_else(|| format!("expected a number from {LEAST_HEAD} to {most}"))
}

impl From<Bounds> for Limits {
    fn from(flags: Bounds) -> Self {
        Self {
            response_timeout: flags.response_timeout,
            stream_duration: flags.max_stream_duration,
            tunnel_idle_timeout: flags.tunnel_idle_timeout,
            head_timeout: flags.header_timeout,
            head_bytes: flags.max_header_bytes,
            head_fields: flags.max_header_fields,
            connections: flags.max_connections,
            connections_of_caller: flags.max_connections_per_caller.unwrap_or(flags.max_connections / 4 * 3).max(1),
            destination: Most {
                connections: flags.max_connections_per_destination.unwrap_or(flags.max_connections / 4 * 3).max(1),
                pending: flags.max_pending_per_destination.unwrap_or(flags.max_connections / 4).max(1),
            },
            tunnels: flags.max_tunnels,
            resets: flags.max_resets_per_connection,
            requests_of_caller: flags.max_requests_per_caller,
            ..Limits::default()
        }
    }
}
