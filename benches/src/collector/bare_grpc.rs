//! What gRPC itself costs: a server that decodes a request and answers it, and does nothing else.

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;

use anyhow::{Context, Result, anyhow};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::child;

struct Bare;

#[tonic::async_trait]
impl TraceService for Bare {
    async fn export(
        &self,
        _: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// Prints its address, and serves until its standard input ends.
pub(crate) fn serve() -> Result<()> {
    super::runtime()?.block_on(async {
        let incoming = TcpIncoming::bind((Ipv4Addr::LOCALHOST, 0).into())
            .map_err(|error| anyhow!(error))?
            .with_nodelay(Some(true));
        println!("{}", incoming.local_addr()?);
        io::stdout().flush()?;
        let end = tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink()));
        Server::builder()
            .add_service(TraceServiceServer::new(Bare))
            .serve_with_incoming_shutdown(incoming, async {
                // However the parent is gone, this one is no longer needed.
                let _ = end.await;
            })
            .await?;
        Ok(())
    })
}

/// That server as a child process, which ends when this is dropped.
pub(crate) struct BareGrpc {
    _process: Child,
    pub(crate) address: SocketAddr,
}

impl BareGrpc {
    pub(crate) async fn start() -> Result<Self> {
        let mut command = Command::from(child::command()?);
        command
            .arg("bare-grpc")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut process = command.spawn().context("cannot start this program again")?;
        let output = process.stdout.take().context("the child has no output")?;
        let line = BufReader::new(output).lines().next_line().await?;
        let address = line.context("the bare server ended at once")?.parse()?;
        Ok(Self {
            _process: process,
            address,
        })
    }
}
