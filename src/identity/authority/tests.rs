use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Barrier;

use rustls::RootCertStore;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::pki_types::UnixTime;
use rustls::server::ParsedCertificate;

use super::*;
use crate::state::StateDir;

/// Noon of 2026-06-01.
const NOW: i64 = 1_780_315_200;
const HOUR: Duration = Duration::from_secs(3600);

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn store(&self) -> Store {
        Store::of(&StateDir::open(self.0.path().join("state")).unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("state/identity/authority.json")
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn sleep() -> SpiffeId {
    "spiffe://cluster.local/ns/default/sa/sleep".parse().unwrap()
}

/// Whether peers that trust these roots believe a chain at a time.
fn believed(roots: &[CertificateDer<'static>], chain: &[CertificateDer<'static>], at: i64) -> bool {
    let mut store = RootCertStore::empty();
    roots.iter().for_each(|root| store.add(root.clone()).unwrap());
    let at = UnixTime::since_unix_epoch(Duration::from_secs(at.try_into().unwrap()));
    let leaf = ParsedCertificate::try_from(&chain[0]).unwrap();
    let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
    verify_server_cert_signed_by_trust_anchor(&leaf, &store, &chain[1..], at, algorithms.all).is_ok()
}

fn roots(authority: &Authority, now: i64) -> Vec<CertificateDer<'static>> {
    authority.roots(now).cloned().collect()
}

#[test]
fn a_certificate_has_one_name_both_uses_and_its_time() {
    let authority = Authority::create(TrustDomain::default(), NOW).unwrap();
    let issued = authority.issue(&sleep(), HOUR, NOW).unwrap();
    let said = x509::read(&issued.chain[0]).unwrap();
    assert_eq!(said.names, ["spiffe://cluster.local/ns/default/sa/sleep"]);
    assert_eq!((said.not_before, said.not_after), (NOW - SKEW, NOW + 3600));
    assert!(!said.is_authority && said.subject.is_empty());
    assert_eq!(x509::identity(&issued.chain[0]), Some(sleep()));
    assert!(believed(&roots(&authority, NOW), &issued.chain, NOW));
    assert!(!believed(&roots(&authority, NOW), &issued.chain, NOW + 3601));
    let again = authority.issue(&sleep(), HOUR, NOW).unwrap();
    assert_ne!(again.key.serialize_der(), issued.key.serialize_der(), "the key is a new one each time");
}

#[test]
fn no_certificate_outlives_the_limit_or_its_authority_and_none_is_for_others() {
    let authority = Authority::create(TrustDomain::default(), NOW).unwrap();
    let issued = authority.issue(&sleep(), 10 * MAX_TTL, NOW).unwrap();
    assert_eq!(issued.not_after, NOW + seconds(MAX_TTL));
    let late = NOW + seconds(ROOT_LIFE) - 60;
    assert_eq!(authority.issue(&sleep(), HOUR, late).unwrap().not_after, late + 60);
    assert!(matches!(authority.issue(&sleep(), HOUR, late + 61), Err(Error::Over)));
    let foreign = "spiffe://other.example/ns/default/sa/sleep".parse().unwrap();
    let error = authority.issue(&foreign, HOUR, NOW).unwrap_err().to_string();
    assert_eq!(error, "the authority vouches for the trust domain cluster.local, not for other.example");
}

#[test]
fn who_opens_it_at_the_same_time_gets_the_same_authority() {
    let place = Place::new();
    let (store, barrier) = (place.store(), Barrier::new(8));
    let found: Vec<_> = std::thread::scope(|scope| {
        let open = || {
            barrier.wait();
            roots(&store.open(None, NOW).unwrap(), NOW)
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(found.iter().all(|roots| *roots == found[0] && roots.len() == 1));
    let mode = std::fs::metadata(place.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_file_that_is_open_to_others_or_damaged_is_refused() {
    let place = Place::new();
    place.store().open(None, NOW).unwrap();
    std::fs::set_permissions(place.file(), std::fs::Permissions::from_mode(0o640)).unwrap();
    let error = place.store().load().unwrap_err().to_string();
    assert!(error.ends_with("is open to others than its owner (its mode is 0640)"), "{error}");
    std::fs::set_permissions(place.file(), std::fs::Permissions::from_mode(0o600)).unwrap();
    for text in ["", "{}", "{\"trustDomain\": \"A b\", \"authorities\": []}"] {
        std::fs::write(place.file(), text).unwrap();
        let error = place.store().open(None, NOW).unwrap_err().to_string();
        assert!(error.contains("is damaged"), "{error}");
    }
}

#[test]
fn the_trust_domain_is_chosen_once() {
    let place = Place::new();
    let example: TrustDomain = "example.org".parse().unwrap();
    assert_eq!(place.store().open(Some(&example), NOW).unwrap().trust_domain(), &example);
    assert_eq!(place.store().open(None, NOW).unwrap().trust_domain(), &example);
    let other = Some(TrustDomain::default());
    assert!(matches!(place.store().open(other.as_ref(), NOW), Err(Error::OtherDomain { .. })));
}

#[test]
fn of_two_authorities_the_next_is_trusted_before_it_signs_and_the_last_as_long_as_its_certificates() {
    let place = Place::new();
    let before = place.store().open(None, NOW).unwrap();
    let old = before.issue(&sleep(), DEFAULT_TTL, NOW).unwrap();
    let minute = Duration::from_secs(60);
    place.store().rotate(None, None, (minute, Some(DEFAULT_TTL)), NOW).unwrap();
    let after = place.store().load().unwrap().unwrap();
    let states = |now| after.describe(now).iter().map(|one| one.state).collect::<Vec<_>>();
    assert_eq!(roots(&after, NOW).len(), 2);
    assert_eq!(states(NOW), ["Next", "Signing"]);
    // Whoever has not heard of the change yet still believes what is issued.
    let meanwhile = after.issue(&sleep(), DEFAULT_TTL, NOW + 59).unwrap();
    assert!(believed(&roots(&before, NOW), &meanwhile.chain, NOW + 59));
    let new = after.issue(&sleep(), DEFAULT_TTL, NOW + 60).unwrap();
    assert_eq!(states(NOW + 60), ["Signing", "Retiring"]);
    assert!(!believed(&roots(&before, NOW), &new.chain, NOW + 61));
    for (chain, at) in [(&old.chain, NOW + 60), (&new.chain, NOW + 60), (&meanwhile.chain, meanwhile.not_after)] {
        assert!(believed(&roots(&after, at), chain, at));
    }
    let over = NOW + 60 + seconds(DEFAULT_TTL) + 1;
    assert_eq!(roots(&after, over).len(), 1);
    // The next rotation forgets what is over, and its key.
    place.store().rotate(None, None, (minute, Some(DEFAULT_TTL)), over).unwrap();
    assert_eq!(place.store().load().unwrap().unwrap().signers.len(), 2);
    let text = std::fs::read_to_string(place.file()).unwrap();
    assert_eq!(text.matches("PRIVATE KEY").count(), 4, "two keys, each with a beginning and an end");
}

#[test]
fn an_authority_stays_trusted_as_long_as_the_longest_certificate_that_was_asked_of_it() {
    const DAY: i64 = 86_400;
    let month = Duration::from_secs(30 * 24 * 3600);
    let place = Place::new();
    let store = place.store();
    let (_, long) = store.issue(&sleep(), month, NOW).unwrap();
    store.issue(&sleep(), HOUR, NOW).unwrap();
    let after = store.rotate(None, None, (TAKEOVER, None), NOW + DAY).unwrap();
    assert_eq!(after.describe(NOW + DAY)[1].trusted_until, Some(NOW + 30 * DAY));
    assert!(believed(&roots(&after, long.not_after), &long.chain, long.not_after));
    // What it issues until the next one signs ends no later.
    let (_, meanwhile) = store.issue(&sleep(), MAX_TTL, NOW + DAY).unwrap();
    assert_eq!((meanwhile.signed_by, meanwhile.not_after), (long.signed_by, NOW + 30 * DAY));
    // The next has issued nothing: a day is for what proxies hold.
    let now = NOW + 2 * DAY;
    let after = store.rotate(None, None, (TAKEOVER, None), now).unwrap();
    assert_eq!(after.describe(now)[1].trusted_until, Some(now + 60 + DAY));
    assert_eq!(after.describe(now)[2].trusted_until, Some(NOW + 30 * DAY));
}

#[test]
fn where_nobody_noted_what_was_issued_it_may_have_been_the_longest() {
    let place = Place::new();
    place.store().open(None, NOW).unwrap();
    let text = std::fs::read_to_string(place.file()).unwrap();
    let (before, after) = (format!(",\n      \"issuedUntil\": {NOW}"), "");
    assert!(text.contains(&before), "{text}");
    std::fs::write(place.file(), text.replace(&before, after)).unwrap();
    place.store().issue(&sleep(), HOUR, NOW).unwrap();
    let rotated = place.store().rotate(None, None, (TAKEOVER, None), NOW).unwrap();
    assert_eq!(rotated.describe(NOW)[1].trusted_until, Some(NOW + seconds(MAX_TTL)));
}

/// A root or an intermediate with its key, in PEM.
struct Made {
    parameters: CertificateParams,
    key: KeyPair,
    certificate: CertificateDer<'static>,
}

impl Made {
    fn new(name: &str, by: Option<&Made>, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = DistinguishedName::new();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        change(&mut parameters);
        let key = new_key().unwrap();
        let certificate = match by {
            None => parameters.self_signed(&key),
            Some(by) => parameters.signed_by(&key, &Issuer::from_params(&by.parameters, &by.key)),
        };
        Self { certificate: certificate.unwrap().der().clone(), parameters, key }
    }

    fn pem(&self) -> String {
        to_pem(&self.certificate)
    }
}

#[test]
fn an_intermediate_of_somebody_elses_root_issues_chains_that_lead_to_it() {
    let place = Place::new();
    let root = Made::new("root", None, |_| {});
    let middle = Made::new("middle", Some(&root), |_| {});
    let signing = Made::new("signing", Some(&middle), |_| {});
    let brought = Brought {
        certificate: place.write("ca-cert.pem", &signing.pem()),
        key: place.write("ca-key.pem", &signing.key.serialize_pem()),
        root: Some(place.write("root-cert.pem", &root.pem())),
        chain: Some(place.write("cert-chain.pem", &middle.pem())),
    };
    place.store().rotate(Some(&brought), None, (TAKEOVER, Some(DEFAULT_TTL)), NOW).unwrap();
    let authority = place.store().load().unwrap().unwrap();
    let issued = authority.issue(&sleep(), HOUR, NOW).unwrap();
    assert_eq!(issued.chain.len(), 3, "the first authority of all signs at once");
    assert!(believed(std::slice::from_ref(&root.certificate), &issued.chain, NOW));
    assert_eq!(issued.chain_pem().matches("BEGIN CERTIFICATE").count(), 3);
    assert_eq!(roots(&authority, NOW), [root.certificate]);
}

#[test]
fn what_cannot_be_an_authority_is_refused_with_the_file_and_the_reason() {
    let place = Place::new();
    let root = Made::new("root", None, |_| {});
    let other = Made::new("other", None, |_| {});
    let leaf = Made::new("leaf", None, |made| made.is_ca = IsCa::NoCa);
    let unable = Made::new("unable", None, |made| made.key_usages = vec![KeyUsagePurpose::DigitalSignature]);
    let old = Made::new("old", None, |made| made.not_after = rcgen::date_time_ymd(2020, 1, 1));
    let early = Made::new("early", None, |made| made.not_before = rcgen::date_time_ymd(2100, 1, 1));
    let no_authority = "it is no authority's certificate: its basic constraints do not say CA, or its key may not sign";
    for (certificate, key, by, at, reason) in [
        (leaf.pem(), &leaf.key, None, "c.pem", no_authority),
        (unable.pem(), &unable.key, None, "c.pem", no_authority),
        (old.pem(), &old.key, None, "c.pem", "the certificate has expired"),
        (early.pem(), &early.key, None, "c.pem", "the certificate is not valid yet"),
        (root.pem(), &other.key, None, "k.pem", "the key is not that of the certificate in"),
        (root.pem(), &root.key, Some(other.pem()), "c.pem", "a certificate that it issues is not trusted by the root"),
        (root.pem(), &root.key, Some(leaf.pem()), "r.pem", no_authority),
        (root.pem() + &other.pem(), &root.key, None, "c.pem", "it holds 2 certificates, and one is expected"),
        ("text".to_owned(), &root.key, None, "c.pem", "it holds 0 certificates, and one is expected"),
    ] {
        let brought = Brought {
            certificate: place.write("c.pem", &certificate),
            key: place.write("k.pem", &key.serialize_pem()),
            root: by.map(|text| place.write("r.pem", &text)),
            chain: None,
        };
        let error = place.store().rotate(Some(&brought), None, (TAKEOVER, Some(HOUR)), NOW).unwrap_err().to_string();
        assert!(error.contains(&format!("{at}: {reason}")), "{error}");
    }
    assert!(place.store().load().unwrap().is_none(), "nothing was half taken up");
}
