//! A trace as a tree with bars.

use std::fmt::Write as _;

use flockscope_model::rows::TimelineRow;

use super::Style;
use super::paint::{Ink, Paint, pad};
use crate::figures;
use crate::timeline::{Content, Folded, Line, Plan, TimelineOptions, error_text, is_error, place, plan};
use crate::visible;

/// Columns of a duration: `1 h 02 min` is the longest usual one.
const FIGURE: usize = 10;

/// The signs that the tree is drawn with.
struct Signs {
    branch: &'static str,
    last: &'static str,
    trunk: &'static str,
    critical: &'static str,
    error: &'static str,
}

const UNICODE: Signs = Signs {
    branch: "├─",
    last: "└─",
    trunk: "│ ",
    critical: "┃",
    error: "✗",
};

const ASCII: Signs = Signs {
    branch: "|-",
    last: "`-",
    trunk: "| ",
    critical: "*",
    error: "!",
};

/// Columns of each part of a line.
struct Widths {
    all: usize,
    name: usize,
    /// 0 where the terminal is too narrow for bars.
    bar: usize,
    own: bool,
}

impl Widths {
    fn of(style: &Style) -> Self {
        let all = style.columns();
        let own = all >= 70;
        let fixed = 2 + 1 + FIGURE + if own { 1 + FIGURE } else { 0 };
        let bar = if all >= 60 {
            ((all - fixed) * 2 / 5).clamp(10, 80)
        } else {
            0
        };
        Self {
            all,
            name: all - fixed - if bar > 0 { bar + 1 } else { 0 },
            bar,
            own,
        }
    }
}

/// The timeline of one trace: rows of `timeline(trace)` in their order.
///
/// Each line shows the sign of the critical path, the span in the tree with its service's sign and its agent, its place
/// in the trace, its duration and its self time. The text of an error and a repair follow on a line of their own.
pub fn timeline(rows: &[TimelineRow], options: &TimelineOptions, style: &Style) -> String {
    let plan = plan(rows, options);
    let view = View {
        paint: Paint::new(style),
        signs: if style.unicode { &UNICODE } else { &ASCII },
        widths: Widths::of(style),
        plan: &plan,
    };
    view.draw()
}

struct View<'a> {
    paint: Paint,
    signs: &'static Signs,
    widths: Widths,
    plan: &'a Plan<'a>,
}

impl View<'_> {
    fn draw(&self) -> String {
        let mut out = String::new();
        self.head(&mut out);
        // Whether the line of each depth above is the last one below its parent.
        let mut lasts: Vec<bool> = Vec::new();
        for line in &self.plan.lines {
            lasts.truncate(line.depth);
            lasts.push(line.last);
            let prefix = self.prefix(line, &lasts);
            match &line.content {
                Content::Span(index) => {
                    let row = &self.plan.rows[*index];
                    self.span(&mut out, row, &prefix);
                    self.notes(&mut out, row, line, &lasts);
                }
                Content::Folded(folded) => self.folded(&mut out, folded, &prefix),
            }
        }
        self.foot(&mut out);
        out
    }

    fn head(&self, out: &mut String) {
        let (paint, widths) = (&self.paint, &self.widths);
        let facts = self.plan.facts().join(" · ");
        let trace = self.plan.rows.first().map_or("", |row| &row.trace_id);
        let title = paint.fit(self.plan.title(), widths.all);
        let rest = paint.fit(
            &paint.own(&format!("  {facts} · trace {trace}")),
            widths.all - visible::width(&title),
        );
        let _ = writeln!(out, "{}{}", paint.ink(Ink::Bold, &title), paint.ink(Ink::Faint, &rest));
        if self.plan.rows.is_empty() {
            return;
        }
        let mut titles = format!("  {}", pad("span".into(), widths.name, false));
        if widths.bar > 0 {
            let end = paint.own(&figures::duration(self.plan.duration_ms)).into_owned();
            let _ = write!(titles, " 0{}", pad(end, widths.bar - 1, true));
        }
        let _ = write!(titles, " {}", pad("duration".into(), FIGURE, true));
        if widths.own {
            let _ = write!(titles, " {}", pad("self".into(), FIGURE, true));
        }
        let _ = writeln!(out, "{}", paint.ink(Ink::Faint, &titles));
    }

    fn foot(&self, out: &mut String) {
        let mut words = self.plan.shown_words();
        if self.plan.rows.iter().any(|row| row.critical) {
            let _ = write!(words, " · {} critical path", self.signs.critical);
        }
        let words = if self.paint.unicode() {
            words.into()
        } else {
            self.paint.own(&words)
        };
        let words = self.paint.fit(&words, self.widths.all);
        let _ = writeln!(out, "{}", self.paint.ink(Ink::Faint, &words));
    }

    /// The lines of the tree before a name. Deep in the tree, a depth in figures stands for the trunks.
    fn prefix(&self, line: &Line, lasts: &[bool]) -> String {
        if line.depth == 0 {
            return String::new();
        }
        let turn = if line.last { self.signs.last } else { self.signs.branch };
        if let Some(depth) = self.short_depth(line.depth) {
            return depth + turn;
        }
        self.trunks(&lasts[1..line.depth]) + turn
    }

    fn trunks(&self, lasts: &[bool]) -> String {
        lasts
            .iter()
            .map(|&last| if last { "  " } else { self.signs.trunk })
            .collect()
    }

    fn short_depth(&self, depth: usize) -> Option<String> {
        (depth * 2 > self.widths.name * 3 / 5).then(|| format!("{depth}:"))
    }

    fn line(&self, out: &mut String, critical: bool, name: &str, bar: &str, figures: [Option<String>; 2]) {
        let mark = if critical { self.signs.critical } else { " " };
        let _ = write!(out, "{} {name}", self.paint.ink(Ink::Bold, mark));
        if self.widths.bar > 0 {
            let _ = write!(out, " {bar}");
        }
        let [duration, own] = figures.map(|figure| {
            let figure = figure.unwrap_or_default();
            self.paint.filled(&self.paint.own(&figure), FIGURE, true)
        });
        let _ = write!(out, " {duration}");
        if self.widths.own {
            let _ = write!(out, " {}", self.paint.ink(Ink::Faint, &own));
        }
        trim_end(out);
        out.push('\n');
    }

    fn span(&self, out: &mut String, row: &TimelineRow, prefix: &str) {
        let paint = &self.paint;
        let error = is_error(row);
        let sign = if error {
            format!("{} ", self.signs.error)
        } else {
            String::new()
        };
        // Prefix, error sign, service sign and a blank each.
        let used = visible::width(prefix) + sign.chars().count() + 2;
        let room = self.widths.name.saturating_sub(used);
        let mut after = String::new();
        if let Some(agent) = &row.agent {
            let _ = write!(after, " [{}]", paint.clean(agent));
        }
        if row.event_count > 0 {
            let _ = write!(after, " · {}", figures::counted(row.event_count, "event"));
        }
        // What stands after the name gives way first.
        let name = paint.fit(&row.name, room);
        let after = paint.fit(&paint.own(&after), room - visible::width(&name).min(room));
        let blanks = " ".repeat(room - (visible::width(&name) + visible::width(&after)).min(room));
        let ink = if error { Ink::Error } else { Ink::Plain };
        let cell = format!(
            "{}{}{} {}{}{blanks}",
            paint.ink(Ink::Faint, prefix),
            paint.ink(Ink::Error, &sign),
            paint.sign(&row.service),
            paint.ink(ink, &name),
            paint.ink(Ink::Faint, &after),
        );
        let ink = if error {
            Ink::Error
        } else {
            Ink::Of(crate::colour::mark(&row.service).colour)
        };
        let bar = self.bar(row.offset_ms, row.offset_ms + row.duration_ms, ink);
        self.line(
            out,
            row.critical,
            &cell,
            &bar,
            [
                Some(figures::duration(row.duration_ms)),
                Some(figures::duration(row.self_ms)),
            ],
        );
    }

    fn bar(&self, start_ms: f64, end_ms: f64, ink: Ink) -> String {
        let (start, end) = place(start_ms, end_ms, self.plan.duration_ms);
        let (before, bar, after) = self.paint.span_bar(start, end, self.widths.bar);
        format!("{before}{}{after}", self.paint.ink(ink, &bar))
    }

    fn folded(&self, out: &mut String, folded: &Folded, prefix: &str) {
        let paint = &self.paint;
        let room = self.widths.name.saturating_sub(visible::width(prefix));
        let words = paint.filled(&paint.own(&format!("… {}", folded.words())), room, false);
        let ink = if folded.errors > 0 { Ink::Error } else { Ink::Faint };
        let name = format!("{}{}", paint.ink(Ink::Faint, prefix), paint.ink(ink, &words));
        let bar = self.bar(folded.start_ms, folded.end_ms, Ink::Faint);
        self.line(out, folded.critical, &name, &bar, [None, None]);
    }

    /// Error text and repair, below the span, inside the tree.
    fn notes(&self, out: &mut String, row: &TimelineRow, line: &Line, lasts: &[bool]) {
        let error = error_text(row).map(|text| {
            let word = if is_error(row) {
                format!("{} ERROR ", self.signs.error)
            } else {
                "exception ".into()
            };
            (word + &self.paint.clean(&text), Ink::Error)
        });
        let error = error.or_else(|| is_error(row).then(|| (format!("{} ERROR", self.signs.error), Ink::Error)));
        let repair = row
            .repair
            .as_ref()
            .map(|text| (format!("repaired: {}", self.paint.clean(text)), Ink::Faint));
        for (text, ink) in error.into_iter().chain(repair) {
            let mut prefix = match self.short_depth(line.depth) {
                Some(depth) => " ".repeat(depth.len()),
                None => self.trunks(lasts.get(1..).unwrap_or_default()),
            };
            prefix.push_str(if line.open { self.signs.trunk } else { "  " });
            let room = self.widths.all.saturating_sub(2 + visible::width(&prefix));
            // The text is clean by now; only our own signs may need their ASCII form.
            let text = visible::cut(&text, room, if self.paint.unicode() { "…" } else { "~" }).into_owned();
            let _ = writeln!(
                out,
                "  {}{}",
                self.paint.ink(Ink::Faint, &prefix),
                self.paint.ink(ink, &text)
            );
        }
    }
}

/// Blanks at the end of a line are nothing to print.
fn trim_end(out: &mut String) {
    out.truncate(out.trim_end_matches(' ').len());
}
