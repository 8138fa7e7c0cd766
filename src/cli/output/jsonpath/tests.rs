use proptest::prelude::*;
use serde_json::json;

use super::*;

fn document() -> Json {
    json!({
        "kind": "List",
        "items": [
            {"kind": "pod", "metadata": {"name": "a", "labels": {"app": "sleep", "app.kubernetes.io/name": "x"}},
             "spec": {"ports": [80, 443], "tls": true}},
            {"kind": "rule", "metadata": {"name": "b"}, "spec": {"match": "x < 1 && y", "ports": []}},
        ],
    })
}

fn print(template: &str) -> String {
    Template::parse(template).and_then(|template| template.fill(&document())).unwrap_or_else(|Error(why)| why)
}

#[test]
fn templates_print_what_kubectl_prints() {
    let table = [
        ("{.items..metadata.name}", "a b"),
        ("{.items[0].metadata.name}", "a"),
        ("{.items[-1].metadata.name}", "b"),
        ("{.items[*].metadata.name}", "a b"),
        (".items[*].metadata.name", "a b"),
        ("$.items[1].kind", "rule"),
        ("{$.kind}", "List"),
        ("{@.kind}", "List"),
        ("names: {.items[*].metadata.name}!", "names: a b!"),
        (r#"{range .items[*]}{.metadata.name}{"\t"}{.kind}{"\n"}{end}"#, "a\tpod\nb\trule\n"),
        (r#"{range .items[*]}{range .spec.ports[*]}{@},{end};{end}"#, "80,443,;;"),
        (r#"{.items[?(@.metadata.name=="b")].kind}"#, "rule"),
        (r#"{.items[?(@.metadata.name != 'b')].kind}"#, "pod"),
        (r#"{.items[?(@.metadata.labels)].kind}"#, "pod"),
        (r#"{.items[?(@.spec.tls==true)].kind}"#, "pod"),
        (r#"{.items[0].spec.ports[?(@>80)]}"#, "443"),
        ("{.items[0]['kind','metadata.name']}", "pod"),
        ("{.items[0]['kind', 'spec']['tls','ports']}", "true [80,443]"),
        ("{.items[0].metadata['name']}", "a"),
        (r"{.items[0].metadata.labels.app\.kubernetes\.io/name}", "x"),
        ("{.items[0:1].kind}", "pod"),
        ("{.items[0:2:2].kind}", "pod"),
        ("{.items[0,1].kind}", "pod rule"),
        ("{.items[0].spec.ports}", "[80,443]"),
        ("{.items[0].metadata.labels}", r#"{"app":"sleep","app.kubernetes.io/name":"x"}"#),
        ("{.items[0].metadata.labels.*}", "sleep x"),
        ("{.items[1].spec}", r#"{"match":"x \u003c 1 \u0026\u0026 y","ports":[]}"#),
        ("{.nothing.here}", ""),
        ("{.nothing[0]}", ""),
        ("{.items[1].spec.ports[*]}", ""),
        (r#"{"a\u0041\x41\\"}"#, r"aAA\"),
        ("plain", "plain"),
        ("", ""),
    ];
    for (template, expected) in table {
        assert_eq!(print(template), expected, "{template}");
    }
}

#[test]
fn faulty_templates_are_refused_in_kubectls_words() {
    let table = [
        ("{.a", "unclosed action"),
        ("{.items[0}", "invalid array index 0}"),
        ("{.items[0", "unterminated array"),
        ("{.items[x]}", "invalid array index x"),
        ("{end}", "not in range, nothing to end"),
        ("{foo}", "unrecognized identifier foo"),
        ("{\"x}", "unterminated quoted string"),
        ("{#}", "unrecognized character in action: U+0023 '#'"),
        ("{.a[?(@.b ~ 1)]}", "unrecognized filter operator ~ 1"),
    ];
    for (template, why) in table {
        let expected = format!("error parsing jsonpath {template}, {why}");
        assert_eq!(Template::parse(template).expect_err(template).to_string(), expected);
    }
}

#[test]
fn a_wrong_index_shows_template_and_document() {
    let template = Template::parse("{.items[0].metadata.name}").expect("a valid template");
    let error = template.fill(&json!({"items": [], "kind": "List"})).expect_err("there is no first item");
    insta::assert_snapshot!(error.to_string(), @r#"
    error executing jsonpath "{.items[0].metadata.name}": Error executing template: array index out of bounds: index 0, length 0. Printing more information for debugging the template:
    	template was:
    		{.items[0].metadata.name}
    	object given to jsonpath engine was:
    		map[string]interface {}{"items":[]interface {}{}, "kind":"List"}
    "#);
}

#[test]
fn a_query_needs_neither_braces_nor_a_first_dot() {
    let document = document();
    for text in [".kind", "kind", "{.kind}", "{kind}"] {
        let query = Query::parse(text).expect(text);
        assert_eq!(query.find(&document), Ok(vec![&json!("List")]), "{text}");
    }
    assert!(Query::parse("{.kind").is_err());
}

#[test]
fn repeated_descent_ends_with_an_error_instead_of_all_memory() {
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!([deep, {"a": 1}]);
    }
    let template = Template::parse("{.........................................................}").expect("valid");
    assert!(template.fill(&deep).expect_err("too many").to_string().contains("finds more than"));
}

#[test]
fn nesting_is_bounded() {
    assert!(Template::parse(&"{range .a}".repeat(1000)).is_err());
    assert!(Template::parse(&format!("{{{}", ".a[?(@".repeat(1000))).is_err());
    assert!(Template::parse(&format!("{{.a{}", "[.a".repeat(1000))).is_err());
}

proptest! {
    #[test]
    fn no_template_panics(template in "[-{}\\[\\].$@*?()\"'\\\\:, a-c0-2rangeend=<>!\n]{0,40}|\\PC{0,30}") {
        if let Ok(template) = Template::parse(&template) {
            let _ = template.fill(&document());
        }
        let _ = Query::parse(&template);
    }

    #[test]
    fn slices_stay_inside_any_list(length in 0_usize..5, start in -7_i64..7, end in -7_i64..7, step in -1_i64..4) {
        let items = Json::Array((0..length).map(Json::from).collect());
        let template = Template::parse(&format!("{{[{start}:{end}:{step}]}}")).expect("a valid template");
        let _ = template.fill(&items);
    }
}
