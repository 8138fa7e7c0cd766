//! The compiled form agrees with the naive one, and no text does harm.

use proptest::prelude::*;
use proptest::sample::select;

use super::naive::{Naive, Stop, Value};
use super::*;

fn join(parts: (String, &'static str, String)) -> String {
    format!("({} {} {})", parts.0, parts.1, parts.2)
}

/// What may stand left of `|`: a thing that can be absent.
fn maybe_text(depth: u32) -> BoxedStrategy<String> {
    let plain = select(vec!["text", "no.text"]).prop_map(str::to_owned);
    if depth == 0 {
        return plain.boxed();
    }
    prop_oneof![
        plain,
        (map(depth - 1), text(depth - 1)).prop_map(|(map, key)| format!("{map}[{key}]")),
        (maybe_text(depth - 1), maybe_text(depth - 1)).prop_map(|(a, b)| format!("({a} | {b})")),
    ]
    .boxed()
}

fn map(depth: u32) -> BoxedStrategy<String> {
    let plain = select(vec!["labels", "no.labels", "emptyStringMap()"]).prop_map(str::to_owned);
    if depth == 0 {
        return plain.boxed();
    }
    let maybe = select(vec!["labels", "no.labels"]);
    prop_oneof![
        2 => plain,
        1 => (maybe, map(depth - 1)).prop_map(|(a, b)| format!("({a} | {b})")),
        1 => (truth(depth - 1), map(depth - 1), map(depth - 1)).prop_map(|(c, a, b)| format!("conditional({c}, {a}, {b})")),
    ]
    .boxed()
}

fn text(depth: u32) -> BoxedStrategy<String> {
    let plain = select(vec!["text", "no.text", "\"app\"", "\"Ab\"", "\"A*\"", "\"\"", "`b`", "\"10.0.0.1\""])
        .prop_map(str::to_owned);
    if depth == 0 {
        return plain.boxed();
    }
    let deeper = || text(depth - 1);
    prop_oneof![
        2 => plain,
        2 => (maybe_text(depth - 1), Just("|"), deeper()).prop_map(join),
        1 => (map(depth - 1), deeper()).prop_map(|(map, key)| format!("{map}[{key}]")),
        1 => (deeper(), deeper(), deeper()).prop_map(|(a, b, c)| format!("({a} + {b} + {c})")),
        1 => deeper().prop_map(|a| format!("toLower({a})")),
        1 => (truth(depth - 1), deeper(), deeper()).prop_map(|(c, a, b)| format!("conditional({c}, {a}, {b})")),
        1 => (truth(depth - 1), deeper(), deeper()).prop_map(|(c, a, b)| format!("conditionalString({c}, {a}, {b})")),
    ]
    .boxed()
}

fn number(depth: u32) -> BoxedStrategy<String> {
    let plain = select(vec!["int", "no.int", "0", "5", "9223372036854775807"]).prop_map(str::to_owned);
    if depth == 0 {
        return plain.boxed();
    }
    prop_oneof![
        2 => plain,
        1 => (select(vec!["int", "no.int"]), number(depth - 1)).prop_map(|(a, b)| format!("({a} | {b})")),
        1 => (number(depth - 1), Just("+"), number(depth - 1)).prop_map(join),
        1 => text(depth - 1).prop_map(|a| format!("size({a})")),
    ]
    .boxed()
}

fn truth(depth: u32) -> BoxedStrategy<String> {
    let plain = select(vec!["bool", "no.bool", "true", "FALSE"]).prop_map(str::to_owned);
    if depth == 0 {
        return plain.boxed();
    }
    let compare = || select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let address =
        || select(vec!["addr", "no.addr", "ip(text)", "ip(\"10.0.0.1\")", "(no.addr | addr)"]).prop_map(str::to_owned);
    prop_oneof![
        2 => plain,
        2 => (truth(depth - 1), select(vec!["&&", "||", "==", "!="]), truth(depth - 1)).prop_map(join),
        1 => (truth(depth - 1), truth(depth - 1), truth(depth - 1)).prop_map(|(a, b, c)| format!("({a} && {b} || {c})")),
        1 => (select(vec!["bool", "no.bool"]), truth(depth - 1)).prop_map(|(a, b)| format!("({a} | {b})")),
        2 => (text(depth - 1), compare(), text(depth - 1)).prop_map(join),
        1 => (number(depth - 1), compare(), number(depth - 1)).prop_map(join),
        1 => (address(), select(vec!["==", "!="]), address()).prop_map(join),
        1 => (text(depth - 1), text(depth - 1)).prop_map(|(a, b)| format!("match({a}, {b})")),
        1 => (text(depth - 1), select(vec!["startsWith", "endsWith", "matches"]), text(depth - 1))
            .prop_map(|(a, f, b)| format!("({a}).{f}({b})")),
    ]
    .boxed()
}

fn owned(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::String(text) => Value::Text(text.to_owned()),
        ValueRef::Int64(number) => Value::Int(number),
        ValueRef::Bool(truth) => Value::Truth(truth),
        other => panic!("{other:?}"),
    }
}

fn agree(text: &str) -> Result<(), TestCaseError> {
    let vocabulary = vocabulary();
    let bag = Full::new();
    let program = match Program::compile(text, &vocabulary) {
        Ok(program) => program,
        // A constant that cannot be converted is refused before it is evaluated.
        Err(problem) if problem.message.starts_with("bad regular expression") => return Ok(()),
        Err(problem) => return Err(TestCaseError::fail(format!("{text}: {problem}"))),
    };
    let scratch = Scratch::new();
    let compiled = program.eval(&bag, &scratch).map(owned).map_err(|fault| match fault {
        EvalError::Absent(name) => Stop::Absent(name.to_owned()),
        EvalError::Conversion { .. } | EvalError::Pattern(_) => Stop::Failed,
        other => panic!("{other}"),
    });
    let naive = Naive { vocabulary: &vocabulary, bag: &bag };
    prop_assert_eq!(compiled, naive.value(&Ast::parse(text).unwrap()), "{}", text);
    Ok(())
}

/// Pieces of expressions in any order.
fn soup() -> impl Strategy<Value = String> {
    let pieces = vec![
        "text",
        "no.text",
        "int",
        "labels",
        "bool",
        "span",
        "addr",
        ".",
        "(",
        ")",
        "[",
        "]",
        ",",
        "|",
        "||",
        "&&",
        "==",
        "<",
        "+",
        "\"a\"",
        "\"5s\"",
        "'x'",
        "`",
        "\"",
        "\\",
        "1",
        "2.5",
        "true",
        "toLower(",
        "ip(",
        ".matches(",
        "conditional(",
        ".startsWith(",
        "size(",
        "\n",
        " ",
        "//",
        "/*",
        "*/",
        "-",
        "!",
        "\u{fc}",
        "emptyStringMap()",
    ];
    prop::collection::vec(select(pieces), 0..14).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn compiled_truths_agree_with_naive_ones(text in truth(3)) {
        agree(&text)?;
    }

    #[test]
    fn compiled_texts_agree_with_naive_ones(text in text(3)) {
        agree(&text)?;
    }

    #[test]
    fn no_text_makes_the_compiler_or_the_program_panic(text in prop_oneof![soup(), any::<String>()]) {
        if let Ok(program) = Program::compile(&text, &vocabulary()) {
            let _ = run(&program);
        }
    }
}
