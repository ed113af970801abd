//! The public keys of JWTs, from the address where their owner publishes them.

use std::sync::Arc;
use std::time::Duration;

use flockscope_security::{FetchJwks, Fetched, JwksSource};

/// An identity provider answers within this, or is taken for unreachable.
const TIME: Duration = Duration::from_secs(10);

/// A key set has a few keys of a few kilobytes.
const MOST_BYTES: usize = 1 << 20;

/// Keys at a URL. The configuration has checked that nobody on the way can change them.
pub(crate) fn jwks_from_network(url: String) -> JwksSource {
    JwksSource::Fetched(Arc::new(FromNetwork { url }))
}

struct FromNetwork {
    url: String,
}

impl FetchJwks for FromNetwork {
    fn fetch(&self) -> Fetched<'_> {
        Box::pin(fetch(&self.url))
    }
}

async fn fetch(url: &str) -> Result<String, String> {
    // Who installed one before decides for the process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let in_words = |error: reqwest::Error| error.to_string();
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(TIME)
        .build()
        .map_err(in_words)?;
    let mut response = client.get(url).send().await.map_err(in_words)?;
    if !response.status().is_success() {
        return Err(format!("{url} answered {}", response.status()));
    }
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(in_words)? {
        if body.len() + piece.len() > MOST_BYTES {
            return Err(format!("{url} answered with more than {MOST_BYTES} bytes"));
        }
        body.extend_from_slice(&piece);
    }
    String::from_utf8(body).map_err(|error| error.to_string())
}
