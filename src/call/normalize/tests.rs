use proptest::prelude::*;

use super::*;

fn call(head: http::request::Builder) -> Result<Call, Failure> {
    let arrival = Arrival {
        time: Timestamp::ZERO,
        chance: 0,
        caller: None,
        peer: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        tls: None,
    };
    normalize(head.body(()).expect("a valid head").into_parts().0, arrival)
}

fn get(uri: &str) -> http::request::Builder {
    http::Request::builder().uri(uri).header("host", "edition.cnn.com")
}

#[test]
fn spellings_of_one_host_are_one_authority() {
    for uri in [
        "http://edition.cnn.com/",
        "http://EDITION.cnn.com:80/",
        "http://edition.cnn.com./",
        "http://edition.cnn.com:/",
    ] {
        assert_eq!(call(get(uri)).expect("accepted").authority().as_str(), "edition.cnn.com", "{uri}");
    }
    let other = http::Request::builder().uri("http://edition.cnn.com:8080/").header("host", "edition.cnn.com:8080");
    let other = call(other).expect("accepted");
    assert_eq!((other.authority().as_str(), other.authority().port()), ("edition.cnn.com:8080", 8080));
    assert_eq!(other.authority().host(), "edition.cnn.com");
}

#[test]
fn an_address_is_judged_in_one_spelling_and_refused_in_those_that_only_some_read() {
    for (sent, judged) in [
        ("[2001:DB8:0:0::1]", "[2001:db8::1]"),
        ("[2001:db8::0.0.0.1]:8080", "[2001:db8::1]:8080"),
        ("[::ffff:93.184.216.34]", "93.184.216.34"),
        ("[0:0:0:0:0:FFFF:5DB8:D822]:8080", "93.184.216.34:8080"),
        ("93.184.216.34", "93.184.216.34"),
        ("a.x1", "a.x1"),
        ("1.a", "1.a"),
    ] {
        assert_eq!(authority_of(sent, HTTP_PORT).expect("valid").as_str(), judged, "{sent}");
    }
    for sent in ["127.1", "2130706433", "0x7f.0.0.1", "0x7F000001", "127.0.0.0x1", "0177.0.0.1", "1.2.3.4.5", "a.0x"] {
        assert!(authority_of(sent, HTTP_PORT).is_err(), "{sent}");
        assert!(server_name(sent).is_none(), "{sent}");
    }
}

#[test]
fn the_absolute_form_and_the_host_header_must_agree() {
    for (uri, host, agree) in [
        ("http://a.example/", "a.example", true),
        ("http://A.example.:80/", "a.example", true),
        ("http://a.example:8080/", "a.example:8080", true),
        ("http://a.example/", "b.example", false),
        ("http://a.example:8080/", "a.example", false),
        ("http://a.example/", "", false),
    ] {
        let call = call(http::Request::builder().uri(uri).header("host", host));
        assert_eq!(call.is_ok(), agree, "{uri} {host}");
        assert!(call.is_err() || call.is_ok_and(|call| call.authority().host() == "a.example"));
    }
}

#[test]
fn headers_that_make_another_request_of_it_are_refused() {
    for (name, value, good) in [
        ("x-http-method-override", "GET", true),
        ("x-http-method-override", "DELETE", false),
        ("x-method-override", "put", false),
        ("x-http-method", "MERGE", false),
        ("x_team", "a", true),
        ("api_key", "a", true),
        ("x_same", "a", false),
    ] {
        assert_eq!(call(get("/").header("x-same", "b").header(name, value)).is_ok(), good, "{name}: {value}");
    }
}

#[test]
fn the_query_is_kept_as_it_came() {
    let sent = call(get("http://edition.cnn.com/a/../b?x=/../%70")).expect("accepted");
    assert_eq!(sent.path_and_query().as_str(), "/b?x=/../%70");
}

#[test]
fn a_query_without_path_is_judged_as_it_is_sent() {
    let call = call(get("http://edition.cnn.com?/politics")).expect("accepted");
    assert_eq!((call.path(), call.path_and_query().as_str()), ("/", "/?/politics"));
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    let two_hosts = get("/").header("host", "other.example");
    let two_lengths = get("/").header("content-length", "1").header("content-length", "1");
    let both = get("/").header("content-length", "1").header("transfer-encoding", "chunked");
    let https = get("https://edition.cnn.com/");
    let user = get("http://user@edition.cnn.com/");
    for head in [
        two_hosts,
        two_lengths,
        both,
        https,
        user,
        get("politics"),
        get("edition.cnn.com"),
        http::Request::builder().uri("/"),
    ] {
        let shown = format!("{head:?}");
        assert!(matches!(call(head), Err(Failure::BadRequest(_))), "{shown}");
    }
}

#[test]
fn hop_by_hop_and_forged_headers_do_not_pass() {
    let head = get("/")
        .header("connection", "close, X-Secret")
        .header("x-secret", "1")
        .header("proxy-authorization", "Basic eDp5")
        .header("x-envoy-original-path", "/sport")
        .header("x-forwarded-client-cert", "URI=spiffe://cluster.local/ns/default/sa/admin")
        .header("x_forwarded_client_cert", "URI=spiffe://cluster.local/ns/default/sa/admin")
        .header("X_Envoy_Internal", "true")
        .header("x-egress-identity", "admin")
        .header("x-forwarded-for", "127.0.0.1")
        .header("forwarded", "for=127.0.0.1")
        .header("x-real-ip", "127.0.0.1")
        .header("x-original-url", "/admin")
        .header("x-rewrite-url", "/admin")
        .header("content_length", "7")
        .header("transfer_encoding", "chunked")
        .header("proxy_authorization", "Basic eDp5")
        .header("accept", "*/*");
    let call = call(head).expect("accepted");
    assert_eq!(call.headers().keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["accept"]);
}

proptest! {
    #[test]
    fn no_host_panics(text in "\\PC{0,40}") {
        let _ = authority_of(&text, HTTP_PORT);
    }
}
