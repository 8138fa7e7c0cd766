//! Prometheus' text exposition format 0.0.4.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Arc;

use crate::diagnostic::is_unsafe;
use crate::expr::{Timestamp, ValueRef};
use crate::policy::Live;
use crate::resource::kinds::prometheus::MetricKind;

use super::family::{Family, Sample};

/// Names of the lines about the families themselves.
const DROPPED: &str = "egressctl_series_dropped_total";
const HIDDEN: &str = "egressctl_metrics_hidden";

/// All series of all handlers in Prometheus' text exposition format 0.0.4, and how many could not be shown. Where two
/// handlers define one name differently the newer definition is shown.
pub fn exposition(live: &Live, now: Timestamp) -> String {
    let mut families: Vec<Arc<Family>> = live.families.all().into_iter().map(|(_, family)| family).collect();
    families.sort_by_key(|family| std::cmp::Reverse(family.serial));
    let all = families.len();
    let mut names = HashSet::new();
    families.retain(|family| {
        let lines = lines(family);
        let free = !lines.iter().any(|name| names.contains(name));
        if free {
            names.extend(lines);
        }
        free
    });
    families.sort_by(|a, b| a.definition.name.cmp(&b.definition.name));
    let mut out = String::new();
    families.iter().for_each(|family| write_family(family, now.micros(), &mut out));
    if all > 0 {
        head(DROPPED, "Values that would have made more series than a metric may have.", "counter", &mut out);
        for family in &families {
            let _ = writeln!(out, "{DROPPED}{{metric=\"{}\"}} {}", family.definition.name, family.dropped());
        }
        head(HIDDEN, "Metrics that are not shown because another handler defines their name anew.", "gauge", &mut out);
        let _ = writeln!(out, "{HIDDEN} {}", all - families.len());
    }
    out
}

/// The names that its lines have.
fn lines(family: &Family) -> Vec<String> {
    let name = &family.definition.name;
    match family.definition.kind {
        MetricKind::Distribution => {
            ["", "_bucket", "_sum", "_count"].iter().map(|suffix| format!("{name}{suffix}")).collect()
        }
        _ => vec![name.clone()],
    }
}

fn head(name: &str, help: &str, kind: &str, out: &mut String) {
    out.push_str("# HELP ");
    out.push_str(name);
    out.push(' ');
    for c in help.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if is_unsafe(c) => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
    }
    let _ = writeln!(out, "\n# TYPE {name} {kind}");
}

/// A metric without series has no lines.
fn write_family(family: &Family, now: i64, out: &mut String) {
    let samples = family.samples(now);
    if samples.is_empty() {
        return;
    }
    let definition = &family.definition;
    let kind = match definition.kind {
        MetricKind::Counter => "counter",
        MetricKind::Distribution => "histogram",
        MetricKind::Gauge | MetricKind::Unspecified => "gauge",
    };
    head(&definition.name, &definition.help, kind, out);
    for sample in samples {
        if definition.kind == MetricKind::Distribution {
            write_distribution(&definition.name, &definition.bounds, &sample, out);
        } else {
            line(&definition.name, "", &sample.labels, sample.number, out);
        }
    }
}

/// Buckets count what is not above their bound; the last counts all, so that it always agrees with the count.
fn write_distribution(name: &str, bounds: &[f64], sample: &Sample, out: &mut String) {
    let comma = if sample.labels.is_empty() { "" } else { "," };
    let mut count = 0;
    for (bound, values) in bounds.iter().chain([&f64::INFINITY]).zip(&sample.buckets) {
        count += values;
        let _ = write!(out, "{name}_bucket{{{}{comma}le=\"", sample.labels);
        number(*bound, out);
        let _ = writeln!(out, "\"}} {count}");
    }
    line(name, "_sum", &sample.labels, sample.number, out);
    line(name, "_count", &sample.labels, count as f64, out);
}

fn line(name: &str, suffix: &str, labels: &str, value: f64, out: &mut String) {
    out.push_str(name);
    out.push_str(suffix);
    if !labels.is_empty() {
        let _ = write!(out, "{{{labels}}}");
    }
    out.push(' ');
    number(value, out);
    out.push('\n');
}

fn number(number: f64, out: &mut String) {
    ValueRef::Double(number).write_text(out);
}

/// Appends a value as it stands between a label's quotes. The format escapes `\`, `"` and the end of a line, and has no
/// escapes for other characters that could drive a terminal: they are replaced.
pub(super) fn write_label_value(value: ValueRef<'_>, out: &mut String) {
    let from = out.len();
    value.write_text(out);
    let needs_escape = |c| matches!(c, '\\' | '"') || is_unsafe(c);
    if !out[from..].contains(needs_escape) {
        return;
    }
    let text = out.split_off(from);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c if is_unsafe(c) => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
    }
}
