use std::net::{IpAddr, Ipv4Addr};

use http::HeaderName;
use http::header::AUTHORIZATION;

use super::*;
use crate::call::{Arrival, Marks, normalize};
use crate::expr::Timestamp;
use crate::identity::{Caller, Workload};

fn call(target: &str, headers: &[(&str, &str)]) -> Call {
    let mut head = http::Request::builder().method("GET").uri(target).version(http::Version::HTTP_2);
    for (name, value) in headers {
        head = head.header(*name, *value);
    }
    let workload = Workload {
        name: "sleep".into(),
        namespace: "default".into(),
        principal: "cluster.local/ns/default/sa/sleep".into(),
        labels: [("app".to_owned(), "sleep".to_owned())].into(),
        ..Workload::default()
    };
    let arrival = Arrival {
        time: Timestamp::from_micros(1_529_328_178_317_448),
        chance: 0x5f0c_1e2d_3a4b_5968,
        caller: Some(Caller::by_listener(workload)),
        peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
        tls: None,
    };
    normalize(head.body(()).unwrap().into_parts().0, arrival).unwrap()
}

fn outcome(failure: Option<Failure>) -> Outcome {
    Outcome {
        status: failure.map_or(200, Failure::status),
        failure,
        abandoned: false,
        request_bytes: 0,
        response_bytes: 150_448,
        response_time: Timestamp::from_micros(1_529_328_178_317_948),
        duration: 1_234_567,
        marks: Marks::default(),
        closed_by: None,
    }
}

fn record(call: &Call, failure: Option<Failure>, recording: Recording) -> Option<String> {
    let (outcome, checked) = (outcome(failure), Checked::default());
    let headers = [HeaderName::from_static("x-team"), AUTHORIZATION].map(ReadHeader::from);
    let ended = Ended {
        call,
        outcome: &outcome,
        hop: Hop::Sidecar(0),
        checked: &checked,
        message: "",
        grant: None,
        lifted: None,
        revision: Revision(7),
        headers: &headers,
    };
    let mut accesses = Batch::default();
    ended.record(recording, &mut Callers::default(), &mut accesses);
    accesses.iter().next().map(|entry| entry.line.to_owned())
}

#[test]
fn a_record_tells_of_a_call_all_that_decisions_depend_on_in_byte_order() {
    let call = call("http://edition.cnn.com/politics", &[("x-team", "web"), ("accept", "*/*")]);
    let line = record(&call, None, Recording::default()).unwrap();
    let expected = concat!(
        r#"{"level":"info","time":"2018-06-18T13:22:58.317448Z","instance":"access.egressctl.istio-system","#,
        r#""decision":"5f0c1e2d3a4b5968","destination":"edition.cnn.com","destinationPort":80,"durationMicros":1234,"#,
        r#""firstByteMicros":500,"flag":"-","headers":{"x-team":"web"},"hop":"sidecar","method":"GET","#,
        r#""path":"/politics","protocol":"http","requestSize":0,"responseCode":200,"responseSize":150448,"revision":7,"#,
        r#""scheme":"http","source":"sleep","sourceIp":"127.0.0.1","sourceLabels":{"app":"sleep"},"#,
        r#""sourceNamespace":"default","sourcePrincipal":"cluster.local/ns/default/sa/sleep","sourceProof":"listener","#,
        r#""verdict":"allow"}"#
    );
    assert_eq!(line, expected);
    let fields = line::fields(&line).unwrap();
    assert!(fields[3..].is_sorted_by(|(one, _), (other, _)| one < other), "{line}");
}

#[test]
fn what_may_be_secret_is_left_out_visibly() {
    let call = call("http://a.example/x?token=1", &[("authorization", "Bearer 1"), ("x-team", "web")]);
    for (redact, path, team) in [
        (Redact::None, r#""path":"/x?token=1""#, r#""x-team":"web""#),
        (Redact::Query, r#""path":"/x?[redacted]""#, r#""x-team":"web""#),
        (Redact::All, r#""path":"[redacted]""#, r#""x-team":"[redacted]""#),
    ] {
        let line = record(&call, None, Recording { redact, ..Recording::default() }).unwrap();
        assert!(line.contains(path) && line.contains(team), "{line}");
        assert!(line.contains(r#""authorization":"[redacted]""#) && !line.contains("Bearer"), "{line}");
    }
}

#[test]
fn all_calls_are_recorded_or_those_that_were_refused_or_failed_or_none() {
    let call = call("http://a.example/x", &[]);
    for (calls, kept) in [
        (Recorded::Off, [false, false, false]),
        (Recorded::Refused, [false, true, true]),
        (Recorded::All, [true, true, true]),
    ] {
        let recording = Recording { calls, ..Recording::default() };
        let found = [None, Some(Failure::NoRoute), Some(Failure::ConnectFailed)]
            .map(|failure| record(&call, failure, recording).is_some());
        assert_eq!(found, kept, "{calls:?}");
    }
}

#[test]
fn a_call_that_failed_on_its_way_was_allowed() {
    let call = call("http://a.example/x", &[]);
    for (failure, verdict) in [(Failure::UnknownHost, "deny"), (Failure::ConnectFailed, "allow")] {
        let line = record(&call, Some(failure), Recording::default()).unwrap();
        assert!(line.contains(&format!(r#""verdict":"{verdict}""#)) && line.contains(r#""level":"error""#), "{line}");
    }
}

#[test]
fn the_record_of_what_never_became_a_call_says_who_sent_what_in_byte_order_and_is_none_of_a_call() {
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let arrival =
        Arrival { time: Timestamp::from_micros(0), chance: 0x5f0c_1e2d_3a4b_5968, caller: None, peer, tls: None };
    let head = http::Request::builder().uri("http://a.example/a%2fb?token=1").body(()).unwrap().into_parts().0;
    let unread = Unread::of_head(Failure::BadRequest("why"), &head, arrival);
    let line = refused_head(&unread, Hop::Sidecar(0), Recording::default()).unwrap().line;
    let expected = concat!(
        r#"{"level":"error","time":"1970-01-01T00:00:00.000000Z","instance":"access.egressctl.istio-system","#,
        r#""decision":"5f0c1e2d3a4b5968","destination":"a.example","destinationPort":80,"flag":"DPE","hop":"sidecar","#,
        r#""method":"GET","path":"/a%2fb","reason":"why","responseCode":400,"sourceIp":"127.0.0.1","verdict":"deny"}"#
    );
    assert_eq!(line, expected);
}
