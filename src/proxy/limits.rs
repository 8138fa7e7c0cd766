//! Every bound of the data plane, with its unit and reason.

use std::time::Duration;

use crate::call::MAX_HEAD;
use crate::upstream::Most;

/// Bounds of a proxy.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Most client connections of a worker. Each costs a descriptor, some 20 KiB here while it is used, and one upstream
    /// connection at most.
    pub connections: usize,
    /// Most of them of one caller, which is an address at one listener: one that is flooded from must not close the door to
    /// others.
    pub connections_of_caller: usize,
    /// Most calls under way of one caller, of a worker, if that is limited: a workload, or the address of who is none.
    pub requests_of_caller: Option<usize>,
    /// Most connections of a worker to one destination: one that is slow must not have all that calls to others need. Fewer may
    /// be on their way there: each holds up a call, whose caller is told at once where it would not help to wait.
    pub destination: Most,
    /// How long a client may take to send the head of a request, also the first byte of the next one on a kept
    /// connection. Longer than browsers and libraries keep connections idle (commonly 60 to 90 s).
    pub head_timeout: Duration,
    /// How long a connection is kept ready for its next call: then its buffers are given back, until there is one. Long
    /// enough that a client that calls again and again does not pay for new ones.
    pub ready_time: Duration,
    /// Bytes of a request that are read at once; a head that does not fit is refused.
    pub head_bytes: usize,
    /// Most header fields of a request.
    pub head_fields: usize,
    /// Bytes of a request's body that are kept so that it can be sent again: to the same origin by a retry, or to a
    /// mirror. Larger ones are sent once. Forms and JSON of APIs fit.
    pub kept_body: usize,
    /// Most copies on their way to mirrors, of a worker: a mirror that does not answer must not pile up memory.
    pub mirrors: usize,
    /// How long an origin may take to send the head of its answer where the route says nothing, and how long it may
    /// pause in its body; also how long a client may pause in reading it. Long polls and language models answer
    /// within minutes.
    pub response_timeout: Duration,
    /// How long a call may last in all, tunnels and WebSockets included, if that is limited (Envoy's
    /// `max_stream_duration`).
    pub stream_duration: Option<Duration>,
    /// How long a client may take to say what a connection is for: its TLS ClientHello, its SOCKS request. Envoy gives
    /// 15 s.
    pub hello_timeout: Duration,
    /// Most calls that a client of HTTP/2 may break off on one connection before they are answered, as long as they are most of
    /// its calls: each is work for nothing, and so an attack (CVE-2023-44487). Envoy's number.
    pub resets: usize,
    /// Most TLS handshakes of a worker at a time: each has some 20 KiB, and is work that its caller need not do.
    pub handshakes: usize,
    /// How long a tunnel may lie idle, as Envoy's default is.
    pub tunnel_idle_timeout: Duration,
    /// Most tunnels of a worker at one time. Each keeps room for its report, which short calls need too.
    pub tunnels: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 16_384,
            connections_of_caller: 12_288,
            requests_of_caller: None,
            destination: Most { connections: 12_288, pending: 4_096 },
            head_timeout: Duration::from_secs(120),
            ready_time: Duration::from_millis(250),
            head_bytes: MAX_HEAD,
            head_fields: 100,
            kept_body: 64 * 1024,
            mirrors: 128,
            response_timeout: Duration::from_secs(300),
            stream_duration: None,
            hello_timeout: Duration::from_secs(15),
            resets: 500,
            handshakes: 512,
            tunnel_idle_timeout: Duration::from_secs(3600),
            tunnels: 4_096,
        }
    }
}
