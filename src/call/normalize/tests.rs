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
    let other = call(get("http://edition.cnn.com:8080/")).expect("accepted");
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
fn the_absolute_form_wins_over_the_host_header() {
    let head = http::Request::builder().uri("http://a.example/").header("host", "b.example");
    assert_eq!(call(head).expect("accepted").authority().host(), "a.example");
}

#[test]
fn paths_are_brought_into_one_form() {
    for (sent, canonical) in [
        ("/politics", "/politics"),
        ("/%70olitics", "/politics"),
        ("/sport/../politics", "/politics"),
        ("/sport/%2e%2e/politics", "/politics"),
        ("/./politics", "/politics"),
        ("//politics", "/politics"),
        ("/a\\..\\politics", "/politics"),
        ("/..", "/"),
        ("/a/", "/a/"),
        ("/a/.", "/a/"),
        ("/@scope%2fname", "/@scope%2Fname"),
        ("/%40scope%2Fname", "/@scope%2Fname"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/caf\u{e9}", "/caf%C3%A9"),
        ("/a%21b%3b%3D", "/a!b%3B%3D"),
        ("/100%", "/100%25"),
        ("/a%zz", "/a%25zz"),
        ("/%%370olitics", "/%2570olitics"),
        ("/%7%30olitics", "/%2570olitics"),
        ("/x/%%32e%%32e/politics", "/x/%252e%252e/politics"),
        ("/%+Aa", "/%25+Aa"),
        ("/%25%37", "/%257"),
        ("/.hidden", "/.hidden"),
    ] {
        assert_eq!(normalize_path(sent).as_deref(), Some(canonical), "{sent}");
    }
    assert_eq!(normalize_path("/a%00b"), None);
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
        .header("accept", "*/*");
    let call = call(head).expect("accepted");
    assert_eq!(call.headers().keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["accept"]);
}

proptest! {
    #[test]
    fn a_normalized_path_has_nothing_left_to_normalize(path in "/[a-c./%02357eE5cC+\\\\]{0,24}") {
        if let Some(once) = normalize_path(&path) {
            let twice = normalize_path(&once).map(Cow::into_owned);
            prop_assert_eq!(twice.as_deref(), Some(&*once));
            prop_assert!(once.starts_with('/'));
            prop_assert!(!once.contains("//") && !once.contains("/../") && !once.contains("/./"), "{once}");
        }
    }

    #[test]
    fn no_host_panics(text in "\\PC{0,40}") {
        let _ = authority_of(&text, HTTP_PORT);
    }
}
