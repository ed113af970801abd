//! Binding of addresses, with errors that help.

use std::io;
use std::net::{SocketAddr, TcpListener};

use listeners::Protocol;

/// An address that could not be had.
#[derive(Debug, thiserror::Error)]
#[error("{what} can't listen on {address}: {}; choose another one with {flag} ADDRESS", why(source, holder.as_deref()))]
pub struct BindError {
    /// What wanted to listen.
    pub what: &'static str,
    /// Where.
    pub address: SocketAddr,
    /// The flag that says another address.
    pub flag: &'static str,
    /// The cause.
    pub source: io::Error,
    /// Who has the address, where that can be told.
    pub holder: Option<String>,
}

fn why(error: &io::Error, holder: Option<&str>) -> String {
    match (error.kind(), holder) {
        (io::ErrorKind::AddrInUse, Some(holder)) => format!("{holder} has it"),
        (io::ErrorKind::AddrInUse, None) => "another process has it".into(),
        _ => error.to_string(),
    }
}

/// Listens, without waiting for anything.
pub(crate) fn bind(what: &'static str, address: SocketAddr, flag: &'static str) -> Result<TcpListener, BindError> {
    let bound = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.map_err(|source| BindError {
        what,
        address,
        flag,
        holder: (source.kind() == io::ErrorKind::AddrInUse)
            .then(|| holder(address.port()))
            .flatten(),
        source,
    })
}

/// The process that listens on a port, as far as this user may know.
fn holder(port: u16) -> Option<String> {
    let process = listeners::get_process_by_port(port, Protocol::TCP).ok()?;
    Some(format!("{} (process {})", process.name, process.pid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_names_its_holder_and_the_flag() {
        let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let address = taken.local_addr().expect("an address");
        let error = bind("OTLP over gRPC", address, "--grpc-address").expect_err("taken");
        let message = error.to_string();
        assert!(
            message.starts_with(&format!("OTLP over gRPC can't listen on {address}: ")),
            "{message}"
        );
        assert!(
            message.ends_with("choose another one with --grpc-address ADDRESS"),
            "{message}"
        );
        if cfg!(target_os = "linux") {
            assert!(
                message.contains(&format!("(process {})", std::process::id())),
                "{message}"
            );
        }
    }
}
