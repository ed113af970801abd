//! Rate, errors and durations as bars.

use flockscope_model::rows::RedRow;
use maud::html;

use super::{Ink, document, fit, number, words};
use crate::colour;
use crate::figures;
use crate::tables::red_group;

const MOST_ROWS: usize = 60;
const WIDTH: f64 = 1000.0;
const NAMES: f64 = 330.0;
const BARS: f64 = 300.0;
const ROW: f64 = 22.0;
const TOP: f64 = 56.0;

/// A bar a group: the share of the time of all groups. The 60 groups with the most time.
pub fn red(rows: &[RedRow]) -> String {
    let total: f64 = rows.iter().map(|row| row.total_ms).filter(|ms| ms.is_finite()).sum();
    let mut shown: Vec<&RedRow> = rows.iter().collect();
    shown.sort_by(|one, other| other.total_ms.total_cmp(&one.total_ms));
    shown.truncate(MOST_ROWS);
    let most = shown
        .iter()
        .map(|row| figures::share(row.total_ms, total))
        .fold(0.0, f64::max);
    let height = TOP + ROW * shown.len() as f64 + 32.0;
    let body = html! {
        text class="ink" x="12" y="22" fill=(super::INK) font-weight="bold" { "Time by group" }
        @for (x, title, anchor) in [(12.0, "group", "start"), (NAMES, "share of all time", "start"), (720.0, "calls", "end"), (830.0, "errors", "end"), (910.0, "p50", "end"), (WIDTH - 12.0, "p95", "end")] {
            (words(x, 44.0, title, Ink::Faint, anchor))
        }
        @for (place, row) in shown.iter().enumerate() {
            @let y = TOP + ROW * place as f64;
            @let base = y + 14.0;
            @let share = figures::share(row.total_ms, total);
            @let mark = colour::mark(row.service.as_deref().unwrap_or_default());
            @let group = red_group(row);
            text x="12" y=(number(base)) fill=(mark.colour.hex) { (mark.sign) }
            (words(26.0, base, &fit(&group, NAMES - 34.0), Ink::Plain, "start"))
            rect x=(number(NAMES)) y=(number(y + 4.0)) width=(number((BARS - 60.0) * figures::share(share, most))) height="12" fill=(mark.colour.hex) {}
            (words(NAMES + 6.0 + (BARS - 60.0) * figures::share(share, most), base, &figures::percent(share), Ink::Faint, "start"))
            (words(720.0, base, &figures::count(row.calls), Ink::Plain, "end"))
            @if row.errors > 0 {
                (words(830.0, base, &format!("✗ {} ({})", figures::count(row.errors), figures::percent(row.error_rate)), Ink::Error, "end"))
            } @else {
                (words(830.0, base, "0", Ink::Faint, "end"))
            }
            (words(910.0, base, &figures::duration(row.p50_ms), Ink::Plain, "end"))
            (words(WIDTH - 12.0, base, &figures::duration(row.p95_ms), Ink::Plain, "end"))
        }
        (words(12.0, height - 10.0, &format!("{} of {} shown", shown.len(), figures::counted(rows.len() as i64, "group")), Ink::Faint, "start"))
    };
    document("Rate, errors and durations", WIDTH, height, &body)
}
