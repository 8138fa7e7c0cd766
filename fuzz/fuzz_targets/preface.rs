//! Any first bytes of a connection that begins with a header of the PROXY protocol or with SOCKS 5: reading them does not
//! panic, takes nothing that comes behind, and does not depend on it.

#![no_main]

use egressctl::proxy::fuzzing::{proxy_header, socks_target};
use libfuzzer_sys::fuzz_target;
use tokio::io::{join, sink};

/// What is told, and how many bytes it takes.
async fn told(bytes: &[u8]) -> Option<(Option<std::net::IpAddr>, usize)> {
    let mut rest = bytes;
    let told = proxy_header(&mut rest).await?;
    Some((told, bytes.len() - rest.len()))
}

async fn asked(bytes: &[u8], shared: bool) -> Option<(String, usize)> {
    let mut rest = bytes;
    let target = socks_target(&mut join(&mut rest, sink()), shared).await?;
    Some((target, bytes.len() - rest.len()))
}

fuzz_target!(|input: (bool, &[u8])| {
    let (shared, bytes) = input;
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    }
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            let longer = [bytes, b"GET / HTTP/1.1\r\n"].concat();
            if let Some(read) = told(bytes).await {
                assert_eq!(told(&longer).await, Some(read));
                assert_eq!(told(&bytes[..read.1]).await, Some(read));
            }
            if let Some(read) = asked(bytes, shared).await {
                assert!(read.0.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()), "{}", read.0);
                assert_eq!(asked(&longer, shared).await.as_ref(), Some(&read));
                assert_eq!(asked(&bytes[..read.1], shared).await, Some(read));
            }
        });
    });
});
