//! What the log says of calls that it does not have.

use std::sync::{Arc, LazyLock};
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Entry, Format, Level, Outlet, Shape, line};

/// Full name of the instance of such entries.
const INSTANCE: &str = "gap.egressctl.istio-system";

static SHAPE: LazyLock<Arc<Shape>> = LazyLock::new(|| {
    let (instance, handler, rule) = (INSTANCE.to_owned(), INSTANCE.to_owned(), String::new());
    Arc::new(Shape { instance, handler, rule, format: Format::Json, outlet: Outlet::Stderr })
});

/// The entry of calls that were served while the log took no entries; it is stored when the log takes them again.
pub(super) fn entry(calls: u64) -> Entry {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (time, level) = (i64::try_from(now.as_micros()).unwrap_or(i64::MAX), Level::Error);
    let mut text = String::new();
    line::begin(&mut text, level, time, INSTANCE);
    line::name(&mut text, "calls");
    text.push_str(&calls.to_string());
    line::name(&mut text, "reason");
    line::string(&mut text, "the log took no entries: these calls were served, and there is no other record of them");
    line::end(&mut text);
    Entry { time, level, shape: Arc::clone(&SHAPE), line: text }
}
