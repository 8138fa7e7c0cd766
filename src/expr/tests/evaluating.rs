//! Values, absence, and the order of evaluation.

use super::*;

fn absent(name: &str) -> Result<String, String> {
    Err(format!("lookup failed: '{name}'"))
}

/// Each kind of operand, present and absent.
const SIDES: [bool; 2] = [true, false];

fn named(name: &str, present: bool) -> String {
    if present { name.to_owned() } else { format!("no.{name}") }
}

#[test]
fn operators_but_the_logical_ones_need_both_sides() {
    for operator in ["==", "!=", "<", "<=", ">", ">=", "+"] {
        for (name, _) in ATTRIBUTES {
            for (left, right) in SIDES.iter().flat_map(|&left| SIDES.map(|right| (left, right))) {
                let (left_name, right_name) = (named(name, left), named(name, right));
                let text = format!("{left_name} {operator} {right_name}");
                let Ok(program) = Program::compile(&text, &vocabulary()) else { continue };
                match (left, right) {
                    (true, true) => assert!(run(&program).is_ok(), "{text}"),
                    (false, _) => assert_eq!(run(&program), absent(&left_name), "{text}"),
                    (true, false) => assert_eq!(run(&program), absent(&right_name), "{text}"),
                }
            }
        }
    }
}

#[test]
fn a_default_takes_the_first_that_is_present_for_every_type() {
    for (name, _) in ATTRIBUTES {
        let value = evaluate(name);
        assert!(value.is_ok());
        assert_eq!(evaluate(&format!("{name} | {name}")), value);
        assert_eq!(evaluate(&format!("no.{name} | {name}")), value);
        assert_eq!(evaluate(&format!("{name} | no.{name}")), value);
        assert_eq!(evaluate(&format!("no.{name} | (no.{name} | {name})")), value);
        assert_eq!(evaluate(&format!("no.{name} | no.{name}")), absent(&format!("no.{name}")));
    }
}

#[test]
fn logical_operators_stop_at_the_side_that_decides() {
    for (text, expected) in [
        ("true && bool", Ok("true")),
        ("false && no.bool", Ok("false")),
        ("true && no.bool", Err("no.bool")),
        ("no.bool && false", Err("no.bool")),
        ("true || no.bool", Ok("true")),
        ("false || no.bool", Err("no.bool")),
        ("no.bool || true", Err("no.bool")),
        ("false || false || bool || no.bool", Ok("true")),
        ("true && true && false && no.bool", Ok("false")),
    ] {
        let expected = expected.map(str::to_owned).or_else(absent);
        assert_eq!(evaluate(text), expected, "{text}");
    }
}

#[test]
fn a_key_that_is_not_in_the_map_is_empty_unless_a_default_follows() {
    for (text, expected) in [
        ("labels[\"app\"]", Ok("\"web\"")),
        ("labels[\"none\"]", Ok("\"\"")),
        ("labels[\"none\"] == \"\"", Ok("true")),
        ("labels[\"none\"] != \"v\"", Ok("true")),
        ("labels[\"none\"] | \"x\"", Ok("\"x\"")),
        ("labels[\"empty\"] | \"x\"", Ok("\"\"")),
        ("no.text | labels[\"none\"]", Ok("\"\"")),
        ("no.labels[\"app\"] | \"x\"", Ok("\"x\"")),
        ("labels[no.text] | \"x\"", Ok("\"x\"")),
        ("labels[no.text | \"app\"]", Ok("\"web\"")),
        ("labels[text]", Ok("\"cd\"")),
        ("(no.labels | labels)[\"app\"] | \"x\"", Ok("\"web\"")),
        ("(no.labels | no.labels)[\"app\"] | \"x\"", Ok("\"x\"")),
        ("emptyStringMap()[\"app\"] | \"x\"", Ok("\"x\"")),
        ("(no.labels | emptyStringMap())[\"app\"]", Ok("\"\"")),
        ("no.labels[\"app\"]", Err("no.labels")),
        ("labels[no.text]", Err("no.text")),
        ("labels[toLower(no.text)] | \"x\"", Err("no.text")),
        ("labels[\"app\"].startsWith(\"w\")", Ok("true")),
        ("(labels[\"app\"]).startsWith(\"w\")", Ok("true")),
    ] {
        assert_eq!(evaluate(text), expected.map(str::to_owned).or_else(absent), "{text}");
    }
}

#[test]
fn a_function_is_a_value_whatever_its_arguments_lack() {
    for (text, expected) in [
        ("toLower(no.text) | \"x\"", Err("no.text")),
        ("toLower(text) | \"x\"", Ok("\"ab\"")),
        ("\"foo\".startsWith(\"bar\") | true", Ok("false")),
        ("conditional(bool, text, no.text)", Ok("\"Ab\"")),
        ("conditional(bool == false, no.int, int)", Ok("5")),
        ("conditional(bool, no.text, text)", Err("no.text")),
        ("conditional(no.bool, text, text)", Err("no.bool")),
        ("conditionalString(bool, text, no.text)", Err("no.text")),
        ("conditionalString(bool, text, \"x\")", Ok("\"Ab\"")),
        ("conditional((no.text | \"inbound\") == \"outbound\", \"source\", \"destination\")", Ok("\"destination\"")),
    ] {
        assert_eq!(evaluate(text), expected.map(str::to_owned).or_else(absent), "{text}");
    }
}

#[test]
fn every_function_does_what_it_says() {
    for (text, expected) in [
        ("match(text, \"A*\")", "true"),
        ("match(text, \"*b\")", "true"),
        ("match(text, \"Ab\")", "true"),
        ("match(text, \"A\")", "false"),
        ("match(text, \"*\")", "true"),
        ("match(\"*x\", \"*x*\") && match(\"axb\", \"*x*\") == false", "true"),
        ("match(\"a*b\", \"a*b\") && match(\"axb\", \"a*b\") == false", "true"),
        ("match(\"ab\", \"a?\")", "false"),
        ("\"^A.$\".matches(text)", "true"),
        ("\"b\".matches(text)", "true"),
        ("text.matches(\"xAbx\")", "true"),
        ("text.startsWith(\"A\") && text.endsWith(\"b\")", "true"),
        ("text.startsWith(\"a\") || text.endsWith(\"B\")", "false"),
        ("addr == ip(\"10.0.0.1\") && addr == ip(\"::ffff:10.0.0.1\")", "true"),
        ("ip(\"::1\")", "\"::1\""),
        ("time == timestamp(\"2018-06-18T15:22:58+02:00\")", "true"),
        ("time <= timestamp(\"2018-06-18T15:22:58+02:00\")", "true"),
        ("time < timestamp(\"2018-06-18T13:22:58.1Z\")", "true"),
        ("host == dnsName(\"EDITION.CNN.com.\")", "true"),
        ("mail == email(\"a@X.ORG\") && mail != email(\"A@x.org\")", "true"),
        ("link == uri(\"HTTP://X.org/a\") && link != uri(\"http://x.org/A\")", "true"),
        ("toLower(text + \"\u{dc}\u{130}\u{3a3}\")", "\"ab\u{fc}i\u{3c3}\""),
        ("size(\"\u{fc}\") + size(text)", "4"),
        ("emptyStringMap()", "{}"),
    ] {
        assert_eq!(evaluate(text), Ok(expected.to_owned()), "{text}");
    }
}

#[test]
fn comparison_and_sums_follow_the_type() {
    for (text, expected) in [
        ("\"B\" < \"a\"", "true"),
        ("text >= \"Ab\"", "true"),
        ("int + 1 > 5", "true"),
        ("9223372036854775807 + 1 < 0", "true"),
        ("double + .5", "2"),
        ("double <= 1.5", "true"),
        ("text + \"-\" + labels[\"app\"] + \"-\" + toLower(text)", "\"Ab-web-ab\""),
        ("no.int | 0 + 5 == 5", "true"),
        ("true == TRUE && False != true", "true"),
        ("\"10ms\"", "\"10ms\""),
        ("no.span | \"0ms\"", "\"0s\""),
        ("'a' + `b`", "\"ab\""),
    ] {
        assert_eq!(evaluate(text), Ok(expected.to_owned()), "{text}");
    }
    let not_a_number = "(1e308 + 1e308)";
    assert_eq!(evaluate(not_a_number), Ok("\"+Inf\"".to_owned()));
}

#[test]
fn conversions_of_bad_text_are_no_absence() {
    assert_eq!(evaluate("ip(text) | addr"), Err("could not convert Ab to IP_ADDRESS".to_owned()));
    assert_eq!(evaluate("timestamp(text)"), Err("could not convert Ab to TIMESTAMP".to_owned()));
    assert_eq!(evaluate("ip(no.text) | addr"), absent("no.text"));
    assert_eq!(evaluate("(text + \"(\").matches(text)"), Err("bad regular expression 'Ab('".to_owned()));
}

#[test]
fn a_message_cuts_and_escapes_what_a_caller_sent() {
    let sent = format!("\u{1b}[2J{}", "x".repeat(5_000));
    let shown = EvalError::Conversion { text: &sent, to: ValueType::IpAddress }.to_string();
    assert!(shown.starts_with("could not convert \\u{1b}[2Jxx") && shown.len() < 150, "{shown}");
}

#[test]
fn a_bag_that_breaks_its_promise_is_reported() {
    struct Liar;
    impl Bag for Liar {
        fn get(&self, _slot: Slot) -> Option<ValueRef<'_>> {
            Some(ValueRef::Int64(1))
        }
    }
    let program = Program::compile("text == \"a\"", &vocabulary()).unwrap();
    let scratch = Scratch::new();
    let fault = program.holds(&Liar, &scratch).unwrap_err();
    assert_eq!(fault.to_string(), "attribute 'text' has a value of type INT64, declared STRING");
}

#[test]
fn a_scratch_serves_one_call_after_the_other() {
    let program = Program::compile("toLower(text) + text == \"abAb\"", &vocabulary()).unwrap();
    let (bag, mut scratch) = (Full::new(), Scratch::new());
    for _ in 0..3 {
        assert_eq!(program.holds(&bag, &scratch), Ok(true));
        scratch.reset();
    }
}

#[test]
fn a_bag_may_be_known_only_as_a_trait_object() {
    let program = Program::compile("bool", &vocabulary()).unwrap();
    let (bag, scratch) = (Full::new(), Scratch::new());
    let bag: &dyn Bag = &bag;
    assert_eq!(program.holds(bag, &scratch), Ok(true));
}
