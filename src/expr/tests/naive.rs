//! The language once more, in the plainest way: a walk over the untyped tree with owned values. It shares with the
//! compiled form nothing but the parser.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Ast, Bag, ValueRef, Vocabulary};
use crate::expr::ast::{Comparison, Joint, Kind, Literal};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Int(i64),
    Truth(bool),
    Span(i64),
    Address(IpAddr),
    Map(BTreeMap<String, String>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Stop {
    Absent(String),
    Failed,
}

pub(super) struct Naive<'a> {
    pub(super) vocabulary: &'a Vocabulary,
    pub(super) bag: &'a dyn Bag,
}

impl Naive<'_> {
    pub(super) fn value(&self, ast: &Ast) -> Result<Value, Stop> {
        match &ast.kind {
            Kind::Name(name) => self.attribute(name).ok_or_else(|| Stop::Absent(name.clone())),
            Kind::Literal(Literal::String(text)) => Ok(Value::Text(text.clone())),
            Kind::Literal(Literal::Int64(number)) => Ok(Value::Int(*number)),
            Kind::Literal(Literal::Bool(truth)) => Ok(Value::Truth(*truth)),
            Kind::Literal(Literal::Duration(_, nanos)) => Ok(Value::Span(*nanos)),
            Kind::Literal(Literal::Double(_)) => panic!("not generated"),
            Kind::Index(map, key) => {
                let (Value::Map(map), Value::Text(key)) = (self.value(map)?, self.value(key)?) else { panic!("types") };
                Ok(Value::Text(map.get(&key).cloned().unwrap_or_default()))
            }
            Kind::Chain(joint, operands) => self.pairwise(*joint, operands),
            Kind::Compare(comparison, left, right) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                Ok(Value::Truth(compare(*comparison, &left, &right)))
            }
            Kind::Call { target, function, arguments, .. } => {
                let arguments: Vec<&Ast> = target.as_deref().into_iter().chain(arguments).collect();
                self.call(function, &arguments)
            }
        }
    }

    /// A chain as the grammar has it, `(a op b) op c`: the last operator first.
    fn pairwise(&self, joint: Joint, operands: &[Ast]) -> Result<Value, Stop> {
        let [front @ .., last] = operands else { panic!("empty chain") };
        if front.is_empty() {
            return self.value(last);
        }
        if joint == Joint::Default {
            return match self.maybe_chain(front)? {
                Some(value) => Ok(value),
                None => self.value(last),
            };
        }
        match (joint, self.pairwise(joint, front)?) {
            (Joint::And, Value::Truth(false)) => Ok(Value::Truth(false)),
            (Joint::Or, Value::Truth(true)) => Ok(Value::Truth(true)),
            (Joint::And | Joint::Or, _) => self.value(last),
            (_, Value::Text(a)) => match self.value(last)? {
                Value::Text(b) => Ok(Value::Text(a + &b)),
                other => panic!("{other:?}"),
            },
            (_, Value::Int(a)) => match self.value(last)? {
                Value::Int(b) => Ok(Value::Int(a.wrapping_add(b))),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    fn maybe_chain(&self, operands: &[Ast]) -> Result<Option<Value>, Stop> {
        operands.iter().try_fold(None, |found, operand| if found.is_some() { Ok(found) } else { self.maybe(operand) })
    }

    fn maybe(&self, ast: &Ast) -> Result<Option<Value>, Stop> {
        match &ast.kind {
            Kind::Name(name) => Ok(self.attribute(name)),
            Kind::Chain(Joint::Default, operands) => self.maybe_chain(operands),
            Kind::Index(map, key) => match (self.maybe(map)?, self.maybe(key)) {
                (None, _) => Ok(None),
                (Some(Value::Map(map)), Ok(Some(Value::Text(key)))) => Ok(map.get(&key).cloned().map(Value::Text)),
                (_, Ok(None)) => Ok(None),
                (_, Err(stop)) => Err(stop),
                other => panic!("{other:?}"),
            },
            _ => self.value(ast).map(Some),
        }
    }

    fn attribute(&self, name: &str) -> Option<Value> {
        let (slot, _) = self.vocabulary.get(name).expect("only known names are generated");
        Some(match self.bag.get(slot)? {
            ValueRef::String(text) => Value::Text(text.to_owned()),
            ValueRef::Int64(number) => Value::Int(number),
            ValueRef::Bool(truth) => Value::Truth(truth),
            ValueRef::Duration(nanos) => Value::Span(nanos),
            ValueRef::IpAddress(address) => Value::Address(address),
            ValueRef::StringMap(map) => {
                let mut copy = BTreeMap::new();
                map.visit(&mut |key, value| {
                    copy.insert(key.to_owned(), value.to_owned());
                });
                Value::Map(copy)
            }
            other => panic!("{other:?}"),
        })
    }

    fn call(&self, function: &str, arguments: &[&Ast]) -> Result<Value, Stop> {
        if let ("conditional", [condition, yes, no]) = (function, arguments) {
            return if self.value(condition)? == Value::Truth(true) { self.value(yes) } else { self.value(no) };
        }
        let values: Vec<Value> = arguments.iter().map(|argument| self.value(argument)).collect::<Result<_, _>>()?;
        match (function, values.as_slice()) {
            ("emptyStringMap", []) => Ok(Value::Map(BTreeMap::new())),
            ("toLower", [Value::Text(text)]) => Ok(Value::Text(text.to_lowercase())),
            ("size", [Value::Text(text)]) => Ok(Value::Int(text.len() as i64)),
            ("ip", [Value::Text(text)]) => text.parse().map(Value::Address).map_err(|_| Stop::Failed),
            ("startsWith", [Value::Text(a), Value::Text(b)]) => Ok(Value::Truth(a.starts_with(b.as_str()))),
            ("endsWith", [Value::Text(a), Value::Text(b)]) => Ok(Value::Truth(a.ends_with(b.as_str()))),
            ("match", [Value::Text(a), Value::Text(b)]) => Ok(Value::Truth(wildcard(a, b))),
            ("matches", [Value::Text(a), Value::Text(b)]) => {
                regex::Regex::new(a).map(|regex| Value::Truth(regex.is_match(b))).map_err(|_| Stop::Failed)
            }
            ("conditionalString", [Value::Truth(truth), a, b]) => Ok(if *truth { a } else { b }.clone()),
            other => panic!("{other:?}"),
        }
    }
}

fn wildcard(text: &str, pattern: &str) -> bool {
    let stars = (pattern.starts_with('*'), pattern.ends_with('*'));
    match stars {
        (_, true) => text.starts_with(&pattern[..pattern.len() - 1]),
        (true, false) => text.ends_with(&pattern[1..]),
        (false, false) => text == pattern,
    }
}

fn compare(comparison: Comparison, left: &Value, right: &Value) -> bool {
    let order = match (left, right) {
        (Value::Text(a), Value::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Truth(a), Value::Truth(b)) => a.cmp(b),
        (Value::Address(a), Value::Address(b)) => a.cmp(b),
        other => panic!("{other:?}"),
    };
    match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    }
}
