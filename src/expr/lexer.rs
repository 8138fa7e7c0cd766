//! Text to tokens, by the rules of Go's scanner as far as the language has its tokens.

use std::ops::Range;

use super::literal::{self, Quote};
use crate::diagnostic::{Code, FieldPath, Problem};

/// A token and its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) span: Range<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    Identifier(String),
    String(String),
    Int64(i64),
    Double(f64),
    /// An operator or bracket, as it is spelled.
    Symbol(&'static str),
    /// A line end after an operand, where Go ends the statement.
    LineEnd,
    End,
}

impl TokenKind {
    /// How a message calls it.
    pub(super) fn describe(&self) -> String {
        match self {
            TokenKind::Identifier(name) => format!("`{name}`"),
            TokenKind::String(_) => "string".into(),
            TokenKind::Int64(_) | TokenKind::Double(_) => "number".into(),
            TokenKind::Symbol(symbol) => format!("`{symbol}`"),
            TokenKind::LineEnd => "end of the line".into(),
            TokenKind::End => "end of the expression".into(),
        }
    }

    /// Whether Go would end a statement at a line end after it.
    fn may_end_statement(&self) -> bool {
        !matches!(self, TokenKind::Symbol(symbol) if !matches!(*symbol, ")" | "]"))
    }
}

/// Longer spellings stand before their beginnings.
const SYMBOLS: &[&str] = &["||", "&&", "==", "!=", "<=", ">=", "|", "+", "<", ">", "(", ")", "[", "]", ",", "."];

/// What people write that the language does not have, and what to write instead.
const FOREIGN: &[(&str, &str)] = &[
    ("!", "negate with `== false`"),
    ("-", "there is neither subtraction nor a negative number"),
    ("&", "write `&&` for \"and\""),
    ("=", "write `==` to compare"),
    ("?", "write `conditional(condition, a, b)`"),
    ("*", "the only arithmetic is `+`"),
    ("/", "the only arithmetic is `+`"),
    ("%", "the only arithmetic is `+`"),
    ("\u{201c}", "strings stand in plain quotes: \"…\""),
    ("\u{201d}", "strings stand in plain quotes: \"…\""),
    ("\u{2018}", "strings stand in plain quotes: \"…\""),
    ("\u{2019}", "strings stand in plain quotes: \"…\""),
];

/// All tokens of a text; the last is always [`TokenKind::End`].
///
/// # Errors
/// The first thing that is no token.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Problem> {
    let mut lexer = Lexer { text, at: 0, tokens: Vec::new() };
    while lexer.skip_blanks()? {
        let start = lexer.at;
        let kind = lexer.token()?;
        lexer.tokens.push(Token { kind, span: start..lexer.at });
    }
    lexer.tokens.push(Token { kind: TokenKind::End, span: text.len()..text.len() });
    Ok(lexer.tokens)
}

/// An error at bytes of the expression.
pub(super) fn error(span: Range<usize>, message: impl Into<String>) -> Problem {
    Problem::error(Code::Expression, FieldPath::root(), message).within(span)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    /// Goes to the next token, past blanks and comments; false at the end of the text.
    fn skip_blanks(&mut self) -> Result<bool, Problem> {
        loop {
            let (length, ends_line) = match self.rest() {
                "" => return Ok(false),
                rest if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), false),
                rest if rest.starts_with("/*") => self.block_comment()?,
                rest if rest.starts_with('\n') => (1, true),
                rest if rest.starts_with([' ', '\t', '\r']) => (1, false),
                _ => return Ok(true),
            };
            if ends_line
                && self
                    .tokens
                    .last()
                    .is_some_and(|last| last.kind != TokenKind::LineEnd && last.kind.may_end_statement())
            {
                self.tokens.push(Token { kind: TokenKind::LineEnd, span: self.at..self.at + length });
            }
            self.at += length;
        }
    }

    /// Length of the comment that starts here, and whether it contains a line end, which then counts as one.
    fn block_comment(&self) -> Result<(usize, bool), Problem> {
        let Some(end) = self.rest()[2..].find("*/") else {
            return Err(error(self.at..self.text.len(), "this comment is not closed"));
        };
        Ok((end + 4, self.rest()[..end + 2].contains('\n')))
    }

    fn token(&mut self) -> Result<TokenKind, Problem> {
        let rest = self.rest();
        let mut characters = rest.chars();
        let (first, second) = (characters.next().unwrap_or_default(), characters.next().unwrap_or_default());
        if let Some(quote) = Quote::starting(first) {
            return self.string(quote);
        }
        if first.is_ascii_digit() || (first == '.' && second.is_ascii_digit()) {
            return self.number();
        }
        if is_letter(first) {
            let name = &rest[..rest.find(|c| !is_letter(c) && !c.is_numeric()).unwrap_or(rest.len())];
            let name = name.to_owned();
            self.at += name.len();
            return Ok(TokenKind::Identifier(name));
        }
        self.symbol()
    }

    fn symbol(&mut self) -> Result<TokenKind, Problem> {
        if let Some(symbol) = SYMBOLS.iter().find(|symbol| self.rest().starts_with(**symbol)) {
            self.at += symbol.len();
            return Ok(TokenKind::Symbol(symbol));
        }
        if let Some((symbol, advice)) = FOREIGN.iter().find(|(symbol, _)| self.rest().starts_with(symbol)) {
            let message = format!("the language has no `{symbol}`");
            return Err(error(self.at..self.at + symbol.len(), message).help(*advice));
        }
        let foreign = self.rest().chars().next().unwrap_or_default();
        let message = format!("unexpected character `{}`", foreign.escape_debug());
        Err(error(self.at..self.at + foreign.len_utf8(), message))
    }

    fn string(&mut self, quote: Quote) -> Result<TokenKind, Problem> {
        let (text, length) = literal::unquote(self.rest(), quote)
            .map_err(|fault| error(self.at + fault.span.start..self.at + fault.span.end, fault.message))?;
        self.at += length;
        Ok(TokenKind::String(text))
    }

    fn number(&mut self) -> Result<TokenKind, Problem> {
        let (kind, length) = literal::number(self.rest())
            .map_err(|fault| error(self.at + fault.span.start..self.at + fault.span.end, fault.message))?;
        self.at += length;
        Ok(kind)
    }
}

pub(super) fn is_letter(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}
