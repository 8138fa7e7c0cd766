//! What questions to the log take of memory, whatever is in it and whatever is asked.

use std::io::{BufWriter, Write};
use std::process::{Command, Stdio};

use crate::harness::Scene;

/// What a question may take, in KiB.
const MOST: u64 = 256 << 10;

/// The command with at most so much memory of its own (`ulimit -d`: all that it can write to, with the stacks of its threads):
/// what goes beyond it is not given, and the command dies of that.
fn bounded(scene: &Scene, line: &str) -> Command {
    let mut command = Command::new("bash");
    let script = format!("ulimit -d {MOST} && exec \"$0\" \"$@\"");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_egressctl")]).args(line.split_whitespace());
    command.current_dir(scene.path()).env("EGRESSCTL_STATE_DIR", scene.path().join("state"));
    command
}

/// Imports lines as they are made, with as much memory as questions have.
fn import(scene: &Scene, lines: impl Iterator<Item = String>) {
    let mut child = bounded(scene, "logs import -").stdin(Stdio::piped()).spawn().expect("the binary was built");
    let mut input = BufWriter::new(child.stdin.take().expect("a pipe"));
    for line in lines {
        writeln!(input, "{line}").expect("it is read");
    }
    drop(input);
    assert!(child.wait().expect("it can be waited for").success());
}

/// An entry whose path and id no other has.
fn line(number: u64, path: &str) -> String {
    let (second, micros) = (number / 1_000_000 % 60, number % 1_000_000);
    let id = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!(
        "{{\"level\":\"info\",\"time\":\"2018-06-18T13:22:{second:02}.{micros:06}Z\",\"instance\":\"access.logentry.istio-system\",\
         \"destination\":\"h{}.example\",\"path\":\"/{path}/{id:x}\",\"requestId\":\"{id:016x}\",\"responseCode\":200,\
         \"responseSize\":{}}}",
        number % 500,
        id % 1_000_000
    )
}

/// Asks, and expects an answer, or a refusal that says this.
fn ask(scene: &Scene, question: &str, refusal: Option<&str>) {
    let output = bounded(scene, question).stdout(Stdio::null()).output().expect("the binary was built");
    let told = String::from_utf8_lossy(&output.stderr);
    match refusal {
        None => assert!(output.status.success(), "{question}: {:?} {told}", output.status),
        Some(refusal) => assert!(
            output.status.code() == Some(1) && told.contains(refusal),
            "{question}: {:?} {told} instead of {refusal}",
            output.status
        ),
    }
}

/// With `EGRESSCTL_MEMORY_ENTRIES=2000000` it is a log that does not fit into what a question may take.
#[test]
fn questions_to_many_entries_take_bounded_memory() {
    let entries = std::env::var("EGRESSCTL_MEMORY_ENTRIES").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000);
    let scene = Scene::new();
    import(&scene, (0..entries).map(|number| line(number, "p")));
    // Half as many groups as there may be are as many as those of one segment.
    let groups = (entries > 1 << 17).then_some("there are too many groups to count by");
    let file = (entries > 1 << 19).then_some("there are more entries than one Parquet file has room for");
    for (question, refusal) in [
        ("logs --count -g p/.*00.*requestId.*f", None),
        ("logs --where path.endsWith(\"00\")||requestId.startsWith(\"00\")", None),
        ("logs --all --tail 100000000 -o json", None),
        ("logs -o wide", None),
        ("logs -o csv", None),
        ("logs -o parquet", file),
        ("logs -C 50 -F -g 00ff", None),
        ("logs stats --by requestId --top 0", groups),
        ("logs stats --by requestId,path --measure responseSize --top 0 -o json", groups),
        ("logs stats --by destination --measure responseSize --interval 1s -o markdown", None),
        ("logs facets --top 0 -o json", None),
        ("logs export --to exported/", None),
    ] {
        ask(&scene, question, refusal);
    }
}

#[test]
fn questions_to_long_entries_take_bounded_memory() {
    let scene = Scene::new();
    let long = "a".repeat(60_000);
    import(&scene, (0..1200).map(|number| line(number, &long)));
    for (question, refusal) in [
        ("logs --all --tail 1000 -g 00|ff", None),
        ("logs --head 60 -o table", None),
        ("logs -o parquet", Some("there are more entries than one Parquet file has room for")),
        ("logs stats --by path", Some("there are too many groups to count by path, or too long ones\nhint: narrow")),
        ("logs export --to exported/", None),
    ] {
        ask(&scene, question, refusal);
    }
}
