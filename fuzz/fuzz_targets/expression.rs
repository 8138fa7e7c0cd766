//! Any text: parsing and checking neither panic nor hang, and what is printed parses to the same tree.

#![no_main]

use egressctl::expr::{Ast, Program, Vocabulary};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(tree) = Ast::parse(text) {
        let printed = tree.to_string();
        assert_eq!(Ast::parse(&printed).expect("what was printed parses"), tree, "{printed}");
    }
    let _ = Program::compile(text, Vocabulary::standard());
});
