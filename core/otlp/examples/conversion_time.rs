//! Prints what one span as Flock sends it costs: about 3 KB, in a request of its own. Run it with `--release`.

use std::hint::black_box;
use std::time::Instant;

use flockscope_otlp::{decode_json, decode_protobuf, from_request, to_request};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

const TIMES: u32 = 20_000;

fn main() {
    let argument = r#"{"__class__": "Agent", "name": "intake", "description": "Reads the ticket", "tags": []}"#;
    let attributes: Vec<String> = (0..12)
        .map(|index| {
            let text = serde_json::Value::from(format!("{argument}{argument}")).to_string();
            format!(r#"{{"key":"input.argument_{index}","value":{{"stringValue":{text}}}}}"#)
        })
        .collect();
    let json = format!(
        r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"flock-auto-trace"}}}}]}},
        "scopeSpans":[{{"scope":{{"name":"flock.logging.trace_and_logged"}},"spans":[{{"traceId":"5b8efff798038103d269b633813fc60c",
        "spanId":"eee19b7ec3c1b174","parentSpanId":"eee19b7ec3c1b173","name":"Agent.execute","kind":1,
        "startTimeUnixNano":"1544712660000000000","endTimeUnixNano":"1544712661000000000","status":{{"code":1}},
        "attributes":[{}]}}]}}]}}]}}"#,
        attributes.join(",")
    );
    let spans = decode_json(json.as_bytes())
        .map(|decoded| decoded.spans)
        .unwrap_or_default();
    let request = to_request(&spans).request;
    let protobuf = request.encode_to_vec();
    println!(
        "{} span, {} bytes of protobuf, {} of JSON",
        spans.len(),
        protobuf.len(),
        json.len()
    );
    let mut requests: Vec<ExportTraceServiceRequest> = vec![request; TIMES as usize];
    time("from_request", || from_request(requests.pop().unwrap_or_default()));
    time("decode_protobuf", || decode_protobuf(&protobuf));
    time("decode_json", || decode_json(json.as_bytes()));
    time("to_request", || to_request(&spans));
}

/// The middle of the times, which other programs on the machine move least.
fn time<T>(name: &str, mut work: impl FnMut() -> T) {
    let mut times: Vec<f64> = (0..TIMES)
        .map(|_| {
            let start = Instant::now();
            black_box(work());
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{name:>16}: {:.1} µs", times[times.len() / 2]);
}
