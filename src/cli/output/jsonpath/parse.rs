//! Text to template.

use serde_json::Value as Json;

use super::{Comparison, Error, Filter, Node, Operand, Path, Step};

/// Deepest nesting of ranges, filters and unions; more than anybody writes, little enough for any stack.
const MAX_DEPTH: usize = 32;

/// Reads a whole template.
pub(super) fn template(text: &str) -> Result<Vec<Node>, Error> {
    let mut parser = Parser { rest: text };
    parser.nodes(0)
}

struct Parser<'a> {
    rest: &'a str,
}

/// What stands between two braces.
enum Action {
    Nodes(Vec<Node>),
    Range(Path),
    End,
}

impl<'a> Parser<'a> {
    /// Nodes up to the end of the text or, inside a range, its `{end}`; a range that is not ended ends with the text.
    fn nodes(&mut self, depth: usize) -> Result<Vec<Node>, Error> {
        limit(depth)?;
        let mut nodes = Vec::new();
        while !self.rest.is_empty() {
            let text = self.until(|c| c == '{');
            if !text.is_empty() {
                nodes.push(Node::Text(text.to_owned()));
            }
            if !self.eat("{") {
                break;
            }
            match self.action(depth)? {
                Action::Nodes(found) => nodes.extend(found),
                Action::Range(path) => nodes.push(Node::Range(path, self.nodes(depth + 1)?)),
                Action::End if depth == 0 => return Err(error("not in range, nothing to end")),
                Action::End => return Ok(nodes),
            }
        }
        Ok(nodes)
    }

    fn action(&mut self, depth: usize) -> Result<Action, Error> {
        self.blanks();
        if self.keyword("end") {
            self.blanks();
            return self.close().map(|()| Action::End);
        }
        if self.keyword("range") {
            let path = self.path(depth)?;
            return self.close().map(|()| Action::Range(path));
        }
        let mut nodes = Vec::new();
        loop {
            self.blanks();
            match self.peek() {
                Some('}') => return self.close().map(|()| Action::Nodes(nodes)),
                Some(quote @ ('"' | '\'')) => nodes.push(Node::Text(self.quoted(quote)?)),
                _ => nodes.push(Node::Path(self.path(depth)?)),
            }
        }
    }

    fn close(&mut self) -> Result<(), Error> {
        if self.eat("}") { Ok(()) } else { Err(error("unclosed action")) }
    }

    /// Steps up to a character that ends a path; there is at least one, or one of `$` and `@`.
    fn path(&mut self, depth: usize) -> Result<Path, Error> {
        limit(depth)?;
        let mut path = Vec::new();
        let mut read = false;
        loop {
            self.blanks();
            let Some(next) = self.peek() else { break };
            match next {
                '$' | '@' => self.skip(1),
                '[' => path.push(self.bracket(depth)?),
                '.' => self.dot(&mut path)?,
                _ => break,
            }
            read = true;
        }
        match self.peek() {
            _ if read => Ok(path),
            None => Err(error("unclosed action")),
            Some(c) if c.is_alphanumeric() => Err(error(format!("unrecognized identifier {}", self.until(ends_name)))),
            Some(c) => Err(error(format!("unrecognized character in action: U+{:04X} '{c}'", u32::from(c)))),
        }
    }

    fn dot(&mut self, path: &mut Path) -> Result<(), Error> {
        if self.eat("..") {
            path.push(Step::Recursive);
            if self.peek().is_none_or(|c| ends_name(c) && c != '*') {
                return Ok(());
            }
        } else {
            self.skip(1);
        }
        let name = self.name();
        match name.as_str() {
            "*" => path.push(Step::Wildcard),
            // `.[0]` and a lone `.` mean the value itself.
            "" => {}
            _ => path.push(Step::Field(name)),
        }
        Ok(())
    }

    /// A field's name; a backslash takes the next character as it is (`app\.kubernetes\.io/name`).
    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(c) = self.peek().filter(|&c| !ends_name(c)) {
            self.skip(c.len_utf8());
            if c == '\\'
                && let Some(escaped) = self.peek()
            {
                self.skip(escaped.len_utf8());
                name.push(escaped);
            } else {
                name.push(c);
            }
        }
        name
    }

    fn bracket(&mut self, depth: usize) -> Result<Step, Error> {
        if self.eat("[?(") {
            let filter = self.filter(depth + 1)?;
            self.blanks();
            return if self.eat(")]") { Ok(filter) } else { Err(error("unclosed array expect ]")) };
        }
        self.skip(1);
        let mut items = Vec::new();
        loop {
            self.blanks();
            items.push(self.subscript(depth)?);
            self.blanks();
            if self.eat("]") {
                break;
            }
            if !self.eat(",") {
                return Err(error("unterminated array"));
            }
        }
        match items.len() {
            1 => Ok(items.remove(0)),
            _ => Ok(Step::Union(items.into_iter().map(|step| vec![step]).collect())),
        }
    }

    fn subscript(&mut self, depth: usize) -> Result<Step, Error> {
        limit(depth)?;
        match self.peek() {
            Some(quote @ ('\'' | '"')) => self.quoted(quote).map(Step::Field),
            Some('.' | '@' | '$') => Ok(Step::Union(vec![self.path(depth + 1)?])),
            _ => slice(self.until(|c| matches!(c, ',' | ']')).trim()),
        }
    }

    fn filter(&mut self, depth: usize) -> Result<Step, Error> {
        let left = self.operand(depth)?;
        self.blanks();
        let comparison = [
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        let Some(&(_, comparison)) = comparison.iter().find(|(sign, _)| self.eat(sign)) else {
            return match self.peek() {
                Some(')') => Ok(Step::Filter(Box::new(Filter::Exists(left)))),
                Some(_) => Err(error(format!("unrecognized filter operator {}", self.until(|c| c == ')')))),
                None => Err(error("unterminated filter")),
            };
        };
        let right = self.operand(depth)?;
        Ok(Step::Filter(Box::new(Filter::Compare(left, comparison, right))))
    }

    fn operand(&mut self, depth: usize) -> Result<Operand, Error> {
        self.blanks();
        match self.peek() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote).map(|text| Operand::Literal(Json::String(text))),
            Some('.' | '@' | '$' | '[') => self.path(depth).map(Operand::Path),
            _ => {
                let word = self.until(|c| c.is_whitespace() || matches!(c, '=' | '!' | '<' | '>' | ')'));
                literal(word).map(Operand::Literal)
            }
        }
    }

    /// A text in quotes, with Go's escapes.
    fn quoted(&mut self, quote: char) -> Result<String, Error> {
        self.skip(1);
        let mut text = String::new();
        loop {
            let Some(c) = self.peek() else { return Err(error("unterminated quoted string")) };
            self.skip(c.len_utf8());
            match c {
                c if c == quote => return Ok(text),
                '\\' => text.push(self.escaped()?),
                c => text.push(c),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, Error> {
        let c = self.peek().ok_or_else(|| error("unterminated quoted string"))?;
        self.skip(c.len_utf8());
        let digits = match c {
            'n' => return Ok('\n'),
            't' => return Ok('\t'),
            'r' => return Ok('\r'),
            '0' => return Ok('\0'),
            '\\' | '"' | '\'' | '/' => return Ok(c),
            'x' => 2,
            'u' => 4,
            _ => return Err(error("invalid syntax")),
        };
        let code = self.rest.get(..digits).and_then(|hex| u32::from_str_radix(hex, 16).ok()).and_then(char::from_u32);
        let code = code.ok_or_else(|| error("invalid syntax"))?;
        self.skip(digits);
        Ok(code)
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// Leaves out the next `bytes`, which were looked at before.
    fn skip(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
    }

    fn eat(&mut self, text: &str) -> bool {
        self.rest.strip_prefix(text).inspect(|rest| self.rest = rest).is_some()
    }

    fn keyword(&mut self, word: &str) -> bool {
        let whole = self.rest.strip_prefix(word).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()));
        whole && self.eat(word)
    }

    fn blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    fn until(&mut self, ends: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        let (found, rest) = self.rest.split_at(end);
        self.rest = rest;
        found
    }
}

fn ends_name(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '.' | ',' | '[' | ']' | '$' | '@' | '{' | '}' | '(' | ')' | '=' | '!' | '<' | '>' | '\'' | '"')
}

/// `*`, `0`, `-1`, `0:2`, `::2`.
fn slice(text: &str) -> Result<Step, Error> {
    let invalid = || error(format!("invalid array index {text}"));
    let bound = |text: &str| match text.trim() {
        "" => Ok(None),
        text => text.parse::<i64>().map(Some).map_err(|_| invalid()),
    };
    let parts: Vec<&str> = text.split(':').collect();
    match parts.as_slice() {
        ["*"] => Ok(Step::Slice { start: None, end: None, step: None }),
        [index] => bound(index)?.map(Step::Index).ok_or_else(invalid),
        [start, end] => Ok(Step::Slice { start: bound(start)?, end: bound(end)?, step: None }),
        [start, end, step] => Ok(Step::Slice { start: bound(start)?, end: bound(end)?, step: bound(step)? }),
        _ => Err(invalid()),
    }
}

fn literal(word: &str) -> Result<Json, Error> {
    match serde_json::from_str(word) {
        Ok(value @ (Json::Bool(_) | Json::Number(_) | Json::Null)) => Ok(value),
        _ => Err(error(format!("unrecognized identifier {word}"))),
    }
}

fn limit(depth: usize) -> Result<(), Error> {
    if depth > MAX_DEPTH { Err(error(format!("nested deeper than {MAX_DEPTH}"))) } else { Ok(()) }
}

fn error(why: impl Into<String>) -> Error {
    Error(why.into())
}
