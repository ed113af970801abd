//! What is polled costs nothing while nothing changes.

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::json;

use crate::sample::{self, made, span};
use crate::server::{self, Answer, Server, admin, viewer};

async fn again(server: &Server, uri: &str, tag: &str) -> Answer {
    let request = Request::get(uri)
        .header(header::IF_NONE_MATCH, tag)
        .body(Body::empty())
        .expect("a request");
    server.send(admin(), request).await
}

const POLLED: &[&str] = &[
    "/api/traces",
    "/api/traces/services",
    "/api/traces/stats",
    "/api/v1/traces",
    "/api/v1/traces?limit=1&text=f",
    "/api/v1/traces/t",
    "/api/v1/traces/t/timeline",
    "/api/v1/red",
    "/api/v1/red?since=2001-01-01T00:00:00Z",
    "/api/v1/dependencies",
    "/api/v1/critical-path",
    "/api/v1/exceptions",
    "/api/v1/operations",
    "/api/v1/attributes",
    "/api/v1/attributes/a/values",
    "/api/v1/statistics",
    "/api/v1/status",
    "/api/v1/configuration",
];

#[tokio::test]
async fn what_is_unchanged_is_not_sent_again_and_what_changed_is() {
    let server = server::of(sample::store_of(&[made(span("t", "a", None, "A.f", 0, 10))]));
    let mut tags = Vec::new();
    for uri in POLLED {
        let answer = server.get(uri).await;
        assert_eq!(answer.status.as_u16(), 200, "{uri}");
        let tag = answer
            .header("etag")
            .unwrap_or_else(|| panic!("{uri}: no tag"))
            .to_owned();
        assert!(
            answer
                .header("cache-control")
                .is_some_and(|cache| cache.starts_with("private")),
            "{uri}"
        );
        let unchanged = again(&server, uri, &tag).await;
        assert_eq!((unchanged.status.as_u16(), unchanged.bytes.len()), (304, 0), "{uri}");
        assert_eq!(unchanged.header("etag"), Some(tag.as_str()), "{uri}");
        tags.push((uri, tag));
    }
    let mut different: Vec<&String> = tags.iter().map(|(_, tag)| tag).collect();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), tags.len(), "each answer has its own tag");
    server
        .store
        .ingest(&[made(span("t", "b", Some("a"), "A.g", 1, 2))])
        .expect("stored");
    for (uri, tag) in &tags {
        let expected = if uri.ends_with("configuration") { 304 } else { 200 };
        assert_eq!(again(&server, uri, tag).await.status.as_u16(), expected, "{uri}");
    }
    let tag = server
        .get("/api/v1/traces")
        .await
        .header("etag")
        .expect("a tag")
        .to_owned();
    server.store.clear().expect("cleared");
    assert_eq!(
        again(&server, "/api/v1/traces", &tag).await.json(),
        json!({"rows": [], "next": null})
    );
}

#[tokio::test]
async fn an_answer_that_moves_with_the_clock_is_the_same_while_its_content_is() {
    let server = server::of(sample::store_of(&[made(span("t", "a", None, "A.f", 0, 10))]));
    let uri = "/api/v1/operations?until=1s";
    let tag = server.get(uri).await.header("etag").expect("a tag").to_owned();
    assert_eq!(again(&server, uri, &tag).await.status.as_u16(), 304);
    server
        .store
        .ingest(&[made(span("t", "b", Some("a"), "A.g", 1, 2))])
        .expect("stored");
    assert_eq!(again(&server, uri, &tag).await.status.as_u16(), 200);
}

#[tokio::test]
async fn a_viewer_does_not_get_what_an_admin_was_told() {
    let server = server::sample();
    let tag = server
        .get("/api/v1/status")
        .await
        .header("etag")
        .expect("a tag")
        .to_owned();
    let request = Request::get("/api/v1/status")
        .header(header::IF_NONE_MATCH, tag)
        .body(Body::empty())
        .expect("a request");
    let answer = server.send(viewer(), request).await;
    assert_eq!(answer.json()["store"], serde_json::Value::Null);
}

#[tokio::test]
async fn answers_are_compressed_for_those_who_can_read_that() {
    let server = server::sample();
    let plain = server.get("/api/traces").await;
    for encoding in ["gzip", "zstd", "br"] {
        let request = Request::get("/api/traces")
            .header(header::ACCEPT_ENCODING, encoding)
            .body(Body::empty())
            .expect("a request");
        let answer = server.send(admin(), request).await;
        assert_eq!(answer.header("content-encoding"), Some(encoding));
        assert!(
            answer.bytes.len() * 4 < plain.bytes.len(),
            "{encoding}: {}",
            answer.bytes.len()
        );
        if encoding == "gzip" {
            let mut text = Vec::new();
            std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(answer.bytes.as_slice()), &mut text)
                .expect("gzip");
            assert!(text == plain.bytes);
        }
    }
}
