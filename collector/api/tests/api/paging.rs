//! Pages of traces.

use std::collections::BTreeMap;

use serde_json::json;

use crate::sample::{self, made, span};
use crate::server::{self, Server};

async fn pages(server: &Server, query: &str, mut between: impl FnMut(usize)) -> Vec<String> {
    let mut ids = Vec::new();
    let mut uri = format!("/api/v1/traces?{query}");
    for page in 0.. {
        let answer = server.get(&uri).await;
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
        let json = answer.json();
        let rows = json["rows"].as_array().expect("rows");
        ids.extend(
            rows.iter()
                .map(|row| row["trace_id"].as_str().expect("an id").to_owned()),
        );
        let Some(next) = json["next"].as_str() else {
            assert!(answer.header("link").is_none());
            return ids;
        };
        let link = answer.header("link").expect("a link");
        let (target, relation) = link.split_once('>').expect("a link");
        assert_eq!(relation, "; rel=\"next\"");
        assert!(target.contains(&format!("cursor={next}")), "{link}");
        uri = target.trim_start_matches('<').to_owned();
        between(page);
    }
    unreachable!("pages end")
}

#[tokio::test]
async fn pages_together_are_all_traces_in_order() {
    let server = server::sample();
    let all: Vec<String> = server
        .store
        .traces(Default::default(), None)
        .expect("traces")
        .into_iter()
        .map(|trace| trace.trace_id)
        .collect();
    assert_eq!(all.len(), 191);
    for limit in [1, 7, 190, 191, 500] {
        assert_eq!(
            pages(&server, &format!("limit={limit}"), |_| {}).await,
            all,
            "limit={limit}"
        );
    }
    let rows = server.found("/api/v1/traces?limit=500").await;
    let expected = server.store.traces(Default::default(), None).expect("traces");
    assert_eq!(rows, json!({"rows": expected, "next": null}));
}

#[tokio::test]
async fn every_trace_is_seen_once_while_others_come_in_and_many_start_at_once() {
    // Groups of five traces start in the same nanosecond.
    let trace = |number: i64| {
        made(span(
            &format!("t{number:03}"),
            "a",
            None,
            "A.f",
            number / 5,
            number / 5 + 1,
        ))
    };
    let old: Vec<_> = (0..60).map(trace).collect();
    let server = server::of(sample::store_of(&old));
    let store = server.store.clone();
    let seen = pages(&server, "limit=4&service=A", |page| {
        let page = page as i64;
        // Newer ones, older ones, and a later span of a trace that is there.
        store.ingest(&[trace(1_000 + page)]).expect("stored");
        store
            .ingest(&[made(span(&format!("t{page:03}"), "b", Some("a"), "A.g", 5_000, 5_001))])
            .expect("stored");
    })
    .await;
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for id in &seen {
        *times.entry(id).or_default() += 1;
    }
    for number in 0..60 {
        assert_eq!(times.get(format!("t{number:03}").as_str()), Some(&1), "t{number:03}");
    }
    assert!(times.values().all(|times| *times == 1));
}

#[tokio::test]
async fn a_span_of_time_back_from_now_is_written_out_for_the_next_page() {
    let server = server::of(sample::store_of(&[]));
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970")
        .as_nanos() as i64;
    let spans: Vec<_> = (0..3)
        .map(|number| {
            made(flockscope_model::NewSpan {
                start_time: now - number,
                end_time: now,
                ..span(&format!("t{number}"), "a", None, "A.f", 0, 0)
            })
        })
        .collect();
    server.store.ingest(&spans).expect("stored");
    let answer = server
        .get("/api/v1/traces?limit=1&since=1h&text=a%26f%20%2B&service=A")
        .await;
    assert_eq!(answer.json()["rows"], json!([]));
    let answer = server.get("/api/v1/traces?limit=1&since=1h&service=A").await;
    let link = answer.header("link").expect("a link");
    assert!(
        link.contains("service=A") && link.contains("limit=1") && !link.contains("since=1h"),
        "{link}"
    );
    assert_eq!(pages(&server, "limit=1&since=1h", |_| {}).await, ["t0", "t1", "t2"]);
}
