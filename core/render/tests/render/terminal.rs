//! Terminal text: never wider than asked, never a byte that steers the terminal.

use flockscope_render::{Style, TimelineOptions, text};
use proptest::prelude::*;
use unicode_width::UnicodeWidthStr;

use crate::rows;

/// Takes the SGR sequences out, which are the only escapes that may be there.
fn without_sgr(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once('m') {
            Some((codes, rest)) if codes.bytes().all(|byte| byte.is_ascii_digit() || byte == b';') => {
                out.push_str(rest)
            }
            _ => {
                out.push_str("\u{1b}[");
                out.push_str(part);
            }
        }
    }
    out
}

fn check(text: &str, style: &Style) -> Result<(), TestCaseError> {
    let plain = without_sgr(text);
    prop_assert!(style.colour || plain == text, "colours that nobody asked for");
    prop_assert!(style.unicode || plain.is_ascii(), "{plain}");
    for c in plain.chars() {
        let steers = c.is_control() && c != '\n'
            || matches!(c, '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        prop_assert!(!steers, "{:?} in {plain:?}", c);
    }
    for line in plain.lines() {
        prop_assert!(
            line.width() <= style.width.max(30),
            "{} columns of {}: {line:?}",
            line.width(),
            style.width
        );
    }
    prop_assert!(text.ends_with('\n'));
    Ok(())
}

fn style() -> impl Strategy<Value = Style> {
    (any::<bool>(), 0..200_usize, any::<bool>()).prop_map(|(colour, width, unicode)| Style { colour, width, unicode })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_hostile_timeline_fits(rows in prop::collection::vec(rows::timeline_row(), 0..12), style in style(), most in 0..12_usize) {
        let options = TimelineOptions { max_rows: most, ..TimelineOptions::default() };
        check(&text::timeline(&rows, &options, &style), &style)?;
    }

    #[test]
    fn hostile_tables_fit(
        red in prop::collection::vec(rows::red_row(), 0..8),
        traces in prop::collection::vec(rows::trace_row(), 0..5),
        exceptions in prop::collection::vec(rows::exception_row(), 0..2),
        columns in prop::collection::vec(rows::hostile(), 0..8),
        values in prop::collection::vec(prop::collection::vec(prop::option::of(rows::hostile()), 0..8), 0..5),
        style in style(),
    ) {
        check(&text::red(&red, &red, &style), &style)?;
        check(&text::traces(&traces, &style), &style)?;
        check(&text::exceptions(&exceptions, &style), &style)?;
        check(&text::answer(&columns, &values, Some(1000), &style), &style)?;
    }

    #[test]
    fn a_hostile_graph_fits_and_draws_every_edge_once(edges in prop::collection::vec(rows::dependency_row(), 0..20), style in style()) {
        let drawn = text::dependencies(&edges, &style);
        check(&drawn, &style)?;
        let wide = Style { colour: false, width: 200, unicode: true };
        let turns = text::dependencies(&edges, &wide).lines().filter(|line| line.contains("├→ ") || line.contains("└→ ")).count();
        prop_assert_eq!(turns, edges.len());
    }
}

#[test]
fn a_small_trace_as_text() {
    let style = Style {
        width: 90,
        ..Style::default()
    };
    insta::assert_snapshot!(text::timeline(
        &rows::small_trace(),
        &TimelineOptions::default(),
        &style
    ));
}

#[test]
fn a_small_trace_as_ascii_on_a_narrow_terminal() {
    let style = Style {
        width: 44,
        unicode: false,
        colour: false,
    };
    insta::assert_snapshot!(text::timeline(
        &rows::small_trace(),
        &TimelineOptions::default(),
        &style
    ));
}

#[test]
fn every_span_where_all_are_wanted() {
    let text = text::timeline(&rows::small_trace(), &TimelineOptions::all(), &Style::default());
    assert_eq!(text.matches("Metrics.on_initialize").count(), 6);
    assert!(text.ends_with("11 of 11 spans shown · ┃ critical path\n"), "{text}");
}

#[test]
fn errors_are_coloured_and_marked() {
    let style = Style {
        colour: true,
        ..Style::default()
    };
    let text = text::timeline(&rows::small_trace(), &TimelineOptions::default(), &style);
    assert!(
        text.contains("\u{1b}[1m\u{1b}[38;5;160m✗ ERROR KeyError: 'toaster'\u{1b}[0m"),
        "{text:?}"
    );
}

#[test]
fn a_small_graph_as_text() {
    insta::assert_snapshot!(text::dependencies(
        &rows::small_graph(),
        &Style {
            width: 110,
            ..Style::default()
        }
    ));
}

#[test]
fn red_as_text() {
    let style = Style {
        width: 160,
        ..Style::default()
    };
    let mut series = Vec::new();
    for (bucket, calls) in [(0, 100), (60, 0), (120, 1400)] {
        let mut row = rows::small_red()[0].clone();
        (row.bucket_time, row.calls) = (Some(bucket * 1_000_000_000), calls);
        series.push(row);
    }
    insta::assert_snapshot!(text::red(&rows::small_red(), &series, &style));
    let narrow = text::red(&rows::small_red(), &[], &Style { width: 60, ..style });
    assert!(narrow.contains("2 groups · no room for: "), "{narrow}");
}

#[test]
fn a_sql_answer_as_text() {
    let columns = ["name".to_owned(), "n".to_owned()];
    let rows = vec![
        vec![Some("a".to_owned()), Some("1".to_owned())],
        vec![None, Some("-22.5".to_owned())],
    ];
    let text = text::answer(&columns, &rows, Some(1234), &Style::default());
    assert_eq!(
        text,
        "name      n\n────  ─────\na         1\nNULL  -22.5\n2 of 1,234 rows\n"
    );
}
