//! The figures of the ingest as `/metrics` gives them.

use flockscope_api::{Measurement, MeasurementKind};
use flockscope_ingest::{BreakerState, ByProtocol, Counters, Latency};

/// Shares of the latencies that are given.
const QUANTILES: [(f64, &str); 3] = [(0.5, "0.5"), (0.95, "0.95"), (0.99, "0.99")];

/// All figures of the ingest.
pub(crate) fn of_ingest(counters: &Counters) -> Vec<Measurement> {
    let mut figures = Figures::default();
    figures.by_protocol("otlp_requests", "OTLP requests that came", &counters.requests);
    figures.by_protocol(
        "otlp_received_spans",
        "Spans of OTLP requests that could be read",
        &counters.received_spans,
    );
    figures.counter(
        "otlp_accepted_spans",
        "Spans that were accepted",
        counters.accepted_spans,
    );
    figures.by_reason(
        "otlp_rejected_spans",
        "Spans that were rejected for good",
        &[
            ("invalid", counters.rejected_spans.invalid),
            ("surplus", counters.rejected_spans.surplus),
        ],
    );
    figures.counter(
        "otlp_filtered_spans",
        "Spans that FLOCK_TRACE_SERVICES and FLOCK_TRACE_IGNORE left out",
        counters.filtered_spans,
    );
    figures.counter(
        "redacted_values",
        "Values that were made unreadable",
        counters.redacted_values,
    );
    let refused = &counters.refused_requests;
    figures.by_reason(
        "otlp_refused_requests",
        "OTLP requests that were refused whole",
        &[
            ("queue_full", refused.queue_full),
            ("busy", refused.busy),
            ("rate", refused.rate),
            ("disk", refused.disk),
            ("closing", refused.closing),
            ("slow", refused.slow),
            ("too_large", refused.too_large),
            ("malformed", refused.malformed),
            ("unsupported", refused.unsupported),
            ("internal", refused.internal),
        ],
    );
    figures.gauge(
        "ingest_queue_spans",
        "Spans that wait for the store",
        counters.waiting_spans,
    );
    figures.gauge("ingest_queue_bytes", "Bytes that they hold", counters.waiting_bytes);
    figures.gauge(
        "ingest_log_bytes",
        "Bytes of the log of accepted spans",
        counters.log.bytes,
    );
    figures.counter(
        "ingest_log_sync_failures",
        "Times that the disk did not take the log",
        counters.log.sync_failures,
    );
    figures.counter("stored_spans", "Spans of OTLP that were stored", counters.written_spans);
    figures.counter(
        "stored_batches",
        "Batches in which they were stored",
        counters.written_batches,
    );
    figures.counter(
        "store_failures",
        "Times that a batch could not be stored, and was tried again",
        counters.sink_failures,
    );
    figures.latency(
        "ingest_reply_seconds",
        "From the first byte of a request to its reply",
        &counters.reply,
    );
    figures.latency(
        "ingest_visible_seconds",
        "From the acceptance of a span until queries see it",
        &counters.visible,
    );
    if let Some(onward) = &counters.onward {
        figures.gauge(
            "onward_queue_spans",
            "Spans that wait to be sent on",
            onward.waiting_spans,
        );
        figures.gauge("onward_queue_bytes", "Bytes of them on the disk", onward.waiting_bytes);
        figures.counter("onward_sent_spans", "Spans that were sent on", onward.sent_spans);
        figures.by_reason(
            "onward_lost_spans",
            "Spans that will not be sent on",
            &[
                ("rejected", onward.rejected_spans),
                ("refused", onward.refused_spans),
                ("dropped", onward.dropped_spans),
                ("unexportable", onward.unexportable_spans),
            ],
        );
        figures.counter("onward_retries", "Requests that were sent again", onward.retries);
        figures.gauge(
            "onward_breaker_open",
            "Whether the circuit breaker holds requests back",
            u64::from(onward.breaker != BreakerState::Closed),
        );
    }
    figures.0
}

/// Figures that are gathered.
#[derive(Default)]
pub(crate) struct Figures(pub(crate) Vec<Measurement>);

impl Figures {
    pub(crate) fn counter(&mut self, name: &'static str, help: &'static str, value: u64) {
        self.add(name, help, MeasurementKind::Counter, value as f64, None);
    }

    pub(crate) fn gauge(&mut self, name: &'static str, help: &'static str, value: u64) {
        self.add(name, help, MeasurementKind::Gauge, value as f64, None);
    }

    pub(crate) fn add(
        &mut self,
        name: &'static str,
        help: &'static str,
        kind: MeasurementKind,
        value: f64,
        label: Option<(&'static str, &str)>,
    ) {
        self.0.push(Measurement {
            name: name.into(),
            help: help.into(),
            kind,
            value,
            labels: label
                .into_iter()
                .map(|(label, value)| (label.into(), value.to_owned()))
                .collect(),
        });
    }

    fn by_reason(&mut self, name: &'static str, help: &'static str, values: &[(&str, u64)]) {
        for (reason, value) in values {
            self.add(
                name,
                help,
                MeasurementKind::Counter,
                *value as f64,
                Some(("reason", reason)),
            );
        }
    }

    fn by_protocol(&mut self, name: &'static str, help: &'static str, values: &ByProtocol) {
        let values = [
            ("grpc", values.grpc),
            ("http_protobuf", values.http_protobuf),
            ("http_json", values.http_json),
        ];
        for (protocol, value) in values {
            let label = Some(("protocol", protocol));
            self.add(name, help, MeasurementKind::Counter, value as f64, label);
        }
    }

    fn latency(&mut self, name: &'static str, help: &'static str, latency: &Latency) {
        for (share, quantile) in QUANTILES {
            // Beyond the last bound there is no figure; infinity says so.
            let seconds = match latency.quantile_ms(share) {
                Some(ms) => ms / 1000.0,
                None if latency.count == 0 => 0.0,
                None => f64::INFINITY,
            };
            self.add(
                name,
                help,
                MeasurementKind::Gauge,
                seconds,
                Some(("quantile", quantile)),
            );
        }
    }
}
