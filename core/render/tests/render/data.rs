//! JSON, CSV, Vega-Lite and Mermaid.

use flockscope_model::rows::{RedRow, TimelineRow, TraceRow};
use flockscope_render::table::Cell;
use flockscope_render::{csv, json, mermaid, tables, vega};
use proptest::prelude::*;
use serde_json::Value;

use crate::rows;

/// Names of the fields of the first record, in their order in the text.
fn fields(json: &str) -> Vec<String> {
    let first = json.lines().nth(1).unwrap_or_default();
    first
        .split(['{', ',', '}'])
        .filter_map(|part| part.split_once("\":"))
        .map(|(name, _)| name.trim_matches('"').to_owned())
        .collect()
}

#[test]
fn red_as_json_keeps_its_contract() {
    let json = json::red(&rows::small_red());
    let expected = "service operation calls errors error_rate rate_per_s avg_ms p50_ms p90_ms p95_ms p99_ms max_ms";
    assert_eq!(fields(&json), expected.split(' ').collect::<Vec<_>>());
    let rows: Vec<RedRow> = serde_json::from_str::<Vec<Value>>(&json)
        .expect("an array")
        .into_iter()
        .map(|mut row| {
            row["total_ms"] = 0.into();
            serde_json::from_value(row).expect("a row")
        })
        .collect();
    assert_eq!((rows[0].calls, rows[0].errors, rows[0].p95_ms), (1500, 12, 1234.5));
    assert_eq!(json::red(&[]), "[]\n");
}

#[test]
fn other_groupings_have_their_own_keys_and_a_series_its_time_first() {
    let row = |agent: Option<&str>| RedRow {
        bucket_time: Some(5),
        agent: agent.map(Into::into),
        calls: 1,
        ..RedRow::default()
    };
    let json = json::red(&[row(Some("intake")), row(None)]);
    assert_eq!(&fields(&json)[..3], ["bucket_time", "agent", "calls"]);
    let read: Value = serde_json::from_str(&json).expect("an array");
    assert_eq!(
        (&read[0]["bucket_time"], &read[1]["agent"]),
        (&Value::from(5), &Value::Null)
    );
}

#[test]
fn dependencies_as_json_keep_their_contract() {
    let json = json::dependencies(&rows::small_graph());
    assert_eq!(
        fields(&json),
        ["from", "to", "calls", "errors", "p50_ms", "p95_ms", "p99_ms"]
    );
    let read: Value = serde_json::from_str(&json).expect("an array");
    assert_eq!(
        read[0],
        serde_json::json!({"from": "intake", "to": "researcher", "calls": 41, "errors": 2, "p50_ms": 2.5, "p95_ms": 8.0, "p99_ms": 9.0})
    );
}

#[test]
fn other_rows_as_json_have_every_field() {
    let rows = rows::small_trace();
    let json = json::rows(&rows).expect("rows");
    assert_eq!(
        serde_json::from_str::<Vec<TimelineRow>>(&json).expect("the same rows"),
        rows
    );
}

#[test]
fn an_answer_keeps_columns_of_the_same_name_apart() {
    let json = json::answer(&["n".into(), "n".into()], &[vec![1.into(), "x".into()]]);
    assert_eq!(json, "[\n  {\"n\":1,\"n_2\":\"x\"}\n]\n");
}

#[test]
fn text_that_a_spreadsheet_would_run_is_disarmed() {
    let text = |value: &str| Some(value.to_owned());
    let csv = csv::answer(
        &["=a".into(), "b".into()],
        &[
            vec![text("=1+1"), text("-22.5")],
            vec![text("@x,\"y\""), None],
            vec![text("-cmd"), text("a\nb")],
        ],
    );
    assert_eq!(csv, "'=a,b\n'=1+1,-22.5\n\"'@x,\"\"y\"\"\",\n'-cmd,\"a\nb\"\n");
}

#[test]
fn csv_has_its_names_even_without_rows() {
    assert_eq!(
        csv::red(&[]),
        "service,operation,calls,errors,error_rate,rate_per_s,avg_ms,p50_ms,p90_ms,p95_ms,p99_ms,max_ms\n"
    );
    let traces = csv::rows::<TraceRow>(&[]).expect("rows");
    assert_eq!(
        traces,
        "trace_id,root_name,start_time,end_time,duration_ms,spans,errors,services,agents\n"
    );
    let row = TraceRow {
        trace_id: "1".into(),
        root_name: "a".into(),
        agents: vec!["x".into(), "y".into()],
        duration_ms: -0.5,
        ..TraceRow::default()
    };
    assert_eq!(
        csv::rows(&[row]).expect("rows").lines().nth(1),
        Some("1,a,0,0,-0.5,0,0,,x y")
    );
}

#[test]
fn shares_are_of_the_time_of_all_groups() {
    let table = tables::red(&rows::small_red(), &[]);
    let shares: Vec<f64> = table
        .rows
        .iter()
        .flatten()
        .filter_map(|cell| match cell {
            Cell::Share(share) => Some(*share),
            _ => None,
        })
        .collect();
    // 7,500 ms and 2,500 ms of 10,000 ms.
    assert_eq!(shares, [0.75, 0.25]);
}

#[test]
fn a_bucket_without_calls_counts_as_none() {
    let mut series = Vec::new();
    for (bucket_time, operation, calls) in [(0, "execute", 1), (60, "other", 5), (120, "execute", 3)] {
        series.push(RedRow {
            bucket_time: Some(bucket_time),
            operation: Some(operation.into()),
            calls,
            ..rows::small_red()[0].clone()
        });
    }
    let table = tables::red(&rows::small_red()[..1], &series);
    assert_eq!(table.rows[0].last(), Some(&Cell::Series(vec![1.0, 0.0, 3.0])));
}

#[test]
fn mermaid_of_a_small_graph() {
    insta::assert_snapshot!(mermaid::dependencies(&rows::small_graph()));
}

#[test]
fn charts_of_small_rows() {
    let series = RedRow {
        bucket_time: Some(1_700_000_000_000_000_000),
        ..rows::small_red()[0].clone()
    };
    let pretty = |chart: Value| serde_json::to_string_pretty(&chart).expect("JSON");
    insta::assert_snapshot!("vega_red_series", pretty(vega::red_series(&[series])));
    insta::assert_snapshot!("vega_total_time", pretty(vega::total_time(&rows::small_red())));
    insta::assert_snapshot!("vega_timeline", pretty(vega::timeline(&rows::small_trace())));
    insta::assert_snapshot!(
        "vega_histogram",
        pretty(vega::duration_histogram("Durations", &[0.0, 1.5, 1.5, 120.0, f64::NAN]))
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn hostile_names_stay_inside_their_mermaid_label(edges in prop::collection::vec(rows::dependency_row(), 0..20)) {
        for line in mermaid::dependencies(&edges).lines().skip(1) {
            let line = line.trim_start();
            if line.starts_with("%%") {
                continue;
            }
            prop_assert_eq!(line.matches('"').count(), 2, "{}", line);
            let (before, rest) = line.split_once('"').expect("a label");
            let (label, after) = rest.split_once('"').expect("a label");
            prop_assert!(!label.contains(['<', '>', '[', ']', '`', '|', '%', '{', '}', '(', ')', '\\', '\'']), "{}", label);
            let ours = |text: &str| text.chars().all(|c| c.is_ascii_digit() || "n[]|-.> ".contains(c));
            prop_assert!(ours(before) && ours(after), "{}", line);
        }
    }

    #[test]
    fn hostile_rows_stay_readable_as_data(red in prop::collection::vec(rows::red_row(), 0..8), traces in prop::collection::vec(rows::trace_row(), 0..5), timeline in prop::collection::vec(rows::timeline_row(), 0..8)) {
        serde_json::from_str::<Value>(&json::red(&red)).expect("JSON");
        for chart in [vega::red_series(&red), vega::total_time(&red), vega::timeline(&timeline)] {
            prop_assert!(chart["$schema"] == vega::SCHEMA);
        }
        let csv = csv::rows(&traces).expect("rows");
        let mut lines = ::csv::Reader::from_reader(csv.as_bytes());
        let records: Vec<_> = lines.records().collect::<Result<_, _>>().expect("CSV");
        prop_assert_eq!(records.len(), traces.len());
        for (record, trace) in records.iter().zip(&traces) {
            prop_assert_eq!(record.len(), 9);
            let name = record[1].strip_prefix('\'').filter(|_| !trace.root_name.starts_with('\'')).unwrap_or(&record[1]);
            prop_assert_eq!(name, &trace.root_name);
        }
    }
}
