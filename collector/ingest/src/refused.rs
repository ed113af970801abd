//! Why a request was refused whole, and whether it may be sent again.
//!
//! The statuses are those of the OTLP specification 1.x: [gRPC](https://opentelemetry.io/docs/specs/otlp/#failures),
//! [HTTP](https://opentelemetry.io/docs/specs/otlp/#failures-1).

use std::time::Duration;

use axum::http::StatusCode;
use tonic::Code;

/// Nothing of the request was taken. The messages are made for clients: they hold no paths and nothing internal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The queue to the store stayed full.
    #[error("the queue is full: send again in {} ms", retry_after.as_millis())]
    QueueFull {
        /// When to send it again.
        retry_after: Duration,
    },
    /// Too many bodies were on their way at a time.
    #[error("too many requests at a time: send again in {} ms", retry_after.as_millis())]
    Busy {
        /// When to send it again.
        retry_after: Duration,
    },
    /// More spans a second than are allowed.
    #[error("more than {limit} spans a second: send again in {} ms", retry_after.as_millis())]
    Rate {
        /// Spans a second.
        limit: u32,
        /// When there is room for these spans.
        retry_after: Duration,
    },
    /// The log could not be written or synced.
    #[error("the spans could not be kept: send again in {} ms", retry_after.as_millis())]
    Disk {
        /// When to send it again.
        retry_after: Duration,
    },
    /// The process is ending; the next one takes it.
    #[error("the receiver is ending: send again in {} ms", retry_after.as_millis())]
    Closing {
        /// When to send it again.
        retry_after: Duration,
    },
    /// The body did not come in time.
    #[error("the body did not come in time")]
    Slow,
    /// A body or message over a limit.
    #[error("the request is larger than {limit} bytes{what}")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
        /// Of what, where it is not the body as it came (` after decompression`).
        what: &'static str,
    },
    /// Not what it says it is.
    #[error("{message}")]
    Malformed {
        /// What is wrong with it.
        message: String,
    },
    /// A content type or an encoding that is not taken.
    #[error("{message}")]
    Unsupported {
        /// What is, and what would be taken.
        message: String,
    },
    /// A fault of this program.
    #[error("internal error")]
    Internal,
}

impl Refused {
    /// When to send the request again; `None`: never.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::QueueFull { retry_after }
            | Self::Busy { retry_after }
            | Self::Rate { retry_after, .. }
            | Self::Disk { retry_after }
            | Self::Closing { retry_after } => Some(*retry_after),
            _ => None,
        }
    }

    /// The status over HTTP. A full receiver answers 503 rather than 429, also for the rate: both are to be sent again
    /// by the specification, but there are exporters that drop what got a 429.
    pub fn http_status(&self) -> StatusCode {
        match self {
            Self::QueueFull { .. }
            | Self::Busy { .. }
            | Self::Rate { .. }
            | Self::Disk { .. }
            | Self::Closing { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Malformed { .. } => StatusCode::BAD_REQUEST,
            Self::Unsupported { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The status over gRPC. `RESOURCE_EXHAUSTED` without `RetryInfo` means: not again; `UNAVAILABLE` with it: later.
    pub fn grpc_code(&self) -> Code {
        match self {
            Self::QueueFull { .. }
            | Self::Busy { .. }
            | Self::Rate { .. }
            | Self::Disk { .. }
            | Self::Closing { .. } => Code::Unavailable,
            Self::Slow => Code::DeadlineExceeded,
            Self::TooLarge { .. } => Code::ResourceExhausted,
            Self::Malformed { .. } => Code::InvalidArgument,
            Self::Unsupported { .. } => Code::Unimplemented,
            Self::Internal => Code::Internal,
        }
    }
}
