//! A table.

use maud::{Markup, html};

use super::{GREY, error, share_bar, sign, spark};
use crate::table::{Cell, Table};
use crate::visible;

/// Characters of a cell that are shown; the rest is said to be there.
const MOST_CHARACTERS: usize = 300;

/// A table with a line below it that says how many rows are shown.
pub fn table(table: &Table) -> String {
    let line = format!("1px solid {GREY}");
    html! {
        div style="overflow:auto;max-width:100%" {
            table style="border-collapse:collapse;font-size:13px;text-align:left" {
                @if table.columns.iter().any(|column| !column.title.is_empty()) {
                    thead {
                        tr {
                            @for column in &table.columns {
                                th style={ "padding:3px 8px;white-space:nowrap;border-bottom:2px solid #878787;text-align:" (side(column.right)) } {
                                    (visible::line(&column.title))
                                }
                            }
                        }
                    }
                }
                tbody {
                    @for row in &table.rows {
                        tr {
                            @for (column, cell) in table.columns.iter().zip(row) {
                                td style={ "padding:3px 8px;vertical-align:top;border-bottom:" (line) ";text-align:" (side(column.right)) (wrapping(cell)) } {
                                    (draw(cell))
                                }
                            }
                        }
                    }
                }
            }
        }
        div style="font-size:12px;opacity:0.75;margin:4px 8px" { (table.shown()) }
    }
    .into_string()
}

fn side(right: bool) -> &'static str {
    if right { "right" } else { "left" }
}

/// Figures and short texts stay on one line; long texts wrap anywhere.
fn wrapping(cell: &Cell) -> &'static str {
    match cell {
        Cell::Text(text) if text.len() > 60 => ";min-width:240px;word-wrap:break-word",
        _ => ";white-space:nowrap",
    }
}

fn draw(cell: &Cell) -> Markup {
    html! {
        @match cell {
            Cell::Empty => {},
            Cell::Null => em style="opacity:0.6" { "NULL" },
            Cell::Text(text) | Cell::Figure(text) => (cut(text)),
            Cell::Faint(text) => span style="opacity:0.6" { (cut(text)) },
            Cell::Error(text) => (error(&visible::shorten(text, MOST_CHARACTERS))),
            Cell::Service(service) => { (sign(service)) " " (cut(service)) },
            Cell::Share(share) => (share_bar(*share)),
            Cell::Series(series) => (spark(series)),
        }
    }
}

fn cut(text: &str) -> Markup {
    let shown = visible::shorten(text, MOST_CHARACTERS);
    html! {
        (visible::line(&shown))
        @if shown.len() < text.len() {
            span style="opacity:0.6" { " (" (crate::figures::count(text.chars().count() as i64)) " characters)" }
        }
    }
}
