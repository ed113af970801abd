//! Any number of OTLP request bodies at next to no cost for the sender, which shares the processor with the receiver.
//!
//! A few are made of generated spans. Each time they have all been sent, they come again as other spans: with other ids,
//! and with times that follow those of the round before.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use flockscope_generator::Shape;
use flockscope_model::Span;
use memchr::memmem;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

use crate::data;

/// Spans of a body, which is what the SDKs' batch processors send at once.
/// <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#batch-span-processor>
pub(crate) const SPANS: u64 = 512;

/// What Flock names as the scope of its spans; by it the receiver knows how to read their names.
const FLOCK_SCOPE: &str = "flock.logging.trace_and_logged";

/// Bodies that are made of generated spans, before they come again.
const TEMPLATES: u64 = 64;

/// Request bodies of [`SPANS`] spans each, in protobuf.
pub(crate) struct Bodies {
    templates: Vec<Template>,
    /// Nanoseconds between two rounds.
    round_time: i64,
}

impl Bodies {
    /// Spans of which so many start in an hour, the first one at `start_time` (nanoseconds since the epoch).
    pub(crate) fn new(shape: Shape, start_time: i64, spans_an_hour: u64) -> Result<Self> {
        Self::of(TEMPLATES, shape, start_time, spans_an_hour)
    }

    /// The same of so many bodies that come again.
    pub(crate) fn of(templates: u64, shape: Shape, start_time: i64, spans_an_hour: u64) -> Result<Self> {
        ensure!(spans_an_hour > 0, "there must be at least one span an hour");
        let spans = templates * SPANS;
        let round_time = Duration::from_secs(3600).mul_f64(spans as f64 / spans_an_hour as f64);
        let mut generator = data::starting(start_time, round_time, shape, spans, 1)?;
        let mut templates = Vec::new();
        while let Some(batch) = generator.next_batch(usize::try_from(SPANS)?) {
            templates.push(Template::new(request(batch)?)?);
        }
        Ok(Self {
            templates,
            round_time: i64::try_from(round_time.as_nanos())?,
        })
    }

    /// The body of a number; other numbers have other spans.
    pub(crate) fn body(&self, number: u64) -> Bytes {
        let round = number / self.templates.len() as u64;
        let template = &self.templates[(number % self.templates.len() as u64) as usize];
        Bytes::from(template.in_round(round, self.round_time))
    }

    /// Its spans, as the receiver reads them.
    pub(crate) fn spans(&self, number: u64) -> Result<Vec<Span>> {
        let spans = flockscope_otlp::decode_protobuf(&self.body(number))?.spans;
        ensure!(
            spans.len() as u64 == SPANS,
            "a body of {SPANS} spans has {}",
            spans.len()
        );
        Ok(spans)
    }

    /// Start of the earliest span of a body.
    pub(crate) fn start(&self, number: u64) -> Result<i64> {
        let starts = self.spans(number)?.into_iter().map(|span| span.start_time);
        starts.min().context("a body has spans")
    }
}

/// Generated spans as Flock sends them.
pub(crate) fn request(mut spans: Vec<Span>) -> Result<ExportTraceServiceRequest> {
    for span in &mut spans {
        span.scope_name = Some(FLOCK_SCOPE.to_owned());
    }
    let export = flockscope_otlp::to_request(&spans);
    ensure!(
        export.unexportable == 0,
        "the generator made {} ids that OTLP does not take",
        export.unexportable
    );
    Ok(export.request)
}

/// A body, and where in it the numbers are that change from round to round, eight bytes each.
struct Template {
    bytes: Vec<u8>,
    ids: Vec<usize>,
    times: Vec<usize>,
}

impl Template {
    /// The places are found by the fields that stand next to each other in every span:
    /// <https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto>
    fn new(request: ExportTraceServiceRequest) -> Result<Self> {
        let bytes = request.encode_to_vec();
        let (mut ids, mut times) = (Vec::new(), Vec::new());
        let mut read = 0;
        let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
        for span in scopes.flat_map(|scope| &scope.spans) {
            let mut place_after = |pattern: &[u8]| {
                let place = memmem::find(&bytes[read..], pattern).context("an encoded span lacks a field")?;
                read += place + pattern.len();
                anyhow::Ok(read)
            };
            // The fields trace_id (1) and span_id (2). Of the trace's 16 bytes the last eight change.
            let after = place_after(&[&[0x0a, 16], &span.trace_id[..], &[0x12, 8], &span.span_id[..]].concat())?;
            ids.extend([after - 18, after - 8]);
            if !span.parent_span_id.is_empty() {
                // parent_span_id (4).
                ids.push(place_after(&[&[0x22, 8], &span.parent_span_id[..]].concat())? - 8);
            }
            // start_time_unix_nano (7) and end_time_unix_nano (8).
            let (start, end) = (
                span.start_time_unix_nano.to_le_bytes(),
                span.end_time_unix_nano.to_le_bytes(),
            );
            let after = place_after(&[&[0x39], &start[..], &[0x41], &end[..]].concat())?;
            times.extend([after - 17, after - 8]);
        }
        Ok(Self { bytes, ids, times })
    }

    fn in_round(&self, round: u64, round_time: i64) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        // An odd factor: no two rounds have the same mask, and the first one has none.
        let mask = round.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let later = round.wrapping_mul(round_time.cast_unsigned());
        for place in &self.ids {
            change(&mut bytes, *place, |id| id ^ mask);
        }
        for place in &self.times {
            change(&mut bytes, *place, |time| time.wrapping_add(later));
        }
        bytes
    }
}

fn change(bytes: &mut [u8], place: usize, new: impl FnOnce(u64) -> u64) {
    if let Some(number) = bytes.get_mut(place..).and_then(|rest| rest.first_chunk_mut::<8>()) {
        *number = new(u64::from_le_bytes(*number)).to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const START: i64 = 1_795_392_000_000_000_000;

    fn spans(bodies: &Bodies, number: u64) -> Vec<Span> {
        bodies.spans(number).expect("spans")
    }

    /// What does not change from round to round.
    fn rest(span: Span) -> Span {
        Span {
            trace_id: String::new(),
            span_id: String::new(),
            parent_id: span.parent_id.map(|_| String::new()),
            end_time: span.end_time - span.start_time,
            start_time: 0,
            ..span
        }
    }

    #[test]
    fn a_body_that_comes_again_has_other_ids_and_later_times_and_nothing_else_changes() {
        // Four bodies a round, eight an hour: a round of half an hour.
        let bodies = Bodies::of(4, Shape::Lean, START, 8 * SPANS).expect("bodies");
        let (first, again) = (spans(&bodies, 3), spans(&bodies, 3 + 5 * 4));
        assert_eq!(first.len(), again.len());
        for (before, after) in first.into_iter().zip(again) {
            assert_ne!(before.trace_id, after.trace_id);
            assert_ne!(before.span_id, after.span_id);
            assert!(before.parent_id.is_none() || before.parent_id != after.parent_id);
            assert_eq!(after.start_time - before.start_time, 5 * 1_800 * 1_000_000_000);
            assert_eq!(rest(before), rest(after));
        }
    }

    #[test]
    fn no_id_comes_twice_and_parents_are_spans_of_the_same_round() {
        let bodies = Bodies::of(4, Shape::Full, START, 1_000_000).expect("bodies");
        let all: Vec<Vec<Span>> = (0..8).map(|number| spans(&bodies, number)).collect();
        let ids: HashSet<&str> = all.iter().flatten().map(|span| span.span_id.as_str()).collect();
        assert_eq!(ids.len() as u64, 8 * SPANS);
        let traces = |half: &[Vec<Span>]| {
            let ids = half.iter().flatten().map(|span| span.trace_id.clone());
            ids.collect::<HashSet<String>>()
        };
        assert!(traces(&all[..4]).is_disjoint(&traces(&all[4..])));
        assert_eq!(traces(&all[..4]).len(), traces(&all[4..]).len());
        let with_parent = |half: &[Vec<Span>]| {
            let ids: HashSet<String> = half.iter().flatten().map(|span| span.span_id.clone()).collect();
            let parents = half.iter().flatten().filter_map(|span| span.parent_id.as_ref());
            parents.filter(|parent| ids.contains(*parent)).count()
        };
        assert!(with_parent(&all[..4]) > 0);
        assert_eq!(with_parent(&all[..4]), with_parent(&all[4..]));
    }

    #[test]
    fn spans_are_sent_as_flocks() {
        let bodies = Bodies::of(1, Shape::Full, START, 1_000_000).expect("bodies");
        let span = spans(&bodies, 0)
            .into_iter()
            .find(|span| span.name.contains('.'))
            .expect("a method");
        // For spans of other programs the service is the resource's.
        assert_eq!(format!("{}.{}", span.service, span.operation), span.name);
        assert_eq!(
            bodies.start(0).expect("spans"),
            spans(&bodies, 0).iter().map(|span| span.start_time).min().expect("one")
        );
    }
}
