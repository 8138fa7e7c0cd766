//! Grammar, limits, and printing.

use proptest::prelude::*;

use super::*;

fn printed(text: &str) -> String {
    Ast::parse(text).unwrap_or_else(|problem| panic!("{text}: {problem}")).to_string()
}

/// Message and the text pointed at.
fn refused(text: &str) -> (String, String) {
    let problem = Ast::parse(text).expect_err(text);
    let within = problem.within.clone().expect("a place in the expression");
    (problem.message, text[within].to_owned())
}

#[test]
fn operators_bind_as_in_go() {
    for (text, grouped) in [
        ("a | 5 == 5", "(a | 5) == 5"),
        ("a | \"x\" + b", "(a | \"x\") + b"),
        ("a + b | c", "(a + b) | c"),
        ("a || b && c", "a || (b && c)"),
        ("a && b == c", "a && (b == c)"),
        ("1 < 2 == true", "(1 < 2) == true"),
        ("a == b | c", "a == (b | c)"),
        ("a || b || c", "(a || b) || c"),
        ("a.b.f(c).g()", "((a.b).f(c)).g()"),
        ("a[b][c].f()", "((a[b])[c]).f()"),
    ] {
        assert_eq!(Ast::parse(text).unwrap(), Ast::parse(grouped).unwrap(), "{text}");
    }
    assert_ne!(Ast::parse("a | (b | c)").unwrap(), Ast::parse("a | b | c").unwrap());
    assert_ne!(Ast::parse("(a == b) == c").unwrap(), Ast::parse("a == (b == c)").unwrap());
}

#[test]
fn needless_parentheses_are_not_printed() {
    assert_eq!(printed("((a)|(\"x\"))+(b)"), "a | \"x\" + b");
    assert_eq!(printed("(a | (b + c))"), "a | (b + c)");
    assert_eq!(printed("(1).size()"), "(1).size()");
    assert_eq!(printed("(a || b).f(TRUE, 'x', `y\"`)"), "(a || b).f(true, \"x\", \"y\\\"\")");
    assert_eq!(printed("2. == .5"), "2e0 == 5e-1");
}

#[test]
fn blanks_comments_and_line_ends_after_operators_are_free() {
    for text in [
        " a . b ==\n 1 ",
        "a.b == // one\n1",
        "/* x */ a.b == /* \n */ 1",
        "\n\na.b==1\n\n",
        "a.\nb ==\r\n1\r\n",
        "a.b == 1 // end",
    ] {
        assert_eq!(printed(text), "a.b == 1", "{text}");
    }
    assert_eq!(printed("f(\na,\nb[\nc],)"), "f(a, b[c])");
}

#[test]
fn a_line_end_before_an_operator_ends_the_expression() {
    for text in ["a\n== b", "a /*\n*/ == b", "f(a\n)", "a[b\n]", "(a\n)", "a // x\n== b"] {
        assert!(refused(text).0.starts_with("unexpected end of the line"), "{text}");
    }
}

#[test]
fn what_go_has_and_mixer_has_not_is_refused_at_its_place() {
    for (text, message, place) in [
        ("", "the expression is empty", ""),
        (" // c", "the expression is empty", " // c"),
        ("!a", "the language has no `!`", "!"),
        ("a - 1", "the language has no `-`", "-"),
        ("-1", "the language has no `-`", "-"),
        ("a = b", "the language has no `=`", "="),
        ("a ? b : c", "the language has no `?`", "?"),
        ("a * b", "the language has no `*`", "*"),
        ("a & b", "the language has no `&`", "&"),
        ("a; b", "unexpected character `;`", ";"),
        ("\u{201c}a\u{201d}", "the language has no `\u{201c}`", "\u{201c}"),
        ("request.type", "`type` is a reserved word and cannot be part of a name", "type"),
        ("(a).b", "`.b` is no method call; values have no fields", "b"),
        ("f().b", "`.b` is no method call; values have no fields", "b"),
        ("a b", "unexpected `b`, expected an operator or the end of the expression", "b"),
        ("a ==", "unexpected end of the expression, expected a value", ""),
        ("(a", "unexpected end of the expression, expected `)`", ""),
        ("a)", "unexpected `)`, expected an operator or the end of the expression", ")"),
        ("f(,)", "unexpected `,`, expected a value", ","),
        ("(a)(b)", "unexpected `(`, expected an operator or the end of the expression", "("),
        ("a.1", "unexpected number, expected an operator or the end of the expression", ".1"),
        ("a.\"b\"", "unexpected string, expected a name", "\"b\""),
        ("a == 0x1F", "0x1F is no number; numbers are decimal", "0x1F"),
        ("99999999999999999999", "99999999999999999999 does not fit in INT64", "99999999999999999999"),
        ("'ab'", "single quotes hold one character; a string stands in double quotes", "'ab'"),
        ("a == \"b", "this string is not closed", "\"b"),
        ("a == \"b\\\u{fc}\"", "unknown escape in a string; a backslash is written `\\\\`", "\\\u{fc}"),
        ("a /* b", "this comment is not closed", "/* b"),
    ] {
        assert_eq!(refused(text), (message.to_owned(), place.to_owned()), "{text}");
    }
    assert_eq!(Ast::parse("!a").unwrap_err().help.as_deref(), Some("negate with `== false`"));
}

#[test]
fn nesting_is_bounded_in_every_direction() {
    let levels = MAX_DEPTH * 2;
    let right = |open: &str, close: &str| format!("{}a{}", open.repeat(levels), close.repeat(levels));
    for text in [
        right("(", ")"),
        right("f(", ")"),
        right("a[", "]"),
        right("a || (b && (", "))"),
        format!("a{}", "[b]".repeat(levels)),
        format!("a{}", ".f()".repeat(levels)),
        format!("a{}", " == b".repeat(levels)),
        format!("a{}", " | b + c".repeat(levels)),
    ] {
        assert_eq!(refused(&text).0, "the expression is nested deeper than 64 levels", "{text}");
    }
    assert!(Ast::parse(&format!("{}a{}", "(".repeat(MAX_DEPTH), ")".repeat(MAX_DEPTH))).is_ok());
}

#[test]
fn a_long_list_of_alternatives_is_not_deep() {
    let text = vec!["host == \"a\""; 500].join(" || ");
    assert!(text.len() < MAX_LENGTH);
    assert_eq!(Ast::parse(&text).unwrap().depth, 3);
}

#[test]
fn length_is_bounded() {
    let longest = format!("\"{}\"", "x".repeat(MAX_LENGTH - 2));
    assert!(Ast::parse(&longest).is_ok());
    assert!(Ast::parse(&format!("{longest} ")).unwrap_err().message.contains("8193 bytes"));
}

fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "[a-z]{1,3}(\\.[a-z]{1,3}){0,2}".prop_filter("no reserved word", |name| Ast::parse(name).is_ok()),
        "[0-9]{1,4}(\\.[0-9]{0,3})?(e[0-9])?",
        any::<String>()
            .prop_map(|text| format!("{text:?}"))
            .prop_filter("Rust's escapes only", |text| Ast::parse(text).is_ok()),
        "`[a-z\"\\\\ ]{0,4}`",
        "'[a-z0]'",
        Just("\"10ms\"".to_owned()),
        Just("FALSE".to_owned()),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        let operator = prop::sample::select(vec!["||", "&&", "|", "+", "==", "!=", "<", "<=", ">", ">=", "|\n", " /* c */ + "]);
        prop_oneof![
            3 => (inner.clone(), operator, inner.clone()).prop_map(|(a, operator, b)| format!("{a} {operator} {b}")),
            2 => inner.clone().prop_map(|inner| format!("({inner})")),
            1 => (inner.clone(), inner.clone()).prop_map(|(map, key)| format!("({map})[{key}]")),
            1 => ("[A-Z]{1,3}", prop::collection::vec(inner.clone(), 0..3)).prop_map(|(f, list)| format!("{f}({})", list.join(","))),
            1 => (inner.clone(), "[A-Z]{1,3}", inner).prop_map(|(target, f, a)| format!("({target}).{f}({a})")),
        ]
    })
}

proptest! {
    #[test]
    fn a_printed_tree_parses_to_itself(text in expression()) {
        let tree = Ast::parse(&text).map_err(|problem| TestCaseError::fail(format!("{text}: {problem}")))?;
        let printed = tree.to_string();
        let again = Ast::parse(&printed).map_err(|problem| TestCaseError::fail(format!("{printed}: {problem}")))?;
        prop_assert_eq!(&again, &tree);
        prop_assert_eq!(again.to_string(), printed);
    }

    #[test]
    fn every_problem_points_at_whole_characters(text in "[a-z\u{e4}\u{20ac}\"'`\\\\/*\n .|&=()0-9]{0,24}") {
        if let Err(problem) = Ast::parse(&text) {
            let within = problem.within.clone().expect("a place in the expression");
            prop_assert!(text.get(within.clone()).is_some(), "{within:?} of {text:?}");
        }
    }
}
