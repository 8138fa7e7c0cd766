//! An expression ready to be evaluated, millions of times.

use super::ast::Ast;
use super::check::check;
use super::eval::{EvalError, Evaluation};
use super::lexer::error;
use super::typed::Node;
use super::{Bag, Scratch, ValueRef, ValueType, Vocabulary};
use crate::diagnostic::{Problem, Problems};

/// A checked expression: names are slots, constants are computed, regular expressions compiled.
#[derive(Debug)]
pub struct Program {
    text: Box<str>,
    root: Node,
    result: ValueType,
}

/// A program, and what a user should know about it all the same.
#[derive(Debug)]
pub struct Compiled {
    /// The program.
    pub program: Program,
    /// Each at the document's root, with `within` in the expression.
    pub warnings: Problems,
}

impl Program {
    /// Parses and checks an expression; warnings are dropped.
    ///
    /// # Errors
    /// The first mistake, at the document's root with `within` in the expression: the caller knows the field.
    pub fn compile(text: &str, vocabulary: &Vocabulary) -> Result<Program, Problem> {
        Self::compile_with_warnings(text, vocabulary).map(|compiled| compiled.program)
    }

    /// As [`Program::compile`], with the warnings.
    ///
    /// # Errors
    /// As [`Program::compile`].
    pub fn compile_with_warnings(text: &str, vocabulary: &Vocabulary) -> Result<Compiled, Problem> {
        let ast = Ast::parse(text)?;
        let (typed, warnings) = check(&ast, vocabulary)?;
        Ok(Compiled { program: Program { text: text.into(), root: typed.node, result: typed.of }, warnings })
    }

    /// As [`Program::compile_with_warnings`], for a place that takes one type only.
    ///
    /// # Errors
    /// As [`Program::compile`], and as [`Program::expect_type`].
    pub fn compile_as(text: &str, vocabulary: &Vocabulary, expected: ValueType) -> Result<Compiled, Problem> {
        let Compiled { program, warnings } = Self::compile_with_warnings(text, vocabulary)?;
        Ok(Compiled { program: program.expect_type(expected)?, warnings })
    }

    /// The program, if its values are of this type.
    ///
    /// # Errors
    /// `expression 'E' evaluated to type STRING, expected type BOOL`.
    pub fn expect_type(self, expected: ValueType) -> Result<Self, Problem> {
        if self.result == expected {
            return Ok(self);
        }
        let message =
            format!("expression '{}' evaluated to type {}, expected type {expected}", self.text.trim(), self.result);
        Err(error(0..self.text.len(), message))
    }

    pub(super) fn root(&self) -> &Node {
        &self.root
    }

    /// The type of its values.
    pub fn result_type(&self) -> ValueType {
        self.result
    }

    /// The expression as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The value for one call. Nothing is allocated, but for the scratch space's growth under `+` and `toLower`, and a
    /// `matches` whose pattern is no constant.
    ///
    /// # Errors
    /// Where an attribute is absent that is needed, or a conversion fails.
    pub fn eval<'a, B: Bag + ?Sized>(
        &'a self,
        bag: &'a B,
        scratch: &'a Scratch,
    ) -> Result<ValueRef<'a>, EvalError<'a>> {
        Evaluation { bag, scratch }.value(&self.root)
    }

    /// Whether the expression is true of one call.
    ///
    /// # Errors
    /// As [`Program::eval`], and where the program is not of type BOOL.
    pub fn holds<'a, B: Bag + ?Sized>(&'a self, bag: &'a B, scratch: &'a Scratch) -> Result<bool, EvalError<'a>> {
        if self.result != ValueType::Bool {
            return Err(EvalError::NotBool { text: &self.text, found: self.result });
        }
        Evaluation { bag, scratch }.truth(&self.root)
    }
}
