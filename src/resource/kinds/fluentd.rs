//! fluentd: a handler that sends logentries to a Fluentd (Mixer).

use serde::Deserialize;

use super::cells;
use super::check::{self, At};
use crate::resource::{Duration, Kind, Part, Role};

/// Most entries that may wait; each can be as large as the headers of a call.
const MAX_BUFFER: i64 = 1_000_000;

/// Most bytes of a batch: 256 MiB.
const MAX_BATCH: i64 = 256 << 20;

/// The kind `fluentd` (config.istio.io).
pub static FLUENTD: Kind = cells::part(
    "fluentd",
    "fluentds",
    Part { role: Role::Handler, check: |tree, at, problems| check::params::<Fluentd>(tree, at, problems, rules) },
);

/// `spec` of a fluentd handler.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Fluentd {
    /// HOST:PORT of the Fluentd.
    pub address: String,
    /// Whether durations are sent as whole milliseconds instead of text.
    pub integer_duration: bool,
    /// Entries that wait to be batched; what comes when it is full is not sent.
    pub instance_buffer_size: i64,
    /// Bytes at which a batch is sent; a larger entry is not sent at all.
    pub max_batch_size_bytes: i64,
    /// Longest time that an entry waits for its batch to fill.
    pub push_interval_duration: Duration,
    /// Longest time that connecting to Fluentd, and one write to it, may take.
    pub push_timeout_duration: Duration,
}

impl Default for Fluentd {
    fn default() -> Self {
        const MINUTE: Duration = Duration { nanos: 60_000_000_000 };
        Self {
            address: "localhost:24224".into(),
            integer_duration: false,
            instance_buffer_size: 1024,
            max_batch_size_bytes: 8 << 20,
            push_interval_duration: MINUTE,
            push_timeout_duration: MINUTE,
        }
    }
}

fn rules(at: &mut At<'_>, fluentd: &Fluentd) {
    if !is_host_and_port(&fluentd.address) {
        at.field("address")
            .advise(format!("\"{}\" is no HOST:PORT", fluentd.address), "for example localhost:24224, or [::1]:24224");
    }
    for (field, number, most) in [
        ("instanceBufferSize", fluentd.instance_buffer_size, MAX_BUFFER),
        ("maxBatchSizeBytes", fluentd.max_batch_size_bytes, MAX_BATCH),
    ] {
        if !(1..=most).contains(&number) {
            at.field(field).invalid(format!("must be from 1 to {most}, it is {number}"));
        }
    }
    if fluentd.push_interval_duration.nanos < 0 {
        at.field("pushIntervalDuration").invalid("must not be negative");
    }
    if fluentd.push_timeout_duration.nanos <= 0 {
        at.field("pushTimeoutDuration").invalid("must be greater than 0s");
    }
}

/// Whether a text is a host, or an address (of IPv6 in brackets), and a port that is not 0.
fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host_fits = match literal {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)),
    };
    host_fits && port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for right in ["localhost:24224", "10.0.0.1:1", "[::1]:24224", "fluentd-es.logging:24224"] {
            assert_eq!(check(&FLUENTD, &format!("address: '{right}'")), [""; 0], "{right}");
        }
        for wrong in ["localhost", "localhost:", ":1", "::1:1", "a:0", "a:+1", "a:65536", "", "a b:1"] {
            assert_eq!(check(&FLUENTD, &format!("address: '{wrong}'")).len(), 1, "{wrong}");
        }
    }

    #[test]
    fn sizes_and_times_are_positive() {
        let told = check(
            &FLUENTD,
            "instanceBufferSize: -1\nmax_batch_size_bytes: '0'\npushIntervalDuration: -1s\npushTimeoutDuration: 0s",
        );
        assert_eq!(
            told,
            [
                "spec.instanceBufferSize: must be from 1 to 1000000, it is -1",
                "spec.maxBatchSizeBytes: must be from 1 to 268435456, it is 0",
                "spec.pushIntervalDuration: must not be negative",
                "spec.pushTimeoutDuration: must be greater than 0s"
            ]
        );
        assert_eq!(check(&FLUENTD, "{}"), [""; 0]);
    }
}
