//! The steps of the tour, each printed with the command that a user would type.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value as Json;

use super::origin::{Identity, Origin, Reply};
use super::{Proxy, Tour};
use crate::cli::http;

const SLEEP: &str = include_str!("../../../fixtures/scenario/sleep.yaml");
const GATEWAY: &str = include_str!("../../../fixtures/scenario/01-egress-gateway.yaml");
const MONITORING: &str = include_str!("../../../fixtures/scenario/02-egress-monitoring.yaml");

/// The pages of the site, with the sizes that the scenario shows.
const PAGES: [(&str, usize); 3] = [("/politics", 150_448), ("/sport", 358_651), ("/health", 332_218)];

/// How long the four entries may take to be in the log; they are there within 50 ms unless the machine stands still.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn all(tour: &Tour, out: &mut dyn Write) -> Result<()> {
    let site = site(tour)?;
    title(out, "Declare who may call what")?;
    tell(tour, out, "egressctl apply -f fixtures/scenario/sleep.yaml", &["apply", "-f", "-"], SLEEP)?;
    tell(tour, out, "egressctl create -f fixtures/scenario/01-egress-gateway.yaml", &["create", "-f", "-"], GATEWAY)?;
    let monitoring = "egressctl create -f fixtures/scenario/02-egress-monitoring.yaml";
    tell(tour, out, monitoring, &["create", "-f", "-"], MONITORING)?;
    title(out, "Forward: a sidecar for the sleep workload and the egress gateway, in one process")?;
    let (mut proxy, address) = start(tour, out, &site)?;
    title(out, "Three calls from sleep, plain HTTP to the sidecar, TLS to the site")?;
    requests(out, &address, &site)?;
    title(out, "Ask the log, as the scenario does")?;
    scenario_query(tour, out)?;
    title(out, "Ask for the forbidden access only")?;
    error_query(tour, out)?;
    title(out, "Clean up")?;
    clean_up(tour, out, &mut proxy)?;
    writeln!(out, "\nEvery step gave what the scenario says.")?;
    Ok(())
}

fn title(out: &mut dyn Write, text: &str) -> Result<()> {
    Ok(writeln!(out, "\n# {text}")?)
}

/// The origin that stands in for the site, its authority written to the tour's directory.
fn site(tour: &Tour) -> Result<Origin> {
    let identity = Identity::new(&["edition.cnn.com"], 2020..2120).map_err(|error| anyhow::anyhow!("{error}"))?;
    std::fs::write(tour.directory.join("ca.pem"), &identity.ca_pem)?;
    let answer = |received: &super::origin::Received| {
        let page = PAGES.iter().find(|(path, _)| *path == received.path());
        page.map_or_else(|| Reply::page("404 Not Found", b""), |(_, size)| Reply::page("200 OK", &vec![b'x'; *size]))
    };
    Ok(Origin::start(Some(&identity), answer)?)
}

fn tell(tour: &Tour, out: &mut dyn Write, shown: &str, arguments: &[&str], input: &str) -> Result<()> {
    writeln!(out, "$ {shown}")?;
    write!(out, "{}", tour.tell(arguments, input)?)?;
    Ok(())
}

/// Starts the proxy and waits until it says that it is ready.
fn start(tour: &Tour, out: &mut dyn Write, site: &Origin) -> Result<(Proxy, String)> {
    let resolve = format!("edition.cnn.com:443:{}", site.address);
    let ca = tour.directory.join("ca.pem");
    let ca = ca.to_str().context("the temporary directory's name is no text")?;
    let arguments = ["proxy", "start", "--listen", "127.0.0.1:0=sleep", "--resolve", &resolve, "--ca-file", ca];
    writeln!(out, "$ egressctl {} &", arguments.join(" "))?;
    let mut child =
        tour.command(&arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(child.stderr.take().context("standard error is piped")?);
    let proxy = Proxy(child);
    let mut said = String::new();
    while !said.ends_with("ready\n") {
        if lines.read_line(&mut said)? == 0 {
            bail!("the proxy did not start: {said}");
        }
    }
    write!(out, "{said}")?;
    // Read on, so that the proxy never waits for a reader.
    std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
    let status: Json = serde_json::from_str(&tour.ask(&["proxy", "status", "-o", "json"])?)?;
    let address = status.pointer("/0/listeners/0/address").and_then(Json::as_str);
    Ok((proxy, address.context("the proxy's status names no listener")?.to_owned()))
}

/// The scenario's three calls; each must give 200 and the whole page.
fn requests(out: &mut dyn Write, address: &str, site: &Origin) -> Result<()> {
    let runtime = http::runtime().map_err(|_| anyhow::anyhow!("no runtime for network input and output"))?;
    let client = http::client().proxy(reqwest::Proxy::http(format!("http://{address}"))?).build()?;
    for (path, size) in PAGES {
        let url = format!("http://edition.cnn.com{path}");
        writeln!(out, "$ http_proxy=http://{address} curl -sL -o /dev/null -w '%{{http_code}}\\n' {url}")?;
        let (status, body) = runtime.block_on(async {
            let response = client.get(&url).send().await?;
            let status = response.status().as_u16();
            anyhow::Ok((status, response.bytes().await?.len()))
        })?;
        writeln!(out, "{status}")?;
        ensure!(status == 200 && body == size, "{url} gave {status} and {body} bytes, expected 200 and {size}");
    }
    ensure!(site.requests() == PAGES.len(), "the site saw {} requests", site.requests());
    Ok(())
}

fn scenario_query(tour: &Tour, out: &mut dyn Write) -> Result<()> {
    let pods = ["-n", "istio-system", "get", "pods", "-l", "istio-mixer-type=telemetry"];
    let jsonpath = "jsonpath={.items[0].metadata.name}";
    let pod = tour.ask(&[&pods[..], &["-o", jsonpath]].concat())?;
    let shown = "egressctl -n istio-system logs $(egressctl -n istio-system get pods \
        -l istio-mixer-type=telemetry -o jsonpath='{.items[0].metadata.name}') mixer | grep egress-access | grep cnn";
    writeln!(out, "$ {shown}")?;
    let lines = wait_for_entries(tour, &["-n", "istio-system", "logs", &pod, "mixer"])?;
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    let expected = [("info", PAGES[0]), ("error", PAGES[0]), ("info", PAGES[1]), ("info", PAGES[2])]
        .map(|(level, (path, size))| (level.to_owned(), path.to_owned(), size as u64));
    let mut entries = lines.iter().map(|line| facts(line)).collect::<Result<Vec<_>>>()?;
    // The two entries of one call are of one moment; the scenario shows either order.
    entries.sort_by_key(|(level, path, _)| (PAGES.iter().position(|(page, _)| page == path), level != "info"));
    ensure!(entries == expected, "the log holds {entries:?}, expected {expected:?}");
    Ok(())
}

fn wait_for_entries(tour: &Tour, arguments: &[&str]) -> Result<Vec<String>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let lines = tour.ask(arguments)?;
        let found: Vec<_> =
            lines.lines().filter(|line| line.contains("egress-access") && line.contains("cnn")).collect();
        if found.len() >= 4 || Instant::now() >= deadline {
            return Ok(found.into_iter().map(str::to_owned).collect());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Level, path and size of an entry of the scenario, whose other values are the same in all.
fn facts(line: &str) -> Result<(String, String, u64)> {
    let entry: Json = serde_json::from_str(line)?;
    let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    ensure!(entry["responseCode"] == 200 && text("source") == "sleep", "unexpected entry {line}");
    ensure!(text("instance") == "egress-access.logentry.istio-system", "unexpected entry {line}");
    Ok((text("level"), text("path"), entry["responseSize"].as_u64().unwrap_or_default()))
}

fn error_query(tour: &Tour, out: &mut dyn Write) -> Result<()> {
    writeln!(out, "$ egressctl logs --level error")?;
    let lines = tour.ask(&["logs", "--level", "error"])?;
    write!(out, "{lines}")?;
    let (level, path, _) = facts(&lines)?;
    ensure!(level == "error" && path == "/politics", "expected one error, about /politics");
    Ok(())
}

fn clean_up(tour: &Tour, out: &mut dyn Write, proxy: &mut Proxy) -> Result<()> {
    let deletes = [
        "delete gateway istio-egressgateway",
        "delete serviceentry cnn",
        "delete virtualservice direct-through-egress-gateway",
        "delete destinationrule originate-tls-for-edition-cnn-com",
        "delete destinationrule mutual-tls-for-egressgateway",
        "delete logentry egress-access -n istio-system",
        "delete stdio egress-error-handler -n istio-system",
        "delete stdio egress-access-handler -n istio-system",
        "delete rule report-politics -n istio-system",
        "delete rule report-cnn-access -n istio-system",
    ];
    for delete in deletes {
        let arguments: Vec<_> = delete.split(' ').collect();
        tell(tour, out, &format!("egressctl {delete}"), &arguments, "")?;
    }
    tell(tour, out, "egressctl delete -f fixtures/scenario/sleep.yaml", &["delete", "-f", "-"], SLEEP)?;
    tell(tour, out, "egressctl proxy stop", &["proxy", "stop"], "")?;
    let ended = proxy.0.wait()?;
    ensure!(ended.success(), "the proxy ended with {ended}");
    Ok(())
}
