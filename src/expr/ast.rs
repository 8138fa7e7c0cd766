//! What an expression says, before anyone asks whether it makes sense.

use std::fmt;
use std::ops::Range;

/// An expression with its place in the text.
#[derive(Debug, Clone)]
pub struct Ast {
    pub(super) kind: Kind,
    pub(super) span: Range<usize>,
    /// Levels of the tree from here down; a leaf has one.
    pub(super) depth: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Literal(Literal),
    /// An attribute's whole name; the language has no access to fields.
    Name(String),
    /// `a || b || c` is one node, so that long lists do not make deep trees. Never directly inside one of its own sort
    /// as the first operand.
    Chain(Joint, Vec<Ast>),
    Compare(Comparison, Box<Ast>, Box<Ast>),
    /// `map[key]`
    Index(Box<Ast>, Box<Ast>),
    /// `function(arguments)` or, with a target, `target.function(arguments)`.
    Call {
        target: Option<Box<Ast>>,
        function: String,
        function_span: Range<usize>,
        arguments: Vec<Ast>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    String(String),
    /// A string literal that Go reads as a duration: its text, and nanoseconds.
    Duration(String, i64),
    Int64(i64),
    Double(f64),
    Bool(bool),
}

/// Operators that take operands one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joint {
    Or,
    And,
    /// `|`
    Default,
    Plus,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Joint {
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Joint::Or => "||",
            Joint::And => "&&",
            Joint::Default => "|",
            Joint::Plus => "+",
        }
    }
}

impl Comparison {
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Comparison::Equal => "==",
            Comparison::NotEqual => "!=",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        }
    }
}

impl Ast {
    /// A node over its children; its depth is theirs and one.
    pub(super) fn new(kind: Kind, span: Range<usize>) -> Self {
        let below = match &kind {
            Kind::Literal(_) | Kind::Name(_) => 0,
            Kind::Chain(_, operands) => deepest(operands),
            Kind::Compare(_, a, b) | Kind::Index(a, b) => a.depth.max(b.depth),
            Kind::Call { target, arguments, .. } => {
                deepest(arguments).max(target.as_ref().map_or(0, |target| target.depth))
            }
        };
        Self { kind, span, depth: below + 1 }
    }

    /// How tightly it binds, as the parser's precedence; what is no operator binds tightest.
    fn binding(&self) -> u8 {
        match &self.kind {
            Kind::Chain(joint, _) => joint.precedence(),
            Kind::Compare(..) => Comparison::PRECEDENCE,
            _ => u8::MAX,
        }
    }

    fn print_operand(&self, least: u8, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.binding() < least { write!(f, "({self})") } else { write!(f, "{self}") }
    }
}

fn deepest(nodes: &[Ast]) -> usize {
    nodes.iter().map(|node| node.depth).max().unwrap_or(0)
}

impl Joint {
    /// Go's precedences: `|` and `+` share a level, above comparison.
    pub(super) fn precedence(self) -> u8 {
        match self {
            Joint::Or => 1,
            Joint::And => 2,
            Joint::Default | Joint::Plus => 4,
        }
    }
}

impl Comparison {
    pub(super) const PRECEDENCE: u8 = 3;
}

impl PartialEq for Ast {
    /// Two trees are equal when they say the same, wherever it stands in its text.
    fn eq(&self, other: &Self) -> bool {
        match (&self.kind, &other.kind) {
            (
                Kind::Call { target, function, arguments, .. },
                Kind::Call { target: target2, function: function2, arguments: arguments2, .. },
            ) => target == target2 && function == function2 && arguments == arguments2,
            (kind, other) => kind == other,
        }
    }
}

impl fmt::Display for Ast {
    /// The expression with one blank around operators and no needless parentheses; parsing it gives an equal tree.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Literal(literal) => write!(f, "{literal}"),
            Kind::Name(name) => f.write_str(name),
            Kind::Chain(joint, operands) => print_chain(*joint, operands, f),
            Kind::Compare(comparison, left, right) => {
                left.print_operand(Comparison::PRECEDENCE, f)?;
                write!(f, " {} ", comparison.symbol())?;
                right.print_operand(Comparison::PRECEDENCE + 1, f)
            }
            Kind::Index(map, key) => {
                map.print_operand(u8::MAX, f)?;
                write!(f, "[{key}]")
            }
            Kind::Call { target, function, arguments, .. } => {
                if let Some(target) = target {
                    print_target(target, f)?;
                }
                write!(f, "{function}(")?;
                print_list(arguments, f)?;
                f.write_str(")")
            }
        }
    }
}

fn print_chain(joint: Joint, operands: &[Ast], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (position, operand) in operands.iter().enumerate() {
        if position == 0 {
            operand.print_operand(joint.precedence(), f)?;
        } else {
            write!(f, " {} ", joint.symbol())?;
            operand.print_operand(joint.precedence() + 1, f)?;
        }
    }
    Ok(())
}

/// Numbers get parentheses, since the point of `1.size()` would belong to the number.
fn print_target(target: &Ast, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match target.kind {
        Kind::Literal(Literal::Int64(_) | Literal::Double(_)) => write!(f, "({target})."),
        _ => {
            target.print_operand(u8::MAX, f)?;
            f.write_str(".")
        }
    }
}

fn print_list(arguments: &[Ast], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (position, argument) in arguments.iter().enumerate() {
        let comma = if position > 0 { ", " } else { "" };
        write!(f, "{comma}{argument}")?;
    }
    Ok(())
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Literal::String(text) | Literal::Duration(text, _) => print_quoted(text, f),
            Literal::Int64(number) => write!(f, "{number}"),
            // With exponent: `2` alone would read as INT64.
            Literal::Double(number) => write!(f, "{number:e}"),
            Literal::Bool(truth) => write!(f, "{truth}"),
        }
    }
}

fn print_quoted(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
            c => write!(f, "{c}")?,
        }
    }
    f.write_str("\"")
}
