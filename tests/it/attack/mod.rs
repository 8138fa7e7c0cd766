//! Attacks: what a caller may try in order to reach what it may not, byte by byte through real sockets to the real binary.
//!
//! Each case has the id of its row in SECURITY.md. It is refused and nothing of it reaches the origin, or it reaches the
//! origin in the very form on which it was decided.

mod corpus;
mod framing;
mod good;
mod headers;
mod hosts;
mod list;
mod log;
mod mixed;
mod multiplexed;
mod names;
mod paths;
mod tunnels;

use std::sync::{Arc, Mutex};

use crate::proxied::{Answer, Client, Proxied};
use crate::raw::{Message, echoing};
use crate::stage::{Stage, service_entry, until};

/// What must come of a request.
#[derive(Debug, Clone, Copy)]
enum Must {
    /// It is refused as one that cannot be understood in one way only, and the connection ends.
    BeRefused,
    /// It is understood, and the policy or the registry refuses it with this status.
    BeDenied(u16),
    /// It reaches the origin with exactly these first lines.
    ArriveAs(&'static str),
}

use Must::{ArriveAs, BeDenied, BeRefused};

/// Nobody may come to `/admin`, call forbidden.example, delete anything or say that he is an admin.
const FORBIDDEN: &str = "request.url_path == \"/admin\" || request.url_path.startsWith(\"/admin/\") || request.host == \
                         \"forbidden.example\" || request.method == \"DELETE\" || (request.headers[\"x-role\"] | \"\") \
                         == \"admin\"";

/// Refuses what a condition holds of.
fn denying(condition: &str) -> String {
    format!(
        "apiVersion: config.istio.io/v1alpha2\nkind: denier\nmetadata: {{name: blocker, namespace: istio-system}}\nspec: \
         {{status: {{code: 7, message: forbidden}}}}\n---\napiVersion: config.istio.io/v1alpha2\nkind: \
         checknothing\nmetadata: {{name: any, namespace: istio-system}}\nspec: {{}}\n---\napiVersion: \
         config.istio.io/v1alpha2\nkind: rule\nmetadata: {{name: deny, namespace: istio-system}}\nspec:\n  match: >-\n    \
         {condition}\n  actions: [{{handler: blocker.denier, instances: [any.checknothing]}}]\n"
    )
}

/// A proxy, one origin for a.example and forbidden.example, and what that has received.
struct Site {
    scene: Stage,
    proxy: Proxied,
    seen: Arc<Mutex<Vec<Message>>>,
}

impl Site {
    fn new(arguments: &[&str]) -> Self {
        let (address, seen) = echoing();
        let scene = Stage::new();
        for host in ["a.example", "forbidden.example"] {
            scene.ok_with(&["create", "-f", "-"], &service_entry(host, address));
        }
        scene.ok_with(&["create", "-f", "-"], &denying(FORBIDDEN));
        let proxy = Proxied::start(&scene, arguments);
        Self { scene, proxy, seen }
    }

    /// How many requests the origin has received.
    fn received(&self) -> usize {
        self.seen.lock().expect("no panic").len()
    }

    /// The heads of all requests that the origin has received.
    fn heads(&self) -> Vec<String> {
        self.seen.lock().expect("no panic").iter().map(|message| message.head.clone()).collect()
    }

    /// Sends a request, and says what is wrong with what comes of it.
    fn fault(&self, request: &[u8], must: Must) -> Option<String> {
        let before = self.received();
        let mut client = self.proxy.connect();
        client.send(request);
        let answer = client.read();
        let arrived = self.received() - before;
        let fault = match must {
            BeRefused if answer.status != 400 || arrived > 0 => Some("is not refused".to_owned()),
            BeRefused if !client.closed() => Some("the connection goes on".to_owned()),
            BeDenied(status) if answer.status != status || arrived > 0 => Some(format!("is not denied with {status}")),
            ArriveAs(_) if answer.status != 200 || arrived != 1 => Some("does not arrive".to_owned()),
            ArriveAs(lines) if !answer.text().starts_with(lines) => Some(format!("does not arrive as {lines:?}")),
            _ => None,
        };
        fault.map(|fault| format!("{:?} {fault}: {}", request.escape_ascii().to_string(), shown(&answer)))
    }

    /// Sends each request; all that do not what they must.
    #[track_caller]
    fn all(&self, cases: impl IntoIterator<Item = (Vec<u8>, Must)>) {
        let wrong: Vec<_> = cases.into_iter().filter_map(|(request, must)| self.fault(&request, must)).collect();
        assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
    }

    /// Waits until there are so many entries of refusals, and no more.
    #[track_caller]
    fn has_refusals(&self, count: usize) {
        let told = || self.scene.ok(&["logs", "--count", "--instance", "refused"]).trim().to_owned();
        until(&format!("{count} refusals in the log, not {}", told()), || told() == count.to_string());
    }
}

fn shown(answer: &Answer) -> String {
    format!("{} {}", answer.status, answer.text().lines().next().unwrap_or_default())
}

/// A request of a client that uses the proxy as if it were the origin.
fn get(target: &[u8]) -> Vec<u8> {
    [b"GET ", target, b" HTTP/1.1\r\nhost: a.example\r\n\r\n"].concat()
}

/// Sends bytes and gives back all that comes until the proxy closes.
fn told(client: &mut Client, bytes: &[u8]) -> String {
    client.send(bytes);
    client.rest().0
}
