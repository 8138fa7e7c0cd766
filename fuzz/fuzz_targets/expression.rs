//! Any text: parsing, checking and evaluating neither panic nor hang, what is printed parses to the same tree, and a value
//! is of the type that was promised.

#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use egressctl::expr::{Ast, Bag, OwnedValue, Program, Scratch, Slot, Timestamp, ValueRef, ValueType, Vocabulary};
use libfuzzer_sys::fuzz_target;

/// Some value of every attribute of these types; the others are absent.
struct Full;

static LABELS: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| [("app".into(), "web".into())].into());

impl Bag for Full {
    fn get(&self, slot: Slot) -> Option<ValueRef<'_>> {
        let vocabulary = Vocabulary::standard();
        Some(match vocabulary.get(vocabulary.name_of(slot))?.1 {
            ValueType::String => ValueRef::String("Edition.cnn.com"),
            ValueType::Int64 => ValueRef::Int64(i64::MAX),
            ValueType::Bool => ValueRef::Bool(true),
            ValueType::Timestamp => ValueRef::Timestamp(Timestamp::ZERO),
            ValueType::Duration => ValueRef::Duration(-1),
            ValueType::IpAddress => ValueRef::IpAddress([10, 0, 0, 1].into()),
            ValueType::StringMap => ValueRef::StringMap(&*LABELS),
            _ => return None,
        })
    }
}

struct Empty;

impl Bag for Empty {
    fn get(&self, _slot: Slot) -> Option<ValueRef<'_>> {
        None
    }
}

fn evaluate(program: &Program, bag: &dyn Bag) {
    let scratch = Scratch::new();
    match program.eval(bag, &scratch) {
        Ok(value) => {
            assert_eq!(value.value_type(), program.result_type());
            let mut json = String::new();
            value.write_json(&mut json);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fuzz_target!(|text: &str| {
    if let Ok(tree) = Ast::parse(text) {
        let printed = tree.to_string();
        // Printing spells escapes and numbers out, and may pass the limit of length.
        if printed.len() <= egressctl::expr::MAX_LENGTH {
            assert_eq!(Ast::parse(&printed).expect("what was printed parses"), tree, "{printed}");
        }
    }
    if let Ok(program) = Program::compile(text, Vocabulary::standard()) {
        evaluate(&program, &Full);
        evaluate(&program, &Empty);
    }
    for of in ValueType::ALL {
        let _ = OwnedValue::parse(of, text);
    }
});
