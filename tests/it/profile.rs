//! A flame graph of a proxy.

use crate::proxied::{Proxied, with_origin};

#[test]
fn a_flame_graph_is_drawn_when_it_is_asked_for_and_at_the_end() {
    let (scene, _origin) = with_origin("");
    let file = scene.write("flame.svg", "an older one");
    let mut proxy = Proxied::start(&scene, &["--workers", "1", "--profile", &file]);
    let mut client = proxy.connect();
    for _ in 0..1500 {
        assert_eq!(client.get("http://a.example/").status, 200);
    }
    let graph = || std::fs::read_to_string(&file).expect("it is written");
    assert_eq!(graph(), "an older one", "which stays until there is a new one");
    proxy.signal("-USR1");
    proxy.wait_for("a flame graph is in");
    let first = graph();
    assert!(first.contains("<svg") && first.contains("</svg>") && first.contains("egressctl proxy egressgateway"));
    assert!(first.contains("egressctl::proxy::") && first.contains("worker-0"), "frames of ours, by thread");
    assert_eq!(client.get("http://a.example/").status, 200, "it goes on");
    std::fs::write(&file, "").expect("it can be written");
    drop(client);
    scene.ok(&["proxy", "stop"]);
    assert!(proxy.wait().success());
    assert!(graph().contains("egressctl::proxy::"));
}

#[test]
fn a_file_that_cannot_be_written_is_told_at_the_start() {
    let (scene, _origin) = with_origin("");
    let told = scene.fails(&["proxy", "start", "--listen", "127.0.0.1:0=sleep", "--profile", "/nowhere/flame.svg"]);
    assert!(told.contains("cannot profile into /nowhere/flame.svg"), "{told}");
}

#[test]
fn a_proxy_that_computed_next_to_nothing_leaves_no_empty_graph() {
    let (scene, _origin) = with_origin("");
    let file = scene.state().with_file_name("idle.svg");
    let mut proxy = Proxied::start(&scene, &["--profile", file.to_str().expect("a plain name")]);
    assert!(!file.exists(), "nothing is drawn yet");
    scene.ok(&["proxy", "stop"]);
    assert!(proxy.wait().success());
    // Whether a sample met anything is chance.
    assert!(!file.exists() || std::fs::read_to_string(&file).expect("text").contains("</svg>"));
}
