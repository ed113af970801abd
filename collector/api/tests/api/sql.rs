//! SQL in its three forms, and its limits.

use std::io::Cursor;

use arrow_ipc::reader::StreamReader;
use axum::body::Body;
use axum::http::{Request, header};
use flockscope_store::arrow::array::RecordBatch;
use serde_json::{Value, json};

use crate::sample;
use crate::server::{self, Answer, Server, admin};

const ARROW: &str = "application/vnd.apache.arrow.stream";

async fn in_form(server: &Server, accept: &str, body: Value) -> Answer {
    let request = Request::post("/api/v1/sql")
        .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
        .header(header::ACCEPT, accept)
        .body(Body::from(body.to_string()))
        .expect("a request");
    server.send(admin(), request).await
}

#[tokio::test]
async fn json_has_columns_with_types_and_rows_as_arrays() {
    let server = server::of(sample::store_of(&[]));
    let answer = server
        .sql(
            "SELECT 1 AS a, 'x' AS a, NULL AS n, 9007199254740993::BIGINT AS big, [1, NULL] AS l, {'k': 'v'} AS s, \
             TIMESTAMP '2026-01-02 03:04:05' AS t, INTERVAL 3 DAY AS i, 'nan'::DOUBLE AS f, 1.50::DECIMAL(4, 2) AS d, \
             170141183460469231731687303715884105727::HUGEINT AS h, '\\xAA'::BLOB AS b, MAP {'m': 1} AS m, uuid() IS NULL AS u",
        )
        .await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    assert_eq!(answer.header("x-flockscope-cut"), Some("false"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let text = answer.text();
    assert!(
        text.contains("9007199254740993") && text.contains("170141183460469231731687303715884105727"),
        "{text}"
    );
    let json = answer.json();
    let types: Vec<&str> = json["columns"]
        .as_array()
        .expect("columns")
        .iter()
        .map(|column| column["type"].as_str().expect("a type"))
        .collect();
    assert_eq!(types[..4], ["INTEGER", "VARCHAR", "NULL", "BIGINT"]);
    assert_eq!(types[4..8], ["INTEGER[]", "STRUCT(k VARCHAR)", "TIMESTAMP", "INTERVAL"]);
    assert_eq!((&json["row_count"], &json["cut"]), (&json!(1), &json!(false)));
    let row = &json["rows"][0];
    assert_eq!((&row[0], &row[1], &row[2]), (&json!(1), &json!("x"), &Value::Null));
    assert_eq!((&row[4], &row[5]), (&json!([1, null]), &json!({"k": "v"})));
    assert_eq!((&row[6], &row[8]), (&json!("2026-01-02T03:04:05"), &Value::Null));
    assert_eq!(row[7], json!("3 days"));
}

#[tokio::test]
async fn the_three_forms_hold_the_same_rows() {
    let server = server::sample();
    let body = json!({"query": "SELECT trace_id, span_id, start_time, status_description FROM spans ORDER BY span_id", "rows": 1_000});
    let as_json = in_form(&server, "application/json", body.clone()).await;
    let rows = as_json.json();
    assert_eq!((&rows["row_count"], &rows["cut"]), (&json!(1_000), &json!(true)));
    let as_csv = in_form(&server, "text/csv", body.clone()).await;
    assert_eq!(as_csv.header("content-type"), Some("text/csv; charset=utf-8"));
    let mut reader = csv::Reader::from_reader(as_csv.bytes.as_slice());
    let lines: Vec<csv::StringRecord> = reader.records().map(|line| line.expect("a line")).collect();
    let as_arrow = in_form(&server, ARROW, body).await;
    assert_eq!(as_arrow.header("content-type"), Some(ARROW));
    let batches: Vec<RecordBatch> = StreamReader::try_new(Cursor::new(as_arrow.bytes.clone()), None)
        .expect("a stream")
        .map(|batch| batch.expect("a batch"))
        .collect();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 1_000);
    assert_eq!(lines.len(), 1_000);
    let mut spans: Vec<&flockscope_model::Span> = sample::spans().iter().collect();
    spans.sort_by(|a, b| a.span_id.cmp(&b.span_id));
    for (number, span) in spans.iter().take(1_000).enumerate() {
        assert_eq!(
            rows["rows"][number],
            json!([span.trace_id, span.span_id, span.start_time, span.status_description])
        );
        assert_eq!(&lines[number][1], span.span_id.as_str());
        assert_eq!(&lines[number][2], span.start_time.to_string().as_str());
    }
    for answer in [&as_json, &as_csv, &as_arrow] {
        assert_eq!(answer.header("x-flockscope-cut"), Some("true"));
    }
}

#[tokio::test]
async fn a_long_answer_is_sent_in_pieces_and_a_trailer_says_whether_it_is_cut() {
    let server = server::of(sample::store_of(&[]));
    let body = json!({"query": "SELECT i, repeat('x', 90) AS x FROM range(1_000_000) r(i)", "rows": 200_000});
    for (accept, whole) in [("application/json", true), ("text/csv", false), (ARROW, false)] {
        let answer = in_form(&server, accept, body.clone()).await;
        assert!(
            answer.bytes.len() > 18_000_000,
            "{accept}: {} bytes",
            answer.bytes.len()
        );
        assert_eq!(answer.header("x-flockscope-cut"), Some("unknown"));
        assert_eq!(answer.header("trailer"), Some("x-flockscope-cut"));
        assert_eq!(
            answer.trailers.get("x-flockscope-cut").map(|cut| cut.as_bytes()),
            Some(b"true".as_slice()),
            "{accept}"
        );
        if whole {
            let json = answer.json();
            assert_eq!(json["rows"].as_array().map(Vec::len), Some(200_000));
            assert_eq!(json["cut"], true);
        }
    }
}

#[tokio::test]
async fn text_that_a_spreadsheet_would_run_is_made_harmless_in_csv_only() {
    let server = server::of(sample::store_of(&[]));
    let body = json!({"query": "SELECT '=1+1' AS a, '-5' AS b, 'a\"b,c' AS c, NULL AS n"});
    let csv = in_form(&server, "text/csv", body.clone()).await.text();
    assert_eq!(csv, "a,b,c,n\n'=1+1,-5,\"a\"\"b,c\",\n");
    assert_eq!(in_form(&server, "*/*", body).await.json()["rows"][0][0], "=1+1");
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_a_reason() {
    let server = server::of(sample::store_of(&[]));
    let send = async |body: &'static str, media_type: &'static str| {
        let request = Request::post("/api/v1/sql")
            .header(header::CONTENT_TYPE, media_type)
            .body(Body::from(body))
            .expect("a request");
        server.send(admin(), request).await
    };
    let json = "application/json";
    send("SELECT 1", "text/plain").await.problem(415, "wrong-media-type");
    send("SELECT 1", json).await.problem(400, "bad-body");
    send("[]", json).await.problem(400, "bad-body");
    send("{}", json).await.problem(400, "bad-body");
    send(r#"{"query": 5}"#, json).await.problem(400, "bad-body");
    let detail = send(r#"{"query": "SELECT 1", "row": 5}"#, json)
        .await
        .problem(400, "bad-parameter");
    assert!(detail.contains("did you mean rows?"), "{detail}");
    let detail = send(r#"{"query": "SELECT 1", "rows": 0}"#, json)
        .await
        .problem(400, "bad-parameter");
    assert!(detail.contains("rows"), "{detail}");
    send(r#"{"query": "SELECT 1", "id": "a b"}"#, json)
        .await
        .problem(400, "bad-parameter");
    in_form(&server, "image/png", json!({"query": "SELECT 1"}))
        .await
        .problem(406, "not-acceptable");
    let large = json!({"query": format!("SELECT '{}'", "x".repeat(2 << 20))});
    server.post("/api/v1/sql", &large).await.problem(413, "body-too-large");
    let detail = server.sql("SELECT servce FROM spans").await.problem(400, "sql-error");
    assert!(detail.contains("servce") && detail.contains("service"), "{detail}");
    server.sql("SELECT 'a\0b'").await.problem(403, "query-refused");
}
