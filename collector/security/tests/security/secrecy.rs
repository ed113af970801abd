//! No secret comes into a log.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use flockscope_security::{ApiKeyFile, Face, JwtSettings, Role, Secret, Security, Settings};
use tracing::Level;

use crate::server::{Server, TOKEN, bearer, eventually, network};
use crate::tokens::{SECRET, claims, hs256};

/// A log that is kept.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

// All tasks run on the thread of the test, and so does the log.
#[tokio::test]
async fn the_log_holds_no_secret_at_any_level() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let folder = tempfile::tempdir().expect("a folder");
    let file = ApiKeyFile::new(folder.path().join("keys.json"));
    let (key, made) = file.create("ci", Role::Viewer, None).expect("made");
    let settings = Settings {
        keys_file: Some(file.path().into()),
        jwt: Some(JwtSettings {
            secret: Some(Secret::new(SECRET)),
            ..JwtSettings::default()
        }),
        ..network()
    };
    let mut printed = format!("{settings:?} {key:?} {made:?} {file:?}");
    let security = Security::new(settings.clone()).expect("settings");
    printed.push_str(&format!("{security:?}"));
    let server = Server::start(settings, Face::Api).await;
    let jwt = hs256(&claims(), SECRET.as_bytes());
    let wrong_jwt = hs256(&claims(), b"another secret of more than 32 bytes");
    let wrong_key = format!("{}x", key.reveal());
    for token in [TOKEN, key.reveal(), &jwt, &wrong_jwt, &wrong_key, "a wrong token"] {
        let (name, value) = bearer(token);
        server.get("/who", &[(name, &value)]).await;
        server.get("/who", &[("X-API-Key", token)]).await;
        let link = format!("/who?token={}", token.replace(' ', "+"));
        let reply = server.get(&link, &[]).await;
        if let Some(cookie) = reply.header("set-cookie") {
            let pair = cookie.split(';').next().expect("a pair").to_owned();
            server.get("/who", &[("Cookie", &pair)]).await;
            server.ask("POST", "/who", &[("Cookie", &pair)]).await;
            printed.push_str(&reply.text().replace(&pair, ""));
        }
    }
    file.revoke("ci").expect("there");
    std::fs::write(file.path(), format!("{{\"keys\": [\"{}\"", key.reveal())).expect("written");
    let (name, value) = bearer(key.reveal());
    let headers = [(name, value.as_str())];
    let ask = || server.get("/who", &headers);
    eventually(ask, |reply| reply.status != 200).await;

    let log = String::from_utf8(log.0.lock().expect("no panic").clone()).expect("text");
    assert!(
        log.contains("refused") && log.contains("/who"),
        "the log is written: {log}"
    );
    for secret in [
        TOKEN,
        key.reveal(),
        &jwt,
        &wrong_jwt,
        &wrong_key,
        SECRET,
        "a wrong token",
        "a+wrong+token",
    ] {
        assert!(!log.contains(secret), "{secret} in {log}");
        assert!(!printed.contains(secret), "{secret} in {printed}");
    }
}
