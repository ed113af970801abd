//! Draws everything from rows in JSON files: `cargo run -p flockscope-render --example gallery -- ROWS FOLDER`.
//!
//! `ROWS` is a folder with `timeline.json`, `red.json`, `red_series.json`, `dependencies.json`, `traces.json`,
//! `exceptions.json` (arrays of the rows of `flockscope_model`) and, if wanted, `details.json`
//! (`{span id: {attributes, events}}`). Also measures a trace of 100,000 spans.

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Instant;

use flockscope_model::rows::TimelineRow;
use flockscope_render::{SpanDetails, Style, TimelineOptions, csv, html, json, mermaid, svg, text, vega};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [rows, folder] = &arguments[..] else {
        return Err("two arguments are needed: a folder of rows and a folder to write into".into());
    };
    let (rows, folder) = (Path::new(rows), Path::new(folder));
    fs::create_dir_all(folder)?;
    let write = |name: &str, text: &str| fs::write(folder.join(name), text);

    let timeline: Vec<TimelineRow> = read(rows, "timeline.json")?;
    let red = read(rows, "red.json")?;
    let series = read(rows, "red_series.json")?;
    let edges = read(rows, "dependencies.json")?;
    let traces = read(rows, "traces.json")?;
    let exceptions = read(rows, "exceptions.json")?;
    let options = TimelineOptions {
        details: details(rows)?,
        ..TimelineOptions::default()
    };

    let style = Style {
        colour: true,
        width: 120,
        unicode: true,
    };
    let mut terminal = String::new();
    for style in [
        style,
        Style {
            width: 80,
            unicode: false,
            ..style
        },
    ] {
        terminal += &text::timeline(&timeline, &options, &style);
        terminal += &text::red(&red, &series, &style);
        terminal += &text::dependencies(&edges, &style);
        terminal += &text::traces(&traces, &style);
        terminal += &text::exceptions(&exceptions, &style);
    }
    write("terminal.txt", &terminal)?;

    let body = [
        ("Timeline", html::timeline(&timeline, &options)),
        ("Rate, errors, durations", html::red(&red, &series)),
        ("Dependencies", html::dependencies(&edges)),
        ("Traces", html::traces(&traces)),
        ("Exceptions", html::exceptions(&exceptions)),
    ]
    .map(|(title, fragment)| format!("<h2>{title}</h2>{fragment}"))
    .concat();
    write("fragment.html", &body)?;
    write("page.html", &html::page("Gallery", &body))?;
    write("timeline.svg", &svg::timeline(&timeline, &options))?;
    write("dependencies.svg", &svg::dependencies(&edges))?;
    write("red.svg", &svg::red(&red))?;
    write("red.json", &json::red(&red))?;
    write("dependencies.json", &json::dependencies(&edges))?;
    write("red.csv", &csv::red(&red))?;
    write("traces.csv", &csv::rows(&traces)?)?;
    write("dependencies.mmd", &mermaid::dependencies(&edges))?;
    let durations: Vec<f64> = timeline.iter().map(|row| row.duration_ms).collect();
    for (name, chart) in [
        ("red_series", vega::red_series(&series)),
        (
            "histogram",
            vega::duration_histogram("All spans of the trace", &durations),
        ),
        ("total_time", vega::total_time(&red)),
        ("timeline", vega::timeline(&timeline)),
    ] {
        write(&format!("{name}.vl.json"), &serde_json::to_string_pretty(&chart)?)?;
    }

    let large = large_trace(100_000);
    let started = Instant::now();
    let page = html::page("100,000 spans", &html::timeline(&large, &TimelineOptions::default()));
    println!("100,000 spans as HTML: {:?}, {} bytes", started.elapsed(), page.len());
    write("large.html", &page)?;
    let started = Instant::now();
    let terminal = text::timeline(&large, &TimelineOptions::default(), &style);
    println!(
        "100,000 spans as text: {:?}, {} bytes",
        started.elapsed(),
        terminal.len()
    );
    let started = Instant::now();
    let picture = svg::timeline(&large, &TimelineOptions::default());
    println!("100,000 spans as SVG: {:?}, {} bytes", started.elapsed(), picture.len());
    let started = Instant::now();
    let picture = svg::dependencies(&edges);
    println!("dependencies as SVG: {:?}, {} bytes", started.elapsed(), picture.len());
    Ok(())
}

fn read<T: serde::de::DeserializeOwned>(folder: &Path, name: &str) -> Result<Vec<T>, Box<dyn Error>> {
    let path = folder.join(name);
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(serde_json::from_str(&text)?)
}

fn details(folder: &Path) -> Result<HashMap<String, SpanDetails>, Box<dyn Error>> {
    let Ok(text) = fs::read_to_string(folder.join("details.json")) else {
        return Ok(HashMap::new());
    };
    let read: HashMap<String, HashMap<String, String>> = serde_json::from_str(&text)?;
    Ok(read
        .into_iter()
        .map(|(span, mut fields)| {
            let mut take = |name: &str| fields.remove(name).unwrap_or_default();
            (
                span,
                SpanDetails {
                    attributes: take("attributes"),
                    events: take("events"),
                },
            )
        })
        .collect())
}

/// A trace of a workflow: agents in a chain, each with hooks and calls; every thousandth call fails.
fn large_trace(spans: usize) -> Vec<TimelineRow> {
    let trace_ms = spans as f64 * 10.0;
    (0..spans)
        .map(|index| {
            let (depth, duration_ms) = match index {
                0 => (0, trace_ms),
                _ if index % 1000 == 1 => (1, 10_000.0),
                _ if index % 50 == 2 => (2, 480.0),
                _ => (3, 0.3 + (index % 7) as f64),
            };
            TimelineRow {
                position: index as i64 + 1,
                depth,
                trace_id: "5b8efff798038103d269b633813fc60c".into(),
                span_id: format!("{index:016x}"),
                name: format!("Engine{}.call_{}", index % 13, index % 40),
                service: format!("Engine{}", index % 13),
                operation: format!("call_{}", index % 40),
                agent: (depth > 0).then(|| format!("agent_{}", index / 1000 % 5)),
                status_code: if index % 1000 == 999 { "ERROR" } else { "OK" }.into(),
                status_description: (index % 1000 == 999).then(|| "ValueError: no such part".into()),
                offset_ms: index as f64 * 10.0,
                duration_ms,
                self_ms: duration_ms,
                critical: index % 1000 < 3,
                ..TimelineRow::default()
            }
        })
        .collect()
}
