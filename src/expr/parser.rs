//! Tokens to a tree, by the part of Go's expression grammar that Mixer takes.

use std::ops::Range;

use super::ast::{Ast, Comparison, Joint, Kind, Literal};
use super::duration;
use super::lexer::{Token, TokenKind, error, tokens};
use crate::diagnostic::Problem;

/// Longest expression, in bytes: several screens, yet few enough that every later step is quick whatever stands there.
pub const MAX_LENGTH: usize = 8 * 1024;

/// Deepest nesting, in levels of parentheses and of the tree: every walk of a tree, evaluation included, recurses no
/// deeper. Mixer itself gave up near 60.
pub const MAX_DEPTH: usize = 64;

/// Go's reserved words, which no name may contain.
const KEYWORDS: &[&str] = &[
    "break",
    "case",
    "chan",
    "const",
    "continue",
    "default",
    "defer",
    "else",
    "fallthrough",
    "for",
    "func",
    "go",
    "goto",
    "if",
    "import",
    "interface",
    "map",
    "package",
    "range",
    "return",
    "select",
    "struct",
    "switch",
    "type",
    "var",
];

impl Ast {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is no expression, or is longer than [`MAX_LENGTH`] or deeper than [`MAX_DEPTH`]; the problem's `within` are
    /// the bytes at fault.
    pub fn parse(text: &str) -> Result<Ast, Problem> {
        if text.len() > MAX_LENGTH {
            let message = format!("the expression has {} bytes, more than the {MAX_LENGTH} that are read", text.len());
            return Err(error(0..0, message));
        }
        let mut parser = Parser { tokens: tokens(text)?, at: 0, nesting: 0 };
        if parser.peek() == &TokenKind::End {
            return Err(error(0..text.len(), "the expression is empty"));
        }
        let ast = parser.operation(1)?;
        match parser.peek() {
            TokenKind::End => Ok(ast),
            // Always followed by another token, the last of which is the end.
            TokenKind::LineEnd if parser.tokens[parser.at + 1].kind == TokenKind::End => Ok(ast),
            _ => Err(parser.unexpected("an operator or the end of the expression")),
        }
    }
}

#[derive(Clone, Copy)]
enum Operator {
    Joint(Joint),
    Comparison(Comparison),
}

impl Operator {
    fn of(kind: &TokenKind) -> Option<Self> {
        let TokenKind::Symbol(symbol) = kind else { return None };
        Some(match *symbol {
            "||" => Operator::Joint(Joint::Or),
            "&&" => Operator::Joint(Joint::And),
            "|" => Operator::Joint(Joint::Default),
            "+" => Operator::Joint(Joint::Plus),
            "==" => Operator::Comparison(Comparison::Equal),
            "!=" => Operator::Comparison(Comparison::NotEqual),
            "<" => Operator::Comparison(Comparison::Less),
            "<=" => Operator::Comparison(Comparison::LessOrEqual),
            ">" => Operator::Comparison(Comparison::Greater),
            ">=" => Operator::Comparison(Comparison::GreaterOrEqual),
            _ => return None,
        })
    }

    fn precedence(self) -> u8 {
        match self {
            Operator::Joint(joint) => joint.precedence(),
            Operator::Comparison(_) => Comparison::PRECEDENCE,
        }
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    /// How many [`Parser::operation`]s of brackets are open.
    nesting: usize,
}

impl Parser {
    fn peek(&self) -> &TokenKind {
        &self.tokens[self.at].kind
    }

    fn span(&self) -> Range<usize> {
        self.tokens[self.at].span.clone()
    }

    /// End of the token before this one.
    fn end(&self) -> usize {
        self.tokens[self.at.saturating_sub(1)].span.end
    }

    /// Passes a symbol if it is next.
    fn accept(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), TokenKind::Symbol(next) if *next == symbol);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, symbol: &str) -> Result<(), Problem> {
        if self.accept(symbol) { Ok(()) } else { Err(self.unexpected(&format!("`{symbol}`"))) }
    }

    fn unexpected(&self, expected: &str) -> Problem {
        let problem = error(self.span(), format!("unexpected {}, expected {expected}", self.peek().describe()));
        match self.peek() {
            TokenKind::LineEnd => problem.help("a line may end after an operator, an opening bracket or a comma"),
            _ => problem,
        }
    }

    /// Operators of at least a precedence and what stands between them.
    fn operation(&mut self, least: u8) -> Result<Ast, Problem> {
        let mut left = self.primary()?;
        while let Some(operator) = Operator::of(self.peek()).filter(|operator| operator.precedence() >= least) {
            self.at += 1;
            let right = self.operation(operator.precedence() + 1)?;
            left = shallow(join(left, operator, right))?;
        }
        Ok(left)
    }

    /// A whole expression inside brackets.
    fn nested(&mut self) -> Result<Ast, Problem> {
        if self.nesting == MAX_DEPTH {
            return Err(too_deep(self.span()));
        }
        self.nesting += 1;
        let inner = self.operation(1)?;
        self.nesting -= 1;
        Ok(inner)
    }

    /// An operand with the indexes and methods that follow it.
    fn primary(&mut self) -> Result<Ast, Problem> {
        let start = self.span().start;
        let mut operand = self.operand()?;
        loop {
            operand = if self.accept("[") {
                let key = self.nested()?;
                self.expect("]")?;
                Ast::new(Kind::Index(operand.into(), key.into()), start..self.end())
            } else if self.accept(".") {
                let (method, span) = self.identifier()?;
                if !self.accept("(") {
                    return Err(error(span, format!("`.{method}` is no method call; values have no fields")));
                }
                self.call(Some(operand), method, span)?
            } else {
                return Ok(operand);
            };
            operand = shallow(operand)?;
        }
    }

    fn operand(&mut self) -> Result<Ast, Problem> {
        let span = self.span();
        let literal = match self.peek() {
            TokenKind::Identifier(_) => return self.name_or_call(),
            TokenKind::Symbol("(") => return self.parenthesised(),
            TokenKind::String(text) => string_literal(text),
            TokenKind::Int64(number) => Literal::Int64(*number),
            TokenKind::Double(number) => Literal::Double(*number),
            _ => return Err(self.unexpected("a value")),
        };
        self.at += 1;
        Ok(Ast::new(Kind::Literal(literal), span))
    }

    fn parenthesised(&mut self) -> Result<Ast, Problem> {
        let start = self.span().start;
        self.expect("(")?;
        let mut inner = self.nested()?;
        self.expect(")")?;
        inner.span = start..self.end();
        Ok(inner)
    }

    /// `name`, `function(…)` or `name.method(…)`: only the bracket tells whether the last part names a method.
    fn name_or_call(&mut self) -> Result<Ast, Problem> {
        let start = self.span().start;
        let (mut name, mut last_span) = self.identifier()?;
        if self.accept("(") {
            return self.call(None, name, last_span);
        }
        while self.accept(".") {
            let end = last_span.end;
            let (part, span) = self.identifier()?;
            if self.accept("(") {
                return self.call(Some(name_or_truth(name, start..end)), part, span);
            }
            name.push('.');
            name.push_str(&part);
            last_span = span;
        }
        Ok(name_or_truth(name, start..last_span.end))
    }

    fn identifier(&mut self) -> Result<(String, Range<usize>), Problem> {
        let span = self.span();
        let TokenKind::Identifier(name) = self.peek() else { return Err(self.unexpected("a name")) };
        let name = name.clone();
        if KEYWORDS.contains(&name.as_str()) {
            return Err(error(span, format!("`{name}` is a reserved word and cannot be part of a name")));
        }
        self.at += 1;
        Ok((name, span))
    }

    /// The arguments after an opening bracket.
    fn call(&mut self, target: Option<Ast>, function: String, function_span: Range<usize>) -> Result<Ast, Problem> {
        let start = target.as_ref().map_or(function_span.start, |target| target.span.start);
        let mut arguments = Vec::new();
        while !self.accept(")") {
            arguments.push(self.nested()?);
            if !self.accept(",") {
                self.expect(")")?;
                break;
            }
        }
        let target = target.map(Box::new);
        let kind = Kind::Call { target, function, function_span, arguments };
        shallow(Ast::new(kind, start..self.end()))
    }
}

fn join(left: Ast, operator: Operator, right: Ast) -> Ast {
    let span = left.span.start..right.span.end;
    let kind = match (operator, left) {
        (Operator::Joint(joint), Ast { kind: Kind::Chain(same, mut operands), depth, .. }) if same == joint => {
            // The depth of the others is known; asking them all again would make long chains quadratic.
            let depth = depth.max(right.depth + 1);
            operands.push(right);
            return Ast { kind: Kind::Chain(joint, operands), span, depth };
        }
        (Operator::Joint(joint), left) => Kind::Chain(joint, vec![left, right]),
        (Operator::Comparison(comparison), left) => Kind::Compare(comparison, left.into(), right.into()),
    };
    Ast::new(kind, span)
}

fn shallow(ast: Ast) -> Result<Ast, Problem> {
    if ast.depth > MAX_DEPTH { Err(too_deep(ast.span)) } else { Ok(ast) }
}

fn too_deep(span: Range<usize>) -> Problem {
    error(span, format!("the expression is nested deeper than {MAX_DEPTH} levels"))
}

fn string_literal(text: &str) -> Literal {
    match duration::parse(text) {
        Some(nanos) => Literal::Duration(text.to_owned(), nanos),
        None => Literal::String(text.to_owned()),
    }
}

/// `true` and `false`, in any letter case, are values and not names.
fn name_or_truth(name: String, span: Range<usize>) -> Ast {
    let truth = ["false", "true"].iter().position(|truth| name.eq_ignore_ascii_case(truth));
    match truth {
        Some(position) => Ast::new(Kind::Literal(Literal::Bool(position == 1)), span),
        None => Ast::new(Kind::Name(name), span),
    }
}
