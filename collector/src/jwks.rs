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
        Box::pin(fetch(&self.url, TIME))
    }
}

async fn fetch(url: &str, time: Duration) -> Result<String, String> {
    // Who installed one before decides for the process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let in_words = |error: reqwest::Error| format!("{url}: {}", flockscope_client::in_words(&error));
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(time)
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const NEVER_SLOW: Duration = Duration::from_secs(60);

    /// Answers each request with this, and says where.
    async fn answering(answer: impl Into<Vec<u8>>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/keys", listener.local_addr().expect("an address"));
        let answer = answer.into();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let answer = answer.clone();
                tokio::spawn(async move {
                    let mut request = [0; 4096];
                    let _ = stream.read(&mut request).await;
                    let _ = stream.write_all(&answer).await;
                    // An answer that is not whole keeps the connection open.
                    let _ = stream.read(&mut request).await;
                });
            }
        });
        url
    }

    fn ok(body: &str) -> String {
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    }

    #[tokio::test]
    async fn a_key_set_comes_as_it_was_published() {
        let url = answering(ok(r#"{"keys":[]}"#)).await;
        assert_eq!(fetch(&url, NEVER_SLOW).await.as_deref(), Ok(r#"{"keys":[]}"#));
        let full = "x".repeat(MOST_BYTES);
        assert_eq!(
            fetch(&answering(ok(&full)).await, NEVER_SLOW)
                .await
                .map(|text| text.len()),
            Ok(MOST_BYTES)
        );
    }

    #[tokio::test]
    async fn what_is_too_large_is_not_read_to_its_end() {
        let url = answering(ok(&"x".repeat(MOST_BYTES + 1))).await;
        let error = fetch(&url, NEVER_SLOW).await.expect_err("too large");
        assert!(error.contains("more than 1048576 bytes"), "{error}");
        // Of this one the end never comes.
        let chunk = format!("{:x}\r\n{}\r\n", MOST_BYTES + 1, "x".repeat(MOST_BYTES + 1));
        let endless = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunk}");
        let error = fetch(&answering(endless).await, NEVER_SLOW)
            .await
            .expect_err("too large");
        assert!(error.contains("more than 1048576 bytes"), "{error}");
    }

    #[tokio::test]
    async fn nobody_is_followed_elsewhere() {
        let elsewhere = answering(ok(r#"{"keys":[]}"#)).await;
        for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect"] {
            let answer = format!("HTTP/1.1 {status}\r\nlocation: {elsewhere}\r\ncontent-length: 0\r\n\r\n");
            let error = fetch(&answering(answer).await, NEVER_SLOW)
                .await
                .expect_err("a redirect");
            assert!(error.contains(&status[..3]), "{error}");
        }
    }

    #[tokio::test]
    async fn slow_wrong_and_missing_answers_are_errors() {
        let short = Duration::from_millis(200);
        for unfinished in ["", "HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"keys\""] {
            assert!(
                fetch(&answering(unfinished).await, short).await.is_err(),
                "{unfinished:?}"
            );
        }
        let failing = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
        let error = fetch(&answering(failing).await, NEVER_SLOW).await.expect_err("no keys");
        assert!(error.contains("503"), "{error}");
        let no_text = [
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n".as_slice(),
            &[0xff, 0xfe],
        ]
        .concat();
        assert!(fetch(&answering(no_text).await, NEVER_SLOW).await.is_err());
        let nobody = {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            format!("http://{}/", listener.local_addr().expect("an address"))
        };
        let error = fetch(&nobody, NEVER_SLOW).await.expect_err("nobody there");
        assert!(
            error.contains("refused") && error.contains(&nobody),
            "the cause: {error}"
        );
    }
}
