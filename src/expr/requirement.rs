//! What must be true of one attribute for a condition to hold: by this, conditions are found without evaluating them.

use super::function::Test as TextTest;
use super::typed::{Attribute, Node};
use super::{OwnedValue, Program, Slot};

/// A necessary condition: where it is not met, the whole condition is false, and evaluating it would not have failed.
/// Where the attribute has no value nothing is known, and the condition must be evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The attribute.
    pub slot: Slot,
    /// The key, for an attribute that is a map.
    pub key: Option<Box<str>>,
    /// What its value must be like.
    pub test: Test,
}

/// What a text must be like.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Test {
    /// This text.
    Equals(Box<str>),
    /// Begin with it.
    Prefix(Box<str>),
    /// End with it.
    Suffix(Box<str>),
}

impl Test {
    /// Whether a value is like that.
    pub fn holds(&self, value: &str) -> bool {
        match self {
            Test::Equals(text) => value == &**text,
            Test::Prefix(text) => value.starts_with(&**text),
            Test::Suffix(text) => value.ends_with(&**text),
        }
    }

    /// Whether no value passes both.
    pub fn contradicts(&self, other: &Test) -> bool {
        let neither = |one: bool, other: bool| !one && !other;
        match (self, other) {
            (Test::Equals(value), test) | (test, Test::Equals(value)) => !test.holds(value),
            (Test::Prefix(one), Test::Prefix(other)) => neither(one.starts_with(&**other), other.starts_with(&**one)),
            (Test::Suffix(one), Test::Suffix(other)) => neither(one.ends_with(&**other), other.ends_with(&**one)),
            (Test::Prefix(_), Test::Suffix(_)) | (Test::Suffix(_), Test::Prefix(_)) => false,
        }
    }

    fn text(&self) -> &str {
        match self {
            Test::Equals(text) | Test::Prefix(text) | Test::Suffix(text) => text,
        }
    }

    /// How many values it can be expected to leave out.
    fn weight(&self) -> usize {
        match self {
            Test::Equals(_) => usize::MAX,
            Test::Prefix(text) | Test::Suffix(text) => text.len(),
        }
    }
}

/// Most alternatives of one condition; with more it is simply evaluated.
const MAX_ALTERNATIVES: usize = 64;

impl Program {
    /// Requirements of which one must be met for the program to be true; none where nothing can be said. `present` tells
    /// which attributes have a value for every call.
    pub fn requirements(&self, present: &dyn Fn(Slot) -> bool) -> Vec<Requirement> {
        let found = alternatives(self.root(), present).unwrap_or_default();
        if found.len() > MAX_ALTERNATIVES { Vec::new() } else { found }
    }
}

impl Program {
    /// What one attribute must be like for the program to be true, as far as one condition says so for itself; like a
    /// [`Requirement`]: where it is not, evaluating would not have failed.
    pub fn test_of(&self, slot: Slot, present: &dyn Fn(Slot) -> bool) -> Option<Test> {
        for operand in self.conditions() {
            if let Some([only]) = alternatives(operand, present).as_deref()
                && (only.slot, &only.key) == (slot, &None)
            {
                return Some(only.test.clone());
            }
            // What stands behind something that may fail is reached only when that did not.
            if !never_fails(operand, present) {
                break;
            }
        }
        None
    }

    /// Conditions that must all be true for the program to be.
    fn conditions(&self) -> &[Node] {
        match self.root() {
            Node::And(operands) => operands,
            other => std::slice::from_ref(other),
        }
    }

    /// Everything that must be true for the program to be, where all its attributes have values: of each list one
    /// requirement must be met. For people who ask what an expression means, not for deciding calls.
    pub fn demands(&self) -> Vec<Vec<Requirement>> {
        self.conditions().iter().filter_map(|operand| alternatives(operand, &|_| true)).collect()
    }

    /// The value that the program has for every call, if it is such a one.
    pub fn constant(&self) -> Option<bool> {
        match self.root() {
            Node::Constant(OwnedValue::Bool(value)) => Some(*value),
            _ => None,
        }
    }

    /// The first attribute without which the program has no value, for a bag in which only `present` ones are sure to have
    /// one. What follows `||` or `&&` counts too.
    pub fn may_lack(&self, present: &dyn Fn(Slot) -> bool) -> Option<&str> {
        first_lacking(self.root(), present)
    }
}

fn first_lacking<'n>(node: &'n Node, present: &dyn Fn(Slot) -> bool) -> Option<&'n str> {
    match node {
        Node::Constant(_) => None,
        Node::Attribute(attribute) => (!present(attribute.slot)).then_some(&*attribute.name),
        // Only the last of a chain is needed; the others pass their absence on.
        Node::Default(operands) => first_lacking(operands.last()?, present),
        Node::Index(operands) | Node::Compare(_, operands) | Node::SameText(_, operands) | Node::Test(_, operands) => {
            operands.iter().find_map(|operand| first_lacking(operand, present))
        }
        Node::And(operands) | Node::Or(operands) | Node::Plus(operands) | Node::Call(_, operands) => {
            operands.iter().find_map(|operand| first_lacking(operand, present))
        }
        Node::Matches(_, text) => first_lacking(text, present),
    }
}

fn alternatives(node: &Node, present: &dyn Fn(Slot) -> bool) -> Option<Vec<Requirement>> {
    match node {
        Node::And(operands) => {
            let mut best: Option<Vec<Requirement>> = None;
            for operand in operands {
                if let Some(found) = alternatives(operand, present)
                    && best.as_ref().is_none_or(|best| weight(&found) > weight(best))
                {
                    best = Some(found);
                }
                // What stands behind something that may fail is reached only when that did not.
                if !never_fails(operand, present) {
                    break;
                }
            }
            best
        }
        Node::Or(operands) => {
            let mut all = Vec::new();
            for operand in operands {
                all.extend(alternatives(operand, present)?);
                // The others are asked only after this one did not fail; it does not where it has a value.
            }
            // One of them may fail for want of its attribute while another attribute decides the index.
            let same = all.iter().all(|one| (one.slot, &one.key) == (all[0].slot, &all[0].key));
            (same || operands.iter().all(|operand| never_fails(operand, present))).then_some(all)
        }
        Node::SameText(true, operands) => {
            let (tested, constant) = tested_and_constant(&operands[0], &operands[1])?;
            required(tested, Test::Equals(constant.into())).map(|one| vec![one])
        }
        Node::Test(test, operands) => tests(*test, operands.as_ref()).map(|one| vec![one]),
        _ => None,
    }
}

/// The least selective alternative decides.
fn weight(alternatives: &[Requirement]) -> usize {
    alternatives.iter().map(|one| one.test.weight()).min().unwrap_or_default()
}

fn tests(test: TextTest, [tested, with]: &[Node; 2]) -> Option<Requirement> {
    let Node::Constant(OwnedValue::String(text)) = with else { return None };
    let text = text.as_str();
    let test = match test {
        TextTest::StartsWith => Test::Prefix(text.into()),
        TextTest::EndsWith => Test::Suffix(text.into()),
        TextTest::Wildcard => match (text.strip_suffix('*'), text.strip_prefix('*')) {
            (Some(prefix), _) => Test::Prefix(prefix.into()),
            (None, Some(suffix)) => Test::Suffix(suffix.into()),
            (None, None) => Test::Equals(text.into()),
        },
    };
    required(tested, test)
}

fn tested_and_constant<'n>(left: &'n Node, right: &'n Node) -> Option<(&'n Node, &'n str)> {
    match (left, right) {
        (Node::Constant(OwnedValue::String(text)), tested) | (tested, Node::Constant(OwnedValue::String(text))) => {
            Some((tested, text))
        }
        _ => None,
    }
}

/// The requirement that a tested place passes a test, where that says something of one attribute.
fn required(tested: &Node, test: Test) -> Option<Requirement> {
    if test.text().is_empty() {
        return None;
    }
    match tested {
        Node::Attribute(Attribute { slot, .. }) => Some(Requirement { slot: *slot, key: None, test }),
        Node::Index(operands) => match operands.as_ref() {
            [Node::Attribute(Attribute { slot, .. }), Node::Constant(OwnedValue::String(key))] => {
                Some(Requirement { slot: *slot, key: Some(key.as_str().into()), test })
            }
            _ => None,
        },
        _ => None,
    }
}

/// Whether a node has a value for every call.
fn never_fails(node: &Node, present: &dyn Fn(Slot) -> bool) -> bool {
    let all = |operands: &[Node]| operands.iter().all(|operand| never_fails(operand, present));
    match node {
        Node::Constant(_) => true,
        Node::Attribute(attribute) => present(attribute.slot),
        // A key that is not in the map is the empty text.
        Node::Index(operands) | Node::Compare(_, operands) | Node::SameText(_, operands) | Node::Test(_, operands) => {
            all(operands.as_ref())
        }
        Node::Default(operands) => {
            let lookups = |node: &Node| matches!(node, Node::Attribute(_));
            operands.split_last().is_some_and(|(last, others)| {
                never_fails(last, present) && others.iter().all(|other| lookups(other) || never_fails(other, present))
            })
        }
        Node::And(operands) | Node::Or(operands) => all(operands),
        // Conversions fail for some texts, and what makes a text fails for those that are too long.
        Node::Plus(_) | Node::Call(..) => false,
        Node::Matches(_, text) => never_fails(text, present),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::{Vocabulary, slot};

    fn requirements(text: &str) -> Vec<String> {
        let vocabulary = Vocabulary::standard();
        let program = Program::compile(text, vocabulary).expect("it compiles");
        let present = |slot| matches!(slot, slot::REQUEST_HOST | slot::REQUEST_PATH | slot::REQUEST_HEADERS);
        let shown = |one: &Requirement| {
            let key = one.key.as_ref().map(|key| format!("[{key}]")).unwrap_or_default();
            format!("{}{key} {:?}", vocabulary.name_of(one.slot), one.test)
        };
        program.requirements(&present).iter().map(shown).collect()
    }

    #[test]
    fn the_most_selective_conjunct_is_required() {
        assert_eq!(
            requirements(r#"request.path.startsWith("/p") && request.host == "a" && request.host.endsWith("b")"#),
            [r#"request.host Equals("a")"#]
        );
        assert_eq!(requirements(r#"match(request.host, "*.cnn.com")"#), [r#"request.host Suffix(".cnn.com")"#]);
        assert_eq!(requirements(r#"request.headers["x"] == "1""#), [r#"request.headers[x] Equals("1")"#]);
    }

    #[test]
    fn what_stands_behind_something_that_may_fail_is_not_required() {
        assert_eq!(requirements(r#"source.name == "a" && request.host == "b""#), [r#"source.name Equals("a")"#]);
        assert_eq!(requirements(r#"source.name != "a" && request.host == "b""#), [""; 0]);
    }

    #[test]
    fn alternatives_are_all_needed() {
        assert_eq!(requirements(r#"request.host == "a" || request.host == "b""#).len(), 2);
        assert_eq!(requirements(r#"request.host == "a" || request.path.startsWith("/b")"#).len(), 2);
        assert_eq!(requirements(r#"request.host == "a" || request.host != "b""#), [""; 0]);
        assert_eq!(requirements(r#"source.name == "a" || request.host == "b""#), [""; 0]);
    }

    #[test]
    fn an_empty_text_requires_nothing() {
        // A key that is missing is the empty text too.
        assert_eq!(requirements(r#"request.headers["x"] == """#), [""; 0]);
        assert_eq!(requirements(r#"request.path.startsWith("")"#), [""; 0]);
    }

    #[test]
    fn what_is_demanded_can_be_contradictory() {
        let demands = |text: &str| Program::compile(text, Vocabulary::standard()).expect("it compiles").demands();
        let contradictory = |text: &str| {
            let found = demands(text);
            found[0][0].test.contradicts(&found[1][0].test)
        };
        let path = |one: &str, other: &str| format!("request.path{one} && request.path{other}");
        for (one, other, never) in [
            (" == \"/a\"", " == \"/b\"", true),
            (" == \"/ab\"", ".startsWith(\"/a\")", false),
            (".endsWith(\"x\")", " == \"/ab\"", true),
            (".startsWith(\"/a\")", ".startsWith(\"/ab\")", false),
            (".startsWith(\"/a\")", ".startsWith(\"/b\")", true),
            (".endsWith(\"a\")", ".endsWith(\"ba\")", false),
            (".endsWith(\"a\")", ".endsWith(\"b\")", true),
            (".startsWith(\"/a\")", ".endsWith(\"b\")", false),
        ] {
            assert_eq!(contradictory(&path(one, other)), never, "{one} {other}");
        }
        assert_eq!(demands("request.path == \"/a\" || request.host == \"b\"").len(), 1);
        assert_eq!(demands("request.path != \"/a\"").len(), 0);
    }

    #[test]
    fn a_program_may_say_the_same_of_every_call() {
        let constant = |text: &str| Program::compile(text, Vocabulary::standard()).expect("it compiles").constant();
        assert_eq!(
            (constant("1 == 2"), constant("true"), constant("request.path == \"\"")),
            (Some(false), Some(true), None)
        );
    }
}
