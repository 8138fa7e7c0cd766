//! Which rules can match a call: found by what their matches require, so that rules for other hosts, paths and callers
//! cost nothing.

use crate::call::always_present;
use crate::expr::{Bag, Program, Requirement, Slot, Test, ValueRef, slot};

use super::affixes::Candidates;
use super::literals::Literals;

/// An index over the conditions of rules.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Rules whose condition requires nothing that can be looked up.
    always: Vec<u32>,
    tables: Vec<Table>,
    /// By number: what else a call must have for a rule to match.
    leads: Vec<Lead>,
}

/// How a path must begin, as far as a comparison of numbers tells. Of many rules that are found by their hosts most are for other
/// paths: this leaves them out without a look at them, who lie somewhere else in memory each.
#[derive(Debug, Clone, Copy, Default)]
struct Lead {
    bytes: u64,
    mask: u64,
}

impl Lead {
    fn of(condition: Option<&Program>) -> Self {
        match condition.and_then(|condition| condition.test_of(slot::REQUEST_PATH, &always_present)) {
            Some(Test::Equals(text) | Test::Prefix(text)) => {
                let used = text.len().min(8);
                let mask = if used == 8 { u64::MAX } else { (1 << (8 * used)) - 1 };
                Self { bytes: first_bytes(&text), mask }
            }
            Some(Test::Suffix(_)) | None => Self::default(),
        }
    }
}

/// The first bytes of a text as a number; what is not there is zero.
fn first_bytes(text: &str) -> u64 {
    let mut bytes = [0; 8];
    let used = text.len().min(8);
    bytes[..used].copy_from_slice(&text.as_bytes()[..used]);
    u64::from_le_bytes(bytes)
}

/// The rules that require something of one attribute, or of one key of it.
#[derive(Debug)]
struct Table {
    slot: Slot,
    key: Option<Box<str>>,
    /// Candidates where the attribute has no value: their evaluation fails, which is for them to say.
    all: Vec<u32>,
    literals: Literals,
}

impl Index {
    /// Takes in the rule of a number, which must be greater than all before.
    pub(super) fn push(&mut self, number: u32, condition: Option<&Program>) {
        let place = number as usize;
        self.leads.resize(place, Lead::default());
        self.leads.push(Lead::of(condition));
        let requirements = condition.map(|condition| condition.requirements(&always_present)).unwrap_or_default();
        if requirements.is_empty() {
            self.always.push(number);
        }
        for Requirement { slot, key, test } in requirements {
            let table = self.table(slot, key);
            if table.all.last() != Some(&number) {
                table.all.push(number);
            }
            table.literals.push(test, number);
        }
    }

    fn table(&mut self, slot: Slot, key: Option<Box<str>>) -> &mut Table {
        let found = self.tables.iter().position(|table| table.slot == slot && table.key == key);
        let place = found.unwrap_or_else(|| {
            self.tables.push(Table { slot, key, all: Vec::new(), literals: Literals::default() });
            self.tables.len() - 1
        });
        &mut self.tables[place]
    }

    /// Makes it ready to be asked, after the last rule.
    pub(super) fn seal(&mut self) {
        self.always.shrink_to_fit();
        self.leads.shrink_to_fit();
        self.tables.iter_mut().for_each(Table::seal);
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
        if let Some(ValueRef::String(path)) = bag.get(slot::REQUEST_PATH) {
            let begins = first_bytes(path);
            found.retain(|number| {
                let Lead { bytes, mask } = self.leads[*number as usize];
                begins & mask == bytes
            });
        }
        found
    }
}

impl Table {
    fn seal(&mut self) {
        self.all.shrink_to_fit();
        self.literals.seal();
    }

    fn find(&self, bag: &impl Bag, found: &mut Candidates) {
        let text = match (bag.get(self.slot), &self.key) {
            (Some(ValueRef::String(text)), None) => text,
            (Some(ValueRef::StringMap(map)), Some(key)) => map.get(key).unwrap_or_default(),
            _ => return found.extend_from_slice(&self.all),
        };
        self.literals.find(text, found);
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
