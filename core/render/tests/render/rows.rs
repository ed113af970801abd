//! Rows for the tests: a small trace made by hand, and rows full of hostile text.

use flockscope_model::rows::{DependencyRow, ExceptionRow, RedRow, TimelineRow, TraceRow};
use proptest::prelude::*;

/// Text that breaks careless output: markup, quotes, escapes, control and reordering characters, wide letters.
pub(crate) fn hostile() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "<script>alert(1)</script>",
        "</title></style></svg></details>",
        "\"><img src=x onerror=alert(1)>",
        "' onmouseover='x",
        "&lt;&#x3c;&amp",
        "<!--",
        "]]>",
        "--> <![CDATA[",
        "\u{1b}[31mred\u{1b}[0m",
        "\u{1b}]0;title\u{7}",
        "\u{9b}2J",
        "\r\n\t\0",
        "\u{202e}gnp.exe\u{202c}",
        "\u{2066}\u{2069}\u{200b}\u{feff}",
        "\u{2028}\u{2029}\u{85}",
        "\u{fffe}\u{ffff}",
        "e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
        "東京都 한국어",
        "👩‍👩‍👧‍👦🏳️‍🌈",
        "العربية עברית",
        "=HYPERLINK(\"http://x\")",
        "`\"]:::x; click n0 callback %%{init}%%",
        "Agent.execute",
        "",
        " ",
    ]);
    prop_oneof![
        prop::collection::vec(pieces, 1..4).prop_map(|pieces| pieces.concat()),
        any::<String>(),
        Just("x".repeat(5000)),
    ]
}

fn float() -> impl Strategy<Value = f64> {
    prop_oneof![5 => 0.0..100_000.0_f64, 1 => any::<f64>(), 1 => Just(0.0)]
}

prop_compose! {
    pub(crate) fn timeline_row()(
        texts in prop::collection::vec(hostile(), 9),
        depth in prop_oneof![4 => 0..6_i64, 1 => any::<i64>()],
        offset_ms in float(),
        duration_ms in float(),
        self_ms in float(),
        error in any::<bool>(),
        critical in any::<bool>(),
        event_count in any::<i64>(),
        some in any::<bool>(),
    ) -> TimelineRow {
        let mut texts = texts.into_iter();
        let mut text = || texts.next().unwrap_or_default();
        TimelineRow {
            depth,
            trace_id: text(),
            span_id: text(),
            name: text(),
            service: text(),
            operation: text(),
            agent: some.then(&mut text),
            status_code: if error { "ERROR".into() } else { "OK".into() },
            status_description: some.then(&mut text),
            exception_type: (!some).then(&mut text),
            repair: some.then(&mut text),
            offset_ms,
            duration_ms,
            self_ms,
            critical,
            event_count,
            ..TimelineRow::default()
        }
    }
}

prop_compose! {
    pub(crate) fn red_row()(
        service in prop::option::of(hostile()),
        operation in prop::option::of(hostile()),
        agent in prop::option::of(hostile()),
        bucket_time in prop::option::of(any::<i64>()),
        calls in any::<i64>(),
        errors in 0..5_i64,
        total_ms in float(),
        p95_ms in float(),
    ) -> RedRow {
        RedRow { bucket_time, service, operation, agent, calls, errors, total_ms, p95_ms, error_rate: 0.1, ..RedRow::default() }
    }
}

prop_compose! {
    pub(crate) fn dependency_row()(
        from in prop_oneof![hostile(), "[a-e]"],
        to in prop_oneof![hostile(), "[a-e]"],
        calls in any::<i64>(),
        errors in 0..3_i64,
        p95_ms in float(),
    ) -> DependencyRow {
        DependencyRow { from, to, calls, errors, error_rate: 0.5, p95_ms, ..DependencyRow::default() }
    }
}

prop_compose! {
    pub(crate) fn trace_row()(root_name in hostile(), trace_id in hostile(), agents in prop::collection::vec(hostile(), 0..3), duration_ms in float(), start_time in any::<i64>()) -> TraceRow {
        TraceRow { trace_id, root_name, agents, duration_ms, start_time, ..TraceRow::default() }
    }
}

prop_compose! {
    pub(crate) fn exception_row()(exception_type in hostile(), message in prop::option::of(hostile()), stacktrace in prop::option::of(hostile())) -> ExceptionRow {
        ExceptionRow { exception_type, message, stacktrace, service: "Engine".into(), ..ExceptionRow::default() }
    }
}

/// A trace made by hand: an agent with six hooks of one operation, an engine that fails, and a second agent that
/// outlives the first.
pub(crate) fn small_trace() -> Vec<TimelineRow> {
    let mut rows = vec![
        span(0, "ticket_workflow", 0.0, 1000.0),
        span(1, "Agent.execute", 10.0, 490.0),
    ];
    for hook in 0..6 {
        rows.push(span(2, "Metrics.on_initialize", 20.0 + f64::from(hook), 0.05));
    }
    rows.push(span(2, "Engine.evaluate", 100.0, 300.0));
    rows.push(span(3, "Engine.lookup", 150.0, 100.0));
    rows.push(span(1, "Agent.execute", 600.0, 650.0));
    rows[1].agent = Some("intake".into());
    rows[10].agent = Some("archivist".into());
    for critical in [0, 10] {
        rows[critical].critical = true;
    }
    let failed = &mut rows[8];
    failed.status_code = "ERROR".into();
    failed.status_description = Some("KeyError: 'toaster'".into());
    failed.event_count = 2;
    rows[9].repair = Some("parent missing".into());
    rows
}

fn span(depth: i64, name: &str, offset_ms: f64, duration_ms: f64) -> TimelineRow {
    let (service, operation) = name.split_once('.').unwrap_or((name, name));
    TimelineRow {
        depth,
        trace_id: "5b8efff798038103d269b633813fc60c".into(),
        span_id: format!("{name}-{offset_ms}"),
        name: name.into(),
        service: service.into(),
        operation: operation.into(),
        status_code: "OK".into(),
        offset_ms,
        duration_ms,
        self_ms: duration_ms / 2.0,
        ..TimelineRow::default()
    }
}

/// Two agents that call each other, and one that calls itself.
pub(crate) fn small_graph() -> Vec<DependencyRow> {
    let edge = |from: &str, to: &str, calls, errors| DependencyRow {
        from: from.into(),
        to: to.into(),
        calls,
        errors,
        error_rate: errors as f64 / calls as f64,
        avg_ms: 3.0,
        p50_ms: 2.5,
        p95_ms: 8.0,
        p99_ms: 9.0,
        max_ms: 9.5,
    };
    vec![
        edge("intake", "researcher", 41, 2),
        edge("researcher", "responder", 40, 0),
        edge("responder", "researcher", 3, 0),
        edge("responder", "responder", 1, 1),
    ]
}

pub(crate) fn small_red() -> Vec<RedRow> {
    let row = |service: &str, operation: &str, calls, errors, total_ms| RedRow {
        service: Some(service.into()),
        operation: Some(operation.into()),
        calls,
        errors,
        error_rate: errors as f64 / calls as f64,
        rate_per_s: calls as f64 / 60.0,
        avg_ms: total_ms / calls as f64,
        p50_ms: 10.0,
        p90_ms: 20.0,
        p95_ms: 1234.5,
        p99_ms: 40.0,
        max_ms: 50.0,
        total_ms,
        ..RedRow::default()
    };
    vec![
        row("Agent", "execute", 1500, 12, 7500.0),
        row("Engine", "score", 4, 0, 2500.0),
    ]
}
