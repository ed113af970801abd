//! The table: what was measured, its limit, and what plain DuckDB did.

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
    /// A part of a whole, or a ratio of two.
    Share(f64),
    Count(u64),
}

impl Figure {
    fn number(self) -> f64 {
        match self {
            Self::Time(time) => time.as_secs_f64(),
            Self::Bytes(count) | Self::Memory(count) | Self::Count(count) => count as f64,
            Self::RowsASecond(number) | Self::Share(number) => number,
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) if time.as_secs() >= 10 => write!(f, "{:.1} s", time.as_secs_f64()),
            Self::Time(time) => write!(f, "{:.1} ms", time.as_secs_f64() * 1e3),
            Self::Bytes(bytes) => write!(f, "{:.1} MB", *bytes as f64 / 1e6),
            Self::Memory(bytes) => write!(f, "{:.0} MiB", *bytes as f64 / f64::from(1 << 20)),
            Self::RowsASecond(rate) => write!(f, "{rate:.0} rows/s"),
            Self::Share(share) => write!(f, "{:.1} %", share * 1e2),
            Self::Count(count) => write!(f, "{count}"),
        }
    }
}

/// What a value must keep to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Limit {
    Below(Figure),
    /// At least this share of what plain DuckDB reaches.
    ShareOfPlain(f64),
}

/// A line of the table.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    what: String,
    measured: Figure,
    limit: Option<Limit>,
    plain: Option<Figure>,
}

impl Line {
    pub(crate) fn new(what: impl Into<String>, measured: Figure) -> Self {
        Self {
            what: what.into(),
            measured,
            limit: None,
            plain: None,
        }
    }

    pub(crate) fn limit(self, limit: Limit) -> Self {
        Self {
            limit: Some(limit),
            ..self
        }
    }

    /// What plain DuckDB did in the same run.
    pub(crate) fn plain(self, plain: Figure) -> Self {
        Self {
            plain: Some(plain),
            ..self
        }
    }

    /// Measured by limit, so that 1 is the limit itself; turned round for the least values, so that above 1 is missed.
    fn share_of_limit(&self) -> Option<f64> {
        match self.limit? {
            Limit::Below(most) => Some(self.measured.number() / most.number()),
            Limit::ShareOfPlain(share) => Some(share * self.plain?.number() / self.measured.number()),
        }
    }

    fn is_met(&self) -> Option<bool> {
        let share = self.share_of_limit()?;
        Some(match self.limit? {
            Limit::Below(_) => share < 1.0,
            Limit::ShareOfPlain(_) => share <= 1.0,
        })
    }

    fn cells(&self) -> [String; 7] {
        let limit = match self.limit {
            None => String::new(),
            Some(Limit::Below(most)) => format!("< {most}"),
            Some(Limit::ShareOfPlain(share)) => format!("≥ {share} × plain"),
        };
        let ratio = |number: Option<f64>| number.map_or_else(String::new, |number| format!("{number:.2}"));
        [
            self.what.clone(),
            self.measured.to_string(),
            limit,
            ratio(self.share_of_limit()),
            self.plain.map_or_else(String::new, |plain| plain.to_string()),
            ratio(self.plain.map(|plain| self.measured.number() / plain.number())),
            self.is_met()
                .map_or("", |met| if met { "met" } else { "**missed**" })
                .into(),
        ]
    }
}

/// All lines of a run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    lines: Vec<Line>,
}

impl Report {
    pub(crate) fn add(&mut self, line: Line) {
        let [what, measured, limit, _, plain, _, verdict] = line.cells();
        eprintln!("  {what}: {measured} [limit {limit}] [plain DuckDB {plain}] {verdict}");
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
            "plain DuckDB",
            "ratio to it",
            "verdict",
        ];
        let mut rows = vec![head.map(str::to_owned)];
        rows.extend(self.lines.iter().map(Line::cells));
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
            let limit = Limit::ShareOfPlain(0.5);
            Line::new("load", Figure::RowsASecond(rate))
                .limit(limit)
                .plain(Figure::RowsASecond(100.0))
        };
        assert_eq!(verdict(&load(50.0)), Some(true));
        assert_eq!(verdict(&load(49.0)), Some(false));
        assert_eq!(verdict(&Line::new("no limit", Figure::Count(1))), None);
    }

    #[test]
    fn the_table_says_the_share_of_the_limit_and_the_ratio_to_plain() {
        let mut report = Report::default();
        let time = |ms| Figure::Time(Duration::from_millis(ms));
        report.add(Line::new("red", time(25)).limit(Limit::Below(time(50))).plain(time(20)));
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
}
