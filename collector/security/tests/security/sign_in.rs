//! Tokens, keys, JWTs and roles.

use std::collections::HashSet;
use std::sync::Arc;

use flockscope_security::{
    ApiKeyFile, Face, FetchJwks, Fetched, JwksSource, JwtSettings, Role, Secret, Security, Settings, SettingsError,
};
use serde_json::json;

use crate::server::{Reply, Server, TOKEN, bearer, eventually, local, network};
use crate::tokens::{KeyPairs, SECRET, claims, encode, hmac_of, hs256, jwt, now, with};

async fn who(server: &Server, token: &str) -> Reply {
    let (name, value) = bearer(token);
    server.get("/who", &[(name, &value)]).await
}

fn with_jwt(jwt: JwtSettings) -> Settings {
    Settings {
        jwt: Some(jwt),
        ..local()
    }
}

fn secret() -> JwtSettings {
    JwtSettings {
        secret: Some(Secret::new(SECRET)),
        ..JwtSettings::default()
    }
}

#[tokio::test]
async fn the_stores_token_is_for_a_local_admin() {
    let server = Server::start(local(), Face::Api).await;
    let reply = who(&server, TOKEN).await;
    assert_eq!((reply.status, reply.text()), (200, "local admin true"));
    let reply = server.get("/who", &[("X-API-Key", TOKEN)]).await;
    assert_eq!(reply.text(), "local admin true");
}

#[tokio::test]
async fn everything_but_the_health_needs_a_caller() {
    let server = Server::start(local(), Face::Api).await;
    let reply = server.get("/healthz", &[]).await;
    assert_eq!((reply.status, reply.text()), (200, "ok"));
    let table = [
        ("GET", "/"),
        ("GET", "/who"),
        ("POST", "/api/v1/sql"),
        ("POST", "/api/traces/clear"),
        ("GET", "/nowhere"),
        ("PUT", "/who"),
        ("POST", "/healthz"),
        ("GET", "/healthz/"),
        ("GET", "/healthz/../who"),
        ("GET", "//healthz"),
    ];
    for (method, target) in table {
        let reply = server.ask(method, target, &[]).await;
        assert_eq!(
            (reply.status, reply.problem().as_str()),
            (401, "sign-in-needed"),
            "{method} {target}"
        );
        assert_eq!(reply.header("www-authenticate"), Some("Bearer realm=\"flockscope\""));
    }
}

#[tokio::test]
async fn wrong_tokens_are_refused() {
    let server = Server::start(local(), Face::Api).await;
    let near = TOKEN.replace("FG", "FH");
    for token in [
        near.as_str(),
        &TOKEN[1..],
        &format!("{TOKEN}x"),
        "null",
        "undefined",
        "fsk_",
        "a.b.c",
        "..",
        ".",
    ] {
        let reply = who(&server, token).await;
        assert_eq!(
            (reply.status, reply.problem().as_str()),
            (401, "wrong-credential"),
            "{token}"
        );
        assert!(
            reply
                .header("www-authenticate")
                .expect("a challenge")
                .contains("invalid_token")
        );
        assert!(
            !reply.text().contains(token) || token.len() < 3,
            "{token} is not repeated"
        );
    }
    for headers in [
        vec![("Authorization", "Basic bG9jYWw6eA==")],
        vec![("Authorization", "Bearer")],
        vec![("Authorization", "Bearer "), ("X-API-Key", TOKEN)],
        vec![("X-API-Key", "")],
    ] {
        assert_eq!(
            server.get("/who", &headers).await.problem(),
            "wrong-credential",
            "{headers:?}"
        );
    }
}

#[tokio::test]
async fn without_authentication_everybody_on_loopback_is_admin_but_hosts_are_checked() {
    let settings = Settings {
        auth_enabled: false,
        ..local()
    };
    let server = Server::start(settings, Face::Api).await;
    assert_eq!(server.get("/who", &[]).await.text(), "local admin true");
    assert_eq!(
        server.get("/who", &[("Host", "evil.example")]).await.problem(),
        "unknown-host"
    );
    let evil = [("Origin", "http://evil.example")];
    assert_eq!(
        server.ask("POST", "/api/traces/clear", &evil).await.problem(),
        "unknown-origin"
    );
    for settings in [
        Settings {
            api_is_loopback: false,
            auth_enabled: false,
            ..local()
        },
        Settings {
            otlp_is_loopback: false,
            auth_enabled: false,
            ..local()
        },
    ] {
        assert!(matches!(Security::new(settings), Err(SettingsError::OpenToNetwork)));
    }
}

#[tokio::test]
async fn an_api_key_lets_in_until_it_is_revoked_or_expires() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = ApiKeyFile::new(folder.path().join("keys.json"));
    let settings = Settings {
        keys_file: Some(file.path().into()),
        ..local()
    };
    let server = Server::start(settings, Face::Api).await;
    let (viewer, _) = file.create("ci", Role::Viewer, Some(now() + 3_600)).expect("made");
    let (admin, _) = file.create("ops", Role::Admin, None).expect("made");
    let (expired, _) = file.create("old", Role::Admin, Some(now() - 1)).expect("made");
    // The server has read the file before it was there.
    let reply = eventually(|| who(&server, viewer.reveal()), |reply| reply.status == 200).await;
    assert_eq!(reply.text(), "key:ci viewer false");
    assert_eq!(who(&server, admin.reveal()).await.text(), "key:ops admin false");
    let reply = who(&server, expired.reveal()).await;
    assert_eq!(reply.problem(), "wrong-credential");
    assert!(reply.text().contains("expired"), "{}", reply.text());
    file.revoke("ci").expect("there");
    let reply = eventually(|| who(&server, viewer.reveal()), |reply| reply.status == 401).await;
    assert_eq!(reply.problem(), "wrong-credential");
    assert_eq!(who(&server, admin.reveal()).await.status, 200, "only that one");
}

#[tokio::test]
async fn a_viewer_may_not_do_what_an_admin_may() {
    let server = Server::start(with_jwt(secret()), Face::Api).await;
    for (claims, role, status) in [
        (claims(), "viewer", 403),
        (with(claims(), "role", "viewer"), "viewer", 403),
        (with(claims(), "role", "Admin"), "viewer", 403),
        (with(claims(), "role", json!(["admin"])), "viewer", 403),
        (with(claims(), "role", json!({"admin": true})), "viewer", 403),
        (with(claims(), "roles", json!(["reader", 7])), "viewer", 403),
        (with(claims(), "roles", json!({"a": "admin"})), "viewer", 403),
        (with(claims(), "role", "admin"), "admin", 200),
        (with(claims(), "roles", "admin"), "admin", 200),
        (with(claims(), "roles", json!(["reader", 7, "admin"])), "admin", 200),
    ] {
        let token = hs256(&claims, SECRET.as_bytes());
        assert_eq!(
            who(&server, &token).await.text(),
            format!("jwt:ann {role} false"),
            "{claims}"
        );
        let (name, value) = bearer(&token);
        let reply = server.ask("POST", "/api/traces/clear", &[(name, &value)]).await;
        assert_eq!(reply.status, status, "{claims}");
        if status == 403 {
            assert_eq!(reply.problem(), "admin-only");
        }
    }
}

#[tokio::test]
async fn jwts_that_are_not_valid_are_refused() {
    let settings = JwtSettings {
        issuer: Some("https://issuer.example".into()),
        audience: Some("flockscope".into()),
        ..secret()
    };
    let server = Server::start(with_jwt(settings), Face::Api).await;
    let good = with(with(claims(), "iss", "https://issuer.example"), "aud", "flockscope");
    let sign = |claims| hs256(&claims, SECRET.as_bytes());
    let change = |name, value: serde_json::Value| sign(with(good.clone(), name, value));
    for fine in [
        sign(good.clone()),
        change("exp", (now() - 10).into()),
        change("nbf", (now() + 10).into()),
        change("exp", json!(now() as f64 + 60.5)),
        change("aud", json!(["other", "flockscope"])),
        change("sub", json!(7)),
    ] {
        assert_eq!(who(&server, &fine).await.status, 200, "{fine}");
    }
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().expect("an object").remove(name);
        sign(claims)
    };
    let whole = sign(good.clone());
    let (message, signature) = whole.rsplit_once('.').expect("a signature");
    let header = |header| jwt(&header, &good, |message| hmac_of(SECRET.as_bytes(), message));
    let admin = encode(with(good.clone(), "role", "admin").to_string());
    let (first, _) = message.split_once('.').expect("a header");
    let table = [
        ("another secret", hs256(&good, b"another secret of more than 32 bytes")),
        ("expired", change("exp", (now() - 60).into())),
        ("expired long ago", change("exp", 0.into())),
        ("expiry as text", change("exp", "9999999999".into())),
        ("expiry below zero", change("exp", (-1).into())),
        ("no expiry", without("exp")),
        ("null expiry", change("exp", json!(null))),
        ("not yet valid", change("nbf", (now() + 60).into())),
        ("start as text", change("nbf", "0".into())),
        ("another issuer", change("iss", "https://evil.example".into())),
        ("no issuer", without("iss")),
        ("another audience", change("aud", "other".into())),
        ("no audience", without("aud")),
        ("alg none", jwt(&json!({"alg": "none"}), &good, |_| Vec::new())),
        ("alg None", jwt(&json!({"alg": "None"}), &good, |_| Vec::new())),
        ("alg nOnE, signed", header(json!({"alg": "nOnE"}))),
        ("alg empty", header(json!({"alg": ""}))),
        ("no alg", header(json!({"typ": "JWT"}))),
        ("alg null", header(json!({"alg": null}))),
        ("alg HS512", header(json!({"alg": "HS512"}))),
        ("alg RS256", header(json!({"alg": "RS256"}))),
        (
            "critical extension",
            header(json!({"alg": "HS256", "crit": ["b64"], "b64": false})),
        ),
        (
            "own key",
            header(json!({"alg": "EdDSA", "jwk": {"kty": "oct", "k": "AAAA"}})),
        ),
        ("no signature", format!("{message}.")),
        ("signature of other claims", format!("{first}.{admin}.{signature}")),
        (
            "cut signature",
            format!("{message}.{}", &signature[..signature.len() - 2]),
        ),
        ("two parts", message.to_owned()),
        ("four parts", format!("{whole}.x")),
        ("claims of another kind", hs256(&json!(["exp"]), SECRET.as_bytes())),
        ("no base64", format!("%%%.{admin}.{signature}")),
    ];
    let mut names = HashSet::new();
    for (name, token) in table {
        assert!(names.insert(name));
        let reply = who(&server, &token).await;
        assert_eq!(
            (reply.status, reply.problem().as_str()),
            (401, "wrong-credential"),
            "{name}: {token}"
        );
    }
}

#[tokio::test]
async fn a_token_for_another_audience_is_refused_without_a_configured_one() {
    let server = Server::start(with_jwt(secret()), Face::Api).await;
    let token = |claims| hs256(&claims, SECRET.as_bytes());
    assert_eq!(who(&server, &token(claims())).await.status, 200);
    assert_eq!(
        who(&server, &token(with(claims(), "aud", "somebody else")))
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn jwts_of_key_pairs_are_told_by_their_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("jwks.json");
    let pairs = KeyPairs::new();
    std::fs::write(&path, pairs.jwks()).expect("written");
    let jwks = JwtSettings {
        jwks: Some(JwksSource::File(path.clone())),
        ..JwtSettings::default()
    };
    let both = JwtSettings {
        secret: Some(Secret::new(SECRET)),
        ..jwks.clone()
    };
    for settings in [jwks, both] {
        let has_secret = settings.secret.is_some();
        let server = Server::start(with_jwt(settings), Face::Api).await;
        for (algorithm, id) in [
            ("RS256", Some("r")),
            ("ES256", Some("e")),
            ("EdDSA", Some("d")),
            ("RS256", None),
            ("ES256", None),
        ] {
            let token = pairs.sign(algorithm, id, &claims());
            assert_eq!(who(&server, &token).await.status, 200, "{algorithm} {id:?}");
        }
        let others = KeyPairs::new();
        let mut wrong = vec![
            pairs.sign("RS256", Some("e"), &claims()),
            pairs.sign("RS256", Some("unknown"), &claims()),
            pairs.sign("ES256", Some("r"), &claims()),
            others.sign("ES256", Some("e"), &claims()),
            others.sign("EdDSA", Some("d"), &claims()),
            pairs.sign("RS256", Some("r"), &with(claims(), "exp", now() - 60)),
            jwt(&json!({"alg": "ES256", "kid": "e"}), &claims(), |_| vec![0; 64]),
            jwt(&json!({"alg": "EdDSA", "kid": "e"}), &claims(), |message| {
                pairs.signature("ES256", message)
            }),
            jwt(&json!({"alg": "PS256", "kid": "r"}), &claims(), |message| {
                pairs.signature("RS256", message)
            }),
            jwt(&json!({"alg": "none", "kid": "r"}), &claims(), |_| Vec::new()),
        ];
        // The public key as the secret of an HMAC.
        for public in pairs.public_rsa() {
            for id in ["r", "e", "d"] {
                let header = json!({ "alg": "HS256", "kid": id });
                wrong.push(jwt(&header, &claims(), |message| hmac_of(&public, message)));
            }
        }
        for token in wrong {
            assert_eq!(who(&server, &token).await.status, 401, "{token}");
        }
        let status = who(&server, &hs256(&claims(), SECRET.as_bytes())).await.status;
        assert_eq!(status, if has_secret { 200 } else { 401 });
    }
}

#[tokio::test]
async fn a_new_jwks_file_is_read_without_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("jwks.json");
    let (old, new) = (KeyPairs::new(), KeyPairs::new());
    std::fs::write(&path, old.jwks()).expect("written");
    let settings = JwtSettings {
        jwks: Some(JwksSource::File(path.clone())),
        ..JwtSettings::default()
    };
    let server = Server::start(with_jwt(settings), Face::Api).await;
    assert_eq!(who(&server, &old.sign("EdDSA", Some("d"), &claims())).await.status, 200);
    assert_eq!(who(&server, &new.sign("EdDSA", Some("d"), &claims())).await.status, 401);
    std::fs::write(&path, new.jwks()).expect("written");
    let token = new.sign("EdDSA", Some("d"), &claims());
    eventually(|| who(&server, &token), |reply| reply.status == 200).await;
    assert_eq!(who(&server, &old.sign("EdDSA", Some("d"), &claims())).await.status, 401);
}

#[tokio::test]
async fn a_jwks_is_fetched_when_it_is_needed() {
    struct Jwks(String);
    impl FetchJwks for Jwks {
        fn fetch(&self) -> Fetched<'_> {
            Box::pin(async { Ok(self.0.clone()) })
        }
    }
    struct Nothing;
    impl FetchJwks for Nothing {
        fn fetch(&self) -> Fetched<'_> {
            Box::pin(async { Err("no network".into()) })
        }
    }
    let pairs = KeyPairs::new();
    let sources: [(Arc<dyn FetchJwks>, u16); 2] = [(Arc::new(Jwks(pairs.jwks())), 200), (Arc::new(Nothing), 401)];
    for (fetch, status) in sources {
        let settings = JwtSettings {
            jwks: Some(JwksSource::Fetched(fetch)),
            ..JwtSettings::default()
        };
        let server = Server::start(with_jwt(settings), Face::Api).await;
        assert_eq!(
            who(&server, &pairs.sign("ES256", Some("e"), &claims())).await.status,
            status
        );
    }
}

#[tokio::test]
async fn settings_that_would_not_protect_are_refused_at_start() {
    let short = JwtSettings {
        secret: Some(Secret::new("x".repeat(31))),
        ..JwtSettings::default()
    };
    let error = Security::new(with_jwt(short)).expect_err("too short").to_string();
    assert!(
        error.contains("FLOCK_TRACE_JWT_SECRET") && error.contains("31") && error.contains("32"),
        "{error}"
    );
    let short = Settings::local(Secret::new("short"));
    assert!(matches!(
        Security::new(short),
        Err(SettingsError::ShortToken { bytes: 5 })
    ));
    let missing = JwtSettings {
        jwks: Some(JwksSource::File("/nowhere/jwks.json".into())),
        ..JwtSettings::default()
    };
    assert!(matches!(Security::new(with_jwt(missing)), Err(SettingsError::File(_))));
    assert!(Security::new(with_jwt(secret())).expect("fine").has_credentials());
    assert!(!Security::new(network()).expect("fine").has_credentials());
}

#[tokio::test]
async fn spans_are_taken_from_any_program_on_loopback_and_from_callers_elsewhere() {
    let server = Server::start(local(), Face::Otlp).await;
    for headers in [
        vec![],
        vec![("Authorization", "Bearer of another system")],
        vec![("X-API-Key", "x")],
    ] {
        let reply = server.ask("POST", "/v1/traces", &headers).await;
        assert_eq!((reply.status, reply.text()), (200, "otlp"), "{headers:?}");
        let reply = server.ask("POST", "/api/traces/clear", &headers).await;
        assert_eq!(reply.status, 403, "it is no admin");
    }
    let evil = [("Host", "evil.example")];
    assert_eq!(server.ask("POST", "/v1/traces", &evil).await.status, 403);

    let strict = Settings {
        otlp_needs_sign_in: true,
        ..local()
    };
    for settings in [strict, network()] {
        let server = Server::start(settings, Face::Otlp).await;
        assert_eq!(server.ask("POST", "/v1/traces", &[]).await.status, 401);
        let link = format!("/v1/traces?token={TOKEN}");
        assert_eq!(server.get(&link, &[]).await.status, 401, "no links here");
        let (name, value) = bearer(TOKEN);
        let reply = server.ask("POST", "/v1/traces", &[(name, &value)]).await;
        assert_eq!((reply.status, reply.text()), (200, "local"));
    }
}

#[tokio::test]
async fn a_refused_export_is_told_in_the_form_of_the_request() {
    let server = Server::start(network(), Face::Otlp).await;
    let reply = server
        .ask("POST", "/v1/traces", &[("Content-Type", "application/json")])
        .await;
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (401, Some("application/json"))
    );
    let status: serde_json::Value = serde_json::from_slice(&reply.body).expect("JSON");
    assert_eq!(status["code"], 16);
    assert!(status["message"].as_str().expect("a message").contains("Bearer"));

    let reply = server
        .ask("POST", "/v1/traces", &[("Content-Type", "application/x-protobuf")])
        .await;
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (401, Some("application/x-protobuf"))
    );
    // Field 1, a varint: 16. Field 2, bytes: the message.
    assert_eq!(reply.body[..3], [0x08, 16, 0x12]);
    assert!(String::from_utf8_lossy(&reply.body).contains("Bearer"));
}
