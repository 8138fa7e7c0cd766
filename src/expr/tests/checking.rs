//! Types, names and advice.

use super::*;
use crate::diagnostic::{Problem, Severity};

const OPERATORS: &[&str] = &["==", "!=", "<", "<=", ">", ">=", "&&", "||", "|", "+"];

/// The language's table of operators.
fn is_defined(operator: &str, of: ValueType) -> bool {
    use ValueType::{Bool, DnsName, Double, Duration, EmailAddress, Int64, String, StringMap, Timestamp, Uri};
    match operator {
        "==" | "!=" => !matches!(of, Duration | StringMap),
        "<" | "<=" | ">" | ">=" => matches!(of, String | Int64 | Double | Timestamp | DnsName | EmailAddress | Uri),
        "&&" | "||" => of == Bool,
        "+" => matches!(of, String | Int64 | Double),
        _ => true,
    }
}

fn refused(text: &str) -> Problem {
    Program::compile(text, &vocabulary()).expect_err(text)
}

fn warnings(text: &str) -> Vec<Problem> {
    let compiled =
        Program::compile_with_warnings(text, &vocabulary()).unwrap_or_else(|problem| panic!("{text}: {problem}"));
    compiled.warnings.into_iter().collect()
}

#[test]
fn operators_take_two_values_of_the_types_they_are_defined_on() {
    for operator in OPERATORS {
        for (left, of) in ATTRIBUTES {
            for (right, other) in ATTRIBUTES {
                let text = format!("{left} {operator} no.{right}");
                let compiled = Program::compile(&text, &vocabulary());
                assert_eq!(compiled.is_ok(), of == other && is_defined(operator, *of), "{text}");
                let keeps_type = matches!(*operator, "|" | "+");
                if let Ok(program) = compiled {
                    assert_eq!(program.result_type(), if keeps_type { *of } else { ValueType::Bool }, "{text}");
                }
            }
        }
    }
}

#[test]
fn indexes_take_a_map_and_a_string() {
    for (map, of) in ATTRIBUTES {
        for (key, key_of) in ATTRIBUTES {
            let fits = *of == ValueType::StringMap && *key_of == ValueType::String;
            assert_eq!(Program::compile(&format!("{map}[{key}]"), &vocabulary()).is_ok(), fits, "{map}[{key}]");
        }
    }
}

#[test]
fn a_mistake_is_named_at_its_place() {
    for (text, place, message) in [
        ("text == int", "int", "operand of `==` is of type INT64, expected STRING"),
        ("5 == text", "5", "operand of `==` is of type INT64, expected STRING"),
        ("1 == 1.0", "1.0", "operand of `==` is of type DOUBLE, expected INT64"),
        ("int | \"5\"", "\"5\"", "operand of `|` is of type STRING, expected INT64"),
        ("bool && text", "text", "operand of `&&` is of type STRING, expected BOOL"),
        ("true || (text == 5)", "5", "operand of `==` is of type INT64, expected STRING"),
        ("addr == \"10.0.0.1\"", "\"10.0.0.1\"", "operand of `==` is of type STRING, expected IP_ADDRESS"),
        ("span == span", "span == span", "`==` is not defined on DURATION"),
        ("span < \"10ms\"", "span < \"10ms\"", "`<` is not defined on DURATION"),
        ("labels == labels", "labels == labels", "`==` is not defined on STRING_MAP"),
        ("bool + bool", "bool + bool", "`+` is not defined on BOOL"),
        ("text[\"a\"]", "text", "value before `[` is of type STRING, expected STRING_MAP"),
        ("labels[\"5s\"]", "\"5s\"", "key is of type DURATION, expected STRING"),
        ("txt == \"a\"", "txt", "unknown attribute txt"),
        ("text == info", "info", "unknown attribute info"),
        ("toUper(text)", "toUper", "unknown function: toUper"),
        ("EQ(text, text)", "EQ", "unknown function: EQ"),
        ("startsWith(text, \"a\")", "startsWith", "invoking instance method without an instance: startsWith"),
        ("text.toLower()", "toLower", "invoking regular function on instance method: toLower"),
        ("text.startsWith()", "text.startsWith()", "startsWith(..) arity mismatch. Got 1 arg(s), expected 2 arg(s)"),
        ("ip(text, text)", "ip(text, text)", "ip(..) arity mismatch. Got 2 arg(s), expected 1 arg(s)"),
        ("size(labels)", "labels", "argument 1 of `size(STRING)` is of type STRING_MAP, expected STRING"),
        (
            "conditional(bool, 1, \"x\")",
            "\"x\"",
            "argument 3 of `conditional(BOOL, T, T)` is of type STRING, expected INT64",
        ),
        ("ip(\"10.1.12\")", "ip(\"10.1.12\")", "could not convert 10.1.12 to IP_ADDRESS"),
        ("addr == ip(\"1.2.3.4/8\")", "ip(\"1.2.3.4/8\")", "could not convert 1.2.3.4/8 to IP_ADDRESS"),
        ("timestamp(\"today\")", "timestamp(\"today\")", "could not convert today to TIMESTAMP"),
        ("dnsName(\"a..b\")", "dnsName(\"a..b\")", "could not convert a..b to DNS_NAME"),
        ("email(\"a\")", "email(\"a\")", "could not convert a to EMAIL_ADDRESS"),
        ("uri(\":\")", "uri(\":\")", "could not convert : to URI"),
        ("\"(\".matches(text)", "\"(\"", "bad regular expression: unclosed group"),
    ] {
        let problem = refused(text);
        assert_eq!(problem.message, message, "{text}");
        assert_eq!(&text[problem.within.clone().unwrap()], place, "{text}");
        assert!(problem.at.is_root() && problem.is_error());
    }
}

#[test]
fn advice_says_what_to_write_instead() {
    for (text, advice) in [
        ("txt == \"a\"", "did you mean `text`?"),
        ("text == info", "a string stands in quotes: \"info\""),
        ("text.startWith(\"a\")", "did you mean `startsWith`?"),
        ("startsWith(text, \"a\")", "it is called as `STRING.startsWith(STRING)`"),
        ("addr == \"10.0.0.1\"", "write `ip(\"10.0.0.1\")`"),
        ("time < \"2018\"", "write `timestamp(\"2018\")`"),
        ("text == \"10ms\"", "the string is written \"10\" + \"ms\""),
        ("\".5s\" == text", "the string is written \".5\" + \"s\""),
        ("labels[\"0\"]", "write `\"^0$\".matches(…)`"),
        ("text + \"a\" | \"b\"", "as in `(a | \"x\") + b`"),
    ] {
        let help = refused(text).help.unwrap_or_default();
        assert!(help.contains(advice), "{text}: {help}");
    }
    assert_eq!(refused("span < span").expected.first().map(AsRef::as_ref), Some("STRING"));
    assert!(refused("zzzzzzzzzz()").expected.iter().any(|name| name == "toLower"));
}

#[test]
fn the_way_round_a_duration_literal_is_a_string() {
    for text in ["10ms", "5s", "1h30m", "-1.5h", "250us"] {
        let help = refused(&format!("text == \"{text}\"")).help.unwrap();
        let (_, remedy) = help.rsplit_once("is written ").unwrap();
        assert_eq!(evaluate(remedy), Ok(format!("\"{text}\"")));
    }
}

#[test]
fn what_cannot_be_absent_does_not_stand_left_of_a_default() {
    for left in [
        "text == \"a\"",
        "int < 1",
        "bool && bool",
        "bool || bool",
        "(text + text)",
        "size(text)",
        "no.int | (int + int)",
    ] {
        let of = Program::compile(left, &vocabulary()).unwrap().result_type();
        let right = ATTRIBUTES.iter().find(|(_, other)| *other == of).unwrap().0;
        let message = refused(&format!("({left}) | {right}")).message;
        // A `|` in front of the `+` takes the value, and the rest is the last operand.
        assert!(message.ends_with("is never absent, so it cannot stand left of `|`"), "{left}: {message}");
    }
}

#[test]
fn a_default_that_is_never_used_is_a_warning() {
    for (text, useless) in [
        ("\"x\" | text", "text"),
        ("toLower(text) | \"x\" ", "\"x\""),
        ("no.text | \"x\" | text | no.text", "text | no.text"),
        ("conditional(bool, text, text) | \"x\"", "\"x\""),
    ] {
        let found = warnings(text);
        assert_eq!(found.len(), 1, "{text}");
        assert_eq!(found[0].severity, Severity::Warning);
        assert_eq!(&text[found[0].within.clone().unwrap()], useless, "{text}");
    }
    assert!(warnings("text | labels[\"a\"] | (no.text | \"x\")").is_empty());
}

#[test]
fn a_pattern_that_is_an_attribute_is_a_warning() {
    let found = warnings("text.matches(\"^/a\")");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].message, "`text` is taken as the regular expression, and `\"^/a\"` as the text");
    assert!(warnings("\"^/a\".matches(text)").is_empty());
    assert!(warnings("(\"^/\" + \"a\").matches(text)").is_empty());
}

#[test]
fn a_place_of_one_type_refuses_others() {
    let fault = Program::compile_as("text", &vocabulary(), ValueType::Bool).unwrap_err();
    assert_eq!(fault.message, "expression 'text' evaluated to type STRING, expected type BOOL");
    assert!(Program::compile_as("bool", &vocabulary(), ValueType::Bool).is_ok());
    let program = Program::compile("text", &vocabulary()).unwrap();
    let (bag, scratch) = (Full::new(), Scratch::new());
    assert_eq!(program.holds(&bag, &scratch).unwrap_err().to_string(), fault.message);
}

#[test]
fn programs_are_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Program>();
    fn sent<T: Send>() {}
    sent::<Scratch>();
}

#[test]
fn the_expressions_that_istio_ships_have_the_types_they_need() {
    for (text, of) in [
        ("context.protocol == \"http\" || context.protocol == \"grpc\"", ValueType::Bool),
        (
            "(context.protocol == \"http\") && (match((request.useragent | \"-\"), \"kube-probe*\") == false)",
            ValueType::Bool,
        ),
        (
            "conditional((context.reporter.kind | \"inbound\") == \"outbound\", \"source\", \"destination\")",
            ValueType::String,
        ),
        ("conditional((connection.mtls | false), \"mutual_tls\", \"none\")", ValueType::String),
        ("response.duration | \"0ms\"", ValueType::Duration),
        ("response.code | 200", ValueType::Int64),
        ("source.ip | ip(\"0.0.0.0\")", ValueType::IpAddress),
        ("request.headers[\"x-forwarded-for\"] | \"0.0.0.0\"", ValueType::String),
        ("source.labels[\"app\"] | \"unknown\"", ValueType::String),
        ("destination.service.host.endsWith(\".cnn.com\") || request.host.endsWith(\"cnn.com\")", ValueType::Bool),
        ("response.time", ValueType::Timestamp),
    ] {
        let compiled =
            Program::compile_as(text, Vocabulary::standard(), of).unwrap_or_else(|problem| panic!("{text}: {problem}"));
        assert!(compiled.warnings.is_empty(), "{text}");
    }
}

#[test]
fn regular_expressions_are_counted() {
    let many = |count| vec!["\"a\".matches(text)"; count].join(" || ");
    assert!(Program::compile(&many(64), &vocabulary()).is_ok());
    assert_eq!(refused(&many(65)).message, "more than 64 regular expressions in one expression");
}
