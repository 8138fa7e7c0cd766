//! Which rules can match a call: found by what their matches require, so that rules for other hosts, paths and callers
//! cost nothing.

use std::cmp::Ordering;
use std::collections::HashMap;

use smallvec::SmallVec;

use crate::call::always_present;
use crate::expr::{Bag, Program, Requirement, Slot, Test, ValueRef};

/// Rules that may match, by their numbers, ascending. Few, for most calls; many only cost memory for a moment.
pub(super) type Candidates = SmallVec<[u32; 32]>;

/// An index over the conditions of rules.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Rules whose condition requires nothing that can be looked up.
    always: Vec<u32>,
    tables: Vec<Table>,
}

/// The rules that require something of one attribute, or of one key of it.
#[derive(Debug)]
struct Table {
    slot: Slot,
    key: Option<Box<str>>,
    /// Candidates where the attribute has no value: their evaluation fails, which is for them to say.
    all: Vec<u32>,
    exact: HashMap<Box<str>, Vec<u32>>,
    prefixes: Affixes,
    suffixes: Affixes,
}

impl Index {
    /// Takes in the rule of a number, which must be greater than all before.
    pub(super) fn push(&mut self, number: u32, condition: Option<&Program>) {
        let requirements = condition.map(|condition| condition.requirements(&always_present)).unwrap_or_default();
        if requirements.is_empty() {
            self.always.push(number);
        }
        for Requirement { slot, key, test } in requirements {
            let table = self.table(slot, key);
            if table.all.last() != Some(&number) {
                table.all.push(number);
            }
            match test {
                Test::Equals(text) => table.exact.entry(text).or_default().push(number),
                Test::Prefix(text) => table.prefixes.push(text, number),
                Test::Suffix(text) => table.suffixes.push(text, number),
            }
        }
    }

    fn table(&mut self, slot: Slot, key: Option<Box<str>>) -> &mut Table {
        let found = self.tables.iter().position(|table| table.slot == slot && table.key == key);
        let place = found.unwrap_or_else(|| {
            let (exact, all) = (HashMap::new(), Vec::new());
            let affixes = |backwards| Affixes { backwards, ..Affixes::default() };
            self.tables.push(Table { slot, key, all, exact, prefixes: affixes(false), suffixes: affixes(true) });
            self.tables.len() - 1
        });
        &mut self.tables[place]
    }

    /// Makes it ready to be asked, after the last rule.
    pub(super) fn seal(&mut self) {
        for table in &mut self.tables {
            table.prefixes.seal();
            table.suffixes.seal();
        }
    }

    /// All rules, for a call that cannot be looked up.
    pub(super) fn all(&self) -> Candidates {
        let mut all: Candidates =
            self.always.iter().chain(self.tables.iter().flat_map(|table| &table.all)).copied().collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The rules that may match.
    pub(super) fn candidates(&self, bag: &impl Bag) -> Candidates {
        let mut found: Candidates = self.always.iter().copied().collect();
        for table in &self.tables {
            table.find(bag, &mut found);
        }
        if found.len() > self.always.len() {
            found.sort_unstable();
            found.dedup();
        }
        found
    }
}

impl Table {
    fn find(&self, bag: &impl Bag, found: &mut Candidates) {
        let text = match (bag.get(self.slot), &self.key) {
            (Some(ValueRef::String(text)), None) => text,
            (Some(ValueRef::StringMap(map)), Some(key)) => map.get(key).unwrap_or_default(),
            _ => return found.extend_from_slice(&self.all),
        };
        if let Some(rules) = self.exact.get(text) {
            found.extend_from_slice(rules);
        }
        self.prefixes.find(text, found);
        self.suffixes.find(text, found);
    }
}

/// Beginnings (or, read backwards, ends) of texts. Sorted; each knows the longest other that it begins with, so those
/// that a text begins with are a chain that starts at the place where the text would stand.
#[derive(Debug, Default)]
struct Affixes {
    backwards: bool,
    sorted: Vec<Affix>,
}

#[derive(Debug)]
struct Affix {
    text: Box<str>,
    rules: Vec<u32>,
    shorter: Option<usize>,
}

impl Affixes {
    fn push(&mut self, text: Box<str>, rule: u32) {
        self.sorted.push(Affix { text, rules: vec![rule], shorter: None });
    }

    fn order(&self, a: &str, b: &str) -> Ordering {
        if self.backwards { a.bytes().rev().cmp(b.bytes().rev()) } else { a.cmp(b) }
    }

    fn begins(&self, text: &str, with: &str) -> bool {
        if self.backwards { text.ends_with(with) } else { text.starts_with(with) }
    }

    fn seal(&mut self) {
        let mut sorted = std::mem::take(&mut self.sorted);
        sorted.sort_by(|a, b| self.order(&a.text, &b.text));
        for affix in sorted {
            match self.sorted.last_mut() {
                Some(last) if last.text == affix.text => last.rules.extend(affix.rules),
                _ => self.sorted.push(affix),
            }
        }
        for place in 1..self.sorted.len() {
            let shorter = self.longest_from(Some(place - 1), &self.sorted[place].text);
            self.sorted[place].shorter = shorter;
        }
    }

    /// The longest affix of a text, from a place on down the chain.
    fn longest_from(&self, mut place: Option<usize>, text: &str) -> Option<usize> {
        while let Some(at) = place {
            if self.begins(text, &self.sorted[at].text) {
                return place;
            }
            place = self.sorted[at].shorter;
        }
        None
    }

    fn find(&self, text: &str, found: &mut Candidates) {
        let above = self.sorted.partition_point(|affix| self.order(&affix.text, text) != Ordering::Greater);
        let mut place = self.longest_from(above.checked_sub(1), text);
        while let Some(at) = place {
            found.extend_from_slice(&self.sorted[at].rules);
            place = self.sorted[at].shorter;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::expr::{Scratch, Vocabulary, slot};

    struct Call {
        host: String,
        path: String,
        name: Option<String>,
    }

    impl Bag for Call {
        fn get(&self, slot: Slot) -> Option<ValueRef<'_>> {
            match slot {
                slot::REQUEST_HOST => Some(ValueRef::String(&self.host)),
                slot::REQUEST_PATH => Some(ValueRef::String(&self.path)),
                slot::SOURCE_NAME => self.name.as_deref().map(ValueRef::String),
                _ => None,
            }
        }
    }

    /// Short texts over few letters, so that they often begin, end and equal each other.
    fn text() -> impl Strategy<Value = String> {
        "[ab/]{0,4}"
    }

    fn leaf() -> impl Strategy<Value = String> {
        let attribute = prop::sample::select(vec!["request.host", "request.path", "source.name"]);
        (attribute, text(), 0..6).prop_map(|(attribute, text, form)| match form {
            0 => format!("{attribute}.startsWith({text:?})"),
            1 => format!("{attribute}.endsWith({text:?})"),
            2 => format!("{attribute} == {text:?}"),
            3 => format!("{attribute} != {text:?}"),
            4 => format!("match({attribute}, \"{text}*\")"),
            _ => format!("match({attribute}, \"*{text}\")"),
        })
    }

    fn condition() -> impl Strategy<Value = String> {
        leaf().prop_recursive(3, 12, 3, |inner| {
            (inner.clone(), inner, any::<bool>()).prop_map(|(a, b, and)| match and {
                true => format!("({a} && {b})"),
                false => format!("({a} || {b})"),
            })
        })
    }

    proptest! {
        /// What is left out would have been evaluated to false, and not have failed.
        #[test]
        fn no_rule_that_matters_is_left_out(
            conditions in prop::collection::vec(condition(), 1..12),
            (host, path, name) in (text(), text(), prop::option::of(text())),
        ) {
            let compile = |text: &String| Program::compile(text, Vocabulary::standard()).expect("it compiles");
            let programs: Vec<Program> = conditions.iter().map(compile).collect();
            let mut index = Index::default();
            for (number, program) in programs.iter().enumerate() {
                index.push(u32::try_from(number).expect("few"), Some(program));
            }
            index.seal();
            let call = Call { host, path, name };
            let candidates = index.candidates(&call);
            prop_assert!(candidates.is_sorted());
            for (number, program) in programs.iter().enumerate() {
                let number = u32::try_from(number).expect("few");
                if !candidates.contains(&number) {
                    let scratch = Scratch::new();
                    prop_assert_eq!(program.holds(&call, &scratch), Ok(false), "{}", conditions[number as usize]);
                }
            }
        }
    }

    #[test]
    fn rules_for_other_hosts_are_left_out() {
        let mut index = Index::default();
        let conditions: Vec<_> = (0..1000u32).map(|host| format!("request.host == \"h{host}.example\"")).collect();
        for (number, text) in (0u32..).zip(&conditions) {
            index.push(number, Program::compile(text, Vocabulary::standard()).ok().as_ref());
        }
        index.push(1000, None);
        index.seal();
        let call = Call { host: "h7.example".into(), path: "/".into(), name: None };
        assert_eq!(index.candidates(&call).as_slice(), [7, 1000]);
    }
}
