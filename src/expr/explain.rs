//! Why an expression is true or false of a call: its parts with the values that were compared. For people who ask, never
//! on the way of a call.

use super::ast::{Ast, Joint, Kind, Literal};
use super::{Bag, Program, Scratch, Vocabulary};

/// A part of an expression, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The part, printed anew.
    pub text: String,
    /// Its value as JSON, or why it has none.
    pub value: Result<String, String>,
    /// The attributes that it reads, each with its value as JSON; `None` for one without. Empty for a part with parts.
    pub reads: Vec<(String, Option<String>)>,
    /// For `&&` and `||`: the operands that were looked at, in order; the last of them decided.
    pub parts: Vec<Explanation>,
}

impl Explanation {
    /// The innermost parts.
    pub fn leaves(&self) -> Vec<&Explanation> {
        if self.parts.is_empty() { vec![self] } else { self.parts.iter().flat_map(Explanation::leaves).collect() }
    }
}

/// Explains an expression; `None` for a text that does not compile.
pub fn explain(text: &str, vocabulary: &Vocabulary, bag: &impl Bag) -> Option<Explanation> {
    let ast = Ast::parse(text).ok()?;
    Program::compile(text, vocabulary).ok()?;
    Some(explain_ast(&ast, vocabulary, bag))
}

/// What an expression reads, without regard to any call.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// The attributes, and the values of maps under constant keys; each once, as expressions.
    pub attributes: Vec<String>,
    /// The last of the operands of `&&`; the whole expression where there are none.
    pub last: String,
}

/// What an expression reads; nothing for a text that does not parse.
pub fn reads(text: &str) -> Reads {
    let Ok(ast) = Ast::parse(text) else { return Reads::default() };
    let mut attributes = Vec::new();
    collect(&ast, &mut attributes);
    let last = match &ast.kind {
        Kind::Chain(Joint::And, operands) => operands.last().unwrap_or(&ast),
        _ => &ast,
    };
    Reads { attributes, last: last.to_string() }
}

/// The operands of an expression's outermost `&&`, each as an expression; the whole one where there are none.
pub fn conjuncts(text: &str) -> Vec<String> {
    match Ast::parse(text) {
        Ok(Ast { kind: Kind::Chain(Joint::And, operands), .. }) => operands.iter().map(ToString::to_string).collect(),
        _ => vec![text.to_owned()],
    }
}

fn explain_ast(ast: &Ast, vocabulary: &Vocabulary, bag: &impl Bag) -> Explanation {
    let text = ast.to_string();
    let value = value(&text, vocabulary, bag);
    let Kind::Chain(joint @ (Joint::And | Joint::Or), operands) = &ast.kind else {
        let mut reads = Vec::new();
        collect(ast, &mut reads);
        let reads = reads.into_iter().map(|name| {
            let found = self::value(&name, vocabulary, bag).ok();
            (name, found)
        });
        return Explanation { text, value, reads: reads.collect(), parts: Vec::new() };
    };
    let goes_on = if *joint == Joint::And { "true" } else { "false" };
    let mut parts = Vec::new();
    for operand in operands {
        let part = explain_ast(operand, vocabulary, bag);
        let decided = part.value.as_deref() != Ok(goes_on);
        parts.push(part);
        if decided {
            break;
        }
    }
    Explanation { text, value, reads: Vec::new(), parts }
}

fn value(text: &str, vocabulary: &Vocabulary, bag: &impl Bag) -> Result<String, String> {
    let program = Program::compile(text, vocabulary).map_err(|problem| problem.message)?;
    let scratch = Scratch::new();
    let value = program.eval(bag, &scratch).map_err(|error| error.to_string())?;
    let mut json = String::new();
    value.write_json(&mut json);
    Ok(json)
}

/// The attributes, and the values of maps under constant keys, that a part reads; each once.
fn collect(ast: &Ast, reads: &mut Vec<String>) {
    let mut read = |name: String| {
        if !reads.contains(&name) {
            reads.push(name);
        }
    };
    match &ast.kind {
        Kind::Literal(_) => {}
        Kind::Name(name) => read(name.clone()),
        Kind::Index(_, key) if matches!(key.kind, Kind::Literal(Literal::String(_))) => read(ast.to_string()),
        Kind::Index(a, b) | Kind::Compare(_, a, b) => [a, b].into_iter().for_each(|part| collect(part, reads)),
        Kind::Chain(_, operands) => operands.iter().for_each(|part| collect(part, reads)),
        Kind::Call { target, arguments, .. } => {
            target.iter().for_each(|part| collect(part, reads));
            arguments.iter().for_each(|part| collect(part, reads));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::{Slot, ValueRef, slot};

    struct Call;

    impl Bag for Call {
        fn get(&self, slot: Slot) -> Option<ValueRef<'_>> {
            match slot {
                slot::REQUEST_PATH => Some(ValueRef::String("/sport")),
                slot::REQUEST_HOST => Some(ValueRef::String("edition.cnn.com")),
                _ => None,
            }
        }
    }

    fn shown(text: &str) -> Vec<String> {
        let explained = explain(text, Vocabulary::standard(), &Call).expect("it compiles");
        let leaf = |leaf: &Explanation| {
            let reads: Vec<_> = leaf
                .reads
                .iter()
                .map(|(name, value)| format!("{name}={}", value.as_deref().unwrap_or("absent")))
                .collect();
            let value = leaf.value.as_ref().unwrap_or_else(|error| error);
            format!("{value}: {} ({})", leaf.text, reads.join(", "))
        };
        explained.leaves().into_iter().map(leaf).collect()
    }

    #[test]
    fn the_part_that_decided_is_the_last_that_is_shown() {
        assert_eq!(
            shown(r#"request.host.endsWith("cnn.com") && request.path.startsWith("/pol") && source.name == "x""#),
            [
                r#"true: request.host.endsWith("cnn.com") (request.host="edition.cnn.com")"#,
                r#"false: request.path.startsWith("/pol") (request.path="/sport")"#
            ]
        );
        assert_eq!(
            shown(r#"source.name == "x" || request.path == "/sport""#),
            [r#"lookup failed: 'source.name': source.name == "x" (source.name=absent)"#]
        );
    }

    #[test]
    fn what_does_not_compile_is_not_explained() {
        assert!(explain("request.hots", Vocabulary::standard(), &Call).is_none());
    }
}
