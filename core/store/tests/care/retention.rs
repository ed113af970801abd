use flockscope_store::{Expired, Settings, Store};

use crate::spans::{DAY, assert_healthy, batch, count, day, number, open, silent, span};

#[test]
fn traces_go_whole_when_their_last_span_is_old_enough() {
    let store = Store::in_memory(Settings::default()).expect("a store");
    // A session that began on day 90 and goes on on day 101; one that ended on day 99, and one on day 100.
    store
        .ingest(&[span("long", "a", 90, 0), span("long", "b", 101, 0)])
        .expect("stored");
    store
        .ingest(&[span("old", "a", 90, 0), span("old", "b", 99, 0)])
        .expect("stored");
    store
        .ingest(&[span("edge", "a", 99, 0), span("edge", "b", 100, 0)])
        .expect("stored");
    let now = 110 * DAY + DAY / 2;
    assert_eq!(store.expire(now, 11).expect("expired"), Expired { traces: 0, spans: 0 });
    assert_eq!(store.expire(now, 10).expect("expired"), Expired { traces: 1, spans: 2 });
    assert_eq!(number(&store, "SELECT count(*) FROM spans WHERE trace_id = 'long'"), 2);
    assert_eq!(store.timeline("old").expect("a timeline").len(), 0);
    assert_eq!(
        number(&store, "SELECT count(*) FROM trace_times WHERE trace_id = 'old'"),
        0
    );
    assert_eq!(store.expire(now, 9).expect("expired"), Expired { traces: 1, spans: 2 });
    assert_eq!(
        store.expire(now + 36_500 * DAY, 1).expect("expired"),
        Expired { traces: 1, spans: 2 }
    );
    assert_eq!(count(&store), 0);
}

#[test]
fn days_of_the_archive_go_and_days_in_part_are_rewritten() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder.path().join("s.duckdb"));
    for number in 95..100 {
        store
            .ingest(&batch(&format!("d{number}"), number, 100))
            .expect("stored");
    }
    store
        .ingest(&[span("long", "a", 96, 0), span("long", "b", 104, 0)])
        .expect("stored");
    store.archive(day(103), silent).expect("archived");
    // Late, of an old trace: it is in the table.
    store.ingest(&[span("d97-0", "late", 97, 5)]).expect("stored");
    let expired = store.expire(108 * DAY, 10).expect("expired");
    assert_eq!(
        expired,
        Expired {
            traces: 150,
            spans: 301
        }
    );
    let left: Vec<_> = store
        .archived_days()
        .expect("days")
        .into_iter()
        .map(|entered| (entered.day, entered.spans, entered.file))
        .collect();
    assert_eq!(
        left,
        [
            (day(96), 1, "day=1970-04-07/spans-2.parquet".to_owned()),
            (day(98), 100, "day=1970-04-09/spans-1.parquet".to_owned()),
            (day(99), 100, "day=1970-04-10/spans-1.parquet".to_owned()),
        ]
    );
    assert!(!store.archive_folder().join("day=1970-04-06").exists());
    assert!(!store.archive_folder().join("day=1970-04-07/spans-1.parquet").exists());
    assert_eq!(count(&store), 202);
    assert_eq!(store.timeline("long").expect("a timeline").len(), 2);
    assert_healthy(&store);
}
