//! Where in an expression an evaluation failed.
//!
//! Programs carry no places: they are looked for in the tree again, once there is a person to be told.

use std::ops::Range;

use super::ast::{Ast, Joint, Kind};
use super::eval::EvalError;
use super::function::{FUNCTIONS, Parameter};

/// The bytes of an expression that an evaluation failed at: the attribute that is absent, or the only call that can have
/// failed. `None` where several can have.
pub fn place_of(text: &str, error: &EvalError<'_>) -> Option<Range<usize>> {
    let ast = Ast::parse(text).ok()?;
    match error {
        EvalError::Absent(name) => needed(&ast, name),
        EvalError::Conversion { to, .. } => {
            let result = Parameter::Of(*to);
            only_call(&ast, &|name| FUNCTIONS.iter().any(|function| function.name == name && function.result == result))
        }
        EvalError::Pattern(_) => only_call(&ast, &|name| name == "matches"),
        EvalError::TooLong | EvalError::WrongType { .. } | EvalError::NotBool { .. } => None,
    }
}

/// The first place that needs the attribute, rather than replace it by what follows a `|`.
fn needed(ast: &Ast, name: &str) -> Option<Range<usize>> {
    match &ast.kind {
        Kind::Name(found) if found == name => Some(ast.span.clone()),
        Kind::Chain(Joint::Default, operands) => {
            let (last, others) = operands.split_last()?;
            others.iter().find_map(|operand| needed_left_of_default(operand, name)).or_else(|| needed(last, name))
        }
        _ => children(ast).into_iter().find_map(|child| needed(child, name)),
    }
}

/// The same for an operand whose own absence is no error.
fn needed_left_of_default(ast: &Ast, name: &str) -> Option<Range<usize>> {
    match &ast.kind {
        Kind::Name(_) => None,
        Kind::Index(..) | Kind::Chain(Joint::Default, _) => {
            children(ast).into_iter().find_map(|child| needed_left_of_default(child, name))
        }
        _ => needed(ast, name),
    }
}

/// The call of such a function, if there is no other.
fn only_call(ast: &Ast, is_meant: &dyn Fn(&str) -> bool) -> Option<Range<usize>> {
    let mut found = Vec::new();
    calls(ast, is_meant, &mut found);
    match found.as_slice() {
        [only] => Some(only.clone()),
        _ => None,
    }
}

fn calls(ast: &Ast, is_meant: &dyn Fn(&str) -> bool, found: &mut Vec<Range<usize>>) {
    if matches!(&ast.kind, Kind::Call { function, .. } if is_meant(function)) {
        found.push(ast.span.clone());
    }
    for child in children(ast) {
        calls(child, is_meant, found);
    }
}

/// In the order in which they are evaluated.
fn children(ast: &Ast) -> Vec<&Ast> {
    match &ast.kind {
        Kind::Literal(_) | Kind::Name(_) => Vec::new(),
        Kind::Chain(_, operands) => operands.iter().collect(),
        Kind::Compare(_, left, right) | Kind::Index(left, right) => vec![left, right],
        Kind::Call { target, arguments, .. } => target.as_deref().into_iter().chain(arguments).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::ValueType;

    fn place(text: &str, error: EvalError<'_>) -> Option<String> {
        place_of(text, &error).map(|place| format!("{}:{}", place.start, &text[place.clone()]))
    }

    #[test]
    fn an_absent_attribute_is_shown_where_it_is_needed() {
        for (text, expected) in [
            ("a == \"x\"", "0:a"),
            ("(a | \"x\") == a", "13:a"),
            ("a | b | a", "8:a"),
            ("m[a] | toLower(a)", "15:a"),
            ("m[toLower(a)] | \"x\"", "10:a"),
        ] {
            assert_eq!(place(text, EvalError::Absent("a")).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_failed_call_is_shown_if_it_is_the_only_one() {
        let conversion = EvalError::Conversion { text: "x", to: ValueType::IpAddress };
        assert_eq!(place("a == ip(b)", conversion).as_deref(), Some("5:ip(b)"));
        assert_eq!(place("ip(a) == ip(b)", conversion), None);
        assert_eq!(place("a.matches(b)", EvalError::Pattern("x")).as_deref(), Some("0:a.matches(b)"));
    }
}
