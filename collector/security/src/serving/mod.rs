//! Connections: HTTP/1 and HTTP/2 on one port, with or without TLS, and limits that hold against clients who send slowly,
//! never read, or open as many connections as they can.

mod address_count;
mod limits;
mod progress;
mod server;
mod timed_stream;
mod tls;

pub use limits::Limits;
pub use server::serve;
pub use tls::{Tls, TlsError};
