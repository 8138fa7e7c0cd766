//! Copies of calls to mirrors: sent beside the call, never waited for.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use http_body::Body as _;

use crate::call::Authority;
use crate::decision::Outgoing;
use crate::metrics::Counter;
use crate::routing::{Cluster, Endpoint};
use crate::upstream::{Kept, Outward, RequestBody, ResponseBody};

use super::forward::endpoint;
use super::report::Closing;
use super::worker::Worker;

/// What is added to the host of a copy, so that a mirror can tell (Envoy's).
const SHADOW: &str = "-shadow";

/// Bytes of a mirror's answer that are read so that its connection can be kept; a longer one closes it.
const ANSWER_BYTES: u64 = 64 * 1024;

/// Sends a copy to a mirror: at once without a body, else when the body has passed. `body` is `Err` where it cannot be
/// kept.
pub(super) fn mirror(
    worker: &Rc<Worker>,
    cluster: &Arc<Cluster>,
    closing: &Closing,
    head: &Outgoing<'_>,
    body: Option<Result<Rc<Kept>, ()>>,
) {
    let call = closing.call();
    let room = worker.mirrors.take();
    // Also where the cluster is the gateway: its routes would not know the host.
    let to_gateway = cluster.target.gateway().is_some();
    let endpoint =
        endpoint(cluster, closing, call.chance(), &[], false).map(|(endpoint, _)| Endpoint::clone(&endpoint));
    let (Ok(body), Ok(endpoint), Some(on_its_way), false) = (body.transpose(), endpoint, room, to_gateway) else {
        return worker.shard.count(Counter::NotMirrored);
    };
    let (worker, cluster, method) = (Rc::clone(worker), Arc::clone(cluster), call.method().clone());
    let head = Outgoing { authority: shadow(&head.authority).into(), upgrade: None, ..head.clone() }.into_owned();
    tokio::task::spawn_local(async move {
        let limit = worker.limits.response_timeout;
        let sent =
            tokio::time::timeout(limit, copy(&worker, (&endpoint, cluster.connect_timeout), (&method, &head), body))
                .await;
        let counter = if sent == Ok(Some(())) { Counter::Mirrored } else { Counter::NotMirrored };
        worker.shard.count(counter);
        drop(on_its_way);
    });
}

/// `None` where nothing was sent, or nobody answered.
async fn copy(
    worker: &Worker,
    (endpoint, connect_timeout): (&Endpoint, Duration),
    (method, head): (&Method, &Outgoing<'_>),
    body: Option<Rc<Kept>>,
) -> Option<()> {
    let body = match &body {
        None => RequestBody::empty(),
        Some(kept) if kept.whole().await => RequestBody::again(kept),
        Some(_) => return None,
    };
    let request = Outward { method, head, body };
    let answer = worker.upstream.send(endpoint, connect_timeout, request, &Cell::default()).await.ok()?;
    discard(answer.into_body()).await;
    Some(())
}

async fn discard(mut body: ResponseBody) {
    let mut read = 0;
    while read <= ANSWER_BYTES {
        let frame = std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx)).await;
        match frame {
            Some(Ok(frame)) => read += frame.data_ref().map_or(0, |data| data.len() as u64),
            _ => return,
        }
    }
}

/// `a.com-shadow:8080` of `a.com:8080`.
fn shadow(authority: &str) -> String {
    let host = Authority::parse(authority).map_or(authority.len(), |authority| authority.host().len());
    let (host, port) = authority.split_at(host);
    format!("{host}{SHADOW}{port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_for_another_host() {
        assert_eq!(shadow("a.com"), "a.com-shadow");
        assert_eq!(shadow("a.com:8080"), "a.com-shadow:8080");
    }
}
