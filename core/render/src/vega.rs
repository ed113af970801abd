//! Charts as Vega-Lite 5 specifications with their data inside: `application/vnd.vegalite.v5+json`.
//!
//! No ground colour and no text colour is set, so that the chart follows the theme of the notebook.

use std::collections::{BTreeMap, BTreeSet};

use flockscope_model::rows::{RedRow, TimelineRow};
use serde_json::{Value, json};

use crate::colour;
use crate::figures;
use crate::records::{chart_ms, chart_time};
use crate::tables::red_group;
use crate::timeline::{Content, TimelineOptions, is_error, plan};
use crate::visible;

/// The schema that the specifications follow.
pub const SCHEMA: &str = "https://vega.github.io/schema/vega-lite/v5.json";

/// Lines, bars and spans that one chart holds.
const MOST_GROUPS: usize = 8;
const MOST_BARS: usize = 30;
const MOST_SPANS: usize = 100;

/// RED over time: the median and the 95th percentile as lines, errors as bars below. Rows must have a `bucket_time`;
/// others are left out. Several groups get a colour each; of more than eight, those with the most time are shown.
pub fn red_series(rows: &[RedRow]) -> Value {
    let mut total: BTreeMap<String, f64> = BTreeMap::new();
    for row in rows {
        *total.entry(group(row)).or_default() += if row.total_ms.is_finite() { row.total_ms } else { 0.0 };
    }
    let all = total.len();
    let mut by_time: Vec<(String, f64)> = total.into_iter().collect();
    by_time.sort_by(|one, other| other.1.total_cmp(&one.1));
    by_time.truncate(MOST_GROUPS);
    let groups: BTreeSet<String> = by_time.into_iter().map(|(group, _)| group).collect();
    let data: Vec<Value> = rows
        .iter()
        .filter(|row| groups.contains(&group(row)))
        .filter_map(|row| {
            Some(json!({
                "time": chart_time(row.bucket_time?),
                "group": group(row),
                "calls": row.calls,
                "errors": row.errors,
                "p50": chart_ms(row.p50_ms),
                "p95": chart_ms(row.p95_ms),
            }))
        })
        .collect();
    let colour = group_colours(&groups);
    let time = json!({"field": "time", "type": "temporal", "scale": {"type": "utc"}, "title": "time (UTC)"});
    json!({
        "$schema": SCHEMA,
        "description": "Median and 95th percentile of durations, and errors, over time",
        "title": shown_of(groups.len(), all, "group"),
        "data": {"values": data},
        "vconcat": [
            {
                "width": 640,
                "height": 200,
                "transform": [{"fold": ["p50", "p95"], "as": ["percentile", "ms"]}],
                "layer": [
                    {"mark": "line"},
                    // The shape tells groups apart without colour.
                    {
                        "mark": {"type": "point", "filled": true, "size": 40, "tooltip": true},
                        "encoding": {"shape": {"field": "group", "type": "nominal", "title": null, "scale": {"domain": groups}}},
                    },
                ],
                "encoding": {
                    "x": time,
                    "y": {"field": "ms", "type": "quantitative", "title": "duration ms"},
                    "color": colour,
                    "strokeDash": {"field": "percentile", "type": "nominal", "scale": {"domain": ["p50", "p95"], "range": [[1, 0], [5, 3]]}},
                },
            },
            {
                "width": 640,
                "height": 80,
                "mark": {"type": "bar", "tooltip": true},
                "encoding": {
                    "x": time,
                    "y": {"field": "errors", "type": "quantitative", "title": "errors", "axis": {"tickMinStep": 1}},
                    "color": {"value": colour::ERROR.hex},
                    "detail": {"field": "group"},
                },
            },
        ],
    })
}

/// How durations are spread, on a logarithmic scale: `durations_ms` are those of single spans, `title` says of which.
pub fn duration_histogram(title: &str, durations_ms: &[f64]) -> Value {
    // Ten bins a decade, counted here: a million spans become a few dozen bars.
    let mut bins: BTreeMap<i32, u64> = BTreeMap::new();
    for ms in durations_ms.iter().filter(|ms| ms.is_finite()) {
        // A span of no measurable time is counted in the bin of a nanosecond.
        let bin = (ms.max(1e-6).log10() * 10.0).floor() as i32;
        *bins.entry(bin).or_default() += 1;
    }
    let edge = |bin: i32| 10_f64.powf(f64::from(bin) / 10.0);
    let data: Vec<Value> = bins
        .iter()
        .map(|(&bin, &spans)| json!({"from": edge(bin), "to": edge(bin + 1), "spans": spans}))
        .collect();
    json!({
        "$schema": SCHEMA,
        "description": "Spread of durations",
        "title": words(title),
        "data": {"values": data},
        "width": 640,
        "height": 200,
        "mark": {"type": "rect", "tooltip": true, "color": colour::PALETTE[0].hex},
        "encoding": {
            "x": {"field": "from", "type": "quantitative", "scale": {"type": "log"}, "title": "duration ms"},
            "x2": {"field": "to"},
            "y": {"field": "spans", "type": "quantitative", "title": "spans", "scale": {"zero": true}},
            "y2": {"datum": 0},
        },
    })
}

/// The groups with the most time, at most 30.
pub fn total_time(rows: &[RedRow]) -> Value {
    let mut sorted: Vec<&RedRow> = rows.iter().collect();
    sorted.sort_by(|one, other| other.total_ms.total_cmp(&one.total_ms));
    let shown = sorted.len().min(MOST_BARS);
    let data: Vec<Value> = sorted[..shown]
        .iter()
        .map(|row| {
            json!({
                "group": group(row),
                "service": words(row.service.as_deref().unwrap_or_default()),
                "total": chart_ms(row.total_ms),
                "calls": row.calls,
                "errors": row.errors,
            })
        })
        .collect();
    let services = sorted[..shown]
        .iter()
        .map(|row| row.service.as_deref().unwrap_or_default());
    json!({
        "$schema": SCHEMA,
        "description": "Total time by group",
        "title": shown_of(shown, rows.len(), "group"),
        "data": {"values": data},
        "width": 480,
        "height": {"step": 18},
        "mark": {"type": "bar", "tooltip": true},
        "encoding": {
            "y": {"field": "group", "type": "nominal", "sort": null, "title": null, "axis": {"labelLimit": 300}},
            "x": {"field": "total", "type": "quantitative", "title": "total ms"},
            "color": service_colours(services),
        },
    })
}

/// A trace as a chart: at most 100 spans, errors with a dark edge.
pub fn timeline(rows: &[TimelineRow]) -> Value {
    let options = TimelineOptions {
        max_rows: MOST_SPANS,
        ..TimelineOptions::default()
    };
    let plan = plan(rows, &options);
    let shown: Vec<(usize, &TimelineRow)> = plan
        .lines
        .iter()
        .filter_map(|line| match line.content {
            Content::Span(index) => Some((line.depth, &rows[index])),
            Content::Folded(_) => None,
        })
        .collect();
    let data: Vec<Value> = shown
        .iter()
        .enumerate()
        .map(|(place, (depth, row))| {
            let indent = "· ".repeat((*depth).min(16));
            let sign = if is_error(row) { "✗ " } else { "" };
            json!({
                // The number keeps lines of the same name apart; the axis does not show it.
                "line": format!("{place:03}|{indent}{sign}{}", words(&row.name)),
                "name": words(&row.name),
                "service": words(&row.service),
                "agent": row.agent.as_deref().map(words),
                "status": words(&row.status_code),
                "start": chart_ms(row.offset_ms),
                // The shortest spans are drawn as long as two pixels.
                "end": chart_ms(row.offset_ms + row.duration_ms.max(plan.duration_ms / 320.0)),
                "duration": chart_ms(row.duration_ms),
                "self": chart_ms(row.self_ms),
                "critical": row.critical,
            })
        })
        .collect();
    let services = shown.iter().map(|(_, row)| row.service.as_str());
    let tooltip: Vec<Value> = [
        "name", "service", "agent", "status", "start", "duration", "self", "critical",
    ]
    .iter()
    .map(|field| json!({"field": field}))
    .collect();
    json!({
        "$schema": SCHEMA,
        "description": "Timeline of a trace",
        "title": format!("{}: {}", words(plan.title()), shown_of(shown.len(), rows.len(), "span")),
        "data": {"values": data},
        "width": 640,
        "height": {"step": 16},
        "mark": {"type": "bar", "height": {"band": 0.7}},
        "encoding": {
            "y": {
                "field": "line",
                "type": "nominal",
                "sort": null,
                "title": null,
                "axis": {"labelExpr": "slice(datum.label, 4)", "labelAlign": "left", "labelPadding": 250, "labelLimit": 245, "minExtent": 250, "domain": false, "ticks": false},
            },
            "x": {"field": "start", "type": "quantitative", "title": "ms"},
            "x2": {"field": "end"},
            "color": service_colours(services),
            "stroke": {"condition": {"test": "datum.status == 'ERROR'", "value": colour::ERROR.hex}, "value": null},
            "strokeWidth": {"condition": {"test": "datum.status == 'ERROR'", "value": 3}, "value": 0},
            "tooltip": tooltip,
        },
    })
}

fn words(text: &str) -> String {
    visible::line(&visible::shorten(text, 120)).into_owned()
}

fn group(row: &RedRow) -> String {
    words(&red_group(row))
}

fn shown_of(shown: usize, all: usize, unit: &str) -> String {
    format!(
        "{} of {}",
        figures::count(shown as i64),
        figures::counted(all as i64, unit)
    )
}

/// The same colour for a service as everywhere else.
fn service_colours<'a>(services: impl Iterator<Item = &'a str>) -> Value {
    let services: BTreeSet<&str> = services.collect();
    json!({
        "field": "service",
        "type": "nominal",
        "scale": {
            "domain": services.iter().map(|service| words(service)).collect::<Vec<_>>(),
            "range": services.iter().map(|service| colour::mark(service).colour.hex).collect::<Vec<_>>(),
        },
    })
}

/// Groups are coloured by their whole name, as operations of one service would else be all alike.
fn group_colours(groups: &BTreeSet<String>) -> Value {
    json!({
        "field": "group",
        "type": "nominal",
        "title": null,
        "scale": {
            "domain": groups,
            "range": groups.iter().map(|group| colour::mark(group).colour.hex).collect::<Vec<_>>(),
        },
    })
}
