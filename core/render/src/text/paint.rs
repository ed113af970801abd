//! One place where telemetry becomes terminal text: cleaned, cut to its columns, coloured.

use std::borrow::Cow;

use anstyle::{Ansi256Color, Style as Sgr};

use super::Style;
use crate::colour::{self, Colour};
use crate::visible;

/// Cells of the spark line, lowest first.
const SPARKS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
const ASCII_SPARKS: [&str; 8] = ["_", ".", ":", "-", "=", "+", "*", "#"];

/// Parts of a bar's last cell, in eighths.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

#[derive(Clone, Copy)]
pub(super) enum Ink {
    Plain,
    Bold,
    Faint,
    Error,
    Of(Colour),
}

#[derive(Clone, Copy)]
pub(super) struct Paint {
    colour: bool,
    unicode: bool,
}

impl Paint {
    pub(super) fn new(style: &Style) -> Self {
        Self {
            colour: style.colour,
            unicode: style.unicode,
        }
    }

    pub(super) fn unicode(&self) -> bool {
        self.unicode
    }

    /// The text with its colour, if colours are on. The text must be fit to show.
    pub(super) fn ink(&self, ink: Ink, text: &str) -> String {
        let sgr = match ink {
            Ink::Plain => return text.to_owned(),
            Ink::Bold => Sgr::new().bold(),
            Ink::Faint => Sgr::new().dimmed(),
            Ink::Error => Sgr::new()
                .bold()
                .fg_color(Some(Ansi256Color(colour::ERROR.ansi).into())),
            Ink::Of(colour) => Sgr::new().fg_color(Some(Ansi256Color(colour.ansi).into())),
        };
        if self.colour && !text.trim().is_empty() {
            format!("{sgr}{text}{sgr:#}")
        } else {
            text.to_owned()
        }
    }

    /// Text of a trace, fit to show on one line.
    pub(super) fn clean<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.unicode {
            visible::line(text)
        } else {
            Cow::Owned(visible::ascii_line(text))
        }
    }

    /// Our own words: where only ASCII can be shown, our signs have their ASCII stand-ins.
    pub(super) fn own<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.unicode || text.is_ascii() {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                'µ' => out.push('u'),
                '…' => out.push_str("..."),
                '—' | '·' => out.push('-'),
                '×' => out.push('x'),
                '→' => out.push_str("->"),
                '✗' => out.push('!'),
                c if c.is_ascii() => out.push(c),
                // Part of a name from the trace.
                c => out.push_str(&visible::ascii_line(c.encode_utf8(&mut [0; 4]))),
            }
        }
        Cow::Owned(out)
    }

    /// Text of a trace, cleaned and cut to its columns.
    pub(super) fn fit(&self, text: &str, columns: usize) -> String {
        let ellipsis = if self.unicode { "…" } else { "~" };
        visible::cut(&self.clean(text), columns, ellipsis).into_owned()
    }

    /// As [`Self::fit`], filled up with blanks.
    pub(super) fn filled(&self, text: &str, columns: usize, right: bool) -> String {
        let text = self.fit(text, columns);
        pad(text, columns, right)
    }

    /// The service's sign.
    pub(super) fn sign(&self, service: &str) -> String {
        let mark = colour::mark(service);
        let sign = if self.unicode { mark.sign } else { mark.ascii };
        self.ink(Ink::Of(mark.colour), &sign.to_string())
    }

    /// A bar of `share` of `columns`, filled up with blanks. What is not nothing is never invisible.
    pub(super) fn bar(&self, share: f64, columns: usize) -> String {
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
        let eighths = (share * (columns * 8) as f64).round() as usize;
        let eighths = if share > 0.0 { eighths.max(1) } else { 0 };
        let bar = if self.unicode {
            format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
        } else {
            "#".repeat(eighths.div_ceil(8))
        };
        pad(bar, columns, false)
    }

    /// A bar from `start` to `end`, both shares of `columns`.
    pub(super) fn span_bar(&self, start: f64, end: f64, columns: usize) -> (String, String, String) {
        let cells = columns as f64;
        let first = ((start * cells).floor() as usize).min(columns.saturating_sub(1));
        let last = ((end * cells).round() as usize).clamp(first + 1, columns.max(first + 1));
        let full = if self.unicode { "█" } else { "#" };
        let thin = if self.unicode { "▏" } else { "|" };
        let bar = if (end - start) * cells < 0.5 {
            thin.to_owned()
        } else {
            full.repeat(last - first)
        };
        let after = columns - first - visible::width(&bar).min(columns - first);
        (" ".repeat(first), bar, " ".repeat(after))
    }

    /// A line of small columns, the highest for the greatest figure; at most `columns` of them, neighbours summed.
    pub(super) fn spark(&self, figures: &[f64], columns: usize) -> String {
        let figures = crate::spark::buckets(figures, columns);
        let greatest = figures.iter().copied().fold(0.0, f64::max);
        let cells = if self.unicode { SPARKS } else { ASCII_SPARKS };
        figures
            .iter()
            .map(|figure| {
                if *figure <= 0.0 {
                    " "
                } else {
                    cells[((figure / greatest * 7.0).round() as usize).min(7)]
                }
            })
            .collect()
    }
}

/// Filled up with blanks to so many columns.
pub(super) fn pad(text: String, columns: usize, right: bool) -> String {
    let blanks = " ".repeat(columns.saturating_sub(visible::width(&text)));
    if right { blanks + &text } else { text + &blanks }
}
