//! One request to the endpoint, and what its answer means.

use std::error::Error;
use std::io::Write;
use std::time::{Duration, SystemTime};

use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use prost::Message;
use tonic::codec::CompressionEncoding;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::{OnwardError, OnwardProtocol, OnwardSettings};

/// Of an answer; the rest is not read.
const MOST_ANSWER: usize = 64 << 10;
/// Of what an endpoint says.
const MOST_TEXT: usize = 200;

/// What became of a request.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The endpoint took it, but for so many spans.
    Taken { rejected: u64, message: String },
    /// It must not be sent again.
    Refused { message: String },
    /// It may be sent again, after this time where one was said.
    Failed { message: String, after: Option<Duration> },
}

/// The endpoint, checked, not yet spoken to.
pub(crate) struct Target {
    headers: HeaderMap,
    gzip: bool,
    kind: TargetKind,
}

enum TargetKind {
    Grpc(Box<Endpoint>),
    Http(reqwest::Client, reqwest::Url),
}

/// The endpoint, from within a runtime.
pub(crate) enum Transport {
    Grpc(TraceServiceClient<Channel>, MetadataMap),
    Http {
        client: reqwest::Client,
        url: reqwest::Url,
        headers: HeaderMap,
        gzip: bool,
    },
}

impl Target {
    /// Checks address and headers. Names are not looked up yet.
    pub(crate) fn new(settings: &OnwardSettings) -> Result<Self, OnwardError> {
        let wrong = |detail: String| OnwardError::Endpoint {
            endpoint: settings.endpoint.clone(),
            detail,
        };
        let mut url = reqwest::Url::parse(&settings.endpoint).map_err(|error| wrong(error.to_string()))?;
        let is_tls = match url.scheme() {
            "https" => true,
            "http" => false,
            other => return Err(wrong(format!("its scheme is {other}"))),
        };
        let kind = match settings.protocol {
            OnwardProtocol::Grpc => {
                let mut endpoint =
                    Endpoint::from_shared(settings.endpoint.clone()).map_err(|error| wrong(error.to_string()))?;
                if is_tls {
                    endpoint = endpoint
                        .tls_config(ClientTlsConfig::new().with_native_roots())
                        .map_err(|error| OnwardError::Start(error.to_string()))?;
                }
                TargetKind::Grpc(Box::new(endpoint.connect_timeout(settings.timeout)))
            }
            OnwardProtocol::HttpProtobuf => {
                if !url.path().ends_with("/v1/traces") {
                    let path = format!("{}/v1/traces", url.path().trim_end_matches('/'));
                    url.set_path(&path);
                }
                // Who installed one before decides for the process.
                let _ = rustls::crypto::ring::default_provider().install_default();
                let client = reqwest::Client::builder()
                    .timeout(settings.timeout)
                    // The headers may hold a secret, which is for this endpoint only.
                    .redirect(reqwest::redirect::Policy::none())
                    .build()
                    .map_err(|error| OnwardError::Start(error.to_string()))?;
                TargetKind::Http(client, url)
            }
        };
        Ok(Self {
            headers: headers(&settings.headers)?,
            gzip: settings.gzip,
            kind,
        })
    }

    /// Makes what sends. Must be called within a runtime; connects at the first request.
    pub(crate) fn transport(self) -> Transport {
        match self.kind {
            TargetKind::Grpc(endpoint) => {
                let mut client =
                    TraceServiceClient::new(endpoint.connect_lazy()).accept_compressed(CompressionEncoding::Gzip);
                if self.gzip {
                    client = client.send_compressed(CompressionEncoding::Gzip);
                }
                Transport::Grpc(client, MetadataMap::from_headers(self.headers))
            }
            TargetKind::Http(client, url) => Transport::Http {
                client,
                url,
                headers: self.headers,
                gzip: self.gzip,
            },
        }
    }
}

fn headers(pairs: &[(String, String)]) -> Result<HeaderMap, OnwardError> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let wrong = || OnwardError::Header { name: name.clone() };
        let mut value = HeaderValue::from_str(value).map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?, value);
    }
    Ok(headers)
}

impl Transport {
    /// Sends a request and waits for its answer, at most so long.
    pub(crate) async fn send(&mut self, request: ExportTraceServiceRequest, timeout: Duration) -> Outcome {
        let answer = async {
            match self {
                Self::Grpc(client, metadata) => {
                    let mut request = tonic::Request::new(request);
                    *request.metadata_mut() = metadata.clone();
                    match client.export(request).await {
                        Ok(response) => taken(response.into_inner()),
                        Err(status) => of_status(&status),
                    }
                }
                Self::Http {
                    client,
                    url,
                    headers,
                    gzip,
                } => match http_request(client, url, headers, *gzip, &request).send().await {
                    Ok(response) => of_response(response).await,
                    Err(error) => Outcome::Failed {
                        message: words(&error),
                        after: None,
                    },
                },
            }
        };
        tokio::time::timeout(timeout, answer)
            .await
            .unwrap_or_else(|_| Outcome::Failed {
                message: format!("no answer within {} ms", timeout.as_millis()),
                after: None,
            })
    }
}

fn http_request(
    client: &reqwest::Client,
    url: &reqwest::Url,
    headers: &HeaderMap,
    gzip: bool,
    request: &ExportTraceServiceRequest,
) -> reqwest::RequestBuilder {
    let plain = request.encode_to_vec();
    let builder = client
        .post(url.clone())
        .headers(headers.clone())
        .header(CONTENT_TYPE, "application/x-protobuf");
    let compressed = gzip.then(|| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&plain).and_then(|()| encoder.finish())
    });
    match compressed {
        Some(Ok(compressed)) => builder.header(CONTENT_ENCODING, "gzip").body(compressed),
        _ => builder.body(plain),
    }
}

fn taken(response: ExportTraceServiceResponse) -> Outcome {
    let partial = response.partial_success.unwrap_or_default();
    Outcome::Taken {
        rejected: u64::try_from(partial.rejected_spans).unwrap_or_default(),
        message: bounded(&partial.error_message),
    }
}

/// <https://opentelemetry.io/docs/specs/otlp/#failures>, and throttling after it.
fn of_status(status: &Status) -> Outcome {
    let after = status.get_details_retry_info().and_then(|info| info.retry_delay);
    let may_pass = match status.code() {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => true,
        Code::ResourceExhausted => after.is_some(),
        // Not an answer: the connection failed.
        _ => status.source().is_some(),
    };
    // Where there was no answer, the causes say why: `transport error` alone helps nobody.
    let said = status.source().map_or_else(|| bounded(status.message()), words);
    let message = format!("{:?}: {said}", status.code());
    if may_pass {
        Outcome::Failed { message, after }
    } else {
        Outcome::Refused { message }
    }
}

/// <https://opentelemetry.io/docs/specs/otlp/#otlphttp-response>
async fn of_response(mut response: reqwest::Response) -> Outcome {
    let status = response.status();
    let after = response.headers().get(RETRY_AFTER).and_then(retry_after);
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        if body.len() + chunk.len() > MOST_ANSWER {
            body.clear();
            break;
        }
        body.extend_from_slice(&chunk);
    }
    if status.is_success() {
        return taken(ExportTraceServiceResponse::decode(&*body).unwrap_or_default());
    }
    let said = tonic_types::Status::decode(&*body).unwrap_or_default();
    let message = format!("HTTP {}: {}", status.as_u16(), bounded(&said.message));
    match status.as_u16() {
        429 | 502 | 503 | 504 => Outcome::Failed { message, after },
        _ => Outcome::Refused { message },
    }
}

/// Seconds, or a date. <https://www.rfc-editor.org/rfc/rfc9110#field.retry-after>
fn retry_after(value: &HeaderValue) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    date.duration_since(SystemTime::now()).ok()
}

/// An error with its causes.
fn words(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    bounded(&words)
}

fn bounded(text: &str) -> String {
    text.chars().take(MOST_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_sent_again_is_what_the_specification_says() {
        let may = |code| matches!(of_status(&Status::new(code, "")), Outcome::Failed { .. });
        for code in [1, 4, 10, 11, 14, 15] {
            assert!(may(Code::from(code)), "{code}");
        }
        for code in [2, 3, 5, 6, 7, 8, 9, 12, 13, 16] {
            assert!(!may(Code::from(code)), "{code}");
        }
        let details = tonic_types::ErrorDetails::with_retry_info(Some(Duration::from_secs(7)));
        let throttled = Status::with_error_details(Code::ResourceExhausted, "", details);
        assert!(matches!(
            of_status(&throttled),
            Outcome::Failed { after: Some(after), .. } if after == Duration::from_secs(7)
        ));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let of = |text: &str| retry_after(&HeaderValue::from_str(text).expect("a value"));
        assert_eq!(of("120"), Some(Duration::from_secs(120)));
        let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(60));
        assert!(of(&soon).is_some_and(|wait| (50..=60).contains(&wait.as_secs())));
        assert_eq!(of("Fri, 31 Dec 1999 23:59:59 GMT"), None);
        assert_eq!(of("soon"), None);
    }

    #[test]
    fn an_endpoint_and_its_headers_are_checked_at_once() {
        let settings = |endpoint: &str, header: (&str, &str)| OnwardSettings {
            headers: vec![(header.0.into(), header.1.into())],
            ..OnwardSettings::new("unused".into(), endpoint.into(), OnwardProtocol::HttpProtobuf)
        };
        let fault = |endpoint, header| {
            let target = Target::new(&settings(endpoint, header));
            target.err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert_eq!(fault("https://collector:4318", ("x-key", "secret")), "");
        assert!(fault("ftp://collector", ("a", "b")).contains("scheme is ftp"));
        assert!(fault("collector:4318", ("a", "b")).contains("collector:4318"));
        let refused = fault("http://collector", ("x-key", "line\nbreak"));
        assert!(refused.contains("x-key") && !refused.contains("break"), "{refused}");
    }

    #[test]
    fn the_path_is_added_where_it_is_missing() {
        for endpoint in ["http://c:4318", "http://c:4318/", "http://c:4318/v1/traces"] {
            let settings = OnwardSettings::new("unused".into(), endpoint.into(), OnwardProtocol::HttpProtobuf);
            match Target::new(&settings).expect("an endpoint").kind {
                TargetKind::Http(_, url) => assert_eq!(url.as_str(), "http://c:4318/v1/traces"),
                TargetKind::Grpc(_) => panic!("not over gRPC"),
            }
        }
    }
}
