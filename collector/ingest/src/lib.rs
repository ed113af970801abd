//! OTLP in: receivers, write-ahead log, filters, limits, onward export.
//!
//! [`Ingest::open`] gives the receivers ([`Ingest::grpc_router`], [`Ingest::http_router`]) and calls a [`SpanSink`] with
//! what they accepted. A request is acknowledged when the log has its spans.

mod body;
mod counters;
mod filter;
mod frame;
mod grpc;
mod histogram;
mod http;
mod ingest;
mod log;
mod onward;
mod queue;
mod rate;
mod record;
mod refused;
mod segment;
mod settings;
mod sink;
mod weight;
mod writer;

pub use counters::{ByProtocol, Counters, LastError, LogCounters, RefusedRequests, RejectedSpans};
pub use filter::Filter;
pub use histogram::{BOUNDS_US, Latency};
pub use ingest::{Accepted, Ingest, OpenError};
pub use onward::{BreakerState, OnwardCounters, OnwardError, OnwardProtocol, OnwardSettings};
pub use refused::Refused;
pub use settings::Settings;
pub use sink::{SinkError, SpanSink};
