//! Where `logs` asks, and what it says of names: files, both logs, workloads by their labels.

use std::fmt::Write as _;

use crate::harness::Scene;

/// Istio's default text format.
const ENVOY: &str = "[2018-06-18T13:22:58.317Z] \"GET /politics HTTP/1.1\" 403 - 0 19 12 11 \"-\" \"curl/7.60\" \"id-1\" \
                     \"edition.cnn.com\" \"151.101.1.67:80\"\n";

/// Our lines.
fn lines(count: usize) -> String {
    let mut text = String::new();
    for number in 0..count {
        let (host, code) = if number % 10 == 0 { ("api.example.org", 503) } else { ("edition.cnn.com", 200) };
        writeln!(
            text,
            "{{\"level\":\"info\",\"time\":\"2018-06-18T13:22:{:02}.{:06}Z\",\"instance\":\"access.logentry.istio-system\",\
             \"destination\":\"{host}\",\"path\":\"/p/{number}\",\"responseCode\":{code},\"source\":\"sleep\",\
             \"sourceNamespace\":\"default\"}}",
            number / 1000 % 60,
            number % 1000
        )
        .expect("room");
    }
    text
}

#[test]
fn files_and_standard_input_are_asked_without_being_taken_into_the_log() {
    let scene = Scene::new();
    scene.write("ours.jsonl", &lines(40));
    scene.write("envoy.log", ENVOY);
    scene.run("logs ours.jsonl envoy.log --count").succeeds("41\n");
    scene.run("logs ours.jsonl -g example.org --count").succeeds("4\n");
    assert_eq!(scene.run("logs ours.jsonl").output(), lines(40));
    assert_eq!(scene.run("logs ours.jsonl --where responseCode>=500 --tail 1").output().lines().count(), 1);
    assert!(scene.run("logs - --code 403").with_stdin(ENVOY).output().contains("edition.cnn.com"));
    let around = scene.run("logs ours.jsonl -F -g /p/20 -C 1").output();
    assert_eq!(around.lines().count(), 3, "{around}");
    let by = scene.run("logs stats ours.jsonl --by destination -o json").output();
    assert!(by.contains("\"api.example.org\"") && by.contains("\"count\": 36"), "{by}");
    assert!(scene.run("logs facets ours.jsonl --fields responseCode").output().contains("503"));
    scene.run("logs export ours.jsonl --to all.csv --columns path").succeeds("exported 40 entries to all.csv\n");
    // What is no entry is told, and the rest is asked.
    scene.write("mixed.log", &format!("nonsense\n{}", lines(2)));
    let mixed = scene.run("logs mixed.log --count").finish();
    assert_eq!((mixed.code, mixed.stdout.as_str()), (Some(0), "2\n"), "{mixed}");
    assert!(mixed.stderr.starts_with("mixed.log:1: "), "{mixed}");
    assert!(mixed.stderr.ends_with("note: 1 of 3 lines not understood, and passed over\n"), "{mixed}");
    let nonsense = scene.run("logs - --count").with_stdin("nonsense\n\nmore of it\n").error();
    assert!(nonsense.contains("error: no line understood of 2\nhint: a line is our JSON"), "{nonsense}");
    // What proxies say of themselves beside their access log is no fault.
    let said = format!("2018-06-18T13:22:58.317448Z\tinfo\tFLAG: --concurrency=\"2\"\n{ENVOY}");
    let note = "note: 1 line of what a proxy says of itself passed over\n";
    scene.run("logs - --count").with_stdin(&said).says(0, "1\n", note);
    // Nothing of it is in the log, and nothing is left behind.
    scene.run("logs --count").succeeds("0\n");
    let missing = scene.run("logs ours.jsonl other.jsonl").error();
    assert!(missing.starts_with("error: cannot read other.jsonl"), "{missing}");
    let left = scene.path().join("left");
    std::fs::create_dir(&left).expect("a folder");
    let folder = left.to_str().expect("plain names").to_owned();
    scene.run("logs ours.jsonl --count").with_variables(&[("TMPDIR", &folder)]).succeeds("40\n");
    assert_eq!(std::fs::read_dir(&left).expect("a folder").count(), 0);
}

#[test]
fn a_question_that_is_interrupted_leaves_nothing() {
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};
    let scene = Scene::new();
    let left = scene.path().join("left");
    std::fs::create_dir(&left).expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_egressctl"));
    command.args(["logs", "-"]).env("TMPDIR", &left).env("EGRESSCTL_STATE_DIR", scene.path().join("state"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the binary was built");
    // It waits for its input.
    while std::fs::read_dir(&left).expect("a folder").next().is_none() {
        assert!(child.try_wait().expect("it can be asked").is_none(), "it has ended");
        std::thread::yield_now();
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it can be interrupted");
    let status = child.wait().expect("it can be waited for");
    assert_eq!(status.signal(), Some(2), "{status}");
    assert_eq!(std::fs::read_dir(&left).expect("a folder").count(), 0);
}

/// A log with lines and a record of a call.
fn both() -> Scene {
    let scene = Scene::new();
    let record = "{\"level\":\"error\",\"time\":\"2018-06-18T13:30:00.000000Z\",\"instance\":\"access.egressctl.istio-system\",\
                  \"decision\":\"5f0c1e2d3a4b5968\",\"destination\":\"refused.example\",\"destinationPort\":80,\
                  \"durationMicros\":10,\"flag\":\"-\",\"hop\":\"sidecar\",\"method\":\"POST\",\"path\":\"/x\",\
                  \"protocol\":\"http\",\"reason\":\"no\",\"requestSize\":0,\"responseCode\":403,\"responseSize\":0,\
                  \"revision\":1,\"scheme\":\"http\",\"source\":\"sleep\",\"sourceIp\":\"127.0.0.1\",\
                  \"sourceNamespace\":\"default\",\"verdict\":\"deny\"}\n";
    scene.write("both.jsonl", &(lines(20) + record));
    scene.run("logs import both.jsonl").succeeds("imported 20 entries, 1 access\n");
    scene
}

#[test]
fn counts_and_exports_take_records_of_calls_as_well() {
    let scene = both();
    scene.run("logs --count").succeeds("20\n");
    scene.run("logs --all --count").succeeds("21\n");
    let by = |all: &str| scene.run(&format!("logs stats {all} --by destination -o json")).output();
    assert!(!by("").contains("refused.example") && by("--all").contains("refused.example"));
    let facets = scene.run("logs facets --all --fields destination -o json").output();
    assert!(facets.contains("\"distinct\": 3"), "{facets}");
    scene.run("logs export --all --to all.jsonl").succeeds("exported 21 entries to all.jsonl\n");
    assert_eq!(scene.run("logs --all --verdict deny --count").output(), "1\n");
    let told = scene.run("logs --all --stats --count").finish().stderr;
    assert!(told.starts_with("21 entries; ") && told.contains(" MiB"), "{told}");
}

#[test]
fn a_name_that_no_entry_has_is_refused_with_what_was_meant() {
    let scene = both();
    for (question, hint) in [
        ("logs stats --by destinaton", "did you mean destination?"),
        ("logs stats --measure nonsense", "entries have time, level"),
        ("logs facets --fields Path", "did you mean path?"),
        ("logs -o table --columns pth", "did you mean path?"),
        ("logs export --to x.csv --columns sorce", "did you mean source?"),
        ("logs stats --by verdict", "entries have time, level"),
        ("logs --field destnation=*", "did you mean destination?"),
        ("logs facets --field pth!=/a", "did you mean path?"),
        ("logs export --to x.csv --field nonsense=1", "entries have time, level"),
    ] {
        let told = scene.run(question).error();
        let name = question.rsplit(' ').next().expect("a word").split(['=', '!']).next().expect("a name");
        assert!(told.starts_with(&format!("error: no entry has a field \"{name}\"\nhint: {hint}")), "{told}");
    }
    assert!(scene.run("logs stats --all --by verdict -o json").output().contains("deny"));
    scene.run("logs stats --by instance,handler -o markdown").output();
    let told = scene.run("logs stats --measure path").error();
    assert_eq!(told, "error: the field \"path\" has no numbers to be added up\nhint: numbers are responseCode\n");
    // Of a name in the configuration there may be no entry yet.
    for (flags, note) in [
        ("--instance acces", "note: no entry is of the instance \"acces\"; did you mean access?\n"),
        ("--handler nonsense", "note: no entry is of the handler \"nonsense\"\n"),
        ("--instance access --since 1s", ""),
        ("--instance refused", ""),
    ] {
        scene.run(&format!("logs --count {flags}")).says(0, "0\n", note);
        let done = scene.run(&format!("logs stats --by path {flags}")).finish();
        assert!(done.code == Some(0) && done.stderr == note, "{done}");
    }
    // Whatever its letters' case, a method is found.
    assert_eq!(scene.run("logs --all --method post --count").output(), "1\n");
}

#[test]
fn an_expression_about_both_logs_names_fields_of_either() {
    let scene = both();
    for (expression, count) in [
        ("hop==\"sidecar\"", "1\n"),
        ("(hop|\"\")==\"sidecar\"||responseCode==503", "3\n"),
        ("verdict==\"deny\"&&revision==1", "1\n"),
    ] {
        scene.run(&format!("logs --all --count --where {expression}")).succeeds(count);
        assert_eq!(
            scene.run(&format!("logs --all -o name --where {expression}")).output().lines().count(),
            count.trim().parse::<usize>().expect("a number")
        );
    }
    scene.run("logs stats --all --by hop --where hop==\"sidecar\" -o json").output();
    let unknown = scene.run("logs --all --where nothing==1").error();
    assert!(unknown.contains("hop, ") && unknown.contains("destination, "), "{unknown}");
    // What is named by a slip, or known and used wrongly, is told without the list of all names.
    for expression in ["destinaton==\"x\"", "responseCode==\"x\"", "responseCode=="] {
        let told = scene.run(&format!("logs --all --where {expression}")).error();
        assert!(told.contains('^') && !told.contains("entries have"), "{told}");
    }
}

#[test]
fn top_zero_shows_all() {
    let scene = Scene::new();
    scene.write("ours.jsonl", &lines(30));
    let all = scene.run("logs stats ours.jsonl --by path --top 0 -o json").output();
    assert_eq!(all.matches("\"path\"").count(), 30);
    let few = scene.run("logs stats ours.jsonl --by path").finish();
    assert!(few.stderr.contains("20 more groups; --top 0 shows all."), "{few}");
    let facets = scene.run("logs facets ours.jsonl --fields path --top 0").output();
    assert!(facets.lines().count() == 31 && !facets.contains("more"), "{facets}");
}

#[test]
fn workloads_are_found_by_their_labels() {
    let scene = both();
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: sleep}\nspec:\n  selector: {matchLabels: {tier: \
                      batch}}\n  template:\n    metadata: {labels: {tier: batch}}\n    spec: {containers: [{name: c, image: c}]}\n";
    let file = scene.write("sleep.yaml", deployment);
    scene.run(&format!("create -f {file}")).output();
    scene.run("logs -l tier=batch --count").succeeds("20\n");
    assert_eq!(scene.run("logs -l tier=batch").output().lines().count(), 10);
    scene.run("logs -l tier=batch --all --count").succeeds("21\n");
    scene.run("logs -l tier=batch --code 5xx --count").succeeds("2\n");
    // So are those of a workload that is named, or of a pod of its; what else would write is not recorded.
    scene.run("logs deployment/sleep --count").succeeds("20\n");
    let pod = scene.run("get pods -o jsonpath={.items[0].metadata.name}").output();
    assert_eq!(scene.run(&format!("logs pod/{pod} --code 5xx")).output().lines().count(), 2);
    scene.run(&format!("logs {pod} c")).says(0, "", "note: what this container writes is not recorded here\n");
    let none = scene.run("logs -l tier=other").finish();
    assert_eq!((none.code, none.stdout.as_str()), (Some(0), ""), "{none}");
    // By labels Mixer's log is all of it, as ever.
    scene.run("-n istio-system logs -l istio-mixer-type=telemetry -c mixer --count").succeeds("20\n");
}

#[test]
fn entries_are_a_parquet_file_on_standard_output_and_times_are_local_where_asked() {
    let scene = both();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_egressctl"));
    command.args(["logs", "-o", "parquet", "--code", "5xx"]).env("EGRESSCTL_STATE_DIR", scene.path().join("state"));
    let bytes = command.output().expect("the binary was built").stdout;
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    let zone = [("TZ", "Etc/GMT-2")];
    let table = scene.run("logs -o table --columns time,path --local --tail 1").with_variables(&zone).output();
    if std::path::Path::new("/usr/share/zoneinfo/Etc/GMT-2").exists() {
        assert!(table.contains("2018-06-18T15:22:00.000019+02:00"), "{table}");
    } else {
        eprintln!("skipped: this system knows no time zones");
    }
    let utc = scene.run("logs --timestamps --tail 1").with_variables(&zone).output();
    assert!(utc.starts_with("2018-06-18T13:22:00.000019000Z {"), "{utc}");
}

#[test]
fn a_table_of_entries_of_several_kinds_has_one_heading() {
    let scene = both();
    let table = scene.run("logs --all -o table").output();
    let rows: Vec<&str> = table.lines().collect();
    assert!(rows.len() == 22 && rows[0].starts_with("TIME") && rows[21].contains("refused.example"), "{table}");
    let place = |heading: &str| rows[0].find(heading).expect("a heading");
    assert!(rows[1][place("RESPONSECODE")..].starts_with("503") && rows[1][place("VERDICT")..].trim().is_empty());
    assert!(rows[21][place("RESPONSECODE")..].starts_with("403") && rows[21][place("VERDICT")..].starts_with("deny"));
}

#[test]
fn the_last_entries_of_both_logs_are_the_last_of_them_together() {
    let scene = both();
    let all = scene.run("logs --all -o json").output();
    for tail in [0, 1, 2, 5, 20, 21, 22] {
        let last: Vec<&str> = all.lines().skip(21_usize.saturating_sub(tail)).collect();
        let told = scene.run(&format!("logs --all --tail {tail} -o json")).output();
        assert_eq!(told.lines().collect::<Vec<_>>(), last, "{tail}");
    }
}

#[test]
fn following_ends_when_nobody_reads_any_more() {
    use std::io::BufRead as _;
    use std::process::{Command, Stdio};
    let scene = both();
    for flags in [&["logs", "-f"][..], &["logs", "--all", "-f"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_egressctl"));
        command.args(flags).env("EGRESSCTL_STATE_DIR", scene.path().join("state")).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the binary was built");
        let mut first = String::new();
        let mut output = std::io::BufReader::new(child.stdout.take().expect("a pipe"));
        output.read_line(&mut first).expect("a line");
        drop(output);
        crate::stage::until("it ends", || child.try_wait().expect("it can be asked").is_some());
        assert!(first.contains("/p/0") && child.wait().expect("it has ended").success(), "{first}");
    }
}

/// Both ends of a terminal of so many columns.
fn terminal(columns: u16) -> (std::fs::File, std::os::fd::OwnedFd) {
    use rustix::pty::{OpenptFlags, openpt, ptsname, unlockpt};
    let keys = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
    unlockpt(&keys).expect("a terminal");
    let name = ptsname(&keys, Vec::new()).expect("a name").into_string().expect("text");
    let end = std::fs::File::options().read(true).write(true).open(name).expect("a terminal");
    let size = rustix::termios::Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&keys, size).expect("a terminal");
    (keys.into(), end.into())
}

#[test]
fn what_takes_longer_than_a_moment_shows_a_bar_that_goes_again() {
    use std::io::Read as _;
    use std::process::{Command, Stdio};
    let scene = Scene::new();
    let (mut keys, end) = terminal(80);
    let mut command = Command::new(env!("CARGO_BIN_EXE_egressctl"));
    command.args(["logs", "import", "-"]).env("EGRESSCTL_STATE_DIR", scene.path().join("state"));
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::from(end));
    let mut child = command.spawn().expect("the binary was built");
    // Nothing of the terminal's other end is kept here, so that reading it ends with the command.
    command.stderr(Stdio::null());
    let mut input = child.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut input, lines(1).as_bytes()).expect("it is read");
    let (mut shown, mut bytes) = (String::new(), [0; 256]);
    while !shown.contains("importing 0.0 MiB") {
        let count = keys.read(&mut bytes).expect("a bar");
        shown.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    drop(input);
    while let Ok(count @ 1..) = keys.read(&mut bytes) {
        shown.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    let output = child.wait_with_output().expect("it can be waited for");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "imported 1 entry\n");
    assert!(shown.ends_with("\r\u{1b}[K"), "{shown:?}");
}

#[test]
fn a_table_fits_the_terminal() {
    let scene = Scene::new();
    let long = |line: &str| line.replace("/p/", "/a/path/that/is/longer/than/others/");
    scene.write("ours.jsonl", &long(&lines(3)));
    let table = |columns: u16, flags: &[&str]| {
        let shown = at_terminal(columns, scene.path(), &[&["logs", "ours.jsonl", "-o"], flags].concat());
        let fits = shown.lines().all(|row| row.trim_end().chars().count() <= usize::from(columns));
        assert_eq!(fits, flags[0] == "table", "{shown}");
        shown
    };
    let shown = table(110, &["table"]);
    let rows: Vec<&str> = shown.lines().collect();
    assert!(rows.len() == 4 && shown.contains('\u{2026}'), "{shown}");
    assert!(rows[1].starts_with("2018-06-18T13:22:00.000000Z "), "{shown}");
    // What there is no room for is left out, last columns first, and told.
    let shown = table(80, &["table"]);
    assert!(shown.ends_with("\nand 2 more columns: -o wide\n") && shown.contains(" DESTINA"), "{shown}");
    let narrow = table(60, &["table", "--columns", "responseCode,path"]);
    assert!(narrow.ends_with("\n200            /a/path/that/is/longer/than/others/2\n"), "{narrow}");
    let wide = table(60, &["wide"]);
    assert!(!wide.contains('\u{2026}') && !wide.contains("more columns") && wide.contains("RULE"), "{wide}");
}

/// What is printed on a terminal of so many columns.
fn at_terminal(columns: u16, folder: &std::path::Path, arguments: &[&str]) -> String {
    use std::io::Read as _;
    use std::process::{Command, Stdio};
    let (mut keys, end) = terminal(columns);
    let mut command = Command::new(env!("CARGO_BIN_EXE_egressctl"));
    command.args(arguments).current_dir(folder).env("TERM", "dumb");
    let status = command.stdout(Stdio::from(end)).stderr(Stdio::null()).status().expect("the binary was built");
    assert!(status.success());
    command.stdout(Stdio::null());
    let (mut shown, mut bytes) = (String::new(), [0; 1024]);
    while let Ok(count @ 1..) = keys.read(&mut bytes) {
        shown.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    shown.replace('\r', "")
}

#[test]
fn a_file_that_is_missing_and_a_form_that_cannot_be_followed_are_told_as_that() {
    let scene = Scene::new();
    let missing = scene.run("logs /nowhere/access.log").error();
    assert!(missing.contains("cannot read /nowhere/access.log: No such file"), "{missing}");
    let folder = scene.run("logs /etc").error();
    assert!(folder.starts_with("error: cannot read /etc: is a directory") && !folder.contains("hint"), "{folder}");
    let neither = scene.run("logs access.log").error();
    let hint = "\nhint: there is no file of this name either\n";
    assert!(neither.contains("pods \"access.log\" not found") && neither.ends_with(hint), "{neither}");
    let followed = scene.run("logs -o parquet -f").error();
    assert!(followed.contains("'--follow' cannot be used with '-o parquet'"), "{followed}");
}

#[test]
fn a_named_pipe_is_read_as_a_file() {
    let scene = Scene::new();
    let pipe = scene.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    // Opening it waits for the other end.
    let writer = std::thread::spawn(move || std::fs::write(pipe, lines(3)).expect("it is read"));
    scene.run("logs pipe --count").succeeds("3\n");
    writer.join().expect("it was written");
}
