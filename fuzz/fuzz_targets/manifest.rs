//! Any text: reading it as a manifest neither panics nor hangs, and every fault can be drawn.

#![no_main]

use egressctl::diagnostic::Source;
use egressctl::manifest::{Locator, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let source = Source::new("fuzz", text);
    let parsed = parse(&source);
    let mut locator = Locator::new(&source);
    for finding in &parsed.findings {
        assert!(!locator.render(finding, false).is_empty());
    }
});
