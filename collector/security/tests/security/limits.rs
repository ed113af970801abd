//! How often a caller may ask.

use std::num::NonZeroU32;

use flockscope_security::{ApiKeyFile, Face, RateLimits, Role, Settings};

use crate::server::{Server, TOKEN, bearer, local, network};

#[tokio::test]
async fn sql_is_limited_for_each_caller_and_told_in_headers() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = ApiKeyFile::new(folder.path().join("keys.json"));
    let (ann, _) = file.create("ann", Role::Admin, None).expect("made");
    let (bob, _) = file.create("bob", Role::Admin, None).expect("made");
    let settings = Settings {
        keys_file: Some(file.path().into()),
        rate_limits: RateLimits {
            sql: NonZeroU32::new(2),
            changes: None,
            other: NonZeroU32::new(1_000),
        },
        ..network()
    };
    let server = Server::start(settings, Face::Api).await;
    let (name, ann) = bearer(ann.reveal());
    let (_, bob) = bearer(bob.reveal());
    for remaining in ["1", "0"] {
        let reply = server.ask("POST", "/api/v1/sql", &[(name, &ann)]).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("ratelimit-limit"), Some("2"));
        assert_eq!(reply.header("ratelimit-remaining"), Some(remaining));
    }
    let reply = server.ask("POST", "/api/v1/sql", &[(name, &ann)]).await;
    assert_eq!((reply.status, reply.problem().as_str()), (429, "too-many-requests"));
    let wait: u64 = reply.header("retry-after").expect("a time").parse().expect("seconds");
    assert!((1..=30).contains(&wait), "{wait}: one more each half minute");
    assert_eq!(reply.header("ratelimit-remaining"), Some("0"));
    let reset: u64 = reply
        .header("ratelimit-reset")
        .expect("a time")
        .parse()
        .expect("seconds");
    assert_eq!(reset, 60);
    assert_eq!(
        server.ask("POST", "/api/traces/query", &[(name, &ann)]).await.status,
        429,
        "the same class"
    );
    assert_eq!(
        server.ask("POST", "/api/v1/sql", &[(name, &bob)]).await.status,
        200,
        "another caller"
    );
    assert_eq!(server.get("/who", &[(name, &ann)]).await.status, 200, "another class");
    let reply = server.ask("POST", "/api/traces/clear", &[(name, &ann)]).await;
    assert_eq!((reply.status, reply.header("ratelimit-limit")), (200, None), "no limit");
}

#[tokio::test]
async fn by_default_a_key_has_ten_queries_a_minute_and_a_local_caller_any_number() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = ApiKeyFile::new(folder.path().join("keys.json"));
    let (key, _) = file.create("ann", Role::Viewer, None).expect("made");
    let settings = Settings {
        keys_file: Some(file.path().into()),
        ..network()
    };
    let server = Server::start(settings, Face::Api).await;
    for (token, expected) in [(key.reveal(), 10), (TOKEN, 30)] {
        let (name, value) = bearer(token);
        let mut served = 0;
        for _ in 0..30 {
            let reply = server.ask("POST", "/api/v1/sql", &[(name, &value)]).await;
            served += u32::from(reply.status == 200);
            assert!(reply.status == 200 || reply.problem() == "too-many-requests");
            let is_limited = reply.header("ratelimit-limit") == Some("10");
            assert_eq!(is_limited, token != TOKEN);
        }
        assert_eq!(served, expected);
    }
}

#[tokio::test]
async fn many_wrong_keys_of_one_address_are_not_looked_at() {
    let server = Server::start(network(), Face::Api).await;
    let (name, wrong) = bearer("fsk_wrong");
    let mut statuses = Vec::new();
    for _ in 0..10 {
        let reply = server.get("/who", &[(name, &wrong)]).await;
        statuses.push(reply.status);
        if reply.status == 429 {
            assert_eq!(reply.problem(), "too-many-failures");
            assert!(reply.header("retry-after").is_some());
            break;
        }
    }
    assert_eq!(statuses, [401, 401, 401, 401, 401, 401, 429]);
    assert_eq!(
        server.get("/who", &[]).await.status,
        401,
        "without a credential nothing is tried"
    );
    assert_eq!(server.get("/healthz", &[]).await.status, 200);
}

#[tokio::test]
async fn on_loopback_nobody_locks_out_the_others() {
    let server = Server::start(local(), Face::Api).await;
    let (name, wrong) = bearer("fsk_wrong");
    for _ in 0..50 {
        assert_eq!(server.get("/who", &[(name, &wrong)]).await.status, 401);
    }
    let (name, right) = bearer(TOKEN);
    assert_eq!(server.get("/who", &[(name, &right)]).await.status, 200);
}
