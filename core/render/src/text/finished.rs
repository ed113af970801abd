//! A span that has just ended, as a line of a running list.

use flockscope_model::{Span, StatusCode};

use super::Style;
use super::paint::{Ink, Paint, pad};
use crate::figures;
use crate::visible;

/// Columns of a duration, as in the timeline.
const FIGURE: usize = 10;

/// One line: when the span ended (UTC), how long it took, its name and agent; for the root of a trace the beginning of the
/// trace's id, for an error its text.
pub fn finished(span: &Span, agent: Option<&str>, style: &Style) -> String {
    let paint = Paint::new(style);
    let time = figures::time(span.end_time);
    let time = time.split_once(' ').map_or(time.as_str(), |(_, time)| time);
    // A narrow terminal has no room for the time.
    let time = if style.columns() < 40 { "" } else { time };
    let duration = paint.own(&figures::duration(span.duration_ms())).into_owned();
    let is_error = span.status_code == StatusCode::Error;
    let error = match (is_error, style.unicode) {
        (false, _) => "  ",
        (true, true) => "✗ ",
        (true, false) => "! ",
    };
    let mut room = style.columns().saturating_sub(time.len() + 1 + FIGURE + 2 + 2 + 2);
    let mut part = |ink: Ink, text: &str| {
        let text = paint.fit(text, room);
        room -= visible::width(&text).min(room);
        paint.ink(ink, &text)
    };
    let is_root = span.parent_id.is_none();
    let name_ink = match (is_error, is_root) {
        (true, _) => Ink::Error,
        (false, true) => Ink::Bold,
        (false, false) => Ink::Plain,
    };
    let name = part(name_ink, &span.name);
    let agent = agent
        .map(|agent| part(Ink::Faint, &format!(" [{agent}]")))
        .unwrap_or_default();
    let trace = if is_root {
        let start: String = span.trace_id.chars().take(8).collect();
        part(Ink::Faint, &format!("  trace {start}"))
    } else {
        String::new()
    };
    let text = match (is_error, &span.status_description) {
        (true, Some(text)) => part(Ink::Error, &format!("  ERROR {text}")),
        (true, None) => part(Ink::Error, "  ERROR"),
        (false, _) => String::new(),
    };
    format!(
        "{} {}  {}{} {name}{agent}{trace}{text}\n",
        paint.ink(Ink::Faint, time),
        pad(duration, FIGURE, true),
        paint.ink(Ink::Error, error),
        paint.sign(&span.service),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use flockscope_model::NewSpan;

    fn line(change: impl FnOnce(&mut NewSpan), agent: Option<&str>, style: &Style) -> String {
        let mut found = NewSpan {
            trace_id: "5b8efff798038103d269b633813fc60c".into(),
            span_id: "eee19b7ec3c1b174".into(),
            parent_id: Some("aaa19b7ec3c1b174".into()),
            name: "Agent.execute".into(),
            start_time: 1_700_000_000_000_000_000,
            end_time: 1_700_000_000_123_000_000,
            ..NewSpan::default()
        };
        change(&mut found);
        finished(&Span::new(found, |_| {}).unwrap(), agent, style)
    }

    #[test]
    fn a_line_says_when_how_long_and_who() {
        let text = line(|_| {}, Some("intake"), &Style::default());
        assert!(text.starts_with("22:13:20.123     123 ms    "), "{text:?}");
        assert!(text.ends_with(" Agent.execute [intake]\n"), "{text:?}");
    }

    #[test]
    fn an_error_is_told_by_sign_and_word() {
        let text = line(
            |span| {
                span.status_code = StatusCode::Error;
                span.status_description = Some("KeyError: 'a\u{1b}[2J'".into());
            },
            None,
            &Style::default(),
        );
        assert!(
            text.contains("✗ ") && text.contains("ERROR KeyError: 'a\\e[2J'"),
            "{text:?}"
        );
    }

    #[test]
    fn a_root_names_its_trace_and_no_line_is_too_long() {
        let style = Style {
            width: 40,
            ..Style::default()
        };
        let root = line(|span| span.parent_id = None, None, &Style::default());
        assert!(root.contains("trace 5b8efff7"), "{root:?}");
        let long = line(|span| span.name = "東".repeat(80), Some("agent"), &style);
        assert!(visible::width(long.trim_end()) <= 40, "{long:?}");
    }
}
