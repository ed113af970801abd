//! One span a request, as Flock sends them: its program waits for each reply.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use flockscope_generator::Shape;
use prost::Message;

use super::bare_grpc::BareGrpc;
use super::sender::{Protocol, Sender};
use super::server::{Receivers, Server};
use super::{bodies, recent};
use crate::data;
use crate::report::{Figure, Limit, Line, Report};
use crate::timing::percentile;
use crate::work_folder::{WorkFolder, clear};

/// Requests before those that are measured.
const WARM_UP: usize = 500;
/// Requests that go to one server before it is the other one's turn, so that what else the machine does meets both.
const TURN: usize = 250;

const HALF_A_MILLISECOND: Limit = Limit::Below(Figure::Time(Duration::from_micros(500)));
const THREE_MILLISECONDS: Limit = Limit::Below(Figure::Time(Duration::from_millis(3)));

/// Sends so many requests to the core process, and as many to a server that only decodes and answers.
pub(crate) fn measure(requests: usize, program: &Path, work: &WorkFolder, report: &mut Report) -> Result<()> {
    eprintln!("one span a request: {requests} requests");
    let folder = work.folder("one-span")?;
    let bodies = one_by_one(WARM_UP + requests)?;
    let bytes: usize = bodies.iter().map(Bytes::len).sum();
    let (ours, bare) = super::runtime()?.block_on(async {
        let server = Server::start(program, &folder).await?;
        let measured = by_turns(&server, &bodies).await?;
        let found = server.wait_for(bodies.len() as u64).await?;
        ensure!(
            found == bodies.len() as u64,
            "{} spans were sent, {found} are in the store",
            bodies.len()
        );
        server.stop().await?;
        anyhow::Ok(measured)
    })?;
    let line = |what: &str, share: f64, limit: Option<Limit>| {
        let line = Line::new(
            format!("one span a request, gRPC: reply, {what}"),
            Figure::Time(percentile(ours.clone(), share)),
        );
        let line = line.beside_named("bare gRPC server", Figure::Time(percentile(bare.clone(), share)));
        match limit {
            Some(limit) => line.limit(limit),
            None => line,
        }
    };
    report.add(line("p50", 0.5, Some(HALF_A_MILLISECOND)));
    report.add(line("p99", 0.99, Some(THREE_MILLISECONDS)));
    report.add(line("longest", 1.0, None));
    report.add(Line::new(
        "one span a request: mean size of a request",
        Figure::Bytes(bytes as u64 / bodies.len() as u64),
    ));
    clear(work, &folder);
    Ok(())
}

/// The times from request to reply of both servers, without the first ones.
async fn by_turns(server: &Server, bodies: &[Bytes]) -> Result<(Vec<Duration>, Vec<Duration>)> {
    let bare = BareGrpc::start().await?;
    let mut ours = Sender::connect(server.receivers, Protocol::Grpc).await?;
    let receivers = Receivers {
        grpc: bare.address,
        http: bare.address,
    };
    let mut bare = Sender::connect(receivers, Protocol::Grpc).await?;
    let (warm_up, measured) = bodies.split_at(WARM_UP);
    send(&mut ours, warm_up, &mut Vec::new()).await?;
    send(&mut bare, warm_up, &mut Vec::new()).await?;
    let mut times = (Vec::new(), Vec::new());
    for (turn, bodies) in measured.chunks(TURN).enumerate() {
        if turn % 2 == 0 {
            send(&mut ours, bodies, &mut times.0).await?;
            send(&mut bare, bodies, &mut times.1).await?;
        } else {
            send(&mut bare, bodies, &mut times.1).await?;
            send(&mut ours, bodies, &mut times.0).await?;
        }
    }
    ensure!(ours.refusals + bare.refusals == 0, "spans sent one by one were refused");
    Ok(times)
}

async fn send(sender: &mut Sender, bodies: &[Bytes], times: &mut Vec<Duration>) -> Result<()> {
    for body in bodies {
        let start = Instant::now();
        sender.send(body.clone()).await?;
        times.push(start.elapsed());
    }
    Ok(())
}

/// Requests of one full span each.
pub(crate) fn one_by_one(requests: usize) -> Result<Vec<Bytes>> {
    let minutes = Duration::from_secs(600);
    let mut generator = data::starting(recent(minutes)?, minutes, Shape::Full, requests as u64, 7)?;
    let spans = generator
        .next_batch(usize::MAX)
        .context("the generator made no spans")?;
    spans
        .into_iter()
        .map(|span| Ok(bodies::request(vec![span])?.encode_to_vec().into()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_span_of_about_three_kilobytes() {
        let bodies = one_by_one(200).expect("bodies");
        assert_eq!(bodies.len(), 200);
        for body in &bodies {
            assert_eq!(flockscope_otlp::decode_protobuf(body).expect("readable").spans.len(), 1);
        }
        let mean = bodies.iter().map(Bytes::len).sum::<usize>() / bodies.len();
        assert!((1_500..6_000).contains(&mean), "{mean}");
    }
}
