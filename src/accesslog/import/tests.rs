use super::*;
use crate::accesslog::testing::{SCENARIO, ask};
use crate::accesslog::{Query, Verifier, line};

const ACCESSES: &str = "access.egressctl.istio-system";

struct Place {
    _dir: tempfile::TempDir,
    state: StateDir,
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
        let imported = importer.import(("-", &mut text.as_bytes()), 0, &mut fault).unwrap();
        (imported, faults)
    }

    fn lines(&self) -> Vec<String> {
        ask(&LogStore::open(self.state.hot_db()).unwrap(), &Query::default())
    }
}

#[test]
fn exported_lines_come_back_to_the_byte_and_garbage_is_told_by_its_number() {
    let place = place();
    let [first, second, third, last] = SCENARIO;
    let text = format!("{first}\n{{\"level\":\"info\"\n\n{second}\r\nhello\n{third}\n{last}");
    let (imported, faults) = place.import(&text);
    assert_eq!(imported, Imported { lines: 6, entries: 4, accesses: 0 });
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
    let json = r#"{"start_time":"2020-11-25T21:26:18.409Z","route_name":"default","method":"GET","path":"/status/418","protocol":"HTTP/1.1","response_code":418,"response_flags":"UAEX","bytes_received":"0","bytes_sent":135,"duration":3,"user_agent":"curl/7.73.0-DEV","request_id":"84961386","authority":"httpbin:8000","upstream_host":"127.0.0.1:80","downstream_remote_address":"10.44.1.23:37652","requested_server_name":"outbound_.8000_._.httpbin.foo"}"#;
    let read = |text| read(text).unwrap_or_else(|why| panic!("{text}: {why}"));
    let expected = r#"{"level":"info","time":"2016-04-15T20:17:00.310000Z","instance":"imported.envoy.istio-system","destination":"locations","durationMicros":226000,"method":"POST","path":"/api/v1/locations","protocol":"HTTP/2","requestId":"cc21d9b0","requestSize":154,"responseCode":204,"responseSize":0,"upstream":"tcp://10.0.2.1:80","userAgent":"nsq2http"}"#;
    assert_eq!(read(envoy).line, expected);
    assert_eq!(read(istio).line, read(json).line);
    let fields = |text| line::fields(&read(text).line).unwrap().split_off(3);
    let without_route: Vec<_> = fields(istio).into_iter().filter(|(name, _)| name != "route").collect();
    assert_eq!(fields(old), without_route);
    assert!(fields(istio).is_sorted_by(|(one, _), (other, _)| one < other));
    assert_eq!(read(istio).level, Level::Error);
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
fn an_import_that_was_killed_leaves_nothing_that_counts() {
    let place = place();
    let sealer = Sealer::open(&place.state, Stream::Lines, Limits::default()).unwrap();
    let mut segment = sealer.direct(HANDLER).unwrap().unwrap();
    assert!(segment.push(&read(SCENARIO[0]).unwrap()));
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
            importer.import(("-", &mut text.as_bytes()), 0, &mut |_, why| panic!("{why}")).unwrap();
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
        assert_eq!(read(&with(value)).unwrap().line, with(value));
    }
}

#[test]
fn a_number_of_many_digits_is_the_same_when_its_line_is_imported_again() {
    let line = r#"{"level":"info","time":"2018-06-18T13:22:58.1223456Z","instance":"a","x":202222222222222.222}"#;
    let once = ours::json(line).expect("a line").line.into_owned();
    assert!(once.ends_with(r#""x":202222222222222.22}"#), "{once}");
    assert_eq!(ours::json(&once).expect("a line").line, once);
}
