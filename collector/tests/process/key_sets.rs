//! JWTs whose keys are published at an address.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::json;

use crate::scene::{PATIENCE, Scene, wait_until};

fn key_pair() -> Ed25519KeyPair {
    let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
    Ed25519KeyPair::from_pkcs8(made.as_ref()).expect("a key")
}

fn token(pair: &Ed25519KeyPair, id: &str, role: &str) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs();
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!(
        "{}.{}",
        part(json!({"alg": "EdDSA", "kid": id})),
        part(json!({"sub": "ann", "role": role, "exp": now + 3600}))
    );
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(pair.sign(message.as_bytes())))
}

/// The status of an answer of the API.
fn status_for(address: SocketAddr, token: &str) -> u16 {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let request = format!(
        "GET /api/v1/traces HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.expect("a status")
}

#[tokio::test]
async fn a_token_of_a_published_key_is_let_in_also_when_the_publisher_is_gone() {
    let scene = Scene::new();
    let (known, unknown) = (key_pair(), key_pair());
    let keys = json!({"keys": [
        {"kty": "OKP", "crv": "Ed25519", "kid": "known", "x": URL_SAFE_NO_PAD.encode(known.public_key())},
    ]})
    .to_string();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let publisher = listener.local_addr().expect("an address");
    let asked = Arc::new(AtomicUsize::new(0));
    // Answers once, and is gone.
    let publishing = thread::spawn({
        let asked = asked.clone();
        move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{keys}", keys.len());
            stream.write_all(answer.as_bytes()).expect("sent");
            asked.fetch_add(1, Ordering::SeqCst);
        }
    });
    scene.set(&format!("auth.enabled=true\nauth.jwks_url=http://{publisher}/keys"));
    scene.connect().await;
    let address = scene.record().expect("a record").address;
    assert_eq!(asked.load(Ordering::SeqCst), 0, "not before a token comes");
    assert_eq!(status_for(address, &token(&known, "known", "viewer")), 200);
    publishing.join().expect("no panic");
    wait_until("nobody listens", || TcpStream::connect(publisher).is_err());
    assert_eq!(status_for(address, &token(&known, "known", "viewer")), 200);
    // Another key, under its own name and under that of the known one.
    assert_eq!(status_for(address, &token(&unknown, "unknown", "admin")), 401);
    assert_eq!(status_for(address, &token(&unknown, "known", "admin")), 401);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}
