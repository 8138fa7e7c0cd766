//! Tree to typed tree: every name known, every type fitting, every constant computed.

use std::ops::Range;

use super::ast::{Ast, Comparison, Joint, Kind, Literal};
use super::eval::Evaluation;
use super::function::{FUNCTIONS, Function, Parameter, Run};
use super::lexer::error;
use super::typed::{Attribute, Node};
use super::{Bag, OwnedValue, Scratch, Slot, ValueRef, ValueType, Vocabulary, duration, pattern};
use crate::diagnostic::suggest::nearest;
use crate::diagnostic::{Code, FieldPath, Problem, Problems};

/// A node and the type of its value.
pub(super) struct Typed {
    pub(super) node: Node,
    pub(super) of: ValueType,
}

/// Checks a tree against a vocabulary; warnings come with the result.
pub(super) fn check(ast: &Ast, vocabulary: &Vocabulary) -> Result<(Typed, Problems), Problem> {
    let mut checker = Checker { vocabulary, warnings: Problems::new(), patterns: 0 };
    let typed = checker.typed(ast)?;
    Ok((typed, checker.warnings))
}

/// Types of which two values can be equal or not.
const EQUATABLE: &[ValueType] = &[
    ValueType::String,
    ValueType::Int64,
    ValueType::Double,
    ValueType::Bool,
    ValueType::Timestamp,
    ValueType::IpAddress,
    ValueType::DnsName,
    ValueType::EmailAddress,
    ValueType::Uri,
];

/// Types whose values have an order.
const ORDERED: &[ValueType] = &[
    ValueType::String,
    ValueType::Int64,
    ValueType::Double,
    ValueType::Timestamp,
    ValueType::DnsName,
    ValueType::EmailAddress,
    ValueType::Uri,
];

/// Types that `+` takes.
const ADDABLE: &[ValueType] = &[ValueType::String, ValueType::Int64, ValueType::Double];

/// Most regular expressions in one expression: each may take a megabyte, and is compiled on every change.
const MAX_PATTERNS: usize = 64;

struct Checker<'v> {
    vocabulary: &'v Vocabulary,
    warnings: Problems,
    /// Regular expressions compiled so far.
    patterns: usize,
}

impl Checker<'_> {
    fn typed(&mut self, ast: &Ast) -> Result<Typed, Problem> {
        let typed = match &ast.kind {
            Kind::Literal(literal) => return Ok(constant(literal)),
            Kind::Name(name) => return self.attribute(name, &ast.span),
            Kind::Chain(joint, operands) => self.chain(*joint, operands)?,
            Kind::Compare(comparison, left, right) => self.compare(*comparison, left, right)?,
            Kind::Index(map, key) => self.index(map, key)?,
            Kind::Call { target, function, function_span, arguments } => {
                let function = find(function, target.as_deref(), function_span)?;
                let arguments: Vec<&Ast> = target.as_deref().into_iter().chain(arguments).collect();
                self.call(function, &arguments, &ast.span)?
            }
        };
        fold(typed, &ast.span)
    }

    fn attribute(&self, name: &str, span: &Range<usize>) -> Result<Typed, Problem> {
        match self.vocabulary.get(name) {
            Some((slot, of)) => Ok(Typed { node: Node::Attribute(Attribute { slot, name: name.into(), of }), of }),
            None => Err(self.unknown_attribute(name, span.clone())),
        }
    }

    fn unknown_attribute(&self, name: &str, span: Range<usize>) -> Problem {
        let problem = error(span, format!("unknown attribute {name}"));
        match nearest(name, self.vocabulary.names()) {
            Some(meant) => problem.help(format!("did you mean `{meant}`?")),
            None if !name.contains('.') => problem.help(format!("a string stands in quotes: \"{name}\"")),
            None => problem,
        }
    }

    /// An operand that must be of a type.
    fn operand(&mut self, ast: &Ast, expected: ValueType, of_what: &str) -> Result<Node, Problem> {
        let typed = self.typed(ast)?;
        if typed.of == expected { Ok(typed.node) } else { Err(mismatch(ast, typed.of, expected, of_what)) }
    }

    fn chain(&mut self, joint: Joint, operands: &[Ast]) -> Result<Typed, Problem> {
        let what = format!("operand of `{}`", joint.symbol());
        let (first_ast, others) = operands.split_first().expect("a chain has at least two operands");
        let first = match joint {
            Joint::Or | Joint::And => {
                Typed { node: self.operand(first_ast, ValueType::Bool, &what)?, of: ValueType::Bool }
            }
            Joint::Default | Joint::Plus => self.typed(first_ast)?,
        };
        let of = first.of;
        let mut nodes = vec![first.node];
        for other in others {
            nodes.push(self.operand(other, of, &what)?);
        }
        match joint {
            Joint::Plus if !ADDABLE.contains(&of) => return Err(undefined("+", of, ADDABLE, span_of(operands))),
            Joint::Default => self.check_defaults(operands)?,
            _ => {}
        }
        let nodes = nodes.into_boxed_slice();
        let node = match joint {
            Joint::Or => Node::Or(nodes),
            Joint::And => Node::And(nodes),
            Joint::Default => Node::Default(nodes),
            Joint::Plus => Node::Plus(nodes),
        };
        Ok(Typed { node, of })
    }

    /// Left of a `|` stands what can be absent. Mixer silently dropped the value of comparisons, `&&`, `||`, `+` and
    /// `size` there, so those are refused; anything else that is always present makes the rest useless, which is said.
    fn check_defaults(&mut self, operands: &[Ast]) -> Result<(), Problem> {
        for (position, operand) in operands.iter().enumerate().take(operands.len() - 1) {
            let discarded = match &operand.kind {
                Kind::Compare(comparison, ..) => comparison.symbol(),
                Kind::Chain(joint @ (Joint::Or | Joint::And | Joint::Plus), _) => joint.symbol(),
                Kind::Call { function, .. } if function == "size" => "size",
                Kind::Name(_) | Kind::Index(..) | Kind::Chain(Joint::Default, _) => continue,
                Kind::Literal(_) | Kind::Call { .. } => {
                    self.warn_useless(operand, &operands[position + 1..]);
                    continue;
                }
            };
            let message = format!("the value of `{discarded}` is never absent, so it cannot stand left of `|`");
            let help = "`|` replaces an absent attribute: put it around the attribute, in parentheses, as in `(a | \"x\") + b`";
            return Err(error(operand.span.clone(), message).help(help));
        }
        Ok(())
    }

    fn warn_useless(&mut self, operand: &Ast, rest: &[Ast]) {
        let message = format!("`{operand}` is never absent, so what follows `|` is never used");
        self.warnings.push(Problem::warning(Code::NoEffect, FieldPath::root(), message).within(span_of(rest)));
    }

    fn compare(&mut self, comparison: Comparison, left: &Ast, right: &Ast) -> Result<Typed, Problem> {
        let (a, b) = (self.typed(left)?, self.typed(right)?);
        let symbol = comparison.symbol();
        if a.of != b.of {
            // Where only the left side is a literal, that is the side to change.
            let blame_left = matches!(left.kind, Kind::Literal(_)) && !matches!(right.kind, Kind::Literal(_));
            let (at, got, expected) = if blame_left { (left, a.of, b.of) } else { (right, b.of, a.of) };
            return Err(mismatch(at, got, expected, &format!("operand of `{symbol}`")));
        }
        let allowed = match comparison {
            Comparison::Equal | Comparison::NotEqual => EQUATABLE,
            _ => ORDERED,
        };
        if !allowed.contains(&a.of) {
            return Err(undefined(symbol, a.of, allowed, left.span.start..right.span.end));
        }
        let operands = Box::new([a.node, b.node]);
        let node = match (comparison, a.of) {
            (Comparison::Equal, ValueType::String) => Node::SameText(true, operands),
            (Comparison::NotEqual, ValueType::String) => Node::SameText(false, operands),
            _ => Node::Compare(comparison, operands),
        };
        Ok(Typed { node, of: ValueType::Bool })
    }

    fn index(&mut self, map: &Ast, key: &Ast) -> Result<Typed, Problem> {
        let map = self.operand(map, ValueType::StringMap, "value before `[`")?;
        let key = self.operand(key, ValueType::String, "key")?;
        Ok(Typed { node: Node::Index(Box::new([map, key])), of: ValueType::String })
    }

    fn call(&mut self, function: &'static Function, arguments: &[&Ast], span: &Range<usize>) -> Result<Typed, Problem> {
        let (got, expected) = (arguments.len(), function.parameters.len());
        if got != expected {
            let message = format!("{}(..) arity mismatch. Got {got} arg(s), expected {expected} arg(s)", function.name);
            return Err(error(span.clone(), message).help(format!("it is called as `{function}`")));
        }
        let mut same = None;
        let mut nodes = Vec::with_capacity(got);
        for (position, (argument, parameter)) in arguments.iter().zip(function.parameters).enumerate() {
            let typed = self.typed(argument)?;
            let wanted = match parameter {
                Parameter::Of(of) => *of,
                Parameter::Same => *same.get_or_insert(typed.of),
            };
            if typed.of != wanted {
                let what = format!("argument {} of `{function}`", position + 1);
                return Err(mismatch(argument, typed.of, wanted, &what));
            }
            nodes.push(typed.node);
        }
        let node = match function.run {
            Run::Matches => self.matches(function, nodes, arguments)?,
            Run::Test(test) => Node::Test(test, pair(nodes)),
            Run::Strict(_) | Run::Choose => Node::Call(function, nodes.into()),
        };
        let of = match function.result {
            Parameter::Of(of) => of,
            Parameter::Same => same.expect("a result of any type takes it from an argument"),
        };
        Ok(Typed { node, of })
    }

    /// A constant pattern is compiled here; any other is most likely receiver and argument the wrong way round.
    fn matches(&mut self, function: &'static Function, nodes: Vec<Node>, asts: &[&Ast]) -> Result<Node, Problem> {
        self.patterns += 1;
        if self.patterns > MAX_PATTERNS {
            let message = format!("more than {MAX_PATTERNS} regular expressions in one expression");
            return Err(error(asts[0].span.clone(), message).help("join them with `|` inside one pattern"));
        }
        if let [Node::Constant(OwnedValue::String(text)), _] = nodes.as_slice() {
            let regex = pattern::compile(text)
                .map_err(|fault| error(asts[0].span.clone(), format!("bad regular expression: {fault}")))?;
            let argument = nodes.into_iter().next_back().expect("`matches` has two arguments");
            return Ok(Node::Matches(Box::new(regex), Box::new(argument)));
        }
        let [pattern, text] = asts else { return Ok(Node::Call(function, nodes.into())) };
        let message = format!("`{pattern}` is taken as the regular expression, and `{text}` as the text");
        let warning = Problem::warning(Code::Expression, FieldPath::root(), message).within(pattern.span.clone());
        self.warnings.push(warning.help("the pattern stands first: `\"^/a\".matches(request.path)`"));
        Ok(Node::Call(function, nodes.into()))
    }
}

fn pair(nodes: Vec<Node>) -> Box<[Node; 2]> {
    Box::new(<[Node; 2]>::try_from(nodes).expect("as many arguments as parameters, two"))
}

fn constant(literal: &Literal) -> Typed {
    let (constant, of) = match literal {
        Literal::String(text) => (OwnedValue::String(text.as_str().into()), ValueType::String),
        Literal::Duration(_, nanos) => (OwnedValue::Duration(*nanos), ValueType::Duration),
        Literal::Int64(number) => (OwnedValue::Int64(*number), ValueType::Int64),
        Literal::Double(number) => (OwnedValue::Double(*number), ValueType::Double),
        Literal::Bool(truth) => (OwnedValue::Bool(*truth), ValueType::Bool),
    };
    Typed { node: Node::Constant(constant), of }
}

fn span_of(asts: &[Ast]) -> Range<usize> {
    match asts {
        [first, .., last] => first.span.start..last.span.end,
        [only] => only.span.clone(),
        [] => 0..0,
    }
}

/// The function of a name, called in the form that it has.
fn find(name: &str, target: Option<&Ast>, span: &Range<usize>) -> Result<&'static Function, Problem> {
    let Some(function) = FUNCTIONS.iter().find(|function| function.name == name) else {
        let problem = error(span.clone(), format!("unknown function: {name}"));
        return Err(match nearest(name, FUNCTIONS.iter().map(|function| function.name)) {
            Some(meant) => problem.help(format!("did you mean `{meant}`?")),
            None => problem.expected(FUNCTIONS.iter().map(|function| function.name)),
        });
    };
    let message = match (function.is_method, target) {
        (true, Some(_)) | (false, None) => return Ok(function),
        (false, Some(_)) => format!("invoking regular function on instance method: {name}"),
        (true, None) => format!("invoking instance method without an instance: {name}"),
    };
    Err(error(span.clone(), message).help(format!("it is called as `{function}`")))
}

fn mismatch(ast: &Ast, got: ValueType, expected: ValueType, what: &str) -> Problem {
    let problem = error(ast.span.clone(), format!("{what} is of type {got}, expected {expected}"));
    match &ast.kind {
        Kind::Literal(Literal::Duration(text, _)) if expected == ValueType::String => problem.help(duration_help(text)),
        Kind::Literal(Literal::String(_)) if expected == ValueType::IpAddress => {
            problem.help(format!("write `ip({ast})`"))
        }
        Kind::Literal(Literal::String(_)) if expected == ValueType::Timestamp => {
            problem.help(format!("write `timestamp({ast})`"))
        }
        _ => problem,
    }
}

/// Explains the rule that surprises everyone, and how to get round it.
fn duration_help(text: &str) -> String {
    let is_text = |part: &str| !part.is_empty() && duration::parse(part).is_none();
    let halves = (1..text.len()).filter_map(|middle| text.split_at_checked(middle));
    let split = { halves }.find(|(head, tail)| is_text(head) && is_text(tail));
    let rule = format!("a literal that reads as a span of time, such as \"{text}\", is always a DURATION");
    match split {
        Some((head, tail)) => format!("{rule}; the string is written \"{head}\" + \"{tail}\""),
        None => format!("{rule}; to compare a string with it write `\"^{text}$\".matches(…)`"),
    }
}

fn undefined(symbol: &str, of: ValueType, allowed: &[ValueType], span: Range<usize>) -> Problem {
    error(span, format!("`{symbol}` is not defined on {of}")).expected(allowed.iter().map(|of| of.name()))
}

/// Computes what depends on no attribute; a conversion that fails then fails now.
fn fold(typed: Typed, span: &Range<usize>) -> Result<Typed, Problem> {
    if !typed.node.is_constant() {
        return Ok(typed);
    }
    let scratch = Scratch::new();
    let folded = match (Evaluation { bag: &NoAttributes, scratch: &scratch }).value(&typed.node) {
        Ok(value) => OwnedValue::from(value),
        Err(fault) => return Err(error(span.clone(), fault.to_string())),
    };
    Ok(Typed { node: Node::Constant(folded), of: typed.of })
}

struct NoAttributes;

impl Bag for NoAttributes {
    fn get(&self, _slot: Slot) -> Option<ValueRef<'_>> {
        None
    }
}
