//! The two sides that the process shows.

/// Which side a router is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Face {
    /// The API, its pages and metrics.
    Api,
    /// The OTLP receivers, over gRPC or HTTP.
    Otlp,
}
