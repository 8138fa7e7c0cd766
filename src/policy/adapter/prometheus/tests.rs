use serde_json::json;

use super::*;
use crate::diagnostic::FieldPath;
use crate::expr::{Timestamp, Vocabulary};

fn handler(live: &Live, params: &serde_json::Value) -> Arc<dyn Handler> {
    build(&Setup { name: "p.prometheus.a", params, at: FieldPath::of("spec"), live }).expect("it builds")
}

fn instance(params: &serde_json::Value) -> Instance {
    let name = String::from("count.metric.a");
    let compiled = Instance::compile(name, &METRIC, params, FieldPath::of("spec"), Vocabulary::standard());
    compiled.expect("it compiles").0
}

fn counter(labels: &serde_json::Value) -> serde_json::Value {
    json!({"metrics": [{"name": "n", "instanceName": "count.metric.a", "kind": "COUNTER", "labelNames": labels}]})
}

#[test]
fn an_instance_fits_its_metric_exactly() {
    let live = Live::default();
    let accepts = |labels: serde_json::Value, value: &str, dimensions: serde_json::Value| {
        handler(&live, &counter(&labels)).accepts(&instance(&json!({"value": value, "dimensions": dimensions})))
    };
    let path = || json!({"path": "request.path"});
    assert_eq!(accepts(json!(["path"]), "1", path()), Ok(()));
    assert_eq!(accepts(json!(["path"]), "response.duration", path()), Ok(()));
    for (labels, value, dimensions, expected) in [
        (json!([]), "1", path(), "the dimension path is not among the labelNames of its metric"),
        (
            json!(["path", "code"]),
            "1",
            path(),
            "count.metric.a has no dimension code, which its metric has a label for",
        ),
        (json!(["path"]), "true", path(), "its value is a BOOL, which is no number"),
        (json!(["path"]), "source.labels", path(), "its value is a STRING_MAP, which is no number"),
    ] {
        assert_eq!(accepts(labels, value, dimensions), Err(expected.to_owned()));
    }
    let other = handler(&live, &json!({"metrics": []})).accepts(&instance(&json!({"value": "1"})));
    assert_eq!(other, Err("no metric of the handler has the instanceName count.metric.a".to_owned()));
}

#[test]
fn values_are_numbers_spans_in_seconds_and_texts_of_numbers() {
    assert_eq!(number(ValueRef::Duration(1_500_000_000)), Some(1.5));
    assert_eq!(number(ValueRef::String("2.5")), Some(2.5));
    assert_eq!(number(ValueRef::String("x")), None);
    assert_eq!(number(ValueRef::Bool(true)), None);
}

#[test]
fn label_values_are_escaped() {
    let written = |text: &str| {
        let mut out = String::new();
        exposition::write_label_value(ValueRef::String(text), &mut out);
        out
    };
    assert_eq!(written("plain \u{fc}"), "plain \u{fc}");
    assert_eq!(written("a\"b\\c\nd\u{1b}[2J"), "a\\\"b\\\\c\\nd\u{fffd}[2J");
}

#[test]
fn series_outlive_a_configuration_while_their_definition_stays() {
    let live = Live::default();
    let first = handler(&live, &counter(&json!(["a"])));
    live.families.all()[0].1.take("a=\"x\"", 2.0, 0).expect("a number");
    let second = handler(&live, &counter(&json!(["a"])));
    drop(first);
    assert!(exposition(&live, Timestamp::ZERO).contains("istio_n{a=\"x\"} 2\n"));
    let third = handler(&live, &counter(&json!(["b"])));
    live.families
        .all()
        .iter()
        .find(|(key, _)| key.contains("[\"b\"]"))
        .expect("made")
        .1
        .take("b=\"y\"", 1.0, 0)
        .unwrap();
    let both = exposition(&live, Timestamp::ZERO);
    assert!(both.contains("istio_n{b=\"y\"} 1\n") && !both.contains("{a="), "the newer definition is shown: {both}");
    assert!(both.contains("egressctl_metrics_hidden 1\n"));
    drop((second, third));
    assert_eq!(exposition(&live, Timestamp::ZERO), "");
}

#[test]
fn a_distribution_has_cumulative_buckets_a_sum_and_a_count() {
    let live = Live::default();
    let params = json!({"metrics": [{
        "name": "d", "instanceName": "count.metric.a", "kind": "DISTRIBUTION", "description": "How\nlong \\",
        "buckets": {"explicitBuckets": {"bounds": [0.5, 1]}}, "labelNames": ["a"]
    }]});
    let _handler = handler(&live, &params);
    let family = &live.families.all()[0].1;
    for number in [0.1, 0.75, 7.0] {
        family.take("a=\"x\"", number, 0).expect("a number");
    }
    let shown = exposition(&live, Timestamp::ZERO);
    let expected = "# HELP istio_d How\\nlong \\\\\n# TYPE istio_d histogram\nistio_d_bucket{a=\"x\",le=\"0.5\"} 1\n\
                    istio_d_bucket{a=\"x\",le=\"1\"} 2\nistio_d_bucket{a=\"x\",le=\"+Inf\"} 3\nistio_d_sum{a=\"x\"} 7.85\n\
                    istio_d_count{a=\"x\"} 3\n";
    assert!(shown.starts_with(expected), "{shown}");
}
