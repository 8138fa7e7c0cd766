//! HTTP as a client: where reqwest and its runtime are set up.

use reqwest::ClientBuilder;

use super::failure::Failure;

/// A client to be configured further.
pub(crate) fn client() -> ClientBuilder {
    // Fails only if a provider is installed already, which then serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
}

/// A runtime for the one thing that a verb does over the network.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|error| Failure::client(format!("no runtime for network input and output: {error}")))
}
