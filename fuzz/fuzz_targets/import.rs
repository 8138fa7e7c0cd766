//! Any line of an imported file: what is taken is JSON on one line, that drives no terminal, and imported again it is the same.

#![no_main]

use egressctl::accesslog::imported_line;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &str| {
    // A file is cut at line ends before.
    if line.contains('\n') {
        return;
    }
    let Ok((level, entry)) = imported_line(line) else { return };
    assert!(!entry.contains(['\n', '\r', '\u{1b}']), "{line:?} became {entry:?}");
    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&entry).expect("an object");
    let again = imported_line(&entry).unwrap_or_else(|why| panic!("{line:?} became {entry:?}, which is not taken: {why}"));
    assert_eq!(again, (level, entry));
});
