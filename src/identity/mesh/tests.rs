use std::io::{Read as _, Write as _};

use rustls::{ClientConnection, ServerConnection};

use super::*;
use crate::identity::authority::DEFAULT_TTL;
use crate::state::StateDir;

const GATEWAY: &str = "spiffe://cluster.local/ns/istio-system/sa/gateway";
const SLEEP: &str = "spiffe://cluster.local/ns/default/sa/sleep";

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn store(&self) -> Store {
        Store::of(&StateDir::open(self.0.path().join("state")).unwrap())
    }

    fn mesh(&self, ttl: Duration) -> Arc<Mesh> {
        Arc::new(Mesh::open(Source::Authority(self.store()), None, ttl).unwrap())
    }
}

fn id(text: &str) -> SpiffeId {
    text.parse().unwrap()
}

/// Two ends of TLS, and what either says of the other.
struct Ends {
    client: ClientConnection,
    server: ServerConnection,
}

impl Ends {
    fn new(client: ClientConfig, server: ServerConfig) -> Self {
        let name = "outbound_.443_._.istio-egressgateway.istio-system.svc.cluster.local".try_into().unwrap();
        let client = ClientConnection::new(Arc::new(client), name).unwrap();
        Self { client, server: ServerConnection::new(Arc::new(server)).unwrap() }
    }

    /// Shakes hands; whose certificate the server has seen.
    fn shake(&mut self) -> Result<SpiffeId, rustls::Error> {
        for _ in 0..10 {
            let mut bytes = Vec::new();
            self.client.write_tls(&mut bytes).unwrap();
            self.server.read_tls(&mut bytes.as_slice()).unwrap();
            self.server.process_new_packets()?;
            let mut bytes = Vec::new();
            self.server.write_tls(&mut bytes).unwrap();
            self.client.read_tls(&mut bytes.as_slice()).unwrap();
            self.client.process_new_packets()?;
        }
        let certificates = self.server.peer_certificates().expect("a certificate is required");
        Ok(crate::identity::x509::identity(&certificates[0]).expect("an identity"))
    }

    fn says(&mut self, text: &[u8]) -> bool {
        self.client.writer().write_all(text).unwrap();
        let mut bytes = Vec::new();
        self.client.write_tls(&mut bytes).unwrap();
        self.server.read_tls(&mut bytes.as_slice()).unwrap();
        self.server.process_new_packets().unwrap();
        let mut heard = vec![0; text.len()];
        self.server.reader().read_exact(&mut heard).is_ok_and(|()| heard == text)
    }
}

fn ends(caller: &Arc<Mesh>, answerer: &Arc<Mesh>, names: &[&str]) -> Ends {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    Ends::new(caller.client(&id(SLEEP), &names).unwrap(), answerer.server(&id(GATEWAY)).unwrap())
}

#[test]
fn both_ends_prove_themselves_by_the_authority_of_one_state_directory() {
    let place = Place::new();
    let (sidecar, gateway) = (place.mesh(DEFAULT_TTL), place.mesh(DEFAULT_TTL));
    assert_eq!(ends(&sidecar, &gateway, &[GATEWAY]).shake(), Ok(id(SLEEP)));
    assert_eq!(ends(&sidecar, &gateway, &[]).shake(), Ok(id(SLEEP)));
    // A workload that stands where the gateway is expected is not believed.
    let posing =
        Ends::new(sidecar.client(&id(SLEEP), &[GATEWAY.to_owned()]).unwrap(), gateway.server(&id(SLEEP)).unwrap());
    assert_eq!({ posing }.shake(), Err(rustls::Error::InvalidCertificate(rustls::CertificateError::NotValidForName)));
}

/// Writes what `identity issue` does for the gateway.
fn issue(place: &Place, identity: &str) -> Bundle {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = place.0.path().join("issued");
    std::fs::create_dir_all(&directory).unwrap();
    let authority = place.store().open(None, now()).unwrap();
    let issued = authority.issue(&id(identity), DEFAULT_TTL, now()).unwrap();
    let roots: String = authority.roots(now()).map(crate::identity::authority::to_pem).collect();
    let files =
        [(Bundle::CHAIN, issued.chain_pem()), (Bundle::KEY, issued.key.serialize_pem()), (Bundle::ROOTS, roots)];
    for (name, text) in files {
        let file = directory.join(name);
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    Bundle::of(&directory)
}

#[test]
fn with_one_issued_certificate_a_gateway_needs_no_authority_and_vouches_for_nobody() {
    let place = Place::new();
    let sidecar = place.mesh(DEFAULT_TTL);
    let bundle = issue(&place, GATEWAY);
    let gateway = Arc::new(Mesh::open(Source::Issued(bundle.clone()), None, DEFAULT_TTL).unwrap());
    assert_eq!(gateway.trust_domain().as_str(), "cluster.local");
    assert_eq!(ends(&sidecar, &gateway, &[GATEWAY]).shake(), Ok(id(SLEEP)));
    let other = gateway.certificate(&id(SLEEP)).unwrap_err().to_string();
    assert!(other.contains(&format!("there is no certificate for {SLEEP} that is valid now")), "{other}");
    // Another one in its place is taken up, and one that cannot be used leaves the last.
    let first = gateway.certificate(&id(GATEWAY)).unwrap();
    issue(&place, GATEWAY);
    gateway.refresh().unwrap();
    assert!(!Arc::ptr_eq(&first, &gateway.certificate(&id(GATEWAY)).unwrap()));
    std::fs::write(place.0.path().join("issued").join(Bundle::CHAIN), "nothing").unwrap();
    assert!(gateway.refresh().unwrap_err().to_string().contains("names no identity"));
    assert_eq!(ends(&sidecar, &gateway, &[GATEWAY]).shake(), Ok(id(SLEEP)));
}

#[test]
fn a_bundle_that_others_can_read_or_whose_parts_do_not_fit_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let bundle = issue(&place, GATEWAY);
    let file = |name: &str| place.0.path().join("issued").join(name);
    let refused = || Mesh::open(Source::Issued(bundle.clone()), None, DEFAULT_TTL).unwrap_err().to_string();
    std::fs::set_permissions(file(Bundle::KEY), std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(refused().contains("key.pem"), "{}", refused());
    std::fs::set_permissions(file(Bundle::KEY), std::fs::Permissions::from_mode(0o600)).unwrap();
    let chain = std::fs::read(file(Bundle::CHAIN)).unwrap();
    issue(&place, GATEWAY);
    std::fs::write(file(Bundle::CHAIN), chain).unwrap();
    assert!(refused().contains("TLS cannot use the certificate"), "{}", refused());
    std::fs::remove_file(file(Bundle::ROOTS)).unwrap();
    assert!(refused().contains("root-cert.pem"), "{}", refused());
}

#[test]
fn whoever_another_authority_vouches_for_is_not_believed() {
    let (ours, theirs) = (Place::new(), Place::new());
    let (ours, theirs) = (ours.mesh(DEFAULT_TTL), theirs.mesh(DEFAULT_TTL));
    assert!(ends(&ours, &theirs, &[GATEWAY]).shake().is_err());
    assert!(ends(&theirs, &ours, &[GATEWAY]).shake().is_err());
}

#[test]
fn a_certificate_is_renewed_at_half_its_life_and_connections_stay() {
    let place = Place::new();
    let mesh = place.mesh(Duration::from_secs(3600));
    let first = mesh.certificate(&id(SLEEP)).unwrap();
    assert!((first.renewed_from - now() - 1800).abs() <= 37, "half of its life, give or take");
    let mut connection = ends(&mesh, &mesh, &[GATEWAY]);
    connection.shake().unwrap();
    assert!(Arc::ptr_eq(&first.certified, &mesh.certificate(&id(SLEEP)).unwrap().certified));
    // As if half of its life were over.
    let aged = Held {
        identity: first.identity.clone(),
        not_before: first.not_before,
        not_after: first.not_after,
        certified: Arc::clone(&first.certified),
        renewed_from: now(),
        signed_by: first.signed_by.clone(),
        used: AtomicBool::new(true),
    };
    mesh.held().insert(id(SLEEP), Arc::new(aged));
    mesh.refresh().unwrap();
    let renewed = mesh.certificate(&id(SLEEP)).unwrap();
    assert_ne!(renewed.chain()[0], first.chain()[0]);
    assert!(connection.says(b"still here"));
    assert_eq!(ends(&mesh, &mesh, &[GATEWAY]).shake(), Ok(id(SLEEP)));
}

#[test]
fn a_certificate_that_nobody_uses_is_let_go_of() {
    let mesh = Place::new().mesh(Duration::from_secs(0));
    let _ = mesh.issue(&id(SLEEP), now()).map(|held| mesh.held().insert(id(SLEEP), held));
    mesh.refresh().unwrap();
    assert!(mesh.certificates().is_empty());
}

#[test]
fn rotation_is_taken_up_while_both_sides_keep_talking() {
    let place = Place::new();
    let (sidecar, gateway) = (place.mesh(DEFAULT_TTL), place.mesh(DEFAULT_TTL));
    let mut connection = ends(&sidecar, &gateway, &[GATEWAY]);
    connection.shake().unwrap();
    place.store().rotate(None, None, (Duration::ZERO, Some(DEFAULT_TTL)), now()).unwrap();
    sidecar.refresh().unwrap();
    assert_eq!(sidecar.roots().len(), 2);
    // Whoever has not heard of the new root in time does not believe it; that is why it signs later only.
    assert!(ends(&sidecar, &gateway, &[GATEWAY]).shake().is_err());
    let old = gateway.certificate(&id(GATEWAY)).unwrap();
    gateway.refresh().unwrap();
    assert_ne!(gateway.certificate(&id(GATEWAY)).unwrap().chain()[0], old.chain()[0], "the new authority signs anew");
    assert_eq!(ends(&sidecar, &gateway, &[GATEWAY]).shake(), Ok(id(SLEEP)));
    assert!(connection.says(b"still here"));
}

#[test]
fn an_expired_certificate_is_refused_by_both_sides() {
    let place = Place::new();
    let (mesh, brief) = (place.mesh(DEFAULT_TTL), place.mesh(DEFAULT_TTL));
    let expired = brief.trust.load().authority.issue(&id(SLEEP), Duration::ZERO, now() - 1).unwrap();
    let key = PrivateKeyDer::Pkcs8(expired.key.serialize_der().into());
    let certified = Arc::new(CertifiedKey::from_der(expired.chain, key, &brief.provider).unwrap());
    #[derive(Debug)]
    struct Always(Arc<CertifiedKey>);
    impl ResolvesClientCert for Always {
        fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
            Some(Arc::clone(&self.0))
        }
        fn has_certs(&self) -> bool {
            true
        }
    }
    let mut client = mesh.client(&id(SLEEP), &[]).unwrap();
    client.client_auth_cert_resolver = Arc::new(Always(certified));
    let error = Ends::new(client, mesh.server(&id(GATEWAY)).unwrap()).shake().unwrap_err();
    let said = format!("{error:?}");
    assert!(said.contains("Expired"), "{said}");
}
