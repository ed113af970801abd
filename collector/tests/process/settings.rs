//! Settings that change while a process runs, and spans that clients hand over.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use flockscope_client::{ConnectOptions, Connection};
use flockscope_model::{NewSpan, Span};
use flockscope_protocol::Event;
use flockscope_store::Limits;
use flockscope_store::arrow::array::AsArray;
use futures_util::StreamExt;

use crate::scene::{Scene, span_ids, status};

const DAY: i64 = 86_400_000_000_000;

fn span(id: &str, days_ago: i64, attributes: &str) -> Span {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
    let start = i64::try_from(now.as_nanos()).expect("a time") - days_ago * DAY;
    let found = NewSpan {
        trace_id: format!("of {id}"),
        span_id: id.into(),
        name: "Agent.execute".into(),
        start_time: start,
        end_time: start + 1_000,
        attributes: attributes.into(),
        ..NewSpan::default()
    };
    Span::new(found, |_| {}).expect("a sound span")
}

/// Waits until the process has a note with these words.
async fn wait_for_note(connection: &Connection, words: &str) {
    loop {
        if status(connection).await.notes.iter().any(|note| note.contains(words)) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_changed_retention_counts_at_once_and_what_can_not_change_is_told() {
    let scene = Scene::new();
    let connection = scene.connect().await;
    let spans = vec![span("a1", 100, "{}"), span("b2", 20, "{}"), span("c3", 0, "{}")];
    assert_eq!(connection.store(spans).await.expect("stored").stored, 3);
    let mut events = Box::pin(connection.listen().await.expect("it listens"));

    let file = scene.path("flockscope.toml");
    fs::write(&file, "[retention]\ndays = 30\n").expect("a file");
    assert_eq!(events.next().await, Some(Event::SpansRemoved { spans: 1 }));
    assert_eq!(span_ids(&connection).await, ["b2", "c3"]);

    fs::write(&file, "[retention]\ndays = \"soon\"\n").expect("a file");
    wait_for_note(&connection, "\"soon\"").await;
    fs::write(&file, "[retention]\ndays = 10\n[store]\nmemory = \"900MB\"\n").expect("a file");
    assert_eq!(events.next().await, Some(Event::SpansRemoved { spans: 1 }));
    assert_eq!(span_ids(&connection).await, ["c3"]);
    wait_for_note(&connection, "store.memory is \"900MB\"").await;
    let notes = status(&connection).await.notes;
    assert!(!notes.iter().any(|note| note.contains("soon")), "{notes:?}");
    fs::remove_file(&file).expect("removed");
    while !status(&connection).await.notes.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(scene.log().contains("retention.days"), "{}", scene.log());
}

#[tokio::test]
async fn spans_that_are_handed_over_are_redacted_told_of_and_can_come_again() {
    let scene = Scene::new();
    for in_process in [false, true] {
        let options = ConnectOptions {
            in_process,
            ..scene.options()
        };
        let connection = Connection::open(&scene.located(), options).await.expect("a connection");
        let mut events = Box::pin(connection.listen().await.expect("it listens"));
        let spans = vec![span("a1", 0, r#"{"api_key": "sk-12345", "n": 1}"#), span("b2", 0, "{}")];
        let taken = connection.store(spans.clone()).await.expect("stored");
        let replaced = if in_process { 2 } else { 0 };
        assert_eq!((taken.stored, taken.replaced, taken.left_out), (2, replaced, 0));
        let Some(Event::SpansStored {
            spans: 2,
            earliest_end,
            latest_end,
            ..
        }) = events.next().await
        else {
            panic!("no event of two spans");
        };
        let ends = spans.iter().map(|span| span.end_time);
        assert_eq!((Some(earliest_end), Some(latest_end)), (ends.clone().min(), ends.max()));
        let again = connection.store(spans).await.expect("stored");
        assert_eq!((again.stored, again.replaced), (2, 2));
        let query = "SELECT attributes->>'api_key' AS key, attributes->>'n' AS n FROM spans WHERE span_id = 'a1'";
        let answer = connection
            .sql(query, &Limits::default(), None)
            .await
            .expect("an answer");
        let answer = answer.whole().await.expect("whole");
        let text = |column: usize| answer.batches[0].column(column).as_string::<i32>().value(0).to_owned();
        assert_eq!((text(0).contains("12345"), text(1)), (false, "1".to_owned()));
        assert_eq!(span_ids(&connection).await, ["a1", "b2"]);
        drop(events);
        connection.stop().await.expect("ended");
    }
}

#[tokio::test]
async fn more_spans_than_one_request_takes_are_sent_in_several() {
    let scene = Scene::new();
    let connection = scene.connect().await;
    let text = format!("{{\"text\": \"{}\"}}", "x".repeat(1 << 20));
    // 40 MB, of which a request takes 16.
    let spans: Vec<Span> = (0..40).map(|number| span(&format!("{number:02}f"), 0, &text)).collect();
    let taken = connection.store(spans).await.expect("stored");
    assert_eq!((taken.stored, taken.left_out), (40, 0));
    assert_eq!(span_ids(&connection).await.len(), 40);
}
