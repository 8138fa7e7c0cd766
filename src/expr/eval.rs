//! Evaluation of a checked expression over the attributes of one call.

use std::cmp::Ordering;

use smallvec::SmallVec;

use super::ast::Comparison;
use super::function::{MAX_ARGUMENTS, Run};
use super::typed::{Attribute, Node};
use super::{Bag, OwnedValue, Scratch, StringMap, ValueRef, ValueType, pattern};

/// Why an expression has no value for a call. Made without allocation: in a rule's `match` it only means "no".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EvalError<'a> {
    /// The attribute has no value, and one was needed.
    #[error("lookup failed: '{0}'")]
    Absent(&'a str),
    /// A text that a conversion such as `ip` does not take.
    #[error("could not convert {} to {to}", shown(.text))]
    Conversion {
        /// The text.
        text: &'a str,
        /// What it should have become.
        to: ValueType,
    },
    /// A text that was to be a regular expression and is none, or is too large.
    #[error("bad regular expression '{}'", shown(.0))]
    Pattern(&'a str),
    /// A `+` made a text longer than [`MAX_TEXT`].
    #[error("a text grew longer than {MAX_TEXT} bytes")]
    TooLong,
    /// The bag gave a value of another type than the vocabulary declares.
    #[error("attribute '{name}' has a value of type {found}, declared {declared}")]
    WrongType {
        /// The attribute.
        name: &'a str,
        /// The type of the value.
        found: ValueType,
        /// The type in the vocabulary.
        declared: ValueType,
    },
    /// The program was asked for a truth value and has none.
    #[error("expression '{text}' evaluated to type {found}, expected type BOOL")]
    NotBool {
        /// The expression.
        text: &'a str,
        /// Its type.
        found: ValueType,
    },
}

/// Longest text that `+` makes, in bytes: the longest head of a request several times over. Without a bound a short
/// expression over a long header could fill megabytes in every call.
pub const MAX_TEXT: usize = 256 << 10;

/// Longest piece of a caller's text in a message, in characters.
const SHOWN: usize = 64;

/// A caller's text, cut and escaped so that it can neither flood nor drive a terminal.
fn shown(text: &str) -> impl std::fmt::Display {
    text.chars().take(SHOWN).flat_map(char::escape_debug).collect::<String>()
}

type Outcome<'a, T = ValueRef<'a>> = Result<T, EvalError<'a>>;

/// One evaluation: where values come from and where new texts go.
///
/// The walk recurses no deeper than the tree, whose depth the parser bounds.
pub(super) struct Evaluation<'a, B: ?Sized> {
    pub(super) bag: &'a B,
    pub(super) scratch: &'a Scratch,
}

impl<'a, B: Bag + ?Sized> Evaluation<'a, B> {
    /// The value of a node; absence is an error.
    pub(super) fn value(&self, node: &'a Node) -> Outcome<'a> {
        match node {
            Node::Constant(constant) => Ok(constant.value()),
            Node::Attribute(attribute) => self.attribute(attribute)?.ok_or(EvalError::Absent(&attribute.name)),
            Node::Index(operands) => {
                let [map, key] = operands.as_ref();
                // A key that is not there is no absence here: Mixer's map lookup gives the empty text.
                Ok(ValueRef::String(as_map(self.value(map)?).get(self.text(key)?).unwrap_or_default()))
            }
            Node::Default(operands) => self.first_present(operands),
            Node::And(_)
            | Node::Or(_)
            | Node::Compare(..)
            | Node::SameText(..)
            | Node::Test(..)
            | Node::Matches(..) => self.truth(node).map(ValueRef::Bool),
            Node::Plus(operands) => self.sum(operands),
            Node::Call(function, arguments) => self.call(function.run, arguments),
        }
    }

    /// The value of a node that stands left of a `|`, where absence is no error: attributes, map lookups and chains of
    /// `|` pass it on, everything else has a value or fails.
    fn present(&self, node: &'a Node) -> Outcome<'a, Option<ValueRef<'a>>> {
        match node {
            Node::Attribute(attribute) => self.attribute(attribute),
            Node::Index(operands) => {
                let [map, key] = operands.as_ref();
                // Without a map the key is not asked for: that it fails would be no reason not to go on.
                let Some(map) = self.present(map)? else { return Ok(None) };
                let Some(key) = self.present(key)? else { return Ok(None) };
                Ok(as_map(map).get(as_text(key)).map(ValueRef::String))
            }
            Node::Default(operands) => {
                for operand in operands {
                    if let Some(value) = self.present(operand)? {
                        return Ok(Some(value));
                    }
                }
                Ok(None)
            }
            other => self.value(other).map(Some),
        }
    }

    fn attribute(&self, attribute: &'a Attribute) -> Outcome<'a, Option<ValueRef<'a>>> {
        match self.bag.get(attribute.slot) {
            Some(value) if value.value_type() != attribute.of => Err(wrong_type(attribute, value)),
            value => Ok(value),
        }
    }

    fn first_present(&self, operands: &'a [Node]) -> Outcome<'a> {
        let (last, others) = operands.split_last().expect("a chain has at least two operands");
        for operand in others {
            if let Some(value) = self.present(operand)? {
                return Ok(value);
            }
        }
        self.value(last)
    }

    /// `&&` (`truth` = true) and `||` (`truth` = false): goes on while operands are `truth`.
    fn all_are(&self, truth: bool, operands: &'a [Node]) -> Outcome<'a, bool> {
        for operand in operands {
            if self.truth(operand)? != truth {
                return Ok(!truth);
            }
        }
        Ok(truth)
    }

    fn sum(&self, operands: &'a [Node]) -> Outcome<'a> {
        let (first, others) = operands.split_first().expect("a chain has at least two operands");
        match self.value(first)? {
            ValueRef::Int64(first) => {
                let mut sum = first;
                for operand in others {
                    sum = sum.wrapping_add(as_int64(self.value(operand)?));
                }
                Ok(ValueRef::Int64(sum))
            }
            ValueRef::Double(first) => {
                let mut sum = first;
                for operand in others {
                    sum += as_double(self.value(operand)?);
                }
                Ok(ValueRef::Double(sum))
            }
            first => {
                let mut sum = self.scratch.text();
                sum.push_str(as_text(first));
                for operand in others {
                    let text = self.text(operand)?;
                    if sum.len() + text.len() > MAX_TEXT {
                        return Err(EvalError::TooLong);
                    }
                    sum.push_str(text);
                }
                Ok(ValueRef::String(sum.into_bump_str()))
            }
        }
    }

    fn call(&self, run: Run, arguments: &'a [Node]) -> Outcome<'a> {
        match (run, arguments) {
            (Run::Choose, [condition, yes, no]) => self.value(if self.truth(condition)? { yes } else { no }),
            (Run::Matches, [pattern, text]) => {
                let pattern = self.text(pattern)?;
                let regex = pattern::compile_for_a_call(pattern).map_err(|_| EvalError::Pattern(pattern))?;
                Ok(ValueRef::Bool(regex.is_match(self.text(text)?)))
            }
            (Run::Strict(function), arguments) => {
                let mut values = SmallVec::<[ValueRef<'a>; MAX_ARGUMENTS]>::new();
                for argument in arguments {
                    values.push(self.value(argument)?);
                }
                function(&values, self.scratch)
            }
            (Run::Choose | Run::Matches | Run::Test(_), _) => {
                unreachable!("the checker counts arguments, and tests are nodes of their own")
            }
        }
    }

    fn text(&self, node: &'a Node) -> Outcome<'a, &'a str> {
        match node {
            Node::Constant(OwnedValue::String(text)) => Ok(text),
            Node::Attribute(attribute) => match self.bag.get(attribute.slot) {
                Some(ValueRef::String(text)) => Ok(text),
                None => Err(EvalError::Absent(&attribute.name)),
                Some(other) => Err(wrong_type(attribute, other)),
            },
            other => self.value(other).map(as_text),
        }
    }

    /// The value of a node of type BOOL. Matches are little else, so it takes no way round over [`ValueRef`].
    pub(super) fn truth(&self, node: &'a Node) -> Outcome<'a, bool> {
        match node {
            Node::And(operands) => self.all_are(true, operands),
            Node::Or(operands) => self.all_are(false, operands),
            Node::SameText(same, operands) => {
                let [left, right] = operands.as_ref();
                Ok((self.text(left)? == self.text(right)?) == *same)
            }
            Node::Test(test, operands) => {
                let [text, with] = operands.as_ref();
                Ok(test.holds(self.text(text)?, self.text(with)?))
            }
            Node::Compare(comparison, operands) => {
                let [left, right] = operands.as_ref();
                Ok(compare(*comparison, self.value(left)?, self.value(right)?))
            }
            Node::Matches(regex, text) => Ok(regex.is_match(self.text(text)?)),
            other => self.value(other).map(as_bool),
        }
    }
}

fn wrong_type<'a>(attribute: &'a Attribute, value: ValueRef<'_>) -> EvalError<'a> {
    EvalError::WrongType { name: &attribute.name, found: value.value_type(), declared: attribute.of }
}

fn compare(comparison: Comparison, left: ValueRef<'_>, right: ValueRef<'_>) -> bool {
    let equal = || left.equals(&right).unwrap_or(false);
    let ordered = |holds: fn(Ordering) -> bool| left.compare(&right).is_some_and(holds);
    match comparison {
        Comparison::Equal => equal(),
        Comparison::NotEqual => !equal(),
        Comparison::Less => ordered(Ordering::is_lt),
        Comparison::LessOrEqual => ordered(Ordering::is_le),
        Comparison::Greater => ordered(Ordering::is_gt),
        Comparison::GreaterOrEqual => ordered(Ordering::is_ge),
    }
}

/// Makes a function that takes a value of the one type that can stand in its place.
macro_rules! unwrap_as {
    ($name:ident, $variant:ident, $of:ty) => {
        pub(super) fn $name<'a>(value: ValueRef<'a>) -> $of {
            match value {
                ValueRef::$variant(inner) => inner,
                other => unreachable!("the checker typed this {}, not {}", ValueType::$variant, other.value_type()),
            }
        }
    };
}

unwrap_as!(as_text, String, &'a str);
unwrap_as!(as_bool, Bool, bool);
unwrap_as!(as_int64, Int64, i64);
unwrap_as!(as_double, Double, f64);
unwrap_as!(as_map, StringMap, &'a dyn StringMap);
