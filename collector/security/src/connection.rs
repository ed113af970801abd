//! What is known of the connection that a request came by.

use std::net::SocketAddr;

use crate::address::is_loopback;

/// A request's connection, among its extensions. [`serve`](crate::serve) puts it there; without it every request is
/// refused, since neither the Host header nor the caller's address could be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    /// The other side.
    pub peer: SocketAddr,
    /// This side, with the port that was really taken.
    pub local: SocketAddr,
    /// Whether it is encrypted.
    pub tls: bool,
}

impl Connection {
    /// Whether both sides are this machine.
    pub(crate) fn is_local(&self) -> bool {
        is_loopback(self.peer.ip()) && is_loopback(self.local.ip())
    }

    /// The scheme that a browser has in the address of this connection.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }
}

/// The port of a URL that names none.
pub(crate) fn default_port(scheme: &str) -> u16 {
    if scheme == "https" { 443 } else { 80 }
}
