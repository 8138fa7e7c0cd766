//! Manifests from the web.

use std::time::Duration;

use reqwest::Client;

use super::too_long;
use crate::cli::failure::Failure;

/// How long a server may take for the whole answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Reads what is at a URL.
pub(super) fn fetch(url: &str, most: u64) -> Result<Vec<u8>, Failure> {
    let unreadable = |why: &dyn std::fmt::Display| Failure::client(format!("unable to read URL \"{url}\", {why}"));
    // Fails only if a provider is installed already, which then serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| unreadable(&e))?;
    runtime.block_on(async {
        let client = Client::builder().timeout(TIMEOUT).build().map_err(|error| unreadable(&sources(&error)))?;
        let mut answer = client.get(url).send().await.map_err(|error| unreadable(&sources(&error)))?;
        let status = answer.status();
        if !status.is_success() {
            return Err(unreadable(&format!("server reported {status}, status code={}", status.as_u16())));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| unreadable(&sources(&error)))? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() as u64 > most {
                return Err(too_long(url));
            }
        }
        Ok(bytes)
    })
}

/// An error with its causes: the outermost one of a request says only that it failed.
fn sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// A server that gives one answer.
    fn serve(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/x.yaml", listener.local_addr().unwrap());
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });
        url
    }

    #[test]
    fn the_body_of_an_answer_is_read() {
        let url = serve("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\na: 1");
        assert_eq!(fetch(&url, 4).unwrap(), b"a: 1");
    }

    #[test]
    fn a_refusal_is_told_with_its_status_and_too_much_is_refused() {
        let url = serve("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
        let text = crate::cli::failure::Failures::from(fetch(&url, 4).unwrap_err()).to_string();
        assert_eq!(
            text,
            format!("error: unable to read URL \"{url}\", server reported 404 Not Found, status code=404\n")
        );
        let url = serve("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\na: 10");
        assert!(fetch(&url, 4).is_err());
    }
}
