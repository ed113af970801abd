//! The search, against a plain filter over all spans.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use flockscope_model::{NewSpan, Promoted, Span, StatusCode};
use flockscope_store::{AttributeFilter, Bounds, StopSignal, Store, TraceSearch, Window};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use crate::sample::{self, made, span};
use crate::server;

/// What a span says in its attributes: keys, and values as text.
fn attributes(span: &Span) -> Vec<(String, Option<String>)> {
    let json: serde_json::Map<String, Value> = serde_json::from_str(&span.attributes).expect("an object");
    json.into_iter()
        .map(|(key, value)| {
            let text = match value {
                Value::Null => None,
                Value::String(text) => Some(text),
                other => Some(other.to_string()),
            };
            (key, text)
        })
        .collect()
}

fn meets(span: &Span, search: &TraceSearch) -> bool {
    let has_text = |text: &str| {
        let text = text.to_lowercase();
        let within = |whole: &str| whole.to_lowercase().contains(&text);
        within(&span.trace_id)
            || within(&span.name)
            || span.status_description.as_deref().is_some_and(within)
            || attributes(span)
                .iter()
                .any(|(key, value)| within(key) || value.as_deref().is_some_and(within))
    };
    let has = |filter: &AttributeFilter| {
        attributes(span)
            .iter()
            .any(|(key, value)| *key == filter.key && (filter.value.is_none() || filter.value == *value))
    };
    search.text.as_deref().is_none_or(has_text)
        && search.service.as_ref().is_none_or(|service| *service == span.service)
        && search
            .operation
            .as_ref()
            .is_none_or(|operation| *operation == span.operation || *operation == span.name)
        && search.agent.is_none_or_same(&Promoted::of(span).agent)
        && search.status.is_none_or(|status| status == span.status_code)
        && search.attributes.iter().all(has)
}

trait NoneOrSame {
    fn is_none_or_same(&self, other: &Self) -> bool;
}

impl NoneOrSame for Option<String> {
    fn is_none_or_same(&self, other: &Self) -> bool {
        self.is_none() || self == other
    }
}

/// The ids that a plain filter finds, newest first.
fn plainly(spans: &[Span], search: &TraceSearch) -> Vec<String> {
    let mut traces: BTreeMap<&str, Vec<&Span>> = BTreeMap::new();
    for span in spans {
        traces.entry(&span.trace_id).or_default().push(span);
    }
    let mut found: Vec<(i64, &str)> = traces
        .into_iter()
        .filter_map(|(id, spans)| {
            let start = spans.iter().map(|span| span.start_time).min()?;
            let end = spans.iter().map(|span| span.end_time).max()?;
            let ms = (end - start) as f64 / 1e6;
            let whole = search.min_ms.is_none_or(|least| ms >= least)
                && search.max_ms.is_none_or(|most| ms <= most)
                && search.window.since.is_none_or(|since| start >= since)
                && search.window.until.is_none_or(|until| start < until);
            (whole && spans.iter().any(|span| meets(span, search))).then_some((-start, id))
        })
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, id)| id.to_owned()).collect()
}

fn by_store(store: &Store, search: &TraceSearch) -> Vec<String> {
    let bounds = Bounds {
        rows: 1_000,
        time: std::time::Duration::from_secs(60),
        stop: StopSignal::new(),
    };
    let found = store.search(search, &bounds).expect("an answer");
    assert_eq!(found.next, None);
    found.rows.into_iter().map(|row| row.trace_id).collect()
}

/// A part of the sample, small enough to be searched hundreds of times, and spans with everything that is awkward.
fn spans() -> &'static [Span] {
    static SPANS: OnceLock<Vec<Span>> = OnceLock::new();
    SPANS.get_or_init(|| {
        let kept: BTreeSet<&str> = sample::spans()
            .iter()
            .map(|span| span.trace_id.as_str())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .take(12)
            .collect();
        let mut spans: Vec<Span> = sample::spans()
            .iter()
            .filter(|span| kept.contains(span.trace_id.as_str()))
            .cloned()
            .collect();
        let awkward = [
            r#"{"a/b~c":"x","é":"ÜBER","n":5,"deep":{"k":["v"]},"none":null,"":"empty key"}"#,
            r#"{"quoted":"say \"hi\"\nthere","path":"C:\\temp\/x","html":"\u003cb\u003e","escaped":"\u00dcber"}"#,
            r#"{"a/b~c":"y","b":true,"f":1.5,"colon:key":"c"}"#,
        ];
        for (number, attributes) in awkward.into_iter().enumerate() {
            spans.push(made(NewSpan {
                attributes: attributes.into(),
                status_code: StatusCode::Error,
                status_description: Some("ValueError: it's 100%_wrong".into()),
                ..span(
                    &format!("awkward{number}"),
                    "s",
                    None,
                    "Odd.Name",
                    number as i64,
                    number as i64 + 7,
                )
            }));
        }
        spans
    })
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "agent",
            "AGENT",
            "triage",
            "timeout",
            "Error",
            "execute",
            "hi\"\nthere",
            "say \"hi\"",
            "C:\\temp/x",
            "<b>",
            "über",
            "ÜBER",
            "[\"v\"]",
            "100%_w",
            "%",
            "_",
            "'",
            "empty key",
            "1.5",
            "true",
            "helpdesk.engines",
            "nothere",
            "\\",
            "a/b~c",
            "awkward1",
            "\n",
        ])
        .prop_map(str::to_owned),
        "[a-z]{2,4}",
        "[A-Za-z0-9_.]{1,3}",
    ]
}

fn searches() -> impl Strategy<Value = TraceSearch> {
    let pick = |of: fn(&Span) -> String| {
        let values: BTreeSet<String> = spans().iter().map(of).collect();
        prop::option::weighted(0.2, prop::sample::select(values.into_iter().collect::<Vec<_>>()))
    };
    let pairs: Vec<(String, Option<String>)> = spans()
        .iter()
        .step_by(7)
        .chain(spans().iter().rev().take(3))
        .flat_map(attributes)
        .collect();
    let filter = (prop::sample::select(pairs), any::<bool>()).prop_map(|((key, value), whole)| AttributeFilter {
        key,
        value: value.filter(|_| whole),
    });
    let starts: Vec<i64> = spans().iter().map(|span| span.start_time).collect();
    let time = || prop::option::weighted(0.2, prop::sample::select(starts.clone()));
    (
        (
            time(),
            time(),
            prop::option::weighted(0.15, 0.0..5_000.0),
            prop::option::weighted(0.15, 0.0..5_000.0),
        ),
        prop::option::weighted(0.5, texts()),
        (
            pick(|span| span.service.clone()),
            pick(|span| span.operation.clone()),
            pick(|span| Promoted::of(span).agent.unwrap_or_else(|| "nobody".into())),
        ),
        prop::option::weighted(
            0.3,
            prop::sample::select(vec![StatusCode::Ok, StatusCode::Error, StatusCode::Unset]),
        ),
        prop::collection::vec(filter, 0..2),
    )
        .prop_map(
            |((since, until, min_ms, max_ms), text, (service, operation, agent), status, attributes)| TraceSearch {
                window: Window { since, until },
                min_ms,
                max_ms,
                text,
                service,
                operation,
                agent,
                status,
                attributes,
                after: None,
            },
        )
}

#[test]
fn the_search_finds_what_a_plain_filter_finds() {
    let store = sample::store_of(spans());
    let mut runner = TestRunner::new(Config {
        cases: 48,
        failure_persistence: None,
        ..Config::default()
    });
    runner
        .run(&searches(), |search| {
            prop_assert_eq!(by_store(&store, &search), plainly(spans(), &search), "{:?}", search);
            Ok(())
        })
        .expect("the same");
}

#[test]
fn awkward_texts_are_found_where_they_are() {
    let store = sample::store_of(spans());
    for (text, trace) in [
        ("say \"HI\"", "awkward1"),
        ("c:\\temp/x", "awkward1"),
        ("<b>", "awkward1"),
        ("über", "awkward1"),
        ("a/b~c", "awkward2"),
        ("1.5", "awkward2"),
    ] {
        let search = TraceSearch {
            text: Some(text.into()),
            service: Some("Odd".into()),
            ..TraceSearch::default()
        };
        assert!(by_store(&store, &search).contains(&trace.to_owned()), "{text}");
    }
}

#[tokio::test]
async fn parameters_reach_the_search() {
    let server = server::of(sample::store_of(spans()));
    for (query, search) in [
        (
            "status=ERROR&text=100%25_WRONG",
            TraceSearch {
                status: Some(StatusCode::Error),
                text: Some("100%_WRONG".into()),
                ..TraceSearch::default()
            },
        ),
        (
            "attribute=a/b~c:y&attribute=b",
            TraceSearch {
                attributes: vec![
                    AttributeFilter {
                        key: "a/b~c".into(),
                        value: Some("y".into()),
                    },
                    AttributeFilter {
                        key: "b".into(),
                        value: None,
                    },
                ],
                ..TraceSearch::default()
            },
        ),
        (
            "attribute=colon%5C:key:c",
            TraceSearch {
                attributes: vec![AttributeFilter {
                    key: "colon:key".into(),
                    value: Some("c".into()),
                }],
                ..TraceSearch::default()
            },
        ),
        (
            "service=Agent&operation=execute&min_duration_ms=100&max_duration_ms=100000",
            TraceSearch {
                service: Some("Agent".into()),
                operation: Some("execute".into()),
                min_ms: Some(100.0),
                max_ms: Some(100_000.0),
                ..TraceSearch::default()
            },
        ),
        (
            "operation=Agent.execute&since=2026-11-23T07:12:00Z",
            TraceSearch {
                operation: Some("Agent.execute".into()),
                window: Window {
                    since: Some(1_795_417_920_000_000_000),
                    until: None,
                },
                ..TraceSearch::default()
            },
        ),
    ] {
        let found = server.found(&format!("/api/v1/traces?limit=500&{query}")).await;
        let ids: Vec<&str> = found["rows"]
            .as_array()
            .expect("rows")
            .iter()
            .map(|row| row["trace_id"].as_str().expect("an id"))
            .collect();
        let expected = plainly(spans(), &search);
        assert!(!expected.is_empty(), "{query}: shows nothing");
        assert_eq!(ids, expected, "{query}");
    }
}
