//! The floors: what a module may use, read from the sources.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every source file with the module of `lib.rs` that it belongs to; tests beside the code may look anywhere.
fn modules() -> Vec<(PathBuf, String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let of = |path: &PathBuf| {
        let first = path.strip_prefix(&root).expect("below src").components().next().expect("a name");
        first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
    };
    let of_tests = ["tests", "tests.rs", "testing.rs"];
    let files = files.into_iter().filter(|path| !path.iter().any(|part| of_tests.iter().any(|name| part == *name)));
    files
        .filter(|path| !["lib", "main"].contains(&of(path).as_str()))
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a source");
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned();
            (path.clone(), of(&path), code)
        })
        .collect()
}

fn order() -> HashMap<String, usize> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).expect("a source");
    let names = text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    names.enumerate().map(|(place, name)| (name.to_owned(), place)).collect()
}

#[test]
fn a_module_uses_only_modules_that_stand_earlier() {
    let order = order();
    assert!(order.len() >= 15);
    let mut upward = Vec::new();
    for (path, module, code) in modules() {
        for (line, text) in code.lines().enumerate().filter(|(_, text)| !text.trim_start().starts_with("//")) {
            for used in text.split("crate::").skip(1).map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_'))
            {
                let used = used.into_iter().next().unwrap_or_default();
                if order.get(used).is_some_and(|place| *place > order[&module]) {
                    upward.push(format!("{}:{}: {module} uses {used}", path.display(), line + 1));
                }
            }
        }
    }
    assert!(upward.is_empty(), "{}", upward.join("\n"));
}

#[test]
fn the_floors_of_words_and_judgement_touch_nothing_outside() {
    let pure =
        ["diagnostic", "expr", "resource", "manifest", "call", "policy", "routing", "snapshot", "decision", "analysis"];
    let banned = [
        "std::fs",
        "std::env",
        "std::thread",
        "std::process",
        "TcpStream",
        "TcpListener",
        "SystemTime",
        "Instant::now",
        "tokio::",
        "rusqlite",
        "rand::",
        "Uuid::new",
    ];
    let mut found = Vec::new();
    for (path, _, code) in modules().into_iter().filter(|(_, module, _)| pure.contains(&module.as_str())) {
        for (line, text) in code.lines().enumerate().filter(|(_, text)| !text.trim_start().starts_with("//")) {
            found.extend(
                banned
                    .iter()
                    .filter(|name| text.contains(**name))
                    .map(|name| format!("{}:{}: {name}", path.display(), line + 1)),
            );
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn libraries_stay_where_they_belong() {
    let homes: [(&str, &[&str]); 5] = [
        ("hyper::server", &["proxy/http1/agreement.rs", "proxy/multiplexed.rs", "node/admin.rs"]),
        ("hyper::client", &["upstream/http.rs", "upstream/multiplexed.rs"]),
        ("reqwest", &["cli/", "node/feeds.rs", "node/otlp.rs"]),
        ("comfy_table", &["cli/output/"]),
        ("rusqlite", &["state/", "registry/", "accesslog/"]),
    ];
    let mut strays = Vec::new();
    for (path, _, code) in modules() {
        let shown = path.display().to_string();
        for (library, homes) in homes {
            let used = code.lines().any(|line| !line.trim_start().starts_with("//") && line.contains(library));
            if used && !homes.iter().any(|home| shown.contains(&format!("src/{home}"))) {
                strays.push(format!("{shown} uses {library}"));
            }
        }
    }
    assert!(strays.is_empty(), "{}", strays.join("\n"));
}
