//! TLS without a proxy's request before it: whoever is sent here by a name server or the network.

use std::rc::Rc;

use crate::call::{Failure, TunnelFault};

use super::client::Client;
use super::identify::Shown;
use super::sniff::{NoHello, server_name};
use super::stream::ClientStream;
use super::tunnel::{end_tls, open, refuse_tls, report_head, run};
use super::worker::Worker;

/// The port that such a client meant to reach, where the listener's own says nothing.
pub(super) const PORT: u16 = 443;

/// Carries the connection to the name that its TLS asks for, and a port.
pub(super) async fn serve(worker: &Rc<Worker>, client: &Client, port: u16, mut stream: ClientStream) {
    let mut early = Vec::new();
    let name = match server_name(&mut early, &mut stream, worker.limits.hello_timeout).await {
        Ok(Some(name)) => name,
        Ok(None) => {
            report_head(worker, client, Failure::Tunnel(TunnelFault::NoName)).await;
            return;
        }
        Err(NoHello::Refused(failure)) => {
            report_head(worker, client, failure).await;
            return;
        }
        Err(NoHello::Left) => return,
    };
    match open(worker, client, &format!("{name}:{port}"), Shown::Nothing).await {
        // What begins with TLS never goes to a port of HTTP.
        Ok(opened) => {
            if let Some((inside, _, stream)) = run(worker, client, opened, early, stream).await {
                refuse_tls(worker, &inside, stream).await;
            }
        }
        Err(refused) => {
            refused.report();
            end_tls(stream).await;
        }
    }
}
