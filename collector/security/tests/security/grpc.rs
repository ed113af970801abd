//! gRPC through the layers, with a client that knows nothing of them.

use flockscope_security::{Face, Limits, Security, Settings};
use tonic::metadata::MetadataValue;
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::server::{Server, TOKEN, local, network};

async fn start(settings: Settings) -> Server {
    let (_, health) = tonic_health::server::health_reporter();
    let security = Security::new(settings).expect("settings");
    let router = security.protect(Routes::new(health).into_axum_router(), Face::Otlp);
    Server::start_with(router, None, Limits::on_loopback()).await
}

async fn channel(server: &Server, origin: Option<&str>) -> Channel {
    let mut endpoint = Endpoint::from_shared(format!("http://{}", server.address)).expect("an address");
    if let Some(origin) = origin {
        endpoint = endpoint.origin(origin.parse().expect("an address"));
    }
    endpoint.connect().await.expect("a connection")
}

async fn check(channel: &Channel, token: Option<&str>) -> Result<i32, Status> {
    let mut request = Request::new(HealthCheckRequest { service: String::new() });
    if let Some(token) = token {
        let value = MetadataValue::try_from(format!("Bearer {token}")).expect("text");
        request.metadata_mut().insert("authorization", value);
    }
    let answer = HealthClient::new(channel.clone()).check(request).await?;
    Ok(answer.into_inner().status)
}

#[tokio::test]
async fn on_loopback_a_call_needs_no_token() {
    let server = start(local()).await;
    let channel = channel(&server, None).await;
    assert_eq!(check(&channel, None).await.expect("allowed"), 1, "serving");
    assert_eq!(check(&channel, Some("of another system")).await.expect("allowed"), 1);
}

#[tokio::test]
async fn a_call_of_another_host_is_refused() {
    let server = start(local()).await;
    for origin in ["http://evil.example", "http://127.0.0.1.nip.io:4317"] {
        let channel = channel(&server, Some(origin)).await;
        let status = check(&channel, Some(TOKEN)).await.expect_err("refused");
        assert_eq!(status.code(), Code::PermissionDenied, "{status:?}");
        assert!(status.message().contains("allowed hosts"), "{status:?}");
    }
}

#[tokio::test]
async fn on_the_network_a_call_without_a_valid_token_is_unauthenticated() {
    let server = start(network()).await;
    let channel = channel(&server, None).await;
    let status = check(&channel, None).await.expect_err("refused");
    assert_eq!(status.code(), Code::Unauthenticated);
    assert!(status.message().contains("Authorization: Bearer"), "{status:?}");
    assert_eq!(check(&channel, Some(TOKEN)).await.expect("allowed"), 1);
    // Six wrong ones are told so, the next is not looked at.
    for _ in 0..6 {
        let status = check(&channel, Some("wrong")).await.expect_err("refused");
        assert_eq!(status.code(), Code::Unauthenticated);
    }
    let status = check(&channel, Some("wrong")).await.expect_err("refused");
    assert_eq!(status.code(), Code::ResourceExhausted);
}
