//! Posting to an OpenTelemetry collector, on a thread of its own: OTLP over HTTP in JSON.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use bytes::Bytes;
use reqwest::{Client, Response, StatusCode, header};

use crate::otlp::{Bodies, Count, Exporter, Queue, Told, bodies, queue};

use super::feeds::{client, told};
use super::messages::Messages;
use super::start::StartError;

/// How long the collector has for one answer.
const POST_LIMIT: Duration = Duration::from_secs(5);

/// How long a collector that is busy is left alone before it is asked once more, if it does not say, and at most.
const BACK_OFF: Duration = Duration::from_secs(1);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(3);

/// Statuses by which a collector says that it may take later what it does not take now (OTLP, section "Failures" of OTLP/HTTP).
const BUSY: [StatusCode; 4] = [
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];

/// How long it has at the end for all that is left.
const FLUSH_LIMIT: Duration = Duration::from_secs(5);

/// A collector that is told of calls.
#[derive(Debug)]
pub(super) struct Collector {
    pub(super) count: Arc<Count>,
    /// Ends with the thread.
    ended: Receiver<()>,
}

impl Collector {
    /// Waits until all is posted that was left, when all exporters are gone.
    pub(super) fn flush(&self) {
        // Nothing is ever sent.
        let _ = self.ended.recv_timeout(FLUSH_LIMIT);
    }
}

/// Starts to post what is left in the exporter.
pub(super) fn start(
    endpoint: &str,
    ca_file: Option<&Path>,
    node: &str,
    messages: &Messages,
) -> Result<(Exporter, Collector), StartError> {
    let client = client(ca_file).map_err(StartError::CaFile)?;
    let (exporter, queue) = queue();
    let (count, (running, ended)) = (queue.count(), channel());
    let base = endpoint.trim_end_matches('/');
    let post = Post {
        client,
        traces: format!("{base}/v1/traces"),
        logs: format!("{base}/v1/logs"),
        node: node.to_owned(),
        messages: messages.clone(),
        failing: false,
        overrun: 0,
    };
    let failed = |error| StartError::System("the thread that exports calls cannot be started", error);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let thread = std::thread::Builder::new().name("otlp".into()).spawn(move || {
        runtime.block_on(post.run(queue));
        drop(running);
    });
    thread.map_err(failed)?;
    Ok((exporter, Collector { count, ended }))
}

struct Post {
    client: Client,
    traces: String,
    logs: String,
    node: String,
    messages: Messages,
    /// Whether the newest attempt failed.
    failing: bool,
    /// Calls that found no room, when that was told.
    overrun: u64,
}

impl Post {
    /// Until the queue ends. It is waited for on this very thread, which does nothing else.
    async fn run(mut self, queue: Queue) {
        let (count, mut failures) = (queue.count(), 0);
        while let Some(batch) = queue.batch() {
            let result = self.batch(&batch).await;
            if result.is_err() {
                count.lose(batch.len());
                failures += batch.len() as u64;
            }
            self.tell(result);
            self.tell_overrun(count.dropped() - failures);
        }
    }

    async fn batch(&self, batch: &[Told]) -> Result<(), String> {
        let Bodies { traces, logs } = bodies(&self.node, batch);
        if let Some(traces) = traces {
            self.post(&self.traces, traces).await?;
        }
        self.post(&self.logs, logs).await
    }

    /// Posts, once more if the collector is busy. What it does not take then is not kept for later.
    async fn post(&self, url: &str, body: String) -> Result<(), String> {
        let body = Bytes::from(body);
        let mut answer = self.ask(url, body.clone()).await?;
        if BUSY.contains(&answer.status()) {
            tokio::time::sleep(back_off(&answer)).await;
            answer = self.ask(url, body).await?;
        }
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("it answered {status}")),
        }
    }

    async fn ask(&self, url: &str, body: Bytes) -> Result<Response, String> {
        let request = self.client.post(url).header(header::CONTENT_TYPE, "application/json").body(body);
        request.timeout(POST_LIMIT).send().await.map_err(|error| told(&error.without_url()))
    }

    fn tell(&mut self, result: Result<(), String>) {
        match result {
            Err(why) if !self.failing => {
                self.messages.say(&format!("the OpenTelemetry collector is not told of calls, which go on: {why}"));
                self.failing = true;
            }
            Ok(()) if self.failing => {
                self.messages.say("the OpenTelemetry collector is told of calls again");
                self.failing = false;
            }
            _ => {}
        }
    }

    fn tell_overrun(&mut self, calls: u64) {
        if calls > 0 && self.overrun == 0 {
            self.messages.say(
                "the OpenTelemetry collector is too slow: it is not told of all calls (egressctl_otlp_dropped_total)",
            );
        }
        self.overrun = calls;
    }
}

/// How long an answer asks to be left alone.
fn back_off(answer: &Response) -> Duration {
    let said = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    said.map_or(BACK_OFF, Duration::from_secs).min(LONGEST_BACK_OFF)
}
