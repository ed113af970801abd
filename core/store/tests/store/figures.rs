//! The analyses against figures that `tests/oracle/figures.py` computed from the same spans, by definition and in
//! plain Python.

use std::collections::HashMap;
use std::fs;

use flockscope_model::{NewSpan, Span, StatusCode};
use flockscope_store::{GroupBy, Level, Store, Window};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::sample;

fn expected(name: &str) -> Value {
    let file = sample::data("expected").join(name);
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Compares rows by their key columns. Every column that the expected rows have must be there and equal; no row may be
/// missing or left over.
fn assert_rows<T: Serialize>(what: &str, rows: Vec<T>, expected: &Value, keys: &[&str]) {
    let key = |row: &Value| -> Vec<String> { keys.iter().map(|key| row[key].to_string()).collect() };
    let found: Vec<Value> = rows
        .iter()
        .map(|row| serde_json::to_value(row).expect("a row"))
        .collect();
    let mut found: HashMap<Vec<String>, &Value> = found.iter().map(|row| (key(row), row)).collect();
    let expected = expected
        .as_array()
        .unwrap_or_else(|| panic!("{what}: no expected rows"));
    assert!(
        !expected.is_empty() && found.len() == rows.len(),
        "{what}: {} rows",
        rows.len()
    );
    for row in expected {
        let key = key(row);
        let found = found.remove(&key).unwrap_or_else(|| panic!("{what}: no row {key:?}"));
        for (column, value) in row.as_object().expect("a row") {
            assert_value(&format!("{what} {key:?} {column}"), &found[column], value);
        }
    }
    assert!(found.is_empty(), "{what}: unexpected {:?}", found.keys());
}

/// Expected figures are written with nine decimals.
fn assert_value(what: &str, found: &Value, expected: &Value) {
    match (found.as_f64(), expected.as_f64()) {
        (Some(found), Some(expected)) => {
            let allowed = 1e-6 + expected.abs() * 1e-9;
            assert!((found - expected).abs() <= allowed, "{what}: {found} is not {expected}");
        }
        _ => assert_eq!(found, expected, "{what}"),
    }
}

/// Which of a group's columns the oracle names, and how.
fn assert_everything(store: &Store, expected: &dyn Fn(&str) -> Value) {
    let all = Window::default();
    assert_rows(
        "traces",
        store.traces(all, None).expect("traces"),
        &expected("traces"),
        &["trace_id"],
    );
    let red = expected("red");
    for (group_by, keys) in [
        (GroupBy::Operation, &["service", "operation"][..]),
        (GroupBy::Service, &["service"]),
        (GroupBy::Agent, &["agent"]),
        (GroupBy::Module, &["module"]),
    ] {
        let word = group_by.as_str();
        assert_rows(
            &format!("red by {word}"),
            store.red(group_by, all, None).expect("red"),
            &red[word],
            keys,
        );
    }
    let dependencies = expected("dependencies");
    for level in [Level::Agent, Level::Service, Level::Operation] {
        let word = level.as_str();
        let rows = store.dependencies(level, all).expect("dependencies");
        assert_rows(
            &format!("dependencies of {word}s"),
            rows,
            &dependencies[word],
            &["from", "to"],
        );
    }
    let operation = &["service", "operation"];
    assert_rows(
        "critical_path",
        store.critical_path(all).expect("path"),
        &expected("critical_path"),
        operation,
    );
    assert_rows(
        "exceptions",
        store.exceptions(all).expect("exceptions"),
        &expected("exceptions"),
        &["exception_type", "service", "operation"],
    );
    assert_rows(
        "operations",
        store.operations(all).expect("operations"),
        &expected("operations"),
        operation,
    );
    assert_rows(
        "functions",
        store.functions(all).expect("functions"),
        &expected("functions"),
        &["service", "operation", "name", "module", "class", "function"],
    );
    assert_rows(
        "attribute_keys",
        store.attribute_keys(all).expect("keys"),
        &expected("attribute_keys"),
        &["key"],
    );
    for (key, values) in expected("attribute_values").as_object().into_iter().flatten() {
        let rows = store.attribute_values(key, all, 1_000).expect("values");
        assert_rows(&format!("attribute_values {key}"), rows, values, &["value"]);
    }
    let statistics = serde_json::to_value(store.statistics().expect("statistics")).expect("a row");
    for (column, value) in expected("statistics").as_object().expect("a row") {
        assert_value(&format!("statistics {column}"), &statistics[column], value);
    }
    assert_timelines(store, &expected("timelines"));
}

/// Timelines are written as `{columns, rows}`.
fn assert_timelines(store: &Store, timelines: &Value) {
    for (trace_id, table) in timelines.as_object().expect("timelines by trace") {
        let columns = table["columns"].as_array().expect("columns");
        let expected: Vec<Value> = table["rows"]
            .as_array()
            .expect("rows")
            .iter()
            .map(|row| {
                let values = row.as_array().expect("a row").iter().cloned();
                let names = columns.iter().map(|name| name.as_str().expect("a name").to_owned());
                Value::Object(names.zip(values).collect::<Map<_, _>>())
            })
            .collect();
        let rows = store.timeline(trace_id).expect("a timeline");
        let positions: Vec<i64> = rows.iter().map(|row| row.position).collect();
        assert!(
            positions.iter().copied().eq(1..=rows.len() as i64),
            "timeline {trace_id}: {positions:?}"
        );
        assert_rows(
            &format!("timeline {trace_id}"),
            rows,
            &Value::Array(expected),
            &["span_id"],
        );
    }
}

#[test]
fn the_sample_has_the_figures_that_were_computed_independently() {
    assert_everything(&sample::store(), &|name| expected(&format!("{name}.json")));
}

#[test]
fn awkward_traces_have_the_figures_that_were_computed_independently() {
    let file = sample::data("../oracle/awkward.jsonl");
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let spans: Vec<Span> = text
        .lines()
        .map(|line| awkward_span(&serde_json::from_str(line).expect("a span")))
        .collect();
    assert!(spans.len() > 300, "{} spans", spans.len());
    let figures = expected("awkward.json");
    assert_everything(&sample::store_of(&spans), &|name| figures[name].clone());
}

fn awkward_span(row: &Value) -> Span {
    let text = |column: &str| row[column].as_str().map(str::to_owned);
    let json = |column: &str| match &row[column] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    sample::made(NewSpan {
        trace_id: text("trace_id").unwrap_or_default(),
        span_id: text("span_id").unwrap_or_default(),
        parent_id: text("parent_id"),
        name: text("name").unwrap_or_default(),
        service: text("service"),
        operation: text("operation"),
        kind: text("kind").unwrap_or_default(),
        start_time: row["start_time"].as_i64().expect("a time"),
        end_time: row["end_time"].as_i64().expect("a time"),
        status_code: StatusCode::from_word(row["status_code"].as_str().unwrap_or_default()),
        status_description: text("status_description"),
        attributes: json("attributes"),
        events: json("events"),
        links: json("links"),
        resource: json("resource"),
        ..NewSpan::default()
    })
}

#[test]
fn every_timeline_of_the_sample_has_the_sums_that_were_computed_independently() {
    let store = sample::store();
    let sums = expected("timeline_sums.json");
    let sums = sums.as_object().expect("sums by trace");
    assert_eq!(sums.len(), 191);
    for (trace_id, expected) in sums {
        let rows = store.timeline(trace_id).expect("a timeline");
        let sum = |of: fn(&flockscope_model::rows::TimelineRow) -> f64| rows.iter().map(of).sum::<f64>();
        let found = serde_json::json!({
            "spans": rows.len(),
            "children": sum(|row| row.children as f64),
            "descendants": sum(|row| row.descendants as f64),
            "critical": sum(|row| f64::from(u8::from(row.critical))),
            "critical_ms": sum(|row| row.critical_ms),
            "self_ms": sum(|row| row.self_ms),
            "position_times_depth": sum(|row| (row.position * row.depth) as f64),
            "position_times_offset_ms": sum(|row| row.position as f64 * row.offset_ms),
        });
        for (column, value) in expected.as_object().expect("sums") {
            assert_value(&format!("{trace_id} {column}"), &found[column], value);
        }
    }
}

#[test]
fn a_window_counts_the_spans_that_start_in_it() {
    let store = sample::store();
    let statistics = store.statistics().expect("statistics");
    let (oldest, newest) = (
        statistics.oldest_time.expect("a time"),
        statistics.newest_time.expect("a time"),
    );
    let middle = oldest + (newest - oldest) / 2;
    let calls = |since: Option<i64>, until: Option<i64>| -> i64 {
        let rows = store
            .red(GroupBy::Operation, Window { since, until }, None)
            .expect("red");
        rows.iter().map(|row| row.calls).sum()
    };
    let counted = |from: i64, to: i64| {
        sample::spans()
            .iter()
            .filter(|span| (from..to).contains(&span.start_time))
            .count() as i64
    };
    assert_eq!(calls(Some(middle), None), counted(middle, i64::MAX));
    assert_eq!(calls(None, Some(middle)), counted(0, middle));
    assert_eq!(calls(Some(oldest), Some(oldest + 1)), 1);
    assert_eq!(calls(Some(newest + 1), None), 0);
}

#[test]
fn a_time_series_adds_up_to_the_whole() {
    let store = sample::store();
    let step = 60_000_000_000;
    let series = store.red(GroupBy::Service, Window::default(), Some(step)).expect("red");
    let mut by_bucket: HashMap<(i64, String), (i64, f64)> = HashMap::new();
    for span in sample::spans() {
        let bucket = by_bucket
            .entry((span.start_time / step * step, span.service.clone()))
            .or_default();
        bucket.0 += 1;
        bucket.1 = bucket.1.max(span.duration_ms());
    }
    assert_eq!(series.len(), by_bucket.len());
    for row in series {
        let key = (
            row.bucket_time.expect("a bucket"),
            row.service.clone().expect("a service"),
        );
        let (calls, max_ms) = by_bucket[&key];
        assert_eq!((row.calls, row.max_ms), (calls, max_ms), "{key:?}");
        assert!((row.rate_per_s - calls as f64 / 60.0).abs() < 1e-12, "{key:?}");
    }
}

#[test]
fn a_group_or_level_that_does_not_exist_names_those_that_do() {
    let store = sample::store_of(&[
        sample::span("a", None, "A.f", 0, 9),
        sample::span("b", Some("a"), "A.g", 1, 2),
    ]);
    let error = store
        .sql("FROM red(group_by := 'cow')", &Default::default())
        .expect_err("refused")
        .to_string();
    assert!(
        error.contains("'cow'") && error.contains("operation, service, agent"),
        "{error}"
    );
    let error = store
        .sql("FROM dependencies(level := 'cow')", &Default::default())
        .expect_err("refused")
        .to_string();
    assert!(
        error.contains("'cow'") && error.contains("agent, service or operation"),
        "{error}"
    );
}

#[test]
fn an_empty_store_has_empty_answers() {
    assert_eq!(
        Store::in_memory(Default::default())
            .expect("a store")
            .statistics()
            .expect("a row")
            .spans,
        0
    );
    let store = Store::in_memory(Default::default()).expect("a store");
    let all = Window::default();
    assert!(store.traces(all, None).expect("traces").is_empty());
    assert!(store.red(GroupBy::Operation, all, None).expect("red").is_empty());
    assert!(store.critical_path(all).expect("path").is_empty());
    assert!(store.timeline("none").expect("timeline").is_empty());
}

#[test]
fn red_by_environment_and_by_version_counts_the_spans_that_name_one() {
    let with = |id: &str, resource: &str, status_code: StatusCode, duration_ms: i64| {
        let span = sample::span(id, None, "Desk.answer", 0, duration_ms);
        Span {
            resource: resource.into(),
            status_code,
            ..span
        }
    };
    let old = r#"{"service.name":"desk","service.version":"1.0","deployment.environment":"test"}"#;
    let new = r#"{"service.name":"desk","service.version":"1.1","deployment.environment.name":"live"}"#;
    let store = sample::store_of(&[
        with("a", old, StatusCode::Ok, 10),
        with("b", old, StatusCode::Error, 30),
        with("c", new, StatusCode::Ok, 7),
        with("d", "{}", StatusCode::Error, 1_000),
    ]);
    let all = Window::default();
    let rows = store.red(GroupBy::Version, all, None).expect("red");
    let found: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row.version.as_deref(),
                row.calls,
                row.errors,
                row.error_rate,
                row.p50_ms,
                row.max_ms,
            )
        })
        .collect();
    assert_eq!(
        found,
        [(Some("1.0"), 2, 1, 0.5, 20.0, 30.0), (Some("1.1"), 1, 0, 0.0, 7.0, 7.0)]
    );
    // All four spans start together and the longest takes a second: that is the window of the rate.
    assert_eq!(rows[0].rate_per_s, 2.0);
    let rows = store.red(GroupBy::Environment, all, None).expect("red");
    let found: Vec<_> = rows.iter().map(|row| (row.environment.as_deref(), row.calls)).collect();
    assert_eq!(found, [(Some("test"), 2), (Some("live"), 1)]);
    assert!(rows.iter().all(|row| row.service.is_none() && row.version.is_none()));
}

#[test]
fn figures_that_spans_claim_and_no_type_holds_fail_nothing() {
    let claims = |id: &str, tokens: &str, cost: &str| {
        sample::made(NewSpan {
            trace_id: "t".into(),
            span_id: id.into(),
            name: "chat".into(),
            start_time: 1,
            end_time: 2,
            attributes: format!(
                "{{\"gen_ai.usage.input_tokens\":{tokens},\"gen_ai.usage.output_tokens\":-{tokens},\
                 \"gen_ai.usage.cost\":{cost}}}"
            ),
            ..NewSpan::default()
        })
    };
    let store = sample::store_of(&[
        claims("a", "1e30", "1e308"),
        claims("b", "1e30", "1e308"),
        claims("c", "7", "1"),
    ]);
    let rows = store.functions(Window::default()).expect("rows");
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (rows[0].input_tokens, rows[0].output_tokens, rows[0].cost),
        (i64::MAX, i64::MIN, 0.0)
    );
}

#[test]
fn a_window_may_be_as_wide_as_its_type() {
    let store = sample::store_of(&[sample::span("a", None, "A.f", 0, 10)]);
    let all = Window {
        since: Some(i64::MIN),
        until: Some(i64::MAX),
    };
    assert_eq!(store.red(GroupBy::Operation, all, None).expect("rows").len(), 1);
    assert_eq!(
        store.red(GroupBy::Operation, all, Some(i64::MAX)).expect("rows").len(),
        1
    );
    assert_eq!(store.traces(all, None).expect("rows").len(), 1);
    assert_eq!(store.dependencies(Level::Operation, all).expect("rows").len(), 0);
    assert_eq!(store.critical_path(all).expect("rows").len(), 1);
    assert_eq!(store.exceptions(all).expect("rows").len(), 0);
    assert_eq!(store.functions(all).expect("rows").len(), 1);
    assert_eq!(store.operations(all).expect("rows").len(), 1);
}
