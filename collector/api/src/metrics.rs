//! Figures for Prometheus, in the text form of OpenMetrics
//! (<https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>).

use std::borrow::Cow;

use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::ask::Ask;
use crate::document::Common;
use crate::latencies::QUANTILES;
use crate::operate::blocking;
use crate::problem::ApiProblem;
use crate::process::{Measurement, MeasurementKind};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Figures for Prometheus
#[utoipa::path(
    get, path = "/metrics", tag = "Health",
    responses((status = 200, description = "OpenMetrics", content((String = "application/openmetrics-text"))), Common),
)]
pub(crate) async fn metrics(ask: Ask) -> Result<Response, ApiProblem> {
    ask.parameters.finish()?;
    let state = ask.state.clone();
    let mut all = blocking(
        move || {
            let mut all = state.process.measurements();
            let size = state.store.size()?;
            for (part, bytes) in [("file", size.file), ("log", size.log), ("archive", size.archive)] {
                all.push(gauge(
                    "store_bytes",
                    "Bytes that the store takes on the disk",
                    bytes as f64,
                    &[("part", part)],
                ));
            }
            Ok(all)
        },
        &ask.state,
    )
    .await?;
    let state = &ask.state;
    for (name, help, value) in [
        ("queries_running", "Queries that run just now", state.gate.running()),
        ("queries_waiting", "Queries that wait for a place", state.gate.waiting()),
        (
            "event_listeners",
            "Listeners to live events",
            state.listeners.load(std::sync::atomic::Ordering::Relaxed),
        ),
    ] {
        all.push(gauge(name, help, value as f64, &[]));
    }
    let latencies = state.latencies.all();
    for latency in &latencies {
        for (quantile, seconds) in QUANTILES.iter().zip(latency.quantiles) {
            all.push(gauge(
                "query_seconds",
                "Time of queries of the last minutes, by kind, without the wait for a place",
                seconds,
                &[("kind", latency.class), ("quantile", &quantile.to_string())],
            ));
        }
    }
    for (name, help, value) in [
        (
            "queries",
            "Queries that have ended",
            (|latency| latency.count as f64) as fn(&crate::latencies::Latency) -> f64,
        ),
        ("query_seconds_sum", "Time of all queries", |latency| latency.sum),
        ("queries_failed", "Queries that ended without an answer", |latency| {
            latency.failures as f64
        }),
    ] {
        for latency in &latencies {
            all.push(Measurement {
                kind: MeasurementKind::Counter,
                ..gauge(name, help, value(latency), &[("kind", latency.class)])
            });
        }
    }
    if let Some(memory) = memory_stats::memory_stats() {
        all.push(gauge(
            "process_resident_memory_bytes",
            "Memory of the process",
            memory.physical_mem as f64,
            &[],
        ));
    }
    let mut text = String::new();
    let mut registry = Registry::with_prefix("flockscope");
    registry.register_collector(Box::new(Figures(all)));
    encode(&mut text, &registry).map_err(ApiProblem::internal)?;
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(OPEN_METRICS));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Leaves `/metrics` out, for a configuration that says so.
pub(crate) async fn without(request: Request, next: Next) -> Response {
    if request.uri().path() == "/metrics" {
        return crate::api::unknown_route(request.uri().clone()).await.into_response();
    }
    next.run(request).await
}

fn gauge(name: &'static str, help: &'static str, value: f64, labels: &[(&'static str, &str)]) -> Measurement {
    Measurement {
        name: Cow::Borrowed(name),
        help: Cow::Borrowed(help),
        kind: MeasurementKind::Gauge,
        value,
        labels: labels
            .iter()
            .map(|(key, value)| (Cow::Borrowed(*key), (*value).to_owned()))
            .collect(),
    }
}

/// The figures of one moment.
#[derive(Debug)]
struct Figures(Vec<Measurement>);

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        // A family is described once, and its figures follow each other.
        let mut names: Vec<&str> = Vec::new();
        for figure in &self.0 {
            if !names.contains(&figure.name.as_ref()) {
                names.push(&figure.name);
            }
        }
        for name in names {
            let mut family = self.0.iter().filter(|figure| figure.name == name).peekable();
            let Some(head) = family.peek() else {
                continue;
            };
            let metric_type = match head.kind {
                MeasurementKind::Counter => MetricType::Counter,
                MeasurementKind::Gauge => MetricType::Gauge,
            };
            let mut described = encoder.encode_descriptor(name, &head.help, None, metric_type)?;
            for figure in family {
                let labels: Vec<(&str, &str)> = figure
                    .labels
                    .iter()
                    .map(|(key, value)| (key.as_ref(), value.as_str()))
                    .collect();
                if labels.is_empty() {
                    write(figure, &mut described)?;
                } else {
                    write(figure, &mut described.encode_family(&labels)?)?;
                }
            }
        }
        Ok(())
    }
}

fn write(figure: &Measurement, encoder: &mut MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
    match figure.kind {
        MeasurementKind::Counter => encoder.encode_counter::<NoLabelSet, _, u64>(&figure.value, None),
        MeasurementKind::Gauge => encoder.encode_gauge(&figure.value),
    }
}
