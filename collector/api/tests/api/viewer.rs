//! A folder with a viewer.

use std::fs;

use flockscope_api::Settings;

use crate::sample;
use crate::server::{self, Server};

fn folder() -> (tempfile::TempDir, Server) {
    let outer = tempfile::tempdir().expect("a folder");
    let viewer = outer.path().join("viewer");
    fs::create_dir_all(viewer.join("assets")).expect("a folder");
    fs::write(viewer.join("index.html"), "<!doctype html>index").expect("written");
    fs::write(viewer.join("assets/a b.js"), "let x;").expect("written");
    fs::write(outer.path().join("secret.txt"), "secret").expect("written");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(outer.path().join("secret.txt"), viewer.join("link.txt")).expect("a link");
        std::os::unix::fs::symlink(outer.path(), viewer.join("up")).expect("a link");
    }
    let server = server::with(sample::store_of(&[]), Settings::default(), Some(viewer));
    (outer, server)
}

#[tokio::test]
async fn files_are_served_and_other_paths_are_the_index_page() {
    let (_folder, server) = folder();
    let script = server.get("/assets/a%20b.js").await;
    assert_eq!((script.status.as_u16(), script.text().as_str()), (200, "let x;"));
    assert!(
        script
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("text/javascript"))
    );
    for path in ["/", "/index.html", "/traces/5", "/assets/", "/assets/nosuch.js"] {
        let page = server.get(path).await;
        assert_eq!(
            (page.status.as_u16(), page.text().as_str()),
            (200, "<!doctype html>index"),
            "{path}"
        );
        assert_eq!(page.header("cache-control"), Some("no-cache"));
        assert!(
            page.header("content-security-policy")
                .is_some_and(|policy| policy.contains("default-src 'self'"))
        );
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    }
}

#[tokio::test]
async fn nothing_outside_of_the_folder_is_served() {
    let (_folder, server) = folder();
    for path in [
        "/../secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e/secret.txt",
        "/%2e%2e%2fsecret.txt",
        "/assets/../../secret.txt",
        "/assets/..%5c..%5csecret.txt",
        "//secret.txt",
        "/link.txt",
        "/up/secret.txt",
        "/up/viewer/../secret.txt",
        "/%00",
        "/secret.txt%00.js",
        "/%ff%fe",
    ] {
        let answer = server.get(path).await;
        assert!(!answer.text().contains("secret"), "{path}: {}", answer.text());
        assert!(
            answer.status.as_u16() == 200 || answer.status.is_client_error(),
            "{path}: {}",
            answer.status
        );
    }
}

#[tokio::test]
async fn the_viewer_does_not_hide_the_api() {
    let (_folder, server) = folder();
    server.get("/api/v1/nosuch").await.problem(404, "not-found");
    server.get("/api/nosuch").await.problem(404, "not-found");
    assert_eq!(server.get("/api/traces").await.json(), serde_json::json!([]));
    assert_eq!(server.get("/healthz").await.status.as_u16(), 200);
    assert_eq!(server.get("/openapi.json").await.status.as_u16(), 200);
    server
        .post("/", &serde_json::json!({}))
        .await
        .problem(405, "wrong-method");
}
