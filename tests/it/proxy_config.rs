//! What a running proxy tells of its configuration: `proxy-config`.

use egressctl::cli::demo::origin::{Origin, Reply};
use serde_json::Value as Json;

use crate::proxied::{Proxied, Site};
use crate::stage::{SCENARIO, Stage, until};

fn table(scene: &Stage, arguments: &[&str]) -> String {
    let mut all = vec!["proxy-config"];
    all.extend(arguments);
    scene.ok(&all)
}

fn rows(scene: &Stage, arguments: &[&str]) -> Vec<Json> {
    let mut all = arguments.to_vec();
    all.extend(["-o", "json"]);
    serde_json::from_str(&table(scene, &all)).expect("a list of JSON")
}

#[test]
fn routes_and_clusters_of_each_hop_are_shown_with_the_resources_that_they_came_from() {
    let site = Site::new(&[]);
    let _proxy = site.proxy(&[]);
    insta::assert_snapshot!(table(&site.scene, &["routes"]), @r#"
    PROXY                              NAME       VHOST NAME                                              DOMAINS                                                          MATCH   VIRTUAL SERVICE
    sleep.default                      80         edition.cnn.com:80                                      edition.cnn.com                                                  /*      direct-through-egress-gateway.default
    sleep.default                      80         istio-egressgateway.istio-system.svc.cluster.local:80   istio-egressgateway.istio-system.svc.cluster.local, +2 more...   /*      -
    sleep.default                      80         sleep.default.svc.cluster.local:80                      sleep.default.svc.cluster.local, +3 more...                      /*      -
    sleep.default                      443        edition.cnn.com:443                                     edition.cnn.com                                                  /*      -
    istio-egressgateway.istio-system   http.443   edition.cnn.com:443                                     edition.cnn.com                                                  /*      direct-through-egress-gateway.default
    "#);
    insta::assert_snapshot!(table(&site.scene, &["c", "istio-egressgateway.istio-system"]), @r#"
    SERVICE FQDN      PORT   SUBSET   DIRECTION   TYPE         DESTINATION RULE                            LAST FAILURE
    edition.cnn.com   443    -        outbound    STRICT_DNS   originate-tls-for-edition-cnn-com.default   -
    "#);
    insta::assert_snapshot!(table(&site.scene, &["clusters", "sleep"]), @r#"
    SERVICE FQDN                                         PORT   SUBSET   DIRECTION   TYPE         DESTINATION RULE                            LAST FAILURE
    edition.cnn.com                                      443    -        outbound    STRICT_DNS   originate-tls-for-edition-cnn-com.default   -
    istio-egressgateway.istio-system.svc.cluster.local   80     -        outbound    INTERNAL     mutual-tls-for-egressgateway.default        -
    istio-egressgateway.istio-system.svc.cluster.local   443    -        outbound    INTERNAL     mutual-tls-for-egressgateway.default        -
    sleep.default.svc.cluster.local                      80     -        outbound    STATIC       -                                           -
    "#);
    insta::assert_snapshot!(table(&site.scene, &["endpoints", "sleep"]), @r#"
    ENDPOINT              STATUS    OUTLIER CHECK   CLUSTER
    edition.cnn.com:443   HEALTHY   OK              outbound|443||edition.cnn.com
    internal:80           HEALTHY   OK              outbound|80||istio-egressgateway.istio-system.svc.cluster.local
    internal:443          HEALTHY   OK              outbound|443||istio-egressgateway.istio-system.svc.cluster.local
    "#);
    let [route] = rows(&site.scene, &["r", "istio-egressgateway.istio-system"]).try_into().expect("one");
    assert_eq!(route["node"], "egressgateway");
    assert_eq!(route["virtualService"]["name"], "direct-through-egress-gateway");
    let declared_at = route["virtualService"]["declaredAt"].as_str().expect("a place");
    assert!(declared_at.ends_with("01-egress-gateway.yaml:31"), "{declared_at}");
    assert_eq!(route["destinations"][0]["cluster"], "outbound|443||edition.cnn.com");
    let [cluster] = rows(&site.scene, &["c", "istio-egressgateway.istio-system"]).try_into().expect("one");
    assert_eq!(cluster["tls"]["mode"], "SIMPLE");
    assert_eq!(cluster["registeredBy"]["kind"], "ServiceEntry");
}

#[test]
fn listeners_say_what_calls_to_each_port_meet() {
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    scene.declare(&["passthrough/egress-gateway.yaml"]);
    let proxy = Proxied::start(&scene, &[]);
    let shown = table(&scene, &["listeners"]).replace(&proxy.address.port().to_string(), "PORT ");
    insta::assert_snapshot!(shown, @r#"
    PROXY                              ADDRESSES   PORT    MATCH                                                                DESTINATION
    sleep.default                      127.0.0.1   PORT    Port: 80                                                             Route: 80
    sleep.default                      127.0.0.1   PORT    Port: 443; SNI: edition.cnn.com                                      Cluster: outbound|443||istio-egressgateway.istio-system.svc.cluster.local
    sleep.default                      127.0.0.1   PORT    Port: 443; SNI: money.cnn.com                                        Cluster: outbound|443||istio-egressgateway.istio-system.svc.cluster.local
    sleep.default                      127.0.0.1   PORT    Port: 443; SNI: istio-egressgateway.istio-system.svc.cluster.local   Cluster: outbound|443||istio-egressgateway.istio-system.svc.cluster.local
    sleep.default                      127.0.0.1   PORT    ALL                                                                  Cluster: BlackHoleCluster
    istio-egressgateway.istio-system   internal    443     SNI: edition.cnn.com                                                 Cluster: outbound|443||edition.cnn.com
    istio-egressgateway.istio-system   internal    443     SNI: *.cnn.com                                                       Cluster: outbound|443||*.cnn.com
    istio-egressgateway.istio-system   internal    443     ALL                                                                  Route: http.443
    "#);
}

#[test]
fn listeners_of_the_gateway_for_callers_from_outside_are_shown_with_the_servers_port() {
    let scene = Stage::new();
    scene.declare(&SCENARIO[..2]);
    let _proxy = Proxied::start(&scene, &["--gateway-listen", "127.0.0.1:0=443"]);
    let shown = rows(&scene, &["listeners", "istio-egressgateway.istio-system", "--address", "127.0.0.1"]);
    let [listener] = shown.try_into().expect("one");
    let listener: Json = listener;
    assert_eq!((&listener["calledPort"], &listener["destination"]), (&443.into(), &"Route: http.443".into()));
    assert_ne!(listener["port"], 0);
}

#[test]
fn an_endpoint_that_is_left_out_is_shown_as_failed_and_its_cluster_with_the_failure() {
    let good = Origin::start(None, |_| Reply::page("200 OK", b"good")).expect("an origin");
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    // Nobody listens on port 1 of loopback.
    let manifests = format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: pool}}\nspec:\n  hosts: \
         [pool.example]\n  resolution: STATIC\n  ports: [{{number: 80, name: http, protocol: HTTP}}]\n  endpoints: \
         [{{address: 127.0.0.1, ports: {{http: {}}}}}, {{address: 127.0.0.1, ports: {{http: 1}}}}]\n---\napiVersion: \
         networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: pool}}\nspec:\n  host: pool.example\n  \
         trafficPolicy:\n    loadBalancer: {{simple: ROUND_ROBIN}}\n    outlierDetection: {{consecutive5xxErrors: 1, \
         baseEjectionTime: 1h}}\n",
        good.address.port()
    );
    scene.ok_with(&["create", "-f", "-"], &manifests);
    let proxy = Proxied::start(&scene, &["--workers", "1"]);
    let all_well = rows(&scene, &["ep", "--cluster", "outbound|80||pool.example"]);
    assert!(all_well.iter().all(|endpoint| endpoint["outlierCheck"] == "OK"), "{all_well:?}");
    (0..4).for_each(|_| drop(proxy.get("http://pool.example/")));
    let failed = rows(&scene, &["ep", "--status", "unhealthy"]);
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!((&failed[0]["endpoint"], &failed[0]["outlierCheck"]), (&"127.0.0.1:1".into(), &"FAILED".into()));
    assert_eq!(failed[0]["ejections"], 1);
    assert!(failed[0]["ejectedUntil"].is_string());
    let shown = table(&scene, &["endpoints", "--port", "1"]);
    insta::assert_snapshot!(shown, @r#"
    ENDPOINT      STATUS      OUTLIER CHECK   CLUSTER
    127.0.0.1:1   UNHEALTHY   FAILED          outbound|80||pool.example
    "#);
    let [cluster] = rows(&scene, &["clusters", "--fqdn", "pool.example"]).try_into().expect("one");
    assert_eq!(cluster["lastFailure"]["flag"], "UF");
    assert_eq!(cluster["lastFailure"]["lasts"], false, "the other endpoint has answered since");
}

#[test]
fn what_changes_in_the_registry_changes_what_is_shown() {
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    let _proxy = Proxied::start(&scene, &[]);
    assert_eq!(table(&scene, &["clusters", "--fqdn", "a.example"]), "");
    scene.ok_with(
        &["create", "-f", "-"],
        &crate::stage::service_entry("a.example", std::net::SocketAddr::from(([127, 0, 0, 1], 1))),
    );
    until("the cluster is there", || !table(&scene, &["clusters", "--fqdn", "a.example"]).is_empty());
}

#[test]
fn proxies_are_chosen_by_workload_or_by_node_and_what_is_not_there_is_said() {
    let scene = Stage::new();
    let told = scene.fails(&["proxy-config", "routes"]);
    assert!(told.contains("no proxy runs on this state directory"), "{told}");
    scene.declare(&SCENARIO[..1]);
    let _one = Proxied::start(&scene, &["--node", "one"]);
    let _two = Proxied::start(&scene, &["--node", "two"]);
    let nodes = |arguments: &[&str]| {
        let mut nodes: Vec<_> = rows(&scene, arguments).iter().map(|row| row["node"].to_string()).collect();
        nodes.dedup();
        nodes
    };
    assert_eq!(nodes(&["listeners"]), ["\"one\"", "\"two\""]);
    assert_eq!(nodes(&["listeners", "two"]), ["\"two\""]);
    assert_eq!(nodes(&["listeners", "sleep.default", "--node", "one"]), ["\"one\""]);
    let told = scene.fails(&["proxy-config", "l", "slep"]);
    assert!(told.contains("sleep.default, istio-egressgateway.istio-system"), "{told}");
    let told = scene.fails(&["proxy-config", "l", "--node", "three"]);
    assert!(told.contains("no proxy named \"three\" runs"), "{told}");
    let told = scene.fails(&["proxy-config", "l", "--subset", "v1"]);
    assert!(told.contains("--subset says nothing of listeners"), "{told}");
    let told = scene.fails(&["proxy-config", "ep", "--status", "sick"]);
    assert!(told.contains("must be one of healthy, unhealthy"), "{told}");
}
