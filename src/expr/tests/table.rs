//! Every operator and function with every type and every absence, against a description of the language that shares no
//! code with it: the tables below say what is defined on what, and what comes out.

use std::cmp::Ordering;

use super::*;

/// What an expression comes to.
#[derive(Debug, Clone, PartialEq)]
enum Outcome {
    /// Refused before it is evaluated.
    Refused,
    /// An attribute is missing.
    Absent(String),
    /// Another message of an evaluation.
    Failed(String),
    /// A value as JSON.
    Value(String),
}

/// What stands in an operand's place.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Side {
    /// An attribute that has a value.
    Present,
    /// An attribute that has none.
    Absent,
    /// A constant, less than the attribute's value where the type has an order.
    Constant,
}

const SIDES: [Side; 3] = [Side::Present, Side::Absent, Side::Constant];

/// A type: its attribute, the value of it, a constant, the value of that, and the operators that take two of it.
struct Row {
    attribute: &'static str,
    value: &'static str,
    constant: &'static str,
    constant_value: &'static str,
    operators: &'static [&'static str],
}

const EQUALITY_ONLY: &[&str] = &["==", "!=", "|"];
const ORDER: &[&str] = &["==", "!=", "<", "<=", ">", ">=", "|"];
const ORDER_AND_SUM: &[&str] = &["==", "!=", "<", "<=", ">", ">=", "|", "+"];
const LOGIC: &[&str] = &["==", "!=", "&&", "||", "|"];
const DEFAULT_ONLY: &[&str] = &["|"];
const OPERATORS: &[&str] = &["==", "!=", "<", "<=", ">", ">=", "&&", "||", "|", "+"];

const fn row(
    attribute: &'static str,
    value: &'static str,
    constant: &'static str,
    constant_value: &'static str,
    operators: &'static [&'static str],
) -> Row {
    Row { attribute, value, constant, constant_value, operators }
}

const ROWS: [Row; 11] = [
    row("text", "\"Ab\"", "\"Aa\"", "\"Aa\"", ORDER_AND_SUM),
    row("int", "5", "4", "4", ORDER_AND_SUM),
    row("double", "1.5", ".5", "0.5", ORDER_AND_SUM),
    row("bool", "true", "false", "false", LOGIC),
    row(
        "time",
        "\"2018-06-18T13:22:58.000000Z\"",
        "timestamp(\"2018-06-18T15:22:57+02:00\")",
        "\"2018-06-18T13:22:57.000000Z\"",
        ORDER,
    ),
    row("span", "\"7ms\"", "\"6ms\"", "\"6ms\"", DEFAULT_ONLY),
    row("addr", "\"10.0.0.1\"", "ip(\"::1\")", "\"::1\"", EQUALITY_ONLY),
    row("host", "\"Edition.cnn.com\"", "dnsName(\"Cnn.com\")", "\"Cnn.com\"", ORDER),
    row("mail", "\"a@x.org\"", "email(\"a@w.org\")", "\"a@w.org\"", ORDER),
    row("link", "\"http://x.org/a\"", "uri(\"http://w.org/a\")", "\"http://w.org/a\"", ORDER),
    row("labels", "{\"Ab\":\"cd\",\"app\":\"web\",\"empty\":\"\"}", "emptyStringMap()", "{}", DEFAULT_ONLY),
];

impl Row {
    fn spelled(&self, operand: Side) -> String {
        match operand {
            Side::Present => self.attribute.to_owned(),
            Side::Absent => format!("no.{}", self.attribute),
            Side::Constant => self.constant.to_owned(),
        }
    }

    fn outcome(&self, operand: Side) -> Outcome {
        match operand {
            Side::Present => Outcome::Value(self.value.to_owned()),
            Side::Absent => Outcome::Absent(self.spelled(operand)),
            Side::Constant => Outcome::Value(self.constant_value.to_owned()),
        }
    }
}

/// The language as it is.
struct Language {
    vocabulary: Vocabulary,
    bag: Full,
}

impl Language {
    fn new() -> Self {
        Self { vocabulary: vocabulary(), bag: Full::new() }
    }

    fn outcome(&self, text: &str) -> Outcome {
        let Ok(program) = Program::compile(text, &self.vocabulary) else { return Outcome::Refused };
        let scratch = Scratch::new();
        match program.eval(&self.bag, &scratch) {
            Ok(value) => {
                assert_eq!(value.value_type(), program.result_type(), "{text}");
                let mut out = String::new();
                value.write_json(&mut out);
                Outcome::Value(out)
            }
            Err(EvalError::Absent(name)) => Outcome::Absent(name.to_owned()),
            Err(error) => Outcome::Failed(error.to_string()),
        }
    }

    #[track_caller]
    fn check(&self, text: &str, expected: &Outcome) {
        assert_eq!(self.outcome(text), *expected, "{text}");
    }
}

fn truth(truth: bool) -> Outcome {
    Outcome::Value(truth.to_string())
}

/// What an operator does with two operands of a type that it takes.
fn expected(operator: &str, row: &Row, left: Side, right: Side) -> Outcome {
    let (a, b) = (row.outcome(left), row.outcome(right));
    match operator {
        "|" if left == Side::Absent => b,
        "|" => a,
        _ if left == Side::Absent => a,
        // The right side is not asked for where the left decides.
        "&&" if left == Side::Constant => truth(false),
        "||" if left == Side::Present => truth(true),
        "&&" | "||" => b,
        _ if right == Side::Absent => b,
        "+" => Outcome::Value(sum(row.attribute, left, right).to_owned()),
        _ => truth(holds(operator, rank(left).cmp(&rank(right)))),
    }
}

fn rank(operand: Side) -> u8 {
    u8::from(operand == Side::Present)
}

fn holds(operator: &str, order: Ordering) -> bool {
    match operator {
        "==" => order == Ordering::Equal,
        "!=" => order != Ordering::Equal,
        "<" => order == Ordering::Less,
        "<=" => order != Ordering::Greater,
        ">" => order == Ordering::Greater,
        ">=" => order != Ordering::Less,
        other => panic!("{other}"),
    }
}

fn sum(attribute: &str, left: Side, right: Side) -> &'static str {
    match (attribute, rank(left), rank(right)) {
        ("text", 1, 1) => "\"AbAb\"",
        ("text", 1, 0) => "\"AbAa\"",
        ("text", 0, 1) => "\"AaAb\"",
        ("text", ..) => "\"AaAa\"",
        ("int", 1, 1) => "10",
        ("int", 0, 0) => "8",
        ("int", ..) => "9",
        ("double", 1, 1) => "3",
        ("double", 0, 0) => "1",
        ("double", ..) => "2",
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_operator_on_every_pair_of_types_with_every_absence() {
    let language = Language::new();
    let mut cases = 0;
    for operator in OPERATORS {
        for (left_row, right_row) in ROWS.iter().flat_map(|left| ROWS.iter().map(move |right| (left, right))) {
            for (left, right) in SIDES.iter().flat_map(|&left| SIDES.map(|right| (left, right))) {
                let text = format!("{} {operator} {}", left_row.spelled(left), right_row.spelled(right));
                let one_type = left_row.attribute == right_row.attribute;
                let outcome = match one_type && left_row.operators.contains(operator) {
                    true => expected(operator, left_row, left, right),
                    false => Outcome::Refused,
                };
                language.check(&text, &outcome);
                cases += 1;
            }
        }
    }
    assert_eq!(cases, 10 * 11 * 11 * 9);
}

#[test]
fn every_index_with_every_absence() {
    let language = Language::new();
    for (map, key) in ROWS.iter().flat_map(|map| ROWS.iter().map(move |key| (map, key))) {
        for (map_operand, key_operand) in SIDES.iter().flat_map(|&map| SIDES.map(|key| (map, key))) {
            let text = format!("{}[{}]", map.spelled(map_operand), key.spelled(key_operand));
            let (plain, with_default) = match (map.attribute, key.attribute) {
                ("labels", "text") => expected_index(map.outcome(map_operand), key.outcome(key_operand)),
                _ => (Outcome::Refused, Outcome::Refused),
            };
            language.check(&text, &plain);
            language.check(&format!("{text} | \"x\""), &with_default);
        }
    }
}

/// What a lookup is, alone and with `| "x"` behind it.
fn expected_index(map: Outcome, key: Outcome) -> (Outcome, Outcome) {
    let text = |text: &str| Outcome::Value(text.to_owned());
    match (map, key) {
        (absent @ Outcome::Absent(_), _) | (_, absent @ Outcome::Absent(_)) => (absent, text("\"x\"")),
        (Outcome::Value(map), Outcome::Value(key)) if map != "{}" && key == "\"Ab\"" => {
            (text("\"cd\""), text("\"cd\""))
        }
        _ => (text("\"\""), text("\"x\"")),
    }
}

/// A function: its name, whether it is a method, the attributes of its parameters' types, and what it makes of their
/// values.
type Signature = (&'static str, bool, &'static [&'static str], Result<&'static str, &'static str>);

const FUNCTIONS: &[Signature] = &[
    ("match", false, &["text", "text"], Ok("true")),
    ("matches", true, &["text", "text"], Ok("true")),
    ("startsWith", true, &["text", "text"], Ok("true")),
    ("endsWith", true, &["text", "text"], Ok("true")),
    ("ip", false, &["text"], Err("could not convert Ab to IP_ADDRESS")),
    ("timestamp", false, &["text"], Err("could not convert Ab to TIMESTAMP")),
    ("dnsName", false, &["text"], Ok("\"Ab\"")),
    ("email", false, &["text"], Err("could not convert Ab to EMAIL_ADDRESS")),
    ("uri", false, &["text"], Ok("\"Ab\"")),
    ("emptyStringMap", false, &[], Ok("{}")),
    ("conditionalString", false, &["bool", "text", "text"], Ok("\"Ab\"")),
    ("toLower", false, &["text"], Ok("\"ab\"")),
    ("size", false, &["text"], Ok("2")),
];

fn call(name: &str, is_method: bool, arguments: &[String]) -> String {
    match (is_method, arguments) {
        (true, [receiver, rest @ ..]) => format!("({receiver}).{name}({})", rest.join(", ")),
        _ => format!("{name}({})", arguments.join(", ")),
    }
}

fn names(parameters: &[&str]) -> Vec<String> {
    parameters.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn every_function_on_every_type_with_every_absence() {
    let language = Language::new();
    for (name, is_method, parameters, result) in FUNCTIONS {
        let value = match result {
            Ok(json) => Outcome::Value((*json).to_owned()),
            Err(message) => Outcome::Failed((*message).to_owned()),
        };
        language.check(&call(name, *is_method, &names(parameters)), &value);
        for place in 0..parameters.len() {
            for row in &ROWS {
                let mut arguments = names(parameters);
                arguments[place] = row.attribute.to_owned();
                let fits = row.attribute == parameters[place];
                language.check(&call(name, *is_method, &arguments), if fits { &value } else { &Outcome::Refused });
            }
            let mut arguments = names(parameters);
            arguments[place] = format!("no.{}", parameters[place]);
            let absent = Outcome::Absent(arguments[place].clone());
            let text = call(name, *is_method, &arguments);
            language.check(&text, &absent);
            // What a call lacks is not replaced by what stands behind `|`.
            let row =
                ROWS.iter().find(|row| language.outcome(&format!("{text} | {}", row.attribute)) != Outcome::Refused);
            match row {
                Some(row) => language.check(&format!("{text} | {}", row.attribute), &absent),
                None => assert_eq!(*name, "size"),
            }
        }
    }
}

#[test]
fn no_function_takes_more_or_fewer_arguments_or_another_form() {
    let language = Language::new();
    let rows = FUNCTIONS.iter().map(|(name, is_method, parameters, _)| (*name, *is_method, names(parameters)));
    for (name, is_method, arguments) in rows.chain([("conditional", false, names(&["bool", "text", "text"]))]) {
        let mut more = arguments.clone();
        more.push("text".to_owned());
        language.check(&call(name, is_method, &more), &Outcome::Refused);
        if let [fewer @ .., _] = arguments.as_slice() {
            language.check(&call(name, is_method, fewer), &Outcome::Refused);
            language.check(&call(name, !is_method, &arguments), &Outcome::Refused);
        }
    }
}

#[test]
fn a_conditional_of_every_type_needs_only_what_it_chooses() {
    let language = Language::new();
    for (yes, no) in ROWS.iter().flat_map(|yes| ROWS.iter().map(move |no| (yes, no))) {
        for (yes_operand, no_operand) in SIDES.iter().flat_map(|&yes| SIDES.map(|no| (yes, no))) {
            for (condition, chosen) in [
                ("bool", yes.outcome(yes_operand)),
                ("false", no.outcome(no_operand)),
                ("no.bool", Outcome::Absent("no.bool".into())),
                ("text", Outcome::Refused),
            ] {
                let text =
                    format!("conditional({condition}, {}, {})", yes.spelled(yes_operand), no.spelled(no_operand));
                let one_type = yes.attribute == no.attribute;
                language.check(&text, if one_type { &chosen } else { &Outcome::Refused });
            }
        }
    }
}
