//! A handler and an instance, tried without rules around them.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use serde_json::Value as Json;

use super::{Adapter, Handler, Setup};
use crate::call::{Arrival, CallBag, Reporter, normalize};
use crate::diagnostic::{FieldPath, Problems};
use crate::expr::{Scratch, Timestamp, Vocabulary};
use crate::policy::Live;
use crate::policy::instance::{Instance, Values};
use crate::policy::template::Template;
use crate::policy::verdict::Verdict;

/// A handler under the name `tried.default`, and an instance that it is given.
pub(super) struct Trial {
    pub(super) live: Arc<Live>,
    adapter: &'static Adapter,
    handler: Arc<dyn Handler>,
    instance: Arc<Instance>,
}

impl Trial {
    /// When all calls are made.
    pub(super) const TIME: Timestamp = Timestamp { seconds: 1_529_328_178, nanos: 0 };

    /// Params of both are given in YAML.
    #[track_caller]
    pub(super) fn new(adapter: &'static Adapter, handler: &str, template: &'static Template, instance: &str) -> Self {
        let live = Arc::<Live>::default();
        let (at, name) = (FieldPath::of("spec"), "tried.instance.default".to_owned());
        let instance = Instance::compile(name, template, &yaml(instance), at, Vocabulary::standard());
        let instance = Arc::new(instance.expect("a valid instance").0);
        let handler = build(adapter, handler, &live).expect("a valid handler");
        Self { live, adapter, handler, instance }
    }

    /// What is wrong with params of a handler.
    pub(super) fn faults(adapter: &'static Adapter, handler: &str) -> Problems {
        build(adapter, handler, &Live::default()).map(drop).expect_err("it has faults")
    }

    /// With a new configuration, which takes over the old one's state.
    #[track_caller]
    pub(super) fn rebuilt(&self, handler: &str) -> Self {
        let handler = build(self.adapter, handler, &self.live).expect("a valid handler");
        Self { live: Arc::clone(&self.live), adapter: self.adapter, handler, instance: Arc::clone(&self.instance) }
    }

    /// `OK`, `CODE MESSAGE`, or `fault: WHY`, of a GET of a path on site.example.
    pub(super) fn check(&self, path: &str) -> String {
        let head = http::Request::builder().uri(format!("http://site.example{path}")).header("host", "site.example");
        let head = head.body(()).expect("a valid head").into_parts().0;
        let arrival =
            Arrival { time: Self::TIME, chance: 0, caller: None, peer: IpAddr::V4(Ipv4Addr::LOCALHOST), tls: None };
        let call = normalize(head, arrival).expect("a valid call");
        let (reporter, scratch) = (Reporter::default(), Scratch::new());
        let bag = CallBag::new(&call, None, &reporter);
        let values = Values { instance: &self.instance, shape: None, bag: &bag, scratch: &scratch };
        match self.handler.check(&values) {
            Ok(Verdict::Ok) => "OK".into(),
            Ok(Verdict::Refused { code, message }) => format!("{} {message}", code.name()),
            Err(fault) => format!("fault: {fault}"),
        }
    }
}

fn build(adapter: &Adapter, params: &str, live: &Live) -> Result<Arc<dyn Handler>, Problems> {
    (adapter.build)(&Setup { name: "tried.default", params: &yaml(params), at: FieldPath::of("spec"), live })
}

fn yaml(text: &str) -> Json {
    serde_yaml::from_str(text).expect("YAML")
}
