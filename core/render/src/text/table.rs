//! A table in as many columns as there are.
//!
//! Written here rather than by a table library, because a terminal is narrow and figures must not be wrapped: columns
//! of text give way first, then whole columns of little weight, and the line below says which.

use std::fmt::Write as _;

use super::Style;
use super::paint::{Ink, Paint, pad};
use crate::figures;
use crate::table::{Cell, Table};
use crate::visible;

/// Columns of a bar and of a spark line.
const BAR: usize = 10;
const SPARK: usize = 16;
/// No column of text needs more, so that one long value can't push the others out.
const MOST_TEXT: usize = 60;
const GAP: usize = 2;

/// A table, cut to the width of the terminal.
pub fn table(table: &Table, style: &Style) -> String {
    let paint = Paint::new(style);
    let all = style.columns();
    let natural = natural_widths(table, &paint);
    let kept = kept_columns(table, &natural, all);
    let widths = fitted(table, &natural, &kept, all);
    let mut out = String::new();
    if table.columns.iter().any(|column| !column.title.is_empty()) {
        let titles = kept.iter().zip(&widths).map(|(&column, &width)| {
            let column = &table.columns[column];
            paint.filled(&column.title, width, column.right)
        });
        line(&mut out, titles.map(|title| paint.ink(Ink::Bold, &title)));
        let rule = if style.unicode { "─" } else { "-" };
        line(
            &mut out,
            widths.iter().map(|&width| paint.ink(Ink::Faint, &rule.repeat(width))),
        );
    }
    for row in &table.rows {
        let cells = kept.iter().zip(&widths).map(|(&column, &width)| {
            let cell = row.get(column).unwrap_or(&Cell::Empty);
            draw(&paint, cell, width, table.columns[column].right)
        });
        line(&mut out, cells);
    }
    let mut foot = table.shown();
    if kept.len() < table.columns.len() {
        let hidden: Vec<String> = (0..table.columns.len())
            .filter(|column| !kept.contains(column))
            .map(|column| match table.columns[column].title.as_str() {
                "" => "bar".to_owned(),
                title => title.to_owned(),
            })
            .collect();
        let _ = write!(foot, " · no room for: {}", hidden.join(", "));
    }
    let foot = paint.fit(&paint.own(&foot), all);
    let _ = writeln!(out, "{}", paint.ink(Ink::Faint, &foot));
    out
}

fn line(out: &mut String, cells: impl Iterator<Item = String>) {
    for (place, cell) in cells.enumerate() {
        if place > 0 {
            out.push_str(&" ".repeat(GAP));
        }
        out.push_str(&cell);
    }
    out.truncate(out.trim_end_matches(' ').len());
    out.push('\n');
}

/// What a cell says in words; bars and spark lines say it otherwise.
fn words(cell: &Cell) -> &str {
    match cell {
        Cell::Empty | Cell::Share(_) | Cell::Series(_) => "",
        Cell::Null => "NULL",
        Cell::Text(text) | Cell::Figure(text) | Cell::Faint(text) | Cell::Error(text) | Cell::Service(text) => text,
    }
}

fn cell_width(paint: &Paint, cell: &Cell) -> usize {
    match cell {
        Cell::Share(_) => BAR + 7,
        Cell::Series(figures) => figures.len().min(SPARK),
        Cell::Service(text) => 2 + width_of(paint, text),
        _ => width_of(paint, words(cell)),
    }
}

fn width_of(paint: &Paint, text: &str) -> usize {
    // Nobody sees more of it than this.
    let text = visible::shorten(text, 4 * MOST_TEXT);
    visible::width(&paint.clean(&text)).min(MOST_TEXT)
}

fn natural_widths(table: &Table, paint: &Paint) -> Vec<usize> {
    (0..table.columns.len())
        .map(|column| {
            let cells = table.rows.iter().filter_map(|row| row.get(column));
            let widest = cells.map(|cell| cell_width(paint, cell)).max().unwrap_or(0);
            widest.max(width_of(paint, &table.columns[column].title))
        })
        .collect()
}

fn least_width(table: &Table, natural: &[usize], column: usize) -> usize {
    let is_text = !table.columns[column].right
        && !table.rows.iter().any(|row| {
            matches!(
                row.get(column),
                Some(Cell::Figure(_) | Cell::Share(_) | Cell::Series(_))
            )
        });
    if is_text {
        natural[column].min(table.columns[column].least)
    } else {
        natural[column]
    }
}

/// The columns for which there is room, in their order: those of the highest rank go first.
fn kept_columns(table: &Table, natural: &[usize], all: usize) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..table.columns.len()).collect();
    let needed = |kept: &[usize]| {
        let widths: usize = kept.iter().map(|&column| least_width(table, natural, column)).sum();
        widths + GAP * kept.len().saturating_sub(1)
    };
    while kept.len() > 1 && needed(&kept) > all {
        let Some(place) = (0..kept.len()).max_by_key(|&place| (table.columns[kept[place]].rank, place)) else {
            break;
        };
        kept.remove(place);
    }
    kept
}

/// Widths that fit: the widest columns of text give way, one column at a time.
fn fitted(table: &Table, natural: &[usize], kept: &[usize], all: usize) -> Vec<usize> {
    let mut widths: Vec<usize> = kept.iter().map(|&column| natural[column]).collect();
    let gaps = GAP * kept.len().saturating_sub(1);
    let mut excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(all);
    while excess > 0 {
        let slack = |place: usize| widths[place].saturating_sub(least_width(table, natural, kept[place]));
        let Some(place) = (0..kept.len())
            .filter(|&place| slack(place) > 0)
            .max_by_key(|&place| widths[place])
        else {
            // Only a single column is left that has no slack: it is cut.
            if let Some(width) = widths.first_mut() {
                *width = width.saturating_sub(excess);
            }
            break;
        };
        widths[place] -= 1;
        excess -= 1;
    }
    widths
}

fn draw(paint: &Paint, cell: &Cell, width: usize, right: bool) -> String {
    match cell {
        Cell::Share(share) => {
            let percent = paint.own(&figures::percent(*share)).into_owned();
            let text = format!("{} {}", paint.bar(*share, BAR.min(width)), pad(percent, 6, true));
            pad(visible::cut(&text, width, "").into_owned(), width, right)
        }
        Cell::Series(series) => pad(paint.spark(series, SPARK.min(width)), width, right),
        Cell::Service(service) if width > 2 => {
            format!("{} {}", paint.sign(service), paint.filled(service, width - 2, right))
        }
        Cell::Figure(text) => paint.filled(&paint.own(text), width, right),
        _ => {
            let ink = match cell {
                Cell::Error(_) => Ink::Error,
                Cell::Null | Cell::Faint(_) => Ink::Faint,
                _ => Ink::Plain,
            };
            paint.ink(ink, &paint.filled(words(cell), width, right))
        }
    }
}
