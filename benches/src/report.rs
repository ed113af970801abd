//! The table: what was measured, its limit, and what it is compared with.

use std::fmt;
use std::time::Duration;

/// A measured value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Figure {
    Time(Duration),
    Bytes(u64),
    /// Bytes of memory.
    Memory(u64),
    RowsASecond(f64),
    SpansASecond(f64),
    /// A part of a whole, or a ratio of two.
    Share(f64),
    Count(u64),
}

impl Figure {
    fn number(self) -> f64 {
        match self {
            Self::Time(time) => time.as_secs_f64(),
            Self::Bytes(count) | Self::Memory(count) | Self::Count(count) => count as f64,
            Self::RowsASecond(number) | Self::SpansASecond(number) | Self::Share(number) => number,
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) if time.as_secs() >= 10 => write!(f, "{:.1} s", time.as_secs_f64()),
            Self::Time(time) if time.as_millis() < 10 => write!(f, "{:.2} ms", time.as_secs_f64() * 1e3),
            Self::Time(time) => write!(f, "{:.1} ms", time.as_secs_f64() * 1e3),
            Self::Bytes(bytes) if *bytes < 100_000 => write!(f, "{:.1} KB", *bytes as f64 / 1e3),
            Self::Bytes(bytes) => write!(f, "{:.1} MB", *bytes as f64 / 1e6),
            Self::Memory(bytes) => write!(f, "{:.0} MiB", *bytes as f64 / f64::from(1 << 20)),
            Self::RowsASecond(rate) => write!(f, "{rate:.0} rows/s"),
            Self::SpansASecond(rate) => write!(f, "{rate:.0} spans/s"),
            Self::Share(share) => write!(f, "{:.1} %", share * 1e2),
            Self::Count(count) => write!(f, "{count}"),
        }
    }
}

/// What a value must keep to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Limit {
    Below(Figure),
    /// At least so many times what stands beside it.
    AtLeastTimes(f64),
    /// At most so many times what stands beside it.
    AtMostTimes(f64),
}

/// What the figures of a table stand beside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beside {
    column: &'static str,
    /// The word for it in a limit.
    in_limits: &'static str,
}

impl Beside {
    /// The same done by plain DuckDB.
    pub(crate) const PLAIN_DUCKDB: Self = Self {
        column: "plain DuckDB",
        in_limits: "plain",
    };
    /// Something else for each line, with its name.
    pub(crate) const NAMED: Self = Self {
        column: "beside it",
        in_limits: "it",
    };
}

/// A line of the table.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    what: String,
    /// `None`: it could not be measured in this run.
    measured: Option<Figure>,
    limit: Option<Limit>,
    beside: Option<Compared>,
}

/// What a line is compared with.
#[derive(Debug, Clone, Copy)]
struct Compared {
    figure: Figure,
    /// Where it is not what the head of the column says.
    name: Option<&'static str>,
}

impl Compared {
    fn number(self) -> f64 {
        self.figure.number()
    }
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.figure.fmt(f)?;
        match self.name {
            Some(name) => write!(f, " ({name})"),
            None => Ok(()),
        }
    }
}

impl Line {
    pub(crate) fn new(what: impl Into<String>, measured: Figure) -> Self {
        Self {
            what: what.into(),
            measured: Some(measured),
            limit: None,
            beside: None,
        }
    }

    /// Something that this run lacks the means to measure.
    pub(crate) fn not_measured(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            measured: None,
            limit: None,
            beside: None,
        }
    }

    pub(crate) fn limit(self, limit: Limit) -> Self {
        Self {
            limit: Some(limit),
            ..self
        }
    }

    /// What is compared with, measured in the same run.
    pub(crate) fn beside(self, figure: Figure) -> Self {
        Self {
            beside: Some(Compared { figure, name: None }),
            ..self
        }
    }

    /// The same, and its name.
    pub(crate) fn beside_named(self, name: &'static str, figure: Figure) -> Self {
        Self {
            beside: Some(Compared {
                figure,
                name: Some(name),
            }),
            ..self
        }
    }

    /// Measured by limit, so that 1 is the limit itself; turned round for the least values, so that above 1 is missed.
    fn share_of_limit(&self) -> Option<f64> {
        let measured = self.measured?.number();
        match self.limit? {
            Limit::Below(most) => Some(measured / most.number()),
            Limit::AtLeastTimes(times) => Some(times * self.beside?.number() / measured),
            Limit::AtMostTimes(times) => Some(measured / (times * self.beside?.number())),
        }
    }

    fn is_met(&self) -> Option<bool> {
        let share = self.share_of_limit()?;
        Some(match self.limit? {
            Limit::Below(_) => share < 1.0,
            Limit::AtLeastTimes(_) | Limit::AtMostTimes(_) => share <= 1.0,
        })
    }

    fn cells(&self, beside: Beside) -> [String; 7] {
        let limit = match self.limit {
            None => String::new(),
            Some(Limit::Below(most)) => format!("< {most}"),
            Some(Limit::AtLeastTimes(times)) => format!("≥ {times} × {}", beside.in_limits),
            Some(Limit::AtMostTimes(times)) => format!("≤ {times} × {}", beside.in_limits),
        };
        let ratio = |number: Option<f64>| number.map_or_else(String::new, |number| format!("{number:.2}"));
        [
            self.what.clone(),
            self.measured
                .map_or_else(|| "not measured".to_owned(), |measured| measured.to_string()),
            limit,
            ratio(self.share_of_limit()),
            self.beside.map_or_else(String::new, |beside| beside.to_string()),
            ratio(
                self.measured
                    .zip(self.beside)
                    .map(|(measured, beside)| measured.number() / beside.number()),
            ),
            self.is_met()
                .map_or("", |met| if met { "met" } else { "**missed**" })
                .into(),
        ]
    }
}

/// All lines of a run.
#[derive(Debug)]
pub(crate) struct Report {
    beside: Beside,
    lines: Vec<Line>,
}

impl Report {
    pub(crate) fn new(beside: Beside) -> Self {
        Self {
            beside,
            lines: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, line: Line) {
        let [what, measured, limit, _, beside, _, verdict] = line.cells(self.beside);
        eprintln!(
            "  {what}: {measured} [limit {limit}] [{} {beside}] {verdict}",
            self.beside.column
        );
        self.lines.push(line);
    }

    pub(crate) fn missed(&self) -> usize {
        self.lines.iter().filter(|line| line.is_met() == Some(false)).count()
    }

    /// As a Markdown table whose columns also line up as plain text.
    pub(crate) fn markdown(&self) -> String {
        let head = [
            "what",
            "measured",
            "limit",
            "of the limit",
            self.beside.column,
            "ratio to it",
            "verdict",
        ];
        let mut rows = vec![head.map(str::to_owned)];
        rows.extend(self.lines.iter().map(|line| line.cells(self.beside)));
        let widths: [usize; 7] =
            std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
        rows.insert(1, widths.map(|width| "-".repeat(width)));
        let mut text = String::new();
        for row in rows {
            let cells: Vec<String> = row
                .iter()
                .zip(widths)
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            text.push_str(&format!("| {} |\n", cells.join(" | ")));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(line: &Line) -> Option<bool> {
        line.is_met()
    }

    #[test]
    fn a_limit_is_missed_on_the_wrong_side_only() {
        let time = |ms| Figure::Time(Duration::from_millis(ms));
        let query = |ms| Line::new("query", time(ms)).limit(Limit::Below(time(50)));
        assert_eq!(verdict(&query(49)), Some(true));
        assert_eq!(verdict(&query(50)), Some(false));
        let load = |rate| {
            let limit = Limit::AtLeastTimes(0.5);
            Line::new("load", Figure::RowsASecond(rate))
                .limit(limit)
                .beside(Figure::RowsASecond(100.0))
        };
        assert_eq!(verdict(&load(50.0)), Some(true));
        assert_eq!(verdict(&load(49.0)), Some(false));
        let traced = |seconds| {
            Line::new("traced", Figure::Time(Duration::from_secs(seconds)))
                .limit(Limit::AtMostTimes(1.2))
                .beside(Figure::Time(Duration::from_secs(10)))
        };
        assert_eq!(verdict(&traced(11)), Some(true));
        assert_eq!(verdict(&traced(13)), Some(false));
        assert_eq!(verdict(&Line::new("no limit", Figure::Count(1))), None);
        assert_eq!(
            verdict(&Line::not_measured("a part").limit(Limit::Below(time(1)))),
            None
        );
    }

    #[test]
    fn the_table_says_the_share_of_the_limit_and_the_ratio_to_plain() {
        let mut report = Report::new(Beside::PLAIN_DUCKDB);
        let time = |ms| Figure::Time(Duration::from_millis(ms));
        report.add(
            Line::new("red", time(25))
                .limit(Limit::Below(time(50)))
                .beside(time(20)),
        );
        let table = report.markdown();
        let cells: Vec<&str> = table
            .lines()
            .nth(2)
            .expect("a line")
            .split('|')
            .map(str::trim)
            .collect();
        assert_eq!(
            cells,
            ["", "red", "25.0 ms", "< 50.0 ms", "0.50", "20.0 ms", "1.25", "met", ""]
        );
        assert_eq!(report.missed(), 0);
    }

    #[test]
    fn what_was_not_measured_is_a_line_of_its_own_and_no_miss() {
        let mut report = Report::new(Beside::NAMED);
        report.add(Line::not_measured("helpdesk").limit(Limit::AtMostTimes(1.2)));
        let table = report.markdown();
        assert!(table.contains("beside it"), "{table}");
        let line = table.lines().nth(2).expect("a line");
        assert!(line.contains("not measured") && line.contains("≤ 1.2 × it"), "{line}");
        assert_eq!(report.missed(), 0);
    }
}
