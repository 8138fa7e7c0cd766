//! Instances: a template's fields, filled with expressions, and their values for one call.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::accesslog::{Redact, Shape};
use crate::call::CallBag;
use crate::diagnostic::{FieldPath, Problems};
use crate::expr::{EvalError, Program, Scratch, Timestamp, ValueRef, ValueType, Vocabulary};
use crate::resource::decode::{Spelling, decode_all};

use super::expression::program;
use super::hints::Hints;
use super::template::Template;

/// A compiled instance.
#[derive(Debug)]
pub struct Instance {
    /// Full name: `egress-access.logentry.istio-system`.
    pub name: String,
    /// What it is an instance of.
    pub template: &'static Template,
    /// What is left out of its lines, if it says so itself.
    pub redact: Option<Redact>,
    fields: Vec<Option<Program>>,
    maps: Vec<Vec<Member>>,
    hints: OnceLock<Hints>,
}

/// One value of a map.
#[derive(Debug)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// `,"name":`, ready to be written.
    pub json_key: String,
    program: Program,
}

impl Instance {
    /// Compiles the params that stand at a path.
    ///
    /// # Errors
    /// Each field that does not parse or type-check, with the place inside it.
    pub fn compile(
        name: String,
        template: &'static Template,
        params: &Json,
        at: FieldPath,
        vocabulary: &Vocabulary,
    ) -> Result<(Self, Problems), Problems> {
        let mut filling =
            Filling { params, at, vocabulary, problems: Problems::new(), fields: Vec::new(), maps: Vec::new() };
        (template.fill)(&mut filling);
        let Filling { problems, fields, maps, .. } = filling;
        if problems.has_errors() {
            Err(problems)
        } else {
            Ok((Self { name, template, redact: None, fields, maps, hints: OnceLock::new() }, problems))
        }
    }

    /// The name alone, by which quotas are asked for.
    pub fn short_name(&self) -> &str {
        self.name.split('.').next().unwrap_or_default()
    }

    /// The type of a field; none where it is not given.
    pub fn field_type(&self, field: usize) -> Option<ValueType> {
        self.fields.get(field)?.as_ref().map(Program::result_type)
    }

    /// What its expressions read.
    pub(super) fn hints(&self) -> &Hints {
        let members = self.maps.iter().flatten().map(|member| &member.program);
        self.hints.get_or_init(|| Hints::new(self.fields.iter().flatten().chain(members), Vocabulary::standard()))
    }

    /// The type of a member of a map; none where it has no such member.
    pub fn member_type(&self, map: usize, name: &str) -> Option<ValueType> {
        self.members(map).iter().find(|member| member.name == name).map(|member| member.program.result_type())
    }

    /// The members of a map, in byte order of their names.
    pub fn members(&self, map: usize) -> &[Member] {
        self.maps.get(map).map_or(&[], Vec::as_slice)
    }
}

/// What a template compiles its params with, in the order of its own numbers of fields and maps.
pub struct Filling<'a> {
    params: &'a Json,
    at: FieldPath,
    vocabulary: &'a Vocabulary,
    problems: Problems,
    fields: Vec<Option<Program>>,
    maps: Vec<Vec<Member>>,
}

impl Filling<'_> {
    /// The decoded params, with harmless values where the kind's own check has found faults: what else is wrong shall be
    /// found in the same run.
    pub fn params<T: DeserializeOwned + Default>(&mut self) -> T {
        let (params, faults) = decode_all(self.params, &self.at, Spelling::Protobuf);
        self.problems.extend(faults);
        params.unwrap_or_default()
    }

    /// The next field: an expression of one of some types, any where none is named; an empty text is no field.
    pub fn field(&mut self, name: &str, text: &str, types: &[ValueType]) {
        let at = under(&self.at, name);
        let compiled =
            if text.is_empty() { None } else { program(text, at, types, self.vocabulary, &mut self.problems) };
        self.fields.push(compiled);
    }

    /// The next map: expressions of any type.
    pub fn map(&mut self, name: &str, entries: &BTreeMap<String, String>) {
        let at = under(&self.at, name);
        let mut members = Vec::with_capacity(entries.len());
        for (name, text) in entries {
            if let Some(program) = program(text, at.field(name), &[], self.vocabulary, &mut self.problems) {
                let json_key = format!(",{}:", Json::from(name.as_str()));
                members.push(Member { name: name.clone(), json_key, program });
            }
        }
        self.maps.push(members);
    }
}

/// `subject.user` under a path.
fn under(at: &FieldPath, name: &str) -> FieldPath {
    name.split('.').fold(at.clone(), |at, part| at.field(part))
}

/// The values of an instance for one call, computed when they are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Values<'v> {
    /// The instance.
    pub instance: &'v Instance,
    /// What its lines share, for handlers that make some.
    pub(super) shape: Option<&'v std::sync::Arc<Shape>>,
    pub(super) bag: &'v CallBag<'v>,
    pub(super) scratch: &'v Scratch,
}

/// Why a handler could not do its part.
#[derive(Debug)]
pub enum Fault<'v> {
    /// A field of the instance has no value.
    Field(EvalError<'v>),
    /// The handler cannot work.
    Handler(Cow<'static, str>),
}

impl<'v> From<EvalError<'v>> for Fault<'v> {
    fn from(error: EvalError<'v>) -> Self {
        Fault::Field(error)
    }
}

impl std::fmt::Display for Fault<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Field(error) => error.fmt(f),
            Fault::Handler(why) => f.write_str(why),
        }
    }
}

impl<'v> Values<'v> {
    /// The value of a field; none where it is not given.
    ///
    /// # Errors
    /// When its expression has no value.
    pub fn field(&self, field: usize) -> Result<Option<ValueRef<'v>>, EvalError<'v>> {
        let Some(Some(program)) = self.instance.fields.get(field) else { return Ok(None) };
        program.eval(self.bag, self.scratch).map(Some)
    }

    /// A field of type STRING; empty where it is not given.
    ///
    /// # Errors
    /// When its expression has no value.
    pub fn text(&self, field: usize) -> Result<&'v str, EvalError<'v>> {
        Ok(match self.field(field)? {
            Some(ValueRef::String(text)) => text,
            _ => "",
        })
    }

    /// The members of a map with their values, in byte order of their names.
    pub fn map(&self, map: usize) -> impl Iterator<Item = (&'v Member, Result<ValueRef<'v>, EvalError<'v>>)> + use<'v> {
        let (bag, scratch) = (self.bag, self.scratch);
        self.instance.members(map).iter().map(move |member| (member, member.program.eval(bag, scratch)))
    }

    /// When the call was made.
    pub fn time(&self) -> Timestamp {
        self.bag.call().time()
    }
}
