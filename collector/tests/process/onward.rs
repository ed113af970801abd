//! Spans that are sent on over TLS: who is not trusted gets none, and none is lost.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};

use flockscope_client::Connection;
use flockscope_protocol::OtlpStatus;
use rcgen::{CertifiedKey, generate_simple_self_signed};

use crate::otlp_sender::OtlpSender;
use crate::scene::{Scene, otlp_http, span_ids, status, wait_for_spans, wait_until};

/// Where programs on Unix look for the certificates that they trust, if it is set.
const TRUSTED: &str = "SSL_CERT_FILE";

/// A process that trusts who has one of these certificates, or whom the system trusts.
async fn serve(scene: &Scene, trusted: Option<&Path>) -> (Child, Connection) {
    let mut command = scene.serve_command();
    command.env_remove(TRUSTED).env_remove("SSL_CERT_DIR");
    if let Some(trusted) = trusted {
        command.env(TRUSTED, trusted);
    }
    let log = fs::File::create(scene.path("said")).expect("a file");
    let child = command.stdout(Stdio::null()).stderr(log).spawn().expect("a process");
    wait_until("it is ready", || {
        scene.record().is_some_and(|record| record.pid == child.id())
    });
    let connection = scene.find().await.expect("it runs");
    (child, connection)
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_go_on_over_tls_to_whom_is_trusted_and_wait_on_the_disk_until_then() {
    let receiver = Scene::new();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".into()]).expect("a certificate");
    let (certificate, key) = (receiver.path("certificate.pem"), receiver.path("key.pem"));
    fs::write(&certificate, cert.pem()).expect("written");
    fs::write(&key, signing_key.serialize_pem()).expect("written");
    receiver.set(&format!(
        "tls.certificate={}\ntls.key={}",
        certificate.display(),
        key.display()
    ));
    let receiving = receiver.connect().await;
    let OtlpStatus::Listening { address: grpc } = status(&receiving).await.otlp_grpc else {
        panic!("no gRPC");
    };
    let http = otlp_http(&receiving).await;
    let mut expected = BTreeSet::new();
    for (number, (protocol, port)) in [("http/protobuf", http.port()), ("grpc", grpc.port())]
        .into_iter()
        .enumerate()
    {
        let sender = Scene::new();
        sender.set(&format!(
            "onward.endpoint=https://localhost:{port}\nonward.protocol={protocol}"
        ));
        let ids: Vec<String> = (1..=50).map(|id| format!("{:016x}", id + 1000 * number)).collect();
        let (mut child, connection) = serve(&sender, None).await;
        let mut otlp = OtlpSender::connect(otlp_http(&connection).await).expect("a connection");
        for part in ids.chunks(10) {
            otlp.send(part).expect("acknowledged");
        }
        wait_for_spans(&connection, &ids.iter().cloned().collect()).await;
        // It is told, with the cause, to who reads the log and to who asks for the status.
        let said = || fs::read_to_string(sender.path("said")).unwrap_or_default();
        wait_until("the failure is told", || said().contains("onward"));
        let said = said();
        assert!(said.to_ascii_lowercase().contains("certificate"), "{protocol}: {said}");
        let notes = status(&connection).await.notes.join("\n");
        assert!(
            notes.contains("onward") && notes.to_ascii_lowercase().contains("certificate"),
            "{protocol}: {notes:?}"
        );
        assert!(
            span_ids(&receiving).await.iter().eq(&expected),
            "{protocol}: nothing came"
        );
        connection.stop().await.expect("ended");
        assert!(child.wait().expect("its end").success());

        // What waited on the disk is sent once the certificate is trusted, and what comes then.
        let (mut child, connection) = serve(&sender, Some(&certificate)).await;
        expected.extend(ids);
        wait_for_spans(&receiving, &expected).await;
        let late = format!("{:016x}", 500 + 1000 * number);
        let mut otlp = OtlpSender::connect(otlp_http(&connection).await).expect("a connection");
        otlp.send(std::slice::from_ref(&late)).expect("acknowledged");
        expected.insert(late);
        wait_for_spans(&receiving, &expected).await;
        assert_eq!(status(&connection).await.notes, Vec::<String>::new());
        connection.stop().await.expect("ended");
        assert!(child.wait().expect("its end").success());
    }
}
