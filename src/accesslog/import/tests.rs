use super::*;
use crate::accesslog::testing::{SCENARIO, ask};
use crate::accesslog::{Query, Verifier, line};

const ACCESSES: &str = "access.egressctl.istio-system";

struct Place {
    _dir: tempfile::TempDir,
    state: StateDir,
}

fn input<'i>(lines: &'i mut dyn Read) -> Input<'i> {
    Input { name: "-", lines, is_there: false }
}

fn place() -> Place {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::open(dir.path().join("state")).unwrap();
    Place { _dir: dir, state }
}

impl Place {
    fn import(&self, text: &str) -> (Imported, Vec<(u64, String)>) {
        let mut faults = Vec::new();
        let mut importer = Importer::open(&self.state, ACCESSES, Redact::default()).unwrap();
        let mut fault = |number, why: &str| faults.push((number, why.to_owned()));
        let imported = importer.import(input(&mut text.as_bytes()), 0, &mut fault).unwrap();
        (imported, faults)
    }

    fn lines(&self) -> Vec<String> {
        ask(&LogStore::open(self.state.hot_db()).unwrap(), &Query::default())
    }
}

/// The entry of a line.
fn found(line: &str) -> Found<'_> {
    read(line).unwrap_or_else(|why| panic!("{line}: {why}")).expect("it is no notice")
}

#[test]
fn exported_lines_come_back_to_the_byte_and_garbage_is_told_by_its_number() {
    let place = place();
    let [first, second, third, last] = SCENARIO;
    let text = format!("{first}\n{{\"level\":\"info\"\n\n{second}\r\nhello\n{third}\n{last}");
    let (imported, faults) = place.import(&text);
    assert_eq!(imported, Imported { lines: 6, entries: 4, ..Imported::default() });
    assert_eq!(faults.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [2, 5]);
    assert_eq!(place.lines(), SCENARIO);
}

#[test]
fn fields_may_come_in_any_order() {
    let place = place();
    let text = r#"{"path":"/a","instance":"i.logentry.ns","time":"2018-06-18T13:22:58Z","code":200,"level":"warning"}"#;
    place.import(text);
    let expected =
        r#"{"level":"warn","time":"2018-06-18T13:22:58.000000Z","instance":"i.logentry.ns","path":"/a","code":200}"#;
    assert_eq!(place.lines(), [expected]);
}

#[test]
fn a_line_of_mixers_is_printed_as_it_was() {
    let place = place();
    let text = "2018-06-18T13:22:58.317448Z\tinfo\tegress-access.logentry.istio-system\t{\"path\": \"/politics\", \"responseCode\": 200}";
    place.import(text);
    assert_eq!(place.lines(), [text]);
}

#[test]
fn lines_of_envoy_and_of_istio_say_the_same_in_text_and_json() {
    let envoy = r#"[2016-04-15T20:17:00.310Z] "POST /api/v1/locations HTTP/2" 204 - 154 0 226 100 "10.0.35.28" "nsq2http" "cc21d9b0" "locations" "tcp://10.0.2.1:80""#;
    let istio = r#"[2020-11-25T21:26:18.409Z] "GET /status/418 HTTP/1.1" 418 UAEX via_upstream - "-" 0 135 3 1 "-" "curl/7.73.0-DEV" "84961386" "httpbin:8000" "127.0.0.1:80" inbound|8000|| 127.0.0.1:41854 10.44.1.27:80 10.44.1.23:37652 outbound_.8000_._.httpbin.foo default"#;
    let old = r#"[2019-03-06T09:31:27.360Z] "GET /status/418 HTTP/1.1" 418 UAEX "-" 0 135 3 1 "-" "curl/7.73.0-DEV" "84961386" "httpbin:8000" "127.0.0.1:80" inbound|8000|| - 10.44.1.27:80 10.44.1.23:37652 outbound_.8000_._.httpbin.foo"#;
    let json = r#"{"start_time":"2020-11-25T21:26:18.409Z","route_name":"default","method":"GET","path":"/status/418","protocol":"HTTP/1.1","response_code":418,"response_flags":"UAEX","bytes_received":"0","bytes_sent":135,"duration":3,"user_agent":"curl/7.73.0-DEV","request_id":"84961386","authority":"httpbin:8000","upstream_host":"127.0.0.1:80","downstream_remote_address":"10.44.1.23:37652","requested_server_name":"outbound_.8000_._.httpbin.foo","response_code_details":"via_upstream","connection_termination_details":null,"upstream_transport_failure_reason":null,"upstream_cluster":"inbound|8000||"}"#;
    let expected = r#"{"level":"info","time":"2016-04-15T20:17:00.310000Z","instance":"imported.envoy.istio-system","destination":"locations","durationMicros":226000,"method":"POST","path":"/api/v1/locations","protocol":"HTTP/2","requestId":"cc21d9b0","requestSize":154,"responseCode":204,"responseSize":0,"upstream":"tcp://10.0.2.1:80","userAgent":"nsq2http"}"#;
    assert_eq!(found(envoy).line, expected);
    assert_eq!(found(istio).line, found(json).line);
    let fields = |text| line::fields(&found(text).line).unwrap().split_off(3);
    let without: Vec<_> =
        fields(istio).into_iter().filter(|(name, _)| !["route", "reason"].contains(&&**name)).collect();
    assert_eq!(fields(old), without);
    assert!(fields(istio).is_sorted_by(|(one, _), (other, _)| one < other));
    assert_eq!(found(istio).level, Level::Error);
}

#[test]
fn lines_of_envoy_tell_connections_from_calls_and_refusals_from_failures() {
    let line = |said: &str, sizes: &str, end: &str| {
        let begin = "[2020-11-25T21:26:18.409Z]";
        format!(r#"{begin} {said} {sizes} - "-" "-" "-" "-" "151.101.1.67:443" outbound|443||edition.cnn.com {end}"#)
    };
    let ends = ["10.0.0.7:443 10.0.0.7:8443 10.0.0.9:40000 edition.cnn.com -"; 2];
    let inner = "10.0.0.7:443 10.0.0.7:8443 10.0.0.9:40000 outbound_.443_._.edition.cnn.com -";
    let table = [
        (
            line(r#""- - -" 0 - - - "-""#, "517 5000 1800", ends[0]),
            Level::Info,
            r#""destination":"edition.cnn.com","#,
            false,
        ),
        (line(r#""- - -" 0 - "#, "517 5000 1800", inner), Level::Info, r#""destination":"edition.cnn.com","#, false),
        (
            line(r#""- - -" 0 UF,URX - - "TLS error: 268435581""#, "0 0 9", ends[0]),
            Level::Error,
            r#""transportFailure":"TLS error: 268435581","#,
            false,
        ),
        (
            line(r#""- - -" 0 - - rbac_access_denied_matched_policy[none] "-""#, "517 0 1", ends[0]),
            Level::Info,
            r#""terminationReason":"rbac_access_denied_matched_policy[none]","#,
            true,
        ),
        (
            line(r#""GET /a HTTP/1.1" 403 - rbac_access_denied_matched_policy[none] - "-""#, "0 19 0", ends[1]),
            Level::Warning,
            r#""reason":"rbac_access_denied_matched_policy[none]","#,
            true,
        ),
        (
            line(r#""GET /a HTTP/1.1" 404 NR route_not_found - "-""#, "0 0 0", ends[1]),
            Level::Error,
            r#""flag":"NR","#,
            true,
        ),
        (
            line(r#""GET /a HTTP/1.1" 403 - via_upstream - "-""#, "0 19 0", ends[1]),
            Level::Warning,
            r#"CODE":403"#,
            false,
        ),
        (
            line(r#""GET /a HTTP/1.1" 502 - direct_response - "-""#, "0 0 0", ends[1])
                .replace("outbound|443||edition.cnn.com", "BlackHoleCluster"),
            Level::Error,
            r#""upstreamCluster":"BlackHoleCluster","#,
            true,
        ),
    ];
    for (line, level, told, is_denied) in table {
        let found = found(&line);
        assert_eq!(found.level, level, "{line}");
        let told = told.replace("CODE", r#""responseCode"#);
        assert!(found.line.contains(&told), "{line}: {}", found.line);
        assert_eq!(found.line.contains(r#""verdict":"deny""#), is_denied, "{line}: {}", found.line);
        assert_eq!(found.line.contains("responseCode"), line.contains("GET"), "{line}: {}", found.line);
    }
}

#[test]
fn what_proxies_say_of_themselves_is_passed_over() {
    let place = place();
    let mixer = "2018-06-18T13:22:58.317448Z\tinfo\tegress-access.logentry.istio-system\t{\"path\": \"/politics\"}";
    let notices = [
        "2026-11-29T07:11:00.123456Z\tinfo\tFLAG: --concurrency=\"2\"",
        "2026-11-29T07:11:00.123456Z\tinfo\tEffective config: binaryPath: /usr/local/bin/envoy",
        "concurrency: 2",
        "configPath: ./etc/istio/proxy",
        "2026-11-29T07:11:00.123456Z\tinfo\tEnvoy proxy is ready",
        "2026-11-29T07:11:00.123456Z\twarning\tenvoy config\tgRPC config stream closed: 14\tthread=15",
        "[2026-11-29 07:11:00.123][15][warning][config] [external/envoy/source/x.cc:35] gRPC config stream closed",
        r#"{"level":"info","time":"2026-11-29T07:11:00.123456Z","msg":"Envoy proxy is ready"}"#,
    ];
    let (imported, faults) = place.import(&format!("{}\n{mixer}\nconcurrency: 2\n", notices.join("\n")));
    assert_eq!((imported.entries, imported.notices), (1, notices.len() as u64));
    // Behind an entry it is garbage.
    assert_eq!(faults.into_iter().map(|(number, _)| number).collect::<Vec<_>>(), [10]);
    assert_eq!(place.lines(), [mixer]);
}

#[test]
fn much_input_becomes_segments_at_once_and_the_log_stays_whole() {
    let place = place();
    place.import(&SCENARIO.join("\n"));
    let mut text = String::new();
    let mut written = 0_u64;
    while text.len() < LEAST_DIRECT {
        // Of three days.
        line::begin(&mut text, Level::Info, 1_529_328_178_317_448 + written as i64 * 3_000_000, "i.logentry.ns");
        line::name(&mut text, "path");
        line::string(&mut text, &format!("/{written}"));
        text.push_str("}\n");
        written += 1;
    }
    let access = r#"{"level":"info","time":"2018-06-18T13:22:58.317448Z","instance":"access.egressctl.istio-system"}"#;
    text.push_str(access);
    let (imported, faults) = place.import(&text);
    assert_eq!((imported.entries, imported.accesses, faults), (written, 1, Vec::new()));
    let found = place.lines();
    assert!(found[..4] == SCENARIO && found[4..].iter().map(String::as_str).eq(text.lines().take(written as usize)));
    for stream in Stream::ALL {
        let verified = Verifier::open(&place.state, stream).unwrap().verify(None).unwrap();
        // The one access stays a row: that is few.
        let rows = i64::from(stream == Stream::Accesses);
        assert_eq!((verified.findings, verified.rows), (Vec::new(), rows), "{stream:?}");
    }
    assert_eq!(ask(&LogStore::open(place.state.access_db()).unwrap(), &Query::default()), [access]);
}

#[test]
fn chunks_of_a_file_share_segments_and_those_of_what_is_waited_for_do_not() {
    let mut text = String::new();
    let mut written = 0;
    while text.len() < 2 * CHUNK + LEAST_DIRECT / 2 {
        line::begin(&mut text, Level::Info, 1_529_328_178_317_448 + written, "i.logentry.ns");
        text.push_str("}\n");
        written += 1;
    }
    for (is_there, segments, rows) in [(true, 1, 0), (false, 2, 1)] {
        let place = place();
        let mut importer = Importer::open(&place.state, ACCESSES, Redact::default()).unwrap();
        let input = Input { name: "-", lines: &mut text.as_bytes(), is_there };
        let imported = importer.import(input, 0, &mut |number, why| panic!("{number}: {why}")).unwrap();
        assert_eq!(imported.entries, written as u64);
        assert!(place.lines().iter().map(String::as_str).eq(text.lines()));
        let verified = Verifier::open(&place.state, Stream::Lines).unwrap().verify(None).unwrap();
        assert_eq!((verified.findings, verified.segments), (Vec::new(), segments), "{is_there}");
        assert_eq!(verified.rows.min(1), rows, "{is_there}");
    }
}

#[test]
fn an_import_that_was_killed_leaves_nothing_that_counts() {
    let place = place();
    let sealer = Sealer::open(&place.state, Stream::Lines, Limits::default()).unwrap();
    let mut segment = sealer.direct(HANDLER).unwrap().unwrap();
    assert!(segment.push(&found(SCENARIO[0])));
    // As if its process ended between writing and listing.
    segment.abandon_written();
    let verified = Verifier::open(&place.state, Stream::Lines).unwrap().verify(None).unwrap();
    assert_eq!((verified.findings, verified.notes.len()), (Vec::new(), 1));
    place.import(&SCENARIO.join("\n"));
    assert_eq!(place.lines(), SCENARIO);
    Sealer::open(&place.state, Stream::Lines, Limits::default()).unwrap().seal_all(0).unwrap();
    assert_eq!(place.lines(), SCENARIO);
}

#[test]
fn lines_that_could_drive_a_terminal_are_refused() {
    let head = r#"{"level":"info","time":"2018-06-18T13:22:58.317448Z","instance":"i.logentry.ns""#;
    let text = format!("{head},\r\"a\":\"b\"}}\n{head},\"a\":\"\u{202e}\"}}\n{head},\"a\":\"\\u202e\"}}\n");
    let (imported, faults) = place().import(&text);
    assert_eq!((imported.entries, faults.iter().map(|(line, _)| *line).collect::<Vec<_>>()), (1, vec![1, 2]));
}

#[test]
fn what_a_proxy_would_not_have_recorded_is_left_out() {
    let head = r#"{"level":"info","time":"2018-06-18T13:22:58.000000Z","instance":"i.logentry.ns""#;
    let rest = r#","headers":{"authorization":"Bearer 1","x-team":"web"},"path":"/a?b=1","token":"t","user":"ann"}"#;
    let table = [
        (
            Redact::None,
            r#","headers":{"authorization":"[redacted]","x-team":"web"},"path":"/a?b=1","token":"[redacted]","user":"ann"}"#,
        ),
        (
            Redact::Query,
            r#","headers":{"authorization":"[redacted]","x-team":"web"},"path":"/a?[redacted]","token":"[redacted]","user":"ann"}"#,
        ),
        (
            Redact::All,
            r#","headers":{"authorization":"[redacted]","x-team":"[redacted]"},"path":"[redacted]","token":"[redacted]","user":"ann"}"#,
        ),
    ];
    for (redact, expected) in table {
        let place = place();
        let mut importer = Importer::open(&place.state, ACCESSES, redact).unwrap();
        // What was left out already stays as it is.
        for text in [format!("{head}{rest}"), format!("{head}{expected}")] {
            importer.import(input(&mut text.as_bytes()), 0, &mut |_, why| panic!("{why}")).unwrap();
        }
        assert_eq!(place.lines(), [format!("{head}{expected}"), format!("{head}{expected}")], "{redact:?}");
    }
}

#[test]
fn what_nobody_could_read_again_is_garbage() {
    let with = |value: &str| {
        format!(
            r#"{{"level":"info","time":"2018-06-18T13:22:58.317448Z","instance":"a.b.c","path":{value},"ok":[true,null]}}"#
        )
    };
    for value in [r#""\udbdd""#, r#""\udbdd\u0041""#, "1e999", r#"{"a":[1e999]}"#, "01", "tru"] {
        assert!(read(&with(value)).is_err(), "{value}");
    }
    for value in [r#""\ud83d\ude00""#, "1e99", "-0", r#"{"a":[1,-2,1.5,"x"]}"#] {
        assert_eq!(found(&with(value)).line, with(value));
    }
}

#[test]
fn a_number_of_many_digits_is_the_same_when_its_line_is_imported_again() {
    let line = r#"{"level":"info","time":"2018-06-18T13:22:58.1223456Z","instance":"a","x":202222222222222.222}"#;
    let once = found(line).line.into_owned();
    assert!(once.ends_with(r#""x":202222222222222.22}"#), "{once}");
    assert_eq!(found(&once).line, once);
}
