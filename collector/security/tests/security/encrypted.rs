//! TLS.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use flockscope_security::{Face, Limits, Security, Tls};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::{Request, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::server::{Server, TOKEN, eventually, local, read_reply, routes};

struct Files {
    _folder: tempfile::TempDir,
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    fn new() -> (Self, CertificateDer<'static>) {
        let folder = tempfile::tempdir().expect("a folder");
        let files = Self {
            certificate: folder.path().join("certificate.pem"),
            key: folder.path().join("key.pem"),
            _folder: folder,
        };
        let certificate = files.write();
        (files, certificate)
    }

    /// Writes a new certificate and its key.
    fn write(&self) -> CertificateDer<'static> {
        let CertifiedKey { cert, signing_key } = certified();
        std::fs::write(&self.certificate, cert.pem()).expect("written");
        std::fs::write(&self.key, signing_key.serialize_pem()).expect("written");
        cert.der().clone()
    }
}

fn certified() -> CertifiedKey<KeyPair> {
    generate_simple_self_signed(["localhost".into(), "127.0.0.1".into()]).expect("a certificate")
}

async fn start(files: &Files, limits: Limits) -> Server {
    let security = Security::new(local()).expect("settings");
    let tls = Tls::open(&files.certificate, &files.key).expect("a certificate");
    Server::start_with(security.protect(routes(), Face::Api), Some(tls), limits).await
}

async fn connect(
    server: &Server,
    certificate: &CertificateDer<'static>,
    protocols: &[&[u8]],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).expect("a certificate");
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let name = ServerName::try_from("localhost").expect("a name");
    let stream = server.connect().await;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

#[tokio::test]
async fn http_2_is_agreed_on_under_tls() {
    let (files, certificate) = Files::new();
    let server = start(&files, Limits::on_loopback()).await;
    let stream = connect(&server, &certificate, &[b"h2", b"http/1.1"])
        .await
        .expect("a handshake");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .expect("HTTP/2");
    tokio::spawn(connection);
    let port = server.address.port();
    for (authority, status) in [
        (format!("localhost:{port}"), 200),
        (format!("127.0.0.1:{port}"), 200),
        (format!("evil.example:{port}"), 403),
        ("localhost".into(), 403),
    ] {
        let request = Request::get(format!("https://{authority}/who"))
            .header("authorization", format!("Bearer {TOKEN}"))
            .body(Empty::<Bytes>::new())
            .expect("a request");
        let response = sender.send_request(request).await.expect("an answer");
        assert_eq!(
            (response.status().as_u16(), response.version()),
            (status, Version::HTTP_2),
            "{authority}"
        );
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        assert!(status != 200 || body == "local admin true");
    }
}

#[tokio::test]
async fn http_1_works_under_tls_and_its_cookie_is_secure() {
    let (files, certificate) = Files::new();
    let server = start(&files, Limits::on_loopback()).await;
    let port = server.address.port();
    let mut stream = connect(&server, &certificate, &[b"http/1.1"])
        .await
        .expect("a handshake");
    let request = format!("GET /?token={TOKEN} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let reply = read_reply(&mut stream).await;
    assert_eq!(reply.status, 303);
    assert!(reply.header("set-cookie").expect("a cookie").contains("; Secure"));

    let mut stream = connect(&server, &certificate, &[]).await.expect("a handshake");
    let own = format!("Origin: https://localhost:{port}\r\n");
    let request = format!("GET /healthz HTTP/1.1\r\nHost: localhost:{port}\r\n{own}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    assert_eq!(
        read_reply(&mut stream).await.status,
        200,
        "https is the origin of our pages here"
    );
}

#[tokio::test]
async fn clients_that_do_not_speak_tls_are_closed() {
    let (files, certificate) = Files::new();
    let limits = Limits {
        header_time: Duration::from_millis(300),
        ..Limits::on_loopback()
    };
    let server = start(&files, limits).await;
    for text in ["GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", ""] {
        let mut stream = server.connect().await;
        stream.write_all(text.as_bytes()).await.expect("sent");
        let mut said = Vec::new();
        let read = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut said);
        let _ = tokio::time::timeout(crate::server::DEADLINE, read)
            .await
            .expect("it is closed");
        assert!(!String::from_utf8_lossy(&said).contains("HTTP"));
    }
    assert!(connect(&server, &certificate, &[]).await.is_ok());
}

#[tokio::test]
async fn a_new_certificate_is_used_without_a_restart() {
    let (files, old) = Files::new();
    let server = start(&files, Limits::on_loopback()).await;
    assert!(connect(&server, &old, &[]).await.is_ok());
    std::fs::write(&files.key, "broken").expect("written");
    assert!(connect(&server, &old, &[]).await.is_ok(), "the old one stays");
    let new = files.write();
    let is_new = || async { connect(&server, &new, &[]).await.is_ok() };
    eventually(is_new, |is_new| *is_new).await;
    assert!(connect(&server, &old, &[]).await.is_err());
}

#[tokio::test]
async fn a_certificate_that_can_not_be_used_is_refused_at_start() {
    let (files, _) = Files::new();
    let (others, _) = Files::new();
    let open = |certificate: &Path, key: &Path| Tls::open(certificate, key).expect_err("unusable").to_string();
    let error = open(&files.certificate, &others.key);
    assert!(error.contains("can't be used together"), "{error}");
    let error = open(&files.key, &files.key);
    assert!(error.contains("key.pem") && error.contains("certificates"), "{error}");
    let error = open(&files.certificate, &files.certificate);
    assert!(error.contains("a private key"), "{error}");
    let error = open(Path::new("nowhere.pem"), &files.key);
    assert!(error.contains("nowhere.pem"), "{error}");
    let secret = std::fs::read_to_string(&files.key).expect("readable");
    assert!(!error.contains(secret.lines().nth(1).expect("a line")));
}
