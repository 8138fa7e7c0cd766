//! Rego: from modules to one rule that can be asked, within bounds.
//!
//! The interpreter is a library that is built without the functions that make requests, read the system or know the time.
//! What is left of those that answer differently each time, or make much of little, is refused by name.

use std::sync::Arc;

use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::Program;
use regorus::rvm::vm::{ExecutionMode, RegoVM};
use regorus::{Engine, Value};

use crate::diagnostic::{Code, FieldPath, Problem, Problems};

/// Most steps that one answer may take: some milliseconds.
const MAX_STEPS: usize = 25_000;

/// Functions that are not to be had: they draw lots, print, or make a value of any size of two numbers.
const REFUSED_FUNCTIONS: &[&str] =
    &["rand.intn", "print", "numbers.range", "numbers.range_step", "bits.lsh", "net.cidr_expand", "test.sleep"];

/// Most brackets that may be open at one place: with each the library's parser takes twice as long.
const MAX_OPEN: usize = 10;

/// A rule that can be asked, from any thread.
#[derive(Debug)]
pub(super) struct Rule(Arc<Program>);

impl Rule {
    /// Compiles modules, of which one has the rule `data.PACKAGE.RULE`; the params stand at `at`.
    ///
    /// # Errors
    /// What is wrong in which module, or with the rule's name.
    pub(super) fn compile(policy: &[String], rule: &str, at: &FieldPath) -> Result<Self, Problems> {
        let mut problems = Problems::new();
        let mut engine = Engine::new();
        for (position, module) in policy.iter().enumerate() {
            let at = at.field("policy").index(position);
            if let Err(problem) = add(&mut engine, position, module, at) {
                problems.push(problem);
            }
        }
        if problems.has_errors() {
            return Err(problems);
        }
        let compiled = engine.compile_with_entrypoint(&rule.into()).map_err(|error| error.to_string());
        let program = compiled
            .and_then(|compiled| Compiler::compile_from_policy(&compiled, &[rule]).map_err(|error| error.to_string()));
        program.map(Self).map_err(|told| of_all(&told, policy, rule, at).into())
    }

    /// The rule's value for an input.
    ///
    /// Nothing is shared between two answers but the program, so no call waits for another.
    ///
    /// # Errors
    /// That it took too many steps, or why they could not be done.
    pub(super) fn ask(&self, input: Value) -> Result<Value, String> {
        let mut machine = RegoVM::new();
        // This mode keeps its own stack: in the other one a policy that calls itself overflows the thread's.
        machine.set_execution_mode(ExecutionMode::Suspendable);
        machine.set_max_instructions(MAX_STEPS);
        machine.load_program(Arc::clone(&self.0));
        machine.set_input(input);
        machine.execute_entry_point_by_index(0).map_err(|error| error.to_string())
    }
}

/// Adds a module of either version of Rego: OPA 1.0's, or the one before, in which Mixer's policies are written.
fn add(engine: &mut Engine, position: usize, module: &str, at: FieldPath) -> Result<(), Problem> {
    let code = code_of(module);
    if let Some((name, start)) = REFUSED_FUNCTIONS.iter().find_map(|name| Some((name, call_of(&code, name)?))) {
        let message = format!("the function {name} is not available here");
        return Err(Problem::error(Code::NotSupported, at, message).within(start..start + name.len()));
    }
    if let Some(place) = too_deep(&code) {
        let message = format!("brackets are nested more than {MAX_OPEN} deep");
        return Err(Problem::error(Code::Invalid, at, message)
            .within(place..place + 1)
            .help("name what is inside in a rule of its own"));
    }
    let mut add = |old: bool| {
        engine.set_rego_v0(old);
        engine.add_policy(name_of(position), module.to_owned()).map(drop).map_err(|error| error.to_string())
    };
    let Err(new) = add(false) else { return Ok(()) };
    // The older version had `if` only by import; without one the library would take it for a name, and say so on standard error.
    let is_old = !has_word(&code, "if") || code.contains("future.keywords");
    let told = match is_old.then(|| add(true)) {
        Some(Ok(())) => return Ok(()),
        // The version that came further is the one that was meant.
        Some(Err(old)) if place(&old).map(|(_, place)| place) >= place(&new).map(|(_, place)| place) => old,
        _ => new,
    };
    Err(located(&told, module, Problem::error(Code::Invalid, at, last_line(&told))))
}

/// What is wrong with all modules together.
fn of_all(told: &str, policy: &[String], rule: &str, at: &FieldPath) -> Problem {
    if told.contains("not a valid rule path") {
        let help = "its first part is data, then come the package and the rule's name";
        return Problem::error(Code::NotFound, at.field("checkMethod"), format!("the policy has no rule {rule}"))
            .help(help);
    }
    let at = at.field("policy");
    match place(told).and_then(|(position, _)| Some((position, policy.get(position)?))) {
        Some((position, module)) => {
            located(told, module, Problem::error(Code::Invalid, at.index(position), last_line(told)))
        }
        None => Problem::error(Code::Invalid, at, last_line(told)),
    }
}

/// The name of a module in the library's messages.
fn name_of(position: usize) -> String {
    format!("policy[{position}]")
}

/// The module, line and column (from 1) that a message of the library names last, as in `--> policy[0]:2:7`.
fn place(told: &str) -> Option<(usize, (usize, usize))> {
    let named = told.rsplit("--> policy[").next().filter(|_| told.contains("--> policy["))?;
    let (position, rest) = named.split_once("]:")?;
    let mut numbers = rest.lines().next()?.split(':').map(|number| number.trim().parse().ok());
    Some((position.parse().ok()?, (numbers.next()??, numbers.next()??)))
}

/// What is wrong, without the picture above it.
fn last_line(told: &str) -> String {
    let last = told.rsplit("error: ").next().unwrap_or(told);
    last.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The problem, with the word at the place that a message names.
fn located(told: &str, module: &str, problem: Problem) -> Problem {
    let Some((_, (line, column))) = place(told) else { return problem };
    let Some(text) = module.split('\n').nth(line.saturating_sub(1)) else { return problem };
    let before: usize = module.split('\n').take(line.saturating_sub(1)).map(|line| line.len() + 1).sum();
    let within = text.char_indices().nth(column.saturating_sub(1)).map_or(text.len(), |(at, _)| at);
    let word = text[within..].find(|c: char| !(c.is_alphanumeric() || "_.".contains(c))).unwrap_or(text.len() - within);
    let length = word.max(text[within..].chars().next().map_or(0, char::len_utf8));
    problem.within(before + within..before + within + length)
}

/// A module with blanks in place of comments and of what stands in strings, byte for byte.
fn code_of(module: &str) -> String {
    let mut code = Vec::with_capacity(module.len());
    let (mut inside, mut escaped) = (None, false);
    for byte in module.bytes() {
        let ends = match inside {
            Some(b'#') => byte == b'\n',
            Some(quote) => byte == quote && !escaped,
            None => false,
        };
        escaped = inside == Some(b'"') && byte == b'\\' && !escaped;
        code.push(if inside.is_some() && !ends { b' ' } else { byte });
        inside = match inside {
            None if b"#\"`".contains(&byte) => Some(byte),
            _ if ends => None,
            inside => inside,
        };
    }
    String::from_utf8(code).unwrap_or_default()
}

/// Where the first bracket is opened that is one too many.
fn too_deep(code: &str) -> Option<usize> {
    let mut open = 0_usize;
    code.bytes().enumerate().find_map(|(place, byte)| {
        match byte {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        (open > MAX_OPEN).then_some(place)
    })
}

/// Where a function is called.
fn call_of(code: &str, name: &str) -> Option<usize> {
    let joins = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let mut places = code.match_indices(name).map(|(at, _)| at);
    places.find(|at| !code[..*at].ends_with(joins) && code[at + name.len()..].trim_start().starts_with('('))
}

fn has_word(code: &str, word: &str) -> bool {
    code.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|found| found == word)
}
