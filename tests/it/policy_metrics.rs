//! What is told after a call, as those see it who read metrics, files and Fluentd.

use std::io::BufReader;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rmp::decode as unpack;

use crate::proxied::{Client, PATIENCE, Proxied, with_origin};
use crate::stage::Stage;

/// A resource of the configuration namespace, its spec in YAML's flow form.
fn resource(kind: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: config.istio.io/v1alpha2\nkind: {kind}\nmetadata: {{name: {name}, namespace: istio-system}}\nspec: \
         {spec}\n---\n"
    )
}

/// A rule that sends instances to the handler `out`.
fn rule(kind: &str, instances: &str) -> String {
    resource("rule", "tell", &format!("{{actions: [{{handler: out.{kind}, instances: [{instances}]}}]}}"))
}

/// Looks again until there is what is waited for: a report is made after the caller has the answer.
#[track_caller]
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) => assert!(Instant::now() < deadline, "no {what} in:\n{seen}"),
        }
        std::thread::yield_now();
    }
}

#[track_caller]
fn wait_for_metric(scene: &Stage, line: &str) -> String {
    wait_for(line, || {
        let metrics = scene.metrics();
        if metrics.lines().any(|found| found == line) { Ok(metrics) } else { Err(metrics) }
    })
}

#[test]
fn the_metrics_of_istio_count_calls() {
    let (scene, _origin) = with_origin("");
    let told = scene.told_with(&["create", "-f", &scene.fixture("policy/prometheus.yaml")], "");
    assert!(!told.contains("error") && !told.contains("Warning"), "{told}");
    let mut proxy = Proxied::start(&scene, &["--metrics-listen", "127.0.0.1:0"]);
    for _ in 0..3 {
        assert_eq!(proxy.get("http://a.example/x").status, 200);
    }
    assert_eq!(proxy.get("http://nowhere.example/").status, 502);
    let count = wait_for("istio_requests_total", || {
        let metrics = scene.metrics();
        let of = |code: &str| {
            let code = format!("response_code=\"{code}\"");
            let mut lines = metrics.lines().filter(|line| line.starts_with("istio_requests_total{"));
            lines.find(|line| line.contains(&code)).map(str::to_owned)
        };
        match (of("200"), of("502")) {
            (Some(count), Some(_)) if count.ends_with(" 3") => Ok(count),
            _ => Err(metrics),
        }
    });
    for label in
        ["reporter=\"source\"", "source_app=\"sleep\"", "request_protocol=\"http\"", "source_workload=\"sleep\""]
    {
        assert!(count.contains(label), "{label} in {count}");
    }
    let said = proxy.wait_for("ready");
    let url = said.lines().find_map(|line| line.trim().strip_prefix("metrics on http://")).expect("an address");
    let address = url.strip_suffix("/metrics").expect("its path").parse().expect("an address");
    let mut client = Client::to(address);
    client.send(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n");
    let scraped = client.read();
    assert!(scraped.head.contains("content-type: text/plain; version=0.0.4"), "{}", scraped.head);
    let text = scraped.text();
    assert!(text.contains("# TYPE istio_request_duration_seconds histogram\n"), "{text}");
    assert!(
        text.contains("le=\"1000\"} 3\n")
            && text.contains("egressctl_series_dropped_total{metric=\"istio_requests_total\"} 0\n")
    );
    // One connection is for one request.
    let mut client = Client::to(address);
    client.send(b"POST /drain HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(client.read().status, 404, "a port has metrics and nothing else");
}

#[test]
fn what_callers_send_breaks_no_line_and_fits_its_metric_or_is_refused() {
    let handler = |labels: &str| {
        let metric =
            format!("{{name: seen, instanceName: seen.metric.istio-system, kind: COUNTER, labelNames: [{labels}]}}");
        resource("prometheus", "out", &format!("{{metrics: [{metric}]}}"))
    };
    let instance = resource("metric", "seen", "{value: '1', dimensions: {x: 'request.headers[\"x\"] | \"none\"'}}");
    let rest = format!("{instance}{}", rule("prometheus", "seen.metric"));
    let told = Stage::new().told_with(&["create", "-f", "-"], &format!("{}{rest}", handler("x, other")));
    assert!(
        told.contains("seen.metric.istio-system has no dimension other, which its metric has a label for"),
        "{told}"
    );
    let (scene, _origin) = with_origin(&format!("{}{rest}", handler("x")));
    let proxy = Proxied::start(&scene, &[]);
    let mut client = proxy.connect();
    client.send(b"GET http://a.example/ HTTP/1.1\r\nhost: a.example\r\nx: \"} 1\\n\\\t#\r\n\r\n");
    assert_eq!(client.read().status, 200);
    wait_for_metric(&scene, "istio_seen{x=\"\\\"} 1\\\\n\\\\\u{fffd}#\"} 1");
    scene.ok(&["delete", "rule", "tell", "-n", "istio-system"]);
    scene.ok(&["delete", "prometheus", "out", "-n", "istio-system"]);
    wait_for("end of its metrics", || {
        assert_eq!(proxy.get("http://a.example/").status, 200, "a worker that has nothing to do keeps what it has");
        let metrics = scene.metrics();
        if metrics.contains("istio_seen") { Err(metrics) } else { Ok(()) }
    });
}

/// What a Fluentd got: tag, seconds and nanoseconds, and the record's fields as text.
fn receive(stream: &mut impl std::io::Read) -> (String, (u32, u32), Vec<(String, String)>) {
    let text = |stream: &mut dyn std::io::Read| {
        let mut stream = stream;
        let length = unpack::read_str_len(&mut stream).expect("a text");
        let mut text = vec![0; length as usize];
        stream.read_exact(&mut text).expect("its bytes");
        String::from_utf8(text).expect("text")
    };
    assert_eq!(unpack::read_array_len(stream).expect("a message"), 3);
    let tag = text(stream);
    let time = unpack::read_ext_meta(stream).expect("a time");
    assert_eq!((time.typeid, time.size), (0, 8), "an EventTime");
    let mut bytes = [0; 8];
    stream.read_exact(&mut bytes).expect("its bytes");
    let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().expect("four bytes"));
    let time = (number(&bytes[..4]), number(&bytes[4..]));
    let fields = unpack::read_map_len(stream).expect("a record");
    let mut record = Vec::new();
    for _ in 0..fields {
        let name = text(stream);
        // Numbers are the fields whose names say so.
        let value = match name.as_str() {
            "code" | "took" => unpack::read_int::<i64, _>(stream).expect("a number").to_string(),
            _ => text(stream),
        };
        record.push((name, value));
    }
    (tag, time, record)
}

#[test]
fn a_fluentd_gets_variables_and_severity_as_a_record() {
    let fluentd = TcpListener::bind("127.0.0.1:0").expect("a port");
    let handler = format!(
        "{{address: '{}', integerDuration: true, pushIntervalDuration: 10ms}}",
        fluentd.local_addr().expect("an address")
    );
    let variables = "{code: response.code, took: response.duration, user: 'source.user | \"unknown\"', ip: source.ip}";
    let plain = format!("{{severity: '\"warning\"', timestamp: request.time, variables: {variables}}}");
    let tagged = "{severity: '\"x\"', variables: {tag: request.host, zone: '\"z\"'}}";
    let manifests = [
        resource("fluentd", "out", &handler),
        resource("logentry", "plain", &plain),
        resource("logentry", "tagged", tagged),
        rule("fluentd", "plain.logentry, tagged.logentry"),
    ];
    let (scene, _origin) = with_origin(&manifests.concat());
    let proxy = Proxied::start(&scene, &[]);
    assert_eq!(proxy.get("http://a.example/").status, 200);
    let (stream, _) = fluentd.accept().expect("it connects");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let mut stream = BufReader::new(stream);
    let (tag, time, record) = receive(&mut stream);
    assert_eq!(tag, "plain.logentry.istio-system");
    assert!(time.0 > 1_500_000_000 && time.1 < 1_000_000_000);
    let names: Vec<&str> = record.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["code", "ip", "severity", "took", "user"]);
    assert_eq!(record[0].1, "200");
    assert_eq!(record[1].1, "127.0.0.1");
    assert_eq!(record[2].1, "warning");
    let (tag, _, record) = receive(&mut stream);
    assert_eq!(tag, "a.example");
    let expected = [("severity", "x"), ("zone", "z"), ("name", "tagged.logentry.istio-system")];
    assert_eq!(record, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let entry = scene.wait_for_entry("plain.logentry");
    assert!(entry.starts_with("{\"level\":\"warn\",") && entry.contains("\"severity\":\"warning\""), "{entry}");
}

#[test]
fn a_fluentd_that_is_not_there_is_told_of_and_holds_nothing_up() {
    let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let manifests = [
        resource("fluentd", "out", &format!("{{address: '{address}', pushIntervalDuration: 1ms}}")),
        resource("logentry", "plain", "{variables: {path: request.path}}"),
        rule("fluentd", "plain.logentry"),
    ];
    let (scene, _origin) = with_origin(&manifests.concat());
    let mut proxy = Proxied::start(&scene, &[]);
    assert_eq!(proxy.get("http://a.example/first").status, 200);
    scene.wait_for_entry("/first");
    // Told when lines are printed after the attempt has failed; calls go on meanwhile.
    let (caller, stop) = (proxy.address, AtomicBool::new(false));
    let told = std::thread::scope(|scope| {
        scope.spawn(|| {
            let deadline = Instant::now() + PATIENCE;
            while !stop.load(Ordering::Relaxed) && Instant::now() < deadline {
                assert_eq!(Client::to(caller).get("http://a.example/more").status, 200);
            }
        });
        let told = proxy.wait_for("lines cannot be written to fluentd").to_owned();
        stop.store(true, Ordering::Relaxed);
        told
    });
    assert!(told.contains(&format!("fluentd at {address}")), "{told}");
}

/// The lines of a file, as soon as it has so many.
#[track_caller]
fn lines(path: &std::path::Path, count: usize) -> Vec<String> {
    wait_for("line", || {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        if lines.len() >= count { Ok(lines) } else { Err(text) }
    })
}

#[test]
fn lines_of_text_show_every_type() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("access.txt");
    let variables = "{bool: 'request.url_path == \"/x\"', code: response.code, double: '2.5', ip: 'ip(\"10.1.12.3\")', map: \
                     request.query_params, span: '\"1500ms\"', text: request.host, time: timestamp(\"2018-06-18T13:22:58Z\")}";
    let variables = variables.replace("time: timestamp", "when: timestamp");
    let manifests = [
        resource("stdio", "out", &format!("{{logStream: FILE, outputPath: {}, outputAsJson: false}}", path.display())),
        resource(
            "logentry",
            "a",
            &format!("{{timestamp: 'timestamp(\"2018-06-18T13:22:58.317448Z\")', variables: {variables}}}"),
        ),
        resource("logentry", "b", "{}"),
        rule("stdio", "a.logentry, b.logentry"),
    ];
    let (scene, _origin) = with_origin(&manifests.concat());
    let proxy = Proxied::start(&scene, &["--redact", "none"]);
    assert_eq!(proxy.get("http://a.example/x?b=%22&a=1").status, 200);
    let lines = lines(&path, 2);
    assert_eq!(
        lines[0],
        "2018-06-18T13:22:58.317448Z\tinfo\ta.logentry.istio-system\t{\"bool\": true, \"code\": 200, \"double\": 2.5, \
         \"ip\": \"10.1.12.3\", \"map\": {\"a\": \"1\", \"b\": \"%22\"}, \"span\": \"1.5s\", \"text\": \"a.example\", \"when\": \
         \"2018-06-18T13:22:58.000000Z\"}"
    );
    assert_eq!(lines[1], "0001-01-01T00:00:00.000000Z\tinfo\tb.logentry.istio-system");
}

#[test]
fn metrics_have_lines_at_their_level_and_lower_ones_are_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("access.log");
    let manifests = [
        resource(
            "stdio",
            "out",
            &format!("{{logStream: FILE, outputPath: {}, metricLevel: WARNING, outputLevel: WARNING}}", path.display()),
        ),
        resource("logentry", "quiet", "{severity: '\"info\"', variables: {x: '\"quiet\"'}}"),
        resource("logentry", "loud", "{severity: '\"error\"', variables: {x: '\"loud\"'}}"),
        resource("metric", "size", "{value: response.size, dimensions: {host: request.host}}"),
        rule("stdio", "quiet.logentry, size.metric, loud.logentry"),
    ];
    let (scene, _origin) = with_origin(&manifests.concat());
    let proxy = Proxied::start(&scene, &[]);
    assert_eq!(proxy.get("http://a.example/").status, 200);
    let lines = lines(&path, 2);
    assert!(lines[0].starts_with("{\"level\":\"warn\",\"time\":\"20"), "{}", lines[0]);
    assert!(
        lines[0].ends_with("\"instance\":\"size.metric.istio-system\",\"value\":4,\"host\":\"a.example\"}"),
        "{}",
        lines[0]
    );
    assert!(lines[1].starts_with("{\"level\":\"error\"") && lines.len() == 2, "{lines:?}");
    assert!(!scene.ok(&["logs"]).contains("quiet"));
}

#[test]
fn a_file_is_rotated_at_its_size() {
    const CALLS: usize = 40;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("access.log");
    let manifests = [
        resource(
            "stdio",
            "out",
            &format!("{{logStream: ROTATED_FILE, outputPath: {}, maxMegabytesBeforeRotation: 1}}", path.display()),
        ),
        resource("logentry", "a", "{variables: {x: 'request.headers[\"x\"]'}}"),
        rule("stdio", "a.logentry"),
    ];
    let (scene, _origin) = with_origin(&manifests.concat());
    let proxy = Proxied::start(&scene, &[]);
    let mut client = proxy.connect();
    for _ in 0..CALLS {
        let large = "x".repeat(30_000);
        client.send(format!("GET http://a.example/ HTTP/1.1\r\nhost: a.example\r\nx: {large}\r\n\r\n").as_bytes());
        assert_eq!(client.read().status, 200);
    }
    let rotated = wait_for("rotated file", || {
        let files = std::fs::read_dir(folder.path()).expect("a folder");
        let files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
        let lines = |path: &std::path::PathBuf| std::fs::read_to_string(path).expect("a file").lines().count();
        let all: usize = files.iter().map(lines).sum();
        let rotated = files.iter().find(|file| **file != path).cloned();
        rotated.filter(|_| all == CALLS).ok_or_else(|| format!("{files:?}, {all} lines"))
    });
    let name = rotated.file_name().and_then(|name| name.to_str()).expect("a name");
    assert!(name.starts_with("access-20") && name.ends_with(".log"), "{name}");
    let size = rotated.metadata().expect("a file").len();
    assert!((1 << 20) - 31_000 < size && size <= 1 << 20, "{size}");
}
