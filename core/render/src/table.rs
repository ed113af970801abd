//! A table as a reader sees it, before it becomes text or HTML.

/// Columns, cells and how much of the answer they are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// What the columns are called.
    pub columns: Vec<Column>,
    /// A cell a column.
    pub rows: Vec<Vec<Cell>>,
    /// Rows that there were, where `rows` is only the first of them.
    pub total: Option<u64>,
    /// What a row is: `trace`, `operation`. A plural `s` is added where there are several.
    pub unit: &'static str,
}

/// Head of a column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Title, with the unit of its figures.
    pub title: String,
    /// Numbers stand at the right.
    pub right: bool,
    /// When a terminal is too narrow, columns of the highest rank go first, those of rank 0 last.
    pub rank: u8,
    /// A terminal cuts a column of text to no less than this, and leaves whole columns out instead.
    pub least: usize,
}

/// What stands in a cell. Every text may come from a trace.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing: the group has no such key.
    Empty,
    /// SQL's NULL, told apart from a text that reads the same.
    Null,
    /// A text.
    Text(String),
    /// A figure, written out.
    Figure(String),
    /// A text that is less important than the rest.
    Faint(String),
    /// A figure or text that tells of errors.
    Error(String),
    /// A service, shown with its [mark](crate::colour::mark).
    Service(String),
    /// A share from 0 to 1, shown as a bar.
    Share(f64),
    /// Figures over time, shown as a spark line.
    Series(Vec<f64>),
}

impl Column {
    /// A column of text.
    pub fn text(title: impl Into<String>, rank: u8) -> Self {
        Self {
            title: title.into(),
            right: false,
            rank,
            least: 12,
        }
    }

    /// A column of figures.
    pub fn figure(title: impl Into<String>, rank: u8) -> Self {
        Self {
            right: true,
            ..Self::text(title, rank)
        }
    }

    /// The same column, cut to no less than `least`.
    pub fn least(self, least: usize) -> Self {
        Self { least, ..self }
    }
}

impl Table {
    /// How many rows are shown, in words: `10 of 1,234 rows`.
    pub fn shown(&self) -> String {
        let unit = if self.unit.is_empty() { "row" } else { self.unit };
        let rows = self.rows.len() as i64;
        match self.total {
            Some(total) if total > self.rows.len() as u64 => format!(
                "{} of {}",
                crate::figures::count(rows),
                crate::figures::counted(total.try_into().unwrap_or(i64::MAX), unit)
            ),
            _ => crate::figures::counted(rows, unit),
        }
    }
}
