//! Generated spans have the shape that was measured on the sample (`data/figures.json`).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use flockscope_generator::{Generator, Settings, Shape, large_trace};
use flockscope_model::{Promoted, Span, StatusCode};
use serde_json::Value;

fn figures() -> Value {
    serde_json::from_str(include_str!("../data/figures.json")).expect("JSON")
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

fn generate(settings: Settings) -> Vec<Span> {
    let mut generator = Generator::new(settings).expect("sound settings");
    let mut spans = Vec::new();
    while let Some(batch) = generator.next_batch(1_000) {
        spans.extend(batch);
    }
    spans
}

fn many(seed: u64, shape: Shape) -> Vec<Span> {
    generate(Settings {
        spans: 60_000,
        seed,
        shape,
        ..Settings::default()
    })
}

fn by_trace(spans: &[Span]) -> BTreeMap<&str, Vec<&Span>> {
    let mut traces: BTreeMap<&str, Vec<&Span>> = BTreeMap::new();
    for span in spans {
        traces.entry(&span.trace_id).or_default().push(span);
    }
    traces
}

#[track_caller]
fn assert_near(what: &str, got: f64, wanted: f64, tolerance: f64) {
    assert!(
        (got - wanted).abs() <= wanted * tolerance,
        "{what}: {got:.4}, but the sample has {wanted:.4}, and {:.0} % of difference are allowed",
        tolerance * 100.0
    );
}

#[test]
fn full_spans_are_like_the_sample() {
    let figures = figures();
    let spans = many(1, Shape::Full);
    let count = spans.len() as f64;
    let bytes: usize = spans.iter().map(|span| span.attributes.len()).sum();
    assert_near(
        "attribute bytes",
        bytes as f64 / count,
        number(&figures["attribute_bytes"]),
        0.1,
    );

    let errors: Vec<&Span> = spans
        .iter()
        .filter(|span| span.status_code == StatusCode::Error)
        .collect();
    assert_near(
        "errors",
        errors.len() as f64 / count,
        number(&figures["error_share"]),
        0.2,
    );
    let event_bytes: usize = errors.iter().map(|span| span.events.len()).sum();
    let wanted = number(&figures["error_event_bytes"]);
    assert_near(
        "event bytes of an error",
        event_bytes as f64 / errors.len() as f64,
        wanted,
        0.2,
    );

    let traces = by_trace(&spans).len() as f64;
    assert_near(
        "spans per trace",
        count / traces,
        number(&figures["spans_per_trace"]),
        0.15,
    );

    let mut calls: HashMap<&str, f64> = HashMap::new();
    for span in &spans {
        *calls.entry(&span.name).or_default() += 1.0;
    }
    let sample = number(&figures["spans"]);
    let operations = figures["operations"].as_array().expect("operations");
    for operation in operations.iter().take(40) {
        let name = operation["name"].as_str().expect("a name");
        let share = calls.get(name).copied().unwrap_or(0.0) / count;
        assert_near(name, share, number(&operation["spans"]) / sample, 0.2);
    }
    let known: HashSet<&str> = operations
        .iter()
        .filter_map(|operation| operation["name"].as_str())
        .collect();
    for name in calls.keys() {
        assert!(known.contains(name), "the sample has no {name}");
    }
}

#[test]
fn durations_have_the_median_of_the_sample() {
    let figures = figures();
    let spans = many(2, Shape::Lean);
    for name in [
        "DeduplicationComponent.on_before_schedule",
        "ResearchEngine.lookup",
        "Agent.execute",
    ] {
        let mut durations: Vec<f64> = spans
            .iter()
            .filter(|span| span.name == name)
            .map(|span| ((span.end_time - span.start_time) as f64).ln())
            .collect();
        durations.sort_by(f64::total_cmp);
        let operations = figures["operations"].as_array().expect("operations");
        let measured = operations
            .iter()
            .find(|operation| operation["name"] == name)
            .expect(name);
        let wanted = number(&measured["log_mean"]).exp();
        assert_near(name, durations[durations.len() / 2].exp(), wanted, 0.2);
    }
}

#[test]
fn lean_spans_are_small_and_hold_what_analyses_read() {
    let spans = many(3, Shape::Lean);
    let bytes: usize = spans.iter().map(|span| span.attributes.len()).sum();
    let mean = bytes as f64 / spans.len() as f64;
    assert!((240.0..360.0).contains(&mean), "{mean} bytes");
    let hooks: Vec<&Span> = spans
        .iter()
        .filter(|span| span.name == "AuditUtility.on_initialize")
        .collect();
    let promoted = Promoted::of(hooks[0]);
    assert!(matches!(promoted.agent.as_deref(), Some("intake" | "researcher")));
    assert_eq!(promoted.module.as_deref(), Some("flock.components"));
    assert!(promoted.task_id.is_some());
}

#[test]
fn the_json_of_every_span_is_sound_and_agents_are_named() {
    let settings = Settings {
        spans: 5_000,
        with_gen_ai: true,
        with_deployment: true,
        ..Settings::default()
    };
    for shape in [Shape::Full, Shape::Lean] {
        let mut tokens = 0;
        for span in generate(Settings {
            shape,
            ..settings.clone()
        }) {
            let attributes: Value = serde_json::from_str(&span.attributes).expect(&span.attributes);
            assert!(attributes.is_object());
            assert!(
                !span.attributes.contains("${"),
                "a placeholder was left in {}",
                span.attributes
            );
            let events: Value = serde_json::from_str(&span.events).expect(&span.events);
            if span.status_code == StatusCode::Error && span.name != "UnhandledException" {
                assert_eq!(events.as_array().map(Vec::len), Some(2), "{}", span.name);
                let stack = events[1]["attributes"]["exception.stacktrace"]
                    .as_str()
                    .expect("a stack trace");
                assert!(stack.contains("Traceback") && stack.len() > 300);
                let time = events[1]["timestamp"].as_i64().expect("a time");
                assert!(span.start_time <= time && time <= span.end_time);
            } else if span.status_code != StatusCode::Error {
                assert_eq!(span.events, "[]");
            }
            let promoted = Promoted::of(&span);
            assert_eq!(promoted.service_name.as_deref(), Some("flock-auto-trace"));
            assert!(promoted.service_version.is_some() && promoted.deployment_environment.is_some());
            tokens += promoted.gen_ai_input_tokens.unwrap_or(0);
            if span.name == "Agent.execute" {
                assert!(promoted.agent.is_some());
                assert_eq!(attributes["agent.name"].as_str(), promoted.agent.as_deref());
            }
        }
        assert!(tokens > 1_000);
    }
}

#[test]
fn every_trace_is_a_tree_and_agents_outlive_what_triggered_them() {
    let spans = many(4, Shape::Lean);
    let (mut triggered, mut outlived) = (0, 0);
    for trace in by_trace(&spans).into_values() {
        let mut seen: HashMap<&str, &Span> = HashMap::new();
        for span in trace {
            assert!(span.start_time <= span.end_time);
            if let Some(parent) = &span.parent_id {
                let parent = seen.get(parent.as_str()).expect("the parent comes first");
                assert!(
                    span.start_time >= parent.start_time,
                    "{} starts before {}",
                    span.name,
                    parent.name
                );
                if span.name == "Agent.execute" {
                    triggered += 1;
                    outlived += usize::from(span.end_time > parent.end_time);
                } else if parent.name != "Agent.execute" && !span.name.starts_with("Flock.") {
                    assert!(
                        span.end_time <= parent.end_time,
                        "{} outlives {}",
                        span.name,
                        parent.name
                    );
                }
            } else {
                assert!(seen.is_empty(), "one root a trace");
            }
            assert!(seen.insert(&span.span_id, span).is_none(), "span ids are unique");
        }
    }
    // 226 of 239 in the sample.
    assert!(outlived * 10 > triggered * 9, "{outlived} of {triggered}");
}

#[test]
fn traces_start_evenly_over_the_wanted_time() {
    let hour = 3_600_000_000_000;
    let settings = Settings {
        spans: 100_000,
        shape: Shape::Lean,
        start_time: 1_000 * hour,
        span_of_time: Duration::from_secs(10 * 3600),
        ..Settings::default()
    };
    let spans = generate(settings);
    let mut hours = [0usize; 10];
    let mut before = 0;
    for root in spans.iter().filter(|span| span.parent_id.is_none()) {
        let since = root.start_time - 1_000 * hour;
        assert!((0..10 * hour).contains(&since));
        assert!(root.start_time >= before, "traces come in order");
        before = root.start_time;
        hours[(since / hour) as usize] += 1;
    }
    let mean = hours.iter().sum::<usize>() / 10;
    for count in hours {
        assert!(count > mean / 2 && count < mean * 2, "{hours:?}");
    }
}

#[test]
fn the_wanted_numbers_are_kept() {
    for spans_per_trace in [1, 2, 40, 1_000] {
        let spans = generate(Settings {
            spans: 4_010,
            shape: Shape::Lean,
            spans_per_trace: Some(spans_per_trace),
            ..Settings::default()
        });
        assert_eq!(spans.len(), 4_010);
        let mut sizes: Vec<usize> = by_trace(&spans).into_values().map(|trace| trace.len()).collect();
        sizes.sort_unstable();
        let cut = 4_010 % spans_per_trace;
        if cut > 0 {
            assert_eq!(sizes.remove(0), cut);
        }
        assert!(sizes.iter().all(|size| *size == spans_per_trace), "{sizes:?}");
    }
    let spans = generate(Settings {
        spans: 20_000,
        error_rate: Some(0.1),
        shape: Shape::Lean,
        ..Settings::default()
    });
    let errors = spans
        .iter()
        .filter(|span| span.status_code == StatusCode::Error)
        .count();
    assert!((1_850..2_150).contains(&errors), "{errors} of 20,000");
    let sound = generate(Settings {
        spans: 20_000,
        error_rate: Some(0.0),
        shape: Shape::Lean,
        ..Settings::default()
    });
    assert!(sound.iter().all(|span| span.status_code != StatusCode::Error));
    assert!(
        Generator::new(Settings {
            spans: 0,
            ..Settings::default()
        })
        .expect("sound")
        .next_batch(5)
        .is_none()
    );
}

#[test]
fn a_large_trace_is_one_tree_of_many_agents() {
    let spans = large_trace(10_000, 5);
    assert_eq!(spans.len(), 10_000);
    assert_eq!(by_trace(&spans).len(), 1);
    let mut depths: HashMap<&str, usize> = HashMap::new();
    for span in &spans {
        let depth = span.parent_id.as_deref().map_or(0, |parent| depths[parent] + 1);
        depths.insert(&span.span_id, depth);
    }
    let deepest = depths.values().max().copied();
    assert!(deepest >= Some(6) && deepest < Some(15), "{deepest:?}");
    let agents: HashSet<_> = spans.iter().filter_map(|span| Promoted::of(span).agent).collect();
    assert_eq!(agents.len(), 5);
    assert_eq!(large_trace(0, 5).len(), 0);
    assert_eq!(large_trace(1, 5).len(), 1);
}
