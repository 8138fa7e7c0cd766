//! Entries of calls that were refused or failed: each says why, whether a rule asked for a line or not.

use std::sync::{Arc, LazyLock};

use crate::accesslog::{Entry, Format, Level, Outlet, Shape, line};
use crate::call::{Call, Failure};
use crate::expr::{Timestamp, ValueRef};

/// Full name of the instance of such entries.
pub const INSTANCE: &str = "refused.egressctl.istio-system";

static SHAPE: LazyLock<Arc<Shape>> = LazyLock::new(|| {
    Arc::new(Shape {
        instance: INSTANCE.into(),
        handler: "refused.egressctl.istio-system".into(),
        rule: String::new(),
        format: Format::Json,
        outlet: Outlet::Stderr,
    })
});

/// The entry of a call that was refused or failed; `status` is what the caller got, which is the origin's where it failed
/// in its body.
pub fn entry(call: &Call, failure: Failure, status: u16) -> Entry {
    let mut text = begin(call.time());
    write(&mut text, "destination", ValueRef::String(call.authority().as_str()));
    write(&mut text, "flag", ValueRef::String(failure.flag()));
    write(&mut text, "method", ValueRef::String(call.method().as_str()));
    write(&mut text, "path", ValueRef::String(call.path()));
    write(&mut text, "reason", ValueRef::String(failure.reason()));
    write(&mut text, "responseCode", ValueRef::Int64(i64::from(status)));
    let caller = call.caller();
    write(&mut text, "source", ValueRef::String(caller.map_or("unknown", |caller| &caller.name)));
    write(&mut text, "sourceNamespace", ValueRef::String(caller.map_or("unknown", |caller| &caller.namespace)));
    end(call.time(), text)
}

/// The entry of a request whose head never became a call.
pub fn head_entry(time: Timestamp, failure: Failure) -> Entry {
    let mut text = begin(time);
    write(&mut text, "flag", ValueRef::String(failure.flag()));
    write(&mut text, "reason", ValueRef::String(failure.reason()));
    write(&mut text, "responseCode", ValueRef::Int64(i64::from(failure.status())));
    end(time, text)
}

fn begin(time: Timestamp) -> String {
    let mut text = String::new();
    line::begin(&mut text, Level::Error, time.micros(), INSTANCE);
    text
}

/// Names are given in byte order, as in every line.
fn write(text: &mut String, name: &str, value: ValueRef<'_>) {
    text.push_str(",\"");
    text.push_str(name);
    text.push_str("\":");
    value.write_json(text);
}

fn end(time: Timestamp, mut text: String) -> Entry {
    text.push('}');
    Entry { time: time.micros(), level: Level::Error, shape: Arc::clone(&SHAPE), line: text }
}
