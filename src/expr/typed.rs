//! An expression that is known to make sense: names are slots, types fit, what is constant is computed.

use regex::Regex;

use super::ast::Comparison;
use super::function::{Function, Test};
use super::{OwnedValue, Slot, StringMap, ValueType};

/// A node of the tree; no deeper than [`MAX_DEPTH`](super::MAX_DEPTH) levels.
#[derive(Debug)]
pub(super) enum Node {
    Constant(OwnedValue),
    Attribute(Attribute),
    /// Map and key.
    Index(Box<[Node; 2]>),
    /// The first that is present.
    Default(Box<[Node]>),
    And(Box<[Node]>),
    Or(Box<[Node]>),
    Compare(Comparison, Box<[Node; 2]>),
    /// `==` (true) and `!=` (false) of two texts: what most matches consist of, so it has a way of its own.
    SameText(bool, Box<[Node; 2]>),
    /// A function that tests two texts, for the same reason.
    Test(Test, Box<[Node; 2]>),
    Plus(Box<[Node]>),
    /// A method's receiver is its first argument.
    Call(&'static Function, Box<[Node]>),
    /// `matches` with a constant pattern, the usual case.
    Matches(Box<Regex>, Box<Node>),
}

#[derive(Debug)]
pub(super) struct Attribute {
    pub(super) slot: Slot,
    pub(super) name: Box<str>,
    pub(super) of: ValueType,
}

impl Node {
    /// Whether nothing below depends on a call.
    pub(super) fn is_constant(&self) -> bool {
        match self {
            Node::Constant(_) => true,
            // A lookup, even in the empty map, can be absent, and a constant cannot.
            Node::Attribute(_) | Node::Index(_) => false,
            Node::Compare(_, operands) | Node::SameText(_, operands) | Node::Test(_, operands) => {
                operands.iter().all(Node::is_literal)
            }
            Node::Default(operands)
            | Node::And(operands)
            | Node::Or(operands)
            | Node::Plus(operands)
            | Node::Call(_, operands) => operands.iter().all(Node::is_literal),
            Node::Matches(_, text) => text.is_literal(),
        }
    }

    /// Folding goes from the leaves up, so a constant below is a literal by now.
    fn is_literal(&self) -> bool {
        matches!(self, Node::Constant(_))
    }
}

/// The map without keys.
#[derive(Debug)]
pub(super) struct EmptyMap;

impl StringMap for EmptyMap {
    fn get(&self, _key: &str) -> Option<&str> {
        None
    }

    fn visit(&self, _visit: &mut dyn FnMut(&str, &str)) {}
}
