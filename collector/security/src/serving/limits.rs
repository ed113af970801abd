use std::time::Duration;

/// What clients may use of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// From the start of a connection, or the first byte of a request, until its header is whole. Also for the handshake
    /// of TLS.
    pub header_time: Duration,
    /// How long an HTTP/1 connection may wait for its next request.
    pub idle_time: Duration,
    /// Between two pieces of a request's body.
    pub body_pause: Duration,
    /// How long a client may leave an answer unread.
    pub write_pause: Duration,
    /// Between two pings on an HTTP/2 connection; one that is not answered for as long ends it.
    pub ping_interval: Duration,
    /// How long open requests may go on when the server ends.
    pub end_time: Duration,
    /// Connections at once. More wait until one of these ends.
    pub connections: usize,
    /// Connections at once of one address. More are closed. On loopback all programs of a machine have one address.
    pub connections_per_address: usize,
    /// Requests at once on one HTTP/2 connection.
    pub streams: u32,
    /// Bytes of a request's header, all lines together.
    pub header_bytes: u32,
    /// Lines of an HTTP/1 request's header.
    pub header_lines: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(90),
            body_pause: Duration::from_secs(30),
            write_pause: Duration::from_secs(60),
            ping_interval: Duration::from_secs(20),
            end_time: Duration::from_secs(5),
            connections: 1_024,
            connections_per_address: 256,
            streams: 200,
            header_bytes: 64 << 10,
            header_lines: 100,
        }
    }
}

impl Limits {
    /// The defaults for a server on loopback: all clients have the same address there.
    pub fn on_loopback() -> Self {
        let limits = Self::default();
        Self {
            connections_per_address: limits.connections,
            ..limits
        }
    }
}
