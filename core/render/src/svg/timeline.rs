//! A trace as a waterfall.

use flockscope_model::rows::TimelineRow;
use maud::{Markup, html};

use super::{Ink, document, fit, number, text_width, words};
use crate::colour;
use crate::figures;
use crate::timeline::{Content, Line, Plan, TimelineOptions, error_text, is_error, place, plan};
use crate::visible;

/// Lines at most: a taller picture is not read.
const MOST_ROWS: usize = 200;
/// Levels that are indented.
const DEEPEST: usize = 16;

const WIDTH: f64 = 1200.0;
const NAMES: f64 = 400.0;
const FIGURES: f64 = 80.0;
const ROW: f64 = 20.0;
const TOP: f64 = 64.0;
const BARS: f64 = WIDTH - NAMES - FIGURES - 24.0;

/// The timeline of one trace: at most 200 spans, and said how many there are.
pub fn timeline(rows: &[TimelineRow], options: &TimelineOptions) -> String {
    let options = TimelineOptions {
        fold: options.fold,
        max_rows: options.max_rows.min(MOST_ROWS),
        ..TimelineOptions::default()
    };
    let plan = plan(rows, &options);
    let height = TOP + ROW * plan.lines.len() as f64 + 32.0;
    let title = format!(
        "Timeline of {}: {}",
        visible::shorten(plan.title(), 200),
        plan.facts().join(", ")
    );
    let body = html! {
        text class="ink" x="12" y="22" fill=(super::INK) font-weight="bold" { (fit(plan.title(), 500.0)) }
        (words(12.0, 40.0, &plan.facts().join(" · "), Ink::Faint, "start"))
        (scale(&plan, height))
        @for (place, line) in plan.lines.iter().enumerate() {
            (row(&plan, line, TOP + ROW * place as f64))
        }
        (words(12.0, height - 10.0, &foot(&plan), Ink::Faint, "start"))
    };
    document(&title, WIDTH, height, &body)
}

fn foot(plan: &Plan<'_>) -> String {
    let mut words = plan.shown_words();
    if plan.rows.iter().any(|row| row.critical) {
        words.push_str(" · ┃ critical path");
    }
    words
}

fn scale(plan: &Plan<'_>, height: f64) -> Markup {
    html! {
        @for quarter in 0..=4 {
            @let share = f64::from(quarter) / 4.0;
            @let x = NAMES + BARS * share;
            line x1=(number(x)) x2=(number(x)) y1=(number(TOP - 6.0)) y2=(number(height - 28.0)) stroke="#878787" stroke-opacity="0.35" {}
            (words(x, TOP - 10.0, &figures::duration(plan.duration_ms * share), Ink::Faint, "middle"))
        }
    }
}

fn row(plan: &Plan<'_>, line: &Line, y: f64) -> Markup {
    let base = y + 14.0;
    let x = 24.0 + 10.0 * line.depth.min(DEEPEST) as f64;
    match &line.content {
        Content::Folded(folded) => {
            let ink = if folded.errors > 0 { Ink::Error } else { Ink::Faint };
            let sign = if folded.errors > 0 { "✗ " } else { "" };
            html! {
                @if folded.critical { (words(10.0, base, "┃", Ink::Plain, "start")) }
                (words(x, base, &fit(&format!("{sign}… {}", folded.words()), NAMES - x - 8.0), ink, "start"))
                (bar(plan, folded.start_ms, folded.end_ms, y, "#878787", "0.4", false))
            }
        }
        Content::Span(index) => {
            let row = &plan.rows[*index];
            let failed = is_error(row);
            let mark = colour::mark(&row.service);
            let colour = if failed { colour::ERROR.hex } else { mark.colour.hex };
            let agent = row
                .agent
                .as_ref()
                .map(|agent| format!(" [{agent}]"))
                .unwrap_or_default();
            let sign = if failed { "✗ " } else { "" };
            let hover = format!(
                "{} · {} · starts at {} · takes {} · self {}{}",
                visible::shorten(&row.name, 200),
                row.status_code,
                figures::duration(row.offset_ms),
                figures::duration(row.duration_ms),
                figures::duration(row.self_ms),
                error_text(row)
                    .map(|text| format!(" · {}", visible::shorten(&text, 400)))
                    .unwrap_or_default(),
            );
            html! {
                g {
                    title { (visible::line(&hover)) }
                    @if row.critical { (words(10.0, base, "┃", Ink::Plain, "start")) }
                    text x=(number(x)) y=(number(base)) fill=(mark.colour.hex) { (mark.sign) }
                    (words(x + 14.0, base, &fit(&format!("{sign}{}{agent}", row.name), NAMES - x - 22.0), if failed { Ink::Error } else { Ink::Plain }, "start"))
                    (bar(plan, row.offset_ms, row.offset_ms + row.duration_ms, y, colour, "1", failed))
                    (words(WIDTH - 12.0, base, &figures::duration(row.duration_ms), Ink::Plain, "end"))
                    @if let (true, Some(text)) = (failed, error_text(row)) {
                        (error_beside(plan, row, &text, y))
                    }
                }
            }
        }
    }
}

/// The text of an error, beside its bar, where there is more room.
fn error_beside(plan: &Plan<'_>, row: &TimelineRow, text: &str, y: f64) -> Markup {
    let (start, end) = place(row.offset_ms, row.offset_ms + row.duration_ms, plan.duration_ms);
    let right = BARS * (1.0 - end);
    let left = BARS * start;
    if right >= left {
        let text = fit(text, right - 12.0);
        html! { @if right > 60.0 { (words(NAMES + BARS * end + 6.0, y + 14.0, &text, Ink::Error, "start")) } }
    } else {
        let text = fit(text, left - 12.0);
        html! { @if left > 60.0 && text_width(&text) < left { (words(NAMES + left - 6.0, y + 14.0, &text, Ink::Error, "end")) } }
    }
}

fn bar(plan: &Plan<'_>, start_ms: f64, end_ms: f64, y: f64, colour: &str, opacity: &str, failed: bool) -> Markup {
    let (start, end) = place(start_ms, end_ms, plan.duration_ms);
    let width = (BARS * (end - start)).max(1.5);
    let x = (NAMES + BARS * start).min(NAMES + BARS - width);
    html! {
        rect x=(number(x)) y=(number(y + 5.0)) width=(number(width)) height="10" rx="1.5" fill=(colour) fill-opacity=(opacity) stroke=[failed.then_some("#878787")] {}
    }
}
