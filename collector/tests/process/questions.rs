//! What clients ask, by way of the process and without it.

use std::time::Duration;

use flockscope_client::{ClientError, ConnectOptions, Connection};
use flockscope_generator::{Generator, Settings};
use flockscope_store::{GroupBy, Level, Limits, Store, Window};
use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::scene::{PATIENCE, Scene};

/// Runs for hours if it is not stopped.
const ENDLESS: &str = "SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b";

/// A store with the spans of a small program.
fn filled() -> Scene {
    let scene = Scene::new();
    let store = Store::open(&scene.store(), flockscope_store::Settings::default()).expect("a store");
    let mut generator = Generator::new(Settings::default()).expect("sound settings");
    let spans = generator.next_batch(2_000).expect("spans");
    store.ingest(&spans).expect("stored");
    scene
}

/// Whether values are the same, but for the last digits of figures: they hang on the order in which the database adds.
fn are_alike(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| are_alike(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let are_alike =
                |(key, value): (&String, &Value)| other.get(key).is_some_and(|other| are_alike(value, other));
            one.len() == other.len() && one.iter().all(are_alike)
        }
        (Value::Number(one), Value::Number(other)) if one.is_f64() => {
            let (one, other) = (one.as_f64().expect("a figure"), other.as_f64().expect("a figure"));
            (one - other).abs() <= 1e-9 * one.abs().max(other.abs())
        }
        (one, other) => one == other,
    }
}

/// The answers of every analysis.
async fn all_answers(connection: &Connection) -> Vec<Value> {
    let all = Window::default();
    let traces = connection.traces(all, Some(7)).await.expect("traces");
    assert_eq!(traces.len(), 7);
    let trace = &traces[0].trace_id;
    vec![
        json!(traces),
        json!(connection.timeline(trace).await.expect("a timeline")),
        json!(connection.red(GroupBy::Operation, all, None).await.expect("RED")),
        json!(
            connection
                .red(GroupBy::Agent, all, Some(1_000_000_000))
                .await
                .expect("RED")
        ),
        json!(connection.dependencies(Level::Agent, all).await.expect("dependencies")),
        json!(connection.critical_path(all).await.expect("a path")),
        json!(connection.exceptions(all).await.expect("exceptions")),
        json!(connection.operations(all).await.expect("operations")),
        json!(connection.attribute_keys(all).await.expect("keys")),
        json!(connection.attribute_values("agent.name", all, 5).await.expect("values")),
        json!(connection.statistics().await.expect("statistics")),
    ]
}

#[tokio::test]
async fn the_process_and_the_store_itself_give_the_same_answers() {
    let scene = filled();
    let remote = scene.connect().await;
    assert!(remote.is_remote());
    let by_process = all_answers(&remote).await;
    remote.stop().await.expect("ended");
    let options = ConnectOptions {
        in_process: true,
        ..scene.options()
    };
    let here = Connection::open(&scene.located(), options).await.expect("opened");
    assert!(!here.is_remote());
    for (here, by_process) in all_answers(&here).await.iter().zip(&by_process) {
        assert!(are_alike(here, by_process), "{here}\n{by_process}");
    }
    assert!(scene.record().is_none(), "no process was started");
}

#[tokio::test]
async fn a_long_answer_comes_in_pieces_and_says_that_it_was_cut() {
    let scene = Scene::new();
    let connection = scene.connect().await;
    let limits = Limits {
        rows: 3_000_000,
        ..Limits::default()
    };
    for (rows, cut) in [(2_500_000_u64, false), (3_100_000, true)] {
        let query = format!("SELECT range AS n, range::VARCHAR AS text FROM range({rows})");
        let mut answer = connection.sql(&query, &limits, None).await.expect("an answer");
        assert_eq!(answer.schema().fields().len(), 2);
        let (mut batches, mut found) = (0, 0);
        while let Some(batch) = answer.next().await.expect("a batch") {
            batches += 1;
            found += batch.num_rows() as u64;
        }
        assert!(batches > 1);
        assert_eq!((found, answer.is_cut()), (rows.min(3_000_000), cut));
    }
}

#[tokio::test]
async fn wrong_sql_is_an_error_in_the_words_of_the_database_both_ways() {
    let scene = Scene::new();
    let remote = scene.connect().await;
    let wrong = remote
        .sql("SELEC 1", &Limits::default(), None)
        .await
        .err()
        .expect("refused");
    let refused = remote
        .sql("DROP TABLE spans", &Limits::default(), None)
        .await
        .err()
        .expect("refused");
    remote.stop().await.expect("ended");
    let options = ConnectOptions {
        in_process: true,
        ..scene.options()
    };
    let here = Connection::open(&scene.located(), options).await.expect("opened");
    for (sql, by_process) in [("SELEC 1", wrong), ("DROP TABLE spans", refused)] {
        let error = here.sql(sql, &Limits::default(), None).await.err().expect("refused");
        assert_eq!(error.to_string(), by_process.to_string(), "{sql}");
    }
}

/// Starts an endless query under an id, and waits until it runs: until then the id can't be used again.
async fn endless(connection: &Connection, id: &'static str) -> tokio::task::JoinHandle<Result<(), ClientError>> {
    let limits = Limits {
        time: Duration::from_secs(500),
        ..Limits::default()
    };
    let (asking, limits_of_it) = (connection.clone(), limits.clone());
    let query = tokio::spawn(async move {
        loop {
            match asking.sql(ENDLESS, &limits_of_it, Some(id)).await {
                // The one below was first; it ends at once.
                Err(error) if is_in_use(&error) => {}
                answer => return answer?.whole().await.map(drop),
            }
        }
    });
    wait_for_id(connection, id, true).await;
    query
}

fn is_in_use(error: &ClientError) -> bool {
    matches!(error, ClientError::Problem(problem) if problem.kind.ends_with("query-id-in-use"))
}

/// Waits until a query with this id runs, or none does.
async fn wait_for_id(connection: &Connection, id: &str, runs: bool) {
    let wait = async {
        loop {
            let answer = connection.sql("SELECT 1", &Limits::default(), Some(id)).await;
            let is_used = match answer {
                Ok(answer) => {
                    drop(answer);
                    false
                }
                Err(error) if is_in_use(&error) => true,
                Err(error) => panic!("{error}"),
            };
            if is_used == runs {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("in time");
}

#[tokio::test]
async fn a_query_is_stopped_by_its_id() {
    let scene = Scene::new();
    let connection = scene.connect().await;
    let query = endless(&connection, "cell-7").await;
    connection.cancel("cell-7").await.expect("told");
    let outcome = tokio::time::timeout(PATIENCE, query)
        .await
        .expect("in time")
        .expect("no panic");
    let error = outcome.expect_err("stopped");
    assert!(
        matches!(&error, ClientError::Problem(problem) if problem.kind.contains("stopped") || problem.kind.contains("cancel")),
        "{error:?}"
    );
    connection
        .cancel("cell-7")
        .await
        .expect("one that has ended is no error");
}

#[tokio::test]
async fn a_query_whose_asker_is_gone_is_stopped() {
    let scene = Scene::new();
    let connection = scene.connect().await;
    let query = endless(&connection, "cell-8").await;
    query.abort();
    wait_for_id(&connection, "cell-8", false).await;
}

#[tokio::test]
async fn in_this_process_a_query_is_stopped_alike() {
    let scene = Scene::new();
    let options = ConnectOptions {
        in_process: true,
        ..scene.options()
    };
    let connection = Connection::open(&scene.located(), options).await.expect("opened");
    let asking = connection.clone();
    let query = tokio::spawn(async move {
        let limits = Limits {
            time: Duration::from_secs(500),
            ..Limits::default()
        };
        asking
            .sql(ENDLESS, &limits, Some("mine"))
            .await?
            .whole()
            .await
            .map(drop)
    });
    let stopped = async {
        while !query.is_finished() {
            connection.cancel("mine").await.expect("told");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        query.await.expect("no panic")
    };
    let outcome = tokio::time::timeout(PATIENCE, stopped).await.expect("in time");
    assert!(outcome.is_err());
}

#[tokio::test]
async fn rows_are_a_stream() {
    let scene = Scene::new();
    let connection = scene.connect().await;
    let answer = connection
        .sql("SELECT * FROM range(10)", &Limits::default(), None)
        .await;
    let batches: Vec<_> = answer.expect("an answer").into_stream().collect().await;
    let rows: usize = batches
        .iter()
        .map(|batch| batch.as_ref().expect("rows").num_rows())
        .sum();
    assert_eq!(rows, 10);
}
