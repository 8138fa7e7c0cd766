//! Access control by routing, with real curl and real TLS: a gateway that has routes for some pages only.

use std::process::Command;

use crate::proxied::Site;
use crate::stage::curl;

const PAGES: [(&str, &str); 3] = [("/politics", "404"), ("/sport", "200"), ("/health", "200")];

#[test]
fn a_gateway_with_routes_for_two_pages_answers_404_to_others_and_trace_says_why() {
    let Some(curl) = curl() else { return };
    let site = Site::new(&[]);
    let scene = &site.scene;
    scene.ok(&["replace", "-f", &scene.fixture("routing/health-and-sport.yaml")]);
    let proxy = site.proxy(&[]);
    for (page, status) in PAGES {
        let got = Command::new(curl)
            .args(["-sL", "-o", "/dev/null", "-w", "%{http_code}", &format!("http://edition.cnn.com{page}")])
            .env("http_proxy", format!("http://{}", proxy.address))
            .env_remove("no_proxy")
            .output()
            .expect("curl runs");
        assert_eq!(String::from_utf8_lossy(&got.stdout), status, "{page}");
        let entry = scene.wait_for_entry(&format!("\"path\":\"{page}\",\"responseCode\":{status}"));
        assert!(entry.contains("\"instance\":\"egress-access.logentry.istio-system\""), "{entry}");
    }
    assert_eq!(site.origin.requests(), 2, "what has no route never leaves");

    let told = scene.ok(&["trace", "--from", "sleep", "http://edition.cnn.com/politics"]);
    let why = r#"path "/politics" does not match the regex "/health|/sport""#;
    assert!(told.contains(why) && told.contains("404"), "{told}");
    let answer = scene.ok(&["trace", "--from", "sleep", "http://edition.cnn.com/politics", "-o", "json"]);
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
    assert_eq!((&answer["status"], &answer["flags"]), (&404.into(), &"NR".into()), "{answer}");
}
