//! Browsers: hosts, origins, preflights, cookies.

use flockscope_security::{ApiKeyFile, Face, Role, Settings};

use crate::server::{Reply, Server, TOKEN, bearer, eventually, local};

async fn with_token(server: &Server, method: &str, target: &str, headers: &[(&str, &str)]) -> Reply {
    let (name, value) = bearer(TOKEN);
    let mut headers = headers.to_vec();
    headers.push((name, &value));
    server.ask(method, target, &headers).await
}

fn allowing() -> Settings {
    Settings {
        allowed_origins: vec!["https://app.example".into()],
        allowed_hosts: vec!["flock.internal".into()],
        ..local()
    }
}

#[tokio::test]
async fn a_rebound_name_does_not_reach_the_api() {
    let server = Server::start(allowing(), Face::Api).await;
    let port = server.address.port();
    let other = if port == 4_319 { 4_318 } else { 4_319 };
    for host in [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("LocalHost:{port}"),
        format!("[::1]:{port}"),
        "flock.internal".into(),
    ] {
        let reply = with_token(&server, "GET", "/who", &[("Host", &host)]).await;
        assert_eq!(reply.status, 200, "{host}");
    }
    for host in [
        "evil.example".into(),
        format!("evil.example:{port}"),
        format!("127.0.0.1.nip.io:{port}"),
        format!("localhost.evil.example:{port}"),
        "127.0.0.1".into(),
        "localhost".into(),
        format!("127.0.0.1:{other}"),
        format!("0.0.0.0:{port}"),
        format!("10.0.0.1:{port}"),
        String::new(),
    ] {
        for target in ["/who", "/healthz"] {
            let reply = with_token(&server, "GET", target, &[("Host", &host)]).await;
            assert_eq!(
                (reply.status, reply.problem().as_str()),
                (403, "unknown-host"),
                "{host}"
            );
        }
    }
}

#[tokio::test]
async fn requests_without_a_clear_host_are_refused() {
    let server = Server::start(local(), Face::Api).await;
    let port = server.address.port();
    let end = format!("Authorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n");
    let good = format!("GET http://127.0.0.1:{port}/who HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{end}");
    assert_eq!(server.send(&good).await.status, 200, "absolute form");
    for start in [
        "GET /who HTTP/1.1\r\n".to_owned(),
        "GET /who HTTP/1.0\r\n".to_owned(),
        format!("GET http://evil.example/who HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"),
        format!("GET http://127.0.0.1:{port}/who HTTP/1.1\r\nHost: evil.example\r\n"),
        format!("GET http://127.0.0.1:{port}@evil.example/who HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"),
        format!("GET /who HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nHost: evil.example\r\n"),
        format!("GET /who HTTP/1.1\r\nHost: 127.0.0.1:{port}, evil.example\r\n"),
        format!("GET /who HTTP/1.1\r\nHost: user@127.0.0.1:{port}\r\n"),
        format!("CONNECT evil.example:443 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"),
    ] {
        let reply = server.send(&format!("{start}{end}")).await;
        assert!(matches!(reply.status, 400 | 403), "{start}: {reply:?}");
    }
}

#[tokio::test]
async fn only_our_own_pages_and_allowed_ones_may_ask() {
    let server = Server::start(allowing(), Face::Api).await;
    let own = format!("http://127.0.0.1:{}", server.address.port());
    let sibling = format!("http://localhost:{}", server.address.port());
    for (origin, status) in [
        (own.as_str(), 200),
        ("https://app.example", 200),
        ("null", 403),
        ("http://evil.example", 403),
        ("http://app.example", 403),
        ("https://app.example.evil.example", 403),
        (&sibling, 403),
        ("", 403),
    ] {
        for (method, target) in [("GET", "/who"), ("POST", "/api/traces/clear"), ("GET", "/healthz")] {
            let reply = with_token(&server, method, target, &[("Origin", origin)]).await;
            assert_eq!(reply.status, status, "{origin} {method} {target}");
            let readable = reply.header("access-control-allow-origin");
            assert_eq!(
                readable,
                (origin == "https://app.example").then_some(origin),
                "{origin}"
            );
            assert_eq!(reply.header("access-control-allow-credentials"), None);
        }
    }
}

#[tokio::test]
async fn a_preflight_is_answered_for_allowed_pages_only() {
    let server = Server::start(allowing(), Face::Api).await;
    let ask = async |origin| {
        let headers = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "authorization,content-type"),
        ];
        server.ask("OPTIONS", "/api/v1/sql", &headers).await
    };
    let reply = ask("https://app.example").await;
    assert_eq!(reply.status, 200, "without a token: browsers send none");
    assert_eq!(reply.header("access-control-allow-origin"), Some("https://app.example"));
    let methods = reply.header("access-control-allow-methods").expect("methods");
    assert!(methods.contains("POST") && methods.contains("DELETE"), "{methods}");
    let headers = reply.header("access-control-allow-headers").expect("headers");
    assert!(
        headers.contains("authorization") && headers.contains("x-api-key"),
        "{headers}"
    );
    for origin in ["http://evil.example", "null"] {
        let reply = ask(origin).await;
        assert_eq!(
            (reply.status, reply.problem().as_str()),
            (403, "unknown-origin"),
            "{origin}"
        );
        assert_eq!(reply.header("access-control-allow-origin"), None);
    }
    // An answer that a page may read is readable when it is a refusal too.
    let reply = server.get("/who", &[("Origin", "https://app.example")]).await;
    assert_eq!(reply.status, 401);
    assert_eq!(reply.header("access-control-allow-origin"), Some("https://app.example"));
}

/// The cookie of an answer, as a browser sends it back.
fn cookie(reply: &Reply) -> String {
    let cookie = reply.header("set-cookie").expect("a cookie");
    cookie.split(';').next().expect("a pair").to_owned()
}

#[tokio::test]
async fn a_link_signs_a_browser_in() {
    let server = Server::start(local(), Face::Api).await;
    let port = server.address.port();
    let reply = server.get(&format!("/who?a=1&token={TOKEN}&b=2"), &[]).await;
    assert_eq!((reply.status, reply.header("location")), (303, Some("/who?a=1&b=2")));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
    let whole = reply.header("set-cookie").expect("a cookie");
    assert!(whole.starts_with(&format!("flockscope_token_{port}=")), "{whole}");
    for part in ["; Path=/", "; HttpOnly", "; SameSite=Strict", "; Max-Age=604800"] {
        assert!(whole.contains(part), "{whole}");
    }
    assert!(!whole.contains(TOKEN) && !whole.contains("Secure"), "{whole}");

    let pair = cookie(&reply);
    let reply = server.get("/who", &[("Cookie", &format!("theme=dark; {pair}"))]).await;
    assert_eq!((reply.status, reply.text()), (200, "local admin true"));
    let other = pair.replacen(&port.to_string(), "1", 1);
    let forged = format!("flockscope_token_{port}={TOKEN}");
    for wrong in [other.as_str(), &pair[..pair.len() - 2], &forged] {
        let reply = server.get("/who", &[("Cookie", wrong)]).await;
        assert_eq!(reply.problem(), "sign-in-needed", "{wrong}");
    }
    let reply = server.get("/who?token=wrong", &[("Cookie", &pair)]).await;
    assert_eq!(reply.problem(), "wrong-credential");
    assert_eq!(reply.header("set-cookie"), None);
}

#[tokio::test]
async fn a_link_on_another_site_signs_in_too() {
    let server = Server::start(local(), Face::Api).await;
    let headers = [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Mode", "navigate"),
        ("Sec-Fetch-Dest", "document"),
    ];
    // A redirect would come without the strict cookie, so the page sends itself on.
    let reply = server.get(&format!("/who?token={TOKEN}"), &headers).await;
    assert_eq!((reply.status, reply.header("refresh")), (200, Some("0;url=/who")));
    assert!(reply.header("set-cookie").is_some() && reply.header("location").is_none());
    let framed = [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Mode", "navigate"),
        ("Sec-Fetch-Dest", "iframe"),
    ];
    assert_eq!(
        server.get(&format!("/who?token={TOKEN}"), &framed).await.problem(),
        "unknown-origin"
    );
}

#[tokio::test]
async fn a_link_leads_nowhere_else() {
    let server = Server::start(local(), Face::Api).await;
    for (target, expected) in [
        ("//evil.example/x", "/evil.example/x"),
        ("///evil.example", "/evil.example"),
    ] {
        let reply = server.get(&format!("{target}?token={TOKEN}"), &[]).await;
        assert_eq!(reply.header("location"), Some(expected), "{target}");
    }
}

#[tokio::test]
async fn what_a_cookie_lets_in_must_come_from_our_own_page() {
    let settings = Settings {
        allowed_origins: vec!["https://app.example".into()],
        ..local()
    };
    let server = Server::start(settings, Face::Api).await;
    let pair = cookie(&server.get(&format!("/?token={TOKEN}"), &[]).await);
    let own = format!("http://127.0.0.1:{}", server.address.port());
    let table = [
        (vec![("Origin", own.as_str())], 200, ""),
        (vec![("Sec-Fetch-Site", "same-origin")], 200, ""),
        (
            vec![("Origin", own.as_str()), ("Sec-Fetch-Site", "same-origin")],
            200,
            "",
        ),
        (vec![], 403, "cross-site-request"),
        (vec![("Sec-Fetch-Site", "none")], 403, "cross-site-request"),
        (vec![("Origin", "https://app.example")], 403, "cross-site-request"),
        (
            vec![("Origin", "https://app.example"), ("Sec-Fetch-Site", "same-origin")],
            403,
            "cross-site-request",
        ),
        (vec![("Sec-Fetch-Site", "same-site")], 403, "unknown-origin"),
        (vec![("Sec-Fetch-Site", "cross-site")], 403, "unknown-origin"),
        (vec![("Origin", "null")], 403, "unknown-origin"),
    ];
    for (mut headers, status, problem) in table {
        headers.push(("Cookie", &pair));
        let reply = server.ask("POST", "/api/traces/clear", &headers).await;
        assert_eq!(reply.status, status, "{headers:?}");
        if status != 200 {
            assert_eq!(reply.problem(), problem, "{headers:?}");
        }
    }
    assert_eq!(
        with_token(&server, "POST", "/api/traces/clear", &[]).await.status,
        200,
        "a program"
    );
}

#[tokio::test]
async fn a_browser_that_signed_in_with_a_key_is_signed_out_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = ApiKeyFile::new(folder.path().join("keys.json"));
    let (key, _) = file.create("ann", Role::Viewer, None).expect("made");
    let settings = Settings {
        keys_file: Some(file.path().into()),
        ..local()
    };
    let server = Server::start(settings, Face::Api).await;
    let reply = server.get(&format!("/?token={}", key.reveal()), &[]).await;
    assert!(!reply.header("set-cookie").expect("a cookie").contains(key.reveal()));
    let pair = cookie(&reply);
    let headers = [("Cookie", pair.as_str())];
    let ask = || server.get("/who", &headers);
    assert_eq!(ask().await.text(), "key:ann viewer false");
    file.revoke("ann").expect("there");
    eventually(ask, |reply| reply.status == 401).await;
}

#[tokio::test]
async fn pages_can_not_be_framed_or_sniffed() {
    let server = Server::start(local(), Face::Api).await;
    for target in ["/who", "/nowhere", "/healthz"] {
        let reply = with_token(&server, "GET", target, &[]).await;
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.header("x-frame-options"), Some("DENY"));
        assert_eq!(reply.header("cross-origin-resource-policy"), Some("same-origin"));
        assert_eq!(reply.header("x-request-id").expect("an id").len(), 16);
    }
    let reply = with_token(&server, "GET", "/who", &[("X-Request-Id", "a stranger's")]).await;
    assert_ne!(reply.header("x-request-id"), Some("a stranger's"));
}
