//! An origin on loopback that stands in for a site: plain or over TLS, answering what it is told to.
//!
//! The demo serves pages from it; tests script it to fail in every way an origin can.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Longest head that the origin reads; far more than any client of it sends.
const MAX_HEAD: usize = 128 * 1024;

/// Bytes that it sends at once.
const AT_ONCE: usize = 64 * 1024;

/// A certificate for some names and the authority that issued it.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The authority's certificate, in PEM.
    pub ca_pem: String,
    config: Arc<ServerConfig>,
}

/// What an origin reads.
#[derive(Debug)]
pub struct Received {
    /// Request line and headers.
    pub head: String,
    /// The body, as far as Content-Length announced one.
    pub body: Vec<u8>,
}

/// What an origin does next.
#[derive(Debug)]
pub enum Reply {
    /// Sends these bytes and reads the next request.
    Bytes(Vec<u8>),
    /// Sends these bytes and closes.
    Last(Vec<u8>),
    /// Never answers.
    Hang,
}

impl Reply {
    /// A whole answer with a body.
    pub fn page(status: &str, body: &[u8]) -> Self {
        let mut bytes = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
        bytes.extend_from_slice(body);
        Reply::Bytes(bytes)
    }
}

impl Received {
    /// The target of the request line.
    pub fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }
}

type Answer = dyn Fn(&Received) -> Reply + Send + Sync;

/// A running origin; it ends when dropped.
#[derive(Debug)]
pub struct Origin {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    ended: AtomicBool,
    connections: AtomicUsize,
    requests: AtomicUsize,
}

impl Identity {
    /// A certificate for some names, valid in `years` (RFC 5280 validity, as calendar years).
    ///
    /// # Errors
    /// When key or certificate cannot be made.
    pub fn new(names: &[&str], years: std::ops::Range<i32>) -> Result<Self, Box<dyn std::error::Error>> {
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Two authorities of one name would be told apart by their keys only.
        let name = format!("egressctl demo authority {}", uuid::Uuid::new_v4());
        authority.distinguished_name.push(DnType::CommonName, name);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let mut leaf = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?;
        leaf.not_before = rcgen::date_time_ymd(years.start, 1, 1);
        leaf.not_after = rcgen::date_time_ymd(years.end, 1, 1);
        let leaf = leaf.signed_by(&key, &authority)?;
        let chain = vec![CertificateDer::from(leaf.der().to_vec())];
        let key = PrivateKeyDer::try_from(key.serialize_der())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        Ok(Self { ca_pem: authority.pem(), config: Arc::new(config) })
    }
}

impl Origin {
    /// Starts an origin on a free port of 127.0.0.1, over TLS if it has an identity.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start(
        identity: Option<&Identity>,
        answer: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let state = Arc::<State>::default();
        let (serving, answer) = (Arc::clone(&state), Arc::new(answer) as Arc<Answer>);
        let config = identity.map(|identity| Arc::clone(&identity.config));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if serving.ended.load(Ordering::Acquire) {
                    return;
                }
                serving.connections.fetch_add(1, Ordering::AcqRel);
                let (state, answer, config) = (Arc::clone(&serving), Arc::clone(&answer), config.clone());
                std::thread::spawn(move || serve(stream, config, &state, &*answer));
            }
        });
        Ok(Self { address, state })
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Acquire)
    }

    /// Requests read so far.
    pub fn requests(&self) -> usize {
        self.state.requests.load(Ordering::Acquire)
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::Release);
        // Wakes the thread that accepts; if that fails it ends with the process.
        let _ = TcpStream::connect(self.address);
    }
}

/// One connection to its end; whatever breaks it ends it.
fn serve(stream: TcpStream, config: Option<Arc<ServerConfig>>, state: &State, answer: &Answer) {
    let _ = stream.set_nodelay(true);
    let _ = match config {
        None => talk(stream, state, answer),
        Some(config) => match ServerConnection::new(config) {
            Ok(tls) => talk(StreamOwned::new(tls, stream), state, answer),
            Err(_) => return,
        },
    };
}

fn talk(mut stream: impl Read + Write, state: &State, answer: &Answer) -> io::Result<()> {
    let mut pending = Vec::new();
    while let Some(received) = receive(&mut stream, &mut pending)? {
        state.requests.fetch_add(1, Ordering::AcqRel);
        match answer(&received) {
            // In pieces, between which others who want this CPU have it.
            Reply::Bytes(bytes) => bytes.chunks(AT_ONCE).try_for_each(|piece| stream.write_all(piece))?,
            Reply::Last(bytes) => {
                stream.write_all(&bytes)?;
                return stream.flush();
            }
            Reply::Hang => while stream.read(&mut [0; 512])? > 0 {},
        }
        stream.flush()?;
    }
    Ok(())
}

/// The next request, or `None` where the client has closed.
fn receive(stream: &mut impl Read, pending: &mut Vec<u8>) -> io::Result<Option<Received>> {
    let mut chunk = [0; 16 * 1024];
    let end = loop {
        if let Some(end) = pending.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        match stream.read(&mut chunk)? {
            0 => return Ok(None),
            _ if pending.len() > MAX_HEAD => return Err(io::ErrorKind::InvalidData.into()),
            read => pending.extend_from_slice(&chunk[..read]),
        }
    };
    let head = String::from_utf8_lossy(&pending[..end]).into_owned();
    pending.drain(..end);
    let length =
        head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let length: usize = length.unwrap_or(0);
    while pending.len() < length {
        match stream.read(&mut chunk)? {
            0 => return Ok(None),
            read => pending.extend_from_slice(&chunk[..read]),
        }
    }
    let body = pending.drain(..length).collect();
    Ok(Some(Received { head, body }))
}
