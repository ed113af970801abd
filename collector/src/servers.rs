//! The addresses that the process listens on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use flockscope_configuration::{Configuration, Effective, Origin};
use flockscope_protocol::OtlpStatus;
use flockscope_security::{Limits, Security, Tls, check_address, is_loopback};
use tokio::task::JoinSet;

use crate::end::{End, Ended};
use crate::error::RunError;
use crate::listening::{BindError, bind};
use crate::state::{Receiver, State};

/// How often a receiver tries to get its port when another process has it.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// What is bound before anything else is begun.
pub(crate) struct Bound {
    /// The API as configured.
    pub(crate) api: TcpListener,
    /// The API for clients of this machine, where the one above is not for them.
    pub(crate) local: Option<TcpListener>,
    /// The address that clients of this machine use.
    pub(crate) local_address: SocketAddr,
    pub(crate) grpc: Option<Result<TcpListener, BindError>>,
    pub(crate) http: Option<Result<TcpListener, BindError>>,
    pub(crate) tls: Option<Tls>,
    /// What a person should know.
    pub(crate) notes: Vec<String>,
}

/// Binds all addresses. A process that a client started takes what it can get: another project's process may have the
/// usual ports. One that a person started fails, and says who has the port.
pub(crate) fn bind_all(
    configuration: &Configuration,
    effective: &[Effective],
    security: &Security,
    is_detached: bool,
) -> Result<Bound, RunError> {
    let tls = match (&configuration.tls.certificate, &configuration.tls.key) {
        (Some(certificate), Some(key)) => Some(Tls::open(certificate, key)?),
        _ => None,
    };
    let mut notes = Vec::new();
    let (api, otlp) = (&configuration.api, &configuration.otlp);
    let receivers = [otlp.grpc_address, otlp.http_address];
    for address in [api.address]
        .into_iter()
        .chain(receivers.into_iter().filter(|_| otlp.enabled))
    {
        let (auth, has_credentials) = (configuration.auth.enabled, security.has_credentials());
        notes.extend(check_address(address, auth, has_credentials, tls.is_some())?);
    }
    let api_listener = match bind("the API", api.address, "--address") {
        // Another project's process has the usual port. Clients read the record and don't care.
        Err(_) if is_detached && is_default(effective, "api.address") => {
            bind("the API", SocketAddr::new(api.address.ip(), 0), "--address")?
        }
        Err(error) if is_detached && is_loopback(api.address.ip()) => {
            notes.push(format!("{error}; another port was taken"));
            bind("the API", SocketAddr::new(api.address.ip(), 0), "--address")?
        }
        bound => bound?,
    };
    let address = api_listener.local_addr().map_err(RunError::System)?;
    let (local, local_address) = match reached_locally(address).filter(|_| tls.is_none()) {
        Some(local_address) => (None, local_address),
        None => {
            let local = bind("the API", (Ipv4Addr::LOCALHOST, 0).into(), "--address")?;
            let local_address = local.local_addr().map_err(RunError::System)?;
            (Some(local), local_address)
        }
    };
    let receiver = |what, address, flag| match bind(what, address, flag) {
        Err(error) if !is_detached => Err(error),
        bound => Ok(otlp.enabled.then_some(bound)),
    };
    let (grpc, http) = if otlp.enabled {
        (
            receiver("OTLP over gRPC", otlp.grpc_address, "--grpc-address")?,
            receiver("OTLP over HTTP", otlp.http_address, "--http-address")?,
        )
    } else {
        (None, None)
    };
    Ok(Bound {
        api: api_listener,
        local,
        local_address,
        grpc,
        http,
        tls,
        notes,
    })
}

/// The address by which a client of this machine reaches it without leaving the machine.
fn reached_locally(address: SocketAddr) -> Option<SocketAddr> {
    let ip = match address.ip() {
        ip if is_loopback(ip) => ip,
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, address.port()))
}

fn is_default(effective: &[Effective], key: &str) -> bool {
    effective
        .iter()
        .any(|setting| setting.key == key && setting.origin == Origin::Default)
}

/// The state of a receiver before it runs.
pub(crate) fn first_status(bound: Option<&Result<TcpListener, BindError>>) -> OtlpStatus {
    match bound {
        None => OtlpStatus::Off,
        Some(Ok(listener)) => match listener.local_addr() {
            Ok(address) => OtlpStatus::Listening { address },
            Err(error) => OtlpStatus::Unavailable {
                reason: error.to_string(),
            },
        },
        Some(Err(error)) => OtlpStatus::Unavailable {
            reason: error.to_string(),
        },
    }
}

/// The servers that run, each until the process is told to end.
pub(crate) struct Servers {
    tasks: JoinSet<()>,
    end: End,
}

impl Servers {
    pub(crate) fn new(end: End) -> Self {
        Self {
            tasks: JoinSet::new(),
            end,
        }
    }

    /// Serves a router. If that ends early, the process does.
    pub(crate) fn serve(&mut self, listener: TcpListener, router: Router, tls: Option<Tls>) {
        let end = self.end.clone();
        self.tasks.spawn(async move {
            if let Err(error) = serve_until(listener, router, tls, &end).await {
                tracing::error!(%error, "a listener failed");
                end.tell(Ended::Failed);
            }
        });
    }

    /// Serves a receiver; as long as another process has its port, tries again and again to get it.
    pub(crate) fn receive(
        &mut self,
        receiver: Receiver,
        bound: Option<Result<TcpListener, BindError>>,
        router: Router,
        tls: Option<Tls>,
        state: Arc<State>,
    ) {
        let Some(bound) = bound else {
            return;
        };
        let end = self.end.clone();
        self.tasks.spawn(async move {
            let listener = match bound {
                Ok(listener) => listener,
                Err(error) => {
                    tracing::warn!("{error}; trying on");
                    tokio::select! {
                        listener = bound_at_last(error) => listener,
                        _ = end.told() => return,
                    }
                }
            };
            if let Ok(address) = listener.local_addr() {
                state.set_receiver(receiver, OtlpStatus::Listening { address });
            }
            if let Err(error) = serve_until(listener, router, tls, &end).await {
                tracing::error!(%error, "a receiver failed");
                let reason = error.to_string();
                state.set_receiver(receiver, OtlpStatus::Unavailable { reason });
            }
        });
    }

    /// Waits until all have ended.
    pub(crate) async fn ended(mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a listener ended in an unexpected way");
            }
        }
    }
}

async fn bound_at_last(error: BindError) -> TcpListener {
    loop {
        tokio::time::sleep(TRY_AGAIN).await;
        if let Ok(listener) = bind(error.what, error.address, error.flag) {
            tracing::info!(address = %error.address, "{} listens after all", error.what);
            return listener;
        }
    }
}

async fn serve_until(listener: TcpListener, router: Router, tls: Option<Tls>, end: &End) -> std::io::Result<()> {
    let limits = match listener.local_addr() {
        Ok(address) if is_loopback(address.ip()) => Limits::on_loopback(),
        _ => Limits::default(),
    };
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let told = async {
        end.told().await;
    };
    flockscope_security::serve(listener, router, tls, limits, told).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_of_this_machine_never_leaves_it() {
        let local = |address: &str| {
            let found = reached_locally(address.parse().expect("an address"));
            found.map(|address| address.to_string())
        };
        assert_eq!(local("127.0.0.1:4319").as_deref(), Some("127.0.0.1:4319"));
        assert_eq!(local("0.0.0.0:4319").as_deref(), Some("127.0.0.1:4319"));
        assert_eq!(local("[::]:4319").as_deref(), Some("[::1]:4319"));
        assert_eq!(local("192.168.1.7:4319"), None);
    }
}
