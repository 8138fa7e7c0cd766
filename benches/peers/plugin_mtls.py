"""Plug-ins: the hop between a sidecar and an egress gateway in processes of their own, by mutual TLS with SPIFFE identities; the
gateway denies and logs, and takes the caller from its certificate. Two Envoys beside two processes of egressctl; what is
counted is the sum of both.

    ./proxybench.py --work-dir WORK --plugin plugin_mtls.py --scenarios mtls-hop --peers envoys,egressctls
"""
import json, os, subprocess, time
from peers import Launch, peer, _rbac_policies, _t
from plugin_egressctl import deny, logging, mixer, networking

GATEWAY, SLEEP = ("spiffe://cluster.local/ns/istio-system/sa/istio-egressgateway", "spiffe://cluster.local/ns/default/sa/sleep")


def certificates(d):
    """An authority, and a certificate for each side, in the folder."""
    openssl = lambda *a: subprocess.run(["openssl", *map(str, a)], check=True, capture_output=True)
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *key, "-days", 30, "-subj", "/CN=mesh", "-keyout", d / "mesh.key", "-out", d / "mesh.pem")
    for name, uri in (("gateway", GATEWAY), ("sleep", SLEEP)):
        (d / f"{name}.ext").write_text(f"subjectAltName=critical,URI:{uri}\nextendedKeyUsage=serverAuth,clientAuth\n")
        openssl("req", *key, "-subj", "/CN=" + name, "-keyout", d / f"{name}.key", "-out", d / f"{name}.csr")
        openssl("x509", "-req", "-in", d / f"{name}.csr", "-CA", d / "mesh.pem", "-CAkey", d / "mesh.key", "-CAcreateserial", "-days", 30, "-extfile", d / f"{name}.ext", "-out", d / f"{name}.pem")


def tls(d, name, other):
    file = lambda f: {"filename": str(d / f)}
    san = {"san_type": "URI", "matcher": {"exact": other}}
    return {"alpn_protocols": ["http/1.1"], "tls_certificates": [{"certificate_chain": file(name + ".pem"), "private_key": file(name + ".key")}],
            "validation_context": {"trusted_ca": file("mesh.pem"), "match_typed_subject_alt_names": [san]}}


def envoy(d, name, listen, to, rules, down=None, up=None, log=None):
    """One Envoy's command: from a port to a port, with TLS on either side."""
    f = "envoy.extensions."
    line = {"level": "info", "time": "%START_TIME%", "instance": "egress-access", "destination": "%REQ(:AUTHORITY)%", "path": "%REQ(:PATH)%",
            "responseCode": "%RESPONSE_CODE%", "responseSize": "%BYTES_SENT%", "source": "%DOWNSTREAM_PEER_URI_SAN%"}
    hosts = [{"name": h, "domains": [h, h + ":*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "o", "timeout": "60s"}}]} for h, _ in rules]
    filters = [{"name": "router", "typed_config": _t(f + "filters.http.router.v3.Router")}]
    hcm = _t(f + "filters.network.http_connection_manager.v3.HttpConnectionManager", stat_prefix="e", normalize_path=True, merge_slashes=True,
             http_filters=filters, route_config={"virtual_hosts": hosts})
    if log:
        filters.insert(0, {"name": "rbac", "typed_config": _t(f + "filters.http.rbac.v3.RBAC", **_rbac_policies(rules))})
        hcm["access_log"] = [{"name": "f", "typed_config": _t(f + "access_loggers.file.v3.FileAccessLog", path=str(log), log_format={"json_format": line})}]
    chain = {"filters": [{"name": "hcm", "typed_config": hcm}]}
    if down:
        chain["transport_socket"] = {"name": "tls", "typed_config": _t(f + "transport_sockets.tls.v3.DownstreamTlsContext", common_tls_context=down, require_client_certificate=True)}
    most = [{"max_connections": 10000, "max_pending_requests": 10000, "max_requests": 10000}]
    address = lambda port: {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    cluster = {"name": "o", "connect_timeout": "5s", "circuit_breakers": {"thresholds": most},
               "load_assignment": {"cluster_name": "o", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(to)}}]}]}}
    if up:
        cluster["transport_socket"] = {"name": "tls", "typed_config": _t(f + "transport_sockets.tls.v3.UpstreamTlsContext", common_tls_context=up)}
    conf = {"static_resources": {"listeners": [{"address": address(listen), "filter_chains": [chain]}], "clusters": [cluster]}}
    (d / f"{name}.json").write_text(json.dumps(conf))
    return ["-c", d / f"{name}.json", "--concurrency", 1, "-l", "critical", "--disable-hot-restart"]


@peer("envoys", ("mtls",), "two Envoys, one worker each; the gateway requires the sidecar's certificate, applies RBAC and logs")
def envoys(j):
    certificates(j.dir)
    hop = j.port + 1
    gateway = envoy(j.dir, "g", hop, j.origin, j.rules, down=tls(j.dir, "gateway", SLEEP), log=j.log)
    sidecar = envoy(j.dir, "s", j.port, hop, j.rules, up=tls(j.dir, "sleep", GATEWAY))
    return Launch([j.tools["envoy"], *sidecar], helpers=[[j.tools["envoy"], *gateway]])


def through_gateway(i, host, origin):
    """The scenario's route: calls of the mesh go to the gateway's port, and from there to the host."""
    port = {"number": 80, "name": "http", "protocol": "HTTP", "targetPort": origin}
    hop = {"destination": {"host": "istio-egressgateway.istio-system.svc.cluster.local", "port": {"number": 80}}}
    return [networking("ServiceEntry", f"site-{i}", {"hosts": [host], "resolution": "STATIC", "ports": [port], "endpoints": [{"address": "127.0.0.1"}]}),
            networking("VirtualService", f"site-{i}", {"hosts": [host], "gateways": ["egress", "mesh"], "http": [
                {"match": [{"gateways": ["mesh"], "port": 80}], "route": [hop]},
                {"match": [{"gateways": ["egress"], "port": 80}], "route": [{"destination": {"host": host, "port": {"number": 80}}}]}]})]


@peer("egressctls", ("mtls",), "`proxy start --role sidecar` and `--role gateway`, one worker each; entries in the queryable store")
def egressctls(j):
    exe = os.environ["EGRESSCTL"]
    state = j.dir / "state"
    env = dict(os.environ, EGRESSCTL_STATE_DIR=str(state), NO_COLOR="1")
    sleep = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "sleep", "labels": {"app": "sleep"}}, "spec": {
        "selector": {"matchLabels": {"app": "sleep"}}, "template": {"metadata": {"labels": {"app": "sleep"}}, "spec": {
            "serviceAccountName": "sleep", "containers": [{"name": "sleep", "image": "sleep"}]}}}}
    docs = [{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "sleep"}}, sleep,
            networking("Gateway", "egress", {"selector": {"istio": "egressgateway"}, "servers": [
                {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": [h for h, _ in j.rules]}]})]
    docs += [d for i, (h, _) in enumerate(j.rules) for d in through_gateway(i, h, j.origin)]
    docs += [mixer("denier", "forbidden", {"status": {"code": 7, "message": "forbidden"}}), mixer("checknothing", "any", {})]
    docs += [deny(i, h, p) for i, (h, p) in enumerate(j.rules)] + logging(j)
    subprocess.run([exe, "apply", "-f", j.write("all.yaml", "\n---\n".join(map(json.dumps, docs)))], env=env, check=True, capture_output=True)
    one = lambda role, *flags: [exe, "proxy", "start", "--state-dir", state, "--role", role, "--workers", "1", *flags]
    gateway = one("gateway", "--mesh-listen", f"127.0.0.1:{j.port + 1}")
    return Launch(one("sidecar", "--listen", f"127.0.0.1:{j.port}=sleep"), env=env, helpers=[gateway])
