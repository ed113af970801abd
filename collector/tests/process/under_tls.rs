//! A process that speaks TLS: to the network with its certificate, to clients of this machine as ever.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::json;

use crate::scene::{PATIENCE, Scene, otlp_http, wait_for_spans};

/// A client over the network that trusts the certificate.
fn trusting(certificate: &str) -> reqwest::Client {
    let certificate = reqwest::Certificate::from_pem(certificate.as_bytes()).expect("a certificate");
    // Who installed one before decides for the process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .tls_certs_only([certificate])
        .build()
        .expect("a client")
}

/// What a port says to a client that speaks no TLS.
fn said_in_plain_text(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let request = format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said);
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_network_needs_tls_and_clients_of_this_machine_find_it_as_ever() {
    let scene = Scene::new();
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".into(), "127.0.0.1".into()]).expect("a certificate");
    let (certificate, key) = (scene.path("certificate.pem"), scene.path("key.pem"));
    fs::write(&certificate, cert.pem()).expect("written");
    fs::write(&key, signing_key.serialize_pem()).expect("written");
    scene.set(&format!(
        "tls.certificate={}\ntls.key={}",
        certificate.display(),
        key.display()
    ));
    // Over plain loopback, with the token of the record.
    let connection = scene.connect().await;
    assert_eq!(connection.statistics().await.expect("an answer").spans, 0);
    let record = scene.record().expect("a record");
    assert!(record.address.ip().is_loopback() && !record.tls);

    let log = scene.log();
    let api = log.split("api=").nth(1).and_then(|rest| rest.split(' ').next());
    let api: SocketAddr = api.and_then(|api| api.parse().ok()).expect("an address in the log");
    assert_ne!(api, record.address, "another port is for the network");
    let client = trusting(&cert.pem());
    let url = format!("https://localhost:{}/api/v1/traces", api.port());
    let open = client.get(&url).send().await.expect("an answer");
    assert_eq!(open.status(), 401);
    let signed_in = client.get(&url).bearer_auth(&record.token).send().await;
    assert_eq!(signed_in.expect("an answer").status(), 200);

    // The receivers speak TLS, too.
    let otlp = otlp_http(&connection).await;
    let id = "00000000000000aa";
    let request = json!({"resourceSpans": [{"scopeSpans": [{"spans": [{
        "traceId": format!("{id:0>32}"), "spanId": id, "name": "Flock.run", "kind": 1,
        "startTimeUnixNano": "1795392000000000000", "endTimeUnixNano": "1795392000001000000",
    }]}]}]});
    let answer = client
        .post(format!("https://localhost:{}/v1/traces", otlp.port()))
        .header("content-type", "application/json")
        .body(request.to_string())
        .timeout(Duration::from_secs(60))
        .send()
        .await;
    assert_eq!(answer.expect("an answer").status(), 200);
    wait_for_spans(&connection, &BTreeSet::from([id.to_owned()])).await;

    // No plain text at the ports for the network, no TLS at the one for this machine.
    for address in [api, otlp] {
        let said = tokio::task::block_in_place(|| said_in_plain_text(address));
        assert!(!said.contains("HTTP/1.1"), "{said}");
    }
    assert!(tokio::task::block_in_place(|| said_in_plain_text(record.address)).starts_with("HTTP/1.1 200"));
    // Who does not know the certificate does not send anything.
    let stranger = reqwest::Client::new().get(&url).bearer_auth(&record.token).send().await;
    assert!(stranger.is_err_and(|error| error.is_connect()));
    connection.stop().await.expect("ended");
}
